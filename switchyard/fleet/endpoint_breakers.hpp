// The breakers in front of one endpoint: one for reads, one for writes. Their state is that of the process, their
// counting that of this shard.
#pragma once

#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/resilience/breaker.hpp>
#include <switchyard/resilience/shared_breakers.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// Whose breakers they are.
struct BreakerPlace {
  std::string_view database;
  std::string_view name;  ///< "primary", "write", or the replica's
  EndpointRole role = EndpointRole::primary;
  RouteAccess access = RouteAccess::write;  ///< what the endpoint is there for
};

class EndpointBreakers {
 public:
  /// `shared` may be null: nobody shares them.
  EndpointBreakers(resilience::SharedBreakers* shared, const BreakerPlace& place,
                   const resilience::BreakerSettings& settings);

  [[nodiscard]] resilience::BreakerMember& of(RouteAccess access) noexcept {
    return access == RouteAccess::read ? read_ : write_;
  }
  /// Connecting by itself (not for a caller) failed.
  void note_connect_failure(const Error& error, TimePoint now) noexcept;
  [[nodiscard]] BreakerReport report(RouteAccess access, TimePoint now) const;
  /// Fills `breaker` and `breakers`.
  void report(EndpointStatus& status, TimePoint now) const;

 private:
  std::string endpoint_;
  RouteAccess access_;
  resilience::BreakerMember read_;
  resilience::BreakerMember write_;
};

/// "reference", "reference_replica_api", "reference (writes)": as log lines and errors call the breaker of a place.
[[nodiscard]] std::string breaker_name(const BreakerPlace& place, RouteAccess access);
[[nodiscard]] std::string_view to_string(RouteAccess access) noexcept;

}  // namespace switchyard::inline v0::fleet
