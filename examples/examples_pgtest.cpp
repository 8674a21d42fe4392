// The example programs, run as their users run them: as processes, with the environment variables and files that
// each application has, on real servers that ask for passwords.
#include <switchyard/embedded/test_cluster.hpp>
#include <tests/support/temp_folder.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace switchyard {
namespace {

using embedded::PrivateCluster;
using embedded::PrivateServer;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPassword = "pass-word:1";
constexpr const char* kPasswordInUri = "pass-word%3A1";
constexpr const char* kExamples = SWITCHYARD_SOURCE_DIR "/examples/";
constexpr const char* kPrograms = SWITCHYARD_BINARY_DIR "/bin/example_";
constexpr std::array kServices{"core",    "analytics", "commerce",   "crm",
                               "finance", "logistics", "operations", "supply"};

using Variables = std::map<std::string, std::string>;

struct Ended {
  int code = -1;
  std::string output;  ///< stdout and stderr
};

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The databases of all three applications on one server, with a streaming replica: shared by all tests.
class Servers {
 public:
  static Servers& get() {
    static Servers servers;
    return servers;
  }

  [[nodiscard]] PrivateServer& primary() { return cluster_->primary(); }
  /// postgresql://user:password@127.0.0.1:port/dbname, on the primary or the replica.
  [[nodiscard]] std::string dsn(const std::string& user, const std::string& dbname) {
    return uri(primary(), user, dbname);
  }
  [[nodiscard]] std::string replica_dsn(const std::string& user, const std::string& dbname) {
    replica_->catch_up(primary()).value_or_throw();
    return uri(*replica_, user, dbname);
  }
  /// 127.0.0.1:port
  [[nodiscard]] std::string address() { return address(primary()); }

 private:
  Servers() : cluster_(start()), replica_(cluster_->add_replica("replica").value_or_throw()) {
    role("wellwon");
    database("wellwon", "wellwon", {"wellwon/main.sql"});
    database("wellwon_reference", "wellwon", {"wellwon/reference.sql"});

    role("parafort");
    database("parafort_dev", "parafort",
             {"parafort/main.sql", "parafort/analytics.sql", "parafort/documents.sql", "parafort/compliance.sql"});
    for (const std::string name : {"main", "analytics", "documents", "compliance"}) {
      database("parafort_" + name, "parafort", {"parafort/" + name + ".sql"});
    }

    primary().create_database("chiro_erp").value_or_throw();
    for (const std::string service : kServices) {
      role(service + "_user");
      run("CREATE SCHEMA " + service + "_schema AUTHORIZATION " + service + "_user", "chiro_erp");
      run("SET ROLE " + service + "_user; SET search_path TO " + service + "_schema; " +
              file_text(kExamples + ("chiroerp/" + service + ".sql")),
          "chiro_erp");
    }
  }

  static std::unique_ptr<PrivateCluster> start() {
    embedded::ClusterOptions options = embedded::test_options();
    options.settings["max_connections"] = "200";
    return PrivateCluster::start(std::move(options)).value_or_throw();
  }
  static std::string address(PrivateServer& server) {
    const auto endpoint = server.tcp_endpoint().value_or_throw();
    return endpoint.host + ":" + std::to_string(endpoint.port);
  }
  static std::string uri(PrivateServer& server, const std::string& user, const std::string& dbname) {
    return "postgresql://" + user + ":" + kPasswordInUri + "@" + address(server) + "/" + dbname;
  }
  void role(const std::string& name) {
    primary().create_role(name, {.password = Secret(kPassword)}).value_or_throw();
  }
  void run(const std::string& sql, const std::string& dbname) {
    (void)primary().execute(sql, dbname).value_or_throw();
  }
  void database(const std::string& name, const std::string& owner, const std::vector<std::string>& seeds) {
    primary().create_database(name, {.owner = owner}).value_or_throw();
    for (const std::string& seed : seeds) run("SET ROLE " + owner + "; " + file_text(kExamples + seed), name);
  }

  std::unique_ptr<PrivateCluster> cluster_;
  PrivateServer* replica_;
};

/// A folder in which a program runs, with these variables and no others.
class ExamplesTest : public ::testing::Test {
 protected:
  Ended run(const std::string& program, Variables variables, std::vector<std::string> arguments = {}) {
    variables.try_emplace("HOME", folder.path().string());
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
    arguments.insert(arguments.begin(), kPrograms + program);
    return spawn(arguments, environment);
  }
  static std::string fleet_file(const std::string& name) { return kExamples + name; }

  Servers& servers = Servers::get();
  testing::TempFolder folder;

 private:
  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (std::string& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
  }
  Ended spawn(std::vector<std::string>& arguments, std::vector<std::string>& environment) {
    const std::string output = folder.file("output");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
    pid_t child = -1;
    const int failure = posix_spawn(&child, arguments[0].c_str(), &actions, nullptr, pointers(arguments).data(),
                                    pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failure, 0) << arguments[0];
    if (failure != 0) return {};
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, file_text(output)};
  }
};

void expect_lines(const Ended& ended, std::initializer_list<const char*> lines) {
  for (const char* line : lines) EXPECT_THAT("\n" + ended.output, HasSubstr("\n" + std::string(line)));
}

// WellWon

class WellwonTest : public ExamplesTest {
 protected:
  Variables variables() {
    return {{"POSTGRES_DSN", servers.dsn("wellwon", "wellwon")},
            {"POSTGRES_REFERENCE_DSN", servers.dsn("wellwon", "wellwon_reference")}};
  }
  /// What every variant prints.
  void expect_report(const Ended& ended) {
    EXPECT_EQ(ended.code, 0) << ended.output;
    const std::string prefix = "postgresql://wellwon:********@" + servers.address() + "/";
    EXPECT_THAT(ended.output, HasSubstr("  main       " + prefix + "wellwon"));
    EXPECT_THAT(ended.output, HasSubstr("  reference  " + prefix + "wellwon_reference"));
    EXPECT_THAT(ended.output, Not(HasSubstr(kPassword)));
    EXPECT_THAT(ended.output, Not(HasSubstr(kPasswordInUri)));
    expect_lines(ended, {
                            "[STARTUP] Main database pool initialized\n",
                            "[STARTUP] Reference database pool initialized\n",
                            "  user_accounts  user@example.com\n",
                            "  dc_customs     10702010\n",
                            "  form 1002007E  ДТС-1, fields [{\"name\": \"invoice\", \"type\": \"string\"}",
                            "  found office   10714000 Шереметьевская таможня\n",
                            "  declaration    Import\n",
                            "  declaration    Temporary export\n",
                            "  10702010/010325/0001  Московская таможня\n",
                            "  10714000/020325/0002  Шереметьевская таможня\n",
                            "  99999999/030325/0003  Unknown\n",
                            "  10000000  committed: both rows are there\n",
                            "  10000002  Kontur refused office 10000002\n",
                            "  10000002  rolled back: neither row is there\n",
                            "  database=main status=healthy pool_size=",
                            "  database=reference status=healthy pool_size=",
                        });
    EXPECT_EQ(
        servers.primary()
            .query_value("SELECT string_agg(code, ' ' ORDER BY code) FROM dc_customs WHERE code LIKE '1000000_'",
                         "wellwon_reference")
            .value_or_throw(),
        "10000000 10000001");
  }
};

TEST_F(WellwonTest, RunsFromItsTwoVariablesWithTheProfilesPools) {
  const Ended ended = run("wellwon", variables());
  expect_report(ended);
  expect_lines(ended, {"  main       20/100 sessions, maximum from default (profile wellwon)\n",
                       "  reference  10/50 sessions, maximum from default (profile wellwon)\n"});
}

TEST_F(WellwonTest, TakesThePoolSizesOfItsDotenv) {
  const Variables dsns = variables();
  folder.write(".env", "# Main Database\nPOSTGRES_DSN=" + dsns.at("POSTGRES_DSN") +
                           "\nPG_POOL_MIN_SIZE=10\nPG_POOL_MAX_SIZE=50\n\n"
                           "# Reference Database\nPOSTGRES_REFERENCE_DSN=" +
                           dsns.at("POSTGRES_REFERENCE_DSN") +
                           "\nPG_REFERENCE_POOL_MIN_SIZE=10\nPG_REFERENCE_POOL_MAX_SIZE=50\n");
  const Ended here = run("wellwon", {});
  expect_report(here);
  expect_lines(
      here, {"  main       10/50 sessions, maximum from .env", "  reference  10/50 sessions, maximum from .env"});

  std::filesystem::rename(folder.file(".env"), folder.file("production.env"));
  const Ended named = run("wellwon", {}, {"--env-file", "production.env"});
  expect_report(named);
  expect_lines(named, {"  main       10/50 sessions"});
}

TEST_F(WellwonTest, RunsFromItsFleetFileWithReplicas) {
  Variables with = variables();
  with["POSTGRES_MAIN_REPLICA_DSN"] = servers.replica_dsn("wellwon", "wellwon");
  with["POSTGRES_REFERENCE_REPLICA_DSN"] = servers.replica_dsn("wellwon", "wellwon_reference");
  with["PG_POOL_MAX_SIZE"] = "60";  // over the file's 100
  const Ended ended = run("wellwon", with, {"--config", fleet_file("wellwon.toml")});
  expect_report(ended);
  expect_lines(ended, {"  main       20/60 sessions, maximum from environment PG_POOL_MAX_SIZE\n"});
  EXPECT_THAT(ended.output, HasSubstr("  reference  10/50 sessions, maximum from " + fleet_file("wellwon.toml")));
}

TEST_F(WellwonTest, NamesTheVariableThatIsMissing) {
  const Ended ended = run("wellwon", {{"POSTGRES_DSN", servers.dsn("wellwon", "wellwon")}});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.output, HasSubstr("DSN not configured for database 'reference'. "
                                      "Set POSTGRES_REFERENCE_DSN in environment."));
}

TEST_F(WellwonTest, FindsOutThatBothNamesMeanOneDatabase) {
  Variables same = variables();
  same["POSTGRES_REFERENCE_DSN"] = same["POSTGRES_DSN"];
  const Ended ended = run("wellwon", same);
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("error: not as expected: two databases"));
}

TEST_F(WellwonTest, TheProgramOfTheReadmeCopiesOfficeNames) {
  (void)servers.primary()
      .execute("UPDATE customs_declarations SET customs_office_name = NULL", "wellwon")
      .value_or_throw();
  const Ended ended = run("readme", variables());
  EXPECT_EQ(ended.code, 0) << ended.output;
  expect_lines(ended, {"10702010\n", "10714000\n"});
  EXPECT_EQ(
      servers.primary()
          .query_value("SELECT string_agg(coalesce(customs_office_name, '-'), '; ' ORDER BY declaration_number) "
                       "FROM customs_declarations",
                       "wellwon")
          .value_or_throw(),
      "Московская таможня; Шереметьевская таможня; -");
}

// ParaFort

class ParafortTest : public ExamplesTest {
 protected:
  std::string url(const std::string& dbname) { return servers.dsn("parafort", dbname); }
};

TEST_F(ParafortTest, OneUrlIsEnoughAndMainTakesOver) {
  const Ended ended = run("parafort", {{"DATABASE_URL", url("parafort_dev")}});
  EXPECT_EQ(ended.code, 0) << ended.output;
  expect_lines(
      ended,
      {"  read               parafort_dev                 3 users\n",
       "  write, analytics   parafort_dev                 a metric\n",
       "  write, documents   parafort_dev                 document ",
       "  write, compliance  parafort_dev                 filing ", "  read, documents    parafort_dev ",
       "  main               parafort_dev                 3 users\n",
       "  analytics          parafort_dev                 3 actions\n",
       "  documents          parafort_dev                 articles-of-organization.pdf\n",
       "  compliance         parafort_dev                 filing 1 is accepted\n", "  main               true\n",
       "  analytics          false\n", "  documents          false\n", "  compliance         false\n"});
}

TEST_F(ParafortTest, EveryDomainGoesToItsOwnUrlAndReadsGoToTheReplica) {
  const Ended ended =
      run("parafort", {{"DATABASE_URL", url("parafort_main")},
                       {"ANALYTICS_DATABASE_URL", url("parafort_analytics")},
                       {"DOCUMENTS_DATABASE_URL", url("parafort_documents")},
                       {"COMPLIANCE_DATABASE_URL", url("parafort_compliance")},
                       {"READ_REPLICA_DATABASE_URL", servers.replica_dsn("parafort", "parafort_main")}});
  EXPECT_EQ(ended.code, 0) << ended.output;
  expect_lines(ended, {"  read               parafort_main (replica)      3 users\n",
                       "  write, analytics   parafort_analytics           a metric\n",
                       "  write, documents   parafort_documents           document ",
                       "  write, compliance  parafort_compliance          filing ",
                       "  read, documents    parafort_documents ",
                       "  main               parafort_main                3 users\n",
                       "  analytics          parafort_analytics           3 actions\n",
                       "  main               true\n", "  readReplica        true\n", "  analytics          true\n",
                       "  documents          true\n", "  compliance         true\n"});
}

TEST_F(ParafortTest, ADatabaseJoinsWhenItsUrlIsSet) {
  // The second phase of ParaFort's plan: what has no URL yet stays in main.
  const Ended ended = run(
      "parafort", {{"DATABASE_URL", url("parafort_dev")}, {"ANALYTICS_DATABASE_URL", url("parafort_analytics")}},
      {"--config", fleet_file("parafort.toml")});
  EXPECT_EQ(ended.code, 0) << ended.output;
  expect_lines(
      ended, {"  write, analytics   parafort_analytics ", "  write, documents   parafort_dev ",
              "  write, compliance  parafort_dev ", "  analytics          true\n", "  documents          false\n"});
}

// ChiroERP

class ChiroerpTest : public ExamplesTest {
 protected:
  static void expect_report(const Ended& ended) {
    EXPECT_EQ(ended.code, 0) << ended.output;
    expect_lines(ended, {"  core        core_user        core_schema        2 tables, notifications first\n",
                         "  analytics   analytics_user   analytics_schema   1 tables, daily_revenue first\n",
                         "  commerce    commerce_user    commerce_schema    2 tables, orders first\n",
                         "  crm         crm_user         crm_schema         2 tables, customers first\n",
                         "  finance     finance_user     finance_schema     2 tables, accounts first\n",
                         "  logistics   logistics_user   logistics_schema   1 tables, shipments first\n",
                         "  operations  operations_user  operations_schema  1 tables, repairs first\n",
                         "  supply      supply_user      supply_schema      2 tables, inventory first\n",
                         "  commerce reads its products: 2\n",
                         "  commerce reads finance's invoices: ERROR 42501: "
                         "permission denied for schema finance_schema\n",
                         "  finance reads its invoices: 1\n"});
  }
};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c - 'a' + 'A');
  return text;
}

TEST_F(ChiroerpTest, EightRolesShareTheServerOfTheFleetFile) {
  Variables variables{{"CHIRO_ERP_DSN", "postgresql://" + servers.address() + "/chiro_erp"}};
  for (const std::string service : kServices) variables[upper(service) + "_DB_PASSWORD"] = kPassword;
  expect_report(run("chiroerp", variables, {"--config", fleet_file("chiroerp.toml")}));
}

TEST_F(ChiroerpTest, EightConnectionStringsAreEnough) {
  Variables variables;
  for (const std::string service : kServices) {
    variables["POSTGRES_" + upper(service) + "_DSN"] =
        "jdbc:postgresql://" + servers.address() + "/chiro_erp?currentSchema=" + service +
        "_schema&user=" + service + "_user&password=" + kPasswordInUri;
  }
  expect_report(run("chiroerp", variables));

  variables.erase("POSTGRES_CRM_DSN");
  const Ended without = run("chiroerp", variables);
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.output, HasSubstr("POSTGRES_CRM_DSN"));
}

// All three

TEST_F(ExamplesTest, WithoutConfigurationTheySayWhatToDo) {
  const std::map<std::string, std::string> next{
      {"wellwon", "POSTGRES_DSN"}, {"parafort", "DATABASE_URL"}, {"chiroerp", "CHIRO_ERP_DSN"}};
  for (const auto& [program, variable] : next) {
    const auto expect_advice = [&](const Ended& ended) {
      EXPECT_EQ(ended.code, 2) << program << ": " << ended.output;
      EXPECT_THAT(ended.output, HasSubstr("error: "));
      EXPECT_THAT(ended.output, HasSubstr(variable));
      EXPECT_THAT(ended.output, HasSubstr("switchyard up --config examples/" + program + ".toml"));
    };
    expect_advice(run(program, {}));
    expect_advice(run(program, {}, {"--config", fleet_file(program + ".toml")}));
  }
}

}  // namespace
}  // namespace switchyard
