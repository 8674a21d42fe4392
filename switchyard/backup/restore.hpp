// Brings a database, or a schema of it, back from a backup: in one transaction, so that it is whole or as it was.
#pragma once

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace switchyard::inline v0::backup {

struct RestoreOptions {
  std::vector<AgeIdentity> identities;
  std::string into;        ///< a database on the same server, made if it is missing; empty: the configured one
  bool overwrite = false;  ///< the caller has confirmed that what is there may go
  bool owners = true;      ///< false: everything belongs to the role that restores, without grants
  bool globals = false;    ///< bring the server's roles back first; those that are there stay as they are
};

struct RestoreProgress {
  std::uint64_t read = 0, of = 0;  ///< bytes of the dump
};
using RestoreSink = std::function<void(const RestoreProgress&)>;

struct RestoreReport {
  std::string database;  ///< logical
  std::string schema;
  std::string place;  ///< "localhost:5432/wellwon"
  bool created = false;
  std::uint64_t tables = 0, rows = 0;
  std::vector<std::string> differences;  ///< from what the backup says; objects that were there before are such too
  std::vector<std::string> notes;
};

/// Blocks. Errors: Config for a database that holds something and may not be overwritten, a wrong key and missing
/// programs; Protocol for a damaged backup; Unavailable with pg_restore's own words.
[[nodiscard]] SWITCHYARD_API Result<RestoreReport> restore_database(const FleetConfig& fleet,
                                                                    const StoredBackup& backup,
                                                                    const std::string& database,
                                                                    const RestoreOptions& options,
                                                                    const RestoreSink& sink, std::stop_token stop);

/// Writes the dump of a database in the clear, for pg_restore by hand. The file must not exist.
[[nodiscard]] SWITCHYARD_API Result<void> extract_dump(const StoredBackup& backup, const std::string& database,
                                                       const std::vector<AgeIdentity>& identities,
                                                       const std::string& path, std::stop_token stop);

}  // namespace switchyard::inline v0::backup
