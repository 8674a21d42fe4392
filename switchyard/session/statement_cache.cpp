#include <switchyard/session/statement_cache.hpp>

#include <algorithm>
#include <functional>

namespace switchyard::inline v0::session {

std::size_t StatementCache::Hash::operator()(const Key& key) const noexcept {
  std::size_t hash = std::hash<std::string_view>()(key.sql);
  for (Oid type : key.types) hash = hash * 0x9E3779B97F4A7C15ULL + type;
  return hash;
}

bool StatementCache::Equal::operator()(const Key& a, const Key& b) const noexcept {
  return a.sql == b.sql && std::ranges::equal(a.types, b.types);
}

PreparedStatement* StatementCache::find(std::string_view sql, std::span<const Oid> types) noexcept {
  // The usual session repeats the statement it ran last: one comparison instead of a hash over the text.
  if (!entries_.empty()) {
    PreparedStatement& front = entries_.front();
    if (Equal()(Key{front.sql, front.parameter_types}, Key{sql, types})) return &front;
  }
  const auto found = index_.find(Key{sql, types});
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &*found->second;
}

void StatementCache::make_room(std::size_t wanted, std::vector<std::string>& evicted) {
  const std::size_t keep = capacity_ - std::min(capacity_, wanted);
  while (entries_.size() > keep) {
    PreparedStatement& last = entries_.back();
    if (!last.name.empty()) evicted.push_back(last.name);
    remove(&last);
  }
}

PreparedStatement& StatementCache::add(std::string_view sql, std::span<const Oid> types) {
  entries_.emplace_front();
  PreparedStatement& entry = entries_.front();
  if (capacity_ != 0) entry.name = "sy" + std::to_string(next_name_++);
  entry.sql = sql;
  entry.parameter_types.assign(types.begin(), types.end());
  index_.emplace(Key{entry.sql, entry.parameter_types}, entries_.begin());
  return entry;
}

void StatementCache::remove(const PreparedStatement* entry) noexcept {
  const auto found = index_.find(Key{entry->sql, entry->parameter_types});
  if (found == index_.end() || &*found->second != entry) return;
  const List::iterator at = found->second;
  index_.erase(found);
  entries_.erase(at);
}

void StatementCache::clear() noexcept {
  index_.clear();
  entries_.clear();
}

}  // namespace switchyard::inline v0::session
