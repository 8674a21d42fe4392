// Spans as OpenTelemetry's collectors take them: OTLP/HTTP with JSON, for POST to /v1/traces (port 4318). Ids are
// hex digits, enums numbers, 64-bit integers strings.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/telemetry/span.hpp>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::telemetry {

inline constexpr std::string_view kTracesPath = "/v1/traces";

/// Who sends: service.name and its like.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

/// Both clocks at one moment, to translate the monotonic times of spans.
struct ClockPair {
  TimePoint monotonic;
  std::chrono::system_clock::time_point wall;
  [[nodiscard]] static ClockPair now() noexcept { return {Clock::now(), std::chrono::system_clock::now()}; }
};

/// One ExportTraceServiceRequest.
[[nodiscard]] SWITCHYARD_API std::string otlp_json(const ResourceAttributes& resource, std::span<const Span> spans,
                                                   const ClockPair& clocks);

/// Whether a collector that answered so asks for the same once more (OTLP: 429, 502, 503, 504).
[[nodiscard]] constexpr bool otlp_retryable(unsigned status) noexcept {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace switchyard::inline v0::telemetry
