// Loading as the requirement documents have it: variables, profiles, defaults, precedence, messages.
#include <switchyard/config/explain.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/config/load_fixture.hpp>
#include <switchyard/config/messages.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_config::Load;
using testing_config::TemporaryFolder;
using testing_config::Variables;

constexpr const char* kMainDsn = "postgresql://wellwon:mainpass@localhost/wellwon";
constexpr const char* kReferenceDsn = "postgresql://wellwon:refpass@localhost/wellwon_reference";
constexpr const char* kThirdDsn = "postgresql://wellwon:thirdpass@elsewhere/wellwon_analytics";

const DatabaseConfig& db(const FleetConfig& fleet, std::string_view name) {
  static const DatabaseConfig none;
  const DatabaseConfig* found = fleet.find(name);
  EXPECT_NE(found, nullptr) << name;
  return found == nullptr ? none : *found;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// ---- the three bugs of the client analysis ----------------------------------------------------------------------

TEST(ClientAnalysis, DsnRoutingEveryDatabaseHasItsOwnDsn) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn},
                                      {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                                      {"POSTGRES_ANALYTICS_DSN", kThirdDsn}})
                                .ok();
  EXPECT_EQ(db(fleet, "main").primary.connection.dbname, "wellwon");
  EXPECT_EQ(db(fleet, "reference").primary.connection.dbname, "wellwon_reference");
  EXPECT_EQ(db(fleet, "reference").primary.connection.hosts[0].password.reveal(), "refpass");
  EXPECT_EQ(db(fleet, "analytics").primary.connection.dbname, "wellwon_analytics");
  EXPECT_EQ(db(fleet, "analytics").primary.connection.hosts[0].host, "elsewhere");
}

TEST(ClientAnalysis, DsnRoutingADatabaseWithoutADsnNeverGetsMains) {
  const FleetConfig fleet = Load().env({{"POSTGRES_DSN", kMainDsn}}).ok();
  EXPECT_FALSE(db(fleet, "reference").configured());
  EXPECT_FALSE(db(fleet, "reference").has_stand_in());
  EXPECT_EQ(db(fleet, "reference").missing_dsn_message,
            "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment.");
}

TEST(ClientAnalysis, PoolConfigurationEveryDatabaseHasItsOwnPool) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn},
                                      {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                                      {"POSTGRES_ANALYTICS_DSN", kThirdDsn}})
                                .ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 20u);
  EXPECT_EQ(db(fleet, "main").pool.max, 100u);
  EXPECT_EQ(db(fleet, "reference").pool.min, 10u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 50u);
  EXPECT_EQ(db(fleet, "analytics").pool.min, 5u);
  EXPECT_EQ(db(fleet, "analytics").pool.max, 20u);
}

TEST(ClientAnalysis, EnvironmentVariableFallbacksEveryDatabaseReadsItsOwnVariables) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn},
                                      {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                                      {"POSTGRES_ANALYTICS_DSN", kThirdDsn},
                                      {"PG_POOL_MIN_SIZE", "1"},
                                      {"PG_POOL_MAX_SIZE", "2"},
                                      {"PG_POOL_TIMEOUT_SEC", "3"},
                                      {"PG_COMMAND_TIMEOUT_SEC", "4"},
                                      {"PG_REFERENCE_POOL_MIN_SIZE", "11"},
                                      {"PG_REFERENCE_POOL_MAX_SIZE", "12"},
                                      {"PG_REFERENCE_POOL_TIMEOUT_SEC", "13"},
                                      {"PG_REFERENCE_POOL_COMMAND_TIMEOUT_SEC", "14"}})
                                .ok();
  const auto expect = [&](std::string_view name, unsigned min, unsigned max, int acquire, int command) {
    EXPECT_EQ(db(fleet, name).pool.min, min) << name;
    EXPECT_EQ(db(fleet, name).pool.max, max) << name;
    EXPECT_EQ(*db(fleet, name).pool.acquire_timeout, seconds(acquire)) << name;
    EXPECT_EQ(*db(fleet, name).command_timeout, seconds(command)) << name;
  };
  expect("main", 1, 2, 3, 4);
  expect("reference", 11, 12, 13, 14);
  expect("analytics", 5, 20, 30, 60);  // the third one reads neither main's nor reference's
}

TEST(ClientAnalysis, EnvironmentVariableFallbacksAnExplicitZeroIsZero) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn},
                                      {"PG_POOL_MIN_SIZE", "0"},
                                      {"PG_POOL_TIMEOUT_SEC", "0"},
                                      {"PG_COMMAND_TIMEOUT_SEC", "0"},
                                      {"PG_REFERENCE_POOL_MIN_SIZE", "0"}})
                                .ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 0u);
  EXPECT_EQ(*db(fleet, "main").pool.acquire_timeout, Duration::zero());
  EXPECT_EQ(*db(fleet, "main").command_timeout, Duration::zero());
  EXPECT_EQ(db(fleet, "reference").pool.min, 0u);
}

// ---- Test #1 and Test #2 of the client fixes
// ----------------------------------------------------------------------

constexpr const char* kFixesDotenv =
    "# Main Database\n"
    "POSTGRES_DSN=postgresql://wellwon:password@localhost/wellwon\n"
    "PG_POOL_MIN_SIZE=10\n"
    "PG_POOL_MAX_SIZE=50\n"
    "\n"
    "# Reference Database\n"
    "POSTGRES_REFERENCE_DSN=postgresql://wellwon:password@localhost/wellwon_reference\n"
    "PG_REFERENCE_POOL_MIN_SIZE=10\n"
    "PG_REFERENCE_POOL_MAX_SIZE=50\n";

TEST(ClientFixes, TestOneDsnResolution) {
  const FleetConfig fleet = Load().dotenv(kFixesDotenv).ok();
  EXPECT_TRUE(contains(db(fleet, "main").primary.display(), "wellwon"));
  EXPECT_TRUE(contains(db(fleet, "reference").primary.display(), "wellwon_reference"));
  EXPECT_NE(db(fleet, "main").primary.display(), db(fleet, "reference").primary.display());
}

TEST(ClientFixes, TestTwoPoolConfigurationWithItsDotenv) {
  const FleetConfig fleet = Load().dotenv(kFixesDotenv).ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 10u);
  EXPECT_EQ(db(fleet, "main").pool.max, 50u);
  EXPECT_EQ(db(fleet, "reference").pool.min, 10u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 50u);
}

TEST(ClientFixes, TestTwoPoolConfigurationWithoutDotenv) {
  const FleetConfig fleet = Load().ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 20u);
  EXPECT_EQ(db(fleet, "main").pool.max, 100u);
  EXPECT_EQ(db(fleet, "reference").pool.min, 10u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 50u);
}

// ---- profiles
// -----------------------------------------------------------------------------------------------------

TEST(Profiles, WellwonDefaults) {
  const FleetConfig fleet =
      Load().env({{"POSTGRES_DSN", kMainDsn}, {"POSTGRES_REFERENCE_DSN", kReferenceDsn}}).ok();
  EXPECT_EQ(*db(fleet, "main").command_timeout, seconds(60));
  EXPECT_EQ(*db(fleet, "reference").command_timeout, seconds(30));
  for (const char* name : {"main", "reference"}) {
    EXPECT_EQ(db(fleet, name).profile, Profile::wellwon);
    EXPECT_EQ(*db(fleet, name).pool.acquire_timeout, seconds(30));
    EXPECT_EQ(*db(fleet, name).pool.idle_timeout, seconds(300));
    EXPECT_EQ(*db(fleet, name).query_timeout, Duration::zero());
    EXPECT_EQ(*db(fleet, name).when_down, WhenDown::fail);
  }
  EXPECT_TRUE(db(fleet, "main").required.value);
  EXPECT_FALSE(db(fleet, "reference").required.value);
}

TEST(Profiles, ParafortDefaults) {
  const FleetConfig fleet =
      Load()
          .env({{"DATABASE_URL", "postgresql://user:pass@host:5432/main_db"},
                {"ANALYTICS_DATABASE_URL", "postgresql://user:pass@host:5432/analytics_db"},
                {"DOCUMENTS_DATABASE_URL", "postgresql://user:pass@host:5432/documents_db"},
                {"COMPLIANCE_DATABASE_URL", "postgresql://user:pass@host:5432/compliance_db"},
                {"READ_REPLICA_DATABASE_URL", "postgresql://user:pass@host:5432/main_db_replica"}})
          .ok();
  const auto expect = [&](std::string_view name, unsigned max, int timeout) {
    EXPECT_EQ(db(fleet, name).profile, Profile::parafort) << name;
    EXPECT_EQ(db(fleet, name).pool.min, 0u) << name;
    EXPECT_EQ(db(fleet, name).pool.max, max) << name;
    EXPECT_EQ(*db(fleet, name).pool.acquire_timeout, seconds(timeout)) << name;
    EXPECT_EQ(*db(fleet, name).command_timeout, seconds(timeout)) << name;
  };
  expect("main", 20, 30);
  expect("analytics", 15, 45);
  expect("documents", 25, 60);
  expect("compliance", 10, 30);
  ASSERT_EQ(db(fleet, "main").replicas.size(), 1u);
  const ReplicaConfig& replica = db(fleet, "main").replicas[0];
  EXPECT_EQ(replica.name, "readReplica");
  EXPECT_TRUE(replica.endpoint.configured());
  EXPECT_EQ(replica.endpoint.connection.dbname, "main_db_replica");
  EXPECT_EQ(replica.pool.min, 0u);
  EXPECT_EQ(replica.pool.max, 30u);
  EXPECT_EQ(*replica.pool.acquire_timeout, seconds(20));
  EXPECT_EQ(*replica.command_timeout, seconds(20));
  EXPECT_EQ(fleet.profile, Profile::parafort);
}

TEST(Profiles, ParafortStartsWithOneDatabaseAndKnowsTheOthers) {
  const FleetConfig fleet = Load().env({{"DATABASE_URL", "postgresql://localhost:5432/parafort_dev"}}).ok();
  for (const char* name : {"analytics", "documents", "compliance"}) {
    EXPECT_FALSE(db(fleet, name).configured()) << name;
    EXPECT_EQ(*db(fleet, name).when_unconfigured, "main") << name;
  }
  ASSERT_NE(db(fleet, "main").find_replica("readReplica"), nullptr);
  EXPECT_FALSE(db(fleet, "main").find_replica("readReplica")->endpoint.configured());
  EXPECT_EQ(fleet.find("reference"), nullptr);
}

TEST(Profiles, ParafortSpoolsExceptWhatIsConfidential) {
  const FleetConfig fleet = Load().env({{"DATABASE_URL", "postgresql://localhost/parafort_dev"}}).ok();
  EXPECT_EQ(*db(fleet, "analytics").when_down, WhenDown::spool);
  EXPECT_EQ(*db(fleet, "analytics").fallback, "main");
  EXPECT_EQ(*db(fleet, "main").when_down, WhenDown::fail);
  EXPECT_TRUE(db(fleet, "compliance").confidential.value);
  EXPECT_EQ(*db(fleet, "compliance").when_down, WhenDown::fail);
  const std::string error =
      Load()
          .env({{"DATABASE_URL", "postgresql://localhost/parafort_dev"}})
          .file("[database.main]\n[database.compliance]\nwhen_down = \"spool\"\nfallback = \"main\"\n")
          .error();
  EXPECT_TRUE(contains(error, "'compliance' is confidential")) << error;
}

TEST(Profiles, AnyOtherSpellingHasFiveToTwenty) {
  const FleetConfig fleet =
      Load().file("[database.orders]\ndsn = \"postgresql://h/d\"\n[database.main]\nhost = \"h\"\n").ok();
  for (const char* name : {"orders", "main"}) {
    EXPECT_EQ(db(fleet, name).profile, Profile::generic);
    EXPECT_EQ(db(fleet, name).pool.min, 5u);
    EXPECT_EQ(db(fleet, name).pool.max, 20u);
    EXPECT_EQ(*db(fleet, name).pool.acquire_timeout, seconds(30));
  }
}

TEST(Profiles, TheSpellingInsideTheFileCounts) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.main]\ndsn = \"${POSTGRES_DSN}\"\n"
                                    "[database.analytics]\ndsn = \"${ANALYTICS_DATABASE_URL}\"\n")
                                .env({{"POSTGRES_DSN", kMainDsn}})
                                .ok();
  EXPECT_EQ(db(fleet, "main").profile, Profile::wellwon);
  EXPECT_EQ(db(fleet, "main").pool.max, 100u);
  EXPECT_EQ(db(fleet, "analytics").profile, Profile::parafort);
  EXPECT_EQ(db(fleet, "analytics").pool.max, 15u);
  EXPECT_FALSE(db(fleet, "analytics").configured());
}

TEST(Profiles, PgVariablesAloneMakeItWellwons) {
  const FleetConfig fleet =
      Load().file("[database.reference]\nhost = \"h\"\n").env({{"PG_REFERENCE_POOL_MAX_SIZE", "60"}}).ok();
  EXPECT_EQ(db(fleet, "reference").profile, Profile::wellwon);
  EXPECT_EQ(db(fleet, "reference").pool.min, 10u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 60u);
}

TEST(Profiles, ADevelopmentServerIsSmallAndLazy) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn}, {"PG_REFERENCE_POOL_MAX_SIZE", "7"}})
                                .command_line("fleet.server_type", "development")
                                .ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 0u);
  EXPECT_EQ(db(fleet, "main").pool.max, 5u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 7u);
}

// ---- variables
// ----------------------------------------------------------------------------------------------------

TEST(VariableNames, MainHasFourSpellings) {
  for (const char* name : {"POSTGRES_DSN", "POSTGRES_MAIN_DSN", "DATABASE_URL", "MAIN_DATABASE_URL"}) {
    EXPECT_TRUE(db(Load().env({{name, kMainDsn}}).ok(), "main").configured()) << name;
  }
}

TEST(VariableNames, TwoSpellingsWithDifferentValuesInOneLayerAreAnError) {
  const std::string error =
      Load().env({{"POSTGRES_DSN", kMainDsn}, {"DATABASE_URL", "postgresql://u:hunter2@h/other"}}).error();
  EXPECT_TRUE(contains(error, "POSTGRES_DSN")) << error;
  EXPECT_TRUE(contains(error, "DATABASE_URL")) << error;
  EXPECT_FALSE(contains(error, "hunter2")) << error;
  EXPECT_FALSE(contains(error, "mainpass")) << error;
  EXPECT_TRUE(contains(
      Load()
          .env({{"POSTGRES_ANALYTICS_DSN", "postgresql://a/b"}, {"ANALYTICS_DATABASE_URL", "postgresql://c/d"}})
          .error(),
      "POSTGRES_ANALYTICS_DSN and ANALYTICS_DATABASE_URL both set"));
  EXPECT_TRUE(contains(Load().env({{"PG_COMMAND_TIMEOUT_SEC", "1"}, {"PG_POOL_COMMAND_TIMEOUT_SEC", "2"}}).error(),
                       "PG_COMMAND_TIMEOUT_SEC and PG_POOL_COMMAND_TIMEOUT_SEC"));
  EXPECT_TRUE(contains(Load()
                           .env({{"POSTGRES_MAIN_REPLICA_DSN", "postgresql://a/b"},
                                 {"READ_REPLICA_DATABASE_URL", "postgresql://c/d"}})
                           .error(),
                       "READ_REPLICA_DATABASE_URL"));
}

TEST(VariableNames, TwoSpellingsWithOneValueAreFine) {
  EXPECT_TRUE(db(Load().env({{"POSTGRES_DSN", kMainDsn}, {"DATABASE_URL", kMainDsn}}).ok(), "main").configured());
}

TEST(VariableNames, TwoLayersMayDiffer) {
  const FleetConfig fleet =
      Load().env({{"DATABASE_URL", "postgresql://env/e"}}).dotenv("POSTGRES_DSN=postgresql://dotenv/d\n").ok();
  EXPECT_EQ(db(fleet, "main").primary.connection.dbname, "e");
  ASSERT_EQ(db(fleet, "main").primary.dsn.origin.shadowed.size(), 1u);
  EXPECT_TRUE(contains(db(fleet, "main").primary.dsn.origin.shadowed[0].place, ".env:1 POSTGRES_DSN"));
}

TEST(VariableNames, SwappedWordsGetASuggestion) {
  EXPECT_TRUE(contains(Load().env({{"POSTGRES_DSN_MAIN", kMainDsn}}).error(), "did you mean POSTGRES_DSN?"));
  EXPECT_TRUE(
      contains(Load().env({{"POSTGRES_DSN_REFERENCE", kMainDsn}}).error(), "did you mean POSTGRES_REFERENCE_DSN?"));
  EXPECT_TRUE(contains(Load().dotenv("POSTGRES_REPLICA_DSN=x").error(), "did you mean POSTGRES_MAIN_REPLICA_DSN?"));
}

TEST(VariableNames, OtherProgramsVariablesAreLeftAlone) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_USER", "x"},
                                      {"POSTGRES_DB", "x"},
                                      {"POSTGRES_PASSWORD", "x"},
                                      {"PG_VERSION", "15"},
                                      {"PGDATA", "/x"},
                                      {"POSTGRES_DSN", kMainDsn}})
                                .ok();
  EXPECT_TRUE(fleet.warnings.empty());
  EXPECT_TRUE(fleet.undeclared_variables.empty());
}

TEST(VariableNames, NearMissesAreWarnedAbout) {
  const FleetConfig fleet =
      Load().env({{"POSTGRES_DSN", kMainDsn}, {"PG_POOL_MAXSIZE", "5"}, {"PG_REFRENCE_POOL_MAX_SIZE", "5"}}).ok();
  ASSERT_EQ(fleet.warnings.size(), 2u);
  EXPECT_TRUE(contains(fleet.warnings[0], "there is no database 'refrence'; did you mean 'reference'?"));
  EXPECT_TRUE(contains(fleet.warnings[1], "did you mean 'PG_POOL_MAX_SIZE'?"));
}

TEST(VariableNames, AnEmptyVariableIsNotSet) {
  const FleetConfig fleet = Load().env({{"POSTGRES_DSN", ""}, {"PG_POOL_MAX_SIZE", ""}}).ok();
  EXPECT_FALSE(db(fleet, "main").configured());
  EXPECT_EQ(db(fleet, "main").pool.max, 100u);
}

TEST(VariableNames, AnUndeclaredUrlIsListedAndNeverOpened) {
  const Variables variables = {{"DATABASE_URL", "postgresql://h/d"}, {"ORDERS_DATABASE_URL", "postgresql://o/d"}};
  const FleetConfig fleet = Load().env(variables).ok();
  EXPECT_EQ(fleet.find("orders"), nullptr);
  EXPECT_EQ(fleet.undeclared_variables, std::vector<std::string>{"ORDERS_DATABASE_URL"});
  // The program declares it by using it.
  const FleetConfig declared = Load().env(variables).uses("orders").ok();
  EXPECT_EQ(db(declared, "orders").profile, Profile::parafort);
  EXPECT_TRUE(declared.undeclared_variables.empty());
}

TEST(VariableNames, WithAFileOnlyItsDatabasesExist) {
  const FleetConfig fleet = Load()
                                .file("[database.main]\n")
                                .env({{"POSTGRES_DSN", kMainDsn},
                                      {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                                      {"ANALYTICS_DATABASE_URL", kThirdDsn}})
                                .ok();
  EXPECT_EQ(fleet.databases.size(), 1u);
  EXPECT_EQ(fleet.undeclared_variables,
            (std::vector<std::string>{"ANALYTICS_DATABASE_URL", "POSTGRES_REFERENCE_DSN"}));
}

TEST(VariableNames, AVariableTheFileGivesToAnotherDatabaseIsNotMains) {
  const FleetConfig fleet =
      Load()
          .file(
              "[database.main]\ndsn = \"${DATABASE_URL}\"\n"
              "[database.orders]\ndsn = \"${POSTGRES_DSN}\"\n")
          .env({{"POSTGRES_DSN", "postgresql://a/orders"}, {"DATABASE_URL", "postgresql://a/main"}})
          .ok();
  EXPECT_EQ(db(fleet, "main").primary.connection.dbname, "main");
  EXPECT_EQ(db(fleet, "orders").primary.connection.dbname, "orders");
}

TEST(VariableNames, ValuesMayComeFromFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.write("dsn", std::string(kReferenceDsn) + "\n");
  const FleetConfig fleet = Load().env({{"POSTGRES_REFERENCE_DSN_FILE", path}}).ok();
  EXPECT_EQ(db(fleet, "reference").primary.connection.hosts[0].password.reveal(), "refpass");
  EXPECT_TRUE(contains(Load().env({{"POSTGRES_DSN_FILE", folder.path() + "/missing"}}).error(), "can't read"));
  EXPECT_TRUE(
      contains(Load().env({{"POSTGRES_REFERENCE_DSN_FILE", path}, {"POSTGRES_REFERENCE_DSN", kMainDsn}}).error(),
               "POSTGRES_REFERENCE_DSN_FILE"));
}

TEST(VariableNames, BadValuesAreRefusedTogether) {
  const std::string error = Load()
                                .env({{"PG_POOL_MIN_SIZE", "-1"},
                                      {"PG_POOL_MAX_SIZE", "many"},
                                      {"PG_POOL_TIMEOUT_SEC", "soon"},
                                      {"PG_REFERENCE_POOL_MAX_SIZE", "4294967296"}})
                                .error();
  EXPECT_TRUE(contains(error, "4 problems")) << error;
  EXPECT_TRUE(contains(error, "environment PG_POOL_MIN_SIZE: database.main.pool.min: '-1' is negative")) << error;
  EXPECT_TRUE(contains(error, "'many' is not a whole number")) << error;
  EXPECT_TRUE(contains(error, "'soon' is not a number of seconds")) << error;
  EXPECT_TRUE(contains(error, "'4294967296' is out of range")) << error;
}

// ---- replicas
// -----------------------------------------------------------------------------------------------------

TEST(Replicas, VariablesAddThem) {
  const FleetConfig fleet =
      Load()
          .env({{"POSTGRES_DSN", kMainDsn},
                {"POSTGRES_MAIN_REPLICA_DSN", "postgresql://r0/wellwon"},
                {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                {"POSTGRES_REFERENCE_REPLICA_DSN", "postgresql://r1/wellwon_reference"},
                {"POSTGRES_REFERENCE_REPLICA_API_DSN", "postgresql://r2/wellwon_reference"},
                {"POSTGRES_REFERENCE_REPLICA_JOBS_DSN", "postgresql://r3/wellwon_reference"},
                {"POSTGRES_REFERENCE_REPLICA_REPORTS_DSN", "postgresql://r4/wellwon_reference"}})
          .ok();
  ASSERT_EQ(db(fleet, "main").replicas.size(), 1u);
  EXPECT_EQ(db(fleet, "main").replicas[0].name, "replica");
  const DatabaseConfig& reference = db(fleet, "reference");
  ASSERT_EQ(reference.replicas.size(), 4u);
  EXPECT_EQ(reference.replica_for("api")->endpoint.connection.hosts[0].host, "r2");
  EXPECT_EQ(reference.replica_for("jobs")->endpoint.connection.hosts[0].host, "r3");
  EXPECT_EQ(reference.replica_for("reports")->endpoint.connection.hosts[0].host, "r4");
  EXPECT_EQ(reference.replica_for("nothing"), nullptr);
  EXPECT_EQ(reference.find_replica("replica")->pool.max, 50u);  // as the database's own
  // Credentials of the database serve a replica that names none.
  EXPECT_EQ(reference.find_replica("api")->endpoint.connection.user, "wellwon");
  EXPECT_EQ(reference.find_replica("api")->endpoint.connection.hosts[0].password.reveal(), "refpass");
}

TEST(Replicas, AVariableOverridesTheReplicaOfTheFile) {
  const auto host = [&](std::string_view keys, Variables variables) {
    const std::string file = "[database.reference]\n[[database.reference.replica]]\n" + std::string(keys) +
                             "dsn = \"postgresql://file/x\"\n";
    const FleetConfig fleet = Load().file(file).env(std::move(variables)).ok();
    EXPECT_EQ(db(fleet, "reference").replicas.size(), 1u);
    return db(fleet, "reference").replicas.at(0).endpoint.connection.hosts.at(0).host;
  };
  const Variables plain = {{"POSTGRES_REFERENCE_REPLICA_DSN", "postgresql://env/x"}};
  const Variables api = {{"POSTGRES_REFERENCE_REPLICA_API_DSN", "postgresql://env/x"}};
  EXPECT_EQ(host("name = \"near\"\n", {}), "file");
  EXPECT_EQ(host("name = \"near\"\n", plain), "env");
  EXPECT_EQ(host("name = \"api\"\npurpose = [\"api\", \"jobs\"]\n", api), "env");
  EXPECT_EQ(host("name = \"near\"\npurpose = \"api\"\n", api), "env");
}

TEST(Replicas, AVariableForOneOfSeveralPurposesAddsAReplicaOfItsOwn) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.reference]\n[[database.reference.replica]]\nname = \"api\"\n"
                                    "purpose = [\"api\", \"jobs\", \"search\"]\ndsn = \"postgresql://file/x\"\n")
                                .env({{"POSTGRES_REFERENCE_REPLICA_JOBS_DSN", "postgresql://jobs/x"},
                                      {"POSTGRES_REFERENCE_REPLICA_SEARCH_DSN", "postgresql://search/x"},
                                      {"POSTGRES_REFERENCE_REPLICA_NIGHT_DSN", "postgresql://night/x"}})
                                .ok();
  const DatabaseConfig& reference = db(fleet, "reference");
  EXPECT_EQ(reference.replicas.size(), 3u);
  EXPECT_EQ(reference.replica_for("api")->endpoint.connection.hosts[0].host, "file");
  EXPECT_EQ(reference.replica_for("jobs")->endpoint.connection.hosts[0].host, "jobs");
  EXPECT_EQ(reference.replica_for("search")->endpoint.connection.hosts[0].host, "search");
  ASSERT_EQ(fleet.warnings.size(), 1u);
  EXPECT_TRUE(contains(fleet.warnings[0], "has no replica for 'night'"));
}

TEST(Replicas, AReferencedVariableAddsNoSecondReplica) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.reference]\n[[database.reference.replica]]\nname = \"api\"\n"
                                    "dsn = \"${POSTGRES_REFERENCE_REPLICA_DSN}\"\n")
                                .env({{"POSTGRES_REFERENCE_REPLICA_DSN", "postgresql://r/x"}})
                                .ok();
  ASSERT_EQ(db(fleet, "reference").replicas.size(), 1u);
  EXPECT_TRUE(db(fleet, "reference").replicas[0].endpoint.configured());
}

TEST(Replicas, RoleNamesResolveToTheReadView) {
  const FleetConfig fleet = Load().env({{"POSTGRES_DSN", kMainDsn}}).uses("main_replica").uses("readReplica").ok();
  for (const char* name : {"main_replica", "readReplica", "mainReplica"}) {
    const auto resolved = fleet.resolve(name);
    ASSERT_TRUE(resolved.ok()) << name;
    EXPECT_EQ(resolved->database, fleet.find("main"));
    EXPECT_TRUE(resolved->read_view);
  }
  EXPECT_FALSE(fleet.resolve("main")->read_view);
  EXPECT_EQ(fleet.resolve("reference_replica_api")->purpose, "api");
}

// ---- precedence
// ---------------------------------------------------------------------------------------------------

TEST(Precedence, CodeThenCommandLineThenEnvironmentThenDotenvThenFileThenProfile) {
  Load load;
  load.file("[database.main]\ndsn = \"${POSTGRES_DSN}\"\n[database.main.pool]\nmax = 200\n");
  const auto expect = [&](unsigned max, Layer layer, std::size_t shadowed) {
    const FleetConfig fleet = load.ok();
    const Setting<std::uint32_t>& setting = db(fleet, "main").pool.max;
    EXPECT_EQ(setting.value, max);
    EXPECT_EQ(setting.origin.layer, layer);
    EXPECT_EQ(setting.origin.shadowed.size(), shadowed);
  };
  expect(200, Layer::file, 1);
  load.dotenv("PG_POOL_MAX_SIZE=201\n");
  expect(201, Layer::dotenv, 2);
  load.env({{"PG_POOL_MAX_SIZE", "202"}});
  expect(202, Layer::environment, 3);
  load.command_line("database.main.pool.max", "203");
  expect(203, Layer::command_line, 4);
  load.code("database.main.pool.max", "204");
  expect(204, Layer::code, 5);
  load.sources.file_text = "[database.main]\ndsn = \"${POSTGRES_DSN}\"\n";
  load.sources.environment.variables.clear();
  load.sources.dotenv_path.reset();
  load.sources.command_line.clear();
  load.sources.code.clear();
  expect(100, Layer::profile, 0);
}

TEST(Precedence, ADsnOfAStrongerLayerKeepsItsOwnParts) {
  const std::string file =
      "[database.main]\ndsn = \"postgresql://a:pw@h/d\"\nuser = \"b\"\npassword = \"keypass\"\ndbname = \"key\"\n";
  const FleetConfig by_file = Load().file(file).ok();
  EXPECT_EQ(db(by_file, "main").primary.connection.user, "b");
  EXPECT_EQ(db(by_file, "main").primary.connection.dbname, "key");
  EXPECT_EQ(db(by_file, "main").primary.connection.password.reveal(), "keypass");
  const FleetConfig by_env = Load().file(file).env({{"POSTGRES_DSN", "postgresql://c@h/e"}}).ok();
  EXPECT_EQ(db(by_env, "main").primary.connection.user, "c");
  EXPECT_EQ(db(by_env, "main").primary.connection.dbname, "e");
}

TEST(Precedence, AMinimumThatNobodySetGivesWayToAMaximumThatSomebodySet) {
  const FleetConfig fleet = Load().env({{"POSTGRES_DSN", kMainDsn}, {"PG_POOL_MAX_SIZE", "3"}}).ok();
  EXPECT_EQ(db(fleet, "main").pool.min, 3u);
  const std::string error = Load().env({{"PG_POOL_MAX_SIZE", "3"}, {"PG_POOL_MIN_SIZE", "4"}}).error();
  EXPECT_TRUE(contains(error, "PG_POOL_MAX_SIZE")) << error;
  EXPECT_TRUE(contains(error, "PG_POOL_MIN_SIZE")) << error;
}

TEST(Precedence, OptionsAreCheckedLikeTheFile) {
  EXPECT_TRUE(contains(Load().command_line("fleet.workrs", "3").error(), "did you mean 'fleet.workers'?"));
  EXPECT_TRUE(contains(Load().command_line("database.mian.pool.max", "3").error(), "did you mean 'main'?"));
  EXPECT_TRUE(contains(Load().command_line("database.main.pol.max", "3").error(),
                       "did you mean 'database.main.pool.max'?"));
  EXPECT_TRUE(contains(Load().code("database.main.options.sslmod", "x").error(), "unknown key"));
  EXPECT_TRUE(contains(Load().code("database.main.pool.max", "x").error(), "code: database.main.pool.max: 'x'"));
  EXPECT_TRUE(contains(Load().code("database.Main.dsn", "x").error(), "can't be the name of a database"));
}

TEST(Precedence, CodeAloneIsEnough) {
  const FleetConfig fleet = Load().code("database.orders.dsn", "postgresql://h/orders").ok();
  EXPECT_EQ(db(fleet, "orders").primary.connection.dbname, "orders");
  EXPECT_EQ(db(fleet, "orders").profile, Profile::generic);
}

// ---- names in code
// ------------------------------------------------------------------------------------------------

TEST(NamesInCode, UnknownOnesFailWithASuggestion) {
  const std::string error = Load().env({{"POSTGRES_DSN", kMainDsn}}).uses("refrence").uses("main").error();
  EXPECT_TRUE(contains(error, "unknown database 'refrence' (did you mean 'reference'?")) << error;
  EXPECT_TRUE(contains(error, "POSTGRES_REFRENCE_DSN")) << error;
  EXPECT_TRUE(contains(Load().uses("Main").error(), "malformed database name 'Main' (did you mean 'main'?"));
}

TEST(NamesInCode, AKnownOneMayBeUnconfigured) {
  EXPECT_FALSE(db(Load().uses("reference").ok(), "reference").configured());
}

// ---- the file
// -----------------------------------------------------------------------------------------------------

TEST(FleetFile, TheDesignExampleIsReadInFull) {
  const FleetConfig fleet = Load()
                                .file(R"(
[fleet]
application = "wellwon"
workers = 4
connection_budget = 600
[database.main]
dsn  = "${POSTGRES_DSN}"
pool = { min = 20, max = 100, acquire_timeout = "30s", idle_timeout = "5m", max_lifetime = "1h" }
command_timeout = "60s"
[database.reference]
dsn = "${POSTGRES_REFERENCE_DSN}"
read_only = true
write_user = "wellwon_sync"
pool = { min = 10, max = 50 }
[[database.reference.replica]]
name = "api"
dsn  = "${POSTGRES_REFERENCE_REPLICA_DSN}"
max_lag = "10s"
)")
                                .env({{"POSTGRES_DSN", kMainDsn}, {"POSTGRES_REFERENCE_DSN", kReferenceDsn}})
                                .ok();
  EXPECT_EQ(*fleet.application, "wellwon");
  EXPECT_EQ(db(fleet, "main").primary.connection.application_name, "wellwon-main");
  EXPECT_EQ(db(fleet, "reference").primary.connection.application_name, "wellwon-reference");
  EXPECT_EQ(*db(fleet, "reference").find_replica("api")->max_lag, seconds(10));
  EXPECT_EQ(sizing(fleet).primaries, 600u);
  EXPECT_EQ(sizing(fleet).recommended_max_connections, 650u);
}

TEST(FleetFile, ReadOnlyConcernsReadsAndWritesHaveSessionsOfTheirOwn) {
  const auto read_only = [](const EndpointConfig& endpoint) {
    for (const auto& [name, value] : endpoint.connection.settings) {
      if (name == "default_transaction_read_only") return value == "on";
    }
    return false;
  };
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.reference]\ndsn = \"postgresql://reader:pw@h/d\"\nread_only = true\n"
                                    "write_user = \"writer\"\nwrite_password = \"wpw\"\n"
                                    "[database.plain]\ndsn = \"postgresql://reader:pw@h/d\"\nread_only = true\n"
                                    "[database.writable]\ndsn = \"postgresql://reader:pw@h/d\"\n")
                                .ok();
  const DatabaseConfig& reference = db(fleet, "reference");
  EXPECT_TRUE(read_only(reference.primary));
  EXPECT_FALSE(read_only(reference.write));
  EXPECT_EQ(reference.write.connection.user, "writer");
  EXPECT_EQ(reference.write.connection.password.reveal(), "wpw");
  EXPECT_TRUE(db(fleet, "plain").write.configured());
  EXPECT_EQ(db(fleet, "plain").write.connection.user, "reader");
  EXPECT_FALSE(db(fleet, "writable").write.configured());
}

TEST(FleetFile, APasswordIsNotSentForAnotherUser) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.a]\ndsn = \"postgresql://reader:pw@h/d\"\nwrite_user = \"writer\"\n"
                                    "[database.b]\ndsn = \"postgresql://reader:pw@h/d\"\nuser = \"other\"\n"
                                    "[server.s]\ndsn = \"postgresql://admin:pw@h/d\"\n"
                                    "[database.c]\nserver = \"s\"\nrole = \"c_user\"\n")
                                .ok();
  EXPECT_TRUE(db(fleet, "a").write.connection.password.empty());
  EXPECT_EQ(db(fleet, "b").primary.connection.user, "other");
  EXPECT_TRUE(db(fleet, "b").primary.connection.password.empty());
  EXPECT_EQ(db(fleet, "c").primary.connection.user, "c_user");
  EXPECT_TRUE(db(fleet, "c").primary.connection.password.empty());
}

TEST(FleetFile, ASharedServerGivesPlaceAndTheDatabaseSchemaAndRole) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[server.erp]\nhost = \"localhost\"\nport = 5433\ndbname = \"chiro_erp\"\n"
                                    "options = { sslmode = \"require\" }\n"
                                    "[database.commerce]\nserver = \"erp\"\nschema = \"commerce_schema\"\n"
                                    "role = \"commerce_user\"\npassword = \"pw\"\n"
                                    "[database.moved]\nserver = \"erp\"\ndsn = \"postgresql://x@other/own\"\n"
                                    "schema = \"Odd Name\"\n")
                                .ok();
  const ConnectionOptions& commerce = db(fleet, "commerce").primary.connection;
  EXPECT_EQ(commerce.location(), "localhost:5433/chiro_erp");
  EXPECT_EQ(commerce.user, "commerce_user");
  EXPECT_EQ(commerce.password.reveal(), "pw");
  EXPECT_EQ(commerce.sslmode, SslMode::require);
  ASSERT_EQ(commerce.settings.size(), 1u);
  EXPECT_EQ(commerce.settings[0], (std::pair<std::string, std::string>("search_path", "commerce_schema")));
  const ConnectionOptions& moved = db(fleet, "moved").primary.connection;
  EXPECT_EQ(moved.location(), "other:5432/own");
  EXPECT_EQ(moved.settings[0].second, "\"Odd Name\"");
}

TEST(FleetFile, AnUnsetVariableLeavesTheDatabaseUnconfigured) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[server.erp]\ndsn = \"${ERP_DSN}\"\n"
                                    "[database.a]\nserver = \"erp\"\npassword = \"${A_PASSWORD}\"\n"
                                    "[database.b]\ndsn = \"${SOMETHING}\"\n[database.c]\n")
                                .ok();
  EXPECT_EQ(db(fleet, "a").missing_dsn_message, "DSN not configured for database 'a'. Set ERP_DSN in environment.");
  EXPECT_EQ(db(fleet, "b").missing_dsn_message,
            "DSN not configured for database 'b'. Set SOMETHING in environment.");
  EXPECT_EQ(db(fleet, "c").missing_dsn_message,
            "DSN not configured for database 'c'. Set POSTGRES_C_DSN in environment.");
  EXPECT_TRUE(
      contains(Load().file("[database.a]\ndsn = \"postgresql://h/d\"\npassword = \"${A_PASSWORD}\"\n").error(),
               "database.a.password: the variable A_PASSWORD is not set"));
  EXPECT_TRUE(contains(Load().file("[fleet]\napplication = \"${APP}\"\n[database.a]\n").error(),
                       "the variable APP is not set"));
}

TEST(FleetFile, SecretsComeFromVariablesAndFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.write("pw", "file pass\n");
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.a]\nhost = \"h\"\npassword = \"${env:A_PASSWORD}\"\n"
                                    "[database.b]\nhost = \"h\"\npassword = \"${file:" +
                                    path +
                                    "}\"\n"
                                    "[database.c]\nhost = \"h\"\npassword = \"a$b$${c}\"\n"
                                    "[database.d]\ndsn = \"postgresql://u:${A_PASSWORD}@h/d\"\n")
                                .env({{"A_PASSWORD", "envpass"}})
                                .ok();
  EXPECT_EQ(db(fleet, "a").primary.connection.password.reveal(), "envpass");
  EXPECT_EQ(db(fleet, "b").primary.connection.password.reveal(), "file pass");
  EXPECT_EQ(db(fleet, "c").primary.connection.password.reveal(), "a$b${c}");
  EXPECT_EQ(db(fleet, "d").primary.connection.password.reveal(), "envpass");
}

TEST(FleetFile, VaultReferencesAreUnderstoodAndNeedAClient) {
  const std::string file = "[database.a]\nhost = \"h\"\npassword = \"${vault:secret/commerce/db-password}\"\n";
  const std::string error = Load().file(file).error();
  EXPECT_TRUE(contains(error,
                       "the field 'db-password' of 'secret/commerce' in Vault (or the only field of "
                       "'secret/commerce/db-password'), and no Vault client is available"))
      << error;
  Load with_client;
  with_client.file(file);
  with_client.sources.vault = [](const VaultReference& reference) -> Result<Secret> {
    return Secret(reference.path + "|" + reference.field + "|" + reference.whole_path);
  };
  EXPECT_EQ(db(with_client.ok(), "a").primary.connection.password.reveal(),
            "secret/commerce|db-password|secret/commerce/db-password");
  EXPECT_EQ(parse_vault_reference("secret/commerce#db-password")->field, "db-password");
  EXPECT_TRUE(parse_vault_reference("secret/commerce#db-password")->whole_path.empty());
  for (const char* text : {"", "x", "/x/y", "x/y/", "x#", "#y"})
    EXPECT_FALSE(parse_vault_reference(text).ok()) << text;
}

TEST(FleetFile, LibpqsVariablesFillWhatADsnLeavesOut) {
  const FleetConfig fleet = Load()
                                .file("[database.a]\ndsn = \"postgresql://h/d\"\n")
                                .env({{"PGUSER", "envuser"}, {"PGAPPNAME", "psql"}})
                                .dotenv("PGPASSWORD=dotpass\n")
                                .ok();
  EXPECT_EQ(db(fleet, "a").primary.connection.user, "envuser");
  EXPECT_EQ(db(fleet, "a").primary.connection.password.reveal(), "dotpass");
  EXPECT_EQ(db(fleet, "a").primary.connection.application_name, "switchyard-a");
}

TEST(FleetFile, ADsnMaySetTheApplicationName) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[database.a]\ndsn = \"postgresql://h/d?application_name=mine\"\n"
                                    "[database.b]\ndsn = \"postgresql://h/d\"\napplication_name = \"key\"\n")
                                .ok();
  EXPECT_EQ(db(fleet, "a").primary.connection.application_name, "mine");
  EXPECT_EQ(*db(fleet, "a").application_name, "mine");
  EXPECT_EQ(db(fleet, "b").primary.connection.application_name, "key");
}

struct Mistake {
  std::string_view file;
  std::string_view message;
};

TEST(FleetFile, EveryMistakeNamesPlaceValueAndFix) {
  const std::vector<Mistake> mistakes = {
      {"[fleet]\nworkrs = 3\n", "fleet.toml:2:1: unknown key 'workrs' in [fleet] (did you mean 'workers'?)"},
      {"[databse.main]\n",
       "fleet.toml:1:2: unknown key 'databse' at the top of the file (did you mean 'database'?)"},
      {"workers = 3\n",
       "fleet.toml:1:1: unknown key 'workers' at the top of the file (did you mean fleet.workers?)"},
      {"[database.main]\nmax = 3\n", "(did you mean database.NAME.pool.max?)"},
      {"[database.main]\nsslmode = \"require\"\n", "(did you mean options.sslmode?)"},
      {"[database.main.options]\nsslmod = \"require\"\n", "unknown connection option 'sslmod'"},
      {"[database.Main]\n", "'Main' can't be the name of a database"},
      {"[database.my-db]\n", "did you mean 'my_db'?"},
      {"[database.main_replica]\n", "declare replicas as [[database.NAME.replica]]"},
      {"database = 3\n", "database is a table, not a whole number"},
      {"[database]\nmain = 3\n", "database.main is a table, not a whole number"},
      {"[database.main]\npool = 3\n", "database.main.pool is a table, not a whole number"},
      {"[database.main.pool]\nmin = \"five\"\n",
       "database.main.pool.min must be a whole number, not a text 'five'"},
      {"[database.main.pool]\nmin = 1.5\n", "fleet.toml:2:7: database.main.pool.min must be a whole number"},
      {"[database.main.pool]\nmin = -5\n", "fleet.toml:2:7: database.main.pool.min: '-5' is negative"},
      {"[database.main.pool]\nmax = 0\n", "'0' is out of range (expected a whole number from 1 to 100000)"},
      {"[database.main.pool]\nmax = 99999999999\n", "'99999999999' is out of range"},
      {"[database.main.pool]\nmin = 7\nmax = 6\n",
       "database.main.pool.min = 7 (fleet.toml:2:7) is above database.main.pool.max = 6 (fleet.toml:3:7)"},
      {"[database.main.pool]\nacquire_timeout = 30\n", "a duration in quotes with a unit, such as \"30s\""},
      {"[database.main.pool]\nacquire_timeout = \"30\"\n", "'30' is not a duration"},
      {"[database.main.pool]\nacquire_timeout = \"-3s\"\n", "'-3s' is negative"},
      {"[database.main]\nread_only = \"yes\"\n", "database.main.read_only must be true or false, not a text 'yes'"},
      {"[database.main]\nwhen_down = \"spol\"\n",
       "'spol' is not one of fail, read-fallback, spool (did you mean 'spool'?)"},
      {"[database.main]\nwhen_unconfigured = \"mian\"\n", "unknown database 'mian' (did you mean 'main'?"},
      {"[database.a]\nwhen_unconfigured = \"b\"\n[database.b]\nwhen_unconfigured = \"a\"\n", "in a circle"},
      {"[database.a]\nwhen_down = \"spool\"\nfallback = \"a\"\n", "can't be its own fallback"},
      {"[server.erp]\nhost = \"h\"\n[database.a]\nserver = \"epr\"\n",
       "there is no [server.epr] (did you mean 'erp'?)"},
      {"[database.a]\nhost = \"h\"\nuser = \"x\"\nrole = \"y\"\n", "role and user mean the same"},
      {"[database.a]\nmax_result = \"10XB\"\n", "'10XB' is not a size"},
      {"[database.a.breaker]\nfailure_rate = 1.5\n", "'1.5' is out of range (expected a number from 0 to 1)"},
      {"[database.a.retry]\ninitial_delay = \"5s\"\n", "is above database.a.retry.max_delay = 2s"},
      {"[database.a]\n[[database.a.replica]]\nname = \"x\"\n[[database.a.replica]]\nname = \"x\"\n",
       "two replicas named 'x'"},
      {"[database.a]\nreplica = 3\n", "write [[database.a.replica]]"},
      {"[database.a]\n[[database.a.replica]]\nname = \"X y\"\n", "'X y' can't be the name of a replica"},
      {"[database.a]\n[database.a]\n", "fleet.toml:2:1: not TOML: "},
      {"[database.a\n", "fleet.toml:1:"},
      {"[database.a]\nschema = \"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"\n",
       "is longer than 63 bytes"},
      {"[http]\naddress = \"8420x\"\n[database.a]\n", "'8420x' is not an address (write HOST:PORT"},
      {"[fleet]\nworkers = 2\n", ""},  // no database declared: the environment's pair exists
  };
  for (const Mistake& mistake : mistakes) {
    if (mistake.message.empty()) continue;
    const std::string error = Load().file(std::string(mistake.file)).error();
    EXPECT_TRUE(contains(error, mistake.message)) << "file:\n" << mistake.file << "error: " << error;
  }
}

TEST(FleetFile, SeveralMistakesAreReportedTogether) {
  const std::string error =
      Load()
          .file("[fleet]\nworkrs = 3\n[database.main]\ndsn = 5\n[database.main.pool]\nmin = -1\nmx = 2\n")
          .error();
  EXPECT_TRUE(contains(error, "4 problems in the configuration:")) << error;
}

TEST(FleetFile, NoErrorShowsASecret) {
  for (const char* file :
       {"[database.a]\npassword = hunter2\n", "[database.a]\npassword = \"hunter2\n", "[database.a]\nhunter2\n",
        "[database.a]\ndsn = \"postgresql://u:hunter2@h:x/d\"\n", "[database.a]\ndsn = \"password=hunter2 x\"\n",
        "[database.a]\ndsn = postgresql://u:hunter2@h\n", "[database.a]\ndsn = [\"hunter2\"]\n",
        "[database.a]\npassword = \"\\qhunter2\"\n", "[database.a]\ndsn = \"${hunter2-}\"\n",
        "[database.a]\ndsn = \"postgresql://h/d\"\n[database.a.pool]\nmax = \"${SECRET}\"\n",
        "[database.a]\ndsn = \"postgresql://u:hunter2@h/d?sslmode=x\"\n"}) {
    const std::string error = Load().file(file).env({{"SECRET", "hunter2"}}).error();
    EXPECT_FALSE(contains(error, "hunter2")) << error;
  }
}

TEST(FleetFile, AliasesOfTopicsMayHoldDots) {
  const FleetConfig fleet = Load()
                                .file(
                                    "[channels]\norder-events = \"commerce.orders\"\n"
                                    "\"crm.customer-updates\" = \"crm.customers\"\n[database.a]\n")
                                .ok();
  EXPECT_EQ(*fleet.channels.at("order-events"), "commerce.orders");
  EXPECT_EQ(*fleet.channels.at("crm.customer-updates"), "crm.customers");
}

TEST(FleetFile, DatabasesKeepTheOrderOfTheFile) {
  const FleetConfig fleet = Load().file("[database.z]\n[database.main]\n[database.a]\n").ok();
  ASSERT_EQ(fleet.databases.size(), 3u);
  EXPECT_EQ(fleet.databases[0].name, "z");
  EXPECT_EQ(fleet.databases[2].name, "a");
}

TEST(FleetFile, AMissingFileIsAnError) {
  Load load;
  load.sources.file = load.folder.path() + "/missing.toml";
  EXPECT_TRUE(contains(load.error(), "can't read"));
}

// ---- budget
// -------------------------------------------------------------------------------------------------------

TEST(Budget, DefaultsShrinkToFitAndSettingsDoNot) {
  const Variables variables = {{"POSTGRES_DSN", kMainDsn}, {"POSTGRES_REFERENCE_DSN", kReferenceDsn}};
  const FleetConfig fleet =
      Load().env(variables).command_line("fleet.workers", "4").command_line("fleet.connection_budget", "120").ok();
  EXPECT_EQ(db(fleet, "main").pool.max, 20u);
  EXPECT_EQ(db(fleet, "reference").pool.max, 10u);
  EXPECT_EQ(sizing(fleet).primaries, 120u);
  EXPECT_TRUE(contains(db(fleet, "main").pool.max.origin.to_string(), "connection_budget 120"));
  Variables set = variables;
  set["PG_POOL_MAX_SIZE"] = "100";
  const std::string expected = "120 is too small: 4 workers x (main 100 + reference 50) = 600 connections";
  Load apart;
  apart.env(set).command_line("fleet.workers", "4").command_line("fleet.connection_budget", "120");
  EXPECT_TRUE(contains(apart.command_line("fleet.share_budget", "false").error(), expected));
  const FleetConfig shared =
      Load().env(set).command_line("fleet.workers", "4").command_line("fleet.connection_budget", "120").ok();
  EXPECT_EQ(db(shared, "main").pool.max, 100u);
  ASSERT_EQ(shared.warnings.size(), 1u);
  EXPECT_TRUE(contains(shared.warnings[0], expected));
}

TEST(Budget, MoreWorkersThanConnectionsTakeTurns) {
  const FleetConfig fleet = Load()
                                .env({{"POSTGRES_DSN", kMainDsn}})
                                .code("fleet.workers", "100")
                                .code("fleet.connection_budget", "60")
                                .ok();
  EXPECT_GE(db(fleet, "main").pool.max, 1u);
  EXPECT_EQ(fleet.warnings.size(), 1u);
}

TEST(Budget, TinyBudgetsAreNeverExceeded) {
  for (int budget = 3; budget < 40; ++budget) {
    const FleetConfig fleet = Load()
                                  .env({{"POSTGRES_DSN", kMainDsn},
                                        {"POSTGRES_REFERENCE_DSN", kReferenceDsn},
                                        {"POSTGRES_ANALYTICS_DSN", kThirdDsn}})
                                  .code("fleet.connection_budget", std::to_string(budget))
                                  .ok();
    EXPECT_LE(sizing(fleet).primaries, static_cast<std::uint64_t>(budget));
    for (const DatabaseConfig& d : fleet.databases) EXPECT_LE(d.pool.min, d.pool.max);
  }
}

// ---- messages
// -----------------------------------------------------------------------------------------------------

TEST(Messages, AreLiteral) {
  EXPECT_EQ(pool_initialized_message("main"), "[STARTUP] Main database pool initialized");
  EXPECT_EQ(pool_initialized_message("reference"), "[STARTUP] Reference database pool initialized");
  const FleetConfig wellwon = Load().ok();
  EXPECT_EQ(db(wellwon, "main").missing_dsn_message,
            "DSN not configured for database 'main'. Set POSTGRES_DSN in environment.");
  const FleetConfig parafort = Load().env({{"ANALYTICS_DATABASE_URL", "postgresql://h/d"}}).ok();
  EXPECT_EQ(db(parafort, "main").missing_dsn_message,
            "DSN not configured for database 'main'. Set DATABASE_URL in environment.");
}

TEST(Messages, TheSettingToChangeIsNamedInTheSpellingInUse) {
  const FleetConfig wellwon = Load().env({{"POSTGRES_DSN", kMainDsn}}).ok();
  EXPECT_EQ(db(wellwon, "reference").pool.max_setting, "PG_REFERENCE_POOL_MAX_SIZE");
  EXPECT_EQ(db(wellwon, "main").pool.max_setting, "PG_POOL_MAX_SIZE");
  EXPECT_EQ(db(wellwon, "main").pool.acquire_timeout_setting, "PG_POOL_TIMEOUT_SEC");
  const FleetConfig parafort = Load().env({{"DATABASE_URL", kMainDsn}}).ok();
  EXPECT_EQ(db(parafort, "analytics").pool.max_setting, "database.analytics.pool.max");
  const FleetConfig file = Load().file("[database.main]\ndsn = \"${POSTGRES_DSN}\"\npool = { max = 30 }\n").ok();
  EXPECT_EQ(db(file, "main").pool.max_setting, "database.main.pool.max");
}

// ---- relocation
// ---------------------------------------------------------------------------------------------------

TEST(Relocate, KeepsRoleSchemaAndApplicationName) {
  FleetConfig fleet = Load()
                          .file(
                              "[server.erp]\ndsn = \"${ERP_DSN}\"\n[database.commerce]\nserver = \"erp\"\n"
                              "schema = \"commerce_schema\"\nrole = \"commerce_user\"\n"
                              "[[database.commerce.replica]]\nname = \"api\"\n")
                          .ok();
  DatabaseConfig& commerce = *fleet.find("commerce");
  ASSERT_FALSE(commerce.configured());
  ASSERT_TRUE(
      relocate(fleet, commerce, "postgresql://postgres@/chiro_erp?host=/tmp/x&port=6000", "private cluster").ok());
  EXPECT_TRUE(commerce.configured());
  const ConnectionOptions& connection = commerce.primary.connection;
  EXPECT_EQ(connection.user, "commerce_user");
  EXPECT_EQ(connection.hosts[0].socket_path(), "/tmp/x/.s.PGSQL.6000");
  EXPECT_EQ(connection.settings[0].second, "commerce_schema");
  EXPECT_EQ(connection.application_name, "switchyard-commerce");
  EXPECT_EQ(commerce.primary.dsn.origin.to_string(), "code private cluster");
  ReplicaConfig& replica = commerce.replicas[0];
  ASSERT_TRUE(relocate(fleet, commerce, replica, "postgresql:///?host=/tmp/x&port=6001", "private cluster").ok());
  EXPECT_EQ(replica.endpoint.connection.user, "commerce_user");
  EXPECT_EQ(replica.endpoint.connection.dbname, "chiro_erp");
  EXPECT_FALSE(relocate(fleet, commerce, "postgresql://h:x/", "broken").ok());
}

}  // namespace
}  // namespace switchyard
