#include <switchyard/base/random.hpp>
#include <switchyard/resilience/breaker.hpp>
#include <switchyard/resilience/shared_breakers.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace switchyard {
namespace {

using namespace resilience;
using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr TimePoint kStart{1000s};

std::shared_ptr<Breaker> make(BreakerSettings settings = {}) {
  return std::make_shared<Breaker>(settings, "reference", 1);
}

void call(BreakerMember& member, CallOutcome outcome, TimePoint now, Duration took = 1ms) {
  BreakerPermit permit = member.enter(now);
  ASSERT_TRUE(permit);
  const Error error(ErrorKind::Unavailable, "connection refused", ErrorStage::connecting);
  permit.record(outcome, took, now, outcome == CallOutcome::failed ? &error : nullptr);
}

void fail_until_open(BreakerMember& member, TimePoint now) {
  for (int i = 0; i < 1000 && member.breaker().state() == BreakerState::closed; ++i) {
    call(member, CallOutcome::failed, now);
  }
  ASSERT_EQ(member.breaker().state(), BreakerState::open);
}

TEST(Breaker, CountsTheCallsOfTheLastSecondsOnly) {
  BreakerMember member(make());
  for (int i = 0; i < 15; ++i) call(member, CallOutcome::failed, kStart);
  call(member, CallOutcome::answered, kStart + 5s);
  EXPECT_EQ(member.breaker().status(kStart + 9s).window, (CallCounts{.calls = 16, .failed = 15}));
  EXPECT_EQ(member.breaker().status(kStart + 10s).window, (CallCounts{.calls = 1}));
  for (int i = 0; i < 15; ++i) call(member, CallOutcome::failed, kStart + 10s);
  EXPECT_EQ(member.breaker().state(), BreakerState::closed);
  for (int i = 0; i < 4; ++i) call(member, CallOutcome::failed, kStart + 10s);
  EXPECT_EQ(member.breaker().state(), BreakerState::open);
}

TEST(Breaker, IgnoredCallsDoNotCount) {
  BreakerMember member(make());
  for (int i = 0; i < 100; ++i) call(member, CallOutcome::ignored, kStart);
  for (int i = 0; i < 100; ++i) (void)member.enter(kStart);  // dropped
  EXPECT_EQ(member.breaker().status(kStart).window, CallCounts{});
}

TEST(Breaker, ShardsShareOneStateAndOneWindow) {
  const auto breaker = make();
  BreakerMember one(breaker), other(breaker);
  for (int i = 0; i < 10; ++i) call(one, CallOutcome::answered, kStart);
  for (int i = 0; i < 9; ++i) call(other, CallOutcome::failed, kStart);
  EXPECT_TRUE(breaker->available(kStart));
  call(other, CallOutcome::failed, kStart);
  EXPECT_FALSE(breaker->available(kStart));
  EXPECT_FALSE(one.enter(kStart));
  EXPECT_FALSE(other.enter(kStart));
  EXPECT_EQ(breaker->status(kStart).refused, 2u);
}

TEST(Breaker, ShardThatLeavesTakesItsCallsWithIt) {
  const auto breaker = make();
  BreakerMember stays(breaker);
  {
    BreakerMember leaves(breaker);
    for (int i = 0; i < 15; ++i) call(leaves, CallOutcome::failed, kStart);
  }
  for (int i = 0; i < 19; ++i) call(stays, CallOutcome::failed, kStart);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
}

TEST(Breaker, CallsSlowerThanTheSettingOpenIt) {
  BreakerMember member(make({.slow_call = 100ms}));
  for (int i = 0; i < 4; ++i) call(member, CallOutcome::answered, kStart, 100ms);
  for (int i = 0; i < 15; ++i) call(member, CallOutcome::answered, kStart, 101ms);
  EXPECT_EQ(member.breaker().state(), BreakerState::closed);
  call(member, CallOutcome::answered, kStart, 101ms);
  EXPECT_EQ(member.breaker().state(), BreakerState::open);
}

TEST(Breaker, SlownessDoesNotCountUnlessItIsSet) {
  BreakerMember member(make());
  for (int i = 0; i < 50; ++i) call(member, CallOutcome::answered, kStart, 1h);
  EXPECT_EQ(member.breaker().status(kStart).window, (CallCounts{.calls = 50}));
}

TEST(Breaker, RefusalNamesTheBreakerWhenItTriesAgainAndTheLastFailure) {
  BreakerMember member(make());
  fail_until_open(member, kStart);
  const Error error = member.breaker().refusal(kStart + 2s);
  EXPECT_EQ(error.kind(), ErrorKind::Unavailable);
  EXPECT_EQ(error.stage(), ErrorStage::queued);
  EXPECT_TRUE(error.retryable());
  EXPECT_THAT(error.what(),
              HasSubstr("the circuit breaker of reference is OPEN (20 of 20 calls failed within 10s)"));
  EXPECT_THAT(error.what(), HasSubstr("a trial call goes in 3"));
  EXPECT_THAT(error.what(), HasSubstr("last failure: connection refused"));
}

TEST(Breaker, RefusalOfAHeldBreakerSaysWhoMustAct) {
  BreakerMember member(make());
  member.breaker().force_open(kStart);
  const Error error = member.breaker().refusal(kStart + 2h);
  EXPECT_THAT(error.what(), HasSubstr("is OPEN (an operator opened it), until an operator closes or resets it"));
  EXPECT_THAT(std::string(error.hint()), HasSubstr("switchyard breaker reset"));
}

TEST(Breaker, WindowStartsAnewWhenItCloses) {
  BreakerMember member(make({.half_open_permits = 1}));
  fail_until_open(member, kStart);
  const TimePoint later = member.breaker().status(kStart).available_at;
  call(member, CallOutcome::answered, later);
  ASSERT_EQ(member.breaker().state(), BreakerState::closed);
  for (int i = 0; i < 19; ++i) call(member, CallOutcome::failed, later);
  EXPECT_EQ(member.breaker().state(), BreakerState::closed);
}

TEST(Breaker, ResultOfACallFromBeforeItOpenedDoesNotCountAsATrial) {
  BreakerMember member(make({.half_open_permits = 1}));
  BreakerPermit early = member.enter(kStart), late = member.enter(kStart);
  fail_until_open(member, kStart);
  const TimePoint later = member.breaker().status(kStart).available_at;
  BreakerPermit trial = member.enter(later);
  ASSERT_TRUE(trial);
  EXPECT_TRUE(trial.trial());
  early.record(CallOutcome::answered, 1ms, later);
  EXPECT_EQ(member.breaker().state(), BreakerState::half_open);
  late.record(CallOutcome::failed, 1ms, later);
  EXPECT_EQ(member.breaker().state(), BreakerState::half_open);
  trial.record(CallOutcome::answered, 1ms, later);
  EXPECT_EQ(member.breaker().state(), BreakerState::closed);
}

TEST(Breaker, DroppedTrialGivesItsTurnToAnother) {
  BreakerMember member(make({.half_open_permits = 1}));
  fail_until_open(member, kStart);
  const TimePoint later = member.breaker().status(kStart).available_at;
  {
    BreakerPermit trial = member.enter(later);
    ASSERT_TRUE(trial);
    BreakerPermit moved = std::move(trial);
    EXPECT_FALSE(trial);  // NOLINT(bugprone-use-after-move): what is moved from holds nothing
    EXPECT_FALSE(member.enter(later));
  }
  EXPECT_TRUE(member.enter(later));
}

TEST(Breaker, PermitTakesTheTurnOfWhatItReplacesBack) {
  BreakerMember member(make({.half_open_permits = 2}));
  fail_until_open(member, kStart);
  const TimePoint later = member.breaker().status(kStart).available_at;
  BreakerPermit one = member.enter(later), two = member.enter(later);
  one = std::move(two);
  EXPECT_TRUE(member.enter(later));
}

TEST(Breaker, OperatorsDecideUntilTheyResetIt) {
  BreakerMember member(make());
  member.breaker().force_open(kStart);
  EXPECT_FALSE(member.enter(kStart + 1h));
  member.breaker().force_close(kStart + 1h);
  for (int i = 0; i < 50; ++i) call(member, CallOutcome::failed, kStart + 1h);
  EXPECT_EQ(member.breaker().status(kStart + 1h).mode, BreakerMode::forced_closed);
  member.breaker().reset(kStart + 1h);
  EXPECT_EQ(member.breaker().status(kStart + 1h).window, CallCounts{});
  EXPECT_EQ(member.breaker().status(kStart + 1h).last_failure, "");
  fail_until_open(member, kStart + 1h);
  EXPECT_EQ(member.breaker().status(kStart + 1h).times_opened, 2u);
}

TEST(Breaker, SameKeyIsTheSameBreaker) {
  SharedBreakers shared;
  int made = 0;
  const auto get = [&](const char* key) {
    return shared.get(key, [&] {
      ++made;
      return make();
    });
  };
  EXPECT_EQ(get("main"), get("main"));
  EXPECT_NE(get("main"), get("reference"));
  EXPECT_EQ(made, 2);
}

// ---- several threads ----

constexpr int kThreads = 4;

/// Runs `work(shard number)` on that many threads at once.
template <class Work>
void on_threads(Work work) {
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Breaker, FailuresOfAllThreadsOpenItOnce) {
  struct Count final : BreakerObserver {
    void on_transition(const BreakerTransition&) noexcept override { ++changes; }
    std::atomic<int> changes{0};
  };
  const auto count = std::make_shared<Count>();
  const auto breaker = std::make_shared<Breaker>(BreakerSettings{}, "reference", 1, count);
  on_threads([&](int) {
    BreakerMember member(breaker);
    for (int i = 0; i < 1000; ++i) {
      BreakerPermit permit = member.enter(kStart);
      if (permit) permit.record(CallOutcome::failed, 1ms, kStart);
    }
  });
  EXPECT_EQ(breaker->state(), BreakerState::open);
  EXPECT_EQ(count->changes, 1);
}

TEST(Breaker, ThreadsTogetherGetNoMoreTrialsThanPermits) {
  for (int round = 0; round < 50; ++round) {
    const auto breaker = make();
    std::deque<BreakerMember> members;
    for (int i = 0; i < kThreads; ++i) members.emplace_back(breaker);
    fail_until_open(members.front(), kStart);
    const TimePoint later = breaker->status(kStart).available_at;
    std::atomic<int> granted{0};
    std::vector<std::vector<BreakerPermit>> held(kThreads);
    on_threads([&](int shard) {
      for (int i = 0; i < 20; ++i) {
        BreakerPermit permit = members[static_cast<std::size_t>(shard)].enter(later);
        if (!permit) continue;
        ++granted;
        held[static_cast<std::size_t>(shard)].push_back(std::move(permit));
      }
    });
    ASSERT_EQ(granted, 3);
  }
}

TEST(Breaker, WindowReadWhileItIsWrittenNeverShowsMoreThanHappened) {
  const auto breaker = make({.window = 100ms, .minimum_calls = 1'000'000'000});
  constexpr std::uint64_t kCallsATick = 100;
  std::atomic<bool> done{false};
  std::atomic<int> bad{0};
  std::thread reader([&] {
    TimePoint now = kStart;
    while (!done) {
      now += 1ms;
      const CallCounts seen = breaker->status(now).window;
      if (seen.failed > seen.calls + 10 || seen.calls > kCallsATick * 21) ++bad;
    }
  });
  {
    BreakerMember member(breaker);
    TimePoint now = kStart;
    for (int tick = 0; tick < 2000; ++tick, now += 10ms) {
      for (std::uint64_t i = 0; i < kCallsATick; ++i) call(member, CallOutcome::failed, now);
    }
  }
  done = true;
  reader.join();
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace switchyard
