#include <switchyard/http/live_fleet_source.hpp>

#include <switchyard/fleet/status_sum.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0::http {

namespace {

/// Sizes are files to be looked at: not at every scrape.
constexpr Duration kFactsAge = std::chrono::seconds(60);
constexpr Duration kFactsTimeout = std::chrono::seconds(5);

constexpr std::string_view kFacts =
    "SELECT pg_catalog.pg_database_size(d.datid)::int8, d.xact_commit::int8, d.xact_rollback::int8 "
    "FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()";
constexpr std::string_view kSchemaSize =
    "SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::int8 FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'm', "
    "'p')";

}  // namespace

FleetStatus LiveFleetSource::status() const {
  FleetStatus status = fleet_.status();
  if (others_) others_([&](Fleet& other) { fleet::add(status, other.status()); });
  if (door_) status.door = door_();
  for (DatabaseStatus& database : status.databases) {
    if (backups_) database.backup = backups_(database.name);
    if (!database.endpoints.empty() && database.endpoints.front().role == EndpointRole::primary) continue;
    EndpointStatus missing;
    missing.name = "primary";
    database.endpoints.insert(database.endpoints.begin(), std::move(missing));
  }
  return status;
}

FleetStatistics LiveFleetSource::statistics() const {
  FleetStatistics statistics = fleet_.statistics();
  if (others_) others_([&](Fleet& other) { fleet::add(statistics, other.statistics()); });
  return statistics;
}

Task<std::shared_ptr<const HealthReports>> LiveFleetSource::health() {
  if (!checking_.running()) {
    checked_.reset();
    checking_.start(check());
  }
  co_await checked_.wait();
  co_return last_;
}

std::vector<DatabaseFacts> LiveFleetSource::facts() {
  const TimePoint now = runtime::now();
  if (!asking_.running() && (!asked_ || now - *asked_ >= kFactsAge)) {
    asked_ = now;
    asking_.start(ask_for_facts());
  }
  return facts_;
}

Task<void> LiveFleetSource::ask_for_facts() {
  std::vector<DatabaseFacts> found;
  for (const DatabaseConfig& config : fleet_.config().databases) {
    if (!config.configured()) continue;
    auto handle = fleet_.database(config.name);
    if (!handle.ok()) continue;
    // On a session of its own: no other database may answer for one that is down.
    auto lease = co_await as_result(handle->lease(fleet::OnConnectFailure::fail));
    if (!lease.ok()) continue;
    auto row = co_await lease
                   ->query_optional<std::tuple<std::int64_t, std::int64_t, std::int64_t>>(
                       {.sql = kFacts, .timeout = kFactsTimeout})
                   .result();
    if (!row.ok() || !row->has_value()) continue;  // it is down, or we may not ask: no facts
    DatabaseFacts& facts = found.emplace_back();
    facts.database = config.name;
    const auto& [size, commits, rollbacks] = **row;
    facts.size_bytes = static_cast<std::uint64_t>(size);
    facts.commits = static_cast<std::uint64_t>(commits);
    facts.rollbacks = static_cast<std::uint64_t>(rollbacks);
    if (config.schema->empty()) continue;
    auto schema_size =
        co_await lease->query_value<std::int64_t>({.sql = kSchemaSize, .timeout = kFactsTimeout}, *config.schema)
            .result();
    if (!schema_size.ok()) continue;
    facts.schema = *config.schema;
    facts.schema_bytes = static_cast<std::uint64_t>(*schema_size);
  }
  facts_ = std::move(found);
}

Task<void> LiveFleetSource::check() {
  try {
    last_ = std::make_shared<const HealthReports>(co_await fleet_.health_all(check_timeout_));
  } catch (const Error& error) {
    // Not about one database: the fleet as a whole can't be asked.
    HealthReport report;
    report.database = "fleet";
    report.required = true;
    report.error = error.message();
    last_ = std::make_shared<const HealthReports>(HealthReports{std::move(report)});
  }
  checked_.set();
}

}  // namespace switchyard::inline v0::http
