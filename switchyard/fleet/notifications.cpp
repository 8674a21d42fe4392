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
  Impl(fleet::Route& where, std::string_view what) : route(fleet::keep(where)), channel_name(what) {}
  ~Impl() { hang_up(); }

  void hang_up() noexcept {
    if (!channel) return;
    channel->on_lost_event = nullptr;
    if (channel->session() != nullptr) channel->session()->set_listener(nullptr);
    fleet::let_go(std::move(channel));
  }

  /// A session that is to listen; hung up unless it came to that.
  class Attempt {
   public:
    Attempt(Impl& impl, std::shared_ptr<fleet::Channel> with) noexcept : impl_(impl) {
      impl.channel = std::move(with);
      impl.channel->on_lost_event = &impl.arrived;
      if (session::Session* session = impl.channel->session()) {
        session->set_listener(&impl);
        session->mark_dirty();
      }
    }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() {
      if (!listens) impl_.hang_up();
    }
    bool listens = false;

   private:
    Impl& impl_;
  };

  void on_notification(std::int32_t server_pid, std::string_view on, std::string_view payload) noexcept override {
    if (pending.size() >= kMaxPendingNotifications) {
      pending.clear();
      pending.push_back({Notification::Kind::connected, channel_name, {}, 0});
    }
    pending.push_back({Notification::Kind::message, std::string(on), std::string(payload), server_pid});
    arrived.notify();
  }

  std::shared_ptr<fleet::Route> route;
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
      Impl::Attempt attempt(*impl, co_await fleet::open_channel(*impl->route, {}));
      co_await fleet::run_command(*impl->channel, "LISTEN " + quote_identifier(impl->channel_name));
      attempt.listens = true;
      co_return Notification{Notification::Kind::connected, impl->channel_name, {}, 0};
    }
    co_await impl->arrived.wait();
  }
}

}  // namespace switchyard::inline v0
