#include <switchyard/base/suggest.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/fleet/database_node.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {

DatabaseNode::DatabaseNode(const DatabaseConfig& config, SharedPermits& permit_source)
    : config_(config), retrier_(std::make_shared<Retrier>(config.retry, runtime::now())) {
  if (!config.configured()) {
    Route& refusal = add_refusal(Error(ErrorKind::Config, config.missing_dsn_message).with_database(config.name));
    autocommit_ = writes_ = &refusal;
  } else {
    // Read sessions and write sessions of one place share its maximum.
    const auto permits = permit_source.get(config.name, *config.pool.max, config.primary, true);
    const bool read_only = *config.read_only;
    const bool own_writer = config.write.configured();
    primary_ = std::make_unique<Endpoint>(EndpointSettings{.database = config.name,
                                                           .role = EndpointRole::primary,
                                                           .name = "primary",
                                                           .read_only = read_only,
                                                           .exhaustion = *config.observability.pool_exhaustion,
                                                           .breakers = &permit_source.breakers()},
                                          config.primary.connection, config, config.pool, permits);
    if (read_only || own_writer) {
      writer_ = std::make_unique<Endpoint>(EndpointSettings{.database = config.name,
                                                            .role = EndpointRole::write,
                                                            .name = "write",
                                                            .exhaustion = *config.observability.pool_exhaustion,
                                                            .breakers = &permit_source.breakers()},
                                           own_writer ? config.write.connection : config.primary.connection, config,
                                           config.pool, permits);
    }
    const RouteAccess access = read_only ? RouteAccess::read : RouteAccess::write;
    autocommit_ = &add_route(*primary_, access, read_only ? "primary, read-only sessions" : "primary");
    writes_ = writer_ ? &add_route(*writer_, RouteAccess::write, "primary, write sessions") : autocommit_;
  }
  for (const ReplicaConfig& replica : config.replicas) {
    Replica& entry = replicas_.emplace_back(Replica{.config = &replica, .endpoint = nullptr, .route = nullptr});
    if (!replica.endpoint.configured()) continue;
    entry.endpoint = std::make_unique<Endpoint>(
        EndpointSettings{.database = config.name,
                         .role = EndpointRole::replica,
                         .name = replica.name,
                         .exhaustion = *config.observability.pool_exhaustion,
                         .breakers = &permit_source.breakers()},
        replica.endpoint.connection, config, replica.pool,
        permit_source.get(config.name + " " + replica.name, *replica.pool.max, replica.endpoint, false));
    entry.route = &add_route(*entry.endpoint, RouteAccess::read, "replica '" + replica.name + "'");
    if (reads_ == nullptr) reads_ = entry.route;
  }
  if (reads_ == nullptr) {
    // Without a replica reads take the primary's sessions, which may write: what is lost there is in doubt as
    // elsewhere.
    reads_ = !primary_ || *config_.read_only
                 ? autocommit_
                 : &add_route(*primary_, RouteAccess::write, "primary, no replica is configured");
  }
}

void DatabaseNode::set_stand_in(DatabaseNode& other) {
  if (config_.configured()) return;
  stand_in_ = &other;
  const std::string reason = config_.name + " is not configured: " + std::string(other.name()) + " takes over";
  const auto take = [&](Route& route, RouteAccess access) -> Route* {
    if (route.refusal() != nullptr) return &route;
    return &add_route(std::make_unique<StandInChooser>(route.chooser(), reason), access);
  };
  const bool own_replica = std::ranges::any_of(replicas_, [](const Replica& r) { return r.endpoint != nullptr; });
  autocommit_ = take(other.autocommit(), other.autocommit().access());
  writes_ = take(other.writes(), RouteAccess::write);
  if (!own_replica) reads_ = take(other.reads(), RouteAccess::read);
}

Route& DatabaseNode::reads(const ReadOptions& options) {
  // How far a replica lags is not measured, and the primary never does.
  if (options.max_lag && primary_) return *autocommit_;
  if (options.replica.empty()) return *reads_;
  const ReplicaConfig* wanted = config_.replica_for(options.replica);
  if (wanted == nullptr) return refused_replica(options.replica);
  for (const Replica& replica : replicas_) {
    if (replica.config != wanted) continue;
    // Not configured here: the other replicas, or the primary, do its work.
    return replica.route != nullptr ? *replica.route : *reads_;
  }
  return *reads_;
}

Route& DatabaseNode::refused_replica(std::string_view replica) { return add_refusal(no_such_replica(replica)); }

Error DatabaseNode::no_such_replica(std::string_view replica) const {
  std::vector<std::string_view> known;
  for (const Replica& entry : replicas_) {
    known.push_back(entry.config->name);
    for (const std::string& purpose : *entry.config->purposes) known.push_back(purpose);
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

Route& DatabaseNode::add_route(Endpoint& endpoint, RouteAccess access, std::string reason) {
  return add_route(std::make_unique<FixedChooser>(endpoint, std::move(reason)), access);
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

void DatabaseNode::close_pools() noexcept {
  if (primary_) primary_->close_pool();
  if (writer_) writer_->close_pool();
  for (const Replica& replica : replicas_) {
    if (replica.endpoint) replica.endpoint->close_pool();
  }
}

void DatabaseNode::retire_routes() noexcept {
  for (const auto& route : routes_) route->retire();
}

std::vector<Endpoint*> DatabaseNode::endpoints() const {
  std::vector<Endpoint*> all;
  for (Endpoint* endpoint : {primary_.get(), writer_.get()}) {
    if (endpoint != nullptr) all.push_back(endpoint);
  }
  for (const Replica& replica : replicas_) {
    if (replica.endpoint) all.push_back(replica.endpoint.get());
  }
  return all;
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
  if (primary_) out.endpoints.push_back(primary_->status());
  if (writer_) out.endpoints.push_back(writer_->status());
  for (const Replica& replica : replicas_) {
    if (replica.endpoint) {
      out.endpoints.push_back(replica.endpoint->status());
    } else {
      EndpointStatus missing;
      missing.role = EndpointRole::replica;
      missing.name = replica.config->name;
      out.endpoints.push_back(std::move(missing));
    }
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
