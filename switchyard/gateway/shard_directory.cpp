#include <switchyard/gateway/shard_directory.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {

bool ShardDirectory::join(runtime::Shard& shard, ShardMember& member) {
  const auto index = static_cast<std::uint32_t>(shard.index());
  if (index >= kMaxShards) return false;
  const std::scoped_lock lock(mutex_);
  if (entries_.size() <= index) entries_.resize(index + 1);
  if (entries_[index]) return false;
  entries_[index] = std::make_shared<Entry>(Entry{&shard, &member});
  return true;
}

void ShardDirectory::leave(std::uint32_t shard) noexcept {
  const std::scoped_lock lock(mutex_);
  if (shard >= entries_.size() || !entries_[shard]) return;
  entries_[shard]->member = nullptr;  // what has been posted already finds nobody
  entries_[shard].reset();
  std::erase_if(owners_, [&](const auto& owner) { return owner.second == shard; });
}

void ShardDirectory::report_load(std::uint32_t shard, std::uint32_t per_mille) noexcept {
  const std::scoped_lock lock(mutex_);
  if (shard < entries_.size() && entries_[shard]) entries_[shard]->load = per_mille;
}

std::uint32_t ShardDirectory::least_loaded() const noexcept {
  std::uint32_t best = 0;
  const Entry* found = nullptr;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const Entry* entry = entries_[i].get();
    if (entry == nullptr) continue;
    // Who works as little gets the next key if it has fewer of them.
    const bool better = found == nullptr || entry->load / 100 < found->load / 100 ||
                        (entry->load / 100 == found->load / 100 && entry->keys < found->keys);
    if (!better) continue;
    found = entry;
    best = i;
  }
  return best;
}

std::uint32_t ShardDirectory::place(std::string_view database, std::string_view user) {
  std::string key(database);
  key += '\0';
  key += user;
  const std::scoped_lock lock(mutex_);
  if (const auto known = owners_.find(key); known != owners_.end()) {
    return entries_[known->second]->load < kBusy ? known->second : least_loaded();
  }
  const std::uint32_t owner = least_loaded();
  if (owners_.size() < kMaxKeys && owner < entries_.size() && entries_[owner]) {
    owners_.emplace(std::move(key), owner);
    ++entries_[owner]->keys;
  }
  return owner;
}

bool ShardDirectory::call(std::uint32_t shard, std::function<void(ShardMember&)> what) {
  const std::scoped_lock lock(mutex_);
  if (shard >= entries_.size() || !entries_[shard]) return false;
  const std::shared_ptr<Entry>& entry = entries_[shard];
  // A shard leaves before it ends, and that waits for the lock.
  entry->shard->post([entry, what = std::move(what)] {
    if (entry->member != nullptr) what(*entry->member);
  });
  return true;
}

}  // namespace switchyard::inline v0::gateway
