#include <switchyard/gateway/gateway.hpp>

#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/handover.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include <time.h>

namespace switchyard::inline v0::gateway {
namespace {

/// The process id that a client is told: its shard above, a number below, never negative and never 0.
constexpr unsigned kShardShift = 24;
constexpr std::uint32_t kLastNumber = (1U << kShardShift) - 1;
/// Above every process id of Linux (PID_MAX_LIMIT): who gives the id of its key to pg_terminate_backend() or
/// pg_cancel_backend() meets no process of the server's.
constexpr std::uint32_t kFirstNumber = (1U << 22) + 1;
constexpr std::uint32_t kShardMask = 0x7f;

/// Without a file descriptor to spare, accepting is tried again after this.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
/// Clients are looked at this often where they may not be idle for ever.
constexpr Duration kIdleLook = std::chrono::seconds(1);
/// Clients that were busy are looked at again after this.
constexpr Duration kDrainPause = std::chrono::milliseconds(20);

constexpr std::string_view kShutdownMessage = "terminating connection due to administrator command";

/// At a hand-over, so many looks for clients that can go to one for databases that nobody uses.
constexpr std::uint32_t kRetireLooks = 50;

/// The other shards hear this often how much this one works.
constexpr Duration kLoadReport = std::chrono::seconds(1);

/// Of this thread.
Duration processor_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

GatewayStatus& GatewayStatus::operator+=(const GatewayStatus& other) noexcept {
  clients += other.clients;
  serving += other.serving;
  holding += other.holding;
  waiting += other.waiting;
  roles += other.roles;
  sessions += other.sessions;
  logins += other.logins;
  handed_over += other.handed_over;
  taken_over += other.taken_over;
  accepted += other.accepted;
  refused += other.refused;
  cancels += other.cancels;
  unknown_cancels += other.unknown_cancels;
  queries += other.queries;
  shared += other.shared;
  pinned += other.pinned;
  at_replicas += other.at_replicas;
  reads_at_primary += other.reads_at_primary;
  return *this;
}

class Gateway::Impl final : public ClientHost,
                            private ConsoleHost,
                            private ShardMember,
                            private HandoverHost,
                            private TakeoverHost {
 public:
  Impl(Fleet& fleet, GatewaySettings settings)
      : fleet_(fleet),
        settings_(std::move(settings)),
        shard_(static_cast<std::uint32_t>(runtime::Shard::current().index()) & kShardMask) {}
  ~Impl() { close(); }

  Result<void> listen() {
    shares_->set_limits(SessionShares::limits_of(settings_.config));
    if (settings_.shards) {
      if (!settings_.shards->join(runtime::Shard::current(), *this)) {
        return Error(ErrorKind::Usage, "a gateway has one part a shard, and " +
                                           std::to_string(ShardDirectory::kMaxShards) + " shards at most");
      }
      joined_ = true;
      processor_time_ = processor_time();
      load_.arm(deadline_after(runtime::now(), kLoadReport));
    }
    SY_TRY(take_over());
    for (const runtime::SocketAddress& address : settings_.listen) {
      const bool taken_over = std::ranges::any_of(
          doors_, [&](const Door& door) { return !takeovers_.empty() && is_at(*door.listener, address); });
      if (taken_over || (settings_.keep_doors && !takeovers_.empty())) continue;
      auto opened = runtime::Listener::open(address, {.unix_mode = settings_.unix_mode});
      if (!opened.ok()) return opened.error();
      add_door(*std::move(opened));
    }
    watch_idle();
    for (const auto& takeover : takeovers_) SY_TRY(takeover->start(*this));
    if (settings_.handover_path.empty()) return {};
    auto handover = Handover::open(settings_.handover_path, *this);
    if (!handover.ok()) return handover.error();
    handover_ = *std::move(handover);
    if (joined_) {
      settings_.shards->call_others(
          shard_, [path = settings_.handover_path](ShardMember& member) { member.await_successor(path); });
    }
    return {};
  }

  void close() noexcept {
    if (std::exchange(closed_, true)) return;
    if (joined_) settings_.shards->leave(shard_);
    load_.disarm();
    idle_.disarm();
    close_doors();
    handover_.reset();
    takeovers_.clear();
    for (const auto& [id, client] : clients_) {
      client->end(kAdminShutdown, std::string(kShutdownMessage));
    }
    clients_.clear();
    ended_.clear();
    destinations_.clear();
    access_.close();
  }

  [[nodiscard]] const std::vector<runtime::SocketAddress>& addresses() const noexcept { return addresses_; }
  [[nodiscard]] GatewayStatus status() const noexcept {
    GatewayStatus status = status_;
    status.clients = static_cast<std::uint32_t>(clients_.size());
    for (const auto& [id, client] : clients_) {
      status.serving += client->serving() ? 1U : 0U;
      status.holding += client->holds_session() ? 1U : 0U;
      status.waiting += client->waits_for_session() ? 1U : 0U;
    }
    each_destination([&](const Destination& destination) { status.sessions += destination.status().links; });
    status.roles = static_cast<std::uint32_t>(access_.roles().places().size());
    status.logins = status.clients - authenticated_;
    for (const auto& [name, page] : console_.traffic().pages()) {
      status.queries += page.now.queries;
      status.shared += page.now.shared;
      status.pinned += page.now.pinned;
      status.at_replicas += page.now.at_replicas;
      status.reads_at_primary += page.now.reads_at_primary;
    }
    return status;
  }

  void reload(GatewaySettings settings) noexcept {
    settings_.tls = std::move(settings.tls);
    settings_.users = std::move(settings.users);
    access_.reload(settings.fleet);
    settings_.trust_own_account = settings.trust_own_account;
    settings_.rules = std::move(settings.rules);
    settings_.config = std::move(settings.config);
    settings_.one_role = std::move(settings.one_role);
    settings_.aliases = std::move(settings.aliases);
    settings_.trust_known_only = settings.trust_known_only;
    settings_.login_timeout = settings.login_timeout;
    settings_.max_clients = settings.max_clients;
    settings_.max_logins = settings.max_logins;
    // The console's functions may be what is running now.
    settings_.console.admin_users = std::move(settings.console.admin_users);
    settings_.console.stats_users = std::move(settings.console.stats_users);
    on_settings_changed();
  }

  Task<void> drain(Duration patience) {
    close_doors();
    const TimePoint deadline = deadline_after(runtime::now(), patience);
    while (!closed_ && runtime::now() < deadline) {
      bool busy = false;
      for (const auto& [id, client] : clients_) {
        if (client->busy()) {
          busy = true;
        } else {
          client->end(kAdminShutdown, std::string(kShutdownMessage));
        }
      }
      if (!busy) break;
      co_await sleep(kDrainPause);
    }
    close();
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
    if (clients_.size() - authenticated_ - ended_.size() >= settings_.max_logins) make_room();
    const std::uint32_t id = next_id();
    logins_.push_back(id);
    ClientSession& added =
        *clients_.emplace(id, std::make_unique<ClientSession>(*this, std::move(stream), id)).first->second;
    added.start();
  }

  /// Whoever has not logged in for longest goes: connections that say nothing keep nobody out.
  void make_room() noexcept {
    while (!logins_.empty()) {
      const auto found = clients_.find(logins_.front());
      logins_.pop_front();
      if (found == clients_.end() || !found->second->logging_in()) continue;
      return found->second->end(kTooManyConnections, "too many connections are logging in");
    }
  }

  // ---- another process ----

  /// Goes on with the sockets of a process that runs.
  Result<void> take_over() {
    if (!settings_.take_over || settings_.handover_path.empty()) return {};
    for (std::uint32_t shard = 0; shard < ShardDirectory::kMaxShards; ++shard) {
      auto connection = runtime::DescriptorChannel::connect(handover_path(settings_.handover_path, shard));
      if (!connection.ok()) break;  // nobody is there
      auto begun = Takeover::begin(*std::move(connection));
      if (!begun.ok()) return begun.error();
      Takeover& takeover = **takeovers_.emplace(takeovers_.end(), *std::move(begun));
      for (const std::uint32_t id : takeover.ids()) expected_.emplace(id, &takeover);
      if (joined_) settings_.shards->expect(takeover.ids());
      for (runtime::Descriptor& socket : takeover.take_doors()) {
        auto adopted = runtime::Listener::adopt(std::move(socket));
        if (!adopted.ok()) return adopted.error();
        add_door(*std::move(adopted));
      }
    }
    return {};
  }
  void add_door(std::unique_ptr<runtime::Listener> listener) {
    addresses_.push_back(listener->address());
    Door& door = doors_.emplace_back();
    door.listener = std::move(listener);
    door.task.start(accept(*door.listener));
  }
  [[nodiscard]] static bool is_at(const runtime::Listener& listener, const runtime::SocketAddress& address) {
    const runtime::SocketAddress& own = listener.address();
    return own == address ||
           (!own.is_unix() && !address.is_unix() && address.port() == 0 && own.host() == address.host());
  }

  void adopt(TravellingClient client, runtime::Descriptor socket) noexcept override {
    expected_.erase(client.id);
    std::uint32_t target = shard_;
    if (const auto name = fleet_.config().resolve(client.database); joined_ && name.ok()) {
      target = settings_.shards->place(name->database->name, client.user);
      settings_.shards->remember(name->database->name, client.user, target);
    }
    if (target == shard_) return adopt_travelling(std::move(client), std::move(socket));
    auto leaving =
        std::make_shared<std::pair<TravellingClient, runtime::Descriptor>>(std::move(client), std::move(socket));
    settings_.shards->call(target, [leaving](ShardMember& member) {
      member.adopt_travelling(std::move(leaving->first), std::move(leaving->second));
    });
  }
  void adopt_travelling(TravellingClient client, runtime::Descriptor socket) noexcept override {
    auto stream = runtime::Stream::adopt(socket.release(), client.received, client.unsent);
    if (!stream.ok() || clients_.contains(client.id)) return;
    ++status_.accepted;
    ++status_.taken_over;
    if (joined_) settings_.shards->settle(client.id, shard_);
    auto session = std::make_unique<ClientSession>(*this, *std::move(stream), client);
    clients_.emplace(client.id, std::move(session)).first->second->arrive(client);
  }
  void on_taken_over(const Takeover& over) noexcept override {
    std::erase_if(expected_, [&](const auto& one) { return one.second == &over; });
    if (joined_) settings_.shards->expect_no_more(over.ids());
  }

  void await_successor(const std::string& path) noexcept override {
    auto handover = Handover::open(handover_path(path, shard_), *this);
    if (handover.ok()) {
      handover_ = *std::move(handover);
    } else {
      log::warning("gateway", "handover_failed",
                   "nobody can take over from shard " + std::to_string(shard_) + ": " +
                       std::string(handover.error().message()));
    }
  }

  [[nodiscard]] std::vector<std::uint32_t> client_ids() const override {
    std::vector<std::uint32_t> ids;
    for (const auto& [id, client] : clients_) ids.push_back(id);
    return ids;
  }
  [[nodiscard]] std::vector<int> doors() const override {
    std::vector<int> sockets;
    for (const Door& door : doors_) sockets.push_back(door.listener->native_handle());
    return sockets;
  }
  void set_accepting(bool on) noexcept override {
    if (on) {
      set_left(ShardDirectory::kUnknown);
      for (const std::string& database : std::exchange(retired_, {})) resume_if_free(database);
    }
    for (Door& door : doors_) {
      if (on) {
        door.task.start(accept(*door.listener));
      } else {
        door.task.reset();
      }
    }
  }
  void depart_clients(Duration waited) override {
    std::vector<std::uint32_t> late;
    for (const auto& [id, client] : clients_) {
      if (!handover_->has_room()) break;
      if (client->can_travel()) {
        runtime::StreamParcel parcel;
        const std::optional<TravellingClient> leaving = client->travel(parcel);
        if (!leaving || !parcel) continue;  // it is too large, or has ended by itself
        handover_->send(*leaving, parcel.native_handle());
        if (!handover_->departing()) return;
        ++status_.handed_over;
      } else if (waited >
                     (client->stays() ? *settings_.config.handover_tls_limit : *settings_.config.handover_limit) &&
                 client->serving()) {
        late.push_back(id);
      }
    }
    for (const std::uint32_t id : late) {
      clients_.at(id)->end(kAdminShutdown,
                           "terminating connection: another process has taken over, and "
                           "handover_limit has passed");
    }
    if (looks_++ % kRetireLooks == 0) retire_databases();
  }
  /// What no client here uses has no sessions here: the successor needs them.
  void retire_databases() {
    std::set<std::string> used;
    for (const auto& [id, client] : clients_) {
      if (!client->over() && client->place() != nullptr) used.insert(client->place()->name);
    }
    for (const DatabaseConfig& database : fleet_.config().databases) {
      if (!database.configured()) continue;
      const bool in_use = used.contains(database.name);
      if (in_use && retired_.erase(database.name) != 0) {
        resume_if_free(database.name);
      } else if (!in_use && retired_.insert(database.name).second) {
        each_fleet([&](Fleet& fleet) { (void)fleet.pause(database.name); });
        give_sessions_back(database.name);
      } else if (in_use) {
        give_sessions_back(database.name);
      }
    }
  }
  void resume_if_free(const std::string& database) {
    if (console_.paused(database)) return;
    each_fleet([&](Fleet& fleet) { (void)fleet.resume(database); });
  }
  void set_left(std::uint32_t clients) noexcept {
    if (joined_) settings_.shards->set_left(shard_, clients);
  }
  /// The paths of Unix-domain sockets are removed, unless they are another process's by now.
  void close_doors() noexcept {
    if (handover_ && handover_->departing()) {
      for (Door& door : doors_) door.listener->abandon();
    }
    doors_.clear();
  }
  [[nodiscard]] std::size_t clients_left() noexcept override {
    // The console is of this process, and ends with it.
    const auto left = std::ranges::count_if(
        clients_, [](const auto& client) { return !client.second->over() && !client.second->on_console(); });
    set_left(static_cast<std::uint32_t>(left));
    return joined_ ? settings_.shards->all_left() : static_cast<std::size_t>(left);
  }
  void cancel_for_successor(const protocol::BackendKey& key) noexcept override {
    const auto found = clients_.find(static_cast<std::uint32_t>(key.process_id));
    if (found != clients_.end()) (void)found->second->cancel(key, 0);
  }
  void on_handed_over() noexcept override {
    for (Door& door : doors_) door.listener->abandon();
    close_doors();
    if (settings_.on_handed_over) settings_.on_handed_over();
  }

  std::uint32_t next_id() noexcept {
    std::uint32_t id = 0;
    do {
      number_ = number_ == kLastNumber ? kFirstNumber : number_ + 1;
      id = shard_ << kShardShift | number_;
    } while (clients_.contains(id) || expected_.contains(id) || (joined_ && settings_.shards->is_travelled(id)));
    return id;
  }

  // ---- other shards ----

  [[nodiscard]] static std::uint32_t shard_of(std::uint32_t id) noexcept { return id >> kShardShift & kShardMask; }

  bool place(ClientSession& client) noexcept override {
    if (!joined_ || console_.is_console(client.login().database)) return false;
    if (handover_ && handover_->departing()) return false;  // the others may have nothing left to do
    // Who wants what there is not is refused here.
    const auto found =
        find_database(fleet_.config(), settings_.meant_by(client.login().database), client.login().user, {});
    if (!found.ok()) return false;
    const std::uint32_t target = settings_.shards->place(found->database->name, client.login().user);
    if (target == shard_) return false;
    auto leaving = std::make_shared<ArrivingClient>(client.depart());
    // Without that shard the connection ends, as it would have with it.
    settings_.shards->call(target, [leaving](ShardMember& member) { member.adopt(std::move(*leaving)); });
    return true;
  }

  void adopt(ArrivingClient client) noexcept override {
    auto stream = runtime::Stream::attach(std::move(client.connection));
    if (!stream.ok()) return;
    ++status_.accepted;
    const std::uint32_t id = next_id();
    auto session = std::make_unique<ClientSession>(*this, *std::move(stream), id, std::move(client.startup));
    clients_.emplace(id, std::move(session)).first->second->start_over();
  }

  void cancel_for(const protocol::BackendKey& key, std::uint32_t asker) noexcept override {
    if (!cancel_here(key, asker)) on_cancel_done(asker);
  }

  void obey(const ConsoleOrder& order) noexcept override { console_.obey(order); }
  void pass_on(const ConsoleOrder& order) override {
    if (joined_) settings_.shards->call_others(shard_, [order](ShardMember& member) { member.obey(order); });
  }
  void look(ReportParts parts, std::function<void(const ShardReport&)> then) override {
    if (!joined_) return then(report(parts));
    questions_.emplace(++question_, std::move(then));
    settings_.shards->gather(shard_, question_, parts);
  }
  void on_reports(std::uint64_t question, const ShardReport& all) noexcept override {
    const auto asked = questions_.extract(question);
    if (!asked.empty()) asked.mapped()(all);
  }
  ShardReport report(ReportParts parts) const override {
    ShardReport report;
    const auto add_pools = [&](const std::string& role, const Fleet& fleet) {
      ShardReport part;
      part.pools.push_back({role, fleet.status()});
      if (parts.sessions) part.sessions = fleet.sessions();
      gateway::add(report, std::move(part));
    };
    add_pools({}, fleet_);
    for (const auto& role : access_.roles().places()) add_pools(role->login.role, *role->fleet);
    if (parts.clients) report.clients = client_reports();
    if (parts.traffic) report.traffic = console_.traffic();
    if (parts.statements) {
      each_destination([&](const Destination& destination) { destination.report_statements(report.statements); });
    }
    return report;
  }

  // ---- who asks for nothing ----

  void watch_idle() noexcept {
    const bool wanted = *settings_.config.client_idle_timeout > Duration::zero() ||
                        *settings_.config.idle_transaction_timeout > Duration::zero();
    if (wanted && !closed_) idle_.arm(deadline_after(runtime::now(), kIdleLook));
  }
  static void on_idle(void* self) noexcept {
    auto& gateway = *static_cast<Impl*>(self);
    const TimePoint now = runtime::now();
    for (const auto& [id, client] : gateway.clients_) gateway.end_if_idle(*client, now);
    gateway.watch_idle();
  }
  void end_if_idle(ClientSession& client, TimePoint now) noexcept {
    const ClientSession::Idleness idle = client.idleness(now);
    const Duration limit =
        idle.in_transaction ? *settings_.config.idle_transaction_timeout : *settings_.config.client_idle_timeout;
    if (limit <= Duration::zero() || idle.time < limit) return;
    if (idle.in_transaction) {
      client.end("25P03", "idle transaction timeout");
    } else {
      client.end("57P05", "client_idle_timeout");
    }
  }

  static void on_load(void* self) noexcept {
    auto& gateway = *static_cast<Impl*>(self);
    const Duration now = processor_time();
    const Duration worked = now - std::exchange(gateway.processor_time_, now);
    gateway.settings_.shards->report_load(gateway.shard_,
                                          static_cast<std::uint32_t>(worked / (kLoadReport / 1000)));
    gateway.load_.arm(deadline_after(runtime::now(), kLoadReport));
  }

  Fleet& fleet() noexcept override { return fleet_; }
  const GatewaySettings& settings() const noexcept override { return settings_; }
  Access& access() noexcept override { return access_; }
  Destination& destination(const std::string& database, RoleFleets::Place* role) override {
    std::unique_ptr<Destination>& known = role != nullptr ? role->destinations[database] : destinations_[database];
    if (!known) {
      if (role != nullptr && console_.paused(role->database)) (void)role->fleet->pause(role->database);
      Fleet& fleet = role != nullptr ? *role->fleet : fleet_;
      Destination::Options options{.longest_wait = *settings_.config.query_wait_timeout, .shares = shares_};
      options.owners = fleet::owner_guard(fleet_);
      if (const auto name = fleet.config().resolve(database); name.ok()) {
        options.fleet_database = name->database->name;
        options.user = name->database->primary.connection.user;
      }
      if (role != nullptr) options.user = role->login.role;
      // Views of a database have the same sessions.
      const std::string base(Destination::base_name(fleet.config(), database));
      if (base != database) options.house = destination(base, role).house();
      known = std::make_unique<Destination>(fleet, database, std::move(options));
      known->set_max_prepared(settings_.max_prepared_statements);
    }
    return *known;
  }
  /// Of the fleet's role, and of the others'.
  template <class Each>
  void each_destination(Each each) const {
    for (const auto& [name, destination] : destinations_) each(*destination);
    for (const auto& role : access_.roles().places()) {
      for (const auto& [name, destination] : role->destinations) each(*destination);
    }
  }
  bool has_room() const noexcept override {
    return (joined_ ? settings_.shards->clients.load(std::memory_order_relaxed) : authenticated_) <
           settings_.max_clients;
  }
  void on_authenticated(ClientSession& client) noexcept override {
    ++authenticated_;
    if (!joined_) return;
    settings_.shards->clients.fetch_add(1, std::memory_order_relaxed);
    const auto found =
        find_database(fleet_.config(), settings_.meant_by(client.login().database), client.login().user, {});
    if (found.ok()) settings_.shards->remember(found->database->name, client.login().user, shard_);
  }

  std::shared_ptr<WriteMark> write_mark(std::string_view database) override {
    return (settings_.shards ? settings_.shards->write_marks : write_marks_).of(database);
  }

  void on_catalogue_change() noexcept override {
    each_destination([](Destination& destination) { destination.statements().interns.begin_epoch(); });
  }

  Console& console() noexcept override { return console_; }

  void each_fleet(const std::function<void(Fleet&)>& apply) const override {
    apply(fleet_);
    for (const auto& role : access_.roles().places()) apply(*role->fleet);
  }
  GatewaySettings& console_settings() noexcept override { return settings_; }
  void on_settings_changed() noexcept override {
    shares_->set_limits(SessionShares::limits_of(settings_.config));
    each_destination([&](Destination& destination) {
      destination.set_longest_wait(*settings_.config.query_wait_timeout);
      destination.set_max_prepared(settings_.max_prepared_statements);
    });
    watch_idle();
  }
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
  void give_sessions_back(std::string_view database) noexcept override {
    each_destination([&](Destination& destination) {
      if (database.empty() || destination.belongs_to(database)) destination.give_back();
    });
  }
  void suspend(bool on) noexcept override {
    for (const auto& [id, client] : clients_) client->set_suspended(on);
  }
  void stop_accepting() noexcept override {
    std::erase_if(doors_, [](const Door& door) { return !door.listener->address().is_unix(); });
  }

  bool cancel(const protocol::BackendKey& key, ClientSession& asker) noexcept override {
    const auto id = static_cast<std::uint32_t>(key.process_id);
    const std::uint32_t target = home_of(id);
    if (!access_.may_cancel(asker.address())) {
      ++status_.unknown_cancels;
      return false;
    }
    // It is answered as if it had been cancelled: the old process is told and does it.
    if (const auto expected = expected_.find(id); expected != expected_.end()) expected->second->cancel(key);
    if (target == shard_) return cancel_here(key, asker.id());
    return joined_ && settings_.shards->call(
                          target, [key, id = asker.id()](ShardMember& member) { member.cancel_for(key, id); });
  }
  /// The shard of a client with that id.
  [[nodiscard]] std::uint32_t home_of(std::uint32_t id) const {
    if (clients_.contains(id)) return shard_;
    const auto settled = joined_ ? settings_.shards->home_of(id) : std::nullopt;
    return settled.value_or(shard_of(id));
  }
  bool cancel_here(const protocol::BackendKey& key, std::uint32_t asker) noexcept {
    const auto found = clients_.find(static_cast<std::uint32_t>(key.process_id));
    const bool known = found != clients_.end() && found->second->cancel(key, asker);
    ++(known ? status_.cancels : status_.unknown_cancels);
    return known;
  }
  void on_cancel_done(std::uint32_t asker) noexcept override {
    if (shard_of(asker) != shard_) {
      settings_.shards->call(shard_of(asker), [asker](ShardMember& member) { member.on_cancel_done(asker); });
    } else if (const auto found = clients_.find(asker); found != clients_.end()) {
      found->second->on_cancel_done();
    }
  }

  void on_ended(ClientSession& client) noexcept override {
    access_.leave(client.id());
    if (client.authenticated()) {
      --authenticated_;
      if (joined_) settings_.shards->clients.fetch_sub(1, std::memory_order_relaxed);
    }
    if (joined_ && client.has_travelled()) settings_.shards->unsettle(client.id());
    if (client.departed()) {
      --status_.accepted;  // where it has gone it is counted
    } else if (!client.was_served() && !client.asked_to_cancel()) {
      ++status_.refused;
    }
    if (closed_) return;  // all go
    ended_.push_back(client.id());
    reap_.schedule();
  }
  static void on_reap(void* self) noexcept {
    auto& gateway = *static_cast<Impl*>(self);
    for (const std::uint32_t id : std::exchange(gateway.ended_, {})) gateway.clients_.erase(id);
    while (!gateway.logins_.empty()) {
      const auto found = gateway.clients_.find(gateway.logins_.front());
      if (found != gateway.clients_.end() && found->second->logging_in()) break;
      gateway.logins_.pop_front();
    }
  }

  Fleet& fleet_;
  GatewaySettings settings_;
  std::uint32_t shard_;
  std::uint32_t number_ = kLastNumber;
  std::uint32_t authenticated_ = 0;
  bool closed_ = false;
  bool joined_ = false;
  Duration processor_time_{};
  runtime::Timer load_{&Impl::on_load, this};
  runtime::Timer idle_{&Impl::on_idle, this};
  GatewayStatus status_;
  std::vector<runtime::SocketAddress> addresses_;
  Access access_{fleet_, settings_, [this](std::uint32_t client, std::string message) {
                   (void)end_client(client, kInvalidAuthorization, std::move(message));
                 }};
  const std::shared_ptr<SessionShares> shares_ =
      settings_.shards ? settings_.shards->shares : std::make_shared<SessionShares>(SessionShares::Limits());
  std::map<std::string, std::unique_ptr<Destination>> destinations_;
  WriteMarks write_marks_;
  std::unordered_map<std::uint32_t, std::unique_ptr<ClientSession>> clients_;
  std::vector<std::uint32_t> ended_;
  std::deque<std::uint32_t> logins_;  ///< in the order in which they came; some are past it, or gone
  Console console_{*this};
  runtime::TurnEnd reap_{&Impl::on_reap, this};
  std::list<Door> doors_;
  std::unique_ptr<Handover> handover_;
  std::vector<std::unique_ptr<Takeover>> takeovers_;  ///< one for each shard of the other process
  std::set<std::string> retired_;  ///< databases that nobody here needs any more: the successor has them
  std::uint32_t looks_ = 0;
  std::uint64_t question_ = 0;
  std::map<std::uint64_t, std::function<void(const ShardReport&)>>
      questions_;  ///< of the console, not answered yet
  /// Ids of clients that may come from another process, and by which way.
  std::unordered_map<std::uint32_t, Takeover*> expected_;
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
void Gateway::reload(GatewaySettings settings) noexcept { impl_->reload(std::move(settings)); }
SWITCHYARD_COROUTINE_WRAPPER Task<void> Gateway::drain(Duration patience) { return impl_->drain(patience); }
void Gateway::close() noexcept { impl_->close(); }

}  // namespace switchyard::inline v0::gateway
