// The pool machine by itself: no network, no sessions, one thread.
//
//   LeaseAndReturn     a pair of try_acquire and release on a warm pool, time passed in as once a loop turn
//   LeaseAndReturnLeakWatch   the same with the leak watch on
//   Ceiling/VectorStack       what a pool without any rule would cost: push and pop of a vector
//   Waiters64          20 sessions, 64 callers that queue again as soon as they gave back: one hand-over
//   Spike              HikariCP's test on a virtual clock: the time column is simulated time, not work.
//                      50 callers at once, 5 idle sessions, max 50, connect 150 ms, query 2 ms.
//                      5 sessions alone need 10 rounds of 2 ms: 20 ms, no new session. `opened` counts those that
//                      were opened although the spike was over before they could help.
#include <benchmark/benchmark.h>
#include <switchyard/pool/pool_machine.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace {

namespace sy = switchyard;
using namespace std::chrono_literals;
using sy::TimePoint;
using sy::pool::Action;
using sy::pool::Actions;
using sy::pool::ArmTimer;
using sy::pool::Connect;
using sy::pool::Disposition;
using sy::pool::Grant;
using sy::pool::PermitCounter;
using sy::pool::PoolMachine;
using sy::pool::PoolSettings;
using sy::pool::SlotRef;
using sy::pool::Waiter;

PoolSettings settings(std::uint32_t min, std::uint32_t max) {
  PoolSettings result;
  result.database = "bench";
  result.min = min;
  result.max = max;
  return result;
}

void open_all(PoolMachine& pool, TimePoint started, TimePoint connected) {
  Actions actions;
  pool.start(started, actions);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (const auto* connect = std::get_if<Connect>(&actions[i])) {
      if (!pool.connect_succeeded(Connect(*connect).slot, connected, actions)) std::abort();
    }
  }
}

void lease_and_return(benchmark::State& state, const PoolSettings& with) {
  PermitCounter permits(with.max);
  PoolMachine pool(with, permits, sy::Random(1));
  TimePoint now{1h};
  open_all(pool, now, now + 1ms);
  now += 1ms;
  TimePoint timer = sy::kNever;
  Actions actions;
  actions.reserve(16);
  pool.on_timer(now, actions);
  for (auto _ : state) {
    now += 1us;
    const SlotRef lease = pool.try_acquire(now, "bench", actions);
    if (!lease) std::abort();
    pool.release(lease, Disposition::reusable, now, actions);
    for (const Action& action : actions) timer = std::get<ArmTimer>(action).when;
    actions.clear();
    if (timer <= now) [[unlikely]] {
      timer = sy::kNever;
      pool.on_timer(now, actions);
    }
    benchmark::ClobberMemory();
  }
}

void LeaseAndReturn(benchmark::State& state) { lease_and_return(state, settings(20, 50)); }
BENCHMARK(LeaseAndReturn);

void LeaseAndReturnLeakWatch(benchmark::State& state) {
  auto with = settings(20, 50);
  with.leak_threshold = 60s;
  lease_and_return(state, with);
}
BENCHMARK(LeaseAndReturnLeakWatch);

void CeilingVectorStack(benchmark::State& state) {
  std::vector<std::uint32_t> idle(20);
  for (auto _ : state) {
    std::uint32_t slot = idle.back();
    idle.pop_back();
    benchmark::DoNotOptimize(slot);
    idle.push_back(slot);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(CeilingVectorStack)->Name("Ceiling/VectorStack");

void Waiters64(benchmark::State& state) {
  const auto with = settings(20, 20);
  PermitCounter permits(with.max);
  PoolMachine pool(with, permits, sy::Random(1));
  TimePoint now{1h};
  open_all(pool, now, now + 1ms);
  now += 1ms;
  Actions actions;
  actions.reserve(128);
  std::vector<std::unique_ptr<Waiter>> callers;
  std::vector<std::pair<Waiter*, SlotRef>> holders;
  std::size_t next = 0;
  const auto collect = [&] {
    for (Action& action : actions) {
      if (const auto* granted = std::get_if<Grant>(&action)) holders.emplace_back(granted->waiter, granted->slot);
    }
    actions.clear();
  };
  for (int i = 0; i < 64; ++i) {
    pool.acquire(*callers.emplace_back(std::make_unique<Waiter>()), now, actions);
    collect();
  }
  for (auto _ : state) {
    now += 1us;
    const auto [caller, lease] = holders[next];
    holders[next] = holders.back();
    holders.pop_back();
    pool.release(lease, Disposition::reusable, now, actions);
    pool.acquire(*caller, now, actions);
    collect();
    next = (next + 1) % holders.size();
  }
  for (auto& caller : callers) pool.abandon(*caller, now, actions);
}
BENCHMARK(Waiters64);

struct SpikeResult {
  sy::Duration served{};
  std::uint64_t opened = 0;
};

/// Plays the spike event by event until every caller had its query answered and all attempts are over.
SpikeResult play_spike() {
  constexpr auto kConnect = 150ms;
  constexpr auto kQuery = 2ms;
  auto with = settings(5, 50);
  PermitCounter permits(with.max);
  PoolMachine pool(with, permits, sy::Random(1));
  const TimePoint start{1h};
  open_all(pool, start - kConnect, start);
  const std::uint64_t opened_before = pool.stats().opened;

  TimePoint now = start;
  TimePoint timer = sy::kNever;
  std::multimap<TimePoint, std::function<void()>> events;
  std::vector<Waiter> callers(50);
  std::size_t served = 0;
  SpikeResult result;
  Actions actions;
  const auto work_off = [&] {
    for (Action& action : std::exchange(actions, {})) {
      if (const auto* granted = std::get_if<Grant>(&action)) {
        events.emplace(now + kQuery, [&, lease = granted->slot] {
          if (++served == callers.size()) result.served = now - start;
          pool.release(lease, Disposition::reusable, now, actions);
        });
      } else if (const auto* connect = std::get_if<Connect>(&action)) {
        events.emplace(now + kConnect, [&, slot = connect->slot] {
          if (!pool.connect_succeeded(slot, now, actions)) std::abort();
        });
      } else if (const auto* arm = std::get_if<ArmTimer>(&action)) {
        timer = arm->when;
      }
    }
  };
  for (Waiter& caller : callers) pool.acquire(caller, now, actions);
  work_off();
  while (!events.empty()) {
    const auto next = events.begin();
    if (timer <= next->first) {
      now = std::exchange(timer, sy::kNever);
      pool.on_timer(now, actions);
    } else {
      now = next->first;
      const auto event = std::move(next->second);
      events.erase(next);
      event();
    }
    work_off();
  }
  result.opened = pool.stats().opened - opened_before;
  return result;
}

void Spike(benchmark::State& state) {
  SpikeResult result;
  for (auto _ : state) {
    result = play_spike();
    state.SetIterationTime(std::chrono::duration<double>(result.served).count());
  }
  state.counters["opened"] = static_cast<double>(result.opened);
  state.counters["ideal_ms"] = 20;
}
BENCHMARK(Spike)->Name("Spike/simulated")->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
