// What the commands about backups have in common: where they are, and the keys.
#pragma once

#include "console.hpp"

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::cli {

/// The folder that --repository names, else that of the database. A Config error where there is none.
[[nodiscard]] Result<std::string> backup_folder(const FleetConfig& fleet, const DatabaseConfig& database,
                                                const std::optional<std::string>& given);

/// The different ones of these databases (empty: of all), in their order; with --repository that one.
[[nodiscard]] Result<std::vector<std::string>> backup_folders(const FleetConfig& fleet,
                                                              const std::vector<std::string>& databases,
                                                              const std::optional<std::string>& given);

/// From the file, else from backup.identity; none at all is fine for backups in the clear.
[[nodiscard]] Result<std::vector<backup::AgeIdentity>> backup_identities(const FleetConfig& fleet,
                                                                         const std::optional<std::string>& file);

/// Of a database's name as typed: one that is configured.
[[nodiscard]] Result<const DatabaseConfig*> backup_database(const FleetConfig& fleet, const std::string& name);

}  // namespace switchyard::cli
