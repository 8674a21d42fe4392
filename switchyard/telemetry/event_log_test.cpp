#include <switchyard/telemetry/event_log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::inline v0::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr TimePoint kStart{1h};

std::vector<std::string> messages(const std::vector<KeptEvent>& events) {
  std::vector<std::string> out;
  for (const KeptEvent& event : events) out.push_back(event.message);
  return out;
}

void say(EventLog& log, std::string text, TimePoint now = kStart, std::string_view database = "main") {
  log.note(kSlowQuery, database, now, [&] { return text; }, {{"database", database}, {"milliseconds", 7}});
}

/// Keeps what the log writes.
class Lines final : public log::Sink {
 public:
  Lines() : before_(log::set_sink(this)) {}
  ~Lines() override { log::set_sink(before_); }
  void write(const log::Event& event) noexcept override { lines.emplace_back(event.message); }
  std::vector<std::string> lines;

 private:
  log::Sink* before_;
};

TEST(EventLog, KeepsAnEventAndWritesItsLine) {
  Lines sink;
  EventLog log;
  say(log, "[SLOW QUERY] main took 7ms: SELECT ?");
  EXPECT_THAT(sink.lines, ElementsAre("[SLOW QUERY] main took 7ms: SELECT ?"));
  const auto events = log.since(0);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].sequence, 1U);
  EXPECT_EQ(events[0].kind, "slow_query");
  EXPECT_EQ(events[0].database, "main");
  EXPECT_EQ(events[0].fields.at(1), std::make_pair(std::string("milliseconds"), std::string("7")));
}

TEST(EventLog, LeavesEventsOutWhenThereAreTooManyAndSaysHowMany) {
  EventLog log({.kept = 10, .burst = 2, .interval = 1s});
  int made = 0;
  for (int i = 0; i < 5; ++i) {
    log.note(kSlowQuery, "main", kStart, [&] {
      ++made;
      return std::string("line");
    });
  }
  EXPECT_EQ(made, 2) << "a line that is left out is not even put together";
  say(log, "still too early", kStart + 999ms);
  say(log, "later", kStart + 1s);
  EXPECT_THAT(messages(log.since(2)), ElementsAre("later (4 more of these were left out)"));
  say(log, "on time", kStart + 2s);
  EXPECT_THAT(messages(log.since(3)), ElementsAre("on time"));
  const auto counts = log.counts();
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].count, 8U);
  EXPECT_EQ(counts[0].left_out, 4U);
}

TEST(EventLog, AQuietTimeBringsTheWholeBurstBack) {
  EventLog log({.kept = 100, .burst = 3, .interval = 1s});
  for (int i = 0; i < 5; ++i) say(log, "a");
  EXPECT_EQ(log.last_sequence(), 3U);
  for (int i = 0; i < 5; ++i) say(log, "b", kStart + 1h);
  EXPECT_EQ(log.last_sequence(), 6U);
}

TEST(EventLog, LimitsEachKindAndDatabaseByItself) {
  EventLog log({.kept = 100, .burst = 1, .interval = 1s});
  say(log, "a");
  say(log, "a again");
  say(log, "b", kStart, "reference");
  log.note(kSlowPool, "main", kStart, [] { return std::string("c"); });
  EXPECT_THAT(messages(log.since(0)), ElementsAre("a", "b", "c"));
}

TEST(EventLog, TheRingKeepsTheLatest) {
  EventLog log({.kept = 3, .burst = 100, .interval = 1s});
  for (int i = 1; i <= 5; ++i) say(log, std::to_string(i));
  EXPECT_THAT(messages(log.since(0)), ElementsAre("3", "4", "5"));
  EXPECT_THAT(messages(log.since(4)), ElementsAre("5"));
  EXPECT_THAT(messages(log.since(0, 2)), ElementsAre("4", "5"));
  EXPECT_TRUE(log.since(5).empty());
  log.configure({.kept = 1, .burst = 100, .interval = 1s});
  EXPECT_THAT(messages(log.since(0)), ElementsAre("5"));
}

TEST(EventLog, NamesWithoutEndDoNotEatTheMemory) {
  EventLog log({.kept = 1, .burst = 1, .interval = 1s});
  for (std::size_t i = 0; i < EventLog::kMaxKeys + 50; ++i) say(log, "x", kStart, "db" + std::to_string(i));
  const auto counts = log.counts();
  EXPECT_LE(counts.size(), EventLog::kMaxKeys + 1);
  const auto other = std::ranges::find(counts, "other", &EventCount::database);
  ASSERT_NE(other, counts.end());
  EXPECT_EQ(other->count, 50U);
}

}  // namespace
}  // namespace switchyard::inline v0::telemetry
