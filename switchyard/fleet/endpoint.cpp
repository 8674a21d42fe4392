#include <switchyard/base/units.hpp>
#include <switchyard/fleet/budget_connector.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/log.hpp>

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

}  // namespace

Endpoint::Endpoint(EndpointSettings settings, ConnectionOptions connection, const DatabaseConfig& database,
                   const PoolConfig& pool, std::shared_ptr<pool::PermitCounter> permits)
    : settings_(std::move(settings)),
      pool_settings_(make_pool_settings(settings_, pool)),
      plan_(make_plan(settings_, std::move(connection), database)),
      permits_(std::move(permits)),
      breakers_(settings_.breakers,
                {.database = settings_.database,
                 .name = settings_.name,
                 .role = settings_.role,
                 .access = settings_.read_only || settings_.role == EndpointRole::replica ? RouteAccess::read
                                                                                          : RouteAccess::write},
                resilience::BreakerSettings::of(database.breaker)) {}

Endpoint::~Endpoint() = default;

pool::Pool& Endpoint::pool() {
  if (!pool_) {
    pool_ =
        std::make_unique<pool::Pool>(pool_settings_, make_budget_connector(pool::make_connector(plan_), permits_),
                                     permits_, static_cast<pool::Observer*>(this));
  }
  return *pool_;
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
    status.waiting = stats.waiting;
    status.min = stats.min;
    status.max = stats.max;
    status.created = stats.opened;
    for (const std::uint64_t count : stats.closed) status.closed += count;
    status.timeouts = stats.timeouts;
    status.exhausted = stats.exhausted;
    if (const Error* error = pool_->last_connect_error()) out.last_error = error->what();
  }
  telemetry::HistogramData durations;
  duration.read_into(durations);
  telemetry::HistogramData acquires;
  acquire.read_into(acquires);
  const auto nanoseconds = [](std::uint64_t value) { return Duration(static_cast<std::int64_t>(value)); };
  breakers_.report(out, runtime::now());
  out.operations.count = operations;
  out.operations.errors = errors;
  out.operations.slow = slow;
  out.operations.p50 = nanoseconds(durations.quantile(0.50));
  out.operations.p95 = nanoseconds(durations.quantile(0.95));
  out.operations.p99 = nanoseconds(durations.quantile(0.99));
  out.operations.acquire_p99 = nanoseconds(acquires.quantile(0.99));
  return out;
}

void Endpoint::on_near_exhaustion(std::uint32_t in_use, std::uint32_t max) noexcept {
  log::warning("pool", "pool_exhaustion",
               [&] {
                 return "[POOL EXHAUSTION] " + settings_.database + " at " + std::to_string(in_use) + "/" +
                        std::to_string(max) + " connections";
               },
               {{"database", std::string_view(settings_.database)}, {"in_use", in_use}, {"max", max}});
}

void Endpoint::on_leak(const char* site, Duration held) noexcept {
  log::warning("pool", "leak_suspected",
               [&] {
                 return "a lease of " + settings_.database + " is held for " + format_duration(held) +
                        (site != nullptr ? " by " + std::string(site) : std::string());
               },
               {{"database", std::string_view(settings_.database)}});
}

void Endpoint::on_connect_failed(const Error& error) noexcept {
  breakers_.note_connect_failure(error, runtime::now());
  log::warning("pool", "connect_failed",
               [&] { return "database '" + settings_.database + "': " + std::string(error.message()); },
               {{"database", std::string_view(settings_.database)}, {"sqlstate", error.sqlstate()}});
}

}  // namespace switchyard::inline v0::fleet
