// Which trace something belongs to, as it travels between programs: the W3C `traceparent` header.
//
//     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//        trace id                         parent span id   flags: 01 = sampled
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::telemetry {

struct TraceId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  /// An id of zero is no id.
  [[nodiscard]] bool valid() const noexcept { return (high | low) != 0; }
  friend bool operator==(const TraceId&, const TraceId&) = default;
};

struct SWITCHYARD_API TraceParent {
  TraceId trace;
  std::uint64_t span = 0;  ///< the caller's; zero: none, this is the first of its trace
  bool sampled = false;

  /// Nothing for anything malformed: the header is optional, and a wrong one means to start anew (W3C Trace
  /// Context, 3.2). Later versions than 00 are read as far as 00 goes.
  [[nodiscard]] static std::optional<TraceParent> parse(std::string_view text) noexcept;
  /// As a header's value, version 00.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const TraceParent&, const TraceParent&) = default;
};

/// 32 and 16 lower-case hex digits.
[[nodiscard]] SWITCHYARD_API std::string hex(const TraceId& id);
[[nodiscard]] SWITCHYARD_API std::string hex(std::uint64_t span_id);

/// Never zero.
[[nodiscard]] SWITCHYARD_API TraceId new_trace_id() noexcept;
[[nodiscard]] SWITCHYARD_API std::uint64_t new_span_id() noexcept;
/// True for the share `ratio` of all calls.
[[nodiscard]] SWITCHYARD_API bool draw_sample(double ratio) noexcept;

}  // namespace switchyard::inline v0::telemetry
