#include <switchyard/gateway/client_listening.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::gateway {

std::vector<std::string> ClientListening::missing(std::span<const std::string> names) const {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const bool stays = channels_.contains(name) && drops_.empty();
    if (!stays && !expected_.contains(name)) out.push_back(name);
  }
  return out;
}

void ClientListening::expect(std::span<const std::string> names) {
  for (const std::string& name : names) {
    expected_.insert(name);
    std::erase(left_, name);
  }
}

void ClientListening::unlisten(std::string_view name) { drops_.emplace_back(name); }

void ClientListening::sent() noexcept {
  if (expected_.empty()) return;
  std::erase_if(waiting_, [&](const Notification& one) {
    if (channels_.contains(one.channel)) return false;
    bytes_ -= one.channel.size() + one.payload.size();
    return true;
  });
}

void ClientListening::leave(std::string_view channel) {
  if (!channels_.contains(channel) && !expected_.contains(channel)) left_.emplace_back(channel);
}

void ClientListening::ended(bool committed) {
  const std::vector<std::string> drops = std::exchange(drops_, {});
  if (!committed) return;
  for (const std::string& name : drops) {
    if (name.empty()) {
      for (const std::string& channel : std::exchange(channels_, {})) leave(channel);
    } else if (channels_.erase(name) != 0) {
      leave(name);
    }
  }
}

bool ClientListening::confirm(std::span<const std::string> names) {
  if (!std::ranges::all_of(names, [&](const std::string& name) { return covers(name); })) return false;
  channels_.insert(names.begin(), names.end());
  forget_expected();
  return true;
}

void ClientListening::forget_expected() {
  for (const std::string& name : std::exchange(expected_, {})) leave(name);
}

void ClientListening::forget_all() {
  drops_.clear();
  for (const std::string& channel : std::exchange(channels_, {})) leave(channel);
  forget_expected();
  waiting_.clear();
  bytes_ = 0;
}

std::vector<std::string> ClientListening::take_left() { return std::exchange(left_, {}); }

bool ClientListening::add(std::int32_t pid, std::string_view channel, std::string_view payload) {
  if (!covers(channel)) return true;
  if (waiting_.size() >= kMostWaiting || bytes_ + channel.size() + payload.size() > kMostBytes) return false;
  bytes_ += channel.size() + payload.size();
  waiting_.push_back({.pid = pid, .channel = std::string(channel), .payload = std::string(payload)});
  return true;
}

const ClientListening::Notification* ClientListening::front() {
  while (!waiting_.empty() && !channels_.contains(waiting_.front().channel)) pop();
  return waiting_.empty() ? nullptr : &waiting_.front();
}

void ClientListening::pop() noexcept {
  bytes_ -= waiting_.front().channel.size() + waiting_.front().payload.size();
  waiting_.pop_front();
}

}  // namespace switchyard::inline v0::gateway
