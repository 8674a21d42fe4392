// What doctor says about configurations and servers, without a server. tests/cli_test.py has it look at real ones.
#include "doctor_budget.hpp"
#include "doctor_checks.hpp"

#include <switchyard/config/load.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FleetConfig config(std::string text) {
  Sources sources;
  sources.file = "fleet.toml";
  sources.file_text = std::move(text);
  return load_config(sources).value_or_throw();
}

auto finding(Severity severity, const std::string& text, const std::string& fix) {
  return AllOf(Field(&Finding::severity, severity), Field(&Finding::text, HasSubstr(text)),
               Field(&Finding::fix, HasSubstr(fix)));
}

// ---- what the configuration shows ----------------------------------------------------------------------------

TEST(DoctorConfiguration, ADatabaseWithoutADsnNamesItsVariable) {
  const auto findings = check_configuration(
      config("[database.main]\ndsn = \"postgresql://a@h/main\"\n[database.reference]\nrequired = true\n"));
  EXPECT_THAT(findings, ElementsAre(finding(Severity::problem, "DSN not configured",
                                            "export POSTGRES_REFERENCE_DSN=postgresql://")));
}

TEST(DoctorConfiguration, OneRoleWithTwoPasswordsOnOneServer) {
  const auto findings =
      check_configuration(config("[database.main]\ndsn = \"postgresql://app:one@db1/main\"\n"
                                 "[database.reference]\ndsn = \"postgresql://app:two@db1/reference\"\n"
                                 "[database.elsewhere]\ndsn = \"postgresql://app:three@db2/elsewhere\"\n"));
  ASSERT_THAT(findings, ElementsAre(finding(Severity::problem, "role app at db1:5432 has another password here",
                                            "ALTER ROLE \"app\" PASSWORD")));
  EXPECT_EQ(findings[0].text.find("one"), std::string::npos) << "a password is shown";
}

TEST(DoctorConfiguration, AReplicaWhoseDatabaseHasAnotherName) {
  const std::string replica =
      "[database.main]\ndsn = \"postgresql://a@h1/parafort_main\"\n[[database.main.replica]]\nname = \"reports\"\n"
      "dsn = \"postgresql://a@h2/parafort_replica\"\n";
  EXPECT_THAT(check_configuration(config(replica)),
              ElementsAre(finding(Severity::warning, "called parafort_replica, the primary's parafort_main",
                                  "write /parafort_main in its connection string")));
  EXPECT_THAT(check_configuration(config(replica + "logical = true\n")), IsEmpty());
}

// ---- what a place shows --------------------------------------------------------------------------------------

class DoctorPlace : public ::testing::Test {
 protected:
  std::vector<Finding> judge(const Sight& sight, const ReplicaConfig* replica = nullptr) {
    return judge_place("main", *fleet.find("main"), replica, sight);
  }
  static Sight healthy() {
    Sight sight;
    sight.uses_tls = true;
    sight.schema = "public";
    sight.version = "18.1";
    return sight;
  }
  FleetConfig fleet = config(
      "[database.main]\ndsn = \"postgresql://app@db1/shop\"\n[[database.main.replica]]\nname = \"api\"\n"
      "dsn = \"postgresql://app@db2/shop\"\n");
  const ReplicaConfig* api = fleet.find("main")->find_replica("api");
};

TEST_F(DoctorPlace, InOrderSaysWhereItIsAndTheVersion) {
  EXPECT_THAT(judge(healthy()), ElementsAre(finding(Severity::good, "db1:5432/shop, PostgreSQL 18.1", "")));
}

TEST_F(DoctorPlace, AnOpenLineThatLeavesTheMachineIsAWarning) {
  Sight sight = healthy();
  sight.uses_tls = false;
  EXPECT_THAT(judge(sight), ElementsAre(finding(Severity::warning, "not encrypted", "sslmode=require")));
  fleet = config("[database.main]\ndsn = \"postgresql://app@localhost/shop\"\n");
  EXPECT_THAT(judge(sight), ElementsAre(Field(&Finding::severity, Severity::good)));
}

TEST_F(DoctorPlace, AStandbyInThePlaceOfThePrimaryAndThePrimaryInThePlaceOfAReplica) {
  Sight sight = healthy();
  sight.in_recovery = true;
  EXPECT_THAT(judge(sight), ElementsAre(finding(Severity::problem, "this is a standby", "target_session_attrs")));
  EXPECT_THAT(judge(sight, api), ElementsAre(Field(&Finding::severity, Severity::good)));
  EXPECT_THAT(judge(healthy(), api),
              ElementsAre(finding(Severity::warning, "no streaming replica", "logical = true")));
}

TEST_F(DoctorPlace, NoSchemaAndNoGrants) {
  Sight sight = healthy();
  sight.schema.reset();
  EXPECT_THAT(judge(sight), ElementsAre(finding(Severity::problem, "schema public does not exist",
                                                "CREATE SCHEMA IF NOT EXISTS \"public\" AUTHORIZATION \"app\"")));
  sight.schema = "public";
  sight.tables_hidden = 3;
  EXPECT_THAT(judge(sight), ElementsAre(finding(Severity::warning, "may not read 3 tables",
                                                "GRANT SELECT ON ALL TABLES IN SCHEMA \"public\" TO \"app\"")));
}

// ---- the budget ----------------------------------------------------------------------------------------------

class DoctorBudget : public ::testing::Test {
 protected:
  LivePlace place(std::string_view database, std::int64_t max_connections = 100) {
    LivePlace out;
    out.subject = std::string(database);
    out.database = fleet.find(database);
    out.server = "one";
    out.max_connections = max_connections;
    out.superuser_reserved = 3;
    return out;
  }
  std::vector<BudgetLine> prove(const std::vector<LivePlace>& places) { return prove_budget(fleet, places); }
  FleetConfig fleet = config(
      "[fleet]\nworkers = 4\n"
      "[database.main]\ndsn = \"postgresql://app@db1/main\"\npool.max = 100\n"
      "[database.reference]\ndsn = \"postgresql://app@db1:5432/reference\"\npool.max = 50\n");
};

TEST_F(DoctorBudget, TheSumOfAllWorkersAndDatabasesStandsAgainstTheServersLimit) {
  const auto lines = prove({place("main", 603), place("reference", 603)});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sum, "4 workers x (main 100 + reference 50)");
  EXPECT_EQ(lines[0].wanted, 600);
  EXPECT_EQ(lines[0].allowed, 600);
  EXPECT_TRUE(lines[0].fits);
  EXPECT_THAT(
      budget_findings(lines),
      ElementsAre(finding(Severity::good,
                          "server db1:5432: 4 workers x (main 100 + reference 50) = 600 connections, fit into "
                          "600 (max_connections 603 - 3 reserved)",
                          "")));
}

TEST_F(DoctorBudget, OneTooManyIsAProblemWithTheExactSetting) {
  const auto lines = prove({place("main", 602), place("reference", 602)});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_FALSE(lines[0].fits);
  EXPECT_THAT(lines[0].fix,
              HasSubstr("psql -h db1 -p 5432 -U postgres -c 'ALTER SYSTEM SET max_connections = 654'"));
  EXPECT_THAT(lines[0].fix, HasSubstr("--set database.main.pool.max=99")) << "(599 / 4) - 50";
}

TEST_F(DoctorBudget, BothWaysOutAreTrue) {
  fleet = config(
      "[fleet]\nworkers = 4\n[database.main]\ndsn = \"postgresql://app@db1/main\"\npool.max = 99\n"
      "[database.reference]\ndsn = \"postgresql://app@db1:5432/reference\"\npool.max = 50\n");
  EXPECT_TRUE(prove({place("main", 602), place("reference", 602)})[0].fits);
  EXPECT_TRUE(prove({place("main", 654), place("reference", 654)})[0].fits);
}

TEST_F(DoctorBudget, OthersConnectionsAndReservedOnesCount) {
  LivePlace main = place("main", 610);
  LivePlace reference = place("reference", 610);
  for (LivePlace* one : {&main, &reference}) {
    one->reserved = 4;  // PostgreSQL 16
    one->others = 3;
  }
  EXPECT_TRUE(prove({main, reference})[0].fits);
  main.others = 4;
  const auto lines = prove({main, reference});
  EXPECT_FALSE(lines[0].fits);
  EXPECT_THAT(budget_findings(lines),
              ElementsAre(finding(Severity::problem, "and 4 of others, do not fit into 603", "ALTER SYSTEM")));
}

TEST_F(DoctorBudget, ServersOfOtherPlacesHaveBudgetsOfTheirOwn) {
  LivePlace reference = place("reference", 203);
  reference.server = "two";
  const auto lines = prove({place("main", 403), reference});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].fits && lines[1].fits);
}

TEST_F(DoctorBudget, ReplicasAndTheProbesOfWatchedPlacesCount) {
  fleet = config(
      "[fleet]\nworkers = 2\n[database.main]\ndsn = \"postgresql://app@db1/main\"\npool.max = 10\n"
      "[[database.main.replica]]\nname = \"api\"\ndsn = \"postgresql://app@db2/main\"\npool.max = 30\n");
  LivePlace api = place("main", 65);
  api.subject = "main/api";
  api.replica = fleet.find("main")->find_replica("api");
  api.server = "two";
  const auto lines = prove({place("main", 25), api});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].sum, "2 workers x (main 10 + probe of main 1)");
  EXPECT_EQ(lines[0].wanted, 22);
  EXPECT_TRUE(lines[0].fits);
  EXPECT_EQ(lines[1].sum, "2 workers x (main/api 30 + probe of main/api 1)");
  EXPECT_EQ(lines[1].wanted, 62);
  EXPECT_TRUE(lines[1].fits);
}

TEST_F(DoctorBudget, TheRolesLimitCountsOverItsDatabases) {
  LivePlace main = place("main", 1000);
  LivePlace reference = place("reference", 1000);
  main.role_limit = reference.role_limit = 599;
  const auto lines = prove({main, reference});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].fits);
  EXPECT_EQ(lines[1].subject, "role app at db1:5432");
  EXPECT_FALSE(lines[1].fits);
  EXPECT_THAT(lines[1].fix, HasSubstr("ALTER ROLE \"app\" CONNECTION LIMIT 600"));
}

TEST_F(DoctorBudget, TheDatabasesLimitCounts) {
  LivePlace main = place("main", 1000);
  main.database_limit = 300;
  main.database_others = 2;
  const auto lines = prove({main, place("reference", 1000)});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].subject, "database main at db1:5432");
  EXPECT_FALSE(lines[1].fits);
  EXPECT_THAT(lines[1].fix, HasSubstr("ALTER DATABASE \"main\" CONNECTION LIMIT 402"));
  EXPECT_THAT(lines[1].fix, HasSubstr("--set database.main.pool.max=74"));
}

TEST_F(DoctorBudget, MoreSessionsThanItsWorkersMayHaveMeansMoreWorkers) {
  LivePlace main = place("main", 1000);
  main.ours = 601;
  const auto findings = budget_findings(prove({main, place("reference", 1000)}));
  EXPECT_THAT(findings, ElementsAre(Field(&Finding::severity, Severity::good),
                                    finding(Severity::warning, "has 601 sessions open", "--set fleet.workers=")));
}

TEST_F(DoctorBudget, BehindAPoolerTheServersLimitProvesNothing) {
  LivePlace main = place("main", 10);
  main.pooled = true;
  EXPECT_THAT(prove({main}), IsEmpty());
  EXPECT_THAT(pooler_findings({main}), ElementsAre(finding(Severity::warning, "connection pooler stands in between",
                                                           "fleet.connection_budget")));
}

}  // namespace
}  // namespace switchyard::cli
