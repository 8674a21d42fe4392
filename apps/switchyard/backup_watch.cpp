#include "backup_watch.hpp"

#include <switchyard/backup/backup_state.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

namespace switchyard::cli {

namespace {
constexpr auto kBetweenLooks = std::chrono::seconds(30);
}

BackupWatch::BackupWatch(const FleetConfig& fleet) {
  const bool any = std::ranges::any_of(fleet.databases, [&](const DatabaseConfig& database) {
    return !backup::repository_of(fleet, database).empty() || !database.backup.data_folder->empty();
  });
  if (!any) return;
  thread_ = std::jthread([this, config = fleet](std::stop_token stop) {
    std::mutex guard;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      auto seen = backup::read_backup_status(config);
      {
        std::lock_guard lock(mutex_);
        known_ = std::move(seen);
      }
      std::unique_lock lock(guard);
      wake.wait_for(lock, stop, kBetweenLooks, [] { return false; });
    }
  });
}

BackupWatch::~BackupWatch() = default;

std::optional<BackupStatus> BackupWatch::of(const std::string& database) const {
  std::lock_guard lock(mutex_);
  const auto at = known_.find(database);
  return at == known_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace switchyard::cli
