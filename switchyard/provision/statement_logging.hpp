// The statements of a database's roles in the server's log, for a while: log_statement and log_duration of each
// role in that database, with the time of its end beside them (switchyard.logging_until). Sessions see settings of
// roles when they begin, so what is open goes on as it is, unless `reconnect` ends sessions that are idle.
//
// Whoever switched it on ends it; if he is gone, the next `provision apply` does, and plan and audit say so.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

enum class OpenSessions : std::uint8_t {
  keep,       ///< as they are
  reconnect,  ///< idle ones end, and their clients open others
};

struct StatementLogging {
  std::string database;  ///< logical name
  AuditLog statements = AuditLog::all;
  Duration length{};
  OpenSessions sessions = OpenSessions::keep;
};

struct LoggingReport {
  std::vector<std::string> roles;
  std::string until;             ///< 2026-01-31T23:59:59Z
  std::int64_t reconnected = 0;  ///< sessions that were ended
};

/// Throws Config errors (unknown or unconfigured database), and what the server says: only a superuser may.
[[nodiscard]] SWITCHYARD_API Task<LoggingReport> begin_logging(FleetConfig fleet, StatementLogging options);
[[nodiscard]] SWITCHYARD_API Task<LoggingReport> end_logging(FleetConfig fleet, StatementLogging options);

/// Now, or a while from now, as 2026-01-31T23:59:59Z.
[[nodiscard]] SWITCHYARD_API std::string utc_time(Duration from_now = Duration::zero());

}  // namespace switchyard::inline v0::provision
