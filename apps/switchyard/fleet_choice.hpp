// Which fleet a command is about: one that an `up` runs, or the configured databases themselves.
#pragma once

#include "options.hpp"
#include "running_fleet.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <optional>

namespace switchyard::cli {

/// The configuration that this command line, folder and environment describe.
[[nodiscard]] Result<FleetConfig> load_configuration(const GlobalOptions& options);
/// The configuration that a running fleet was started with, its private endpoints included.
[[nodiscard]] Result<FleetConfig> load_configuration(const RunningFleet& running, const GlobalOptions& options);
/// The demonstration, in the same folder and with the same --set.
[[nodiscard]] Result<FleetConfig> load_demonstration(const GlobalOptions& options);

/// Somebody said where a database is, or wrote a fleet file.
[[nodiscard]] bool is_configured(const FleetConfig& fleet);

struct FleetChoice {
  FleetConfig config;
  std::optional<RunningFleet> running;
};

/// The running fleet of the application that is configured here; else the configured databases; with nothing
/// configured here, the only fleet that runs. Errors: Config for a wrong configuration or several fleets to choose
/// from, Unavailable when there is nothing at all.
[[nodiscard]] Result<FleetChoice> choose_fleet(const GlobalOptions& options);

/// The running fleet alone, chosen the same way; nothing when none runs.
[[nodiscard]] Result<std::optional<RunningFleet>> choose_running_fleet(const GlobalOptions& options);

}  // namespace switchyard::cli
