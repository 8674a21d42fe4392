// What one look at a server shows of its connections and its limits.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::inline v0::fleet {

/// Seen from one session: the limits that hold for its role and its database, and how many connections there are.
struct ServerSight {
  /// Of the running server: its system identifier and when it was started. Copies of a cluster and a primary and
  /// its replicas have one system identifier but are servers of their own.
  std::uint64_t identity = 0;
  std::int32_t max_connections = 0;
  std::int32_t reserved = 0;  ///< superuser_reserved_connections + reserved_connections
  std::int32_t sessions = 0;  ///< of clients, this one included
  std::int32_t role_limit = -1;
  std::int32_t role_sessions = 0;
  std::int32_t database_limit = -1;
  std::int32_t database_sessions = 0;
  /// Sessions that look like this fleet's: its application names, on this server.
  std::int32_t fleet_sessions = 0;
  /// Machines from which they come, the asking one included.
  std::int32_t machines = 1;
  /// The session was lent by a pooler: it is not known which server connection belongs to whom.
  bool pooled = false;

  /// Connections for roles without privileges.
  [[nodiscard]] std::int32_t allowed() const noexcept { return max_connections - reserved; }
};

}  // namespace switchyard::inline v0::fleet
