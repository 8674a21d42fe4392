#include "backup_setup.hpp"

#include <switchyard/backup/backup_state.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard::cli {

Result<std::string> backup_folder(const FleetConfig& fleet, const DatabaseConfig& database,
                                  const std::optional<std::string>& given) {
  if (given) return std::filesystem::absolute(*given).string();
  std::string folder = backup::repository_of(fleet, database);
  if (!folder.empty()) return folder;
  return Error(ErrorKind::Config, "nothing says where backups of " + database.name + " are kept")
      .with_hint("set backup.repository = \"/var/backups/" + *fleet.application +
                 "\" in the fleet file, or give --repository DIR");
}

Result<const DatabaseConfig*> backup_database(const FleetConfig& fleet, const std::string& name) {
  auto resolved = fleet.resolve(name);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  if (!resolved->database->configured()) return Error(ErrorKind::Config, resolved->database->missing_dsn_message);
  return resolved->database;
}

Result<std::vector<std::string>> backup_folders(const FleetConfig& fleet, const std::vector<std::string>& databases,
                                                const std::optional<std::string>& given) {
  if (given) return std::vector{std::filesystem::absolute(*given).string()};
  std::vector<std::string> folders;
  for (const DatabaseConfig& database : fleet.databases) {
    if (!databases.empty() && std::ranges::find(databases, database.name) == databases.end()) continue;
    const std::string folder = backup::repository_of(fleet, database);
    if (!folder.empty() && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
  }
  if (!folders.empty()) return folders;
  return Error(ErrorKind::Config, "nothing says where backups are kept")
      .with_hint("set backup.repository in the fleet file, or give --repository DIR");
}

Result<std::vector<backup::AgeIdentity>> backup_identities(const FleetConfig& fleet,
                                                           const std::optional<std::string>& file) {
  if (!file) {
    if (fleet.backup.identity->empty()) return std::vector<backup::AgeIdentity>{};
    return backup::parse_identities(*fleet.backup.identity);
  }
  std::ifstream stream(*file, std::ios::binary);
  const Secret text{std::string(std::istreambuf_iterator<char>(stream), {})};
  if (!stream) return Error(ErrorKind::Config, "can't read the identity file " + *file);
  auto identities = backup::parse_identities(text);
  if (!identities.ok()) return identities.error().with_context(*file);
  return identities;
}

}  // namespace switchyard::cli
