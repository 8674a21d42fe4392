// The fleet files under examples/ load as they are, without any environment, and say what their documents say.
#include <switchyard/config/explain.hpp>
#include <switchyard/config/load_fixture.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using testing_config::Load;
using testing_config::Variables;

FleetConfig example(const std::string& name, Variables variables = {}) {
  Load load;
  load.sources.file = SWITCHYARD_SOURCE_DIR "/examples/" + name + ".toml";
  const FleetConfig fleet = load.env(std::move(variables)).ok();
  for (const std::string& warning : fleet.warnings) ADD_FAILURE() << warning;
  EXPECT_TRUE(fleet.unused_keys.empty());
  EXPECT_FALSE(to_text(explain(fleet)).empty());
  return fleet;
}

struct Service {
  const char* database;
  const char* schema;
  const char* role;
};

constexpr std::array kServices{
    Service{"core", "core_schema", "core_user"},
    Service{"analytics", "analytics_schema", "analytics_user"},
    Service{"commerce", "commerce_schema", "commerce_user"},
    Service{"crm", "crm_schema", "crm_user"},
    Service{"finance", "finance_schema", "finance_user"},
    Service{"logistics", "logistics_schema", "logistics_user"},
    Service{"operations", "operations_schema", "operations_user"},
    Service{"supply", "supply_schema", "supply_user"},
};

TEST(Examples, WellwonHasItsNumbersAndReplicas) {
  const FleetConfig fleet = example("wellwon");
  EXPECT_EQ(sizing(fleet).formula,
            "4 workers x (main 100 + reference 50) = 600 connections; max_connections >= 650");
  EXPECT_EQ(*fleet.find("main")->primary.dbname, "wellwon");
  EXPECT_EQ(*fleet.find("reference")->primary.dbname, "wellwon_reference");
  EXPECT_TRUE(fleet.find("reference")->read_only.value);
  EXPECT_NE(fleet.find("reference")->replica_for("reports"), nullptr);
  EXPECT_NE(fleet.find("main")->replica_for("jobs"), nullptr);
  EXPECT_EQ(fleet.find("main")->profile, Profile::wellwon);
  EXPECT_EQ(fleet.find("reference")->missing_dsn_message,
            "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment.");
}

TEST(Examples, WellwonUsesRealServersWhenTheVariablesAreSet) {
  const FleetConfig fleet = example(
      "wellwon",
      {{"POSTGRES_DSN", "postgresql://wellwon:pass@main-primary:5432/wellwon"},
       {"POSTGRES_REFERENCE_DSN", "postgresql://wellwon:pass@reference-primary:5432/wellwon_reference"},
       {"POSTGRES_REFERENCE_REPLICA_DSN", "postgresql://wellwon:pass@reference-replica:5432/wellwon_reference"}});
  EXPECT_EQ(fleet.find("main")->primary.connection.location(), "main-primary:5432/wellwon");
  EXPECT_EQ(fleet.find("reference")->replicas[0].endpoint.connection.location(),
            "reference-replica:5432/wellwon_reference");
  EXPECT_FALSE(fleet.find("main")->replicas[0].endpoint.configured());
}

TEST(Examples, ParafortHasItsNumbersAndStandIns) {
  const FleetConfig fleet = example("parafort", {{"DATABASE_URL", "postgresql://localhost:5432/parafort_dev"}});
  EXPECT_EQ(fleet.profile, Profile::parafort);
  EXPECT_EQ(fleet.find("main")->primary.connection.dbname, "parafort_dev");
  EXPECT_EQ(fleet.find("documents")->pool.max, 25u);
  EXPECT_EQ(*fleet.find("documents")->when_unconfigured, "main");
  EXPECT_EQ(*fleet.find("analytics")->when_down, WhenDown::spool);
  EXPECT_TRUE(fleet.find("compliance")->confidential.value);
  ASSERT_NE(fleet.find("main")->find_replica("readReplica"), nullptr);
  EXPECT_EQ(fleet.find("main")->find_replica("readReplica")->pool.max, 30u);
  EXPECT_EQ(*fleet.find("main")->find_replica("readReplica")->endpoint.region, "us-west");
}

TEST(Examples, ChiroerpIsOneDatabaseWithEightSchemasAndRoles) {
  const FleetConfig fleet = example(
      "chiroerp", {{"CHIRO_ERP_DSN", "postgresql://localhost:5432/chiro_erp"}, {"COMMERCE_DB_PASSWORD", "pw"}});
  ASSERT_EQ(fleet.databases.size(), kServices.size());
  for (std::size_t i = 0; i < kServices.size(); ++i) {
    const DatabaseConfig& database = fleet.databases[i];
    EXPECT_EQ(database.name, kServices[i].database);
    EXPECT_EQ(*database.schema, kServices[i].schema);
    EXPECT_EQ(database.primary.connection.user, kServices[i].role);
    EXPECT_EQ(database.primary.connection.location(), "localhost:5432/chiro_erp");
    EXPECT_EQ(database.pool.min, 5u);
    EXPECT_EQ(database.pool.max, 20u);
  }
  EXPECT_EQ(fleet.find("commerce")->primary.connection.password.reveal(), "pw");
  EXPECT_TRUE(fleet.find("finance")->primary.connection.password.empty());
  for (const DatabaseConfig& database : example("chiroerp").databases) EXPECT_FALSE(database.configured());
}

TEST(Examples, ChiroerpInProductionHasTheHostsOfTheDocument) {
  const FleetConfig fleet = example("chiroerp-production");
  ASSERT_EQ(fleet.databases.size(), kServices.size());
  EXPECT_EQ(fleet.find("core")->primary.connection.hosts[0].host, "postgres-core.internal");
  EXPECT_EQ(fleet.find("core")->replicas.size(), 2u);
  EXPECT_EQ(fleet.find("commerce")->primary.connection.hosts[0].host, "postgres-commerce.internal");
  EXPECT_EQ(fleet.find("commerce")->replicas.size(), 3u);
  for (std::size_t i = 0; i < kServices.size(); ++i) {
    EXPECT_EQ(fleet.databases[i].primary.connection.user, kServices[i].role);
    EXPECT_EQ(fleet.databases[i].primary.connection.sslmode, SslMode::verify_full);
    for (const ReplicaConfig& replica : fleet.databases[i].replicas) {
      EXPECT_EQ(replica.endpoint.connection.user, kServices[i].role);
      EXPECT_EQ(replica.endpoint.connection.dbname, "chiro_erp");
    }
  }
}

}  // namespace
}  // namespace switchyard
