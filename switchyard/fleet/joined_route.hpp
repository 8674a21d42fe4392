// The host of operations that join another database's transaction when they are kept.
#pragma once

#include <switchyard/fleet/fallback.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/session/operation_state.hpp>

#include <memory>

namespace switchyard::inline v0::fleet {

class JoinedRoute final : public session::OperationHost {
 public:
  JoinedRoute(std::shared_ptr<Route> target, std::shared_ptr<Fallback> fallback, Transaction within);
  JoinedRoute(const JoinedRoute&) = delete;
  JoinedRoute& operator=(const JoinedRoute&) = delete;
  ~JoinedRoute();

  [[nodiscard]] const Transaction& within() const noexcept { return within_; }

  void start(session::OperationState& operation) noexcept override;
  void abandon(session::OperationState& operation) noexcept override;
  void expire(session::OperationState& operation) noexcept override;

 private:
  std::shared_ptr<Route> target_;
  std::shared_ptr<Fallback> fallback_;
  Transaction within_;
};

}  // namespace switchyard::inline v0::fleet
