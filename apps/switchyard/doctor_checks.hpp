// What `doctor` looks at, and how it says what to do.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::cli {

enum class Severity : std::uint8_t { good, notice, warning, problem };

struct Finding {
  Severity severity = Severity::good;
  std::string subject;  ///< database, "main/readReplica", or "fleet"
  std::string text;
  std::string fix;  ///< the SQL statement or shell line that repairs it, or empty
};

/// What the configuration alone shows: unset variables, one role with two passwords, a replica of another database.
[[nodiscard]] std::vector<Finding> check_configuration(const FleetConfig& config);

/// What the servers say: reachable, login, database, schema, grants, TLS, roles of primary and replica, and whether
/// the pools of all workers fit into max_connections.
Task<std::vector<Finding>> check_servers(Fleet& fleet);

/// The finding that a failed connection stands for, with the line that repairs it.
[[nodiscard]] Finding explain_connect_error(const std::string& subject, const ConnectionOptions& connection,
                                            const Error& error);

}  // namespace switchyard::cli
