#include <switchyard/base/units.hpp>
#include <switchyard/fleet/places.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// `options` at other hosts, with the credentials of its own.
ConnectionOptions at_hosts(ConnectionOptions options, std::vector<HostSpec> hosts) {
  for (HostSpec& host : hosts) {
    if (!options.hosts.empty()) host.password = options.hosts.front().password;
  }
  options.hosts = std::move(hosts);
  options.target_session_attrs = TargetSessionAttrs::any;
  return options;
}

/// Reads at the primary: sessions come when they are needed.
PoolConfig make_reader_pool(const DatabaseConfig& config, bool limited) {
  PoolConfig out = config.pool;
  out.min = 0u;
  if (limited) {
    const double share = std::ceil(*config.primary_read_share * *config.pool.max);
    out.max = std::clamp(static_cast<std::uint32_t>(share), 1u, *config.pool.max);
    out.max_setting =
        "database." + config.name + ".primary_read_share (of pool.max, for reads that no replica serves)";
  }
  return out;
}

/// Sessions beyond what the processors serve at one time only make the groups smaller, and each process woken
/// costs.
pool::LaneLimits lane_limits() {
  pool::LaneLimits limits;
  limits.sessions = std::clamp(std::thread::hardware_concurrency() / 2, 2U, limits.sessions);
  return limits;
}

}  // namespace

Places::Places(const DatabaseConfig& config, std::string region, SharedPermits& permits)
    : config_(config),
      region_(std::move(region)),
      breakers_(permits.breakers()),
      lanes_(config, [this] { return primary(); }) {
  for (const ReplicaConfig& replica : config.replicas) {
    if (!replica.endpoint.configured()) continue;
    replicas_.push_back({.config = &replica, .place = 0, .endpoint = nullptr});
  }
  reader_pool_ = make_reader_pool(config, has_replicas());
  if (config.configured()) {
    permits_ = permits.get(config.name, *config.pool.max, config.primary, /*primary=*/true);
    sides_.push_back(std::make_unique<Side>());
    sides_.front()->connection = config.primary.connection;
    if (config.write.configured()) sides_.front()->write_connection = config.write.connection;
  }
  add_places();
  for (Replica& replica : replicas_) {
    const ReplicaConfig& of = *replica.config;
    permits_ = permits.get(config.name + " " + of.name, *of.pool.max, of.endpoint, /*primary=*/false);
    // A replica that is promoted takes writes: what is called a read must not become one.
    replica.endpoint =
        make_endpoint(EndpointRole::replica, of.name, of.endpoint.connection, of.pool, /*read_only=*/true);
    // What may share was found out in the catalogue of the primary's database: a logical replica has its own.
    if (!*of.logical && of.endpoint.connection.dbname == config.primary.connection.dbname)
      give_lane(*replica.endpoint);
  }
  if (config.configured()) {
    permits_ = permits.get(config.name, *config.pool.max, config.primary, /*primary=*/true);
    open_side(0);
  }
  const bool patroni = config.configured() && !config.patroni->empty();
  const bool choice = config.configured() ? watched_places_.size() > 1 || patroni : has_replicas();
  if (choice && watched_places_.size() <= kMostPlaces) {
    watch_ = std::make_unique<TopologyWatch>(
        config.name, watched_places_,
        ProbeSettings{.interval = std::max<Duration>(*config.probe_interval, kUrgentProbe)},
        static_cast<TopologyWatch::Observer&>(*this));
    if (patroni) {
      patroni_ = std::make_unique<PatroniSource>(config.name, *config.patroni, *config.probe_interval,
                                                 [this](const auto& members) { on_members(members); });
    }
  }
}

Places::~Places() { lanes_.stop(); }

void Places::add_place(WatchedPlace place, const std::vector<HostSpec>& hosts) {
  if (config_.configured()) {
    auto& made = sides_.emplace_back();
    if (place.description.candidate) {
      made = std::make_unique<Side>();
      made->connection = at_hosts(config_.primary.connection, hosts);
      if (config_.write.configured()) made->write_connection = at_hosts(config_.write.connection, hosts);
    }
  }
  watched_places_.push_back(std::move(place));
}

void Places::add_places() {
  if (config_.configured()) {
    const ConnectionOptions& connection = config_.primary.connection;
    for (const HostSpec& host : connection.hosts) {
      WatchedPlace place{.description = {}, .connection = connection};
      place.connection.hosts = {host};
      place.description.name = connection.hosts.size() == 1 ? "primary" : "host " + host.display();
      place.description.location = place.connection.location();
      place.description.region = *config_.primary.region;
      place.description.configured = true;
      add_place(std::move(place), {host});
    }
  }
  for (Replica& replica : replicas_) {
    const ReplicaConfig& of = *replica.config;
    replica.place = watched_places_.size();
    WatchedPlace place{.description = {}, .connection = of.endpoint.connection};
    place.description.name = of.name;
    place.description.location = of.endpoint.connection.location();
    place.description.region = *of.endpoint.region;
    place.description.purposes = *of.purposes;
    place.description.replica = true;
    place.description.logical = *of.logical;
    place.description.candidate =
        config_.configured() && !*of.logical && of.endpoint.connection.dbname == config_.primary.connection.dbname;
    place.description.max_lag = *of.max_lag;
    add_place(std::move(place), of.endpoint.connection.hosts);
  }
}

std::unique_ptr<Endpoint> Places::make_endpoint(EndpointRole role, std::string name,
                                                const ConnectionOptions& connection, const PoolConfig& pool,
                                                bool read_only, std::string breakers_of) {
  auto endpoint = std::make_unique<Endpoint>(EndpointSettings{.database = config_.name,
                                                              .role = role,
                                                              .name = std::move(name),
                                                              .read_only = read_only,
                                                              .exhaustion = *config_.observability.pool_exhaustion,
                                                              .breakers = &breakers_,
                                                              .breakers_of = std::move(breakers_of)},
                                             connection, config_, pool, permits_);
  endpoint->set_listener(this);
  endpoint->set_paused(paused_);
  if (role != EndpointRole::replica) give_lane(*endpoint);
  return endpoint;
}

void Places::give_lane(Endpoint& endpoint) {
  endpoint.set_lane({.enabled = *config_.lane == LaneMode::automatic && *config_.prepared_statements,
                     .limits = lane_limits(),
                     .single_flight = *config_.single_flight},
                    lanes_);
}

void Places::open_side(std::size_t index) {
  Side& side = *sides_[index];
  if (side.primary) return;
  // Breakers go by these names: that of a lost primary must not hold up its successor.
  const std::string place = index == 0 ? "" : " at " + watched_places_[index - 1].description.name;
  const bool read_only = *config_.read_only;
  const bool several_hosts = index == 0 && config_.primary.connection.hosts.size() > 1;
  PoolConfig pool = config_.pool;
  // Which of several hosts it is shows at the first look; until then nothing is kept open.
  if (several_hosts) pool.min = 0u;
  side.primary = make_endpoint(EndpointRole::primary, "primary" + place, side.connection, pool, read_only);
  if (read_only || side.write_connection) {
    side.writer =
        make_endpoint(EndpointRole::write, "write" + place, side.write_connection.value_or(side.connection), pool,
                      /*read_only=*/false);
  }
  if (!read_only) {
    side.reader = make_endpoint(EndpointRole::read, "read" + place, side.connection, reader_pool_,
                                /*read_only=*/true, "primary" + place);
  }
}

void Places::set_paused(bool on) noexcept {
  paused_ = on;
  for (Endpoint* endpoint : endpoints()) endpoint->set_paused(on);
}

Endpoint* Places::primary() noexcept { return sides_.empty() ? nullptr : side().primary.get(); }

Endpoint* Places::writer() noexcept {
  if (sides_.empty()) return nullptr;
  return side().writer ? side().writer.get() : side().primary.get();
}

Endpoint* Places::reader() noexcept {
  if (sides_.empty()) return nullptr;
  return side().reader ? side().reader.get() : side().primary.get();
}

bool Places::replica_may_answer(std::string_view sql, std::span<const std::uint32_t> types) {
  const std::optional<sql::Verdict> verdict = lanes_.judge(sql, types);
  return verdict && verdict->may_share && verdict->replica_safe;
}

Endpoint* Places::replica_at(std::size_t place) noexcept {
  for (Replica& replica : replicas_) {
    if (replica.place == place) return replica.endpoint.get();
  }
  return nullptr;
}

const Endpoint* Places::replica(const ReplicaConfig& config) const noexcept {
  for (const Replica& replica : replicas_) {
    if (replica.config == &config) return replica.endpoint.get();
  }
  return nullptr;
}

std::optional<std::size_t> Places::place_of(const Endpoint& endpoint) const noexcept {
  for (const Replica& replica : replicas_) {
    if (replica.endpoint.get() == &endpoint) return replica.place;
  }
  for (std::size_t i = 0; i < sides_.size(); ++i) {
    if (!sides_[i]) continue;
    const Side& side = *sides_[i];
    if (side.primary.get() != &endpoint && side.writer.get() != &endpoint && side.reader.get() != &endpoint)
      continue;
    return i == 0 ? 0 : i - 1;
  }
  return std::nullopt;
}

std::vector<Endpoint*> Places::endpoints() const {
  std::vector<Endpoint*> all;
  const auto add = [&](const Side& side) {
    for (const auto* endpoint : {&side.primary, &side.writer, &side.reader}) {
      if (*endpoint) all.push_back(endpoint->get());
    }
  };
  if (!sides_.empty()) add(*sides_[side_]);
  for (std::size_t i = 0; i < sides_.size(); ++i) {
    // Of places that were the primary before, only what is still open counts.
    if (i == side_ || !sides_[i] || !sides_[i]->primary || sides_[i]->primary->opened_pool() == nullptr) continue;
    add(*sides_[i]);
  }
  for (const Replica& replica : replicas_) all.push_back(replica.endpoint.get());
  return all;
}

void Places::touch() {
  if (!watch_ || watch_->running()) return;
  touched_ = runtime::now();
  watch_->start();
  if (patroni_) patroni_->start();
}

void Places::poke() noexcept {
  if (watch_) watch_->poke();
  if (patroni_) patroni_->poke();
}

void Places::hurry(std::size_t place, TimePoint until) noexcept {
  if (watch_) watch_->hurry(place, until);
}

Task<void> Places::first_look(TimePoint deadline) {
  touch();
  if (watch_) co_await watch_->first_look(deadline);
}

void Places::on_connect_failed(Endpoint& /*endpoint*/) noexcept { poke(); }

void Places::on_observed(TopologyChange change) noexcept {
  const TopologySnapshot& snapshot = *watch_->snapshot();
  if (change.primary && snapshot.primary) {
    const std::size_t place = *snapshot.primary;
    const bool several_hosts = config_.primary.connection.hosts.size() > 1;
    const std::size_t before = std::exchange(side_, place == 0 && !several_hosts ? 0 : place + 1);
    if (side_ != before) {
      open_side(side_);
      // Sessions by the list of hosts were opened where the list led: they are right until something changes.
      const bool keep_list = several_hosts && !change.failover && !(*snapshot.places)[place].replica;
      for (std::size_t i = keep_list ? 1 : 0; i < sides_.size(); ++i) {
        if (i == side_ || !sides_[i]) continue;
        for (const auto* endpoint : {&sides_[i]->primary, &sides_[i]->writer, &sides_[i]->reader}) {
          if (*endpoint) (*endpoint)->supersede();
        }
      }
      for (const auto* endpoint : {&side().primary, &side().writer, &side().reader}) {
        if (*endpoint) (*endpoint)->reinstate();
      }
    }
  }
  if (on_news_) on_news_();
}

std::optional<ReplicationStatus> Places::replication(const Endpoint& endpoint) const {
  const auto place = place_of(endpoint);
  return place ? replication(*place) : std::nullopt;
}

std::optional<ReplicationStatus> Places::replication(std::size_t place) const {
  const TopologySnapshot* const known = snapshot();
  if (known == nullptr || place >= known->health.size()) return std::nullopt;
  const EndpointHealth& health = known->health[place];
  ReplicationStatus out;
  out.observed = health.observed();
  out.reachable = health.reach == Reach::reachable;
  out.late = health.late;
  out.role = to_string(health.role);
  out.system_identifier = health.system_identifier;
  out.timeline = health.timeline;
  const WalPosition lsn = health.role == PlaceRole::standby ? health.replayed : health.flushed;
  if (lsn.known()) out.lsn = lsn.to_string();
  if (health.role == PlaceRole::standby || health.role == PlaceRole::logical) {
    out.lag = health.lag();
    out.lag_bytes = health.lag_bytes;
  }
  out.rtt = health.rtt;
  out.error = health.error;
  return out;
}

void Places::on_members(const std::vector<PatroniMember>& members) {
  members_known_ = true;
  const auto find = [&](const PatroniMember& member) -> std::optional<std::size_t> {
    for (std::size_t place = 0; place < watched_places_.size(); ++place) {
      for (const HostSpec& host : watched_places_[place].connection.hosts) {
        if (host.port == member.port && (host.host == member.host || host.hostaddr == member.host)) return place;
      }
    }
    return std::nullopt;
  };
  leader_.reset();
  for (const PatroniMember& member : members) {
    auto place = find(member);
    if (!place && watched_places_.size() < kMostPlaces) {
      HostSpec host;
      host.host = member.host;
      host.port = member.port;
      WatchedPlace made{.description = {}, .connection = at_hosts(config_.primary.connection, {host})};
      made.description.name = "member " + member.name;
      made.description.location = made.connection.location();
      watch_->add(made);
      add_place(std::move(made), {host});
      place = watched_places_.size() - 1;
    }
    // The servers themselves say who the primary is; this only says when to look.
    if (!member.leads() || !place) continue;
    leader_ = place;
    if (watch_->snapshot()->primary != place) watch_->poke();
  }
  if (on_news_) on_news_();
}

bool Places::awaits_leader() const noexcept {
  if (!leader_ || !watch_) return false;
  const TopologySnapshot& known = *watch_->snapshot();
  return known.primary != leader_ && known.health[*leader_].reach == Reach::reachable;
}

void Places::stop_watch() noexcept {
  if (patroni_) patroni_->stop();
  if (watch_) watch_->stop();
}

void Places::close() noexcept {
  stop_watch();
  lanes_.stop();
  for (const auto& side : sides_) {
    if (!side) continue;
    for (const auto* endpoint : {&side->primary, &side->writer, &side->reader}) {
      if (*endpoint) (*endpoint)->close_pool();
    }
  }
  for (const Replica& replica : replicas_) replica.endpoint->close_pool();
}

}  // namespace switchyard::inline v0::fleet
