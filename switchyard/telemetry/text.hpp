// What a registry says, in Prometheus' text exposition format 0.0.4 (served as kTextContentType).
//
// Names come from OpenTelemetry's by its rules for Prometheus: dots become underscores, the unit is appended
// ("_seconds", "_bytes", "_ratio" for shares; none for "{things}"), counters end in "_total".
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/telemetry/registry.hpp>

#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::telemetry {

inline constexpr std::string_view kTextContentType = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] SWITCHYARD_API std::string to_text(std::span<const Family> families);

/// "db.client.operation.duration" in seconds -> "db_client_operation_duration_seconds".
[[nodiscard]] SWITCHYARD_API std::string text_name(const Metric& metric);

}  // namespace switchyard::inline v0::telemetry
