// What a running program knows of its fleet's backups: looked at twice a minute by a thread of its own, since a
// repository may lie on a disk that does not answer.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/status.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace switchyard::cli {

class BackupWatch {
 public:
  /// No thread where no database has a repository.
  explicit BackupWatch(const FleetConfig& fleet);
  ~BackupWatch();
  BackupWatch(const BackupWatch&) = delete;
  BackupWatch& operator=(const BackupWatch&) = delete;

  /// Nothing for a database without a repository, and before the first look has ended.
  [[nodiscard]] std::optional<BackupStatus> of(const std::string& database) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, BackupStatus> known_;
  std::jthread thread_;
};

}  // namespace switchyard::cli
