// One logical database of an open fleet: its endpoints and the routes to them.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/breaker_command.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/fleet/retrier.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/fleet/status.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class DatabaseNode {
 public:
  /// `config` outlives the node.
  DatabaseNode(const DatabaseConfig& config, SharedPermits& permits);
  DatabaseNode(const DatabaseNode&) = delete;
  DatabaseNode& operator=(const DatabaseNode&) = delete;

  /// Takes over the routes of another database while this one is not configured. Call for all nodes after all are
  /// made.
  void set_stand_in(DatabaseNode& other);

  [[nodiscard]] const DatabaseConfig& config() const noexcept { return config_; }
  [[nodiscard]] std::string_view name() const noexcept { return config_.name; }
  [[nodiscard]] DatabaseNode* stand_in() const noexcept { return stand_in_; }

  /// Autocommit statements of unknown kind: the primary; for a read-only database its read sessions.
  [[nodiscard]] Route& autocommit() noexcept { return *autocommit_; }
  /// execute(), transaction(), leases.
  [[nodiscard]] Route& writes() noexcept { return *writes_; }
  /// The read view. An unknown replica name gives a route that refuses with "did you mean".
  [[nodiscard]] Route& reads(const ReadOptions& options);
  /// The read view as a default for names such as main_replica.
  [[nodiscard]] Route& reads() noexcept { return *reads_; }

  /// The end of the fleet, in two steps, each for all nodes before the next: what runs or waits ends with Closed,
  /// then the routes refuse.
  void close_pools() noexcept;
  void retire_routes() noexcept;

  [[nodiscard]] std::vector<Endpoint*> endpoints() const;
  [[nodiscard]] Endpoint* primary() const noexcept { return primary_.get(); }
  [[nodiscard]] DatabaseStatus status() const;
  Result<std::vector<BreakerReport>> set_breakers(BreakerCommand command, const BreakerSelection& which);

 private:
  [[nodiscard]] RouteLimits limits() const;
  Route& add_route(Endpoint& endpoint, RouteAccess access, std::string reason);
  Route& add_route(std::unique_ptr<Chooser> chooser, RouteAccess access);
  Route& add_refusal(Error error);
  [[nodiscard]] Error no_such_replica(std::string_view replica) const;
  [[nodiscard]] Route& refused_replica(std::string_view replica);

  const DatabaseConfig& config_;
  std::shared_ptr<Retrier> retrier_;
  DatabaseNode* stand_in_ = nullptr;
  std::unique_ptr<Endpoint> primary_;  ///< null when not configured
  std::unique_ptr<Endpoint> writer_;   ///< when writes log in as somebody else
  struct Replica {
    const ReplicaConfig* config;
    std::unique_ptr<Endpoint> endpoint;  ///< null when not configured
    Route* route;
  };
  std::vector<Replica> replicas_;
  std::vector<std::shared_ptr<Route>> routes_;
  Route* autocommit_ = nullptr;
  Route* writes_ = nullptr;
  Route* reads_ = nullptr;
};

}  // namespace switchyard::inline v0::fleet
