#include <switchyard/gateway/listen_hub.hpp>

#include <switchyard/fleet/command.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/gateway/sql_words.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// The session is kept so long without a channel.
constexpr Duration kLinger = std::chrono::seconds(10);
/// Without a session by then clients listen on their own: it may be they who have all there are.
constexpr Duration kPatience = std::chrono::seconds(1);

Task<void> next(runtime::AsyncEvent& event) { co_await event.wait(); }

}  // namespace

ListenHub::~ListenHub() {
  task_.reset();
  hang_up();
}

void ListenHub::hang_up() noexcept {
  if (!channel_) return;
  channel_->on_lost_event = nullptr;
  if (channel_->session() != nullptr) channel_->session()->set_listener(nullptr);
  fleet::let_go(std::move(channel_));
  for (auto& [name, channel] : channels_) channel.listens = false;
}

bool ListenHub::listen(Member& member, std::span<const std::string> channels) {
  std::size_t added = 0;
  for (const std::string& name : channels) added += channels_.contains(name) ? 0 : 1;
  if (channels_.size() + added > kMostChannels) return false;
  for (const std::string& name : channels) {
    std::vector<Member*>& members = channels_[name].members;
    if (std::ranges::find(members, &member) == members.end()) members.push_back(&member);
  }
  fence(member);
  return true;
}

void ListenHub::fence(Member& member) {
  waiting_.push_back(&member);
  if (task_.running()) {
    wake_.notify();
  } else {
    task_.start(run());
  }
}

void ListenHub::leave(Member& member, std::string_view channel) noexcept {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  std::erase(found->second.members, &member);
  wake_.notify();
}

void ListenHub::leave(Member& member) noexcept {
  std::erase(waiting_, &member);
  std::ranges::replace(asked_, &member, static_cast<Member*>(nullptr));
  std::ranges::replace(telling_, &member, static_cast<Member*>(nullptr));
  for (auto& [name, channel] : channels_) std::erase(channel.members, &member);
  wake_.notify();
}

void ListenHub::on_notification(std::int32_t server_pid, std::string_view channel,
                                std::string_view payload) noexcept {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  for (Member* member : found->second.members) member->on_notification(server_pid, channel, payload);
}

/// LISTEN for what is new, UNLISTEN for what nobody wants any more.
std::string ListenHub::changes() const {
  std::string text;
  for (const auto& [name, channel] : channels_) {
    if (channel.members.empty() == !channel.listens) continue;
    text += channel.listens ? "UNLISTEN " : "LISTEN ";
    append_identifier(text, name);
    text += ';';
  }
  return text.empty() ? ";" : text;
}

bool ListenHub::has_work() const noexcept {
  return !waiting_.empty() || std::ranges::any_of(channels_, [](const auto& entry) {
    return entry.second.listens == entry.second.members.empty();
  });
}

void ListenHub::answer(std::vector<Member*> members, bool ready) noexcept {
  telling_ = std::move(members);
  for (std::size_t i = 0; i < telling_.size(); ++i) {
    if (Member* member = std::exchange(telling_[i], nullptr)) member->on_hub_ready(ready);
  }
  telling_.clear();
}

void ListenHub::tell_lost(const Error& reason) noexcept {
  hang_up();
  std::vector<Member*> lost;
  for (const auto& [name, channel] : channels_) {
    for (Member* member : channel.members) {
      if (std::ranges::find(lost, member) == lost.end()) lost.push_back(member);
    }
  }
  channels_.clear();
  for (Member* member : lost) {
    std::erase(waiting_, member);
    std::erase(asked_, member);
  }
  telling_ = std::move(lost);
  for (std::size_t i = 0; i < telling_.size(); ++i) {
    if (Member* member = std::exchange(telling_[i], nullptr)) member->on_hub_lost(reason);
  }
  telling_.clear();
}

Task<void> ListenHub::run() {
  TimePoint idle_since = kNever;
  for (;;) {
    if (channel_ && channel_->lost()) tell_lost(*channel_->lost());
    if (!channel_) {
      std::erase_if(channels_, [](const auto& entry) { return entry.second.members.empty(); });
    }
    if (has_work()) {
      co_await work();
      continue;
    }
    if (!channels_.empty()) idle_since = kNever;
    if (!channel_ || !channels_.empty()) {
      co_await wake_.wait();
      continue;
    }
    if (idle_since == kNever) idle_since = runtime::now();
    const TimePoint until = deadline_after(idle_since, kLinger);
    if (runtime::now() >= until) {
      hang_up();
    } else {
      co_await any(sleep_until(until), next(wake_));
    }
  }
}

Task<void> ListenHub::work() {
  if (!channel_) {
    auto opened = co_await as_result(with_timeout(database_.open_channel(), kPatience));
    if (!opened.ok() || (*opened)->session() == nullptr) {
      if (opened.ok()) fleet::let_go(*std::move(opened));
      channels_.clear();
      answer(std::exchange(waiting_, {}), false);
      co_return;
    }
    channel_ = *std::move(opened);
    channel_->on_lost_event = &wake_;
    channel_->session()->set_listener(this);
    channel_->session()->mark_dirty();
  }
  asked_ = std::exchange(waiting_, {});
  std::vector<std::string> wanted;
  for (const auto& [name, channel] : channels_) {
    if (!channel.members.empty()) wanted.push_back(name);
  }
  const auto done = co_await fleet::run_command(*channel_, changes()).result();
  if (!done.ok() && done.error().session_alive() && !channel_->lost()) {
    // A name that the server does not take: nothing of it all has happened.
    std::erase_if(channels_, [](const auto& entry) { return !entry.second.listens; });
  } else if (!done.ok()) {
    tell_lost(done.error());  // who had no channel before goes on without
  }
  std::vector<Member*> told = std::exchange(asked_, {});
  std::erase(told, nullptr);
  if (done.ok()) {
    // What has been said with the question holds, whatever is wanted by now.
    for (auto& [name, channel] : channels_) channel.listens = std::ranges::binary_search(wanted, name);
    std::erase_if(channels_,
                  [](const auto& entry) { return entry.second.members.empty() && !entry.second.listens; });
  }
  answer(std::move(told), done.ok());
}

}  // namespace switchyard::inline v0::gateway
