// What no single value can tell: minimum above maximum, names that lead nowhere, the connection budget. Internal.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/config/problems.hpp>

namespace switchyard::inline v0::config {

/// Checks a filled and assembled configuration. Default pool maxima shrink to fit an explicit connection_budget.
void validate(FleetConfig& fleet, Problems& problems);

}  // namespace switchyard::inline v0::config
