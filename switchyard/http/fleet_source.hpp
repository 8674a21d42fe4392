// What the routes want to know of a fleet. An interface, so that their documents can be tested on any state.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/statistics.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::http {

using HealthReports = std::vector<HealthReport>;

/// What a database's server says of it, asked now and then.
struct DatabaseFacts {
  std::string database;
  std::uint64_t size_bytes = 0;
  std::uint64_t commits = 0;  ///< of all its clients, since the server's statistics were reset
  std::uint64_t rollbacks = 0;
  std::string schema;  ///< of a database that shares its place with others; else empty
  std::uint64_t schema_bytes = 0;
};

class SWITCHYARD_API FleetSource {
 public:
  virtual ~FleetSource();
  /// The state as it is; asks no server. Every database has its primary's endpoint first, configured or not.
  [[nodiscard]] virtual FleetStatus status() const = 0;
  /// Checks every endpoint with SELECT 1.
  virtual Task<std::shared_ptr<const HealthReports>> health() = 0;
  /// The distributions behind the state.
  [[nodiscard]] virtual FleetStatistics statistics() const = 0;
  /// What the servers said when they were asked last; asks them in the background when that is a minute ago.
  virtual std::vector<DatabaseFacts> facts() = 0;
  /// Events after `sequence`, at most the latest `most`, oldest first.
  [[nodiscard]] virtual std::vector<telemetry::KeptEvent> events(std::uint64_t sequence,
                                                                 std::size_t most) const = 0;
  [[nodiscard]] virtual std::vector<telemetry::EventCount> event_counts() const = 0;
};

}  // namespace switchyard::inline v0::http
