#include <switchyard/http/documents.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <list>

namespace switchyard::inline v0::http {

namespace {

const DatabaseStatus* find(const FleetStatus& status, std::string_view name) {
  const auto at = std::ranges::find(status.databases, name, &DatabaseStatus::name);
  return at == status.databases.end() ? nullptr : &*at;
}

bool has_replicas(const DatabaseStatus& database) {
  return std::ranges::any_of(database.endpoints,
                             [](const EndpointStatus& endpoint) { return endpoint.role == EndpointRole::replica; });
}

const HealthReport* find(const HealthReports& reports, std::string_view name) {
  const auto at = std::ranges::find(reports, name, &HealthReport::database);
  return at == reports.end() ? nullptr : &*at;
}

/// Milliseconds with at most three decimals.
double milliseconds(Duration duration) {
  return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1000.0;
}

std::string_view role_name(EndpointRole role) {
  switch (role) {
    case EndpointRole::primary: return "primary";
    case EndpointRole::replica: return "replica";
    case EndpointRole::write: return "write";
    case EndpointRole::read: return "read";
  }
  return "unknown";
}

void write_report(JsonWriter& json, const HealthReport& report) {
  json.member("status", report.healthy ? "healthy" : "unhealthy");
  if (report.healthy) {
    json.member("pool_size", report.pool_size).member("pool_max", report.pool_max);
  } else {
    json.member("error", report.error);
  }
  json.member("breaker", report.breaker).member("duration_ms", milliseconds(report.took));
}

void write_check(JsonWriter& json, std::string_view component, const HealthReport& report, bool counts) {
  json.key(std::string(component) + ":responseTime")
      .begin_array()
      .begin_object()
      .member("componentId", component)
      .member("componentType", "datastore")
      .member("status", report.healthy ? "pass"
                        : counts       ? "fail"
                                       : "warn")
      .member("observedValue", milliseconds(report.took))
      .member("observedUnit", "ms")
      .member_if("output", report.healthy ? std::string_view() : std::string_view(report.error))
      .end_object()
      .end_array();
}

void write_pool(JsonWriter& json, const PoolStatus& pool) {
  json.key("pool")
      .begin_object()
      .member("total", pool.total)
      .member("active", pool.active)
      .member("idle", pool.idle)
      .member("connecting", pool.connecting)
      .member("waiting", pool.waiting)
      .member("min", pool.min)
      .member("max", pool.max)
      .member("created", pool.created)
      .member("closed", pool.closed)
      .member("timeouts", pool.timeouts)
      .member("exhausted", pool.exhausted)
      .end_object();
}

void write_operations(JsonWriter& json, std::string_view key, const OperationStatus& operations) {
  json.key(key)
      .begin_object()
      .member("count", operations.count)
      .member("errors", operations.errors)
      .member("slow", operations.slow)
      .member("slow_acquires", operations.slow_acquires)
      .member("retries", operations.retries)
      .member("p50_ms", milliseconds(operations.p50))
      .member("p95_ms", milliseconds(operations.p95))
      .member("p99_ms", milliseconds(operations.p99))
      .member("acquire_p50_ms", milliseconds(operations.acquire_p50))
      .member("acquire_p95_ms", milliseconds(operations.acquire_p95))
      .member("acquire_p99_ms", milliseconds(operations.acquire_p99))
      .end_object();
}

void write_statements(JsonWriter& json, const std::vector<StatementStatus>& statements) {
  json.key("statements").begin_array();
  for (const StatementStatus& statement : statements) {
    json.begin_object()
        .member("name", statement.name)
        .member("access", statement.access)
        .member("count", statement.count)
        .member("errors", statement.errors)
        .member("p50_ms", milliseconds(statement.p50))
        .member("p95_ms", milliseconds(statement.p95))
        .member("p99_ms", milliseconds(statement.p99))
        .end_object();
  }
  json.end_array();
}

void write_replication(JsonWriter& json, const ReplicationStatus& replication) {
  json.key("replication")
      .begin_object()
      .member("observed", replication.observed)
      .member("reachable", replication.reachable)
      .member("late", replication.late)
      .member("role", replication.role)
      .member("system_identifier", std::to_string(replication.system_identifier))
      .member("timeline", replication.timeline)
      .member("lsn", replication.lsn);
  if (replication.lag) json.member("lag_ms", milliseconds(*replication.lag));
  if (replication.lag_bytes) json.member("lag_bytes", *replication.lag_bytes);
  json.member("rtt_ms", milliseconds(replication.rtt)).member("error", replication.error).end_object();
}

void write_reasons(JsonWriter& json, const char* key, const std::vector<LaneStatus::Reason>& reasons) {
  json.key(key).begin_array();
  for (const LaneStatus::Reason& reason : reasons) {
    json.begin_object().member("why", reason.why).member("count", reason.count).end_object();
  }
  json.end_array();
}

void write_lane(JsonWriter& json, const LaneStatus& lane) {
  json.key("lane")
      .begin_object()
      .member("sessions", lane.sessions)
      .member("outstanding", lane.outstanding)
      .member("queued", lane.queued)
      .member("statements", lane.statements)
      .member("syncs", lane.syncs)
      .member("reissued", lane.reissued)
      .member("cancels", lane.cancels)
      .member("alarms", lane.alarms);
  write_reasons(json, "exits", lane.exits);
  write_reasons(json, "refusals", lane.refusals);
  json.end_object();
}

void write_endpoint(JsonWriter& json, const EndpointStatus& endpoint) {
  json.begin_object()
      .member("role", role_name(endpoint.role))
      .member("name", endpoint.name)
      .member("location", endpoint.location)
      .member("configured", endpoint.configured)
      .member("opened", endpoint.opened)
      .member("breaker", endpoint.breaker)
      .member("last_error", endpoint.last_error);
  if (endpoint.pool) {
    write_pool(json, *endpoint.pool);
  } else {
    json.key("pool").null();
  }
  write_operations(json, "operations", endpoint.operations);
  write_operations(json, "reads", endpoint.reads);
  write_operations(json, "writes", endpoint.writes);
  write_statements(json, endpoint.statements);
  if (endpoint.lane) write_lane(json, *endpoint.lane);
  if (endpoint.replication) write_replication(json, *endpoint.replication);
  json.end_object();
}

void write_spool(JsonWriter& json, const SpoolStatus& spool) {
  json.key("spool")
      .begin_object()
      .member("fallback", spool.fallback)
      .member("state", spool.state)
      .member("entries", spool.entries)
      .member("bytes", spool.bytes)
      .member("age_ms", milliseconds(spool.age))
      .member("refused", spool.refused)
      .member("max_entries", spool.max_entries)
      .member("max_bytes", spool.max_bytes)
      .member("max_age_ms", milliseconds(spool.max_age))
      .member("kept_total", spool.kept_total)
      .member("drained_total", spool.drained_total)
      .member("last_error", spool.last_error)
      .end_object();
}

void write_backup(JsonWriter& json, const BackupStatus& backup) {
  json.key("backup").begin_object().member("repository", backup.repository).member("last", backup.last);
  if (backup.age) json.member("age_ms", milliseconds(*backup.age));
  json.member("bytes", backup.bytes).member("encrypted", backup.encrypted).member("proven", backup.proven);
  if (backup.proven_age) json.member("proven_age_ms", milliseconds(*backup.proven_age));
  json.member("failed_proof", backup.failed_proof)
      .member("frequency_ms", milliseconds(backup.frequency))
      .end_object();
}

void write_door(JsonWriter& json, const WireDoorStatus& door) {
  json.key("gateway").begin_object().key("addresses").begin_array();
  for (const std::string& address : door.addresses) json.value(address);
  json.end_array()
      .member("clients", door.clients)
      .member("logins", door.logins)
      .member("served", door.served)
      .member("waiting", door.waiting)
      .member("sessions", door.sessions)
      .member("roles", door.roles)
      .member("accepted", door.accepted)
      .member("refused", door.refused)
      .member("cancels", door.cancels)
      .member("stray_cancels", door.stray_cancels)
      .member("reads_at_replicas", door.at_replicas)
      .member("reads_at_primary", door.reads_at_primary)
      .end_object();
}

struct ConnectionSum {
  bool exists = false;
  std::uint64_t total = 0, idle = 0, waiting = 0;

  void add(const EndpointStatus& endpoint) {
    if (!endpoint.opened || !endpoint.pool) return;
    exists = true;
    total += endpoint.pool->total;
    idle += endpoint.pool->idle;
    waiting += endpoint.pool->waiting;
  }
  void write(JsonWriter& json, std::string_view key) const {
    if (!exists) return;
    json.key(key)
        .begin_object()
        .member("totalConnections", total)
        .member("idleConnections", idle)
        .member("waitingConnections", waiting)
        .end_object();
  }
};

}  // namespace

namespace {

/// What is wrong with the backups. One that is late by as much as their frequency is missing.
std::string note_of(const BackupStatus& backup, const std::string& database) {
  const std::string make = "switchyard backup --on " + database;
  if (backup.last.empty()) return "there is no backup in " + backup.repository + ": " + make;
  if (!backup.failed_proof.empty()) {
    return "the backup " + backup.failed_proof + " did not stand its restore test: switchyard backup list";
  }
  if (backup.frequency > Duration::zero() && backup.age && *backup.age > 2 * backup.frequency) {
    const auto age = std::chrono::duration_cast<std::chrono::minutes>(*backup.age);
    return "the last backup is " + format_duration(age) + " old, wanted is one every " +
           format_duration(backup.frequency) + ": " + make;
  }
  return {};
}

}  // namespace

std::string note_of(const DatabaseStatus& database) {
  if (database.maintenance) return "in maintenance";
  if (!database.note.empty())
    return database.hint.empty() ? database.note : database.note + " (" + database.hint + ")";
  if (database.backup) {
    const std::string about = note_of(*database.backup, database.name);
    if (!about.empty()) return about;
  }
  if (!database.spool) return {};
  const SpoolStatus& spool = *database.spool;
  if (spool.state == "spooling") {
    return std::to_string(spool.entries) + " writes are kept in " + spool.fallback + " until it is back";
  }
  if (spool.refused > 0) {
    return std::to_string(spool.refused) + " kept writes were refused: switchyard spool list --on " + database.name;
  }
  return {};
}

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::warn: return "warn";
    case Verdict::fail: return "fail";
  }
  return "fail";
}

bool serves(const FleetStatus& status, const HealthReport& report) {
  const DatabaseStatus* database = find(status, report.database);
  return report.healthy && database != nullptr && database->configured;
}

Verdict judge(const FleetStatus& status, const HealthReports& reports) {
  Verdict verdict = Verdict::pass;
  for (const HealthReport& report : reports) {
    const DatabaseStatus* database = find(status, report.database);
    if (!report.healthy && report.required && (database == nullptr || !database->maintenance)) return Verdict::fail;
    if (database == nullptr) continue;
    if (!note_of(*database).empty()) verdict = Verdict::warn;
    for (const EndpointStatus& endpoint : database->endpoints) {
      const HealthReport* own = report_of(reports, database->name, endpoint);
      if (endpoint.configured && own != nullptr && !own->healthy) verdict = Verdict::warn;
    }
  }
  return verdict;
}

const HealthReport* report_of(const HealthReports& reports, std::string_view database,
                              const EndpointStatus& endpoint) {
  const HealthReport* report = find(reports, database);
  if (report == nullptr || endpoint.role == EndpointRole::primary) return report;
  if (endpoint.role != EndpointRole::replica) return nullptr;
  return find(report->replicas, endpoint.name);
}

std::string replica_key(std::string_view database) {
  return database == "main" ? "readReplica" : std::string(database) + "Replica";
}

std::string health_databases_json(const FleetStatus& status, const HealthReports& reports) {
  JsonWriter json;
  json.begin_object();
  for (const DatabaseStatus& database : status.databases) {
    const HealthReport* report = find(reports, database.name);
    json.member(database.name, report != nullptr && serves(status, *report));
  }
  // Replicas after the databases, as ParaFort's document has them.
  for (const DatabaseStatus& database : status.databases) {
    if (!has_replicas(database)) continue;
    const HealthReport* report = find(reports, database.name);
    json.member(replica_key(database.name),
                report != nullptr && std::ranges::any_of(report->replicas, &HealthReport::healthy));
  }
  json.end_object();
  return json.take();
}

std::string health_connections_json(const FleetStatus& status) {
  JsonWriter json;
  json.begin_object();
  for (const DatabaseStatus& database : status.databases) {
    ConnectionSum sum;
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (endpoint.role != EndpointRole::replica) sum.add(endpoint);
    }
    sum.write(json, database.name);
  }
  for (const DatabaseStatus& database : status.databases) {
    ConnectionSum sum;
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (endpoint.role == EndpointRole::replica) sum.add(endpoint);
    }
    sum.write(json, replica_key(database.name));
  }
  json.end_object();
  return json.take();
}

std::string health_json(const FleetStatus& status, const HealthReports& reports) {
  JsonWriter json;
  json.begin_object()
      .member("status", to_string(judge(status, reports)))
      .member("serviceId", status.application)
      .member("version", status.version);
  std::list<std::string> notes;
  json.key("databases").begin_array();
  for (const HealthReport& report : reports) {
    const DatabaseStatus* database = find(status, report.database);
    json.begin_object()
        .member("database", report.database)
        .member("required", report.required)
        .member("configured", database != nullptr && database->configured)
        .member_if("note", database != nullptr ? std::string_view(notes.emplace_back(note_of(*database)))
                                               : std::string_view())
        .member_if("stand_in", database != nullptr ? std::string_view(database->stand_in) : std::string_view());
    write_report(json, report);
    json.key("replicas").begin_array();
    for (const HealthReport& replica : report.replicas) {
      json.begin_object().member("replica", replica.database);
      write_report(json, replica);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
  json.key("checks").begin_object();
  for (const HealthReport& report : reports) {
    write_check(json, report.database, report, report.required);
    for (const HealthReport& replica : report.replicas) {
      write_check(json, report.database + "/" + replica.database, replica, false);
    }
  }
  json.end_object();
  if (status.door) write_door(json, *status.door);
  json.end_object();
  return json.take();
}

std::string fleet_json(const FleetStatus& status) {
  JsonWriter json;
  json.begin_object()
      .member("application", status.application)
      .member("version", status.version)
      .member("uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(status.uptime).count());
  json.key("databases").begin_array();
  for (const DatabaseStatus& database : status.databases) {
    json.begin_object()
        .member("name", database.name)
        .member("configured", database.configured)
        .member("required", database.required)
        .member("read_only", database.read_only)
        .member("stand_in", database.stand_in)
        .member("profile", database.profile)
        .member("note", database.note)
        .member("hint", database.hint)
        .member("maintenance", database.maintenance);
    if (database.spool) write_spool(json, *database.spool);
    if (database.backup) write_backup(json, *database.backup);
    json.key("endpoints").begin_array();
    for (const EndpointStatus& endpoint : database.endpoints) write_endpoint(json, endpoint);
    json.end_array().end_object();
  }
  json.end_array();
  if (status.door) write_door(json, *status.door);
  json.end_object();
  return json.take();
}

std::string utc_text(std::chrono::system_clock::time_point moment) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(moment);
  const auto day = std::chrono::floor<std::chrono::days>(milliseconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(milliseconds - day);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text.data();
}

std::string events_json(const std::vector<telemetry::KeptEvent>& events) {
  JsonWriter json;
  json.begin_object().member("last", events.empty() ? std::uint64_t{0} : events.back().sequence);
  json.key("events").begin_array();
  for (const telemetry::KeptEvent& event : events) {
    json.begin_object()
        .member("sequence", event.sequence)
        .member("time", utc_text(event.at))
        .member("level", log::to_string(event.level))
        .member("kind", event.kind)
        .member_if("database", event.database)
        .member("message", event.message);
    if (event.left_out != 0) json.member("left_out", event.left_out);
    json.key("fields").begin_object();
    for (const auto& [name, value] : event.fields) json.member(name, value);
    json.end_object().end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace switchyard::inline v0::http
