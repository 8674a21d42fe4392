// A gateway's settings from a fleet's configuration: reads the files that [gateway] names.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/gateway/settings.hpp>

namespace switchyard::inline v0::gateway {

/// Paths that are not absolute are looked for beside the fleet file, then in the current folder. Errors: Config,
/// with the file and what is wrong with it. Takes 2 ms for each password in the clear.
[[nodiscard]] SWITCHYARD_API Result<GatewaySettings> gateway_settings(const FleetConfig& fleet);

}  // namespace switchyard::inline v0::gateway
