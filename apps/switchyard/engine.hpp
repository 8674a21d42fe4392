// Opens a fleet for one command.
#pragma once

#include "exit_code.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task_function.hpp>

namespace switchyard::cli {

/// One command needs one session, not a warm pool.
void open_lazily(FleetConfig& config);

/// Opens the fleet on a shard of its own, runs the work and closes the fleet. Ctrl-C drops the work: interrupted.
/// Errors: the fleet's, or what left the work.
[[nodiscard]] Result<ExitCode> with_fleet(FleetConfig config, TaskFunction<ExitCode(Fleet&)> work);

}  // namespace switchyard::cli
