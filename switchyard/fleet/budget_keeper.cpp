#include <switchyard/fleet/budget_keeper.hpp>
#include <switchyard/fleet/budget_permits.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/server_look.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Limit of one look, the wait for a session included.
constexpr Duration kLookTimeout = std::chrono::seconds(2);

/// Asks the server through a session of its pool. `permits` owns `budget`; the route refuses once the fleet is
/// gone.
Task<void> look(std::shared_ptr<Route> route, std::shared_ptr<pool::PermitCounter> permits, BudgetPermits* budget) {
  (void)permits;
  BudgetRegistry& registry = budget->registry();
  const auto ask = [](Route& on, BudgetPermits& by, BudgetLook& begun) -> Task<Result<ServerSight>> {
    const session::CallContext call{.deadline = deadline_after(runtime::now(), kLookTimeout), .label = {}};
    const ChannelHolder holder(co_await open_channel(on, call, OnConnectFailure::fail));
    // It may have been lost before this coroutine's turn came.
    const session::Session* const session = holder.get()->session();
    if (session == nullptr) co_return Error(ErrorKind::Unavailable, "the session was lost");
    begun = by.registry().with(
        [&](BudgetLedger& ledger, BudgetTime now) { return ledger.begin_look(by.account(), now); });
    co_return co_await look_at_server(*holder.get(), session->server_pid(), by.terms().application_names);
  };
  BudgetLook begun;
  const auto answer = co_await as_result(ask(*route, *budget, begun));
  registry.with([&](BudgetLedger& ledger, BudgetTime now) {
    if (answer.ok() && answer->ok()) {
      ledger.end_look(budget->account(), begun, **answer, budget->terms().address, now);
    } else {
      ledger.abandon_look(budget->account());
    }
  });
}

}  // namespace

BudgetKeeper::BudgetKeeper(std::vector<Endpoint*> endpoints) {
  for (Endpoint* endpoint : endpoints) {
    places_.push_back(
        {endpoint, std::make_shared<Route>(endpoint->settings().database,
                                           std::make_unique<FixedChooser>(*endpoint, "connection budget"),
                                           RouteAccess::read, RouteLimits{})});
  }
  timer_.arm(deadline_after(runtime::now(), kLookOften));
}

BudgetKeeper::~BudgetKeeper() {
  for (const Place& place : places_) place.route->retire();
}

void BudgetKeeper::on_timer(void* keeper) noexcept {
  auto& self = *static_cast<BudgetKeeper*>(keeper);
  self.look_around();
  self.timer_.arm(deadline_after(runtime::now(), kLookOften));
}

void BudgetKeeper::look_around() {
  for (const auto& [endpoint, route] : places_) {
    pool::Pool* pool = endpoint->opened_pool();
    if (pool == nullptr) continue;
    const std::shared_ptr<pool::PermitCounter>& permits = endpoint->permits();
    auto* const budget = dynamic_cast<BudgetPermits*>(permits->source());
    if (budget == nullptr || budget->account() == kNoBudgetIndex) continue;
    // A pool that could not keep its minimum open tries again.
    if (permits->refused() && permits->starving() == 0) permits->look_again();
    const pool::PoolStats stats = pool->stats();
    if (stats.active + stats.idle == 0) continue;  // no session is opened only to look
    const bool due = budget->registry().with(
        [&](BudgetLedger& ledger, BudgetTime now) { return ledger.look_due(budget->account(), now); });
    if (!due) continue;
    spawn(look(route, permits, budget));
  }
}

}  // namespace switchyard::inline v0::fleet
