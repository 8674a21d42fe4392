// The verbs on a route of one's own: what the fleet itself asks of its databases.
#pragma once

#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/session/querier.hpp>

#include <memory>
#include <utility>

namespace switchyard::inline v0::fleet {

class RouteQuerier final : public Querier {
 public:
  explicit RouteQuerier(std::shared_ptr<Route> route, TimePoint deadline = kNever) noexcept
      : Querier(*route), route_(route) {
    call_.deadline = deadline;
    keeper_ = std::move(route);
  }
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<TransactionResult<F>> transaction(F function) {
    return run_transaction(*route_, call_, TransactionOptions{}, std::move(function));
  }

 private:
  std::shared_ptr<Route> route_;
};

}  // namespace switchyard::inline v0::fleet
