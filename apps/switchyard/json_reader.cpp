#include "json_reader.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <string>

#include <cstdlib>

namespace switchyard::cli {

namespace {

namespace json = boost::json;

/// Members that are missing or of another type read as empty: both sides are the same program, versions may differ.
class Reader {
 public:
  explicit Reader(const json::value& value) : object_(value.if_object()) {}

  [[nodiscard]] std::string text(std::string_view key) const {
    const json::value* value = find(key);
    const json::string* found = value != nullptr ? value->if_string() : nullptr;
    return found != nullptr ? std::string(*found) : std::string();
  }
  [[nodiscard]] bool truth(std::string_view key) const {
    const json::value* value = find(key);
    const bool* found = value != nullptr ? value->if_bool() : nullptr;
    return found != nullptr && *found;
  }
  template <class T>
  [[nodiscard]] T number(std::string_view key) const {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_number()) return T{};
    json::error_code error;
    const T found = value->to_number<T>(error);
    return error ? T{} : found;
  }
  [[nodiscard]] Duration milliseconds(std::string_view key) const {
    return std::chrono::round<Duration>(std::chrono::duration<double, std::milli>(number<double>(key)));
  }
  template <class Each>
  void each(std::string_view key, Each&& visit) const {
    const json::value* value = find(key);
    const json::array* array = value != nullptr ? value->if_array() : nullptr;
    if (array == nullptr) return;
    for (const json::value& element : *array) visit(Reader(element));
  }
  [[nodiscard]] const json::value* find(std::string_view key) const {
    return object_ != nullptr ? object_->if_contains(json::string_view(key.data(), key.size())) : nullptr;
  }
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> out;
    const json::value* value = find(key);
    const json::array* array = value != nullptr ? value->if_array() : nullptr;
    if (array == nullptr) return out;
    for (const json::value& element : *array) {
      if (const json::string* text = element.if_string()) out.emplace_back(*text);
    }
    return out;
  }
  [[nodiscard]] bool valid() const { return object_ != nullptr; }

 private:
  const json::object* object_;
};

Result<json::value> parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return Error(ErrorKind::Protocol, "this is not JSON: " + error.message());
  if (!value.is_object()) return Error(ErrorKind::Protocol, "this is not a JSON object");
  return value;
}

OperationStatus read_operations(const Reader& endpoint, std::string_view key) {
  OperationStatus out;
  const json::value* value = endpoint.find(key);
  if (value == nullptr) return out;
  const Reader from(*value);
  out.count = from.number<std::uint64_t>("count");
  out.errors = from.number<std::uint64_t>("errors");
  out.slow = from.number<std::uint64_t>("slow");
  out.slow_acquires = from.number<std::uint64_t>("slow_acquires");
  out.retries = from.number<std::uint64_t>("retries");
  out.p50 = from.milliseconds("p50_ms");
  out.p95 = from.milliseconds("p95_ms");
  out.p99 = from.milliseconds("p99_ms");
  out.acquire_p50 = from.milliseconds("acquire_p50_ms");
  out.acquire_p95 = from.milliseconds("acquire_p95_ms");
  out.acquire_p99 = from.milliseconds("acquire_p99_ms");
  return out;
}

PoolStatus read_pool(const Reader& from) {
  PoolStatus pool;
  pool.total = from.number<std::uint32_t>("total");
  pool.active = from.number<std::uint32_t>("active");
  pool.idle = from.number<std::uint32_t>("idle");
  pool.connecting = from.number<std::uint32_t>("connecting");
  pool.waiting = from.number<std::uint32_t>("waiting");
  pool.min = from.number<std::uint32_t>("min");
  pool.max = from.number<std::uint32_t>("max");
  pool.created = from.number<std::uint64_t>("created");
  pool.closed = from.number<std::uint64_t>("closed");
  pool.timeouts = from.number<std::uint64_t>("timeouts");
  pool.exhausted = from.number<std::uint64_t>("exhausted");
  return pool;
}

ReplicationStatus read_replication(const Reader& from) {
  ReplicationStatus out;
  out.observed = from.truth("observed");
  out.reachable = from.truth("reachable");
  out.late = from.truth("late");
  out.role = from.text("role");
  out.system_identifier = std::strtoull(from.text("system_identifier").c_str(), nullptr, 10);
  out.timeline = from.number<std::uint32_t>("timeline");
  out.lsn = from.text("lsn");
  if (from.find("lag_ms") != nullptr) out.lag = from.milliseconds("lag_ms");
  if (from.find("lag_bytes") != nullptr) out.lag_bytes = from.number<std::uint64_t>("lag_bytes");
  out.rtt = from.milliseconds("rtt_ms");
  out.error = from.text("error");
  return out;
}

SpoolStatus read_spool(const Reader& from) {
  SpoolStatus spool;
  spool.fallback = from.text("fallback");
  spool.state = from.text("state");
  spool.entries = from.number<std::uint64_t>("entries");
  spool.bytes = from.number<std::uint64_t>("bytes");
  spool.age = from.milliseconds("age_ms");
  spool.refused = from.number<std::uint64_t>("refused");
  spool.max_entries = from.number<std::uint64_t>("max_entries");
  spool.max_bytes = from.number<std::uint64_t>("max_bytes");
  spool.max_age = from.milliseconds("max_age_ms");
  spool.kept_total = from.number<std::uint64_t>("kept_total");
  spool.drained_total = from.number<std::uint64_t>("drained_total");
  spool.last_error = from.text("last_error");
  return spool;
}

EndpointStatus read_endpoint(const Reader& from) {
  EndpointStatus endpoint;
  const std::string role = from.text("role");
  endpoint.role = role == "replica" ? EndpointRole::replica
                  : role == "write" ? EndpointRole::write
                  : role == "read"  ? EndpointRole::read
                                    : EndpointRole::primary;
  endpoint.name = from.text("name");
  endpoint.location = from.text("location");
  endpoint.configured = from.truth("configured");
  endpoint.opened = from.truth("opened");
  endpoint.breaker = from.text("breaker");
  endpoint.last_error = from.text("last_error");
  if (const json::value* pool = from.find("pool"); pool != nullptr && pool->is_object()) {
    endpoint.pool = read_pool(Reader(*pool));
  }
  endpoint.operations = read_operations(from, "operations");
  endpoint.reads = read_operations(from, "reads");
  endpoint.writes = read_operations(from, "writes");
  from.each("statements", [&](const Reader& one) {
    StatementStatus& statement = endpoint.statements.emplace_back();
    statement.name = one.text("name");
    statement.access = one.text("access");
    statement.count = one.number<std::uint64_t>("count");
    statement.errors = one.number<std::uint64_t>("errors");
    statement.p50 = one.milliseconds("p50_ms");
    statement.p95 = one.milliseconds("p95_ms");
    statement.p99 = one.milliseconds("p99_ms");
  });
  if (const json::value* value = from.find("replication"); value != nullptr && value->is_object()) {
    endpoint.replication = read_replication(Reader(*value));
  }
  return endpoint;
}

BackupStatus read_backup(const Reader& from) {
  BackupStatus backup;
  backup.repository = from.text("repository");
  backup.last = from.text("last");
  if (from.find("age_ms") != nullptr) backup.age = from.milliseconds("age_ms");
  backup.bytes = from.number<std::uint64_t>("bytes");
  backup.encrypted = from.truth("encrypted");
  backup.proven = from.text("proven");
  if (from.find("proven_age_ms") != nullptr) backup.proven_age = from.milliseconds("proven_age_ms");
  backup.failed_proof = from.text("failed_proof");
  backup.frequency = from.milliseconds("frequency_ms");
  return backup;
}

WireDoorStatus read_door(const Reader& from) {
  WireDoorStatus door;
  door.addresses = from.texts("addresses");
  door.clients = from.number<std::uint32_t>("clients");
  door.logins = from.number<std::uint32_t>("logins");
  door.served = from.number<std::uint32_t>("served");
  door.waiting = from.number<std::uint32_t>("waiting");
  door.sessions = from.number<std::uint32_t>("sessions");
  door.roles = from.number<std::uint32_t>("roles");
  door.accepted = from.number<std::uint64_t>("accepted");
  door.refused = from.number<std::uint64_t>("refused");
  door.cancels = from.number<std::uint64_t>("cancels");
  door.stray_cancels = from.number<std::uint64_t>("stray_cancels");
  door.at_replicas = from.number<std::uint64_t>("reads_at_replicas");
  door.reads_at_primary = from.number<std::uint64_t>("reads_at_primary");
  return door;
}

HealthReport read_report(const Reader& from, std::string_view name_key) {
  HealthReport report;
  report.database = from.text(name_key);
  report.healthy = from.text("status") == "healthy";
  report.required = from.truth("required");
  report.pool_size = from.number<std::uint32_t>("pool_size");
  report.pool_max = from.number<std::uint32_t>("pool_max");
  report.error = from.text("error");
  report.breaker = from.text("breaker");
  report.took = from.milliseconds("duration_ms");
  from.each("replicas", [&](const Reader& replica) { report.replicas.push_back(read_report(replica, "replica")); });
  return report;
}

}  // namespace

Result<RunningFleet> read_running_fleet(std::string_view text) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  const Reader from(*value);
  RunningFleet fleet;
  fleet.application = from.text("application");
  fleet.pid = from.number<pid_t>("pid");
  fleet.http = from.text("http");
  fleet.gateway = from.texts("gateway");
  fleet.config_file = from.text("config_file");
  fleet.env_file = from.text("env_file");
  fleet.folder = from.text("folder");
  fleet.demonstration = from.truth("demonstration");
  fleet.log_file = from.text("log_file");
  from.each("settings",
            [&](const Reader& one) { fleet.settings.emplace_back(one.text("key"), one.text("value")); });
  from.each("relocations", [&](const Reader& one) {
    fleet.relocations.push_back({one.text("database"), one.text("replica"), one.text("dsn"), one.text("place")});
  });
  return fleet;
}

Result<FleetStatus> read_fleet_status(std::string_view text) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  const Reader from(*value);
  FleetStatus status;
  status.application = from.text("application");
  status.version = from.text("version");
  status.uptime = std::chrono::seconds(from.number<std::int64_t>("uptime_seconds"));
  if (const json::value* door = from.find("gateway"); door != nullptr) status.door = read_door(Reader(*door));
  from.each("databases", [&](const Reader& one) {
    DatabaseStatus& database = status.databases.emplace_back();
    database.name = one.text("name");
    database.configured = one.truth("configured");
    database.required = one.truth("required");
    database.read_only = one.truth("read_only");
    database.stand_in = one.text("stand_in");
    database.profile = one.text("profile");
    database.note = one.text("note");
    database.hint = one.text("hint");
    database.maintenance = one.truth("maintenance");
    if (const json::value* spool = one.find("spool")) database.spool = read_spool(Reader(*spool));
    if (const json::value* backup = one.find("backup")) database.backup = read_backup(Reader(*backup));
    one.each("endpoints", [&](const Reader& endpoint) { database.endpoints.push_back(read_endpoint(endpoint)); });
  });
  return status;
}

Result<std::vector<NamedBreaker>> read_breakers(std::string_view text) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  std::vector<NamedBreaker> breakers;
  Reader(*value).each("breakers", [&](const Reader& one) {
    NamedBreaker& breaker = breakers.emplace_back();
    breaker.database = one.text("database");
    BreakerReport& report = breaker.report;
    report.endpoint = one.text("endpoint");
    report.access = one.text("access");
    report.state = one.text("state");
    report.mode = one.text("mode");
    report.calls = one.number<std::uint64_t>("calls");
    report.failed = one.number<std::uint64_t>("failed");
    report.slow = one.number<std::uint64_t>("slow");
    report.refused = one.number<std::uint64_t>("refused");
    report.opened = one.number<std::uint64_t>("opened");
    if (one.find("trial_in_ms") != nullptr) report.trial_in = one.milliseconds("trial_in_ms");
    report.why = one.text("why");
    report.last_failure = one.text("last_failure");
  });
  return breakers;
}

Error read_problem(std::string_view text, ErrorKind kind) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  const Reader from(*value);
  return Error(kind, from.text("detail")).with_hint(from.text("hint"));
}

Result<std::vector<HealthReport>> read_health(std::string_view text) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  std::vector<HealthReport> reports;
  Reader(*value).each("databases", [&](const Reader& one) { reports.push_back(read_report(one, "database")); });
  return reports;
}

Result<std::vector<EventLine>> read_events(std::string_view text) {
  auto value = parse(text);
  if (!value.ok()) return value.error();
  std::vector<EventLine> events;
  const json::value* list = value->as_object().if_contains("events");
  if (list == nullptr || !list->is_array()) return events;
  for (const json::value& one : list->get_array()) {
    const Reader from(one);
    events.push_back({.sequence = from.number<std::uint64_t>("sequence"),
                      .time = from.text("time"),
                      .message = from.text("message"),
                      .json = json::serialize(one)});
  }
  return events;
}

}  // namespace switchyard::cli
