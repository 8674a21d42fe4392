// Who migrates a database, where that is not whom it logs in as: with roles = "family" X_migrator does, as soon as
// provisioning keeps its password.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>

namespace switchyard::inline v0 {

/// Changes whom the sessions of `database`, one of `fleet`, log in as.
SWITCHYARD_API void log_in_to_migrate(const FleetConfig& fleet, DatabaseConfig& database);

}  // namespace switchyard::inline v0
