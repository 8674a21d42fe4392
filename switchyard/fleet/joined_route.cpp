#include <switchyard/fleet/joined_route.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {

JoinedRoute::JoinedRoute(std::shared_ptr<Route> target, std::shared_ptr<Fallback> fallback, Transaction within)
    : target_(std::move(target)), fallback_(std::move(fallback)), within_(std::move(within)) {
  fallback_->add_joined(*this);
}

JoinedRoute::~JoinedRoute() { fallback_->remove_joined(*this); }

void JoinedRoute::start(session::OperationState& operation) noexcept {
  fallback_->start_within(operation, *target_, within_);
}

// start() has made somebody else the host.
void JoinedRoute::abandon(session::OperationState& operation) noexcept { (void)operation; }
void JoinedRoute::expire(session::OperationState& operation) noexcept { (void)operation; }

}  // namespace switchyard::inline v0::fleet
