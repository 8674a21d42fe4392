// One logical database of an open fleet: its endpoints and the routes to them.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/breaker_command.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/fallback.hpp>
#include <switchyard/fleet/ownership_chooser.hpp>
#include <switchyard/fleet/places.hpp>
#include <switchyard/fleet/replica_chooser.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/fleet/retrier.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/fleet/status.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class DatabaseNode {
 public:
  /// `config` outlives the node. `region` is the application's.
  DatabaseNode(const DatabaseConfig& config, const std::string& region, SharedPermits& permits);
  DatabaseNode(const DatabaseNode&) = delete;
  DatabaseNode& operator=(const DatabaseNode&) = delete;

  /// `other` serves this database while that is not configured, or while its tables still live there
  /// (ownership.hpp). Call for all nodes after all are made.
  void set_stand_in(DatabaseNode& other);

  /// What happens while this database is down, with `home` as the one that answers and keeps. Call for all nodes
  /// after set_stand_in().
  void set_fallback(DatabaseNode& home);
  /// Null when nothing stands behind this database.
  [[nodiscard]] const std::shared_ptr<Fallback>& fallback() const noexcept { return fallback_; }
  void retire_fallback() noexcept;

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

  [[nodiscard]] std::vector<Endpoint*> endpoints() const { return places_.endpoints(); }
  /// Where writes go now; another one after a failover. Null when not configured.
  [[nodiscard]] Endpoint* primary() noexcept { return places_.primary(); }
  [[nodiscard]] Places& places() noexcept { return places_; }
  /// Of all its routes, those to come included; null: none. It outlives the node.
  void set_guard(OwnerGuard* guard) noexcept;
  /// See Fleet::pause().
  void set_paused(bool on) noexcept;
  [[nodiscard]] bool paused() const noexcept { return paused_; }
  [[nodiscard]] DatabaseStatus status() const;
  Result<std::vector<BreakerReport>> set_breakers(BreakerCommand command, const BreakerSelection& which);

 private:
  [[nodiscard]] Route& lenient_reads(const ReadOptions& options);
  [[nodiscard]] resilience::Breaker& write_breaker() noexcept;
  /// A route of this database or of the one that stands in, as the ownership map says.
  [[nodiscard]] Route& either(Route* own, Route& theirs, RouteAccess access);
  void divert(Route& route, RouteUse use) noexcept;
  [[nodiscard]] RouteLimits limits() const;
  [[nodiscard]] Route& make_reads(const ReadLimits& limits);
  Route& add_route(std::unique_ptr<Chooser> chooser, RouteAccess access);
  Route& add_refusal(Error error);
  [[nodiscard]] Error no_such_replica(std::string_view replica) const;
  [[nodiscard]] Route& refused_replica(std::string_view replica);

  const DatabaseConfig& config_;
  std::shared_ptr<Retrier> retrier_;
  DatabaseNode* stand_in_ = nullptr;
  Places places_;
  bool paused_ = false;
  /// Read views with options, each made once.
  struct View {
    std::optional<Duration> max_lag;
    std::string replica;
    Route* route;
  };
  std::vector<View> views_;
  std::vector<std::shared_ptr<Route>> routes_;
  Route* autocommit_ = nullptr;
  Route* writes_ = nullptr;
  Route* reads_ = nullptr;
  std::shared_ptr<Fallback> fallback_;
  std::shared_ptr<Ownership> ownership_;
  Route* stand_in_reads_ = nullptr;
  std::string stand_in_reason_;
  std::map<Route*, Route*> strict_reads_;
  OwnerGuard* guard_ = nullptr;
};

}  // namespace switchyard::inline v0::fleet
