// Clients act as the role that they log in as. Where that is not the role of the fleet, their sessions come from
// pools of their role: a fleet of one database whose sessions log in as it, made on demand, bounded in number, and
// closed when nobody has used it for a while. SET ROLE would be no isolation: RESET ROLE ends it. Internal to the
// room.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/gateway_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/destination.hpp>
#include <switchyard/protocol/scram_keys.hpp>
#include <switchyard/runtime/timer.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

/// With what the sessions of a role log in to its server.
struct RoleLogin {
  std::string role;
  Secret password;                          ///< empty: none is known
  std::string password_file = {};           ///< that holds it, and may hold another tomorrow
  std::optional<protocol::ScramKeys> keys;  ///< from a client's proof; good where the server has the same verifier

  [[nodiscard]] bool has_credentials() const noexcept { return keys.has_value() || !password.empty(); }
};

class ShardDirectory;

class RoleFleets {
 public:
  /// One role at one database.
  struct Place {
    std::string database;  ///< the fleet's name
    RoleLogin login;
    std::unique_ptr<Fleet> fleet;
    TimePoint used{};
    std::uint32_t generation = 0;  ///< of the configuration
    std::uint32_t pool_max = 0;
    std::map<std::string, std::unique_ptr<Destination>> destinations;  ///< by name for Fleet::database()
  };

  /// Pools of a role have their limits in common with those of the other `shards`, if there are any.
  RoleFleets(Fleet& main, std::shared_ptr<ShardDirectory> shards) noexcept
      : main_(main), shards_(std::move(shards)) {}
  RoleFleets(const RoleFleets&) = delete;
  RoleFleets& operator=(const RoleFleets&) = delete;

  /// The place lives as long as somebody has it, and role_pool_idle longer. With other credentials than before
  /// there is a new one. `database` is configured. Error of kind PoolExhausted when there are role_pools already.
  [[nodiscard]] Result<std::shared_ptr<Place>> open(const DatabaseConfig& database, const RoleLogin& login,
                                                    const GatewayConfig& limits);
  /// The configuration has been read again: places that are opened from now on are as it says. Who has an old one
  /// keeps it. Null: nothing has changed.
  void renew(std::shared_ptr<const FleetConfig> config) noexcept {
    if (!config) return;
    config_ = std::move(config);
    ++generation_;
  }
  [[nodiscard]] const std::vector<std::shared_ptr<Place>>& places() const noexcept { return places_; }
  /// Closes all; nobody may use one any more.
  void close() noexcept;

 private:
  static void on_timer(void* self) noexcept;

  Fleet& main_;
  std::shared_ptr<ShardDirectory> shards_;
  std::shared_ptr<const FleetConfig> config_;  ///< null: the main one's
  std::uint32_t generation_ = 0;
  Duration idle_{};
  std::vector<std::shared_ptr<Place>> places_;
  runtime::Timer timer_{&RoleFleets::on_timer, this};
};

/// The configuration of such a fleet.
[[nodiscard]] FleetConfig role_config(const FleetConfig& fleet, const DatabaseConfig& database,
                                      const RoleLogin& login, std::uint32_t pool_max);

}  // namespace switchyard::inline v0::gateway
