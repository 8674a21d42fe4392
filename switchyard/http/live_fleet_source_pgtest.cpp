#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/http/documents.hpp>
#include <switchyard/http/live_fleet_source.hpp>
#include <switchyard/http/metrics.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard::inline v0::http {
namespace {

using embedded::TestCluster;
using embedded::TestDatabase;
using testing::HasSubstr;

/// A ParaFort fleet: main with a real replica, analytics at a place where nobody listens, documents unconfigured.
FleetConfig parafort_config(const TestDatabase& main) {
  Sources sources;
  embedded::ServerEndpoint replica = TestCluster::replica().endpoint(main.name());
  sources.environment.variables = {{"DATABASE_URL", main.endpoint().uri()},
                                   {"READ_REPLICA_DATABASE_URL", replica.uri()},
                                   {"ANALYTICS_DATABASE_URL", "postgresql://nobody@/none?host=/nonexistent"}};
  return load_config(sources).value_or_throw();
}

class LiveFleetSourceTest : public testing::Test {
 protected:
  template <class Test>
  void with_source(Test test) {
    runtime::Shard shard;
    shard.run_until_complete(run(parafort_config(main_), std::move(test)));
  }

  TestDatabase main_;

 private:
  template <class Test>
  static Task<void> run(FleetConfig config, Test test) {
    auto fleet = Fleet::open(std::move(config)).value_or_throw();
    {
      LiveFleetSource source(*fleet);
      co_await test(*fleet, source);
    }
    co_await fleet->close(std::chrono::seconds(5));
  }
};

TEST_F(LiveFleetSourceTest, SaysOfEachDatabaseWhetherItsOwnEndpointServes) {
  ASSERT_TRUE(TestCluster::replica().catch_up(TestCluster::shared().primary()).ok());
  with_source([](Fleet&, LiveFleetSource& source) -> Task<void> {
    const auto reports = co_await source.health();
    const FleetStatus status = source.status();
    EXPECT_EQ(health_databases_json(status, *reports), R"({
  "main": true,
  "analytics": false,
  "documents": false,
  "compliance": false,
  "readReplica": true
}
)");
    EXPECT_EQ(judge(status, *reports), Verdict::warn);
    EXPECT_THAT(metrics_text({.status = status, .reports = *reports, .statistics = source.statistics()}),
                HasSubstr("switchyard_up{database=\"analytics\",endpoint=\"primary\",required=\"false\"} 0\n"));
    EXPECT_THAT(health_connections_json(status), HasSubstr("\"main\": {\n    \"totalConnections\": 1,"));
  });
}

TEST_F(LiveFleetSourceTest, SharesOneCheckAmongThoseWhoAskTogether) {
  with_source([](Fleet& fleet, LiveFleetSource& source) -> Task<void> {
    std::vector<Task<std::shared_ptr<const HealthReports>>> askers;
    for (int i = 0; i < 50; ++i) askers.push_back(source.health());
    const auto answers = co_await all(std::move(askers));
    for (const auto& answer : answers) EXPECT_EQ(answer, answers.front());
    const auto later = co_await source.health();
    EXPECT_NE(later, answers.front());
    EXPECT_LE(fleet.status().databases.front().endpoints.front().pool->total, 2U);
  });
}

TEST_F(LiveFleetSourceTest, GivesEveryDatabaseAPrimaryEndpoint) {
  with_source([](Fleet&, LiveFleetSource& source) -> Task<void> {
    for (const DatabaseStatus& database : source.status().databases) {
      if (database.endpoints.empty()) {
        ADD_FAILURE() << database.name << " has no endpoint";
        co_return;
      }
      EXPECT_EQ(database.endpoints.front().role, EndpointRole::primary) << database.name;
      EXPECT_EQ(database.endpoints.front().configured, database.configured) << database.name;
    }
  });
}

TEST_F(LiveFleetSourceTest, AsksTheServersForTheSizeOfTheirDatabases) {
  with_source([](Fleet&, LiveFleetSource& source) -> Task<void> {
    EXPECT_TRUE(source.facts().empty()) << "nobody waits for the first answer";
    while (source.facts().empty()) co_await sleep(std::chrono::milliseconds(5));
    const std::vector<DatabaseFacts> facts = source.facts();
    EXPECT_EQ(facts.size(), 1U) << "only main is there";
    EXPECT_EQ(facts.front().database, "main");
    EXPECT_GT(facts.front().size_bytes, 1'000'000U);
  });
}

TEST_F(LiveFleetSourceTest, KeepsTheNumbersOfOperationsApartByAccessAndName) {
  ASSERT_TRUE(TestCluster::replica().catch_up(TestCluster::shared().primary()).ok());
  with_source([](Fleet& fleet, LiveFleetSource& source) -> Task<void> {
    auto main = fleet.database("main").value_or_throw();
    for (int i = 0; i < 3; ++i) {
      (void)co_await main.query_value<int>({.sql = "SELECT 1", .name = "one"});
    }
    (void)co_await main.read().query_value<int>("SELECT 1");
    (void)co_await main.query_value<int>("SELECT 1 / 0").result();
    co_await main.transaction(
        [](Transaction& tx) -> Task<void> { (void)co_await tx.query_value<int>("SELECT 1"); });
    const FleetStatistics statistics = source.statistics();
    const EndpointStatistics& primary = statistics.endpoints.front();
    EXPECT_EQ(primary.writes.statements.size(), 1U);
    EXPECT_EQ(primary.writes.statements.front().name, "one");
    EXPECT_EQ(primary.writes.statements.front().execution.count(), 3U);
    EXPECT_EQ(primary.writes.errors[static_cast<std::size_t>(ErrorKind::Server)], 1U);
    EXPECT_EQ(primary.committed, 1U);
    EXPECT_GE(primary.create_time.count(), 1U);
    EXPECT_EQ(primary.wait_time.count(), primary.use_time.count());
    const auto replica = std::ranges::find(statistics.endpoints, EndpointRole::replica, &EndpointStatistics::role);
    if (replica == statistics.endpoints.end()) {
      ADD_FAILURE() << "no replica";
      co_return;
    }
    EXPECT_EQ(replica->reads.count, 1U);
    EXPECT_EQ(replica->writes.count, 0U);
  });
}

}  // namespace
}  // namespace switchyard::inline v0::http
