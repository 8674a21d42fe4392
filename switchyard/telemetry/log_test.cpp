#include <switchyard/telemetry/log.hpp>

#include <gtest/gtest.h>

namespace switchyard::log {
namespace {

/// Keeps what it was told; debug events of the room "quiet" are unwanted.
class MemorySink final : public Sink {
 public:
  MemorySink() : before_(set_sink(this)) {}
  ~MemorySink() override { set_sink(before_); }

  [[nodiscard]] bool wants(Level level, std::string_view room) const noexcept override {
    return !(level == Level::debug && room == "quiet");
  }
  void write(const Event& event) noexcept override {
    std::string line = std::string(to_string(event.level)) + ' ' + std::string(event.room) + ' ' +
                       std::string(event.event) + ": " + std::string(event.message);
    for (const Field& field : event.fields) {
      line += ' ' + std::string(field.key) + '=';
      std::visit(
          [&](const auto& value) {
            if constexpr (std::is_convertible_v<decltype(value), std::string_view>) {
              line += value;
            } else {
              line += std::to_string(value);
            }
          },
          field.value);
    }
    lines.push_back(std::move(line));
  }
  std::vector<std::string> lines;

 private:
  Sink* before_;
};

TEST(Log, WithoutASinkNothingIsMade) {
  ASSERT_EQ(set_sink(nullptr), nullptr);
  bool made = false;
  info("pool", "opened", [&] {
    made = true;
    return std::string("never read");
  });
  EXPECT_FALSE(made);
}

TEST(Log, AnEventArrivesWithItsFields) {
  MemorySink sink;
  warning("pool", "pool_exhaustion", "[POOL EXHAUSTION] reference at 48/50 connections",
          {{"database", "reference"}, {"in_use", 48}, {"max", 50U}, {"share", 0.96}, {"full", false}});
  ASSERT_EQ(sink.lines.size(), 1U);
  EXPECT_EQ(sink.lines[0],
            "warning pool pool_exhaustion: [POOL EXHAUSTION] reference at 48/50 connections database=reference "
            "in_use=48 max=50 share=0.960000 full=0");
}

TEST(Log, AnUnwantedEventIsNotPutTogether) {
  MemorySink sink;
  bool made = false;
  const auto message = [&] {
    made = true;
    return std::string("details");
  };
  debug("quiet", "statement", message);
  EXPECT_FALSE(made);
  EXPECT_TRUE(sink.lines.empty());
  debug("session", "statement", message);
  EXPECT_TRUE(made);
  EXPECT_EQ(sink.lines, std::vector<std::string>{"debug session statement: details"});
}

TEST(Log, InstallingASinkGivesTheOneBefore) {
  MemorySink outer;
  {
    MemorySink inner;
    info("fleet", "opened", "inner");
    EXPECT_EQ(inner.lines.size(), 1U);
  }
  info("fleet", "opened", "outer");
  EXPECT_EQ(outer.lines, std::vector<std::string>{"info fleet opened: outer"});
}

}  // namespace
}  // namespace switchyard::log
