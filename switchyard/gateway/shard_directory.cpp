#include <switchyard/gateway/shard_directory.hpp>

#include <switchyard/fleet/shared_permits.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// Reports as they come. The last shard that has answered, or ended without an answer, sends the sum.
class Gathering {
 public:
  Gathering(std::shared_ptr<ShardDirectory> directory, std::uint32_t asker, std::uint64_t question) noexcept
      : directory_(std::move(directory)), asker_(asker), question_(question) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  ~Gathering() {
    directory_->call(asker_, [question = question_, all = std::make_shared<ShardReport>(std::move(all_))](
                                 ShardMember& member) { member.on_reports(question, *all); });
  }

  void add(ShardReport report) {
    const std::scoped_lock lock(mutex_);
    gateway::add(all_, std::move(report));
  }

 private:
  std::shared_ptr<ShardDirectory> directory_;
  std::uint32_t asker_;
  std::uint64_t question_;
  std::mutex mutex_;
  ShardReport all_;
};

std::string key_of(std::string_view database, std::string_view user) {
  std::string key(database);
  key += '\0';
  key += user;
  return key;
}

}  // namespace

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

std::uint32_t ShardDirectory::place(std::string_view database, std::string_view user) const {
  const std::string key = key_of(database, user);
  const std::scoped_lock lock(mutex_);
  const auto known = owners_.find(key);
  const bool has_time = known != owners_.end() && entries_[known->second]->load < kBusy;
  return has_time ? known->second : least_loaded();
}

void ShardDirectory::remember(std::string_view database, std::string_view user, std::uint32_t shard) {
  std::string key = key_of(database, user);
  const std::scoped_lock lock(mutex_);
  if (owners_.size() >= kMaxKeys || shard >= entries_.size() || !entries_[shard]) return;
  if (owners_.emplace(std::move(key), shard).second) ++entries_[shard]->keys;
}

void ShardDirectory::call_others(std::uint32_t shard, const std::function<void(ShardMember&)>& what) {
  for (std::uint32_t other = 0; other < kMaxShards; ++other) {
    if (other != shard) (void)call(other, what);
  }
}

void ShardDirectory::gather(std::uint32_t asker, std::uint64_t question, ReportParts parts) {
  const auto gathering = std::make_shared<Gathering>(shared_from_this(), asker, question);
  for (std::uint32_t shard = 0; shard < kMaxShards; ++shard) {
    (void)call(shard, [gathering, parts](ShardMember& member) { gathering->add(member.report(parts)); });
  }
}

std::shared_ptr<fleet::SharedPermits> ShardDirectory::permits_of(const std::string& database,
                                                                 const std::string& role) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(permits_, [](const auto& known) { return known.second.expired(); });
  std::weak_ptr<fleet::SharedPermits>& known = permits_[{database, role}];
  std::shared_ptr<fleet::SharedPermits> permits = known.lock();
  if (!permits) known = permits = std::make_shared<fleet::SharedPermits>();
  return permits;
}

void ShardDirectory::expect(std::span<const std::uint32_t> ids) {
  const std::scoped_lock lock(mutex_);
  for (const std::uint32_t id : ids) travelled_.emplace(id, kNowhere);
}

void ShardDirectory::expect_no_more(std::span<const std::uint32_t> ids) {
  const std::scoped_lock lock(mutex_);
  for (const std::uint32_t id : ids) {
    const auto found = travelled_.find(id);
    if (found != travelled_.end() && found->second == kNowhere) travelled_.erase(found);
  }
}

void ShardDirectory::settle(std::uint32_t id, std::uint32_t shard) {
  const std::scoped_lock lock(mutex_);
  travelled_.insert_or_assign(id, shard);
}

void ShardDirectory::unsettle(std::uint32_t id) noexcept {
  const std::scoped_lock lock(mutex_);
  travelled_.erase(id);
}

std::optional<std::uint32_t> ShardDirectory::home_of(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = travelled_.find(id);
  if (found == travelled_.end() || found->second == kNowhere) return std::nullopt;
  return found->second;
}

bool ShardDirectory::is_travelled(std::uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  return travelled_.contains(id);
}

void ShardDirectory::set_left(std::uint32_t shard, std::uint32_t count) noexcept {
  const std::scoped_lock lock(mutex_);
  if (shard < entries_.size() && entries_[shard]) entries_[shard]->left = count;
}

std::size_t ShardDirectory::all_left() const noexcept {
  const std::scoped_lock lock(mutex_);
  std::size_t sum = 0;
  for (const auto& entry : entries_) {
    if (!entry) continue;
    if (entry->left == kUnknown) return kUnknown;
    sum += entry->left;
  }
  return sum;
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
