// What `up` shows when everything runs.
#pragma once

#include "console.hpp"
#include "running_fleet.hpp"

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/status.hpp>

#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

struct UpScreen {
  const RunningFleet& running;
  const FleetConfig& config;
  const FleetStatus& status;
  const std::vector<HealthReport>& health;
  std::string server_version;  ///< of the private servers, or empty
  std::string program;         ///< how this program was called
  bool detached = false;
  /// A statement worth trying on some databases: {"main", "SELECT ..."}.
  std::vector<std::pair<std::string, std::string>> samples;
};

[[nodiscard]] std::string up_screen(const UpScreen& screen, const Paint& paint);
/// The same for programs.
[[nodiscard]] std::string up_screen_json(const UpScreen& screen);

}  // namespace switchyard::cli
