#include <switchyard/gateway/interns.hpp>

#include <switchyard/base/bytes.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// What an entry takes beside its text, about.
constexpr std::size_t kEntryBytes = 320;
/// The same for a setting. A set of settings is kept twice: as what it is, and as what it is found by.
constexpr std::size_t kSettingBytes = 64;

std::size_t bytes_of(const SettingsRef& settings) noexcept {
  std::size_t sum = 0;
  if (!settings) return sum;
  for (const auto& [name, value] : *settings) sum += kSettingBytes + 2 * (name.size() + value.size());
  return sum;
}

}  // namespace

std::vector<std::uint32_t> Intern::types() const {
  std::vector<std::uint32_t> found;
  for (std::size_t at = sql().size() + 1 + sizeof(std::uint16_t); at + sizeof(std::uint32_t) <= body.size();
       at += sizeof(std::uint32_t)) {
    found.push_back(base::load_be<std::uint32_t>(body.data() + at));
  }
  return found;
}

Intern& Interns::look_up(std::string_view body, const SettingsRef& settings) {
  if (const auto found = by_key_.find(Key{body, settings.get()}); found != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return *found->second->intern;
  }
  make_room();
  auto intern = std::make_shared<Intern>();
  intern->number = ++last_number_;
  intern->body = body;
  intern->settings = settings;
  intern->server_name = prefix_ + std::to_string(intern->number);
  const std::size_t bytes = kEntryBytes + body.size() + bytes_of(settings);
  entries_.push_front({std::move(intern), bytes});
  bytes_ += bytes;
  Intern& added = *entries_.front().intern;
  by_key_.emplace(Key{added.body, settings.get()}, entries_.begin());
  return added;
}

void Interns::set_columns(Intern& intern, std::string columns) {
  intern.columns = std::move(columns);
  const auto found = by_key_.find(Key{intern.body, intern.settings.get()});
  if (found == by_key_.end() || found->second->intern.get() != &intern) return;
  found->second->bytes += intern.columns.size();
  bytes_ += intern.columns.size();
}

/// Who still has a name for an old statement keeps it; it is only not found any more by others.
void Interns::make_room() {
  while (bytes_ > kMaxBytes && !entries_.empty()) {
    const Intern& oldest = *entries_.back().intern;
    bytes_ -= entries_.back().bytes;
    by_key_.erase(Key{oldest.body, oldest.settings.get()});
    entries_.pop_back();
  }
}

}  // namespace switchyard::inline v0::gateway
