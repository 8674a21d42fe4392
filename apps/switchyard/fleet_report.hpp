// The state of the fleet a command is about, wherever it comes from: the HTTP door of the running one, or a look at
// the configured databases.
#pragma once

#include "options.hpp"
#include "running_fleet.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/fleet/status.hpp>

#include <optional>
#include <vector>

namespace switchyard::cli {

struct FleetReport {
  FleetStatus status;
  std::vector<HealthReport> health;
  std::optional<RunningFleet> running;
};

[[nodiscard]] Result<FleetReport> look_at_fleet(const GlobalOptions& global);
/// Asks the same running fleet again.
[[nodiscard]] Result<FleetReport> look_again(const RunningFleet& running);

}  // namespace switchyard::cli
