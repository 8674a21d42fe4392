#include <switchyard/base/random.hpp>
#include <switchyard/runtime/manual_loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

/// A timer that notes when it was called.
struct Alarm {
  TimePoint wanted{};
  std::vector<TimePoint> called;
  Timer timer{[](void* self) noexcept { static_cast<Alarm*>(self)->called.push_back(now()); }, this};
  void arm(TimePoint at) {
    wanted = at;
    timer.arm(at);
  }
};

constexpr Duration kTick = Duration(1 << 20);

TEST(Timer, IsNeverEarlyAndAtMostATickLate) {
  ManualLoop loop;
  Random random(1);
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 3000; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    // From microseconds to days: every level of the wheel.
    const double magnitude = 4 + random.unit() * 11;
    alarms.back()->arm(now() + Duration(static_cast<std::int64_t>(std::pow(10.0, magnitude))));
  }
  loop.advance(24h * 13);
  for (const auto& alarm : alarms) {
    ASSERT_EQ(alarm->called.size(), 1U);
    EXPECT_GE(alarm->called.front(), alarm->wanted);
    EXPECT_LE(alarm->called.front(), alarm->wanted + kTick);
  }
}

TEST(Timer, ALoopThatComesLateCallsEverythingThatIsDue) {
  ManualLoop loop;
  Alarm first;
  Alarm second;
  Alarm far;
  first.arm(now() + 5ms);
  second.arm(now() + 700ms);
  far.arm(now() + 2h);
  loop.advance(1s);
  EXPECT_EQ(first.called.size(), 1U);
  EXPECT_EQ(second.called.size(), 1U);
  EXPECT_TRUE(far.called.empty());
  EXPECT_TRUE(far.timer.armed());
}

TEST(Timer, BeyondTheHorizonItStillComesInTime) {
  ManualLoop loop;
  Alarm alarm;
  loop.advance(5h + 123ms);
  alarm.arm(now() + 24h * 100);
  loop.advance(24h * 100 - 1ms);
  EXPECT_TRUE(alarm.called.empty());
  loop.advance(4ms);
  EXPECT_EQ(alarm.called.size(), 1U);
}

TEST(Timer, MovingItsDeadlineReplacesTheOldOne) {
  ManualLoop loop;
  Alarm alarm;
  alarm.arm(now() + 10ms);
  alarm.arm(now() + 1s);
  loop.advance(500ms);
  EXPECT_TRUE(alarm.called.empty());
  alarm.arm(now() + 1ms);
  loop.advance(10ms);
  EXPECT_EQ(alarm.called.size(), 1U);
  alarm.arm(now() + 1ms);
  alarm.arm(kNever);
  EXPECT_FALSE(alarm.timer.armed());
  loop.advance(10ms);
  EXPECT_EQ(alarm.called.size(), 1U);
}

TEST(Timer, ADeadlineInThePastFiresInTheNextTurn) {
  ManualLoop loop;
  Alarm alarm;
  alarm.arm(now() - 1s);
  EXPECT_TRUE(alarm.called.empty());
  loop.run();
  EXPECT_EQ(alarm.called.size(), 1U);
}

TEST(Timer, OneThatRearmsItselfForThePastDoesNotStopTheLoop) {
  ManualLoop loop;
  struct Eager {
    int calls = 0;
    Timer timer{[](void* self) noexcept {
                  auto* me = static_cast<Eager*>(self);
                  if (++me->calls < 10) me->timer.arm(now());
                },
                this};
  } eager;
  eager.timer.arm(now());
  EXPECT_EQ(loop.run(), 10U);
  EXPECT_EQ(eager.calls, 10);
}

TEST(Timer, ACallbackMayDestroyItselfAndOthers) {
  ManualLoop loop;
  struct Pair {
    std::unique_ptr<Timer> self;
    std::unique_ptr<Timer> other;
    int calls = 0;
  } pair;
  const auto callback = [](void* context) noexcept {
    auto* p = static_cast<Pair*>(context);
    ++p->calls;
    p->self.reset();
    p->other.reset();
  };
  pair.self = std::make_unique<Timer>(callback, &pair);
  pair.other = std::make_unique<Timer>(callback, &pair);
  pair.self->arm(now() + 3ms);
  pair.other->arm(now() + 3ms);
  loop.advance(10ms);
  EXPECT_EQ(pair.calls, 1);
}

TEST(Timer, MayOutliveItsLoop) {
  Alarm alarm;
  {
    const ManualLoop loop;
    alarm.arm(now() + 1s);
  }
  EXPECT_FALSE(alarm.timer.armed());
}

/// A coroutine that notes its number each time it runs, and runs again.
Task<void> repeat(std::vector<int>& log, int number, int times) {
  for (int i = 0; i < times; ++i) {
    log.push_back(number);
    co_await yield();
  }
}

TEST(ReadyList, EverybodyGetsATurnBeforeAnybodyGetsASecond) {
  ManualLoop loop;
  std::vector<int> log;
  for (int i = 0; i < 3; ++i) spawn(repeat(log, i, 3));
  loop.run();
  EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
}

TEST(ReadyList, ATurnResumesAtMost256AndStillEndsItself) {
  ManualLoop loop;
  std::vector<int> log;
  for (int i = 0; i < 300; ++i) spawn(repeat(log, i, 1));
  int flushed = 0;
  TurnEnd end([](void* context) noexcept { ++*static_cast<int*>(context); }, &flushed);
  end.schedule();
  end.schedule();
  loop.step();
  EXPECT_EQ(log.size(), 256U);
  EXPECT_EQ(flushed, 1);
  loop.step();
  EXPECT_EQ(log.size(), 300U);
  EXPECT_EQ(flushed, 1);
}

TEST(TurnEnd, RunsAfterTheReadyListAndOncePerTurn) {
  ManualLoop loop;
  struct State {
    std::vector<int> log;
    TurnEnd end{[](void* self) noexcept {
                  auto* me = static_cast<State*>(self);
                  me->log.push_back(-1);
                  if (me->log.size() < 5) me->end.schedule();
                },
                this};
  } state;
  state.end.schedule();
  spawn(repeat(state.log, 7, 1));
  loop.step();
  EXPECT_EQ(state.log, (std::vector<int>{7, -1}));
  loop.step();
  EXPECT_EQ(state.log, (std::vector<int>{7, -1, -1}));
}

TEST(TurnEnd, WhatATurnResumesIsFlushedByThatTurn) {
  ManualLoop loop;
  int flushed = 0;
  TurnEnd end([](void* context) noexcept { ++*static_cast<int*>(context); }, &flushed);
  const auto write = [](TurnEnd& at) -> Task<void> {
    at.schedule();
    co_return;
  };
  spawn(write(end));
  EXPECT_EQ(loop.run(), 1U);  // and no empty turn follows
  EXPECT_EQ(flushed, 1);
}

TEST(TurnEnd, DestroyedBeforeTheEndItIsForgotten) {
  ManualLoop loop;
  int calls = 0;
  {
    TurnEnd end([](void* context) noexcept { ++*static_cast<int*>(context); }, &calls);
    end.schedule();
  }
  loop.run();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace switchyard::runtime
