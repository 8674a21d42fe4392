// One operation of a trace: what ran where, from when to when, and how it ended. Put together for sampled
// operations only.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/telemetry/trace_context.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0::telemetry {

struct Span {
  using Value = std::variant<std::string, std::int64_t, double, bool>;
  /// Numbers as OTLP has them.
  enum class Kind : std::uint8_t { internal = 1, server = 2, client = 3 };

  TraceId trace;
  std::uint64_t id = 0;
  std::uint64_t parent = 0;  ///< zero: the first of its trace
  std::string name;
  Kind kind = Kind::client;
  TimePoint begun{};  ///< of the monotonic clock; the exporter translates
  TimePoint ended{};
  std::vector<std::pair<std::string_view, Value>> attributes;  ///< keys are literals
  std::string error;  ///< empty: it went well; never holds values of a statement
};

}  // namespace switchyard::inline v0::telemetry
