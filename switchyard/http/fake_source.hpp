// A fleet whose state a test writes down.
#pragma once

#include <switchyard/http/fleet_source.hpp>
#include <switchyard/http/metrics.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::http {

class FakeSource final : public FleetSource {
 public:
  [[nodiscard]] FleetStatus status() const override { return fleet; }
  Task<std::shared_ptr<const HealthReports>> health() override {
    co_return std::make_shared<const HealthReports>(reports);
  }

  [[nodiscard]] FleetStatistics statistics() const override { return numbers; }
  std::vector<DatabaseFacts> facts() override { return known_facts; }
  [[nodiscard]] std::vector<telemetry::KeptEvent> events(std::uint64_t sequence, std::size_t most) const override {
    return log->since(sequence, most);
  }
  [[nodiscard]] std::vector<telemetry::EventCount> event_counts() const override { return log->counts(); }

  FleetStatus fleet;
  HealthReports reports;
  FleetStatistics numbers;
  std::vector<DatabaseFacts> known_facts;
  std::shared_ptr<telemetry::EventLog> log = std::make_shared<telemetry::EventLog>();
};

inline MetricsInput input_of(const FakeSource& source) {
  return {.status = source.fleet,
          .reports = source.reports,
          .statistics = source.numbers,
          .facts = source.known_facts,
          .events = source.event_counts()};
}

inline EndpointStatus open_endpoint(EndpointRole role, std::string name, std::uint32_t total, std::uint32_t idle) {
  EndpointStatus endpoint;
  endpoint.role = role;
  endpoint.name = std::move(name);
  endpoint.location = "localhost:5432/db";
  endpoint.configured = endpoint.opened = true;
  endpoint.breakers = {BreakerReport{.endpoint = endpoint.name, .access = "read"},
                       BreakerReport{.endpoint = endpoint.name, .access = "write"}};
  endpoint.pool = PoolStatus{.total = total, .active = total - idle, .idle = idle, .max = 20};
  endpoint.lane = LaneStatus{.sessions = 2,
                             .statements = 1000,
                             .syncs = 50,
                             .reissued = 3,
                             .exits = {{.why = "leased: it waited for a lock in the lane", .count = 2}},
                             .refusals = {{.why = "leased: not used often enough yet", .count = 7}}};
  return endpoint;
}

inline HealthReport healthy(std::string name, bool required = false) {
  HealthReport report;
  report.database = std::move(name);
  report.healthy = true;
  report.required = required;
  report.pool_size = 1;
  report.pool_max = 20;
  return report;
}

inline HealthReport unhealthy(std::string name, std::string error, bool required = false) {
  HealthReport report;
  report.database = std::move(name);
  report.required = required;
  report.error = std::move(error);
  return report;
}

/// ParaFort with main, analytics and documents: compliance is not configured and main's replica is down.
inline FakeSource parafort() {
  FakeSource source;
  source.fleet.application = "parafort";
  source.fleet.version = "0.1.0";
  source.fleet.uptime = std::chrono::seconds(90);
  DatabaseStatus main{.name = "main", .configured = true, .required = true};
  main.endpoints = {open_endpoint(EndpointRole::primary, "primary", 15, 8),
                    open_endpoint(EndpointRole::replica, "readReplica", 0, 0)};
  main.endpoints[1].breaker = main.endpoints[1].breakers[0].state = "OPEN";
  DatabaseStatus analytics{.name = "analytics", .configured = true, .stand_in = "main"};
  analytics.endpoints = {open_endpoint(EndpointRole::primary, "primary", 5, 3)};
  DatabaseStatus documents{.name = "documents", .configured = true, .stand_in = "main"};
  documents.endpoints = {
      EndpointStatus{.name = "primary", .location = "docs:5432/parafort_documents", .configured = true}};
  DatabaseStatus compliance{.name = "compliance", .stand_in = "main"};
  compliance.endpoints = {EndpointStatus{.name = "primary"}};
  source.fleet.databases = {main, analytics, documents, compliance};
  source.reports = {healthy("main", true), healthy("analytics"), unhealthy("documents", "connection refused"),
                    healthy("compliance")};
  source.reports[0].replicas = {unhealthy("readReplica", "timeout expired")};
  return source;
}

}  // namespace switchyard::inline v0::http
