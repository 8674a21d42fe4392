#include <switchyard/telemetry/registry.hpp>
#include <switchyard/telemetry/text.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

namespace switchyard::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr Metric kTimeouts{.kind = Metric::Kind::counter,
                           .name = "db.client.connection.timeouts",
                           .unit = "{timeout}",
                           .help = "Acquisitions that timed out."};
constexpr Metric kConnections{.kind = Metric::Kind::gauge,
                              .name = "db.client.connection.count",
                              .unit = "{connection}",
                              .help = "Connections by state."};
constexpr Metric kDuration{.kind = Metric::Kind::histogram,
                           .name = "db.client.operation.duration",
                           .unit = "s",
                           .help = "Duration of operations.",
                           .scale = 1e-9,
                           .boundaries = kOperationSeconds};

const Labels kMain{{"db.client.connection.pool.name", "main"}};
const Labels kReference{{"db.client.connection.pool.name", "reference"}};

std::uint64_t counter_of(const Registry& registry, const Labels& labels) {
  for (const Family& family : registry.read()) {
    for (const Series& series : family.series) {
      if (series.labels == labels) return std::get<std::uint64_t>(series.value);
    }
  }
  return std::numeric_limits<std::uint64_t>::max();
}

TEST(Registry, SumsTheShardsNumbersOfOneSeries) {
  Registry registry;
  Counter shard0;
  Counter shard1;
  Counter other;
  const Registration a = registry.add(kTimeouts, kMain, shard0);
  const Registration b = registry.add(kTimeouts, kMain, shard1);
  const Registration c = registry.add(kTimeouts, kReference, other);
  shard0.add(2);
  shard1.add(40);
  other.add(7);
  EXPECT_EQ(counter_of(registry, kMain), 42U);
  EXPECT_EQ(counter_of(registry, kReference), 7U);
}

TEST(Registry, ACounterKeepsWhatItCountedWhenItsOwnerGoes) {
  Registry registry;
  {
    Counter counter;
    const Registration registration = registry.add(kTimeouts, kMain, counter);
    counter.add(5);
  }
  Counter next;
  const Registration registration = registry.add(kTimeouts, kMain, next);
  next.add(1);
  EXPECT_EQ(counter_of(registry, kMain), 6U);
}

TEST(Registry, AGaugeDisappearsWithItsOwner) {
  Registry registry;
  {
    Gauge gauge;
    const Registration registration = registry.add(kConnections, kMain, gauge);
    gauge.set(3);
    gauge.add(-1);
    ASSERT_EQ(std::get<std::int64_t>(registry.read().at(0).series.at(0).value), 2);
  }
  EXPECT_TRUE(registry.read().at(0).series.empty());
  EXPECT_EQ(to_text(registry.read()), "");
}

TEST(Registry, TheOrderOfLabelsDoesNotMatter) {
  Registry registry;
  Counter one;
  Counter two;
  const Registration a = registry.add(kTimeouts, {{"a", "1"}, {"b", "2"}}, one);
  const Registration b = registry.add(kTimeouts, {{"b", "2"}, {"a", "1"}}, two);
  EXPECT_EQ(registry.read().at(0).series.size(), 1U);
}

TEST(Registry, AMovedRegistrationIsStillOne) {
  Registry registry;
  Counter counter;
  counter.add(4);
  std::vector<Registration> kept;
  kept.push_back(registry.add(kTimeouts, kMain, counter));
  kept.push_back(Registration());
  kept.back() = std::move(kept.front());
  EXPECT_EQ(counter_of(registry, kMain), 4U);
  kept.clear();
  counter.add(100);
  EXPECT_EQ(counter_of(registry, kMain), 4U);
}

TEST(Registry, MayGoBeforeItsRegistrations) {
  Counter counter;
  Registration registration;
  {
    Registry registry;
    registration = registry.add(kTimeouts, kMain, counter);
  }
  registration = Registration();
}

TEST(Registry, SeriesAreBoundedAndTheExcessIsCounted) {
  Registry registry;
  Counter counter;
  std::vector<Registration> kept;
  for (std::size_t i = 0; i < Registry::kMaxSeries + 3; ++i) {
    kept.push_back(registry.add(kTimeouts, {{"user", std::to_string(i)}}, counter));
  }
  const std::vector<Family> families = registry.read();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].series.size(), Registry::kMaxSeries);
  EXPECT_EQ(families[1].metric->name, "switchyard.telemetry.dropped_series");
  EXPECT_EQ(std::get<std::uint64_t>(families[1].series.at(0).value), 3U);
}

TEST(Registry, IsReadWhileAnotherThreadCounts) {
  Registry registry;
  std::atomic<bool> stop = false;
  constexpr std::uint64_t kRounds = 20'000;
  std::thread writer([&] {
    Counter counter;
    Histogram histogram;
    const Registration a = registry.add(kTimeouts, kMain, counter);
    const Registration b = registry.add(kDuration, kMain, histogram);
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      counter.add();
      histogram.record(i);
    }
    stop = true;
  });
  std::uint64_t before = 0;
  while (!stop) {
    const std::uint64_t now = counter_of(registry, kMain);
    if (now == std::numeric_limits<std::uint64_t>::max()) continue;  // not registered yet
    EXPECT_GE(now, before);
    before = now;
  }
  writer.join();
  EXPECT_EQ(counter_of(registry, kMain), kRounds);
}

TEST(Text, NamesFollowOpenTelemetrysRules) {
  const auto name = [](Metric::Kind kind, std::string_view name, std::string_view unit) {
    return text_name(Metric{.kind = kind, .name = name, .unit = unit});
  };
  EXPECT_EQ(name(Metric::Kind::histogram, "db.client.operation.duration", "s"),
            "db_client_operation_duration_seconds");
  EXPECT_EQ(name(Metric::Kind::counter, "db.client.connection.timeouts", "{timeout}"),
            "db_client_connection_timeouts_total");
  EXPECT_EQ(name(Metric::Kind::counter, "switchyard.sent", "By"), "switchyard_sent_bytes_total");
  EXPECT_EQ(name(Metric::Kind::gauge, "switchyard.utilisation", "1"), "switchyard_utilisation_ratio");
  EXPECT_EQ(name(Metric::Kind::counter, "switchyard.retries", "1"), "switchyard_retries_total");
  EXPECT_EQ(name(Metric::Kind::gauge, "uptime_seconds", "s"), "uptime_seconds");
  EXPECT_EQ(name(Metric::Kind::gauge, "2nd-try", ""), "_2nd_try");
}

/// A change of golden/exposition.txt is a change for every dashboard. `promtool check metrics` reads it with one
/// remark: OpenTelemetry's name db.client.connection.count ends in _count.
TEST(Text, TheExpositionIsTheGoldenFile) {
  constexpr Metric kUp{.kind = Metric::Kind::gauge,
                       .name = "switchyard.up",
                       .unit = "",
                       .help = "1 when the database answers, else 0.\nSecond line with a \\ backslash."};
  constexpr Metric kLag{
      .kind = Metric::Kind::gauge, .name = "switchyard.replica.lag", .unit = "s", .help = "Lag.", .scale = 1e-9};
  Registry registry;
  Counter timeouts;
  Gauge idle;
  Gauge used;
  Gauge up;
  Gauge lag;
  Histogram duration;
  std::vector<Registration> kept;
  kept.push_back(registry.add(kTimeouts, kMain, timeouts));
  kept.push_back(registry.add(kConnections, {{"state", "used"}, {"db.client.connection.pool.name", "main"}}, used));
  kept.push_back(registry.add(kConnections, {{"state", "idle"}, {"db.client.connection.pool.name", "main"}}, idle));
  kept.push_back(registry.add(kUp, {{"database", "odd \"name\" with \\ and\nnew line"}}, up));
  kept.push_back(registry.add(kLag, {}, lag));
  kept.push_back(registry.add(kDuration, kMain, duration));
  timeouts.add(3);
  idle.set(5);
  used.set(2);
  lag.set(Duration(1500ms).count());
  for (const Duration value : {Duration(300us), Duration(2ms), Duration(2ms), Duration(70ms), Duration(20s)}) {
    duration.record(value);
  }
  std::ifstream file(SWITCHYARD_SOURCE_DIR "/switchyard/telemetry/golden/exposition.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(to_text(registry.read()), golden.str());
}

TEST(Text, ABoundaryIsInclusive) {
  static constexpr double kBoundaries[] = {0.001};
  constexpr Metric kExact{.kind = Metric::Kind::histogram,
                          .name = "exact",
                          .unit = "",
                          .help = "Counts.",
                          .scale = 0.0001,
                          .boundaries = kBoundaries};
  Registry registry;
  Histogram histogram;
  const Registration registration = registry.add(kExact, {}, histogram);
  histogram.record(std::uint64_t{10});
  histogram.record(std::uint64_t{11});
  EXPECT_NE(to_text(registry.read()).find("exact_bucket{le=\"0.001\"} 1\n"), std::string::npos);
}

}  // namespace
}  // namespace switchyard::telemetry
