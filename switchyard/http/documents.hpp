// The documents of the HTTP door as plain functions of a fleet's state. `switchyard status --json` and
// `switchyard health --json` print the same ones.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/http/fleet_source.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::http {

/// The whole fleet in one word (the vocabulary of application/health+json).
enum class Verdict : std::uint8_t {
  pass,  ///< every configured endpoint serves
  warn,  ///< something optional, or a replica, does not
  fail,  ///< a required database does not
};
[[nodiscard]] SWITCHYARD_API std::string_view to_string(Verdict verdict) noexcept;
[[nodiscard]] SWITCHYARD_API Verdict judge(const FleetStatus& status, const HealthReports& reports);

/// True if the database's own primary answered; one that is not configured does not serve, whoever stands in for
/// it.
[[nodiscard]] SWITCHYARD_API bool serves(const FleetStatus& status, const HealthReport& report);

/// The check of this endpoint of the database; null if it was not checked (write endpoints, unconfigured replicas).
[[nodiscard]] SWITCHYARD_API const HealthReport* report_of(const HealthReports& reports, std::string_view database,
                                                           const EndpointStatus& endpoint);

/// "readReplica" for main, "<database>Replica" for others.
[[nodiscard]] SWITCHYARD_API std::string replica_key(std::string_view database);

/// {"main": true, "analytics": false, "readReplica": true}
[[nodiscard]] SWITCHYARD_API std::string health_databases_json(const FleetStatus& status,
                                                               const HealthReports& reports);

/// {"main": {"totalConnections": 15, "idleConnections": 8, "waitingConnections": 0}}: existing pools only.
[[nodiscard]] SWITCHYARD_API std::string health_connections_json(const FleetStatus& status);

/// application/health+json: the verdict, one entry a database, and `checks` in the form of the draft standard.
[[nodiscard]] SWITCHYARD_API std::string health_json(const FleetStatus& status, const HealthReports& reports);

/// {"last": 17, "events": [{"sequence": 17, "time": "2026-11-21T16:20:43.123Z", ...}]}, oldest first. `last` is
/// what to ask from next.
[[nodiscard]] SWITCHYARD_API std::string events_json(const std::vector<telemetry::KeptEvent>& events);

/// "2026-11-21T16:20:43.123Z"
[[nodiscard]] SWITCHYARD_API std::string utc_text(std::chrono::system_clock::time_point moment);

/// Everything a fleet knows of itself.
[[nodiscard]] SWITCHYARD_API std::string fleet_json(const FleetStatus& status);

/// What a person should know of a database beside healthy or not: maintenance, a spool, tables elsewhere. Empty =
/// nothing.
[[nodiscard]] SWITCHYARD_API std::string note_of(const DatabaseStatus& database);

}  // namespace switchyard::inline v0::http
