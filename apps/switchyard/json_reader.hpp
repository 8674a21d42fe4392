// Reads the documents that a running fleet writes: its state file and the answers of its HTTP door.
#pragma once

#include "running_fleet.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/fleet/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::cli {

[[nodiscard]] Result<RunningFleet> read_running_fleet(std::string_view json);
[[nodiscard]] Result<FleetStatus> read_fleet_status(std::string_view json);
[[nodiscard]] Result<std::vector<HealthReport>> read_health(std::string_view json);

struct NamedBreaker {
  std::string database;
  BreakerReport report;
};
[[nodiscard]] Result<std::vector<NamedBreaker>> read_breakers(std::string_view json);
/// A problem document as an error of this kind; a Protocol error if it is none.
[[nodiscard]] Error read_problem(std::string_view json, ErrorKind kind);

/// One of /api/events.
struct EventLine {
  std::uint64_t sequence = 0;
  std::string time;  ///< as the document has it
  std::string message;
  std::string json;  ///< the whole, on one line
};
[[nodiscard]] Result<std::vector<EventLine>> read_events(std::string_view json);

}  // namespace switchyard::cli
