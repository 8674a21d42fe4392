// What the budget adds to opening a session: a claim and its return, in the table that processes share.
//
//   ClaimAndReturn/N   with N other processes in the table, each holding one; this one opens and closes sessions
//   ClaimRefused       nothing is free and nothing has changed: what a pool's queue pays for asking again
//   Ceiling/Mutex      locking and unlocking an uncontended mutex twice
#include <benchmark/benchmark.h>
#include <switchyard/fleet/budget_permits.hpp>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace {

namespace sy = switchyard;
using sy::fleet::BudgetIndex;
using sy::fleet::BudgetLedger;
using sy::fleet::BudgetLook;
using sy::fleet::BudgetPermits;
using sy::fleet::BudgetRegistry;
using sy::fleet::BudgetTerms;
using sy::fleet::BudgetTime;
using sy::pool::PermitCounter;
using sy::pool::PermitPurpose;

constexpr std::int32_t kAllowed = 1000;

BudgetTerms terms() {
  return {.address = "bench:5432", .role = "app", .database = "main", .fleet = "bench", .application_names = {}};
}

/// A registry in which `others` accounts hold one connection each of a server that allows kAllowed.
struct Crowd {
  explicit Crowd(std::int64_t others) : registry(BudgetRegistry::alone()), counter(100'000) {
    auto source = std::make_unique<BudgetPermits>(registry, terms(), counter);
    mine = source.get();
    counter.set_source(std::move(source));
    if (!mine->claim(PermitPurpose::caller)) std::abort();
    registry->with([&](BudgetLedger& ledger, BudgetTime now) {
      const BudgetLook look = ledger.begin_look(mine->account(), now);
      sy::fleet::ServerSight sight;
      sight.identity = 1;
      sight.max_connections = kAllowed + 3;
      sight.reserved = 3;
      sight.sessions = 1;
      ledger.end_look(mine->account(), look, sight, "bench:5432", now);
      for (std::int64_t i = 0; i < others; ++i) {
        const BudgetIndex account = ledger.open_account(
            {.process = 1, .address = "bench:5432", .role = "app", .database = "main", .fleet = "bench"}, now);
        (void)ledger.claim(account, PermitPurpose::caller, now);
      }
    });
  }
  std::shared_ptr<BudgetRegistry> registry;
  PermitCounter counter;
  BudgetPermits* mine = nullptr;
};

void claim_and_return(benchmark::State& state) {
  Crowd crowd(state.range(0));
  for (auto _ : state) {
    if (!crowd.mine->claim(PermitPurpose::caller)) std::abort();
    crowd.mine->give_back();
  }
}
BENCHMARK(claim_and_return)->Name("ClaimAndReturn")->Arg(0)->Arg(10)->Arg(100);

void claim_refused(benchmark::State& state) {
  Crowd crowd(100);
  while (crowd.mine->claim(PermitPurpose::caller)) {
  }
  for (auto _ : state) benchmark::DoNotOptimize(crowd.mine->claim(PermitPurpose::caller));
}
BENCHMARK(claim_refused)->Name("ClaimRefused");

void ceiling(benchmark::State& state) {
  std::mutex mutex;
  for (auto _ : state) {
    for (int i = 0; i < 2; ++i) {
      const std::lock_guard lock(mutex);
      benchmark::ClobberMemory();
    }
  }
}
BENCHMARK(ceiling)->Name("Ceiling/Mutex");

}  // namespace
