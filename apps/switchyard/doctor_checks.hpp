// What `doctor` looks at, and how it says what to do.
#pragma once

#include "doctor_budget.hpp"
#include "finding.hpp"

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::cli {

/// What the configuration alone shows: unset variables, one role with two passwords, a replica of another database.
[[nodiscard]] std::vector<Finding> check_configuration(const FleetConfig& config);

/// What a session of the application sees at one place.
struct Sight {
  bool in_recovery = false;
  bool uses_tls = false;
  std::optional<std::string> schema;
  std::int64_t tables_hidden = 0;
  std::string version;
};

/// Is this the kind of server that was meant, is the line safe, and may the role see its tables? One good finding
/// if there is nothing to say. `replica` is null for the primary.
[[nodiscard]] std::vector<Finding> judge_place(const std::string& subject, const DatabaseConfig& database,
                                               const ReplicaConfig* replica, const Sight& sight);

/// What the servers say.
struct Examination {
  std::vector<Finding> findings;
  std::vector<BudgetLine> budget;
};

/// Reachable, login, database, schema, grants, TLS, roles of primary and replica, and whether the connections of
/// all workers fit (doctor_budget.hpp).
Task<Examination> check_servers(Fleet& fleet);

/// The finding that a failed connection stands for, with the line that repairs it.
[[nodiscard]] Finding explain_connect_error(const std::string& subject, const ConnectionOptions& connection,
                                            const Error& error);

}  // namespace switchyard::cli
