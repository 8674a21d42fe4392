#include <switchyard/gateway/pgbouncer_ini.hpp>

#include <tests/support/temp_folder.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

namespace switchyard::gateway {
namespace {

using switchyard::testing::TempFolder;

using namespace std::chrono_literals;

std::map<std::string, std::string> files;

Result<PgbouncerSetup> load(const std::string& text) {
  const ReadTextFile read = [](const std::string& path) -> Result<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return Error(ErrorKind::Config, "can't read '" + path + "'");
    return found->second;
  };
  ConnectionEnvironment environment;
  environment.os_user = "me";
  environment.home_directory = "/nowhere";
  return read_pgbouncer_ini(text, "pgbouncer.ini", read, environment);
}
PgbouncerSetup loaded(const std::string& text) { return load(text).value_or_throw(); }
std::string refusal(const std::string& text) {
  const auto setup = load(text);
  return setup.ok() ? "no error" : std::string(setup.error().message());
}
std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

constexpr const char* kMinimal = "[databases]\nmain = host=db user=app password=pw\n[pgbouncer]\n";

TEST(PgbouncerIni, TheManualsExampleIsUnderstood) {
  files = {{"userlist.txt", "\"someuser\" \"same_password_as_in_server\"\n"}};
  const PgbouncerSetup setup = loaded(
      "[databases]\n template1 = host=localhost port=5432 dbname=template1\n\n"
      "[pgbouncer]\n listen_port = 6432\n listen_addr = localhost\n auth_type = md5\n auth_file = userlist.txt\n"
      " logfile = pgbouncer.log\n pidfile = pgbouncer.pid\n admin_users = someuser\n");
  const GatewayConfig& gateway = setup.config.gateway;
  EXPECT_EQ(*gateway.listen, std::vector<std::string>{"127.0.0.1:6432"});
  EXPECT_EQ(*gateway.unix_socket, "/tmp");
  EXPECT_EQ(*gateway.users_file, "userlist.txt");
  EXPECT_EQ(*gateway.admin_users, std::vector<std::string>{"someuser"});
  EXPECT_EQ(*gateway.hba, (std::vector<std::string>{"local all all md5", "host all all all md5"}));
  EXPECT_EQ(*gateway.pool_mode, PoolMode::session);
  EXPECT_EQ(*gateway.max_clients, 100U);
  ASSERT_EQ(setup.config.databases.size(), 1U);
  const DatabaseConfig& database = setup.config.databases[0];
  EXPECT_EQ(database.name, "template1");
  EXPECT_EQ(*database.pool.max, 20U);
  EXPECT_EQ(*database.command_timeout, 0s) << "nothing ends a statement unless query_timeout says so";
  EXPECT_EQ(*database.pool.max_lifetime, 1h);
  const std::string warnings = joined(setup.warnings);
  EXPECT_NE(setup.log_file, "");
  EXPECT_NE(warnings.find("pgbouncer.ini:10: pidfile has no meaning here: "), std::string::npos) << warnings;
  EXPECT_EQ(warnings.find("same_password"), std::string::npos);
}

TEST(PgbouncerIni, NamesOfClientsAreKeptWhereTheFleetSpellsThemOtherwise) {
  const PgbouncerSetup setup = loaded(
      "[databases]\nShop-DB = host=h dbname=shop user=app\nopen = host=h\n[pgbouncer]\nlisten_addr = 127.0.0.1\n");
  EXPECT_EQ(setup.config.find("shop_db")->primary.connection.dbname, "shop");
  EXPECT_EQ(setup.names.aliases, (std::map<std::string, std::string, std::less<>>{{"Shop-DB", "shop_db"}}));
  // With user= all clients are that user, whoever logs in.
  EXPECT_EQ(setup.names.one_role, (std::set<std::string, std::less<>>{"shop_db"}));
}

TEST(PgbouncerIni, AClearPasswordIsAskedForWhereItIsPlain) {
  EXPECT_EQ(*loaded(std::string(kMinimal) + "auth_type = plain\n").config.gateway.hba,
            (std::vector<std::string>{"local all all password", "host all all all password"}));
}

TEST(PgbouncerIni, WhatIsSetCountsInsteadOfTheFile) {
  const TempFolder folder;
  const std::string path = folder.file("pgbouncer.ini");
  std::ofstream(path) << kMinimal << "max_client_conn = 5\n";
  const auto with = [&](const PgbouncerOverrides& overrides) { return load_pgbouncer_ini(path, overrides); };
  EXPECT_EQ(*with({})->config.gateway.max_clients, 5U);
  EXPECT_EQ(*with({{"max_client_conn", "7"}})->config.gateway.max_clients, 7U);
  EXPECT_EQ(with({{"verbose", "2"}}).error().message(),
            "SET verbose: verbose has no meaning here: messages go to standard error");
  EXPECT_EQ(with({{"listen_port", "1"}}).error().message(),
            "SET listen_port: listen_port is read at the start only");
  EXPECT_EQ(with({{"max_client_con", "1"}}).error().message(),
            "SET max_client_con: unknown key 'max_client_con': did you mean 'max_client_conn'?");
}

TEST(PgbouncerIni, WhatADatabaseSaysForItselfCounts) {
  files = {{"users.txt", "\"app\" \"from \"\"list\"\"\"\n\"old\" \"md5900150983cd24fb0d6963f7d28e17f72\"\n"}};
  const PgbouncerSetup setup = loaded(
      "[databases]\n"
      "forcedb = host=h1 port=300 user=baz password='fo o''s ${x}' client_encoding=UNICODE datestyle='ISO, MDY'\n"
      "app_db = host=h2 dbname=real user=app pool_size=50 reserve_pool=10 min_pool_size=3 pool_mode=transaction "
      "max_db_client_connections=7 server_lifetime=60\n"
      "capped = host=h3 user=old max_db_connections=5\n"
      "\"My-DB\" = host=h4 user=app\n"
      "[users]\nreports = pool_mode=transaction max_user_connections=4 max_user_client_connections=9\n"
      "[pgbouncer]\nlisten_addr = 127.0.0.1, ::1\nauth_file = users.txt\nquery_timeout = 1.5\n"
      "server_idle_timeout = 0\nmax_db_connections = 100\n");
  const FleetConfig& config = setup.config;
  const DatabaseConfig& forced = *config.find("forcedb");
  EXPECT_EQ(forced.primary.connection.hosts.at(0).host, "h1");
  EXPECT_EQ(forced.primary.connection.hosts.at(0).port, 300);
  EXPECT_EQ(forced.primary.connection.user, "baz");
  EXPECT_EQ(forced.primary.connection.password.reveal(), "fo o's ${x}");
  EXPECT_EQ(*forced.command_timeout, 1500ms);
  const DatabaseConfig& app = *config.find("app_db");
  EXPECT_EQ(app.primary.connection.dbname, "real");
  EXPECT_EQ(app.primary.connection.password.reveal(), "from \"list\"");
  EXPECT_EQ(*app.pool.max, 60U);
  EXPECT_EQ(*app.pool.min, 3U);
  EXPECT_EQ(*app.pool.max_lifetime, 60s);
  EXPECT_EQ(*app.pool.idle_timeout, 0s);
  EXPECT_EQ(*config.gateway.databases.at("app_db").pool_mode, PoolMode::transaction);
  EXPECT_EQ(*config.gateway.databases.at("app_db").max_clients, 7U);
  EXPECT_EQ(*config.find("capped")->pool.max, 5U);
  EXPECT_TRUE(config.find("capped")->primary.connection.password.empty()) << "a hash is no password";
  EXPECT_EQ(config.find("my_db")->primary.connection.dbname, "My-DB");
  EXPECT_EQ(*config.gateway.listen, (std::vector<std::string>{"127.0.0.1:6432", "[::1]:6432"}));
  EXPECT_EQ(*config.gateway.users.at("reports").max_sessions, 4U);
  EXPECT_EQ(*config.gateway.users.at("reports").max_clients, 9U);
  EXPECT_TRUE(setup.warnings.empty()) << joined(setup.warnings);
}

TEST(PgbouncerIni, TlsAndHbaBecomeRules) {
  const PgbouncerSetup tls = loaded(std::string(kMinimal) +
                                    "listen_addr = *\nauth_type = scram-sha-256\nclient_tls_sslmode = verify-full\n"
                                    "client_tls_cert_file = c\nclient_tls_key_file = k\nclient_tls_ca_file = a\n"
                                    "server_tls_sslmode = verify-ca\nserver_tls_ca_file = /sca\n");
  EXPECT_EQ(*tls.config.gateway.listen, std::vector<std::string>{"*:6432"});
  EXPECT_EQ(*tls.config.gateway.hba,
            (std::vector<std::string>{"local all all scram-sha-256",
                                      "hostssl all all all scram-sha-256 clientcert=verify-full"}));
  EXPECT_EQ(*tls.config.gateway.tls_client_ca, "a");
  const PgbouncerSetup hba = loaded(std::string(kMinimal) + "auth_type = hba\nauth_hba_file = /etc/hba\n");
  EXPECT_EQ(*hba.config.gateway.hba_file, "/etc/hba");
  EXPECT_FALSE(hba.config.gateway.hba.is_set());
  EXPECT_EQ(*hba.config.gateway.listen, std::vector<std::string>());
  EXPECT_EQ(*hba.config.gateway.unix_socket, "/tmp/.s.PGSQL.6432");
}

TEST(PgbouncerIni, FilesAreIncluded) {
  files = {{"/etc/more.ini", "[pgbouncer]\nmax_client_conn = 7\n%include /etc/deep.ini\n"},
           {"/etc/deep.ini", "default_pool_size = 3\n"}};
  const PgbouncerSetup setup = loaded(std::string(kMinimal) + "%include /etc/more.ini\n");
  EXPECT_EQ(*setup.config.gateway.max_clients, 7U);
  EXPECT_EQ(*setup.config.find("main")->pool.max, 3U);
  files = {{"loop.ini", "%include loop.ini\n"}};
  EXPECT_NE(refusal("%include loop.ini\n").find("more than ten deep"), std::string::npos);
  EXPECT_EQ(refusal("\n%include missing.ini\n"), "pgbouncer.ini:2: can't read 'missing.ini'");
}

TEST(PgbouncerIni, TheFallbackDatabaseAndTheRestWithoutMeaningAreWarnings) {
  const PgbouncerSetup setup = loaded(
      "[databases]\nmain = host=db user=app\n* = host=testserver\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
      "server_reset_query = DISCARD ALL\nmax_prepared_statements = 100\npool_mode = statement\n"
      "ignore_startup_parameters = extra_float_digits\nstats_period = 5\n");
  const std::string warnings = joined(setup.warnings);
  for (const char* place :
       {"pgbouncer.ini:3: '*'", "pgbouncer.ini:6: server_reset_query", "pgbouncer.ini:7: max_prepared_statements",
        "pgbouncer.ini:8: pool_mode = statement", "pgbouncer.ini:9: ignore_startup_parameters"}) {
    EXPECT_NE(warnings.find(place), std::string::npos) << place << "\n" << warnings;
  }
  EXPECT_EQ(setup.warnings.size(), 5U) << warnings;
  EXPECT_EQ(setup.stats_period, 5s);
}

TEST(PgbouncerIni, WhatWouldChangeAnswersOrAccessIsAnErrorThatNamesItsLine) {
  const auto says = [](const std::string& text, const std::string& what) {
    const std::string error = refusal(text);
    EXPECT_NE(error.find(what), std::string::npos) << error;
  };
  const std::string minimal = kMinimal;
  says(minimal + "listen_prt = 1\n", "pgbouncer.ini:4: unknown key 'listen_prt': did you mean 'listen_port'?");
  says(minimal + "auth_type = pam\n", "pgbouncer.ini:4: auth_type = pam is not to be had");
  says(minimal + "auth_type = any\n", "pgbouncer.ini:4: auth_type = any is not to be had");
  says(minimal + "client_tls_sslmode = require\n", "pgbouncer.ini:4: client_tls_sslmode needs");
  says(minimal + "auth_type = hba\n", "pgbouncer.ini:4: auth_type = hba needs auth_hba_file");
  says(minimal + "max_client_conn = many\n", "pgbouncer.ini:4: max_client_conn = 'many' is not a number");
  says(minimal + "transaction_timeout = 5\n", "pgbouncer.ini:4: transactions are not ended");
  says(minimal + "peer_id = 1\n", "pgbouncer.ini:4: peer_id has no meaning here");
  says(minimal + "[peers]\n1 = host=x\n", "pgbouncer.ini:5: [peers] has no meaning here");
  says(minimal + "[wrong]\na = b\n", "pgbouncer.ini:5: there is no section [wrong]");
  says(minimal + "pool_mode = fast\n", "pgbouncer.ini:4: pool_mode = 'fast'");
  says("[databases]\nmain = host=x connect_query='SELECT 1'\n", "pgbouncer.ini:2: connect_query may only SET here");
  says("[databases]\nmain = hots=x\n", "pgbouncer.ini:2: unknown parameter 'hots': did you mean 'host'?");
  says("[databases]\nmain = host='x\n", "pgbouncer.ini:2: the value of 'host' does not end");
  says("[databases]\nmain_replica = dbname=other\n", "pgbouncer.ini:2: 'main_replica' can't be a name here");
  says("[databases]\nMain = host=a\nmain = host=b\n", "pgbouncer.ini:3: 'main' is named twice, as main");
  says("[databases]\npgbouncer = host=x\n", "pgbouncer.ini:2: pgbouncer is the name of the console");
  says("[pgbouncer]\n", "no database is named");
  says("a = b\n", "pgbouncer.ini:1: a key stands outside of any section");
  says("[databases]\nmain\n", "pgbouncer.ini:2: a line is KEY = VALUE");
  const std::string both = refusal(minimal + "auth_type = pam\npeer_id = 1\n");
  EXPECT_NE(both.find(":4: "), std::string::npos) << both;
  EXPECT_NE(both.find(":5: "), std::string::npos) << both;
}

TEST(PgbouncerIni, SettingsOfASessionAreMadeAtItsStart) {
  const PgbouncerSetup setup = loaded(
      "[databases]\nmain = host=db user=app timezone='Europe/Vienna' connect_query='set enable_seqscan=off; SET "
      "search_path TO ''a b'''\n");
  EXPECT_EQ(setup.config.find("main")->primary.connection.options,
            "-c timezone=Europe/Vienna -c enable_seqscan=off -c search_path=a\\ b");
}

TEST(PgbouncerIni, NoMessageShowsAPassword) {
  files = {{"users.txt", "\"app\" \"hunter2\"\n"}};
  for (const std::string text :
       {"[databases]\nmain = user=app password=hunter2 hots=x\n[pgbouncer]\nauth_file=users.txt\n",
        "[databases]\nmain = user=app password=hunter2 port=99999999\n",
        "[databases]\nmain = user=app password='hunter2\n"}) {
    EXPECT_EQ(refusal(text).find("hunter2"), std::string::npos) << refusal(text);
  }
}

}  // namespace
}  // namespace switchyard::gateway
