// What one shard of a gateway knows, or all of them together, at one moment: what the console looks at. Internal to
// the room.
#pragma once

#include <switchyard/fleet/status.hpp>
#include <switchyard/gateway/client_report.hpp>
#include <switchyard/gateway/traffic.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

/// What is asked for; the pools are always told.
struct ReportParts {
  bool clients = false;
  bool sessions = false;
  bool traffic = false;
  bool statements = false;
};

/// A statement that clients have prepared, each kept once for all who have.
struct PreparedReport {
  std::string database;
  std::string name;  ///< on the server's sessions
  std::string sql;
  std::vector<std::uint32_t> types;
  std::uint32_t number = 0;
  std::uint32_t holders = 0;  ///< clients and sessions that have it
  std::uint32_t uses = 0;     ///< times it was prepared
};

struct ShardReport {
  /// Pools of one role.
  struct Pools {
    std::string role;  ///< empty: those of the fleet itself
    FleetStatus fleet;
  };
  std::vector<Pools> pools;
  std::vector<ClientReport> clients;    ///< in the order of their ids
  std::vector<SessionStatus> sessions;  ///< `session` tells them apart over all shards
  TrafficBook traffic;
  std::vector<PreparedReport> statements;
};

/// Adds what another shard knows.
void add(ShardReport& sum, ShardReport other);

}  // namespace switchyard::inline v0::gateway
