#include <switchyard/base/suggest.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/fleet/database_node.hpp>
#include <switchyard/fleet/joined_route.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {

namespace {
/// Read views of one database that differ in their options.
constexpr std::size_t kMostViews = 256;
}  // namespace

DatabaseNode::DatabaseNode(const DatabaseConfig& config, const std::string& region, SharedPermits& permits)
    : config_(config),
      retrier_(std::make_shared<Retrier>(config.retry, runtime::now())),
      places_(config, region, permits) {
  places_.set_on_news([this] {
    for (const auto& route : routes_) route->poke();
  });
  if (!config.configured()) {
    Route& refusal = add_refusal(Error(ErrorKind::Config, config.missing_dsn_message).with_database(config.name));
    autocommit_ = writes_ = &refusal;
  } else {
    const bool read_only = *config.read_only;
    autocommit_ =
        &add_route(std::make_unique<PrimaryChooser>(places_, PrimaryUse::autocommit,
                                                    read_only ? "primary, read-only sessions" : "primary"),
                   read_only ? RouteAccess::read : RouteAccess::write);
    writes_ =
        places_.writer() == places_.primary()
            ? autocommit_
            : &add_route(std::make_unique<PrimaryChooser>(places_, PrimaryUse::writes, "primary, write sessions"),
                         RouteAccess::write);
  }
  reads_ = &make_reads({});
}

Route& DatabaseNode::make_reads(const ReadLimits& limits) {
  // Two hosts of a primary leave no choice to a read.
  if (places_.has_replicas() && places_.watched()) {
    return add_route(std::make_unique<ReplicaChooser>(places_, limits), RouteAccess::read);
  }
  if (!config_.configured()) return *autocommit_;
  return add_route(
      std::make_unique<PrimaryChooser>(places_, PrimaryUse::reads, "primary, no replica is configured"),
      RouteAccess::read);
}

void DatabaseNode::set_stand_in(DatabaseNode& other) {
  if (!config_.configured()) stand_in_ = &other;
  const bool own_replica = places_.has_replicas();
  if (other.writes().refusal() != nullptr) {
    // Nobody is there to stand in, or to ask.
    if (config_.configured()) return;
    autocommit_ = writes_ = &other.writes();
    if (!own_replica) reads_ = autocommit_;
    return;
  }
  OwnershipFacts facts;
  facts.database = config_.name;
  facts.stand_in = other.name();
  facts.configured = config_.configured();
  if (Endpoint* primary = places_.primary()) facts.location = primary->location();
  Route& home =
      add_route(std::make_unique<StandInChooser>(other.writes().chooser(), "ownership map"), RouteAccess::write);
  ownership_ =
      std::make_shared<Ownership>(std::move(facts), *config_.tables, *config_.schema, home.shared_from_this());
  ownership_->set_listener([this] {
    for (const auto& route : routes_) route->poke();
  });
  const std::string reason = config_.name +
                             (config_.configured() ? " still lives there: " : " is not configured: ") +
                             std::string(other.name()) + (config_.configured() ? " serves it" : " takes over");
  const bool one_for_writes = autocommit_ == writes_ && &other.autocommit() == &other.writes();
  stand_in_reads_ = &other.reads();
  stand_in_reason_ = reason;
  Route* const own_autocommit = autocommit_;
  autocommit_ = &either(own_autocommit, other.autocommit(),
                        config_.configured() ? own_autocommit->access() : other.autocommit().access());
  writes_ = one_for_writes ? autocommit_ : &either(writes_, other.writes(), RouteAccess::write);
  if (config_.configured() || !own_replica) reads_ = &either(reads_, other.reads(), RouteAccess::read);
}

Route& DatabaseNode::either(Route* own, Route& theirs, RouteAccess access) {
  Chooser* chooser = config_.configured() && own->refusal() == nullptr ? &own->chooser() : nullptr;
  return add_route(std::make_unique<OwnershipChooser>(ownership_, chooser, theirs.chooser(), stand_in_reason_),
                   access);
}

void DatabaseNode::set_fallback(DatabaseNode& home) {
  if (!config_.configured() || writes_->refusal() != nullptr || home.writes().refusal() != nullptr) return;
  const auto own_route = [&](Chooser& chooser, std::string reason, RouteAccess access) {
    return add_route(std::make_unique<StandInChooser>(chooser, std::move(reason)), access).shared_from_this();
  };
  FallbackPlan plan;
  plan.database = config_.name;
  plan.fallback = home.name();
  plan.when_down = &home == this ? WhenDown::fail : *config_.when_down;
  plan.confidential = *config_.confidential;
  plan.limits = {.max_bytes = *config_.spool_max_bytes,
                 .max_entries = *config_.spool_max_entries,
                 .max_age = *config_.spool_max_age};
  if (!config_.spool_key->empty()) plan.cipher = SpoolCipher::make(*config_.spool_key).value_or_throw();
  // What is confidential is kept sealed or not at all.
  if (plan.when_down == WhenDown::spool && plan.confidential && !plan.cipher) plan.when_down = WhenDown::fail;
  plan.on_maintenance = [this](bool begins) {
    for (Endpoint* endpoint : endpoints()) endpoint->set_maintenance(begins);
  };
  plan.barred = [this] {
    const auto status = write_breaker().status(runtime::now());
    return status.mode != resilience::BreakerMode::automatic && status.state == resilience::BreakerState::open;
  };
  plan.on_reached = [this] {
    resilience::Breaker& breaker = write_breaker();
    const auto status = breaker.status(runtime::now());
    if (status.mode == resilience::BreakerMode::automatic && status.state != resilience::BreakerState::closed) {
      breaker.reset(runtime::now());
    }
  };
  FallbackRoutes routes;
  routes.home = own_route(home.writes().chooser(), "spool of " + config_.name, RouteAccess::write);
  routes.reads = own_route(home.reads().chooser(),
                           "partial: " + plan.fallback + " answers for " + config_.name + ", which is down",
                           RouteAccess::read);
  // Draining is how it is found out whether the database is back: the breaker is told, not asked.
  RouteLimits target_limits = limits();
  target_limits.asks_breaker = false;
  routes.target = routes_.emplace_back(
      std::make_shared<Route>(config_.name, std::make_unique<StandInChooser>(writes_->chooser(), "spool drain"),
                              RouteAccess::write, std::move(target_limits)));
  fallback_ = std::make_shared<Fallback>(std::move(plan), std::move(routes));
  divert(*autocommit_, RouteUse::mixed);
  divert(*writes_, RouteUse::mixed);
  if (reads_ != autocommit_) divert(*reads_, RouteUse::reads);
}

void DatabaseNode::divert(Route& route, RouteUse use) noexcept {
  if (fallback_) route.set_diversion(*fallback_, use);
}

resilience::Breaker& DatabaseNode::write_breaker() noexcept {
  return places_.writer()->breakers().of(RouteAccess::write).breaker();
}

void DatabaseNode::retire_fallback() noexcept {
  if (ownership_) ownership_->retire();
  if (fallback_) fallback_->retire();
}

Route& DatabaseNode::reads(const ReadOptions& options) {
  Route& route = lenient_reads(options);
  if (!options.strict || !fallback_ || route.refusal() != nullptr) return route;
  Route*& strict = strict_reads_[&route];
  if (strict == nullptr) {
    strict = &add_route(std::make_unique<StandInChooser>(route.chooser(), "strict read"), route.access());
    divert(*strict, RouteUse::strict_reads);
  }
  return *strict;
}

Route& DatabaseNode::lenient_reads(const ReadOptions& options) {
  const bool any = options.replica.empty();
  if (!any && config_.replica_for(options.replica) == nullptr) return refused_replica(options.replica);
  // Without a place to choose from the primary is read, which never lags.
  if ((any && !options.max_lag) || !places_.has_replicas()) return *reads_;
  for (const View& view : views_) {
    if (view.max_lag == options.max_lag && view.replica == options.replica) return *view.route;
  }
  if (views_.size() == kMostViews) {
    return add_refusal(Error(ErrorKind::Usage, "more than " + std::to_string(kMostViews) +
                                                   " different read() options for one database")
                           .with_hint("use a few fixed values of max_lag")
                           .with_database(config_.name));
  }
  Route& own = make_reads({.max_lag = options.max_lag, .replica = std::string(options.replica)});
  Route& route = ownership_ && config_.configured() ? either(&own, *stand_in_reads_, RouteAccess::read) : own;
  divert(route, RouteUse::reads);
  views_.push_back({.max_lag = options.max_lag, .replica = std::string(options.replica), .route = &route});
  return route;
}

Route& DatabaseNode::refused_replica(std::string_view replica) { return add_refusal(no_such_replica(replica)); }

Error DatabaseNode::no_such_replica(std::string_view replica) const {
  std::vector<std::string_view> known;
  for (const ReplicaConfig& entry : config_.replicas) {
    known.push_back(entry.name);
    for (const std::string& purpose : *entry.purposes) known.push_back(purpose);
  }
  std::string hint = did_you_mean(replica, known);
  if (hint.empty() && known.empty()) hint = "the database has no replicas: use read() without a name";
  return Error(ErrorKind::Usage, "there is no replica '" + std::string(replica) + "'")
      .with_hint(std::move(hint))
      .with_database(config_.name);
}

RouteLimits DatabaseNode::limits() const {
  return {.command_timeout = *config_.command_timeout,
          .query_timeout = *config_.query_timeout,
          .slow = {.query = *config_.observability.slow_query,
                   .acquire = *config_.observability.slow_acquire,
                   .statement_length = *config_.observability.statement_length},
          .comment_application = *config_.observability.sqlcommenter ? *config_.application_name : std::string(),
          .max_result_bytes = *config_.max_result_bytes,
          .acquire_timeout = *config_.pool.acquire_timeout,
          .retrier = retrier_};
}

Route& DatabaseNode::add_route(std::unique_ptr<Chooser> chooser, RouteAccess access) {
  Route& route = *routes_.emplace_back(std::make_shared<Route>(config_.name, std::move(chooser), access, limits()));
  route.set_guard(guard_);
  return route;
}

void DatabaseNode::set_guard(OwnerGuard* guard) noexcept {
  guard_ = guard;
  for (const auto& route : routes_) route->set_guard(guard);
}

Route& DatabaseNode::add_refusal(Error error) {
  // A program that asks for the same wrong replica again gets the same route: the list stays short.
  for (const auto& route : routes_) {
    if (route->refusal() != nullptr && route->refusal()->message() == error.message()) return *route;
  }
  return *routes_.emplace_back(std::make_shared<Route>(config_.name, std::move(error)));
}

void DatabaseNode::close_pools() noexcept { places_.close(); }

void DatabaseNode::retire_routes() noexcept {
  for (const auto& route : routes_) route->retire();
}

void DatabaseNode::set_paused(bool on) noexcept {
  paused_ = on;
  places_.set_paused(on);
}

DatabaseStatus DatabaseNode::status() const {
  DatabaseStatus out;
  out.name = config_.name;
  out.configured = config_.configured();
  out.required = *config_.required;
  out.read_only = *config_.read_only;
  out.paused = paused_;
  if (stand_in_ != nullptr) out.stand_in = stand_in_->name();
  out.profile = to_string(config_.profile);
  out.retries = retrier_->budget().spent();
  out.retries_refused = retrier_->budget().refused();
  if (const OwnershipDecision* decision = ownership_ ? ownership_->known() : nullptr) {
    out.note = decision->note;
    out.hint = decision->hint;
    if (decision->verdict == OwnershipVerdict::stand_in) out.stand_in = ownership_->facts().stand_in;
  }
  if (fallback_) {
    out.maintenance = fallback_->maintenance();
    if (fallback_->spools()) out.spool = fallback_->status();
  }
  const auto add = [&](const Endpoint& endpoint) {
    EndpointStatus& status = out.endpoints.emplace_back(endpoint.status());
    status.replication = places_.replication(endpoint);
  };
  for (const Endpoint* endpoint : places_.endpoints()) {
    const EndpointRole role = endpoint->settings().role;
    // Nobody cares for the sessions of a reader that has none.
    const bool shown = role == EndpointRole::read ? endpoint->status().opened : role != EndpointRole::replica;
    if (shown) add(*endpoint);
  }
  for (const ReplicaConfig& replica : config_.replicas) {
    if (const Endpoint* endpoint = places_.replica(replica)) {
      add(*endpoint);
      continue;
    }
    EndpointStatus& missing = out.endpoints.emplace_back();
    missing.role = EndpointRole::replica;
    missing.name = replica.name;
  }
  return out;
}

Result<std::vector<BreakerReport>> DatabaseNode::set_breakers(BreakerCommand command,
                                                              const BreakerSelection& which) {
  const ReplicaConfig* replica = nullptr;
  if (!which.replica.empty()) {
    replica = config_.replica_for(which.replica);
    if (replica == nullptr) return no_such_replica(which.replica);
  }
  std::vector<BreakerReport> reports;
  const TimePoint now = runtime::now();
  for (Endpoint* endpoint : endpoints()) {
    if (endpoint->settings().role == EndpointRole::read) continue;  // its breakers are the primary's
    const bool is_replica = endpoint->settings().role == EndpointRole::replica;
    if (is_replica != (replica != nullptr) || (is_replica && endpoint->settings().name != replica->name)) continue;
    for (const RouteAccess access : {RouteAccess::read, RouteAccess::write}) {
      const bool wanted = !which.access || (*which.access == OperationKind::read) == (access == RouteAccess::read);
      if (!wanted) continue;
      resilience::Breaker& breaker = endpoint->breakers().of(access).breaker();
      switch (command) {
        case BreakerCommand::open: breaker.force_open(now); break;
        case BreakerCommand::close: breaker.force_close(now); break;
        case BreakerCommand::reset: breaker.reset(now); break;
      }
      reports.push_back(endpoint->breakers().report(access, now));
    }
  }
  if (reports.empty()) return Error(ErrorKind::Config, config_.missing_dsn_message).with_database(config_.name);
  return reports;
}

std::shared_ptr<session::OperationHost> joined_host(DatabaseNode& node, const Transaction& within) {
  const std::shared_ptr<Fallback>& fallback = node.fallback();
  if (!fallback || !fallback->spools()) return nullptr;
  if (within.database() != fallback->plan().fallback) {
    throw Error(ErrorKind::Usage, "within() takes a transaction on '" + fallback->plan().fallback +
                                      "', which keeps the spool of '" + std::string(node.name()) +
                                      "'; this one is on '" + std::string(within.database()) + "'");
  }
  return std::make_shared<JoinedRoute>(node.writes().shared_from_this(), fallback, within);
}

Route& read_route(DatabaseNode& node, const ReadOptions& options) { return node.reads(options); }
session::OperationHost& route_host(Route& route) noexcept { return route; }
bool replica_may_answer(DatabaseNode& node, std::string_view sql, std::span<const std::uint32_t> types) {
  return node.places().replica_may_answer(sql, types);
}
std::string_view node_name(const DatabaseNode& node) noexcept { return node.name(); }
Route& autocommit_route(DatabaseNode& node) noexcept { return node.autocommit(); }
Route& write_route(DatabaseNode& node) noexcept { return node.writes(); }

}  // namespace switchyard::inline v0::fleet

namespace switchyard::inline v0 {

JoinedWrites DatabaseHandle::within(const Transaction& transaction) const {
  if (auto host = fleet::joined_host(*node_, transaction)) {
    session::OperationHost& joined = *host;
    return {joined, std::move(host), call_};
  }
  return {write_host(), nullptr, call_};
}

}  // namespace switchyard::inline v0
