// The fleet's numbers for Prometheus: OpenTelemetry's names for operations and connections, switchyard_* for the
// rest. docs/observability.md explains each; golden/metrics.txt pins names, types and labels.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/statistics.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/http/fleet_source.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::http {

/// All that /metrics is made from.
struct MetricsInput {
  FleetStatus status;
  HealthReports reports;
  FleetStatistics statistics;
  std::vector<DatabaseFacts> facts;
  std::vector<telemetry::EventCount> events;
};

/// Text exposition format 0.0.4. Every configured endpoint has `switchyard_up`, also with the value 0. No label
/// holds a connection string, a statement or a value.
[[nodiscard]] SWITCHYARD_API std::string metrics_text(const MetricsInput& input);

}  // namespace switchyard::inline v0::http
