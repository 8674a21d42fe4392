// The defaults of a database by its profile. Internal; the numbers are those of docs/configuration.md.
#pragma once

#include <switchyard/config/fleet_config.hpp>

namespace switchyard::inline v0::config {

/// Sets every default of `database` (its name and profile are set) as its profile has them.
void apply_profile(DatabaseConfig& database, const FleetConfig& fleet);

/// A replica's defaults: the database's own pool, except ParaFort's readReplica, which has numbers of its own.
void apply_profile(ReplicaConfig& replica, const DatabaseConfig& database);

/// Databases that exist in a fleet of ParaFort's spelling even when nothing is set for them.
[[nodiscard]] bool is_parafort_name(std::string_view name) noexcept;

}  // namespace switchyard::inline v0::config
