// Provisioning of real servers.
#include <switchyard/embedded/postgres_binaries.hpp>
#include <switchyard/provision/audit.hpp>
#include <switchyard/provision/rotation.hpp>

#include <tests/support/provisioned_server.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <sys/stat.h>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace switchyard::provision::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// One server for all tests of a kind: a second apply costs nothing.
class ChiroErp : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server = std::make_unique<Server>();
    server->execute("CREATE DATABASE elsewhere");
    server->execute("REVOKE CONNECT ON DATABASE elsewhere FROM PUBLIC");
    fleet = std::make_unique<FleetConfig>(server->config(kChiroErp + kWellWon));
    first = run_apply(*fleet);
  }
  static void TearDownTestSuite() {
    fleet.reset();
    server.reset();
    first.clear();
  }
  static inline std::unique_ptr<Server> server;
  static inline std::unique_ptr<FleetConfig> fleet;
  static inline std::vector<ServerReport> first;
};

TEST_F(ChiroErp, IsMadeOnceAndThenThereIsNothingToDo) {
  ASSERT_EQ(error_of(first), "");
  ASSERT_EQ(first.size(), 1U);
  EXPECT_THAT(texts(first[0].held_back), IsEmpty());
  EXPECT_THAT(texts(first[0].done), Contains("CREATE DATABASE chiro_erp"));
  const auto plan_again = run_plan(*fleet);
  EXPECT_THAT(texts(plan_again[0].plan.steps), IsEmpty());
  EXPECT_THAT(plan_again[0].plan.notes, IsEmpty());
  EXPECT_THAT(texts(run_apply(*fleet)[0].done), IsEmpty());
  EXPECT_EQ(
      server->value(
          "SELECT string_agg(nspname || ' ' || nspowner::regrole, ', ' ORDER BY nspname) FROM pg_namespace "
          "WHERE nspname LIKE '%_schema' AND nspname <> 'information_schema'",
          "chiro_erp"),
      "analytics_schema analytics_user, commerce_schema commerce_user, core_schema core_user, crm_schema crm_user, "
      "finance_schema finance_user, logistics_schema logistics_user, operations_schema operations_user, "
      "supply_schema supply_user");
}

TEST_F(ChiroErp, PasswordsAreFilesAndVerifiers) {
  struct stat status{};
  ASSERT_EQ(::stat(server->secret("commerce_user").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(
      server->value(
          "SELECT count(*) FROM pg_authid WHERE rolname LIKE '%_user' AND rolpassword LIKE 'SCRAM-SHA-256$%'"),
      "8");
  EXPECT_EQ(server->as("commerce_user", "chiro_erp").run("SELECT 1"), "");
  EXPECT_EQ(Login("commerce_user", Secret("wrong"), server->port(), "chiro_erp").run("SELECT 1"), "28P01");
  for (const ServerReport& report : first) {
    for (const Step& step : report.done) EXPECT_THAT(step.text(), Not(HasSubstr("SCRAM-SHA-256$")));
  }
}

TEST_F(ChiroErp, SettingsAreTheFleetFiles) {
  EXPECT_EQ(server->value(
                "SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c WHERE setrole = "
                "'commerce_user'::regrole"),
            "search_path=commerce_schema statement_timeout=60000ms");
  EXPECT_EQ(server->value("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'commerce_user'"), "50");
}

struct Case {
  int line = 0;
  std::string role, database, sql, expected;
  bool allowed = false;
};

std::vector<Case> cases() {
  std::ifstream file(std::string(SWITCHYARD_SOURCE_DIR) + "/switchyard/provision/testdata/forbidden.txt");
  std::vector<Case> out;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    Case one{number, {}, "chiro_erp", {}, {}, false};
    if (line.starts_with("allowed ")) {
      one.allowed = true;
      line.erase(0, 8);
    }
    const std::size_t colon = line.find(": ");
    one.role = line.substr(0, colon);
    if (const std::size_t at = one.role.find('@'); at != std::string::npos) {
      one.database = one.role.substr(at + 1);
      one.role.resize(at);
    }
    one.sql = line.substr(colon + 2);
    if (const std::size_t arrow = one.sql.rfind(" => "); arrow != std::string::npos && !one.allowed) {
      one.expected = one.sql.substr(arrow + 4);
      one.sql.resize(arrow);
    }
    out.push_back(std::move(one));
  }
  return out;
}

constexpr std::array<const char*, 8> kServices{"analytics", "commerce",  "core",       "crm",
                                               "finance",   "logistics", "operations", "supply"};
/// In each schema, as its role: what others may not touch, and what one tries it with.
constexpr const char* kOwnThings =
    "CREATE TABLE accounts (id int PRIMARY KEY); INSERT INTO accounts SELECT generate_series(1, 100); ANALYZE "
    "accounts;"
    " CREATE SEQUENCE accounts_seq; SELECT nextval('accounts_seq'); CREATE VIEW totals AS SELECT count(*) FROM "
    "accounts;"
    " CREATE DOMAIN amount AS int; CREATE FUNCTION secret() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;"
    " CREATE FUNCTION definer_secret() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$SELECT 'x'$$;"
    " CREATE TABLE orders (id int); CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN "
    "NULL; END$$;"
    " CREATE FUNCTION event() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$";

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

/// What commerce_user may not do to finance, as another role does it to its neighbour.
std::string as_service(std::string sql, std::size_t service) {
  replace_all(sql, "finance_", "\x01");
  replace_all(sql, "commerce_", std::string(kServices[service]) + "_");
  replace_all(sql, "\x01", std::string(kServices[(service + 1) % kServices.size()]) + "_");
  return sql;
}

void expect_state(const Case& one, const std::string& role, const std::string& sql, const std::string& state) {
  if (one.allowed) {
    EXPECT_EQ(state, "") << "forbidden.txt:" << one.line << " " << role << ": " << sql;
  } else {
    EXPECT_THAT(one.expected, HasSubstr(state.empty() ? "(it succeeded)" : state))
        << "forbidden.txt:" << one.line << " " << role << ": " << sql;
  }
}

TEST_F(ChiroErp, RolesDoWhatTheyAreThereForAndNothingElse) {
  ASSERT_EQ(error_of(first), "");
  server->execute("CREATE TABLE left_there (id int); SELECT lo_from_bytea(77777, 'secret')", "chiro_erp");
  for (const char* service : kServices) {
    ASSERT_EQ(server->as(std::string(service) + "_user", "chiro_erp").run(kOwnThings), "") << service;
  }
  const auto all = cases();
  ASSERT_GT(all.size(), 300U);
  const std::jthread busy([] {
    const std::string ended =
        server->as("wellwon", "wellwon").run("SET statement_timeout = 0; SELECT 'finance secret', pg_sleep(600)");
    EXPECT_EQ(ended, "57P01");
  });
  std::string pid;
  while (pid.empty()) {
    pid = server->value(
        "SELECT coalesce(max(pid)::text, '') FROM pg_stat_activity WHERE usename = 'wellwon' AND state = "
        "'active' AND "
        "query LIKE '%finance secret%'");
  }
  for (const Case& one : all) {
    if (one.role == "commerce_user" && one.database == "chiro_erp") continue;
    expect_state(one, one.role, one.sql, server->as(one.role, one.database).run(one.sql));
  }
  for (std::size_t service = 0; service < kServices.size(); ++service) {
    std::vector<const Case*> tried;
    std::vector<std::string> statements;
    for (const Case& one : all) {
      if (one.role != "commerce_user" || one.database != "chiro_erp") continue;
      tried.push_back(&one);
      statements.push_back(as_service(one.sql, service));
      replace_all(statements.back(), "$PID", pid);
    }
    const std::string role = std::string(kServices[service]) + "_user";
    const auto states = server->as(role, "chiro_erp").run_each(statements);
    for (std::size_t i = 0; i < tried.size(); ++i) expect_state(*tried[i], role, statements[i], states[i]);
  }
  server->execute("SELECT pg_terminate_backend(" + pid + ")");
  server->execute("DROP TABLE left_there; SELECT lo_unlink(77777)", "chiro_erp");
  for (const char* service : kServices) {
    EXPECT_EQ(server->as(std::string(service) + "_user", "chiro_erp")
                  .run("DROP TABLE accounts, orders CASCADE; DROP SEQUENCE accounts_seq; DROP DOMAIN amount;"
                       " DROP FUNCTION secret, definer_secret, noted, event"),
              "");
  }
  EXPECT_THAT(texts(run_plan(*fleet)[0].plan.steps), IsEmpty());
}

TEST_F(ChiroErp, WhatARoleMaySetForItselfIsSetBack) {
  const Login crm = server->as("crm_user", "chiro_erp");
  ASSERT_EQ(crm.run("CREATE TABLE leads (id int); ALTER ROLE crm_user SET search_path = finance_schema"), "");
  EXPECT_EQ(crm.run("SELECT * FROM leads"), "") << "what the plan sets in the database is stronger";
  ASSERT_EQ(crm.run("ALTER ROLE crm_user IN DATABASE chiro_erp SET search_path = finance_schema"), "");
  EXPECT_EQ(crm.run("SELECT * FROM leads"), "42P01");
  EXPECT_THAT(texts(run_plan(*fleet)[0].plan.steps), Contains(HasSubstr("search_path")));
  ASSERT_EQ(error_of(run_apply(*fleet)), "");
  EXPECT_THAT(texts(run_plan(*fleet)[0].plan.steps), IsEmpty());
  EXPECT_EQ(crm.run("DROP TABLE leads; ALTER ROLE crm_user RESET search_path"), "");
}

TEST_F(ChiroErp, AReadOnlyRoleLogsInAndReadsWhatIsMadeLater) {
  EXPECT_EQ(server->as("wellwon", "wellwon_reference").run("CREATE TABLE early (id int)"), "");
  EXPECT_EQ(server->as("wellwon_reference_readonly", "wellwon_reference").run("SELECT * FROM early"), "");
  EXPECT_EQ(server->as("wellwon_reference_readonly", "wellwon_reference").run("INSERT INTO early VALUES (1)"),
            "25006");
  EXPECT_EQ(server->as("wellwon_reference_readonly", "wellwon_reference")
                .run("SET TRANSACTION READ WRITE; INSERT INTO early VALUES (1)"),
            "42501");
  EXPECT_EQ(server->as("wellwon_reference_readonly", "wellwon_reference").run("CREATE TABLE mine (id int)"),
            "25006");
  EXPECT_EQ(server->as("wellwon_reference_readonly", "wellwon").run("SELECT 1"), "42501");
}

TEST_F(ChiroErp, WhatIsBeyondThePlanIsFoundAndTakenAwayOnlyWhenConfirmed) {
  server->execute(
      "GRANT CREATE ON DATABASE chiro_erp TO crm_user; ALTER ROLE crm_user CREATEROLE; GRANT core_user TO "
      "crm_user; "
      "ALTER ROLE crm_user IN DATABASE chiro_erp SET search_path = public");
  server->execute("GRANT USAGE ON SCHEMA core_schema TO crm_user; GRANT CREATE ON SCHEMA public TO crm_user",
                  "chiro_erp");
  const auto report = run_apply(*fleet);
  EXPECT_EQ(error_of(report), "");
  EXPECT_THAT(texts(report[0].done),
              ElementsAre("ALTER ROLE crm_user IN DATABASE chiro_erp SET search_path = crm_schema"));
  EXPECT_THAT(texts(report[0].held_back),
              ::testing::UnorderedElementsAre("ALTER ROLE crm_user NOCREATEROLE", "REVOKE core_user FROM crm_user",
                                              "REVOKE CREATE ON DATABASE chiro_erp FROM crm_user CASCADE",
                                              "REVOKE USAGE ON SCHEMA core_schema FROM crm_user CASCADE",
                                              "REVOKE CREATE ON SCHEMA public FROM crm_user CASCADE"));
  ProvisionOptions options;
  options.confirm = true;
  EXPECT_EQ(error_of(run_apply(*fleet, options)), "");
  EXPECT_THAT(texts(run_plan(*fleet)[0].plan.steps), IsEmpty());
}

TEST_F(ChiroErp, RotationChangesThePasswordAndFinishesWhatWasBegun) {
  const Secret before = *kept_password(server->secret("crm_user"));
  RotationOptions options;
  options.roles = {"crm_user"};
  const auto go = [&] {
    runtime::Shard shard;
    return shard.run_until_complete(rotate(*fleet, options));
  };
  const auto done = go();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_FALSE(done[0].error) << done[0].error->what();
  EXPECT_NE(*kept_password(server->secret("crm_user")), before);
  EXPECT_EQ(server->as("crm_user", "chiro_erp").run("SELECT 1"), "");
  EXPECT_EQ(Login("crm_user", before, server->port(), "chiro_erp").run("SELECT 1"), "28P01");
  // Killed after the proposal.
  const Secret proposed = propose_password(server->secret("crm_user")).value_or_throw();
  EXPECT_THAT(texts(run_plan(*fleet)[0].plan.steps), IsEmpty());
  EXPECT_TRUE(go()[0].finished_earlier);
  EXPECT_EQ(*kept_password(server->secret("crm_user")), proposed);
  EXPECT_EQ(server->as("crm_user", "chiro_erp").run("SELECT 1"), "");
  options.roles = {"crm_usr"};
  try {
    go();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("crm_user"));
  }
}

/// Inserts row by row until it is over, with sessions that live for moments.
Task<void> write_on(FleetConfig config, const std::atomic<bool>& over, std::atomic<int>& written,
                    std::string& error) {
  DatabaseConfig& database = *config.find("logistics");
  database.pool.min = 0U;
  database.pool.max_lifetime = Duration(std::chrono::milliseconds(20));
  auto opened = Fleet::open(config).value_or_throw();
  while (!over && error.empty()) {
    auto done = co_await as_result([](Fleet& own) -> Task<void> {
      co_await own.database("logistics").value_or_throw().execute("INSERT INTO work VALUES (1)");
    }(*opened));
    if (done.ok()) ++written;
    if (!done.ok()) error = done.error().what();
  }
  co_await opened->close();
}

TEST_F(ChiroErp, AFleetWritesOnWhileItsPasswordsChange) {
  ASSERT_EQ(server->as("logistics_user", "chiro_erp").run("CREATE TABLE work (id int)"), "");
  std::atomic<bool> over = false;
  std::atomic<int> written = 0;
  std::string error;
  // The configuration was read before there was any password: sessions find it where it is kept.
  std::jthread writer([&] {
    runtime::Shard shard;
    shard.run_until_complete(write_on(*fleet, over, written, error));
    over = true;
  });
  RotationOptions options;
  options.roles = {"logistics_user"};
  for (int turn = 0; turn < 4 && !over; ++turn) {
    for (const int before = written; written < before + 10 && !over;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    runtime::Shard shard;
    const auto done = shard.run_until_complete(rotate(*fleet, options));
    EXPECT_FALSE(done[0].error) << done[0].error->what();
  }
  over = true;
  writer.join();
  EXPECT_EQ(error, "");
  EXPECT_EQ(server->value("SELECT count(*) FROM logistics_schema.work", "chiro_erp"), std::to_string(written));
  EXPECT_EQ(server->as("logistics_user", "chiro_erp").run("DROP TABLE work"), "");
}

TEST_F(ChiroErp, ADatabaseThatLeftTheFleetFileIsDroppedOnlyWhenConfirmedAndEmpty) {
  std::string text = kChiroErp + kWellWon;
  const std::size_t at = text.find("[database.supply]");
  text.erase(at, text.find("[database.main]") - at);
  const FleetConfig smaller = server->config(text);
  EXPECT_EQ(server->as("supply_user", "chiro_erp").run("CREATE TABLE stock (id int)"), "");
  auto report = run_apply(smaller);
  EXPECT_EQ(error_of(report), "");
  EXPECT_THAT(texts(report[0].held_back), Not(Contains("DROP SCHEMA supply_schema")));
  EXPECT_EQ(server->as("supply_user", "chiro_erp").run("DROP TABLE stock"), "");
  report = run_apply(smaller);
  EXPECT_THAT(texts(report[0].held_back), Contains("DROP SCHEMA supply_schema"));
  EXPECT_THAT(texts(report[0].held_back), Contains("DROP ROLE supply_user"));
  ProvisionOptions options;
  options.confirm = true;
  EXPECT_EQ(error_of(run_apply(smaller, options)), "");
  EXPECT_EQ(server->value("SELECT count(*) FROM pg_roles WHERE rolname = 'supply_user'"), "0");
  EXPECT_THAT(texts(run_plan(smaller)[0].plan.steps), IsEmpty());
  EXPECT_EQ(error_of(run_apply(*fleet)), "");
  EXPECT_EQ(server->as("supply_user", "chiro_erp").run("CREATE TABLE stock (id int); DROP TABLE stock"), "");
}

/// The documents' own statements, and what is wrong with them.
TEST(Audit, FindsWhatTheDocumentsSnippetsLeave) {
  const Server server;
  server.execute("CREATE DATABASE wellwon");
  server.execute("CREATE DATABASE wellwon_reference");
  server.execute(
      "CREATE ROLE wellwon LOGIN PASSWORD 'x'; "
      "GRANT ALL PRIVILEGES ON DATABASE wellwon_reference TO wellwon; CREATE ROLE wellwon_reference_readonly; "
      "GRANT CONNECT ON DATABASE wellwon_reference TO wellwon_reference_readonly; CREATE ROLE commerce_user LOGIN; "
      "REVOKE ALL ON DATABASE wellwon FROM commerce_user");
  server.execute(
      "CREATE TABLE dc_customs (code text); GRANT SELECT ON ALL TABLES IN SCHEMA public TO "
      "wellwon_reference_readonly; "
      "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (id int PRIMARY KEY); CREATE TABLE b.t (id int "
      "REFERENCES a.t); "
      "CREATE VIEW b.v AS SELECT * FROM a.t; CREATE FUNCTION a.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS "
      "'SELECT 1'; "
      "GRANT SELECT (id) ON a.t TO commerce_user; GRANT pg_read_all_data TO commerce_user; CREATE ROLE boss "
      "SUPERUSER LOGIN",
      "wellwon_reference");
  const FleetConfig fleet = server.config(kWellWon);
  const auto found = [&] {
    const auto reports = run_plan(fleet);
    EXPECT_EQ(error_of(reports), "");
    const auto servers = desired_servers(fleet).value_or_throw();
    std::set<std::string> rules;
    for (const AuditFinding& one : audit(servers[0], reports[0].image, reports[0].plan)) {
      rules.insert(one.rule + " " + one.object);
    }
    return rules;
  };
  const auto before = found();
  for (const char* rule :
       {"database-grant-alone wellwon", "later-tables public", "cannot-log-in wellwon_reference_readonly",
        "public-connect wellwon", "cross-schema-key b.t.t_id_fkey", "cross-schema-view b.v",
        "security-definer a.f()", "column-grant a.t.id", "predefined-role commerce_user", "powerful-role boss"}) {
    EXPECT_THAT(before, Contains(rule));
  }
  ProvisionOptions options;
  options.confirm = true;
  EXPECT_EQ(error_of(run_apply(fleet, options)), "");
  const auto after = found();
  for (const char* rule :
       {"database-grant-alone wellwon", "later-tables public", "cannot-log-in wellwon_reference_readonly",
        "public-connect wellwon", "public-connect wellwon_reference"}) {
    EXPECT_THAT(after, Not(Contains(rule)));
  }
  EXPECT_THAT(after, Contains("powerful-role boss"));
}

TEST(Tls, IsAskedForByTheServerOnceItsFileSaysSo) {
  if (!embedded::find_postgres(embedded::test_options().binaries).value_or_throw().has_tls)
    GTEST_SKIP() << "the server is built without TLS";
  const switchyard::testing::TempFolder folder;
  switchyard::testing::TlsAuthority authority(folder, "authority");
  const auto files = authority.issue("server");
  const Server server(embedded::ServerTls{
      .certificate_file = files.certificate, .key_file = files.key, .ca_file = {}, .crl_file = {}});
  const FleetConfig fleet =
      server.config("[database.main]\ndsn = \"postgresql://app@127.0.0.1:$PORT/main?sslmode=require\"\n");
  const auto hba = server.value("SHOW hba_file");
  ProvisionOptions options;
  ASSERT_EQ(error_of(run_apply(fleet, options)), "");
  const auto login = [&](const char* sslmode) {
    return Login("app", *kept_password(server.secret("app")), server.port(), "main", sslmode).run("SELECT 1");
  };
  EXPECT_EQ(login("disable"), "");
  std::ofstream(hba, std::ios::app) << "host\tall all\t10.0.0.0/8 scram-sha-256\n";
  EXPECT_THAT(run_plan(fleet)[0].plan.hba_lines, ElementsAre("hostnossl \"main\" \"app\" all reject"));
  options.write_hba = true;
  const auto report = run_apply(fleet, options);
  EXPECT_EQ(error_of(report), "");
  EXPECT_TRUE(report[0].hba_written);
  EXPECT_TRUE(switchyard::testing::wait_until([&] { return login("disable") == "28000"; }));
  EXPECT_EQ(login("require"), "");
  EXPECT_THAT(run_plan(fleet)[0].plan.notes, IsEmpty());
  EXPECT_FALSE(run_apply(fleet, options)[0].hba_written);
}

TEST(RoleFamily, KeepsOwnersApplicationsAndReadersApart) {
  const Server server;
  const FleetConfig fleet = server.config(R"(
[fleet]
application = "erp"
roles = "family"
[server.erp]
host = "127.0.0.1"
port = $PORT
dbname = "chiro_erp"
options = { sslmode = "disable" }
[database.commerce]
server = "erp"
schema = "commerce_schema"
[database.compliance]
server = "erp"
schema = "compliance_schema"
)");
  EXPECT_EQ(fleet.find("commerce")->primary.connection.user, "commerce_app");
  const auto reports = run_apply(fleet);
  ASSERT_EQ(error_of(reports), "");
  EXPECT_THAT(texts(run_plan(fleet)[0].plan.steps), IsEmpty());
  const auto as = [&](const std::string& role) { return server.as(role, "chiro_erp"); };
  EXPECT_EQ(as("commerce_migrator")
                .run("CREATE TABLE orders (id serial PRIMARY KEY, note text); CREATE FUNCTION f() RETURNS int "
                     "LANGUAGE sql AS 'SELECT 1'"),
            "");
  EXPECT_EQ(server.value("SELECT relowner::regrole FROM pg_class WHERE relname = 'orders'", "chiro_erp"),
            "commerce_owner");
  EXPECT_EQ(as("commerce_app")
                .run("INSERT INTO orders (note) VALUES ('x'); UPDATE orders SET note = 'y'; SELECT f(); DELETE "
                     "FROM orders"),
            "");
  EXPECT_EQ(as("commerce_app").run("CREATE TABLE mine (id int)"), "42501");
  EXPECT_EQ(as("commerce_app").run("DROP TABLE orders"), "42501");
  EXPECT_EQ(as("commerce_app").run("TRUNCATE orders"), "42501");
  EXPECT_EQ(as("commerce_app").run("ALTER TABLE orders ADD x int"), "42501");
  EXPECT_EQ(as("commerce_app").run("GRANT TRUNCATE ON orders TO compliance_app"),
            "");  // a warning: nothing is granted
  EXPECT_EQ(as("commerce_app").run("DROP SCHEMA commerce_schema"), "42501");
  EXPECT_EQ(as("commerce_app").run("SET ROLE commerce_owner"), "42501");
  EXPECT_EQ(as("commerce_ro").run("SELECT * FROM orders"), "");
  EXPECT_EQ(as("commerce_ro").run("SET TRANSACTION READ WRITE; DELETE FROM orders"), "42501");
  EXPECT_EQ(as("compliance_app").run("SELECT * FROM commerce_schema.orders"), "42501");
  EXPECT_EQ(as("commerce_migrator").run("SET ROLE compliance_owner"), "42501");
  EXPECT_EQ(as("erp_monitor").run("SELECT * FROM pg_stat_activity"), "");
  EXPECT_EQ(as("erp_monitor").run("SELECT * FROM commerce_schema.orders"), "42501");
  EXPECT_EQ(Login("commerce_owner", Secret("x"), server.port(), "chiro_erp").run("SELECT 1"), "28P01");
  EXPECT_THAT(texts(run_plan(fleet)[0].plan.steps), IsEmpty());
  // What compliance's roles do is in the server's log, and they can't end that.
  EXPECT_EQ(
      server.value("SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) c WHERE c = 'log_statement=all'"),
      "3");
  EXPECT_EQ(as("compliance_app").run("ALTER ROLE compliance_app IN DATABASE chiro_erp RESET ALL"), "");
  EXPECT_EQ(
      server.value("SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) c WHERE c = 'log_statement=all'"),
      "3");
}

/// As managed servers give it: no superuser.
constexpr const char* kDba = "CREATE ROLE dba LOGIN CREATEROLE CREATEDB PASSWORD 'administrator'";

TEST(NoSuperuser, MakesEverythingThatIsNotThere) {
  const Server server;
  server.execute(kDba);
  const FleetConfig fleet = server.config(kChiroErp + kWellWon, "admin_user = \"dba\"\n");
  const auto done = run_apply(fleet);
  ASSERT_EQ(error_of(done), "");
  EXPECT_THAT(texts(done[0].held_back), IsEmpty());
  EXPECT_THAT(texts(run_plan(fleet)[0].plan.steps), IsEmpty());
  EXPECT_EQ(server.as("commerce_user", "chiro_erp").run("CREATE TABLE orders (id int)"), "");
  EXPECT_EQ(server.as("commerce_user", "chiro_erp").run("CREATE TABLE crm_schema.orders (id int)"), "42501");
  EXPECT_EQ(server.as("wellwon", "wellwon").run("CREATE TABLE users (id int)"), "");
  EXPECT_EQ(server.as("wellwon_reference_readonly", "wellwon_reference").run("CREATE TABLE t (id int)"), "25006");
  EXPECT_EQ(
      server.value("SELECT schemaname || ' ' || tableowner FROM pg_tables WHERE tablename = 'orders'", "chiro_erp"),
      "commerce_schema commerce_user");
}

TEST(NoSuperuser, SaysWhatItLacksBeforeAnythingIsDone) {
  const Server server;
  server.execute("CREATE ROLE dba LOGIN CREATEROLE PASSWORD 'administrator'");
  server.execute("CREATE ROLE commerce_user LOGIN");
  server.execute("CREATE DATABASE wellwon");
  const FleetConfig fleet = server.config(kChiroErp + kWellWon, "admin_user = \"dba\"\n");
  const std::string said = error_of(run_apply(fleet));
  EXPECT_THAT(said, HasSubstr("dba may not make databases: ALTER ROLE \"dba\" CREATEDB"));
  EXPECT_THAT(said, HasSubstr("ALTER DATABASE \"wellwon\" OWNER TO \"dba\""));
  const bool grants_have_options =
      server.value("SELECT current_setting('server_version_num')::int >= 160000") == "t";
  const std::string grant = "GRANT commerce_user TO \"dba\" WITH ADMIN OPTION";
  EXPECT_EQ(said.find(grant) != std::string::npos, grants_have_options) << said;
  EXPECT_EQ(server.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE '%_user'"), "1");
  EXPECT_THAT(run_plan(fleet)[0].plan.notes, Contains(HasSubstr("CREATEDB")));
  server.execute("ALTER ROLE dba CREATEDB; ALTER DATABASE wellwon OWNER TO dba");
  if (grants_have_options) server.execute(grant);
  EXPECT_EQ(error_of(run_apply(fleet)), "");
  EXPECT_THAT(texts(run_plan(fleet)[0].plan.steps), IsEmpty());
  server.execute("ALTER ROLE dba NOCREATEROLE; DROP ROLE IF EXISTS nobody");
  EXPECT_EQ(error_of(run_apply(fleet)), "") << "nothing is to be done";
}

}  // namespace
}  // namespace switchyard::provision::testing
