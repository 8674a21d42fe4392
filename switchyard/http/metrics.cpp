#include <switchyard/http/metrics.hpp>

#include <switchyard/http/documents.hpp>
#include <switchyard/telemetry/text.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::http {

namespace {

using telemetry::Family;
using telemetry::Labels;
using telemetry::Metric;
using Kind = telemetry::Metric::Kind;

constexpr double kNanosecond = 1e-9;
constexpr double kMillionth = 1e-6;

constexpr Metric kCount{Kind::gauge, "db.client.connection.count", "{connection}", "Open connections by state."};
constexpr Metric kMax{Kind::gauge, "db.client.connection.max", "{connection}",
                      "The most connections this pool opens."};
constexpr Metric kIdleMin{Kind::gauge, "db.client.connection.idle.min", "{connection}", "Connections kept open."};
constexpr Metric kIdleMax{Kind::gauge, "db.client.connection.idle.max", "{connection}",
                          "The most idle connections before the idle time-out closes some."};
constexpr Metric kPending{Kind::gauge, "db.client.connection.pending_requests", "{request}",
                          "Callers that wait for a connection."};
constexpr Metric kTimeouts{Kind::counter, "db.client.connection.timeouts", "{timeout}",
                           "Callers that waited for a connection in vain."};
constexpr Metric kCreateTime{Kind::histogram, "db.client.connection.create_time", "s", "Opening a connection.",
                             kNanosecond,     telemetry::kOperationSeconds};
constexpr Metric kWaitTime{Kind::histogram,
                           "db.client.connection.wait_time",
                           "s",
                           "Waiting for a connection, by operations, transactions and leases.",
                           kNanosecond,
                           telemetry::kOperationSeconds};
constexpr Metric kUseTime{Kind::histogram,
                          "db.client.connection.use_time",
                          "s",
                          "Holding a connection, from getting it to giving it back.",
                          kNanosecond,
                          telemetry::kOperationSeconds};
constexpr Metric kDuration{Kind::histogram,
                           "db.client.operation.duration",
                           "s",
                           "Execution of operations, without the wait for a connection.",
                           kNanosecond,
                           telemetry::kOperationSeconds};

constexpr Metric kUp{Kind::gauge, "switchyard.up", "", "1 when the endpoint answered SELECT 1, else 0."};
constexpr Metric kInfo{Kind::gauge, "switchyard.info", "", "Always 1; the labels tell what runs."};
constexpr Metric kUptime{Kind::gauge, "switchyard.uptime", "s", "Since the fleet was opened."};
constexpr Metric kConnecting{Kind::gauge, "switchyard.connection.connecting", "{connection}",
                             "Connections being opened."};
constexpr Metric kCreated{Kind::counter, "switchyard.connection.created", "{connection}", "Connections opened."};
constexpr Metric kClosed{Kind::counter, "switchyard.connection.closed", "{connection}", "Connections closed."};
constexpr Metric kExhausted{Kind::counter, "switchyard.pool.exhausted", "{time}",
                            "Times every connection of the pool was in use."};
constexpr Metric kOperations{Kind::counter, "switchyard.operations", "{operation}", "Operations that ended."};
constexpr Metric kErrors{Kind::counter, "switchyard.operation.errors", "{operation}",
                         "Operations that failed, by kind of error."};
constexpr Metric kSlow{Kind::counter, "switchyard.operation.slow", "{operation}",
                       "Operations that ran longer than the database's slow_query."};
constexpr Metric kSlowAcquire{Kind::counter, "switchyard.acquire.slow", "{wait}",
                              "Waits for a connection longer than the database's slow_acquire."};
constexpr Metric kRetries{Kind::counter, "switchyard.operation.retries", "{attempt}", "Attempts after the first."};
constexpr Metric kInDoubt{Kind::counter, "switchyard.operation.in_doubt", "{operation}",
                          "Writes whose outcome is unknown."};
constexpr Metric kQuantile{Kind::gauge, "switchyard.operation.duration.percentile", "s",
                           "Execution of operations by percentile, since the start.", kNanosecond};
constexpr Metric kAcquire{Kind::gauge, "switchyard.acquire.duration.percentile", "s",
                          "Wait for a connection by percentile, since the start.", kNanosecond};
constexpr Metric kTarget{Kind::gauge, "switchyard.latency_target", "s", "The database's latency_target.",
                         kNanosecond};
constexpr Metric kTargetMeasured{Kind::counter, "switchyard.latency_target.measured", "{operation}",
                                 "Executions of a database with a latency_target."};
constexpr Metric kTargetMet{Kind::counter, "switchyard.latency_target.met", "{operation}",
                            "Executions within the latency_target."};
constexpr Metric kTargetShare{Kind::gauge, "switchyard.latency_target.share", "1",
                              "Share of executions within the latency_target, since the start.", kMillionth};
constexpr Metric kStatement{Kind::histogram,
                            "switchyard.statement.duration",
                            "s",
                            "Execution of named statements; names beyond the limit count as other.",
                            kNanosecond,
                            telemetry::kOperationSeconds};
constexpr Metric kStatementErrors{Kind::counter, "switchyard.statement.errors", "{operation}",
                                  "Named statements that failed."};
constexpr Metric kStatementQuantile{Kind::gauge, "switchyard.statement.duration.percentile", "s",
                                    "Execution of named statements by percentile, since the start.", kNanosecond};
constexpr Metric kTransactions{Kind::counter, "switchyard.transactions", "{transaction}",
                               "Transactions of this process, by how they ended."};
constexpr Metric kBreaker{Kind::gauge, "switchyard.breaker.state", "", "1 for the state the breaker is in."};
constexpr Metric kBreakerOpened{Kind::counter, "switchyard.breaker.opened", "{time}", "Times the breaker opened."};
constexpr Metric kBreakerRefused{Kind::counter, "switchyard.breaker.refused", "{operation}",
                                 "Operations that the open breaker turned away."};
constexpr Metric kRetriesRefused{Kind::counter, "switchyard.retries.refused", "{attempt}",
                                 "Attempts that were not made because the retry budget was used up."};
constexpr Metric kLag{Kind::gauge, "switchyard.replica.lag", "s", "How old what the replica shows may be.",
                      kNanosecond};
constexpr Metric kLagBytes{Kind::gauge, "switchyard.replica.lag_bytes", "By",
                           "WAL that the replica has not replayed."};
constexpr Metric kReachable{Kind::gauge, "switchyard.probe.reachable", "", "1 when the last probe was answered."};
constexpr Metric kMaintenance{Kind::gauge, "switchyard.maintenance", "", "1 during `switchyard maintenance`."};
constexpr Metric kLaneSessions{Kind::gauge, "switchyard.lane.sessions", "{session}",
                               "Sessions that callers share now."};
constexpr Metric kLaneStatements{Kind::counter, "switchyard.lane.statements", "{statement}",
                                 "Statements that were taken into a shared lane."};
constexpr Metric kLaneSyncs{Kind::counter, "switchyard.lane.syncs", "{group}",
                            "Groups in which they were sent, each with one Sync."};
constexpr Metric kLaneReissued{Kind::counter, "switchyard.lane.reissued", "{statement}",
                               "Statements moved away from behind a slow one."};
constexpr Metric kLaneExits{Kind::counter, "switchyard.lane.exits", "{statement}",
                            "Statements that left a lane and ran on a lease."};
constexpr Metric kLaneRefusals{Kind::counter, "switchyard.lane.refusals", "{statement}",
                               "Reads that were leased from the start, by reason."};
constexpr Metric kLaneAlarms{Kind::counter, "switchyard.lane.alarms", "{session}",
                             "Shared sessions closed because something did not fit."};
constexpr Metric kDoorClients{Kind::gauge, "switchyard.gateway.clients", "{client}",
                              "Clients of the gateway, by what they do."};
constexpr Metric kDoorSessions{Kind::gauge, "switchyard.gateway.sessions", "{session}",
                               "Sessions of servers that clients of the gateway have or have just had."};
constexpr Metric kDoorRoles{Kind::gauge, "switchyard.gateway.roles", "{pool}",
                            "Pools of roles other than the fleet's."};
constexpr Metric kDoorAccepted{Kind::counter, "switchyard.gateway.connections", "{connection}",
                               "Connections that the gateway accepted."};
constexpr Metric kDoorRefused{Kind::counter, "switchyard.gateway.refused", "{connection}",
                              "Connections that ended before they could send a statement."};
constexpr Metric kDoorCancels{Kind::counter, "switchyard.gateway.cancels", "{request}",
                              "Cancel requests, by whether they named a client."};
constexpr Metric kDoorReads{Kind::counter, "switchyard.gateway.reads", "{read}",
                            "Reads of the gateway's clients that replicas may serve, by who served them."};
constexpr Metric kBackupAge{Kind::gauge, "switchyard.backup.age", "s",
                            "Since the moment that the newest backup shows; absent while there is none.",
                            kNanosecond};
constexpr Metric kBackupProvenAge{Kind::gauge, "switchyard.backup.proven_age", "s",
                                  "Since a restore test last proved a backup; absent while none is proven.",
                                  kNanosecond};
constexpr Metric kBackupFrequency{Kind::gauge, "switchyard.backup.frequency", "s", "How often a backup is wanted.",
                                  kNanosecond};
constexpr Metric kBackupBytes{Kind::gauge, "switchyard.backup.size", "By", "Of the newest backup's dump."};
constexpr Metric kBackupFailedProof{Kind::gauge, "switchyard.backup.failed_proof", "{backup}",
                                    "1: the newest tested backup did not stand its restore test."};
constexpr Metric kSpoolEntries{Kind::gauge, "switchyard.spool.entries", "{entry}",
                               "Writes that wait in the spool."};
constexpr Metric kSpoolBytes{Kind::gauge, "switchyard.spool.size", "By", "Their size."};
constexpr Metric kSpoolAge{Kind::gauge, "switchyard.spool.age", "s", "Age of the oldest of them.", kNanosecond};
constexpr Metric kSpoolRefused{Kind::gauge, "switchyard.spool.refused", "{entry}",
                               "Writes that the database did not take back: `switchyard spool list`."};
constexpr Metric kSpoolKept{Kind::counter, "switchyard.spool.kept", "{entry}", "Writes kept by this process."};
constexpr Metric kSpoolDrained{Kind::counter, "switchyard.spool.drained", "{entry}",
                               "Writes that this process brought to their database."};
constexpr Metric kEvents{Kind::counter, "switchyard.events", "{event}", "Events by kind, whether logged or not."};
constexpr Metric kEventsLeftOut{Kind::counter, "switchyard.events.left_out", "{event}",
                                "Events without a log line of their own, because there were too many."};
constexpr Metric kSize{Kind::gauge, "switchyard.database.size", "By", "Size of the physical database."};
constexpr Metric kCommits{Kind::counter, "switchyard.database.commits", "{transaction}",
                          "Transactions committed in the database, by any client."};
constexpr Metric kRollbacks{Kind::counter, "switchyard.database.rollbacks", "{transaction}",
                            "Transactions rolled back in the database, by any client."};
constexpr Metric kSchemaSize{Kind::gauge, "switchyard.schema.size", "By", "Size of the database's schema."};
constexpr Metric kSpans{Kind::counter, "switchyard.trace.spans", "{span}", "Spans by what became of them."};
constexpr Metric kSpansQueued{Kind::gauge, "switchyard.trace.queue", "{span}",
                              "Spans that wait for the collector."};

constexpr std::array kBreakerStates{"CLOSED", "OPEN", "HALF_OPEN"};

class Families {
 public:
  void add(const Metric& metric, Labels labels, std::uint64_t value) {
    std::ranges::sort(labels);
    if (metric.kind == Kind::counter) {
      series(metric).push_back({std::move(labels), value});
    } else {
      series(metric).push_back({std::move(labels), static_cast<std::int64_t>(value)});
    }
  }
  void add(const Metric& metric, Labels labels, const telemetry::HistogramData& value) {
    std::ranges::sort(labels);
    series(metric).push_back({std::move(labels), value});
  }
  void add(const Metric& metric, Labels labels, Duration value) {
    add(metric, std::move(labels), static_cast<std::uint64_t>(std::max<Duration::rep>(value.count(), 0)));
  }
  [[nodiscard]] std::string text() {
    std::ranges::sort(families_, {}, [](const Family& family) { return family.metric->name; });
    for (Family& family : families_) std::ranges::sort(family.series, {}, &telemetry::Series::labels);
    return telemetry::to_text(families_);
  }

 private:
  std::vector<telemetry::Series>& series(const Metric& metric) {
    const auto at = std::ranges::find(families_, &metric, &Family::metric);
    return at != families_.end() ? at->series : families_.emplace_back(Family{&metric, {}}).series;
  }
  std::vector<Family> families_;
};

/// "main", "main_write", "reference_replica_api": as names of read views are written.
std::string pool_name(const std::string& database, EndpointRole role, const std::string& name) {
  switch (role) {
    case EndpointRole::primary: return database;
    case EndpointRole::write: return database + "_write";
    case EndpointRole::read: return database + "_read";
    case EndpointRole::replica: return database + "_replica_" + name;
  }
  return database;
}

void add_pool(Families& families, const std::string& name, const PoolStatus& pool) {
  const Labels label{{"db.client.connection.pool.name", name}};
  const auto with_state = [&](const char* state) {
    Labels labels = label;
    labels.emplace_back("db.client.connection.state", state);
    return labels;
  };
  families.add(kCount, with_state("idle"), std::uint64_t{pool.idle});
  families.add(kCount, with_state("used"), std::uint64_t{pool.active});
  families.add(kMax, label, std::uint64_t{pool.max});
  families.add(kIdleMin, label, std::uint64_t{pool.min});
  families.add(kIdleMax, label, std::uint64_t{pool.max});
  families.add(kPending, label, std::uint64_t{pool.waiting});
  families.add(kTimeouts, label, pool.timeouts);
  families.add(kConnecting, label, std::uint64_t{pool.connecting});
  families.add(kCreated, label, pool.created);
  families.add(kClosed, label, pool.closed);
  families.add(kExhausted, label, pool.exhausted);
}

Labels with(Labels labels, std::string name, std::string value) {
  labels.emplace_back(std::move(name), std::move(value));
  return labels;
}

constexpr std::array<std::pair<double, const char*>, 3> kPercentiles{{{0.50, "50"}, {0.95, "95"}, {0.99, "99"}}};

void add_percentiles(Families& families, const Metric& metric, const Labels& labels,
                     const telemetry::HistogramData& data) {
  if (data.count() == 0) return;
  for (const auto& [q, name] : kPercentiles) {
    families.add(metric, with(labels, "percentile", name), data.quantile(q));
  }
}

std::string error_type(std::size_t kind) { return std::string(to_string(static_cast<ErrorKind>(kind))); }

void add_operations(Families& families, const std::string& pool, const EndpointStatistics& endpoint,
                    const char* access, const telemetry::OperationTotals& totals) {
  const Labels labels{{"database", endpoint.database}, {"pool", pool}, {"access", access}};
  families.add(kDuration,
               {{"db.system.name", "postgresql"},
                {"db.namespace", endpoint.database},
                {"db.client.connection.pool.name", pool},
                {"access", access}},
               totals.execution);
  families.add(kOperations, labels, totals.count);
  for (std::size_t kind = 0; kind < totals.errors.size(); ++kind) {
    if (totals.errors[kind] != 0)
      families.add(kErrors, with(labels, "error.type", error_type(kind)), totals.errors[kind]);
  }
  families.add(kInDoubt, labels, totals.errors[static_cast<std::size_t>(ErrorKind::InDoubt)]);
  families.add(kSlow, labels, totals.slow);
  families.add(kSlowAcquire, labels, totals.slow_acquires);
  families.add(kRetries, labels, totals.retries);
  add_percentiles(families, kQuantile, labels, totals.execution);
  add_percentiles(families, kAcquire, labels, totals.acquire);
  if (endpoint.latency_target > Duration::zero()) {
    families.add(kTargetMeasured, labels, totals.execution.count());
    families.add(kTargetMet, labels, totals.within_target);
  }
  for (const telemetry::StatementNumbers& statement : totals.statements) {
    const Labels named = with(labels, "statement", statement.name);
    families.add(kStatement, named, statement.execution);
    families.add(kStatementErrors, named, statement.errors);
    add_percentiles(families, kStatementQuantile, named, statement.execution);
  }
}

void add_statistics(Families& families, const FleetStatistics& statistics) {
  struct Target {
    Duration target;
    std::uint64_t measured = 0;
    std::uint64_t met = 0;
  };
  std::map<std::string, Target> targets;
  for (const EndpointStatistics& endpoint : statistics.endpoints) {
    const std::string pool = pool_name(endpoint.database, endpoint.role, endpoint.name);
    const Labels label{{"db.client.connection.pool.name", pool}};
    families.add(kCreateTime, label, endpoint.create_time);
    families.add(kWaitTime, label, endpoint.wait_time);
    families.add(kUseTime, label, endpoint.use_time);
    add_operations(families, pool, endpoint, "read", endpoint.reads);
    add_operations(families, pool, endpoint, "write", endpoint.writes);
    const Labels labels{{"database", endpoint.database}, {"pool", pool}};
    families.add(kTransactions, with(labels, "outcome", "committed"), endpoint.committed);
    families.add(kTransactions, with(labels, "outcome", "rolled_back"), endpoint.rolled_back);
    if (endpoint.latency_target <= Duration::zero()) continue;
    Target& target = targets[endpoint.database];
    target.target = endpoint.latency_target;
    target.measured += endpoint.reads.execution.count() + endpoint.writes.execution.count();
    target.met += endpoint.reads.within_target + endpoint.writes.within_target;
  }
  for (const auto& [database, target] : targets) {
    families.add(kTarget, {{"database", database}}, target.target);
    if (target.measured == 0) continue;
    const double share = static_cast<double>(target.met) / static_cast<double>(target.measured);
    families.add(kTargetShare, {{"database", database}}, static_cast<std::uint64_t>(share / kMillionth));
  }
  if (!statistics.traced) return;
  families.add(kSpans, {{"outcome", "exported"}}, statistics.traces.exported);
  families.add(kSpans, {{"outcome", "dropped"}}, statistics.traces.dropped);
  families.add(kSpans, {{"outcome", "failed"}}, statistics.traces.failed);
  families.add(kSpansQueued, {}, statistics.traces.queued);
}

void add_facts(Families& families, const std::vector<DatabaseFacts>& all) {
  for (const DatabaseFacts& facts : all) {
    const Labels label{{"database", facts.database}};
    families.add(kSize, label, facts.size_bytes);
    families.add(kCommits, label, facts.commits);
    families.add(kRollbacks, label, facts.rollbacks);
    if (!facts.schema.empty()) families.add(kSchemaSize, with(label, "schema", facts.schema), facts.schema_bytes);
  }
}

void add_events(Families& families, const std::vector<telemetry::EventCount>& counts) {
  for (const telemetry::EventCount& count : counts) {
    const Labels labels{{"event", count.kind}, {"database", count.database}};
    families.add(kEvents, labels, count.count);
    families.add(kEventsLeftOut, labels, count.left_out);
  }
}

void add_up(Families& families, const DatabaseStatus& database, const HealthReports& reports) {
  for (const EndpointStatus& endpoint : database.endpoints) {
    const HealthReport* report = report_of(reports, database.name, endpoint);
    if (!endpoint.configured || report == nullptr) continue;
    families.add(kUp,
                 {{"database", database.name},
                  {"endpoint", endpoint.role == EndpointRole::primary ? "primary" : endpoint.name},
                  {"required", database.required && endpoint.role == EndpointRole::primary ? "true" : "false"}},
                 std::uint64_t{report->healthy ? 1u : 0u});
  }
}

void add_replication(Families& families, const Labels& labels, const EndpointStatus& endpoint) {
  if (!endpoint.replication || !endpoint.replication->observed) return;
  const ReplicationStatus& seen = *endpoint.replication;
  families.add(kReachable, labels, std::uint64_t{seen.reachable ? 1u : 0u});
  if (seen.lag) families.add(kLag, labels, *seen.lag);
  if (seen.lag_bytes) families.add(kLagBytes, labels, *seen.lag_bytes);
}

void add_lane(Families& families, const std::string& pool, const LaneStatus& lane) {
  const Labels label{{"db.client.connection.pool.name", pool}};
  families.add(kLaneSessions, label, std::uint64_t{lane.sessions});
  families.add(kLaneStatements, label, lane.statements);
  families.add(kLaneSyncs, label, lane.syncs);
  families.add(kLaneReissued, label, lane.reissued);
  families.add(kLaneAlarms, label, lane.alarms);
  for (const LaneStatus::Reason& exit : lane.exits) {
    families.add(kLaneExits, with(label, "reason", exit.why.substr(exit.why.find(' ') + 1)), exit.count);
  }
  for (const LaneStatus::Reason& refusal : lane.refusals) {
    families.add(kLaneRefusals, with(label, "reason", refusal.why.substr(refusal.why.find(' ') + 1)),
                 refusal.count);
  }
}

void add_door(Families& families, const WireDoorStatus& door) {
  families.add(kDoorClients, {{"state", "logging_in"}}, std::uint64_t{door.logins});
  families.add(kDoorClients, {{"state", "served"}}, std::uint64_t{door.served});
  families.add(kDoorClients, {{"state", "waiting"}}, std::uint64_t{door.waiting});
  const std::uint32_t others = door.logins + door.served + door.waiting;
  families.add(kDoorClients, {{"state", "idle"}}, std::uint64_t{door.clients - std::min(door.clients, others)});
  families.add(kDoorSessions, {}, std::uint64_t{door.sessions});
  families.add(kDoorRoles, {}, std::uint64_t{door.roles});
  families.add(kDoorAccepted, {}, door.accepted);
  families.add(kDoorRefused, {}, door.refused);
  families.add(kDoorCancels, {{"outcome", "passed"}}, door.cancels);
  families.add(kDoorCancels, {{"outcome", "stray"}}, door.stray_cancels);
  families.add(kDoorReads, {{"place", "replica"}}, door.at_replicas);
  families.add(kDoorReads, {{"place", "primary"}}, door.reads_at_primary);
}

void add_backup(Families& families, const std::string& database, const BackupStatus& backup) {
  const Labels label{{"database", database}};
  if (backup.age) families.add(kBackupAge, label, *backup.age);
  if (backup.proven_age) families.add(kBackupProvenAge, label, *backup.proven_age);
  families.add(kBackupFrequency, label, backup.frequency);
  if (!backup.last.empty()) families.add(kBackupBytes, label, backup.bytes);
  families.add(kBackupFailedProof, label, std::uint64_t{backup.failed_proof.empty() ? 0U : 1U});
}

void add_spool(Families& families, const DatabaseStatus& database) {
  const Labels label{{"database", database.name}};
  families.add(kMaintenance, label, std::uint64_t{database.maintenance ? 1u : 0u});
  if (!database.spool) return;
  const SpoolStatus& spool = *database.spool;
  families.add(kSpoolEntries, label, spool.entries);
  families.add(kSpoolBytes, label, spool.bytes);
  families.add(kSpoolAge, label, spool.age);
  families.add(kSpoolRefused, label, spool.refused);
  families.add(kSpoolKept, label, spool.kept_total);
  families.add(kSpoolDrained, label, spool.drained_total);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  const FleetStatus& status = input.status;
  Families families;
  families.add(kInfo, {{"application", status.application}, {"version", status.version}}, std::uint64_t{1});
  families.add(kUptime, {},
               static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(status.uptime).count()));
  for (const DatabaseStatus& database : status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (!endpoint.configured) continue;
      const std::string name = pool_name(database.name, endpoint.role, endpoint.name);
      if (endpoint.pool) add_pool(families, name, *endpoint.pool);
      if (endpoint.lane) add_lane(families, name, *endpoint.lane);
      for (const BreakerReport& breaker : endpoint.breakers) {
        const Labels labels{{"database", database.name}, {"pool", name}, {"access", breaker.access}};
        for (const char* state : kBreakerStates) {
          families.add(kBreaker, with(labels, "state", state), std::uint64_t{breaker.state == state ? 1u : 0u});
        }
        families.add(kBreakerOpened, labels, breaker.opened);
        families.add(kBreakerRefused, labels, breaker.refused);
      }
      add_replication(families, {{"database", database.name}, {"pool", name}}, endpoint);
    }
    if (database.configured) add_spool(families, database);
    if (database.backup) add_backup(families, database.name, *database.backup);
    if (database.configured) families.add(kRetriesRefused, {{"database", database.name}}, database.retries_refused);
    add_up(families, database, input.reports);
  }
  if (status.door) add_door(families, *status.door);
  add_statistics(families, input.statistics);
  add_facts(families, input.facts);
  add_events(families, input.events);
  return families.text();
}

}  // namespace switchyard::inline v0::http
