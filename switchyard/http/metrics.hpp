// The fleet's numbers for Prometheus: OpenTelemetry's names for connections, switchyard_* for the rest.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/http/fleet_source.hpp>

#include <string>

namespace switchyard::inline v0::http {

/// Text exposition format 0.0.4. Every configured endpoint has `switchyard_up`, also with the value 0. No label
/// holds a connection string.
[[nodiscard]] SWITCHYARD_API std::string metrics_text(const FleetStatus& status, const HealthReports& reports);

}  // namespace switchyard::inline v0::http
