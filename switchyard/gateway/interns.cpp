#include <switchyard/gateway/interns.hpp>

#include <switchyard/base/bytes.hpp>

namespace switchyard::inline v0::gateway {
namespace {

/// What an entry takes beside its text, about.
constexpr std::size_t kEntryBytes = 320;

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
  bytes_ += kEntryBytes + body.size();
  entries_.push_front({std::move(intern)});
  Intern& added = *entries_.front().intern;
  by_key_.emplace(Key{added.body, settings.get()}, entries_.begin());
  return added;
}

/// Who still has a name for an old statement keeps it; it is only not found any more by others.
void Interns::make_room() {
  while (bytes_ > kMaxBytes && !entries_.empty()) {
    const Intern& oldest = *entries_.back().intern;
    bytes_ -= kEntryBytes + oldest.body.size();
    by_key_.erase(Key{oldest.body, oldest.settings.get()});
    entries_.pop_back();
  }
}

}  // namespace switchyard::inline v0::gateway
