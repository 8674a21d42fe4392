#include <switchyard/fleet/probe_machine.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using Step = ProbeMachine::Step;

class ProbeMachineTest : public ::testing::Test {
 protected:
  /// Connects and answers, as a server does at once.
  void first_look() {
    ASSERT_EQ(machine.step(now), Step::connect);
    machine.connected(now);
    ASSERT_EQ(machine.step(now), Step::ask);
    machine.answered(now);
  }
  Duration until_next() { return machine.wake() - now; }

  TimePoint now{1h};
  ProbeMachine machine{ProbeSettings{}, 7};
};

TEST_F(ProbeMachineTest, LooksAboutOnceASecondNeverInStep) {
  first_look();
  Duration least = 10s;
  Duration most{};
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(machine.step(now), Step::rest);
    least = std::min(least, until_next());
    most = std::max(most, until_next());
    now = machine.wake();
    ASSERT_EQ(machine.step(now), Step::ask);
    machine.answered(now);
  }
  EXPECT_GE(least, 800ms);
  EXPECT_LE(most, 1200ms);
  EXPECT_GT(most - least, 200ms);
}

TEST_F(ProbeMachineTest, OnlyOneLookIsOnItsWay) {
  ASSERT_EQ(machine.step(now), Step::connect);
  now += 10s;
  EXPECT_EQ(machine.step(now), Step::rest);
  machine.poke(now);
  machine.hurry(now, now + 1s);
  machine.set_urgent(now, true);
  EXPECT_EQ(machine.step(now), Step::rest);
  EXPECT_EQ(machine.wake(), kNever);
}

TEST_F(ProbeMachineTest, APokeBringsTheNextLookForwardButAStormIsOne) {
  first_look();
  now += 5ms;
  machine.poke(now);
  EXPECT_EQ(machine.wake(), now + 15ms);
  now += 15ms;
  ASSERT_EQ(machine.step(now), Step::ask);
  machine.poke(now);
  machine.poke(now);
  machine.answered(now);
  EXPECT_EQ(until_next(), kPokedProbe) << "the answer may be older than the news";
  now = machine.wake();
  ASSERT_EQ(machine.step(now), Step::ask);
  machine.answered(now);
  EXPECT_GE(until_next(), 800ms);
}

TEST_F(ProbeMachineTest, WhileSomebodyWaitsItAsksAgainAndAgain) {
  first_look();
  machine.hurry(now, now + 50ms);
  int looks = 0;
  const TimePoint end = now + 100ms;
  while (machine.wake() < end) {
    now = machine.wake();
    ASSERT_EQ(machine.step(now), Step::ask);
    machine.answered(now);
    ++looks;
  }
  EXPECT_GE(looks, 15);
  EXPECT_LE(looks, 18);
}

TEST_F(ProbeMachineTest, WithoutAPrimaryItLooksSeveralTimesASecond) {
  first_look();
  machine.set_urgent(now, true);
  EXPECT_LE(until_next(), 180ms);
  now = machine.wake();
  ASSERT_EQ(machine.step(now), Step::ask);
  machine.failed(now);
  EXPECT_LE(until_next(), 180ms);
  now = machine.wake();
  ASSERT_EQ(machine.step(now), Step::connect);
  machine.set_urgent(now, false);
  machine.failed(now);
  EXPECT_GE(until_next(), 800ms);
}

TEST_F(ProbeMachineTest, APlaceThatCannotBeReachedIsNotHurried) {
  ASSERT_EQ(machine.step(now), Step::connect);
  machine.hurry(now, now + 10s);
  machine.failed(now);
  EXPECT_GE(until_next(), 800ms);
}

TEST_F(ProbeMachineTest, APokeBeforeTheFirstLookChangesNothing) {
  machine.poke(now);
  EXPECT_EQ(machine.step(now), Step::connect);
}

}  // namespace
}  // namespace switchyard::fleet
