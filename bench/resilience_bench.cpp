// What asking for leave costs each call. Ceiling: one relaxed load; rivals: a mutex around the same decision, and a
// locked addition per call. Not measured: cache lines that other shards write (a failure, a trial, a change of
// state).
#include <switchyard/base/random.hpp>
#include <switchyard/resilience/breaker.hpp>
#include <switchyard/resilience/limiter.hpp>
#include <switchyard/resilience/retry_policy.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace {

using namespace switchyard;
using namespace switchyard::resilience;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};
constexpr Duration kTurn = 2us;  // how far the clock goes from call to call

std::shared_ptr<Breaker> make_breaker() {
  // No window is ever full enough to open it: what is measured is the counting.
  return std::make_shared<Breaker>(BreakerSettings{.minimum_calls = 4'000'000'000}, "bench", 1);
}

void relaxed_load(benchmark::State& state) {
  std::atomic<std::uint64_t> word{4};
  for (auto _ : state) {
    benchmark::DoNotOptimize(word.load(std::memory_order_relaxed));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(relaxed_load);

void locked_add(benchmark::State& state) {
  std::atomic<std::uint64_t> number{0};
  for (auto _ : state) benchmark::DoNotOptimize(number.fetch_add(1, std::memory_order_relaxed));
}
BENCHMARK(locked_add);

void mutex_round_trip(benchmark::State& state) {
  std::mutex mutex;
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::lock_guard lock(mutex);
    benchmark::DoNotOptimize(++number);
  }
}
BENCHMARK(mutex_round_trip);

void breaker_check_closed(benchmark::State& state) {
  BreakerMember member(make_breaker());
  for (auto _ : state) {
    BreakerPermit permit = member.enter(kStart);
    benchmark::DoNotOptimize(static_cast<bool>(permit));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(breaker_check_closed);

void breaker_check_and_record_answered(benchmark::State& state) {
  BreakerMember member(make_breaker());
  TimePoint now = kStart;
  for (auto _ : state) {
    now += kTurn;
    BreakerPermit permit = member.enter(now);
    permit.record(CallOutcome::answered, 1ms, now);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(breaker_check_and_record_answered);

void breaker_check_and_record_failed(benchmark::State& state) {
  BreakerMember member(make_breaker());
  const Error error(ErrorKind::Unavailable, "connection refused", ErrorStage::connecting);
  TimePoint now = kStart;
  for (auto _ : state) {
    now += kTurn;
    BreakerPermit permit = member.enter(now);
    permit.record(CallOutcome::failed, 1ms, now, &error);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(breaker_check_and_record_failed);

void breaker_check_open(benchmark::State& state) {
  BreakerMember member(make_breaker());
  member.breaker().force_open(kStart);
  for (auto _ : state) {
    BreakerPermit permit = member.enter(kStart);
    benchmark::DoNotOptimize(static_cast<bool>(permit));
  }
}
BENCHMARK(breaker_check_open);

void breaker_refusal_text(benchmark::State& state) {
  BreakerMember member(make_breaker());
  member.breaker().force_open(kStart);
  for (auto _ : state) {
    Error error = member.breaker().refusal(kStart);
    benchmark::DoNotOptimize(error);
  }
}
BENCHMARK(breaker_refusal_text);

void retry_budget_call(benchmark::State& state) {
  RetryBudget budget({}, kStart);
  for (auto _ : state) {
    budget.on_call();
    benchmark::DoNotOptimize(&budget);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(retry_budget_call);

void retry_decision(benchmark::State& state) {
  RetryBudget budget({.percent_of_calls = 100, .per_second = 1'000'000}, kStart);
  Random random(1);
  const Error error(ServerFields{.severity = "ERROR", .sqlstate = "40001"}, ErrorStage::sent);
  TimePoint now = kStart;
  for (auto _ : state) {
    now += kTurn;
    budget.on_call();
    benchmark::DoNotOptimize(
        decide_retry({.verdict = classify(error), .deadline = now + 1s, .now = now}, {}, budget, random));
  }
}
BENCHMARK(retry_decision);

void limiter_enter_measure_and_leave(benchmark::State& state) {
  Limiter limiter({.enabled = true}, kStart);
  TimePoint now = kStart;
  for (auto _ : state) {
    now += kTurn;
    if (limiter.try_enter()) {
      limiter.measure(1ms, now);
      limiter.leave();
    }
    benchmark::ClobberMemory();
  }
}
BENCHMARK(limiter_enter_measure_and_leave);

}  // namespace
