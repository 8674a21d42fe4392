#include <switchyard/base/units.hpp>
#include <switchyard/fleet/budget_connector.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// The server's own limit stands this far behind ours: ours cancels first and keeps the session.
constexpr Duration kServerTimeoutMargin = std::chrono::seconds(1);

std::shared_ptr<const session::ConnectPlan> make_plan(const EndpointSettings& settings,
                                                      ConnectionOptions connection,
                                                      const DatabaseConfig& database) {
  auto plan = std::make_shared<session::ConnectPlan>();
  plan->options = std::move(connection);
  plan->settings.statement_cache_size =
      *database.prepared_statements ? static_cast<std::size_t>(*database.statement_cache) : 0;
  plan->settings.harmless_functions = *database.lane_safe;
  if (settings.read_only) plan->parameters.emplace_back("default_transaction_read_only", "on");
  if (const Duration limit = *database.command_timeout; limit > Duration::zero()) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit + kServerTimeoutMargin);
    plan->parameters.emplace_back("statement_timeout", std::to_string(milliseconds.count()));
  }
  return plan;
}

pool::PoolSettings make_pool_settings(const EndpointSettings& settings, const PoolConfig& config) {
  pool::PoolSettings out;
  out.database = settings.database;
  // Sessions that only exist for writes beside a pool of readers come on demand.
  out.min = settings.role == EndpointRole::write ? 0 : *config.min;
  out.max = *config.max;
  out.acquire_timeout = *config.acquire_timeout;
  out.idle_timeout = *config.idle_timeout;
  out.max_lifetime = *config.max_lifetime;
  out.exhaustion_share = settings.exhaustion;
  if (!config.max_setting.empty()) out.setting_names.max = config.max_setting;
  if (!config.acquire_timeout_setting.empty()) out.setting_names.acquire_timeout = config.acquire_timeout_setting;
  return out;
}

/// "main", "main_write", "reference_replica_api": as the names of read views are written.
std::string pool_label(const EndpointSettings& settings) {
  switch (settings.role) {
    case EndpointRole::primary: return settings.database;
    case EndpointRole::write: return settings.database + "_write";
    case EndpointRole::read: return settings.database + "_read";
    case EndpointRole::replica: return settings.database + "_replica_" + settings.name;
  }
  return settings.database;
}

Recorder::Options recorder_options(const EndpointSettings& settings, const ConnectionOptions& connection,
                                   const DatabaseConfig& database) {
  Recorder::Options out;
  out.database = settings.database;
  out.pool = pool_label(settings);
  if (!connection.hosts.empty()) {
    const HostSpec& host = connection.hosts.front();
    out.server_address = host.host.empty() ? host.hostaddr : host.host;
    if (!host.is_unix_socket()) out.server_port = host.port;
  }
  out.latency_target = *database.observability.latency_target;
  out.statement_names = *database.observability.statement_names;
  return out;
}

Duration quantile(const telemetry::HistogramData& data, double q) {
  return Duration(static_cast<std::int64_t>(data.quantile(q)));
}

OperationStatus operation_status(std::initializer_list<const telemetry::OperationTotals*> parts) {
  OperationStatus out;
  telemetry::HistogramData execution;
  telemetry::HistogramData acquire;
  for (const telemetry::OperationTotals* part : parts) {
    out.count += part->count;
    out.errors += part->all_errors();
    out.slow += part->slow;
    out.slow_acquires += part->slow_acquires;
    out.retries += part->retries;
    execution.merge(part->execution);
    acquire.merge(part->acquire);
  }
  out.p50 = quantile(execution, 0.50);
  out.p95 = quantile(execution, 0.95);
  out.p99 = quantile(execution, 0.99);
  out.acquire_p50 = quantile(acquire, 0.50);
  out.acquire_p95 = quantile(acquire, 0.95);
  out.acquire_p99 = quantile(acquire, 0.99);
  return out;
}

LaneStatus lane_status(const pool::LaneStats& stats) {
  LaneStatus out;
  out.sessions = stats.sessions;
  out.outstanding = stats.outstanding;
  out.queued = stats.queued;
  out.statements = stats.statements;
  out.syncs = stats.syncs;
  out.reissued = stats.reissued;
  out.cancels = stats.cancels;
  out.alarms = stats.alarms;
  for (std::size_t i = 0; i < stats.exits.size(); ++i) {
    if (stats.exits[i] == 0) continue;
    out.exits.push_back({std::string(pool::lane_exit_text(static_cast<pool::LaneExit>(i))), stats.exits[i]});
  }
  for (const auto& [why, count] : stats.refusals) out.refusals.push_back({std::string(why), count});
  return out;
}

void add_statements(std::vector<StatementStatus>& out, const telemetry::OperationTotals& totals,
                    std::string_view access) {
  for (const telemetry::StatementNumbers& numbers : totals.statements) {
    StatementStatus& status = out.emplace_back();
    status.name = numbers.name;
    status.access = access;
    status.count = numbers.execution.count();
    status.errors = numbers.errors;
    status.p50 = quantile(numbers.execution, 0.50);
    status.p95 = quantile(numbers.execution, 0.95);
    status.p99 = quantile(numbers.execution, 0.99);
  }
}

}  // namespace

Endpoint::Endpoint(EndpointSettings settings, ConnectionOptions connection, const DatabaseConfig& database,
                   const PoolConfig& pool, std::shared_ptr<pool::PermitCounter> permits)
    : settings_(std::move(settings)),
      pool_settings_(make_pool_settings(settings_, pool)),
      plan_(make_plan(settings_, std::move(connection), database)),
      recorder_(recorder_options(settings_, plan_->options, database)),
      permits_(std::move(permits)),
      breakers_(settings_.breakers,
                {.database = settings_.database,
                 .name = settings_.breakers_of.empty() ? settings_.name : settings_.breakers_of,
                 .role = settings_.breakers_of.empty() ? settings_.role : EndpointRole::primary,
                 .access = settings_.read_only || settings_.role == EndpointRole::replica ? RouteAccess::read
                                                                                          : RouteAccess::write},
                resilience::BreakerSettings::of(database.breaker)),
      limiter_(
          std::make_shared<EndpointLimiter>(resilience::LimiterSettings::of(database.limiter), runtime::now())) {}

Endpoint::~Endpoint() = default;

pool::Pool& Endpoint::pool() {
  if (!pool_) {
    pool_ =
        std::make_unique<pool::Pool>(pool_settings_, make_budget_connector(pool::make_connector(plan_), permits_),
                                     permits_, static_cast<pool::Observer*>(this));
    if (maintenance_ || paused_) pool_->pause();
  }
  return *pool_;
}

void Endpoint::set_lane(pool::LaneSettings settings, pool::LaneGuard& guard) {
  lane_settings_ = settings;
  lane_guard_ = &guard;
}

std::uint32_t Endpoint::outstanding() const noexcept {
  if (!pool_) return 0;
  const std::uint32_t leased = pool_->in_use() + pool_->waiting();
  if (!lanes_) return leased;
  const pool::Lane::Load load = lanes_->load();
  return leased - std::min(leased, load.sessions) + load.statements;
}

LaneSet* Endpoint::open_lanes() {
  if (superseded_ || maintenance_ || paused_) return nullptr;
  lanes_ = std::make_unique<LaneSet>(lane_settings_, pool(), *lane_guard_, static_cast<pool::LaneObserver*>(this));
  return lanes_.get();
}

void Endpoint::on_lane_alarm(std::string_view what, std::int32_t server_pid) noexcept {
  telemetry::events().note(telemetry::kLaneAlarm, settings_.database, runtime::now(),
                           [&] {
                             return "a shared session of " + settings_.database +
                                    " was closed: " + std::string(what) + " (server pid " +
                                    std::to_string(server_pid) + ")";
                           },
                           {{"database", std::string_view(settings_.database)},
                            {"endpoint", std::string_view(settings_.name)},
                            {"server_pid", server_pid}});
}

void Endpoint::supersede() noexcept {
  superseded_ = true;
  lanes_.reset();
  if (pool_) {
    pool_->set_end_reason(Error(ErrorKind::Unavailable, settings_.name + " at " + location() +
                                                            " is not the primary any more: another server is"));
  }
  pool_.reset();
}

void Endpoint::set_maintenance(bool on) noexcept {
  maintenance_ = on;
  hold(maintenance_ || paused_);
}

void Endpoint::set_paused(bool on) noexcept {
  paused_ = on;
  hold(maintenance_ || paused_);
}

void Endpoint::hold(bool on) noexcept {
  if (on) retire_lane();
  if (!pool_) return;
  if (on) {
    pool_->pause();
  } else {
    pool_->resume();
  }
}

void Endpoint::renew_sessions() noexcept {
  retire_lane();
  if (pool_) pool_->renew();
}

void Endpoint::add_sessions(std::vector<SessionStatus>& out) const {
  if (!pool_) return;
  const TimePoint now = runtime::now();
  pool_->each_session([&](const session::Session& session, pool::SessionUse use, bool outdated) {
    SessionStatus& status = out.emplace_back();
    status.database = settings_.database;
    status.endpoint = settings_.name;
    status.user = plan_->options.user;
    status.state = use == pool::SessionUse::idle ? "idle" : use == pool::SessionUse::lent ? "active" : "tested";
    status.outdated = outdated;
    status.session = &session;
    status.server_pid = session.server_pid();
    status.host = session.address().host();
    status.port = session.address().port();
    status.socket = session.native_handle();
    status.tls = session.uses_tls();
    status.age = now - session.opened();
    status.prepared_statements = session.prepared_statements();
  });
}

std::string Endpoint::location() const { return plan_->options.location(); }

EndpointStatus Endpoint::status() const {
  EndpointStatus out;
  out.role = settings_.role;
  out.name = settings_.name;
  out.location = location();
  out.configured = true;
  out.opened = pool_ != nullptr;
  if (pool_) {
    const pool::PoolStats stats = pool_->stats();
    PoolStatus& status = out.pool.emplace();
    status.total = stats.total;
    status.active = stats.active;
    status.idle = stats.idle;
    status.connecting = stats.connecting;
    status.tested = stats.tested;
    status.outdated = stats.outdated;
    status.waiting = stats.waiting;
    if (stats.waiting != 0) status.longest_wait = runtime::now() - stats.waiting_since;
    status.min = stats.min;
    status.max = stats.max;
    status.created = stats.opened;
    for (const std::uint64_t count : stats.closed) status.closed += count;
    status.timeouts = stats.timeouts;
    status.exhausted = stats.exhausted;
    if (const Error* error = pool_->last_connect_error()) out.last_error = error->what();
  }
  breakers_.report(out, runtime::now());
  if (limiter_->enabled()) {
    out.limiter = LimiterReport{.limit = limiter_->limiter().limit(),
                                .in_flight = limiter_->limiter().in_flight(),
                                .waiting = limiter_->waiting()};
  }
  if (lanes_) out.lane = lane_status(lanes_->stats());
  const EndpointStatistics numbers = recorder_.read();
  out.operations = operation_status({&numbers.reads, &numbers.writes});
  out.reads = operation_status({&numbers.reads});
  out.writes = operation_status({&numbers.writes});
  add_statements(out.statements, numbers.reads, "read");
  add_statements(out.statements, numbers.writes, "write");
  return out;
}

EndpointStatistics Endpoint::statistics() const {
  EndpointStatistics out = recorder_.read();
  out.role = settings_.role;
  out.name = settings_.name;
  return out;
}

void Endpoint::on_near_exhaustion(std::uint32_t in_use, std::uint32_t max) noexcept {
  telemetry::events().note(telemetry::kPoolExhaustion, settings_.database, runtime::now(),
                           [&] {
                             return "[POOL EXHAUSTION] " + settings_.database + " at " + std::to_string(in_use) +
                                    "/" + std::to_string(max) + " connections";
                           },
                           {{"database", std::string_view(settings_.database)},
                            {"endpoint", std::string_view(settings_.name)},
                            {"in_use", in_use},
                            {"max", max}});
}

void Endpoint::on_leak(const char* site, Duration held) noexcept {
  telemetry::events().note(
      telemetry::kLeakSuspected, settings_.database, runtime::now(),
      [&] {
        return "a lease of " + settings_.database + " is held for " + format_duration(held) +
               (site != nullptr ? " by " + std::string(site) : std::string());
      },
      {{"database", std::string_view(settings_.database)}, {"endpoint", std::string_view(settings_.name)}});
}

void Endpoint::on_connected(session::Session& /*session*/, Duration took) noexcept { recorder_.connected(took); }

void Endpoint::on_connect_failed(const Error& error) noexcept {
  if (maintenance_) return;
  breakers_.note_connect_failure(error, runtime::now());
  telemetry::events().note(telemetry::kConnectFailed, settings_.database, runtime::now(),
                           [&] { return "database '" + settings_.database + "': " + std::string(error.message()); },
                           {{"database", std::string_view(settings_.database)},
                            {"endpoint", std::string_view(settings_.name)},
                            {"sqlstate", error.sqlstate()}});
  if (listener_ != nullptr) listener_->on_connect_failed(*this);
}

}  // namespace switchyard::inline v0::fleet
