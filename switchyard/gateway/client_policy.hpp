// What a client gets, from what was configured for its database, its user, and everybody.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/gateway_config.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::gateway {

struct ClientPolicy {
  PoolMode pool_mode = PoolMode::automatic;  ///< the user's, else the database's, else the gateway's
  bool auto_read = false;
  ReadConsistency consistency = ReadConsistency::session;
  SequenceMode sequences = SequenceMode::follow;
  // Limits; 0 = none.
  std::uint32_t database_clients = 0;
  std::uint32_t user_clients = 0;
  std::uint32_t user_sessions = 0;
};

/// `database` is the fleet's name, without ":read" and the like.
[[nodiscard]] SWITCHYARD_API ClientPolicy policy_of(const GatewayConfig& gateway, std::string_view database,
                                                    std::string_view user);

}  // namespace switchyard::inline v0::gateway
