#include "private_plan.hpp"

#include <switchyard/config/load.hpp>

#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

std::vector<PrivateClusterPlan> plan_of(std::string file,
                                        std::map<std::string, std::string, std::less<>> variables = {}) {
  Sources sources;
  sources.file = "test.toml";
  sources.file_text = std::move(file);
  sources.environment.variables = std::move(variables);
  auto config = load_config(sources);
  if (!config.ok()) {
    ADD_FAILURE() << config.error().what();
    return {};
  }
  return plan_private_clusters(*config);
}

TEST(PrivatePlan, DatabasesWithoutReplicasShareOneCluster) {
  const auto plan =
      plan_of("[fleet]\napplication = \"demo\"\n[database.main]\n[database.reference]\n[database.other]\n");
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].name, "shared");
  ASSERT_EQ(plan[0].databases.size(), 3U);
  EXPECT_EQ(plan[0].databases[1].dbname, "reference");
  EXPECT_EQ(plan[0].databases[1].owner, "demo");
}

TEST(PrivatePlan, ADatabaseWithReplicasHasAClusterOfItsOwn) {
  const auto plan = plan_of(
      "[database.main]\ndbname = \"parafort_main\"\n[[database.main.replica]]\nname = \"readReplica\"\n"
      "[[database.main.replica]]\nname = \"read_replica\"\n[database.reference]\n");
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[0].name, "main");
  EXPECT_EQ(plan[0].databases[0].dbname, "parafort_main");
  ASSERT_EQ(plan[0].replicas.size(), 2U);
  EXPECT_EQ(plan[0].replicas[0].server, "read_replica");
  EXPECT_EQ(plan[0].replicas[0].replica, "readReplica");
  EXPECT_EQ(plan[0].replicas[1].server, "read_replica2") << "names of servers must differ";
}

TEST(PrivatePlan, SchemasOfOneServerShareItAndItsDatabase) {
  const auto plan = plan_of(
      "[server.erp]\ndbname = \"chiro_erp\"\n"
      "[database.commerce]\nserver = \"erp\"\nschema = \"commerce_schema\"\nrole = \"commerce_user\"\n"
      "[database.finance]\nserver = \"erp\"\nschema = \"finance_schema\"\nrole = \"finance_user\"\n");
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].name, "erp");
  ASSERT_EQ(plan[0].databases.size(), 2U);
  EXPECT_EQ(plan[0].databases[0].dbname, "chiro_erp");
  EXPECT_EQ(plan[0].databases[0].owner, "commerce_user");
  EXPECT_EQ(plan[0].databases[1].schema, "finance_schema");
}

TEST(PrivatePlan, LeavesConfiguredDatabasesAndTheirStandInsAlone) {
  const std::string file =
      "[database.main]\ndsn = \"${DATABASE_URL}\"\n[database.analytics]\ndsn = \"${ANALYTICS_DATABASE_URL}\"\n"
      "when_unconfigured = \"main\"\n[database.reference]\n";
  const auto plan = plan_of(file, {{"DATABASE_URL", "postgresql://real/main"}});
  ASSERT_EQ(plan.size(), 1U);
  ASSERT_EQ(plan[0].databases.size(), 1U);
  EXPECT_EQ(plan[0].databases[0].name, "reference") << "main answers for analytics, nobody for reference";
  EXPECT_EQ(plan_of(file)[0].databases.size(), 3U);
}

}  // namespace
}  // namespace switchyard::cli
