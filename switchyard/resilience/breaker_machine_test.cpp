#include <switchyard/resilience/breaker_machine.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace switchyard {
namespace resilience {
void PrintTo(BreakerState state, std::ostream* out) { *out << to_string(state); }
}  // namespace resilience
namespace {

using namespace resilience;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};
constexpr CallCounts kBad{.calls = 20, .failed = 10};
constexpr CallCounts kGood{.calls = 20, .failed = 9};

/// Keeps what it heard.
struct Heard final : BreakerObserver {
  void on_transition(const BreakerTransition& transition) noexcept override {
    lines.push_back(std::string(to_string(transition.from)) + " -> " + std::string(to_string(transition.to)) +
                    ": " + std::string(transition.why));
  }
  std::vector<std::string> lines;
};

BreakerMachine opened(Heard* heard = nullptr, BreakerSettings settings = {}) {
  BreakerMachine machine(settings, 1, heard);
  machine.judge(kBad, kStart);
  return machine;
}

TEST(BreakerMachine, OpensAtTheFailureRateOfEnoughCalls) {
  Heard heard;
  BreakerMachine machine({}, 1, &heard);
  machine.judge(kGood, kStart);
  machine.judge({.calls = 19, .failed = 19}, kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.judge(kBad, kStart);
  EXPECT_EQ(machine.state(), BreakerState::open);
  EXPECT_THAT(heard.lines, testing::ElementsAre("CLOSED -> OPEN: 10 of 20 calls failed within 10s"));
}

TEST(BreakerMachine, OpensWhenMostCallsAreSlow) {
  Heard heard;
  BreakerMachine machine({.slow_call = 200ms}, 1, &heard);
  machine.judge({.calls = 20, .slow = 15}, kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.judge({.calls = 20, .slow = 16}, kStart);
  EXPECT_THAT(heard.lines,
              testing::ElementsAre("CLOSED -> OPEN: 16 of 20 calls within 10s were slower than 200ms"));
}

TEST(BreakerMachine, RateOfZeroNeedsAtLeastOneFailure) {
  BreakerMachine machine({.failure_rate = 0}, 1, nullptr);
  machine.judge({.calls = 100}, kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.judge({.calls = 100, .failed = 1}, kStart);
  EXPECT_EQ(machine.state(), BreakerState::open);
}

TEST(BreakerMachine, StaysClosedWhenNotEnabledButObeysOperators) {
  BreakerMachine machine({.enabled = false}, 1, nullptr);
  machine.judge({.calls = 100, .failed = 100}, kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.force_open(kStart);
  EXPECT_EQ(machine.state(), BreakerState::open);
}

TEST(BreakerMachine, OpenTimeDoublesFromTrialToTrialUpToItsMaximumWithJitter) {
  BreakerMachine machine = opened();
  TimePoint now = kStart;
  for (const Duration expected : {5s, 10s, 20s, 40s, 60s, 60s, 60s}) {
    const Duration open = machine.available_at() - now;
    EXPECT_GE(open, expected);
    EXPECT_LT(open, expected * 6 / 5);
    EXPECT_FALSE(machine.try_trial(machine.available_at() - 1ns));
    now = machine.available_at();
    ASSERT_TRUE(machine.try_trial(now));
    machine.finish_trial(machine.generation(), CallOutcome::failed, false, now);
  }
}

TEST(BreakerMachine, OpenTimesOfTwoProcessesDiffer) {
  BreakerMachine one({}, 1, nullptr), other({}, 2, nullptr);
  one.judge(kBad, kStart);
  other.judge(kBad, kStart);
  EXPECT_NE(one.available_at(), other.available_at());
}

TEST(BreakerMachine, ClosesWhenAllTrialsAreAnsweredAndForgetsTheDoubling) {
  Heard heard;
  BreakerMachine machine = opened(&heard);
  const TimePoint now = machine.available_at();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(machine.try_trial(now));
  EXPECT_FALSE(machine.try_trial(now));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(machine.state(), BreakerState::half_open);
    machine.finish_trial(machine.generation(), CallOutcome::answered, false, now);
  }
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.judge(kBad, now);
  EXPECT_LT(machine.available_at() - now, 6s);
  EXPECT_THAT(heard.lines, testing::ElementsAre("CLOSED -> OPEN: 10 of 20 calls failed within 10s",
                                                "OPEN -> HALF_OPEN: it was open long enough: trial calls may go",
                                                "HALF_OPEN -> CLOSED: 3 trial calls were answered",
                                                "CLOSED -> OPEN: 10 of 20 calls failed within 10s"));
}

TEST(BreakerMachine, TrialThatSaysNothingGivesItsTurnToAnother) {
  BreakerMachine machine = opened();
  const TimePoint now = machine.available_at();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.try_trial(now));
  machine.finish_trial(machine.generation(), CallOutcome::ignored, false, now);
  EXPECT_TRUE(machine.try_trial(now));
  EXPECT_FALSE(machine.try_trial(now));
}

TEST(BreakerMachine, SlowTrialsOpenItAgain) {
  Heard heard;
  BreakerMachine machine = opened(&heard, {.slow_call = 200ms});
  const TimePoint now = machine.available_at();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.try_trial(now));
  for (int i = 0; i < 3; ++i) machine.finish_trial(machine.generation(), CallOutcome::answered, true, now);
  EXPECT_EQ(heard.lines.back(), "HALF_OPEN -> OPEN: 3 of 3 calls on trial were slower than 200ms");
}

TEST(BreakerMachine, TrialsThatNeverAnswerOpenItAgain) {
  Heard heard;
  BreakerMachine machine = opened(&heard);
  TimePoint now = machine.available_at();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.try_trial(now));
  EXPECT_FALSE(machine.try_trial(now + 10s - 1ns));
  EXPECT_FALSE(machine.try_trial(now + 10s));
  EXPECT_EQ(heard.lines.back(), "HALF_OPEN -> OPEN: no trial call was answered within 10s");
  EXPECT_GE(machine.available_at(), now + 20s);
}

TEST(BreakerMachine, TrialThatTakesLongWhileOthersAreAnsweredIsReplacedAndCountsNoMore) {
  BreakerMachine machine = opened();
  const TimePoint now = machine.available_at();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.try_trial(now));
  const std::uint64_t first = machine.generation();
  machine.finish_trial(first, CallOutcome::answered, false, now);
  machine.finish_trial(first, CallOutcome::answered, false, now);
  ASSERT_TRUE(machine.try_trial(now + 10s));
  machine.finish_trial(first, CallOutcome::failed, false, now + 11s);
  EXPECT_EQ(machine.state(), BreakerState::half_open);
  machine.finish_trial(machine.generation(), CallOutcome::answered, false, now + 11s);
  EXPECT_EQ(machine.state(), BreakerState::closed);
}

TEST(BreakerMachine, HeldOpenByAnOperatorItNeverTries) {
  BreakerMachine machine({}, 1, nullptr);
  machine.force_open(kStart);
  EXPECT_FALSE(machine.try_trial(kStart + 10'000h));
  EXPECT_EQ(machine.available_at(), kNever);
  machine.reset(kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  EXPECT_EQ(machine.mode(), BreakerMode::automatic);
}

TEST(BreakerMachine, HeldClosedByAnOperatorItNeverOpensUntilItIsReset) {
  BreakerMachine machine = opened();
  machine.force_close(kStart);
  machine.judge(kBad, kStart);
  EXPECT_EQ(machine.state(), BreakerState::closed);
  machine.reset(kStart);
  machine.judge(kBad, kStart);
  EXPECT_EQ(machine.state(), BreakerState::open);
}

TEST(BreakerMachine, SettingsWithoutSenseAreCutToSense) {
  BreakerMachine machine(
      {.minimum_calls = 0, .failure_rate = 7, .open_for = 90s, .open_max = 1s, .half_open_permits = 0}, 1, nullptr);
  machine.judge({.calls = 1, .failed = 1}, kStart);
  ASSERT_EQ(machine.state(), BreakerState::open);
  EXPECT_GE(machine.available_at(), kStart + 90s);
  EXPECT_TRUE(machine.try_trial(machine.available_at()));
}

// ---- every order of events, up to a bound ----

/// A machine with the calls that are out, and the time.
struct World {
  BreakerMachine machine;
  std::vector<std::uint64_t> out;  ///< generations of trials not yet ended
  TimePoint now = kStart;
};

struct Event {
  const char* name;
  std::function<void(World&)> happens;
};

void end_trial(World& world, bool oldest, CallOutcome outcome) {
  if (world.out.empty()) return;
  const auto which = oldest ? world.out.begin() : world.out.end() - 1;
  const std::uint64_t generation = *which;
  world.out.erase(which);
  const BreakerState state = world.machine.state();
  const std::uint64_t before = world.machine.generation();
  const TimePoint available = world.machine.available_at();
  world.machine.finish_trial(generation, outcome, false, world.now);
  if (generation != before) {
    EXPECT_EQ(world.machine.state(), state) << "a stale result moved it";
    EXPECT_EQ(world.machine.generation(), before);
    EXPECT_EQ(world.machine.available_at(), available);
  }
}

const std::vector<Event>& events() {
  static const std::vector<Event> all{
      {"call",
       [](World& world) {
         if (world.machine.state() == BreakerState::closed) return;
         const bool due = world.now >= world.machine.available_at();
         const bool granted = world.machine.try_trial(world.now);
         EXPECT_TRUE(due || !granted) << "a trial before its time";
         if (granted) world.out.push_back(world.machine.generation());
       }},
      {"oldest answered", [](World& world) { end_trial(world, true, CallOutcome::answered); }},
      {"oldest failed", [](World& world) { end_trial(world, true, CallOutcome::failed); }},
      {"newest answered", [](World& world) { end_trial(world, false, CallOutcome::answered); }},
      {"newest failed", [](World& world) { end_trial(world, false, CallOutcome::failed); }},
      {"newest ignored", [](World& world) { end_trial(world, false, CallOutcome::ignored); }},
      {"1s", [](World& world) { world.now += 1s; }},
      {"6s", [](World& world) { world.now += 6s; }},
      {"10s", [](World& world) { world.now += 10s; }},
      {"window is bad", [](World& world) { world.machine.judge(kBad, world.now); }},
      {"force open", [](World& world) { world.machine.force_open(world.now); }},
      {"force close", [](World& world) { world.machine.force_close(world.now); }},
      {"reset", [](World& world) { world.machine.reset(world.now); }},
  };
  return all;
}

/// Whatever happened, an endpoint that answers from now on is in use again within bounded time and few calls.
void expect_recovers(World world) {
  if (world.machine.mode() == BreakerMode::forced_open) return;
  const TimePoint latest = world.now + 10s + 72s + 1s;  // the trials' wait, then open_max with its jitter
  for (int calls = 0; calls < 10 && world.machine.state() != BreakerState::closed; ++calls) {
    world.now = std::max(world.now, world.machine.available_at());
    ASSERT_LE(world.now, latest) << "it is stuck";
    if (world.machine.try_trial(world.now)) {
      world.machine.finish_trial(world.machine.generation(), CallOutcome::answered, false, world.now);
    }
  }
  ASSERT_EQ(world.machine.state(), BreakerState::closed) << "it is stuck";
}

void explore(const World& world, int depth, std::vector<const char*>& way, std::size_t& seen) {
  ++seen;
  const std::uint64_t current = world.machine.generation();
  if (world.machine.state() == BreakerState::half_open) {
    ASSERT_LE(std::count(world.out.begin(), world.out.end(), current), 2) << "more trials than permits";
  }
  expect_recovers(world);
  if (depth == 0) return;
  for (const Event& event : events()) {
    World next = world;
    way.push_back(event.name);
    event.happens(next);
    const bool changed = next.machine.state() != world.machine.state();
    ASSERT_GE(next.machine.generation(), current);
    if (changed) {
      ASSERT_GT(next.machine.generation(), current) << "a new state in an old generation";
    }
    explore(next, depth - 1, way, seen);
    if (testing::Test::HasFailure()) {
      std::string path;
      for (const char* step : way) path += std::string(path.empty() ? "" : ", ") + step;
      FAIL() << "after: " << path;
    }
    way.pop_back();
  }
}

TEST(BreakerMachine, KeepsItsPromisesInEveryOrderOfEvents) {
  BreakerMachine closed({.half_open_permits = 2}, 1, nullptr);
  World world{closed, {}};
  std::vector<const char*> way;
  std::size_t seen = 0;
  explore(world, 4, way, seen);
  // From the middle of a HALF_OPEN, where most can go wrong.
  world.machine.judge(kBad, world.now);
  world.now += 6s;
  ASSERT_TRUE(world.machine.try_trial(world.now));
  world.out.push_back(world.machine.generation());
  explore(world, 5, way, seen);
  EXPECT_GT(seen, 400'000u);
}

}  // namespace
}  // namespace switchyard
