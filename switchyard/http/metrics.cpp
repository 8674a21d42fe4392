#include <switchyard/http/metrics.hpp>

#include <switchyard/http/documents.hpp>
#include <switchyard/telemetry/text.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
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
constexpr Metric kErrors{Kind::counter, "switchyard.operation.errors", "{operation}", "Operations that failed."};
constexpr Metric kSlow{Kind::counter, "switchyard.operation.slow", "{operation}",
                       "Operations slower than the database's slow_query."};
constexpr Metric kQuantile{Kind::gauge, "switchyard.operation.duration.quantile", "s",
                           "Duration of operations by quantile, since the start.", kNanosecond};
constexpr Metric kAcquire{Kind::gauge, "switchyard.acquire.duration.quantile", "s",
                          "Wait for a connection by quantile, since the start.", kNanosecond};
constexpr Metric kBreaker{Kind::gauge, "switchyard.breaker.state", "", "1 for the state the breaker is in."};

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
std::string pool_name(const DatabaseStatus& database, const EndpointStatus& endpoint) {
  switch (endpoint.role) {
    case EndpointRole::primary: return database.name;
    case EndpointRole::write: return database.name + "_write";
    case EndpointRole::replica: return database.name + "_replica_" + endpoint.name;
  }
  return database.name;
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

void add_operations(Families& families, const std::string& name, const OperationStatus& operations) {
  const Labels label{{"pool", name}};
  families.add(kOperations, label, operations.count);
  families.add(kErrors, label, operations.errors);
  families.add(kSlow, label, operations.slow);
  families.add(kQuantile, {{"pool", name}, {"quantile", "0.5"}}, operations.p50);
  families.add(kQuantile, {{"pool", name}, {"quantile", "0.95"}}, operations.p95);
  families.add(kQuantile, {{"pool", name}, {"quantile", "0.99"}}, operations.p99);
  families.add(kAcquire, {{"pool", name}, {"quantile", "0.99"}}, operations.acquire_p99);
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

}  // namespace

std::string metrics_text(const FleetStatus& status, const HealthReports& reports) {
  Families families;
  families.add(kInfo, {{"application", status.application}, {"version", status.version}}, std::uint64_t{1});
  families.add(kUptime, {},
               static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(status.uptime).count()));
  for (const DatabaseStatus& database : status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (!endpoint.configured) continue;
      const std::string name = pool_name(database, endpoint);
      if (endpoint.pool) add_pool(families, name, *endpoint.pool);
      add_operations(families, name, endpoint.operations);
      for (const char* state : kBreakerStates) {
        families.add(kBreaker, {{"pool", name}, {"state", state}},
                     std::uint64_t{endpoint.breaker == state ? 1u : 0u});
      }
    }
    add_up(families, database, reports);
  }
  return families.text();
}

}  // namespace switchyard::inline v0::http
