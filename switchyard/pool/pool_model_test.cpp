// Random histories: after every event the tester compares the machine with its own bookkeeping.
#include <switchyard/pool/machine_tester.hpp>

namespace switchyard::pool::testing {
namespace {

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), pool_(settings(), seed) {}

  void play(int steps) {
    pool_.start();
    for (int step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) one_event();
    finish();
  }

 private:
  PoolSettings settings() {
    PoolSettings settings;
    settings.max = 1 + pick(8);
    settings.min = pick(settings.max + 1);
    settings.max_concurrent_connects = 1 + pick(4);
    settings.max_waiters = 1 + pick(20);
    settings.acquire_timeout = Duration(pick(3) * 2s);
    settings.idle_timeout = Duration(pick(3) * 20s);
    settings.max_lifetime = Duration(pick(3) * 60s);
    settings.leak_threshold = Duration(pick(2) * 15s);
    settings.ping_after_idle = pick(4) == 0 ? Duration::max() : Duration(pick(3) * 500ms);
    return settings;
  }

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_.next() % below); }
  template <class List>
  auto& any_of(List& list) {
    return list[pick(static_cast<std::uint32_t>(list.size()))];
  }
  template <class Event>
  void with_any(Phase phase, Event event) {
    const auto found = pool_.in(phase);
    if (!found.empty()) event(found[pick(static_cast<std::uint32_t>(found.size()))]);
  }

  void one_event() {
    switch (pick(24)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const TimePoint deadline = pick(3) == 0 ? pool_.now + Duration(pick(3000) * 1ms) : kNever;
        pool_.acquire(std::to_string(++callers_), deadline, pick(5) ? OnConnectError::wait : OnConnectError::fail);
        break;
      }
      case 4:
      case 5: (void)pool_.try_acquire("hot path"); break;
      case 6:
      case 7:
      case 8: with_any(Phase::leased, [&](SlotIndex at) { pool_.release(pool_.slot(at)); }); break;
      case 9:
        with_any(Phase::leased, [&](SlotIndex at) { pool_.release(pool_.slot(at), Disposition::dirty); });
        break;
      case 10:
        with_any(Phase::leased, [&](SlotIndex at) { pool_.release(pool_.slot(at), Disposition::close); });
        break;
      case 11:
      case 12:
      case 13: with_any(Phase::connecting, [&](SlotIndex at) { pool_.connected(at); }); break;
      case 14: with_any(Phase::connecting, [&](SlotIndex at) { pool_.connect_failed(at); }); break;
      case 15:
      case 16: with_any(Phase::pinging, [&](SlotIndex at) { pool_.ping_answered(at, pick(4) != 0); }); break;
      case 17: with_any(Phase::resetting, [&](SlotIndex at) { pool_.reset_answered(at, pick(4) != 0); }); break;
      case 18: with_any(Phase::closing, [&](SlotIndex at) { pool_.closed(at); }); break;
      case 19:
        if (!pool_.queue.empty()) pool_.abandon(*any_of(pool_.queue));
        break;
      case 20: with_any(pick(2) ? Phase::idle : Phase::leased, [&](SlotIndex at) { pool_.lost(at); }); break;
      case 21:
        if (pick(10) == 0) pool_.machine.stats().paused ? pool_.resume() : pool_.pause();
        if (pick(10) == 0) pool_.renew();
        break;
      case 22: pool_.advance(Duration(pick(200) * 1ms)); break;
      case 23: pool_.advance(Duration(pick(20) * 1s)); break;
      default: break;
    }
  }

  // Nothing may be left behind, whatever happened before.
  void finish() {
    const bool gently = pick(2) == 0;
    gently ? pool_.drain() : pool_.close();
    EXPECT_TRUE(pool_.queue.empty());
    for (SlotIndex at : pool_.in(Phase::leased)) pool_.release(pool_.slot(at));
    pool_.close_all();
    EXPECT_TRUE(pool_.sessions.empty());
    EXPECT_TRUE(pool_.drained);
    EXPECT_EQ(pool_.permits.taken(), 0U);
    for (const auto& caller : pool_.callers) EXPECT_FALSE(caller->queued());
    pool_.advance(1h);
    EXPECT_EQ(pool_.armed, kNever) << "a closed pool still wants its timer";
  }

  Random random_;
  MachineTester pool_;
  int callers_ = 0;
};

TEST(PoolModel, HoldsItsPromisesThroughRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).play(300);
    if (HasFailure()) return;
  }
}

// Whatever the history was: once the server works and holders give back, every caller is served.
TEST(PoolModel, NoWaiterIsForgotten) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    PoolSettings settings;
    settings.max = 1 + static_cast<std::uint32_t>(random.next() % 5);
    settings.acquire_timeout = 30min;
    MachineTester pool(settings, seed);
    const int callers = 40;
    for (int i = 0; i < callers; ++i) pool.acquire(std::to_string(i));
    for (int step = 0; step < 5000 && !pool.queue.empty(); ++step) {
      const bool bad = random.next() % 3 == 0 && step < 2500;
      for (SlotIndex at : pool.in(Phase::connecting)) bad ? pool.connect_failed(at) : pool.connected(at);
      for (SlotIndex at : pool.in(Phase::leased)) {
        const auto roll = random.next() % 4;
        pool.release(pool.slot(at), roll == 0   ? Disposition::close
                                    : roll == 1 ? Disposition::dirty
                                                : Disposition::reusable);
      }
      for (SlotIndex at : pool.in(Phase::resetting)) pool.reset_answered(at, !bad);
      for (SlotIndex at : pool.in(Phase::pinging)) pool.ping_answered(at, !bad);
      pool.close_all();
      pool.advance(Duration(random.next() % 100 * 1ms));
    }
    EXPECT_TRUE(pool.queue.empty());
    for (const auto& caller : pool.callers) EXPECT_TRUE(caller->granted) << caller->name;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace switchyard::pool::testing
