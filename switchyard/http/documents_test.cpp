#include <switchyard/http/documents.hpp>
#include <switchyard/http/fake_source.hpp>
#include <switchyard/http/json_writer.hpp>
#include <switchyard/http/metrics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::inline v0::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(JsonWriter, EscapesWhatMustBeAndRepairsWhatIsNotUtf8) {
  JsonWriter json(JsonLayout::compact);
  json.begin_object()
      .member("text", std::string_view("a\"b\\c\n\x01\xFF\xC3\xA4\xED\xA0\x80", 13))
      .member("yes", true)
      .member("number", 1.5)
      .key("list")
      .begin_array()
      .value(1)
      .null()
      .end_array()
      .key("empty")
      .begin_object()
      .end_object()
      .end_object();
  EXPECT_EQ(
      json.take(),
      "{\"text\":\"a\\\"b\\\\c\\n\\u0001\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\",\"yes\":true,"
      "\"number\":1.5,\"list\":[1,null],\"empty\":{}}");
}

TEST(HealthDatabases, HasABooleanForEachDatabaseAndTheReplicaLast) {
  const FakeSource source = parafort();
  EXPECT_EQ(health_databases_json(source.fleet, source.reports), R"({
  "main": true,
  "analytics": true,
  "documents": false,
  "compliance": false,
  "readReplica": false
}
)");
}

TEST(HealthDatabases, AnUnconfiguredDatabaseDoesNotServeThoughMainStandsIn) {
  const FakeSource source = parafort();
  ASSERT_TRUE(source.reports[3].healthy);  // main answers for it
  EXPECT_FALSE(serves(source.fleet, source.reports[3]));
}

TEST(HealthDatabases, NamesTheReplicasOfOtherDatabasesAfterThem) {
  FakeSource source;
  DatabaseStatus reference{.name = "reference", .configured = true};
  reference.endpoints = {open_endpoint(EndpointRole::primary, "primary", 1, 1),
                         open_endpoint(EndpointRole::replica, "api", 1, 1)};
  source.fleet.databases = {reference};
  source.reports = {healthy("reference")};
  source.reports[0].replicas = {healthy("api")};
  EXPECT_EQ(health_databases_json(source.fleet, source.reports), R"({
  "reference": true,
  "referenceReplica": true
}
)");
}

TEST(HealthConnections, ShowsExistingPoolsOnly) {
  FakeSource source = parafort();
  source.fleet.databases[0].endpoints[1].opened = false;
  EXPECT_EQ(health_connections_json(source.fleet), R"({
  "main": {
    "totalConnections": 15,
    "idleConnections": 8,
    "waitingConnections": 0
  },
  "analytics": {
    "totalConnections": 5,
    "idleConnections": 3,
    "waitingConnections": 0
  }
}
)");
}

TEST(Health, FailsOnlyForARequiredDatabase) {
  FakeSource source = parafort();
  EXPECT_EQ(judge(source.fleet, source.reports), Verdict::warn);
  source.reports[0] = unhealthy("main", "gone", true);
  EXPECT_EQ(judge(source.fleet, source.reports), Verdict::fail);
  source = parafort();
  source.reports[2] = healthy("documents");
  EXPECT_EQ(judge(source.fleet, source.reports), Verdict::warn) << "main's replica is down";
  source.reports[0].replicas[0] = healthy("readReplica");
  EXPECT_EQ(judge(source.fleet, source.reports), Verdict::pass) << "what nobody configured is no fault";
}

TEST(Health, SaysPoolSizeOfTheHealthyAndErrorOfTheOthers) {
  const FakeSource source = parafort();
  const std::string json = health_json(source.fleet, source.reports);
  EXPECT_THAT(json, HasSubstr("\"status\": \"warn\""));
  EXPECT_THAT(json, HasSubstr("\"pool_size\": 1,\n      \"pool_max\": 20"));
  EXPECT_THAT(json, HasSubstr("\"error\": \"connection refused\""));
  EXPECT_THAT(json, HasSubstr("\"main/readReplica:responseTime\""));
}

TEST(Metrics, ExportAnExplicitZeroForWhatIsDown) {
  const FakeSource source = parafort();
  const std::string text = metrics_text(input_of(source));
  EXPECT_THAT(text, HasSubstr("switchyard_up{database=\"main\",endpoint=\"primary\",required=\"true\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("switchyard_up{database=\"documents\",endpoint=\"primary\",required=\"false\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("switchyard_up{database=\"main\",endpoint=\"readReplica\",required=\"false\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("compliance"))) << "not configured is not down";
}

TEST(Metrics, UseOpenTelemetrysNamesForConnections) {
  const FakeSource source = parafort();
  const std::string text = metrics_text(input_of(source));
  EXPECT_THAT(text, HasSubstr("db_client_connection_count{db_client_connection_pool_name=\"main\","
                              "db_client_connection_state=\"idle\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("db_client_connection_count{db_client_connection_pool_name=\"main\","
                              "db_client_connection_state=\"used\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE db_client_connection_timeouts_total counter\n"));
  EXPECT_THAT(text, HasSubstr("switchyard_breaker_state{access=\"read\",database=\"main\",pool=\"main_replica_"
                              "readReplica\",state=\"OPEN\"} 1\n"));
}

TEST(Events, AreADocumentThatSaysWhereToGoOn) {
  telemetry::EventLog log;
  log.note(telemetry::kSlowQuery, "main", TimePoint(std::chrono::hours(1)),
           [] { return std::string("[SLOW QUERY] main took 7ms: SELECT ?"); }, {{"milliseconds", 7}});
  auto events = log.since(0);
  events[0].at = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123));
  EXPECT_EQ(events_json(events), R"({
  "last": 1,
  "events": [
    {
      "sequence": 1,
      "time": "2023-11-14T22:13:20.123Z",
      "level": "warning",
      "kind": "slow_query",
      "database": "main",
      "message": "[SLOW QUERY] main took 7ms: SELECT ?",
      "fields": {
        "milliseconds": "7"
      }
    }
  ]
}
)");
}

}  // namespace
}  // namespace switchyard::inline v0::http
