#include <switchyard/base/suggest.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/fleet/database_node.hpp>
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
  if (config_.configured()) return;
  stand_in_ = &other;
  const std::string reason = config_.name + " is not configured: " + std::string(other.name()) + " takes over";
  const auto take = [&](Route& route, RouteAccess access) -> Route* {
    if (route.refusal() != nullptr) return &route;
    return &add_route(std::make_unique<StandInChooser>(route.chooser(), reason), access);
  };
  autocommit_ = take(other.autocommit(), other.autocommit().access());
  writes_ = take(other.writes(), RouteAccess::write);
  if (!places_.has_replicas()) reads_ = take(other.reads(), RouteAccess::read);
}

Route& DatabaseNode::reads(const ReadOptions& options) {
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
  Route& route = make_reads({.max_lag = options.max_lag, .replica = std::string(options.replica)});
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
  return *routes_.emplace_back(std::make_shared<Route>(config_.name, std::move(chooser), access, limits()));
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

DatabaseStatus DatabaseNode::status() const {
  DatabaseStatus out;
  out.name = config_.name;
  out.configured = config_.configured();
  out.required = *config_.required;
  out.read_only = *config_.read_only;
  if (stand_in_ != nullptr) out.stand_in = stand_in_->name();
  out.profile = to_string(config_.profile);
  out.retries = retrier_->budget().spent();
  out.retries_refused = retrier_->budget().refused();
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

Route& read_route(DatabaseNode& node, const ReadOptions& options) { return node.reads(options); }
session::OperationHost& route_host(Route& route) noexcept { return route; }
std::string_view node_name(const DatabaseNode& node) noexcept { return node.name(); }
Route& autocommit_route(DatabaseNode& node) noexcept { return node.autocommit(); }
Route& write_route(DatabaseNode& node) noexcept { return node.writes(); }

}  // namespace switchyard::inline v0::fleet
