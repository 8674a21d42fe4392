// How many clients each database and each user has, over all shards of a gateway. Any thread. Internal to the room.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

class ClientCounts {
 public:
  /// Zero: no limit.
  struct Limits {
    std::uint32_t database = 0;
    std::uint32_t user = 0;
  };
  enum class Entry : std::uint8_t { counted, database_full, user_full };

  [[nodiscard]] Entry enter(const std::string& database, const std::string& user, Limits limits) {
    const std::scoped_lock lock(mutex_);
    if (limits.database != 0 && of(databases_, database) >= limits.database) return Entry::database_full;
    if (limits.user != 0 && of(users_, user) >= limits.user) return Entry::user_full;
    ++databases_[database];
    ++users_[user];
    return Entry::counted;
  }
  void leave(const std::string& database, const std::string& user) noexcept {
    const std::scoped_lock lock(mutex_);
    count_down(databases_, database);
    count_down(users_, user);
  }

 private:
  using Counts = std::map<std::string, std::uint32_t, std::less<>>;
  [[nodiscard]] static std::uint32_t of(const Counts& counts, std::string_view name) {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
  }
  static void count_down(Counts& counts, const std::string& name) noexcept {
    const auto found = counts.find(name);
    if (found != counts.end() && --found->second == 0) counts.erase(found);
  }

  std::mutex mutex_;
  Counts databases_;
  Counts users_;
};

}  // namespace switchyard::inline v0::gateway
