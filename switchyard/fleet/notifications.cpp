#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/command.hpp>
#include <switchyard/fleet/notifications.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <deque>
#include <utility>

namespace switchyard::inline v0 {
namespace {

/// "crm.customer-updates" -> "\"crm.customer-updates\"".
std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

/// A listener that nobody reads from keeps this many notifications; then the oldest go, and `connected` says so.
constexpr std::size_t kMaxPendingNotifications = 100'000;

}  // namespace

class Notifications::Impl final : public session::Session::Listener {
 public:
  Impl(fleet::Route& where, std::string_view what) : route(where), channel_name(what) {}
  ~Impl() { hang_up(); }

  void hang_up() noexcept {
    if (!channel) return;
    if (channel->session() != nullptr) {
      channel->session()->set_listener(nullptr);
      channel->session()->mark_dirty();
    }
    fleet::let_go(std::move(channel));
  }

  void on_notification(std::int32_t server_pid, std::string_view on, std::string_view payload) noexcept override {
    if (pending.size() >= kMaxPendingNotifications) {
      pending.clear();
      pending.push_back({Notification::Kind::connected, channel_name, {}, 0});
    }
    pending.push_back({Notification::Kind::message, std::string(on), std::string(payload), server_pid});
    arrived.notify();
  }

  fleet::Route& route;
  std::string channel_name;
  std::shared_ptr<fleet::Channel> channel;
  std::deque<Notification> pending;
  runtime::AsyncEvent arrived;
};

Notifications::Notifications(fleet::Route& route, std::string_view channel)
    : impl_(std::make_shared<Impl>(route, channel)) {}
Notifications::Notifications(Notifications&&) noexcept = default;
Notifications::~Notifications() = default;

Task<Notification> Notifications::next() {
  const std::shared_ptr<Impl> impl = impl_;
  for (;;) {
    if (!impl->pending.empty()) {
      Notification first = std::move(impl->pending.front());
      impl->pending.pop_front();
      co_return first;
    }
    if (impl->channel && impl->channel->lost()) impl->hang_up();
    if (!impl->channel) {
      std::shared_ptr<fleet::Channel> channel = co_await fleet::open_channel(impl->route, kNever);
      fleet::ChannelHolder holder(channel);
      channel->session()->set_listener(impl.get());
      channel->on_lost_event = &impl->arrived;
      auto listening =
          co_await fleet::run_command(*channel, "LISTEN " + quote_identifier(impl->channel_name)).result();
      if (!listening.ok()) {
        if (channel->session() != nullptr) channel->session()->set_listener(nullptr);
        throw listening.error();
      }
      impl->channel = holder.take();
      co_return Notification{Notification::Kind::connected, impl->channel_name, {}, 0};
    }
    co_await impl->arrived.wait();
  }
}

}  // namespace switchyard::inline v0
