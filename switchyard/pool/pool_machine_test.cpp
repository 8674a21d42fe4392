#include <gmock/gmock.h>
#include <switchyard/pool/machine_tester.hpp>

namespace switchyard::pool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

PoolSettings sizes(std::uint32_t min, std::uint32_t max) {
  PoolSettings settings;
  settings.database = "reference";
  settings.min = min;
  settings.max = max;
  settings.setting_names = {"PG_REFERENCE_POOL_MIN_SIZE", "PG_REFERENCE_POOL_MAX_SIZE",
                            "PG_REFERENCE_POOL_TIMEOUT_SEC", "database.reference.pool.max_waiters"};
  return settings;
}

/// A pool whose `count` sessions are open and idle.
struct WarmPool : MachineTester {
  explicit WarmPool(PoolSettings settings) : MachineTester(std::move(settings)) {
    start();
    now += 20ms;
    connect_all();
    take();
  }
};

Error refused() { return Error(ErrorKind::Unavailable, "connection refused", ErrorStage::connecting); }
Error wrong_password() {
  ServerFields fields;
  fields.severity = "FATAL";
  fields.sqlstate = "28P01";
  fields.message = "password authentication failed for user \"app\"";
  return Error(std::move(fields), ErrorStage::connecting);
}

// ---- growth ----

TEST(PoolGrowth, OpensMinAtStartAndNothingMoreWithoutDemand) {
  MachineTester pool(sizes(2, 5));
  pool.start();
  EXPECT_THAT(pool.take(), ElementsAre("connect 0", "connect 1"));
  pool.connect_all();
  EXPECT_THAT(pool.take(), IsEmpty());
}

TEST(PoolGrowth, AnEmptyPoolOpensOneSessionForEachCallerUpToMax) {
  MachineTester pool(sizes(0, 2));
  pool.acquire("a");
  pool.acquire("b");
  pool.acquire("c");
  EXPECT_THAT(pool.take(), ElementsAre("connect 0", "connect 1"));
  pool.connected(1);
  pool.connected(0);
  EXPECT_THAT(pool.take(), ElementsAre("grant a 1", "grant b 0"));
}

TEST(PoolGrowth, NeverMoreThanTheConcurrentAttemptsAllowed) {
  auto settings = sizes(8, 8);
  settings.max_concurrent_connects = 3;
  MachineTester pool(settings);
  pool.start();
  EXPECT_THAT(pool.take(), ElementsAre("connect 0", "connect 1", "connect 2"));
  pool.connected(1);
  EXPECT_THAT(pool.take(), ElementsAre("connect 3"));
}

TEST(PoolGrowth, AReturnedSessionServesTheCallerAndTheAttemptLeavesASpareOne) {
  MachineTester pool(sizes(0, 5));
  pool.acquire("a");
  pool.connect_all();
  pool.acquire("b");
  EXPECT_THAT(pool.take(), ElementsAre("connect 0", "grant a 0", "connect 1"));
  pool.release(pool.slot(0));
  EXPECT_THAT(pool.take(), ElementsAre("grant b 0"));
  pool.connected(1);
  EXPECT_EQ(pool.machine.stats().idle, 1U);
}

TEST(PoolGrowth, ACancelledCallerDoesNotKillTheAttemptMadeForIt) {
  MachineTester pool(sizes(0, 5));
  Caller& caller = pool.acquire("a");
  pool.abandon(caller);
  EXPECT_THAT(pool.take(), ElementsAre("connect 0"));
  pool.connected(0);
  EXPECT_THAT(pool.take(), IsEmpty());
  EXPECT_TRUE(pool.try_acquire());
}

TEST(PoolGrowth, AShortQueueOpensOneAtATimeWhileItDrainsFasterThanAConnectTakes) {
  WarmPool pool(sizes(2, 20));    // connects took 20 ms
  for (int i = 0; i < 20; ++i) {  // leases take 1 ms
    const SlotRef lease = pool.try_acquire();
    pool.now += 1ms;
    pool.release(lease);
  }
  const SlotRef one = pool.try_acquire();  // slot 1, used last
  const SlotRef two = pool.try_acquire();
  for (const char* name : {"a", "b", "c", "d"}) pool.acquire(name);
  EXPECT_THAT(pool.take(), ElementsAre("connect 2"));
  pool.release(one);
  pool.release(two);
  EXPECT_THAT(pool.take(), ElementsAre("grant a 1", "grant b 0"));
}

TEST(PoolGrowth, AQueueThatOutlastsAConnectOpensForEveryCaller) {
  WarmPool pool(sizes(1, 20));
  (void)pool.try_acquire();
  for (const char* name : {"a", "b", "c", "d"}) pool.acquire(name);
  EXPECT_THAT(pool.take(), ElementsAre("connect 1"));
  pool.advance(19ms);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.advance(1ms);
  EXPECT_THAT(pool.take(), ElementsAre("connect 2", "connect 3", "connect 4"));
}

// ---- callers ----

TEST(PoolQueue, ServesCallersInTheOrderTheyCame) {
  WarmPool pool(sizes(1, 1));
  SlotRef lease = pool.try_acquire();
  for (const char* name : {"a", "b", "c"}) pool.acquire(name);
  pool.release(lease);
  EXPECT_FALSE(pool.try_acquire());
  pool.release(pool.slot(0));
  pool.release(pool.slot(0));
  EXPECT_THAT(pool.take(), ElementsAre("grant a 0", "grant b 0", "grant c 0"));
}

TEST(PoolQueue, TheEnginesOwnGoFirst) {
  WarmPool pool(sizes(1, 1));
  const SlotRef lease = pool.try_acquire();
  for (const char* name : {"a", "b"}) pool.acquire(name);
  pool.advance(5ms);
  pool.acquire("look", kNever, OnConnectError::wait, nullptr, true);
  EXPECT_EQ(pool.machine.stats().waiting_since, pool.now - 5ms);
  pool.release(lease);
  pool.release(pool.slot(0));
  EXPECT_THAT(pool.take(), ElementsAre("grant look 0", "grant a 0"));
}

TEST(PoolQueue, LendsTheSessionUsedLast) {
  WarmPool pool(sizes(3, 3));
  const SlotRef first = pool.try_acquire();
  const SlotRef second = pool.try_acquire();
  pool.release(first);
  pool.release(second);
  EXPECT_EQ(pool.try_acquire().index, second.index);
  EXPECT_EQ(pool.try_acquire().index, first.index);
}

TEST(PoolQueue, ReleasingTwiceOrLateIsIgnored) {
  WarmPool pool(sizes(1, 1));
  const SlotRef lease = pool.try_acquire();
  pool.release(lease);
  const SlotRef next = pool.try_acquire();
  pool.release(lease);
  EXPECT_EQ(pool.machine.stats().active, 1U);
  pool.release(next, Disposition::close);
  pool.release(next);
  EXPECT_EQ(pool.machine.stats().idle, 0U);
}

TEST(PoolQueue, RefusesTheCallerAfterMaxWaitersAndNamesTheLimit) {
  auto settings = sizes(0, 1);
  settings.max_waiters = 2;
  MachineTester pool(settings);
  pool.acquire("a");
  pool.acquire("b");
  Caller& third = pool.acquire("c");
  ASSERT_TRUE(third.failed);
  EXPECT_EQ(third.failed->kind(), ErrorKind::PoolExhausted);
  EXPECT_STREQ(
      third.failed->what(),
      "database 'reference': no session free: 2 callers wait already (max_waiters); refused at once; total 1, "
      "active 0, idle 0, connecting 1, waiting 2 (hint: raise PG_REFERENCE_POOL_MAX_SIZE (now 1) or "
      "database.reference.pool.max_waiters)");
}

TEST(PoolQueue, WithoutAcquireTimeoutNobodyWaitsButThePoolStillGrows) {
  auto settings = sizes(0, 1);
  settings.acquire_timeout = 0s;
  MachineTester pool(settings);
  EXPECT_TRUE(pool.acquire("a").failed);
  pool.connect_all();
  EXPECT_TRUE(pool.acquire("b").granted);
}

TEST(PoolQueue, APoolOfNoneSaysSo) {
  MachineTester pool(sizes(0, 0));
  Caller& caller = pool.acquire("a");
  ASSERT_TRUE(caller.failed);
  EXPECT_THAT(caller.failed->what(), HasSubstr("the pool may hold no session (max 0)"));
}

// ---- errors ----

TEST(PoolErrors, AnExhaustedPoolShowsTheLimitItsStateTheOldestLeaseAndTheSettingToChange) {
  WarmPool pool(sizes(2, 2));
  (void)pool.acquire("holder", kNever, OnConnectError::wait, "import of tariffs");
  pool.now += 5s;
  pool.acquire("second holder");
  pool.ping_answered(0, true);
  Caller& caller = pool.acquire("a");
  pool.acquire("b", pool.now + 40s);
  pool.advance(30s);
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::PoolExhausted);
  EXPECT_TRUE(caller.failed->retryable());
  EXPECT_STREQ(
      caller.failed->what(),
      "database 'reference': no session free: all 2 sessions in use (max); waited 30s (acquire_timeout 30s); "
      "total 2, active 2, idle 0, connecting 0, waiting 2 (hint: raise PG_REFERENCE_POOL_MAX_SIZE (now 2), "
      "hold sessions for less time, or wait longer with PG_REFERENCE_POOL_TIMEOUT_SEC; the oldest lease is "
      "held for 35s by import of tariffs)");
  EXPECT_EQ(pool.machine.stats().timeouts, 2U);
}

TEST(PoolErrors, TheCallersOwnDeadlineIsADeadlineErrorThatNamesBothLimits) {
  WarmPool pool(sizes(1, 1));
  (void)pool.try_acquire();
  Caller& caller = pool.acquire("a", pool.now + 250ms);
  pool.advance(250ms);
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::Deadline);
  EXPECT_THAT(caller.failed->what(),
              HasSubstr("the caller's deadline passed after waiting 250ms (acquire_timeout is 30s)"));
}

TEST(PoolErrors, WhenNoSessionCouldEverBeOpenedTheConnectionErrorIsTheMessage) {
  MachineTester pool(sizes(0, 5));
  Caller& caller = pool.acquire("a");
  for (int i = 0; i < 1000 && !caller.failed; ++i) {
    for (SlotIndex index : pool.in(Phase::connecting)) pool.connect_failed(index, refused());
    pool.advance(100ms);
  }
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::Unavailable);
  EXPECT_THAT(caller.failed->what(),
              HasSubstr("no session could be opened, waited 30s (acquire_timeout 30s): connection refused"));
}

TEST(PoolErrors, AnExhaustedPoolAlsoTellsTheLastConnectionError) {
  WarmPool pool(sizes(1, 5));
  (void)pool.try_acquire();
  Caller& caller = pool.acquire("a");
  pool.connect_failed(1, Error(ErrorKind::Unavailable, "too many clients already"));
  pool.connect_failed(1, Error(ErrorKind::Unavailable, "too many clients already"));
  for (int i = 0; i < 300; ++i) {
    pool.advance(100ms);
    for (SlotIndex index : pool.in(Phase::connecting)) {
      pool.connect_failed(index, Error(ErrorKind::Unavailable, "too many clients already"));
    }
  }
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::PoolExhausted);
  EXPECT_THAT(caller.failed->what(),
              HasSubstr("new connections are slowed down after repeated connection errors; waited 30s"));
  EXPECT_THAT(caller.failed->what(), HasSubstr("last connection error"));
  EXPECT_THAT(caller.failed->what(), HasSubstr("too many clients already"));
}

TEST(PoolErrors, AWrongPasswordFailsEveryCallerAtOnceWithTheServersFields) {
  MachineTester pool(sizes(0, 5));
  Caller& a = pool.acquire("a");
  Caller& b = pool.acquire("b");
  pool.connect_failed(0, wrong_password());
  ASSERT_TRUE(a.failed && b.failed);
  EXPECT_EQ(a.failed->kind(), ErrorKind::Unavailable);
  EXPECT_EQ(a.failed->sqlstate(), "28P01");
}

TEST(PoolErrors, AWrongPasswordDoesNotFailCallersWhileOtherSessionsServe) {
  WarmPool pool(sizes(1, 2));
  const SlotRef lease = pool.try_acquire();
  Caller& caller = pool.acquire("a");
  pool.connect_failed(1, wrong_password());
  EXPECT_FALSE(caller.failed);
  pool.release(lease);
  EXPECT_TRUE(caller.granted);
}

TEST(PoolErrors, OnlyCallersThatAskForItHearOfAPassingConnectionError) {
  MachineTester pool(sizes(0, 5));
  Caller& patient = pool.acquire("patient");
  Caller& hasty = pool.acquire("hasty", kNever, OnConnectError::fail);
  pool.connect_failed(0, refused());
  EXPECT_FALSE(patient.failed);
  ASSERT_TRUE(hasty.failed);
  EXPECT_STREQ(hasty.failed->what(), "database 'reference': connection refused");
}

// ---- connection errors slow attempts down ----

TEST(PoolBackoff, TheSecondErrorWithin15SecondsSpacesAttemptsOutOneAtATime) {
  MachineTester pool(sizes(0, 10));
  for (const char* name : {"a", "b", "c"}) pool.acquire(name);
  pool.take();
  pool.connect_failed(0, refused());
  EXPECT_THAT(pool.take(), ElementsAre("connect 0")) << "one error alone slows nothing";
  pool.connect_failed(1, refused());
  pool.connect_failed(2, refused());
  pool.connect_failed(0, refused());
  EXPECT_TRUE(pool.machine.stats().connects_slowed);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.advance(49ms);
  EXPECT_THAT(pool.take(), IsEmpty()) << "half of the first 100 ms is certain";
  pool.advance(51ms);
  EXPECT_EQ(pool.in(Phase::connecting).size(), 1U);
}

TEST(PoolBackoff, AttemptsUnderWayWhenItSlowedDownDoNotLengthenTheWait) {
  auto settings = sizes(10, 10);
  MachineTester pool(settings);
  pool.start();
  pool.now += 1ms;
  for (SlotIndex index = 0; index < 10; ++index) {
    if (!pool.sessions.contains(index)) continue;
    pool.connect_failed(index, refused());
  }
  pool.advance(100ms);
  EXPECT_THAT(pool.in(Phase::connecting), Not(IsEmpty()));
}

TEST(PoolBackoff, WaitsGrowToTwoSecondsAndEndWithTheFirstSuccess) {
  MachineTester pool(sizes(1, 10));
  pool.start();
  Duration longest{};
  for (int attempt = 0; attempt < 12; ++attempt) {
    const auto pending = pool.in(Phase::connecting);
    ASSERT_EQ(pending.size(), 1U);
    pool.connect_failed(pending[0], refused());
    const TimePoint failed_at = pool.now;
    while (pool.in(Phase::connecting).empty()) pool.advance(10ms);
    longest = std::max(longest, pool.now - failed_at);
  }
  EXPECT_GE(longest, 1s);
  EXPECT_LE(longest, 2010ms);
  pool.connect_all();
  EXPECT_FALSE(pool.machine.stats().connects_slowed);
  pool.acquire("a");
  pool.acquire("b");
  EXPECT_EQ(pool.in(Phase::connecting).size(), 1U) << "opened without a pause";
}

TEST(PoolBackoff, TwoErrorsFarApartSlowNothing) {
  MachineTester pool(sizes(0, 10));
  Caller& a = pool.acquire("a");
  pool.connect_failed(0, refused());
  pool.abandon(a);
  pool.advance(16s);
  pool.connect_failed(0, refused());
  EXPECT_FALSE(pool.machine.stats().connects_slowed);
}

// ---- pings and resets ----

TEST(PoolPing, ASessionThatIdledMoreThanASecondIsAskedFirst) {
  WarmPool pool(sizes(1, 1));
  pool.now += 1s;
  EXPECT_TRUE(pool.try_acquire()) << "one second exactly needs no ping";
  pool.release(pool.slot(0));
  pool.now += 1s + 1ns;
  EXPECT_FALSE(pool.try_acquire());
  Caller& caller = pool.acquire("a");
  EXPECT_THAT(pool.take(), ElementsAre("ping 0"));
  pool.ping_answered(0, true);
  EXPECT_TRUE(caller.granted);
}

TEST(PoolPing, ADeadSessionIsClosedAndTheCallerGetsAnother) {
  WarmPool pool(sizes(1, 2));
  pool.now += 2s;
  pool.acquire("a");
  pool.ping_answered(0, false);
  EXPECT_THAT(pool.take(), ElementsAre("ping 0", "close 0 ping_failed", "connect 1"));
  pool.connected(1);
  EXPECT_THAT(pool.take(), ElementsAre("grant a 1"));
}

TEST(PoolPing, APingedSessionNobodyWantsAnyMoreIsIdleAgain) {
  WarmPool pool(sizes(1, 2));
  pool.now += 2s;
  Caller& caller = pool.acquire("a");
  pool.abandon(caller);
  pool.ping_answered(0, true);
  EXPECT_TRUE(pool.try_acquire());
}

TEST(PoolPing, NoMoreSessionsArePingedThanCallersWait) {
  WarmPool pool(sizes(3, 3));
  pool.now += 2s;
  pool.acquire("a");
  EXPECT_THAT(pool.take(), ElementsAre("ping 2"));
  pool.acquire("b");
  EXPECT_THAT(pool.take(), ElementsAre("ping 1"));
}

TEST(PoolReset, ADirtySessionIsResetBeforeTheNextCallerGetsIt) {
  WarmPool pool(sizes(1, 1));
  const SlotRef lease = pool.try_acquire();
  pool.acquire("a");
  pool.release(lease, Disposition::dirty);
  EXPECT_THAT(pool.take(), ElementsAre("reset 0"));
  pool.reset_answered(0, true);
  EXPECT_THAT(pool.take(), ElementsAre("grant a 0"));
}

TEST(PoolReset, ASessionThatCantBeResetIsClosedAndReplaced) {
  WarmPool pool(sizes(1, 1));
  pool.release(pool.try_acquire(), Disposition::dirty);
  pool.reset_answered(0, false);
  pool.closed(0);
  EXPECT_THAT(pool.take(), ElementsAre("reset 0", "close 0 reset_failed", "connect 0"));
}

// ---- sessions end ----

TEST(PoolLoss, AnIdleSessionThatEndsIsReplacedUpToMin) {
  WarmPool pool(sizes(1, 2));
  pool.lost(0);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 lost", "connect 1"));
}

TEST(PoolLoss, ALentSessionThatEndsIsClosedWhenItComesBack) {
  WarmPool pool(sizes(1, 2));
  const SlotRef lease = pool.try_acquire();
  pool.lost(0);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.release(lease);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 lost", "connect 1"));
}

TEST(PoolLoss, ALostSessionIsNotReset) {
  WarmPool pool(sizes(0, 2));
  Caller& caller = pool.acquire("a");
  pool.connect_all();
  pool.lost(0);
  pool.release(caller.granted, Disposition::dirty);
  EXPECT_THAT(pool.take(), ElementsAre("connect 0", "grant a 0", "close 0 lost"));
}

TEST(PoolIdle, SessionsAboveMinCloseAfterIdleTimeoutAndThoseBelowStay) {
  WarmPool pool(sizes(1, 3));
  std::vector<Caller*> callers;
  for (const char* name : {"a", "b", "c"}) callers.push_back(&pool.acquire(name));
  pool.advance(100ms);
  pool.connect_all();
  for (Caller* caller : callers) pool.release(caller->granted);
  pool.take();
  pool.advance(5min - 1s);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.advance(1s);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 idle_timeout", "close 1 idle_timeout"))
      << "the ones unused longest go first";
  pool.close_all();
  pool.advance(30min);
  EXPECT_EQ(pool.machine.stats().total, 1U);
}

TEST(PoolIdle, AnOldIdleSessionClosesAsSoonAsALateAttemptMakesItSurplus) {
  auto settings = sizes(1, 2);
  settings.idle_timeout = 1s;
  WarmPool pool(settings);
  const SlotRef lease = pool.try_acquire();
  Caller& caller = pool.acquire("a");
  pool.release(lease);
  pool.release(caller.granted);
  pool.advance(2s);
  pool.take();
  pool.connected(1);
  pool.advance(0s);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 idle_timeout"));
}

TEST(PoolIdle, ZeroMeansNever) {
  auto settings = sizes(0, 1);
  settings.idle_timeout = 0s;
  settings.max_lifetime = 0s;
  MachineTester pool(settings);
  pool.release((pool.acquire("a"), pool.connect_all(), pool.slot(0)));
  pool.advance(100h);
  EXPECT_EQ(pool.machine.stats().idle, 1U);
  EXPECT_EQ(pool.armed, kNever) << "nothing will ever be due";
}

TEST(PoolLifetime, TheReplacementIsOpenedBeforeTheOldSessionGoes) {
  WarmPool pool(sizes(1, 2));
  pool.advance(54min - 1s);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.advance(6min);
  EXPECT_THAT(pool.take(), ElementsAre("connect 1"));
  pool.connected(1);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 lifetime"));
}

TEST(PoolLifetime, AFullPoolReplacesOneSessionAtATime) {
  WarmPool pool(sizes(4, 4));
  pool.advance(53min);
  for (int replaced = 0; replaced < 4; ++replaced) {
    while (pool.in(Phase::closing).empty() && pool.now < TimePoint{3h}) {
      pool.advance(1s);
      EXPECT_GE(pool.machine.stats().idle, 3U);
    }
    pool.close_all();
    pool.connect_all();
    ASSERT_EQ(pool.machine.stats().idle + pool.machine.stats().closing, 4U);
  }
  EXPECT_LE(pool.now, TimePoint{2h + 1min}) << "all of them within their lifetime of an hour";
  EXPECT_EQ(pool.machine.stats().closed_by(CloseReason::lifetime), 4U);
}

TEST(PoolLifetime, SessionsOpenedTogetherDoNotExpireTogether) {
  WarmPool pool(sizes(10, 20));
  int busiest = 0;
  while (pool.now < TimePoint{2h}) {
    pool.advance(1s);
    busiest = std::max(busiest, static_cast<int>(pool.in(Phase::connecting).size()));
    pool.connect_all();
    pool.close_all();
  }
  EXPECT_EQ(busiest, 1);
  EXPECT_GE(pool.machine.stats().closed_by(CloseReason::lifetime), 10U);
}

TEST(PoolLifetime, AnExpiredSessionIsNotLentAgain) {
  auto settings = sizes(0, 1);
  settings.ping_after_idle = Duration::max();
  MachineTester pool(settings);
  Caller& caller = pool.acquire("a");
  pool.connect_all();
  pool.advance(1h);
  pool.take();
  pool.acquire("b");
  pool.release(caller.granted);
  EXPECT_THAT(pool.take(), ElementsAre("close 0 lifetime"));
  pool.closed(0);
  EXPECT_THAT(pool.take(), ElementsAre("connect 0"));
}

TEST(PoolLifetime, WhileConnectingFailsSessionsStayUntilTheirLastMoment) {
  WarmPool pool(sizes(1, 2));
  while (pool.now < TimePoint{2h}) {
    pool.advance(100ms);
    for (SlotIndex index : pool.in(Phase::connecting)) pool.connect_failed(index, refused());
    if (pool.now < TimePoint{1h + 59min}) ASSERT_EQ(pool.machine.stats().idle, 1U);
  }
  pool.advance(1s);
  EXPECT_EQ(pool.machine.stats().idle, 0U);
}

// ---- watching ----

TEST(PoolWatch, ALeaseHeldTooLongIsReportedOnceWithItsSite) {
  auto settings = sizes(1, 1);
  settings.leak_threshold = 10s;
  WarmPool pool(settings);
  const SlotRef lease = pool.try_acquire("nightly report");
  pool.advance(10s);
  EXPECT_THAT(pool.take(), ElementsAre("leak 0 nightly report"));
  pool.advance(1min);
  EXPECT_THAT(pool.take(), IsEmpty());
  pool.release(lease);
  (void)pool.acquire("a");
  pool.take();
  pool.advance(10s);
  EXPECT_THAT(pool.take(), ElementsAre("leak 0 ?"));
}

TEST(PoolWatch, MoreThanNineTenthsInUseIsReportedOnceAMinute) {
  WarmPool pool(sizes(10, 10));
  std::vector<SlotRef> leases;
  for (int i = 0; i < 9; ++i) leases.push_back(pool.try_acquire());
  EXPECT_THAT(std::exchange(pool.alarms, {}), IsEmpty());
  leases.push_back(pool.try_acquire());
  EXPECT_THAT(std::exchange(pool.alarms, {}), ElementsAre("near exhaustion 10/10"));
  pool.release(leases.back());
  leases.back() = pool.try_acquire();
  EXPECT_THAT(std::exchange(pool.alarms, {}), IsEmpty());
  EXPECT_EQ(pool.machine.stats().exhausted, 2U);
  pool.advance(1min);
  pool.release(leases.back());
  leases.back() = pool.try_acquire();
  EXPECT_THAT(std::exchange(pool.alarms, {}), ElementsAre("near exhaustion 10/10"));
}

// ---- pause, drain, close ----

TEST(PoolPause, CallersQueueSessionsCloseAndNoneIsOpenedUntilResumed) {
  WarmPool pool(sizes(2, 4));
  const SlotRef lease = pool.try_acquire();
  pool.pause();
  EXPECT_THAT(pool.take(), ElementsAre("close 0 paused"));
  Caller& caller = pool.acquire("a");
  pool.release(lease);
  pool.close_all();
  EXPECT_THAT(pool.take(), ElementsAre("close 1 paused"));
  pool.resume();
  EXPECT_EQ(pool.in(Phase::connecting).size(), 2U);
  pool.connect_all();
  EXPECT_TRUE(caller.granted);
}

TEST(PoolPause, TheWaitStillEndsAndTheErrorSaysPaused) {
  WarmPool pool(sizes(0, 4));
  pool.pause();
  Caller& caller = pool.acquire("a");
  pool.advance(30s);
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::Unavailable);
  EXPECT_THAT(caller.failed->what(), HasSubstr("the pool is paused"));
}

TEST(PoolRenew, IdleSessionsCloseAtOnceAndLentOnesWhenTheyComeBack) {
  WarmPool pool(sizes(0, 2));
  pool.acquire("a");
  pool.connect_all();
  pool.acquire("b");
  pool.connect_all();
  const std::vector<SlotIndex> leased = pool.in(Phase::leased);
  ASSERT_EQ(leased.size(), 2U);
  pool.release(pool.slot(leased[0]));
  (void)pool.take();
  pool.renew();
  EXPECT_THAT(pool.take(), ElementsAre("close " + std::to_string(leased[0]) + " renewed"));
  EXPECT_EQ(pool.machine.stats().outdated, 1U);
  pool.release(pool.slot(leased[1]));
  EXPECT_THAT(pool.take(), ElementsAre("close " + std::to_string(leased[1]) + " renewed"));
  EXPECT_EQ(pool.machine.stats().outdated, 0U);
}

TEST(PoolRenew, AttemptsBeginAnewAndCallersAreServedByNewSessions) {
  WarmPool pool(sizes(0, 1));
  Caller& caller = pool.acquire("a");
  const std::vector<SlotIndex> first = pool.in(Phase::connecting);
  ASSERT_EQ(first.size(), 1U);
  pool.renew();
  pool.close_all();
  ASSERT_EQ(pool.in(Phase::connecting).size(), 1U);
  pool.connect_all();
  EXPECT_TRUE(caller.granted);
  EXPECT_EQ(pool.machine.stats().outdated, 0U);
}

TEST(PoolRenew, ADirtySessionIsNotResetForNobody) {
  WarmPool pool(sizes(0, 1));
  pool.acquire("a");
  pool.connect_all();
  const SlotIndex at = pool.in(Phase::leased).front();
  pool.renew();
  (void)pool.take();
  pool.release(pool.slot(at), Disposition::dirty);
  EXPECT_THAT(pool.take(), ElementsAre("close " + std::to_string(at) + " renewed"));
}

TEST(PoolClose, DrainingFailsWaitersWithClosedAndLetsLeasesFinish) {
  WarmPool pool(sizes(1, 1));
  const SlotRef lease = pool.try_acquire();
  Caller& waiting = pool.acquire("a");
  pool.drain();
  ASSERT_TRUE(waiting.failed);
  EXPECT_EQ(waiting.failed->kind(), ErrorKind::Closed);
  EXPECT_EQ(pool.acquire("late").failed->kind(), ErrorKind::Closed);
  pool.release(lease);
  pool.closed(0);
  EXPECT_THAT(pool.take(), ElementsAre("fail a", "fail late", "close 0 shutdown", "drained"));
}

TEST(PoolClose, ClosingEndsLeasesAndAttemptsAndIgnoresWhatComesLate) {
  MachineTester pool(sizes(0, 2));
  Caller& holder = pool.acquire("a");
  pool.connected(0);
  pool.acquire("b");
  const SlotRef attempt = pool.slot(1);
  pool.take();
  pool.close();
  EXPECT_THAT(pool.take(), ElementsAre("fail b", "close 1 shutdown", "close 0 shutdown"));
  Actions actions;
  EXPECT_FALSE(pool.machine.connect_succeeded(attempt, pool.now, actions));
  pool.machine.release(holder.granted, Disposition::reusable, pool.now, actions);
  EXPECT_TRUE(actions.empty());
  pool.close_all();
  EXPECT_TRUE(pool.drained);
  EXPECT_EQ(pool.permits.taken(), 0U);
}

TEST(PoolClose, AnEmptyPoolIsDrainedAtOnce) {
  MachineTester pool(sizes(0, 2));
  pool.drain();
  pool.close();
  EXPECT_THAT(pool.take(), ElementsAre("drained"));
}

// ---- several shards ----

TEST(PoolShards, SizesCountTheProcess) {
  PermitCounter permits(3);
  auto settings = sizes(2, 3);
  MachineTester one(settings, permits);
  MachineTester two(settings, permits);
  one.start();
  two.start();
  EXPECT_EQ(one.in(Phase::connecting).size() + two.in(Phase::connecting).size(), 2U);
  for (const char* name : {"a", "b", "c", "d"}) two.acquire(name);
  EXPECT_EQ(permits.taken(), 3U);
}

TEST(PoolShards, AShardWithAnIdleSessionGivesItsPermitToOneWithCallers) {
  PermitCounter permits(1);
  MachineTester one(sizes(1, 1), permits);
  MachineTester two(sizes(1, 1), permits);
  bool one_woken = false;
  bool two_woken = false;
  const auto raise = [](void* flag) noexcept { *static_cast<bool*>(flag) = true; };
  one.machine.set_wake(raise, &one_woken);
  two.machine.set_wake(raise, &two_woken);
  one.start();
  one.connect_all();
  Caller& caller = two.acquire("a");
  EXPECT_TRUE(one_woken);
  one.permits_changed();
  EXPECT_THAT(one.take(), ElementsAre("connect 0", "close 0 given_away"));
  one.close_all();
  EXPECT_TRUE(two_woken);
  two.permits_changed();
  two.connect_all();
  EXPECT_TRUE(caller.granted);
  EXPECT_EQ(permits.starving(), 0U);
}

TEST(PoolShards, AReturnedSessionIsGivenAwayWhenOnlyAnotherShardHasCallers) {
  PermitCounter permits(1);
  MachineTester one(sizes(0, 1), permits);
  MachineTester two(sizes(0, 1), permits);
  Caller& holder = one.acquire("a");
  one.connect_all();
  Caller& caller = two.acquire("b");
  one.release(holder.granted);
  one.close_all();
  two.permits_changed();
  two.connect_all();
  EXPECT_TRUE(caller.granted);
}

TEST(PoolShards, ACallerThatGivesUpTakesItsWishForAPermitBack) {
  PermitCounter permits(1);
  MachineTester one(sizes(0, 1), permits);
  MachineTester two(sizes(0, 1), permits);
  one.acquire("a");
  Caller& caller = two.acquire("b");
  EXPECT_EQ(permits.starving(), 1U);
  two.abandon(caller);
  EXPECT_EQ(permits.starving(), 0U);
}

TEST(PoolShards, TheErrorSaysThatOtherPoolsHaveTheSessions) {
  PermitCounter permits(1);
  MachineTester one(sizes(0, 1), permits);
  MachineTester two(sizes(0, 1), permits);
  one.acquire("a");
  one.connect_all();
  Caller& caller = two.acquire("b");
  two.advance(30s);
  ASSERT_TRUE(caller.failed);
  EXPECT_THAT(caller.failed->what(),
              HasSubstr("the process holds its 1 session (max), 1 of them in other pools of this database"));
}

}  // namespace
}  // namespace switchyard::pool::testing
