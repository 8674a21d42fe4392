// Names, types and labels of all metrics are a promise to dashboards and alerts: golden/metrics.txt holds them, and
// docs/observability.md explains each.
#include <switchyard/http/fake_source.hpp>
#include <switchyard/http/metrics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace switchyard::inline v0::http {
namespace {

using namespace std::chrono_literals;

telemetry::HistogramData some_times() {
  telemetry::Histogram histogram;
  for (const Duration time : {Duration(400us), Duration(2ms), Duration(3s)}) histogram.record(time);
  telemetry::HistogramData data;
  histogram.read_into(data);
  return data;
}

telemetry::OperationTotals some_operations() {
  telemetry::OperationTotals totals;
  totals.count = 5;
  totals.errors[static_cast<std::size_t>(ErrorKind::Server)] = 1;
  totals.errors[static_cast<std::size_t>(ErrorKind::InDoubt)] = 1;
  totals.slow = totals.slow_acquires = totals.retries = 1;
  totals.within_target = 2;
  totals.acquire = totals.execution = some_times();
  totals.statements.push_back({.name = "users-by-id", .errors = 1, .execution = some_times()});
  return totals;
}

/// A fleet in which everything happens that has a metric.
FakeSource busy_fleet() {
  FakeSource source = parafort();
  for (DatabaseStatus& database : source.fleet.databases) {
    database.backup = BackupStatus{.repository = "/backups",
                                   .last = "20261122T013000Z",
                                   .age = 60s,
                                   .bytes = 9,
                                   .proven = "20261121T013000Z",
                                   .proven_age = 3600s,
                                   .frequency = 3600s};
    database.spool = SpoolStatus{.fallback = "main", .state = "spooling", .entries = 3, .bytes = 900, .age = 5s};
    for (EndpointStatus& endpoint : database.endpoints) {
      endpoint.replication = ReplicationStatus{.observed = true, .reachable = true, .lag = 1s, .lag_bytes = 7};
    }
  }
  for (const DatabaseStatus& database : source.fleet.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (!endpoint.configured) continue;
      EndpointStatistics& numbers = source.numbers.endpoints.emplace_back();
      numbers.database = database.name;
      numbers.role = endpoint.role;
      numbers.name = endpoint.name;
      numbers.latency_target = database.name == "main" ? Duration(10ms) : Duration::zero();
      numbers.reads = numbers.writes = some_operations();
      numbers.committed = 3;
      numbers.rolled_back = 1;
      numbers.create_time = numbers.wait_time = numbers.use_time = some_times();
    }
  }
  source.fleet.door = WireDoorStatus{.addresses = {"127.0.0.1:6433"},
                                     .clients = 5,
                                     .logins = 1,
                                     .served = 2,
                                     .waiting = 1,
                                     .sessions = 3,
                                     .roles = 1};
  source.numbers.traced = true;
  source.numbers.traces = {.exported = 9, .dropped = 1, .failed = 2, .queued = 3};
  source.known_facts = {
      {.database = "main", .size_bytes = 8'000'000, .commits = 10, .rollbacks = 1},
      {.database = "analytics", .size_bytes = 1, .schema = "analytics_schema", .schema_bytes = 5}};
  source.log->note(telemetry::kSlowQuery, "main", TimePoint(1h), [] { return std::string("line"); });
  return source;
}

/// "counter switchyard_operations_total access database pool", one line a metric.
std::string promise_of(const std::string& text) {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> labels;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, word, name, type;
    if (line.starts_with("# TYPE ")) {
      words >> hash >> word >> name >> type;
      types[name] = type;
      continue;
    }
    if (line.empty() || line.front() == '#') continue;
    name = line.substr(0, line.find_first_of("{ "));
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
      if (!types.contains(name) && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    for (std::size_t at = line.find('{'); at != std::string::npos && line[at] != '}';) {
      const std::size_t equals = line.find('=', at);
      labels[name].insert(line.substr(at + 1, equals - at - 1));
      at = line.find_first_of(",}", line.find('"', equals + 2));
    }
  }
  std::string out;
  for (const auto& [name, type] : types) {
    out += type + ' ' + name;
    for (const std::string& label : labels[name]) {
      if (label != "le") out += ' ' + label;
    }
    out += '\n';
  }
  return out;
}

TEST(MetricsGolden, NamesTypesAndLabelsAreAsPromised) {
  const std::string path = SWITCHYARD_SOURCE_DIR "/switchyard/http/golden/metrics.txt";
  const std::string now = promise_of(metrics_text(input_of(busy_fleet())));
  if (std::getenv("SWITCHYARD_WRITE_GOLDEN") != nullptr) std::ofstream(path) << now;
  std::ifstream file(path);
  std::stringstream promised;
  promised << file.rdbuf();
  EXPECT_EQ(now, promised.str()) << "what others build on has changed; if it has to, run with "
                                    "SWITCHYARD_WRITE_GOLDEN=1 and say so in docs/observability.md";
}

TEST(Metrics, ShowHowLongOperationsTook) {
  const std::string text = metrics_text(input_of(busy_fleet()));
  EXPECT_THAT(text, ::testing::HasSubstr("db_client_operation_duration_seconds_bucket{access=\"read\","
                                         "db_client_connection_pool_name=\"main\",db_namespace=\"main\","
                                         "db_system_name=\"postgresql\",le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("switchyard_operation_errors_total{access=\"write\",database=\"main\","
                                         "error_type=\"InDoubt\",pool=\"main\"} 1\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("switchyard_latency_target_share_ratio{database=\"main\"} 0.666666\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("switchyard_statement_duration_seconds_count{access=\"read\","
                                         "database=\"main\",pool=\"main\",statement=\"users-by-id\"} 3\n"));
}

TEST(Metrics, NeverHoldAConnectionString) {
  FakeSource source = busy_fleet();
  for (DatabaseStatus& database : source.fleet.databases) {
    for (EndpointStatus& endpoint : database.endpoints) endpoint.location = "secret-host:5432/secret-dbname";
  }
  EXPECT_THAT(metrics_text(input_of(source)), ::testing::Not(::testing::HasSubstr("secret")));
}

/// For tests/observability.py, which shows it to promtool.
TEST(Metrics, CanBeWrittenToAFile) {
  if (const char* path = std::getenv("SWITCHYARD_WRITE_METRICS")) {
    std::ofstream(path) << metrics_text(input_of(busy_fleet()));
  }
}

}  // namespace
}  // namespace switchyard::inline v0::http
