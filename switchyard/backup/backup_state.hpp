// How the backups of a fleet are doing, read from its repositories.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/status.hpp>

#include <map>
#include <string>

namespace switchyard::inline v0::backup {

/// Folder of a database's dumps: its own, or the fleet's. A relative one lies beside the fleet file. Empty: none.
[[nodiscard]] SWITCHYARD_API std::string repository_of(const FleetConfig& fleet, const DatabaseConfig& database);
/// The same for the second one.
[[nodiscard]] SWITCHYARD_API std::string second_repository_of(const FleetConfig& fleet,
                                                              const DatabaseConfig& database);

/// By database, of those that are configured and have a repository, of dumps or of pgBackRest: the newest of
/// either. Reads folders; blocks as long as that takes.
[[nodiscard]] SWITCHYARD_API std::map<std::string, BackupStatus> read_backup_status(const FleetConfig& fleet);

}  // namespace switchyard::inline v0::backup
