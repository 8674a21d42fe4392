#include <switchyard/gateway/gateway.hpp>

#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/turn_end.hpp>

#include <algorithm>
#include <list>
#include <unordered_map>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// The process id that a client is told: its shard above, a number below, never negative and never 0.
constexpr unsigned kShardShift = 24;
constexpr std::uint32_t kNumberMask = (1U << kShardShift) - 1;
constexpr std::uint32_t kShardMask = 0x7f;

/// Without a file descriptor to spare, accepting is tried again after this.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

class Gateway::Impl final : public ClientHost, private ConsoleHost {
 public:
  Impl(Fleet& fleet, GatewaySettings settings)
      : fleet_(fleet),
        settings_(std::move(settings)),
        shard_(static_cast<std::uint32_t>(runtime::Shard::current().index()) & kShardMask) {}
  ~Impl() { close(); }

  Result<void> listen() {
    for (const runtime::SocketAddress& address : settings_.listen) {
      auto opened = runtime::Listener::open(address, {.unix_mode = settings_.unix_mode});
      if (!opened.ok()) return opened.error();
      addresses_.push_back((*opened)->address());
      Door& door = doors_.emplace_back();
      door.listener = *std::move(opened);
      door.task.start(accept(*door.listener));
    }
    return {};
  }

  void close() noexcept {
    if (std::exchange(closed_, true)) return;
    doors_.clear();
    for (const auto& [id, client] : clients_) {
      client->end("57P01", "terminating connection due to administrator command");
    }
    clients_.clear();
    ended_.clear();
  }

  [[nodiscard]] const std::vector<runtime::SocketAddress>& addresses() const noexcept { return addresses_; }
  [[nodiscard]] GatewayStatus status() const noexcept {
    GatewayStatus status = status_;
    status.clients = static_cast<std::uint32_t>(clients_.size());
    for (const auto& [id, client] : clients_) status.serving += client->serving() ? 1U : 0U;
    return status;
  }

 private:
  struct Door {
    std::unique_ptr<runtime::Listener> listener;
    runtime::OwnedTask task;
  };

  Task<void> accept(runtime::Listener& listener) {
    for (;;) {
      Result<std::unique_ptr<runtime::Stream>> stream = co_await listener.accept();
      if (stream.ok()) {
        add(*std::move(stream));
      } else if (stream.error().kind() == ErrorKind::Closed) {
        co_return;
      } else {
        co_await sleep(kAcceptPause);
      }
    }
  }

  void add(std::unique_ptr<runtime::Stream> stream) {
    ++status_.accepted;
    if (clients_.size() - authenticated_ >= settings_.max_logins) {
      ++status_.refused;
      return;
    }
    std::uint32_t id = 0;
    do {
      number_ = (number_ + 1) & kNumberMask;
      id = shard_ << kShardShift | number_;
    } while (number_ == 0 || clients_.contains(id));
    auto client = std::make_unique<ClientSession>(*this, std::move(stream), id);
    ClientSession& added = *client;
    clients_.emplace(id, std::move(client));
    added.start();
  }

  Fleet& fleet() noexcept override { return fleet_; }
  const GatewaySettings& settings() const noexcept override { return settings_; }
  bool has_room() const noexcept override { return authenticated_ < settings_.max_clients; }
  void on_authenticated(ClientSession& /*client*/) noexcept override { ++authenticated_; }

  Console& console() noexcept override { return console_; }

  GatewaySettings& console_settings() noexcept override { return settings_; }
  std::vector<ClientReport> client_reports() const override {
    std::vector<ClientReport> reports;
    for (const auto& [id, client] : clients_) reports.push_back(client->report());
    std::ranges::sort(reports, {}, &ClientReport::id);
    return reports;
  }
  bool end_client(std::uint32_t id, std::string_view sqlstate, std::string message) noexcept override {
    const auto found = clients_.find(id);
    if (found == clients_.end() || !found->second->authenticated()) return false;
    found->second->end(sqlstate, std::move(message));
    return true;
  }
  void give_sessions_back(std::string_view /*database*/) noexcept override {}
  void suspend(bool on) noexcept override {
    for (const auto& [id, client] : clients_) client->set_suspended(on);
  }
  void stop_accepting() noexcept override {
    std::erase_if(doors_, [](const Door& door) { return !door.listener->address().is_unix(); });
  }

  bool cancel(const protocol::BackendKey& key, ClientSession& asker) noexcept override {
    const auto found = clients_.find(static_cast<std::uint32_t>(key.process_id));
    const bool known = found != clients_.end() && found->second->cancel(key, asker.id());
    ++(known ? status_.cancels : status_.unknown_cancels);
    return known;
  }
  void on_cancel_done(std::uint32_t asker) noexcept override {
    if (const auto found = clients_.find(asker); found != clients_.end()) found->second->on_cancel_done();
  }

  void on_ended(ClientSession& client) noexcept override {
    if (client.authenticated()) --authenticated_;
    if (!client.was_served() && !client.asked_to_cancel()) ++status_.refused;
    if (closed_) return;  // all go
    ended_.push_back(client.id());
    reap_.schedule();
  }
  static void on_reap(void* self) noexcept {
    auto& gateway = *static_cast<Impl*>(self);
    for (const std::uint32_t id : std::exchange(gateway.ended_, {})) gateway.clients_.erase(id);
  }

  Fleet& fleet_;
  GatewaySettings settings_;
  std::uint32_t shard_;
  std::uint32_t number_ = 0;
  std::uint32_t authenticated_ = 0;
  bool closed_ = false;
  GatewayStatus status_;
  std::vector<runtime::SocketAddress> addresses_;
  std::unordered_map<std::uint32_t, std::unique_ptr<ClientSession>> clients_;
  std::vector<std::uint32_t> ended_;
  Console console_{*this};
  runtime::TurnEnd reap_{&Impl::on_reap, this};
  std::list<Door> doors_;
};

Gateway::Gateway(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::open(Fleet& fleet, GatewaySettings settings) {
  auto impl = std::make_unique<Impl>(fleet, std::move(settings));
  const Result<void> listening = impl->listen();
  if (!listening.ok()) return listening.error();
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

const std::vector<runtime::SocketAddress>& Gateway::addresses() const noexcept { return impl_->addresses(); }
GatewayStatus Gateway::status() const noexcept { return impl_->status(); }
void Gateway::close() noexcept { impl_->close(); }

}  // namespace switchyard::inline v0::gateway
