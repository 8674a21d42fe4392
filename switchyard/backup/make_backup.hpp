// Makes a backup: of each database one consistent dump (pg_dump, in its custom format) and the fingerprint of the
// same snapshot, several databases side by side, and of each server its roles.
//
// Not promised: that the databases are of one moment. Each shows a snapshot of its own, seconds or minutes apart,
// and nothing in PostgreSQL can do better across databases with dumps.
#pragma once

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/fingerprint.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace switchyard::inline v0::backup {

struct BackupOrder {
  std::string database;  ///< logical name, configured
  std::string schema;    ///< of it alone; empty: the whole database
};

struct BackupOptions {
  std::vector<AgeRecipient> recipients;  ///< empty: in the clear
  Contents contents = Contents::summed;
  std::size_t jobs = 2;
  Duration lock_wait = std::chrono::seconds(30);  ///< of pg_dump for a table that is being altered
};

enum class BackupPhase : std::uint8_t { dumps, done, failed };

struct BackupProgress {
  std::string database;
  BackupPhase phase = BackupPhase::dumps;
  std::uint64_t written = 0;         ///< bytes of the dump so far
  std::uint64_t database_bytes = 0;  ///< as the server counts them
  std::string error;                 ///< of failed
};
/// Called from several threads.
using BackupSink = std::function<void(const BackupProgress&)>;

/// Blocks until the backup is in the repository. Databases that failed are in its manifest; when all failed there
/// is no backup and the first error is returned. A stop is Cancelled; nothing of it stays.
[[nodiscard]] SWITCHYARD_API Result<StoredBackup> make_backup(const FleetConfig& fleet,
                                                              const Repository& repository,
                                                              const std::vector<BackupOrder>& orders,
                                                              const BackupOptions& options, const BackupSink& sink,
                                                              std::stop_token stop);

}  // namespace switchyard::inline v0::backup
