#include <switchyard/fleet/endpoint_breakers.hpp>

#include <switchyard/telemetry/event_log.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

using resilience::Breaker;
using resilience::BreakerState;
using resilience::BreakerTransition;

/// Says each change of state in the log.
class BreakerLog final : public resilience::BreakerObserver {
 public:
  BreakerLog(const BreakerPlace& place, RouteAccess access)
      : database_(place.database), endpoint_(place.name), name_(breaker_name(place, access)), access_(access) {}

  void on_transition(const BreakerTransition& transition) noexcept override {
    telemetry::events().note(
        transition.to == BreakerState::open ? telemetry::kCircuitBreaker : telemetry::kCircuitBreakerBetter,
        database_, Clock::now(),
        [&] {
          return "[CIRCUIT BREAKER] " + name_ + " state changed: " + std::string(to_string(transition.from)) +
                 " -> " + std::string(to_string(transition.to));
        },
        {{"database", std::string_view(database_)},
         {"endpoint", std::string_view(endpoint_)},
         {"access", to_string(access_)},
         {"from", to_string(transition.from)},
         {"to", to_string(transition.to)},
         {"why", transition.why}});
  }

 private:
  std::string database_;
  std::string endpoint_;
  std::string name_;
  RouteAccess access_;
};

std::shared_ptr<Breaker> breaker_of(resilience::SharedBreakers* shared, const BreakerPlace& place,
                                    RouteAccess access, const resilience::BreakerSettings& settings) {
  const auto make = [&] {
    return std::make_shared<Breaker>(settings, breaker_name(place, access), std::random_device{}(),
                                     std::make_shared<BreakerLog>(place, access));
  };
  if (shared == nullptr) return make();
  std::string key(place.database);
  key += ' ';
  key += place.name;
  key += ' ';
  key += to_string(access);
  return shared->get(key, make);
}

}  // namespace

BreakerReport EndpointBreakers::report(RouteAccess access, TimePoint now) const {
  const resilience::BreakerStatus status = (access == RouteAccess::read ? read_ : write_).breaker().status(now);
  BreakerReport out;
  out.endpoint = endpoint_;
  out.access = to_string(access);
  out.state = to_string(status.state);
  out.mode = to_string(status.mode);
  out.calls = status.window.calls;
  out.failed = status.window.failed;
  out.slow = status.window.slow;
  out.refused = status.refused;
  out.opened = status.times_opened;
  if (status.state != BreakerState::closed && status.available_at != kNever) {
    out.trial_in = status.available_at > now ? status.available_at - now : Duration::zero();
  }
  out.why = status.why;
  out.last_failure = status.last_failure;
  return out;
}

std::string_view to_string(RouteAccess access) noexcept { return access == RouteAccess::read ? "read" : "write"; }

std::string breaker_name(const BreakerPlace& place, RouteAccess access) {
  std::string name(place.database);
  if (place.role == EndpointRole::replica) name += "_replica_" + std::string(place.name);
  if (access != place.access || place.role == EndpointRole::write) {
    name += access == RouteAccess::read ? " (reads)" : " (writes)";
  }
  return name;
}

EndpointBreakers::EndpointBreakers(resilience::SharedBreakers* shared, const BreakerPlace& place,
                                   const resilience::BreakerSettings& settings)
    : endpoint_(place.name),
      access_(place.access),
      read_(breaker_of(shared, place, RouteAccess::read, settings)),
      write_(breaker_of(shared, place, RouteAccess::write, settings)) {}

void EndpointBreakers::note_connect_failure(const Error& error, TimePoint now) noexcept {
  resilience::BreakerMember& member = of(access_);
  if (member.breaker().state() != BreakerState::closed) return;
  member.enter(now).record(resilience::CallOutcome::failed, Duration::zero(), now, &error);
}

void EndpointBreakers::report(EndpointStatus& status, TimePoint now) const {
  status.breakers.push_back(report(RouteAccess::read, now));
  status.breakers.push_back(report(RouteAccess::write, now));
  const BreakerState states[] = {read_.breaker().state(), write_.breaker().state()};
  const auto is = [&](BreakerState state) { return std::ranges::find(states, state) != std::end(states); };
  const BreakerState worst = is(BreakerState::open)        ? BreakerState::open
                             : is(BreakerState::half_open) ? BreakerState::half_open
                                                           : BreakerState::closed;
  status.breaker = to_string(worst);
}

}  // namespace switchyard::inline v0::fleet
