// The wire door of a program of ours: `switchyard gateway`, and `switchyard up` beside its HTTP door.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/gateway/gateway_shards.hpp>
#include <switchyard/gateway/pgbouncer_ini.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::cli {

struct DoorOptions {
  /// What the fleet of the door was opened with; needed for gateway.shards above 1.
  std::shared_ptr<fleet::SharedPermits> permits;
  /// The first free port from there on, instead of an error that says who has it.
  bool next_free = false;
  /// What the console's SET, SHUTDOWN and RELOAD do.
  std::function<Result<void>(const std::string& key, const std::string& value)> set;
  std::function<void()> shutdown;
  std::function<Result<void>()> reload;
  /// For gateway::GatewaySettings: a path for a process that takes over, and whether to take over from another one.
  std::string handover_path;
  bool take_over = false;
  std::function<void()> on_handed_over;
  std::vector<std::string> console_aliases;
  std::optional<Duration> stats_period;
  /// For gateway::GatewaySettings.
  gateway::PgbouncerNames names{};
  bool trust_known_only = false;
  /// Databases whose servers this process started: whoever is on this machine may log in without proof.
  std::vector<std::string> own_databases;
  /// There are no others: the same goes for the console.
  bool owns_all = false;
};

class GatewayDoor {
 public:
  /// As fleet.config().gateway says; the fleet outlives the door. Further shards have fleets of their own. Errors:
  /// Config with the key to change, Unavailable with pid and command of whoever has the port.
  [[nodiscard]] static Result<std::unique_ptr<GatewayDoor>> open(Fleet& fleet, DoorOptions options);

  /// Users, rules, certificates and limits of this configuration count from now on, for clients that log in from
  /// now on. Where to listen stays as it is.
  [[nodiscard]] Result<void> reload(const FleetConfig& config, gateway::PgbouncerNames names = {});
  /// Gateway::drain() of all shards.
  Task<void> drain(Duration patience);
  /// LiveFleetSource::set_other_shards().
  void each_other_fleet(const std::function<void(Fleet&)>& what);
  [[nodiscard]] WireDoorStatus status() const;
  /// "127.0.0.1:6433", "/tmp/switchyard-0/.s.PGSQL.6433"
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// Could anybody log in from another account or machine?
  [[nodiscard]] bool knows_users() const noexcept { return knows_users_; }

 private:
  GatewayDoor(std::unique_ptr<gateway::GatewayShards> more, std::unique_ptr<gateway::Gateway> gateway,
              DoorOptions options)
      : more_(std::move(more)), gateway_(std::move(gateway)), options_(std::move(options)) {}

  std::unique_ptr<gateway::GatewayShards> more_;  ///< null: there is one shard
  std::unique_ptr<gateway::Gateway> gateway_;
  DoorOptions options_;
  bool knows_users_ = false;
};

/// How psql gets to a database through a door with these addresses: "psql -h /tmp/switchyard-0 -p 6433 -U app
/// main".
[[nodiscard]] std::string psql_line(const std::vector<std::string>& addresses, const std::string& user,
                                    const std::string& database);

}  // namespace switchyard::cli
