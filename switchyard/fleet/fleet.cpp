#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/base/version.hpp>
#include <switchyard/fleet/budget_keeper.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/command.hpp>
#include <switchyard/fleet/database_node.hpp>
#include <switchyard/fleet/explain_route.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/marker_keeper.hpp>
#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/fleet/spool_cipher.hpp>
#include <switchyard/fleet/trace_exporter.hpp>
#include <switchyard/fleet/tracer.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/sql/facts_cache.hpp>
#include <switchyard/sql/safe_names.hpp>
#include <switchyard/telemetry/event_log.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <thread>
#include <utility>

namespace switchyard::inline v0 {

using fleet::DatabaseNode;
using fleet::Endpoint;

namespace {
/// Where operations without a domain go.
constexpr std::string_view kMainDatabase = "main";
/// What close() gives the collector for the last spans.
constexpr Duration kLastSpans = std::chrono::seconds(2);
/// warm_up() waits this long to learn who the primary is.
constexpr Duration kFirstLookAtStart = std::chrono::seconds(2);
}  // namespace

class Fleet::Impl {
 public:
  Impl(FleetConfig fleet_config, std::shared_ptr<fleet::SharedPermits> shared)
      : config(std::move(fleet_config)), opened(runtime::now()), permits(std::move(shared)) {
    permits->set_fleet(config);
    for (const DatabaseConfig& database : config.databases) {
      nodes.push_back(std::make_unique<DatabaseNode>(database, *config.region, *permits));
    }
    for (const auto& node : nodes) {
      const std::string& other = *node->config().when_unconfigured;
      if (!node->config().has_stand_in()) continue;
      if (DatabaseNode* stand_in = find(other)) node->set_stand_in(*stand_in);
    }
    for (const auto& node : nodes) {
      const std::string& name = *node->config().fallback;
      DatabaseNode* home = find(name.empty() ? kMainDatabase : std::string_view(name));
      if (home != nullptr) node->set_fallback(*home);
    }
    guard = fleet::make_owner_guard(config);
    for (const auto& node : nodes) node->set_guard(guard.get());
    std::vector<Endpoint*> endpoints;
    for (const auto& node : nodes) std::ranges::copy(node->endpoints(), std::back_inserter(endpoints));
    keeper = std::make_unique<fleet::BudgetKeeper>(std::move(endpoints));
  }

  /// Operations end in routes of any node, so all pools go before the first route.
  ~Impl() {
    for (const auto& node : nodes) node->retire_fallback();
    if (exporter) exporter->abandon();
    for (const auto& node : nodes) node->close_pools();
    for (const auto& node : nodes) node->retire_routes();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] DatabaseNode* find(std::string_view name) const noexcept {
    for (const auto& node : nodes) {
      if (node->name() == name) return node.get();
    }
    return nullptr;
  }

  /// Events are limited as this fleet says, and its operations traced when there is a collector.
  Result<void> observe() {
    const TelemetryConfig& settings = config.telemetry;
    telemetry::events().configure(
        {.kept = *settings.events_kept, .burst = *settings.event_burst, .interval = *settings.event_interval});
    if (settings.otlp_endpoint->empty()) return {};
    auto options = fleet::TraceExporter::options_of(config);
    if (!options.ok()) return options.error();
    tracer = std::make_shared<fleet::Tracer>(*settings.sample, *settings.span_queue);
    for (const auto& node : nodes) {
      for (Endpoint* endpoint : node->endpoints()) endpoint->recorder().set_tracer(tracer);
    }
    exporter = std::make_shared<fleet::TraceExporter>(std::move(*options), tracer);
    exporter->start();
    return {};
  }

  [[nodiscard]] fleet::OwnerMap guard_map() const { return guard ? guard->map() : fleet::owner_map_of(config); }

  void check_thread() const {
    if (std::this_thread::get_id() != thread) {
      throw Error(ErrorKind::Usage, "wrong thread: a fleet belongs to the shard it was opened on")
          .with_hint("use fleet.on(shard) or the blocking facade to cross threads");
    }
  }

  FleetConfig config;
  TimePoint opened;
  std::shared_ptr<fleet::SharedPermits> permits;
  std::thread::id thread = std::this_thread::get_id();
  std::unique_ptr<fleet::OwnerGuard> guard;  ///< null: nobody looks
  std::vector<std::unique_ptr<DatabaseNode>> nodes;
  std::unique_ptr<fleet::BudgetKeeper> keeper;
  std::shared_ptr<fleet::Tracer> tracer;           ///< null: no traces
  std::shared_ptr<fleet::TraceExporter> exporter;  ///< null: no traces
};

Result<std::unique_ptr<Fleet>> Fleet::open(FleetConfig config) {
  return open(std::move(config), std::make_shared<fleet::SharedPermits>());
}

Result<std::unique_ptr<Fleet>> Fleet::open(FleetConfig config, std::shared_ptr<fleet::SharedPermits> permits) {
  if (runtime::Shard::current_or_null() == nullptr) {
    return Error(ErrorKind::Usage, "Fleet::open must be called on a shard")
        .with_hint("use sy::run, or Shard::run_until_complete, or the blocking facade");
  }
  for (const DatabaseConfig& database : config.databases) {
    if (database.when_down != WhenDown::spool || database.spool_key->empty()) continue;
    if (const auto cipher = fleet::SpoolCipher::make(*database.spool_key); !cipher.ok()) {
      return cipher.error().with_database(database.name);
    }
  }
  for (const DatabaseConfig& database : config.databases) {
    if (const auto safe = sql::parse_safe_names(*database.lane_safe); !safe.ok()) {
      return safe.error().with_context("database." + database.name + ".lane_safe");
    }
  }
  for (std::string_view name : fleet::used_names()) {
    if (auto resolved = config.resolve(name); !resolved.ok()) return resolved.error();
  }
  auto impl = std::make_unique<Impl>(std::move(config), std::move(permits));
  SY_TRY(impl->observe());
  return std::unique_ptr<Fleet>(new Fleet(std::move(impl)));
}

fleet::OwnerGuard* fleet::owner_guard(Fleet& fleet) noexcept { return fleet.impl_->guard.get(); }

Fleet::Fleet(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Fleet::~Fleet() = default;

const FleetConfig& Fleet::config() const noexcept { return impl_->config; }

Result<DatabaseHandle> Fleet::database(std::string_view name) {
  impl_->check_thread();
  auto resolved = impl_->config.resolve(name);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  DatabaseNode* node = impl_->find(resolved->database->name);
  SY_ASSERT(node != nullptr);
  if (!resolved->read_view) return DatabaseHandle(*node);
  return DatabaseHandle::read_view(*node, node->reads({.max_lag = {}, .replica = resolved->purpose}));
}

Result<DatabaseHandle> Fleet::database_for(OperationKind kind, std::string_view domain) {
  impl_->check_thread();
  const std::string_view name = domain.empty() ? kMainDatabase : domain;
  auto resolved = impl_->config.resolve(name);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  DatabaseNode* node = impl_->find(resolved->database->name);
  SY_ASSERT(node != nullptr);
  if (kind == OperationKind::read) {
    return DatabaseHandle::read_view(*node, node->reads({.max_lag = {}, .replica = resolved->purpose}));
  }
  if (resolved->read_view) {
    return Error(ErrorKind::Usage, "'" + std::string(name) + "' only reads")
        .with_hint("write to '" + std::string(node->name()) + "'")
        .with_database(std::string(node->name()));
  }
  return DatabaseHandle(*node);
}

DatabaseHandle Fleet::handle(std::string_view used_name) { return database(used_name).value_or_throw(); }

Request Fleet::request(RequestOptions options) { return {*this, options}; }

Request::Request(Fleet& fleet, RequestOptions options)
    : fleet_(&fleet),
      deadline_(options.timeout ? deadline_after(runtime::now(), *options.timeout) : kNever),
      context_(std::make_shared<fleet::RequestContext>()) {
  context_->label = options.label;
  if (const auto parent = telemetry::TraceParent::parse(options.traceparent)) {
    context_->trace.emplace().parent = *parent;
  }
}

std::string Request::traceparent() const {
  if (!context_->trace) return {};
  telemetry::TraceParent parent = context_->trace->parent;
  if (context_->trace->span != 0) parent.span = context_->trace->span;
  return parent.span == 0 ? std::string() : parent.text();
}

std::string_view Request::label() const noexcept { return context_->label; }
std::string Request::tokens() const { return context_->tokens.header(); }
Result<void> Request::accept(std::string_view header) { return context_->tokens.accept(header); }
bool Request::partial() const noexcept { return context_->partial; }
std::uint32_t Request::kept() const noexcept { return context_->kept; }

DatabaseHandle Request::handle(std::string_view used_name) { return database(used_name).value_or_throw(); }

Result<DatabaseHandle> Request::database(std::string_view name) {
  auto found = fleet_->database(name);
  if (!found.ok()) return found.error();
  return found->with_context({.deadline = deadline_, .label = context_->label, .request = context_});
}

FleetStatistics Fleet::statistics() const {
  FleetStatistics out;
  for (const auto& node : impl_->nodes) {
    for (const Endpoint* endpoint : node->endpoints()) out.endpoints.push_back(endpoint->statistics());
  }
  if (impl_->tracer) {
    out.traced = true;
    out.traces = impl_->tracer->queue().numbers();
  }
  return out;
}

FleetStatus Fleet::status() const {
  FleetStatus out;
  out.application = *impl_->config.application;
  out.version = kVersion;
  out.uptime = runtime::now() - impl_->opened;
  for (const auto& node : impl_->nodes) out.databases.push_back(node->status());
  return out;
}

namespace {

/// SELECT 1 on a session of the endpoint.
Task<HealthReport> check_endpoint(Endpoint& endpoint, std::string name, bool required, Duration timeout) {
  HealthReport report;
  report.database = std::move(name);
  report.required = required;
  const auto route = std::make_shared<fleet::Route>(
      report.database, std::make_unique<fleet::FixedChooser>(endpoint, "health check"), fleet::RouteAccess::read,
      fleet::RouteLimits{.asks_breaker = false});
  const TimePoint begun = runtime::now();
  const auto answer = co_await as_result([](fleet::Route& on, TimePoint deadline) -> Task<void> {
    fleet::ChannelHolder holder(
        co_await fleet::open_channel(on, {.deadline = deadline, .label = {}}, fleet::OnConnectFailure::fail));
    co_await fleet::run_command(*holder.get(), "SELECT 1");
  }(*route, deadline_after(begun, timeout)));
  report.took = runtime::now() - begun;
  report.healthy = answer.ok();
  report.breaker = endpoint.status().breaker;
  if (answer.ok()) {
    const pool::PoolStats stats = endpoint.pool().stats();
    report.pool_size = stats.active + stats.idle;
    report.pool_max = stats.max;
  } else {
    report.error = answer.error().message();
  }
  co_return report;
}

Task<HealthReport> check_database(DatabaseNode& node, Duration timeout) {
  const bool required = *node.config().required;
  if (node.fallback() != nullptr && node.fallback()->maintenance()) {
    HealthReport report;
    report.database = node.config().name;
    report.required = required;
    report.error = "in maintenance";
    co_return report;
  }
  std::vector<Task<HealthReport>> checks;
  std::vector<std::string> missing;
  for (Endpoint* endpoint : node.endpoints()) {
    const EndpointRole role = endpoint->settings().role;
    if (role == EndpointRole::write || role == EndpointRole::read) continue;
    const std::string name = role == EndpointRole::primary ? node.config().name : endpoint->settings().name;
    checks.push_back(check_endpoint(*endpoint, name, required && role == EndpointRole::primary, timeout));
  }
  std::vector<HealthReport> reports = co_await all(std::move(checks));
  HealthReport out;
  if (node.primary() != nullptr) {
    out = std::move(reports.front());
    reports.erase(reports.begin());
  } else {
    out.database = node.config().name;
    out.required = required;
    out.error = node.config().missing_dsn_message;
  }
  out.replicas = std::move(reports);
  co_return out;
}

std::string capitalised(std::string name) {
  if (!name.empty()) name.front() = base::to_upper(name.front());
  return name;
}

}  // namespace

Task<Result<HealthReport>> Fleet::health(std::string_view database, Duration timeout) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) co_return resolved.error().with_kind(ErrorKind::Usage);
  co_return co_await check_database(*impl_->find(resolved->database->name), timeout);
}

namespace {

std::string owner_note(const fleet::OwnerMap& map, std::string_view database, std::string_view text) {
  const auto facts = sql::FactsCache::of_process().analyse_now(text);
  if (!facts || map.empty()) return {};
  const auto verdict = map.judge(database, *facts);
  if (verdict.ok()) return verdict.note;
  return "wrong place: " + verdict.problem + " (" + verdict.hint + ")";
}

}  // namespace

Task<Result<RouteExplanation>> Fleet::explain_route(std::string_view database, RouteQuestion question,
                                                    Duration timeout) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) co_return resolved.error().with_kind(ErrorKind::Usage);
  DatabaseNode* node = impl_->find(resolved->database->name);
  const std::string asked = node->config().name;
  const std::string sql = question.sql;
  question.read = question.read || resolved->read_view;
  if (question.replica.empty()) question.replica = resolved->purpose;
  if (node->stand_in() != nullptr && !(question.read && node->places().has_replicas())) node = node->stand_in();
  if (!question.replica.empty() && node->config().replica_for(question.replica) == nullptr) {
    co_return Error(ErrorKind::Usage, "there is no replica '" + question.replica + "'").with_database(asked);
  }
  auto explanation =
      co_await fleet::explain_route(node->places(), std::move(question), deadline_after(runtime::now(), timeout));
  if (explanation.ok() && !sql.empty()) explanation->owner = owner_note(impl_->guard_map(), asked, sql);
  if (explanation.ok() && asked != explanation->database) {
    explanation->reason =
        asked + " is not configured: " + explanation->database + " takes over, " + explanation->reason;
    explanation->database = asked;
  }
  co_return explanation;
}

Task<std::vector<HealthReport>> Fleet::health_all(Duration timeout) {
  std::vector<Task<HealthReport>> checks;
  for (const auto& node : impl_->nodes) checks.push_back(check_database(*node, timeout));
  co_return co_await all(std::move(checks));
}

Task<Result<CommitOutcome>> Fleet::resolve(std::string marker, Duration timeout) {
  auto parsed = CommitMarker::parse(marker);
  if (!parsed.ok()) co_return parsed.error();
  auto found = impl_->config.resolve(parsed->database);
  if (!found.ok()) co_return found.error().with_kind(ErrorKind::Usage);
  fleet::Route& route = impl_->find(found->database->name)->writes();
  co_return co_await as_result(
      fleet::resolve_marker(fleet::keep(route), *parsed, deadline_after(runtime::now(), timeout)));
}

Result<std::vector<BreakerReport>> Fleet::set_breakers(std::string_view database, BreakerCommand command,
                                                       BreakerSelection which) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  if (which.replica.empty()) which.replica = resolved->purpose;
  return impl_->find(resolved->database->name)->set_breakers(command, which);
}

Result<void> Fleet::pause(std::string_view database) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  impl_->find(resolved->database->name)->set_paused(true);
  return {};
}

Result<void> Fleet::resume(std::string_view database) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  impl_->find(resolved->database->name)->set_paused(false);
  return {};
}

Result<void> Fleet::reconnect(std::string_view database) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  for (Endpoint* endpoint : impl_->find(resolved->database->name)->endpoints()) endpoint->renew_sessions();
  return {};
}

std::vector<SessionStatus> Fleet::sessions() const {
  std::vector<SessionStatus> out;
  for (const auto& node : impl_->nodes) {
    for (const Endpoint* endpoint : node->endpoints()) endpoint->add_sessions(out);
  }
  return out;
}

namespace {

/// What an earlier process has left in the spool is drained; missing rights are known before they are needed.
Task<void> inspect_spool(fleet::Fallback& fallback) {
  const auto seen = co_await as_result(fallback.inspect());
  if (seen.ok()) co_return;
  log::warning("fleet", "spool_unavailable",
               [&] {
                 return "[SPOOL] the spool of " + fallback.plan().database + " in " + fallback.plan().fallback +
                        " can't be used: " + seen.error().what();
               },
               {{"database", std::string_view(fallback.plan().database)}});
}

}  // namespace

Task<void> Fleet::warm_up() {
  std::vector<Task<void>> opening;
  for (const auto& node : impl_->nodes) {
    if (node->primary() == nullptr) continue;
    opening.push_back([](DatabaseNode& of) -> Task<void> {
      if (of.fallback() != nullptr) {
        if (of.fallback()->spools()) co_await inspect_spool(*of.fallback());
        of.fallback()->watch();
        if (of.fallback()->maintenance()) co_return;
      }
      const Duration limit = *of.config().pool.acquire_timeout;
      co_await of.places().first_look(deadline_after(runtime::now(), kFirstLookAtStart));
      auto opened = co_await of.primary()->pool().warm_up(deadline_after(runtime::now(), limit));
      const std::string name = capitalised(of.config().name);
      if (opened.ok()) {
        log::info("fleet", "startup", [&] { return "[STARTUP] " + name + " database pool initialized"; },
                  {{"database", of.name()}});
      } else {
        log::warning("fleet", "startup",
                     [&] { return "[STARTUP] " + name + " database is not available: " + opened.error().what(); },
                     {{"database", of.name()}});
      }
    }(*node));
  }
  co_await all(std::move(opening));
}

Task<void> Fleet::drain_spool(std::string database, Duration limit) {
  auto resolved = impl_->config.resolve(database);
  if (!resolved.ok()) throw resolved.error().with_kind(ErrorKind::Usage);
  const std::shared_ptr<fleet::Fallback> fallback = impl_->find(resolved->database->name)->fallback();
  if (!fallback || !fallback->spools()) {
    throw Error(ErrorKind::Usage, "'" + database + "' does not spool").with_hint("when_down = \"spool\" makes it");
  }
  co_await fallback->drained(deadline_after(runtime::now(), limit));
}

Task<void> Fleet::close(Duration timeout) {
  const TimePoint deadline = deadline_after(runtime::now(), timeout);
  std::vector<Task<void>> closing;
  for (const auto& node : impl_->nodes) {
    node->places().stop_watch();
    for (Endpoint* endpoint : node->endpoints()) {
      endpoint->retire_lane();
      if (pool::Pool* pool = endpoint->opened_pool()) closing.push_back(pool->close(deadline));
    }
  }
  co_await all(std::move(closing));
  if (impl_->exporter) co_await impl_->exporter->stop(std::min(timeout, kLastSpans));
}

SWITCHYARD_COROUTINE_WRAPPER Task<Lease> DatabaseHandle::lease(fleet::OnConnectFailure on_failure) {
  return fleet::take_lease(route(), call_, on_failure);
}
SWITCHYARD_COROUTINE_WRAPPER Task<Lease> ReadView::lease(fleet::OnConnectFailure on_failure) {
  return fleet::take_lease(*route_, call_, on_failure);
}
Notifications DatabaseHandle::listen(std::string_view channel) { return Notifications(route(), channel); }

Task<std::shared_ptr<fleet::Channel>> DatabaseHandle::open_channel() {
  co_return co_await fleet::open_transaction_channel(route(), call_);
}

namespace fleet {
Task<Lease> take_lease(Route& route, session::CallContext call, OnConnectFailure on_failure) {
  co_return Lease(co_await open_channel(route, std::move(call), on_failure));
}
}  // namespace fleet

}  // namespace switchyard::inline v0
