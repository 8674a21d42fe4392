// The proof that a fleet's connections fit: what all its processes may open, and what others have open, against the
// limits of each server, role and database as they are now.
#pragma once

#include "finding.hpp"

#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::cli {

/// What a session of one place of the fleet sees there.
struct LivePlace {
  std::string subject;  ///< "main", "main/api"
  const DatabaseConfig* database = nullptr;
  const ReplicaConfig* replica = nullptr;  ///< null: the primary
  std::string server;                      ///< the same for all places on one running server
  std::int64_t max_connections = 0;
  std::int64_t superuser_reserved = 0;
  std::int64_t reserved = 0;         ///< reserved_connections, PostgreSQL 16 and later
  std::int64_t role_limit = -1;      ///< -1: none, or a superuser
  std::int64_t database_limit = -1;  ///< -1: none, or a superuser
  /// Sessions that are not the fleet's: on the server, of the role, on the database.
  std::int64_t others = 0;
  std::int64_t role_others = 0;
  std::int64_t database_others = 0;
  std::int64_t ours = 0;  ///< the fleet's own sessions now, on the server
  bool pooled = false;    ///< a connection pooler lent the session

  [[nodiscard]] const ConnectionOptions& connection() const {
    return replica != nullptr ? replica->endpoint.connection : database->primary.connection;
  }
};

/// One limit and what stands against it.
struct BudgetLine {
  std::string subject;      ///< "server localhost:5432", "role app at localhost:5432", "fleet"
  std::string sum;          ///< "4 workers x (main 100 + reference 50)"
  std::int64_t wanted = 0;  ///< what that comes to
  std::int64_t others = 0;
  std::int64_t open = 0;  ///< of the fleet, now
  std::int64_t allowed = 0;
  std::string because;  ///< "max_connections 100 - 3 reserved"
  bool fits = true;
  std::string fix;
};

/// All limits that the fleet meets at these places. Per process and database with replicas one probe a place is
/// counted as well.
[[nodiscard]] std::vector<BudgetLine> prove_budget(const FleetConfig& config, const std::vector<LivePlace>& places);
[[nodiscard]] std::vector<Finding> budget_findings(const std::vector<BudgetLine>& lines);

/// A pooler in between hides the server's connections.
[[nodiscard]] std::vector<Finding> pooler_findings(const std::vector<LivePlace>& places);

/// "psql -h db1 -p 5432 -U postgres -c '...'": a line that an administrator of the server runs.
[[nodiscard]] std::string administrator_line(const ConnectionOptions& connection, const std::string& sql,
                                             const std::string& database = {});

}  // namespace switchyard::cli
