// The console of a gateway with clients and a real server behind it.
#include <switchyard/embedded/test_cluster.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::PqFormat;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::wait_until;

using Row = std::map<std::string, std::string>;

std::vector<Row> table_of(const PqResult& result) {
  EXPECT_TRUE(result.ok()) << result.error();
  std::vector<Row> rows;
  for (int row = 0; row < result.rows(); ++row) {
    Row& values = rows.emplace_back();
    for (int column = 0; column < result.columns(); ++column) {
      values[result.column_name(column)] = result.value(row, column).value_or("NULL");
    }
  }
  return rows;
}

std::vector<Row> show(PqSession& console, const std::string& what) {
  return table_of(console.execute("SHOW " + what));
}

/// The only row where the column has the value.
Row row_of(PqSession& console, const std::string& what, const std::string& column, const std::string& value) {
  std::vector<Row> found;
  for (Row& row : show(console, what)) {
    if (row[column] == value) found.push_back(std::move(row));
  }
  EXPECT_EQ(found.size(), 1U) << what << " " << column << " " << value;
  return found.empty() ? Row() : found.front();
}

class ConsoleTest : public ::testing::Test {
 protected:
  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
  static std::string error_of(PqSession& console, const std::string& sql) {
    const PqResult result = console.execute(sql);
    return result.ok() ? "no error" : result.sqlstate() + " " + result.error_field('M');
  }
};

TEST_F(ConsoleTest, ShowsClientsSessionsAndWhoHasWhom) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  ASSERT_TRUE(console.connected()) << console.error();
  PqSession client(door.local() + "application_name=it");
  const std::string pid = client.value("SELECT pg_backend_pid()");
  const Row shown = row_of(console, "CLIENTS", "database", "main");
  EXPECT_EQ(shown.at("type"), "C");
  EXPECT_EQ(shown.at("user"), "postgres");
  EXPECT_EQ(shown.at("application_name"), "it");
  EXPECT_EQ(shown.at("addr"), "unix");
  EXPECT_EQ(shown.at("port"), "6433");
  EXPECT_EQ(shown.at("remote_pid"), std::to_string(::getpid()));
  EXPECT_EQ(row_of(console, "CLIENTS", "database", "switchyard").at("state"), "idle");
  EXPECT_EQ(row_of(console, "SERVERS", "remote_pid", pid).at("database"), "main");
  EXPECT_EQ(row_of(console, "DATABASES", "name", "main").at("current_client_connections"), "1");
  EXPECT_EQ(row_of(console, "USERS", "name", "postgres").at("current_client_connections"), "2");
  EXPECT_EQ(row_of(console, "LISTS", "list", "used_clients").at("items"), "2");
  EXPECT_EQ(row_of(console, "STATE", "key", "active").at("value"), "yes");
  EXPECT_EQ(show(console, "VERSION")[0].at("version").substr(0, 11), "Switchyard ");
  EXPECT_EQ(row_of(console, "STATS_TOTALS", "database", "main").at("client_login_count"), "1");
  EXPECT_EQ(row_of(console, "CONFIG", "key", "max_client_conn").at("value"), "10000");
}

TEST_F(ConsoleTest, EveryTableHasRowsOfItsColumnsInBothProtocolsAndFormats) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  EXPECT_EQ(client.value("SELECT 1"), "1");
  for (const char* name :
       {"ACTIVE_SOCKETS", "CLIENTS", "CONFIG", "DATABASES", "DNS_HOSTS",      "DNS_ZONES",    "FDS",
        "LANES",          "LISTS",   "MEM",    "PEERS",     "PEER_POOLS",     "POOLS",        "PREPARED_STATEMENTS",
        "SERVERS",        "SOCKETS", "STATE",  "STATS",     "STATS_AVERAGES", "STATS_TOTALS", "TOTALS",
        "USERS",          "VERSION"}) {
    const std::string sql = std::string("SHOW ") + name;
    const PqResult simple = console.execute(sql);
    ASSERT_TRUE(simple.ok()) << name << " " << simple.error();
    EXPECT_EQ(simple.command_tag(), "SHOW");
    EXPECT_GT(simple.columns(), 0) << name;
    for (const PqFormat format : {PqFormat::text, PqFormat::binary}) {
      const PqResult extended = console.query(sql, {}, format);
      ASSERT_TRUE(extended.ok()) << name << " " << extended.error();
      // Sessions open meanwhile, and whether the console itself has bytes to send at that moment differs.
      const bool moves = std::set<std::string>{"ACTIVE_SOCKETS", "FDS", "SERVERS", "SOCKETS"}.contains(name);
      if (!moves) EXPECT_EQ(extended.rows(), simple.rows()) << name;
      EXPECT_EQ(extended.columns(), simple.columns()) << name;
    }
  }
  EXPECT_EQ(console.execute("SHOW HELP").command_tag(), "SHOW");
}

TEST_F(ConsoleTest, OnlyWhoIsNamedGetsIn) {
  Door door(database, {.more = "",
                       .users = "\"postgres\" \"pw\"\n\"boss\" \"pw\"\n\"guest\" \"pw\"",
                       .tls = false,
                       .change = [](GatewaySettings& settings) {
                         settings.console.admin_users = {"boss"};
                         settings.console.stats_users = {"guest"};
                         settings.console.aliases = {"pgbouncer"};
                       }});
  const auto as = [&](const std::string& user) { return door.tcp("password=pw dbname=pgbouncer user=" + user); };
  PqSession nobody(as("postgres"));
  EXPECT_FALSE(nobody.connected());
  EXPECT_NE(nobody.error().find("not allowed"), std::string::npos) << nobody.error();
  PqSession guest(as("guest"));
  ASSERT_TRUE(guest.connected()) << guest.error();
  EXPECT_EQ(show(guest, "CLIENTS").size(), 1U);
  EXPECT_EQ(error_of(guest, "PAUSE"), "08P01 admin access needed");
  PqSession boss(as("boss"));
  EXPECT_EQ(boss.execute("PAUSE").command_tag(), "PAUSE");
  EXPECT_EQ(boss.execute("RESUME").command_tag(), "RESUME");
}

TEST_F(ConsoleTest, PauseWaitsForWhoHasASessionAndHoldsWhoWantsOne) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  std::optional<PqSession> holder(door.local());
  ASSERT_TRUE(holder->execute("BEGIN").ok());
  ASSERT_EQ(PQsendQuery(console.handle(), "PAUSE main"), 1);
  PqSession watcher(door.local("switchyard"));
  ASSERT_TRUE(wait_until([&] { return row_of(watcher, "DATABASES", "name", "main").at("paused") == "1"; }));
  std::atomic<bool> served = false;
  std::thread late([&] {
    PqSession client(door.local());
    served = client.connected() && client.value("SELECT 1") == "1";
  });
  ASSERT_TRUE(wait_until([&] { return row_of(watcher, "POOLS", "database", "main").at("cl_waiting") == "1"; }));
  EXPECT_EQ(PQconsumeInput(console.handle()), 1);
  EXPECT_EQ(PQisBusy(console.handle()), 1) << "somebody still has a session";
  holder.reset();
  const PqResult paused(PQgetResult(console.handle()));
  EXPECT_EQ(paused.command_tag(), "PAUSE");
  EXPECT_TRUE(show(watcher, "SERVERS").empty());
  EXPECT_FALSE(served);
  EXPECT_EQ(error_of(watcher, "RESUME other"), "08P01 no such database: other");
  EXPECT_EQ(watcher.execute("RESUME main").command_tag(), "RESUME");
  late.join();
  EXPECT_TRUE(served);
}

TEST_F(ConsoleTest, AllCanBePausedAndACancelledPauseIsTakenBack) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  EXPECT_EQ(error_of(console, "RESUME"), "08P01 pooler is not paused/suspended");
  EXPECT_EQ(console.execute("PAUSE").command_tag(), "PAUSE");
  EXPECT_EQ(row_of(console, "STATE", "key", "paused").at("value"), "yes");
  EXPECT_EQ(error_of(console, "PAUSE"), "08P01 already suspended/paused");
  EXPECT_EQ(console.execute("RESUME").command_tag(), "RESUME");
  PqSession client(door.local());
  EXPECT_EQ(client.value("SELECT 1"), "1");
  ASSERT_EQ(PQsendQuery(console.handle(), "PAUSE"), 1);
  PqSession watcher(door.local("switchyard"));
  ASSERT_TRUE(wait_until([&] { return row_of(watcher, "STATE", "key", "paused").at("value") == "yes"; }));
  PGcancel* cancel = PQgetCancel(console.handle());
  std::array<char, 256> error{};
  EXPECT_EQ(PQcancel(cancel, error.data(), static_cast<int>(error.size())), 1) << error.data();
  PQfreeCancel(cancel);
  const PqResult ended(PQgetResult(console.handle()));
  EXPECT_EQ(ended.sqlstate(), "57014");
  EXPECT_EQ(row_of(watcher, "STATE", "key", "paused").at("value"), "no");
  PqSession next(door.local());
  EXPECT_EQ(next.value("SELECT 1"), "1");
}

TEST_F(ConsoleTest, KillEndsClientsAtOnceAndHoldsOthersUntilResumed) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  EXPECT_EQ(client.value("SELECT 1"), "1");
  EXPECT_EQ(error_of(console, "KILL switchyard"), "08P01 cannot kill admin db: switchyard");
  EXPECT_EQ(console.execute("KILL main").command_tag(), "KILL");
  EXPECT_EQ(client.execute("SELECT 1").ok(), false);
  EXPECT_NE(client.error().find("admin forced disconnect"), std::string::npos) << client.error();
  EXPECT_EQ(row_of(console, "DATABASES", "name", "main").at("paused"), "1");
  EXPECT_EQ(console.execute("RESUME main").command_tag(), "RESUME");
  EXPECT_EQ(error_of(console, "RESUME main"), "08P01 database main is not paused");
  PqSession next(door.local());
  EXPECT_EQ(next.value("SELECT 1"), "1");
}

TEST_F(ConsoleTest, OneClientCanBeKilled) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  PqSession other(door.local() + "application_name=other");
  EXPECT_EQ(error_of(console, "KILL_CLIENT x"), "08P01 invalid client pointer supplied");
  EXPECT_EQ(error_of(console, "KILL_CLIENT 4711"), "08P01 client not found");
  const Row victim = row_of(console, "CLIENTS", "application_name", "other");
  EXPECT_EQ(console.execute("KILL_CLIENT " + victim.at("id")).command_tag(), "KILL_CLIENT");
  EXPECT_FALSE(other.execute("SELECT 1").ok());
  EXPECT_EQ(client.value("SELECT 1"), "1");
}

TEST_F(ConsoleTest, ADisabledDatabaseTakesNoNewClients) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  EXPECT_EQ(error_of(console, "DISABLE"), "08P01 a database is required");
  EXPECT_EQ(console.execute("DISABLE main").command_tag(), "DISABLE");
  EXPECT_EQ(row_of(console, "DATABASES", "name", "main").at("disabled"), "1");
  EXPECT_EQ(client.value("SELECT 1"), "1");
  const PqSession refused(door.local());
  EXPECT_FALSE(refused.connected());
  EXPECT_NE(refused.error().find("database \"main\" is disabled"), std::string::npos) << refused.error();
  EXPECT_EQ(console.execute("ENABLE main").command_tag(), "ENABLE");
  EXPECT_TRUE(PqSession(door.local()).connected());
}

TEST_F(ConsoleTest, AfterReconnectNobodyGetsAnOldSession) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  ASSERT_TRUE(client.execute("BEGIN").ok());
  const std::string pid = client.value("SELECT pg_backend_pid()");
  EXPECT_EQ(console.execute("RECONNECT main").command_tag(), "RECONNECT");
  EXPECT_EQ(row_of(console, "SERVERS", "remote_pid", pid).at("close_needed"), "1");
  ASSERT_EQ(PQsendQuery(console.handle(), "WAIT_CLOSE main"), 1);
  EXPECT_EQ(client.value("SELECT pg_backend_pid()"), pid);
  ASSERT_TRUE(client.execute("COMMIT").ok());
  const PqResult waited(PQgetResult(console.handle()));
  EXPECT_EQ(waited.command_tag(), "WAIT_CLOSE");
  EXPECT_NE(client.value("SELECT pg_backend_pid()"), pid);
}

TEST_F(ConsoleTest, SuspendedClientsWaitAndGoOn) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  EXPECT_EQ(console.execute("SUSPEND").command_tag(), "SUSPEND");
  EXPECT_EQ(row_of(console, "STATE", "key", "suspended").at("value"), "yes");
  ASSERT_EQ(PQsendQuery(client.handle(), "SELECT 1"), 1);
  ASSERT_EQ(PQflush(client.handle()), 0);
  EXPECT_EQ(database.query_value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1'"), "0");
  EXPECT_EQ(console.execute("RESUME").command_tag(), "RESUME");
  const PqResult answer(PQgetResult(client.handle()));
  EXPECT_EQ(answer.value(0, 0), "1");
}

TEST_F(ConsoleTest, ShutdownAndReloadAreTheProgramsAffair) {
  std::atomic<int> shutdowns = 0;
  std::atomic<bool> sound = false;
  Door door(database, {.more = "", .users = "", .tls = false, .change = [&](GatewaySettings& settings) {
                         settings.console.shutdown = [&] { ++shutdowns; };
                         settings.console.reload = [&]() -> Result<void> {
                           if (sound) return {};
                           return Error(ErrorKind::Config, "fleet.toml:1: nonsense");
                         };
                       }});
  PqSession console(door.local("switchyard"));
  EXPECT_EQ(error_of(console, "RELOAD"), "F0000 RELOAD failed: fleet.toml:1: nonsense");
  sound = true;
  EXPECT_EQ(console.execute("RELOAD").command_tag(), "RELOAD");
  std::optional<PqSession> client(door.local());
  EXPECT_EQ(console.execute("SHUTDOWN WAIT_FOR_CLIENTS").command_tag(), "SHUTDOWN");
  EXPECT_EQ(error_of(console, "RESUME"), "08P01 pooler is shutting down");
  EXPECT_EQ(client->value("SELECT 1"), "1");
  EXPECT_FALSE(PqSession(door.local()).connected());
  EXPECT_FALSE(PqSession(door.tcp()).connected());
  EXPECT_EQ(shutdowns, 0);
  client.reset();
  EXPECT_TRUE(wait_until([&] { return shutdowns > 0; }));
}

TEST_F(ConsoleTest, ShowsWhereAClientGoesAndWhyItKeepsItsSession) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  PqSession reader(door.local("main:read"));
  EXPECT_EQ(reader.value("SELECT 1"), "1");
  ASSERT_TRUE(client.execute("CREATE TEMP TABLE mine (a int)").ok());
  std::map<std::string, Row> by_route;
  for (Row& row : show(console, "CLIENTS")) {
    if (row["database"] == "main") by_route[row["route"].substr(0, row["route"].find(':'))] = row;
  }
  ASSERT_TRUE(by_route.contains("read view"));
  EXPECT_EQ(by_route["read view"].at("pin"), "");
  ASSERT_TRUE(by_route.contains("primary"));
  EXPECT_NE(by_route["primary"].at("pin").find("temporary"), std::string::npos) << by_route["primary"].at("pin");
}

TEST_F(ConsoleTest, KillReachesTheClientsOfReadViews) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession reader(door.local("main:read"));
  EXPECT_EQ(reader.value("SELECT 1"), "1");
  EXPECT_EQ(console.execute("KILL main").command_tag(), "KILL");
  EXPECT_FALSE(reader.execute("SELECT 1").ok());
  EXPECT_FALSE(reader.connected());
  EXPECT_EQ(console.execute("RESUME main").command_tag(), "RESUME");
}

TEST_F(ConsoleTest, ShowsWhatClientsHavePreparedOnce) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession one(door.local()), two(door.local());
  for (PqSession* client : {&one, &two}) {
    EXPECT_TRUE(PqResult(PQprepare(client->handle(), "s", "SELECT v FROM t WHERE id = $1", 0, nullptr)).ok());
  }
  const Row row = row_of(console, "PREPARED_STATEMENTS", "query", "SELECT v FROM t WHERE id = $1");
  EXPECT_EQ(row.at("database"), "main");
  EXPECT_EQ(row.at("uses"), "2");
  EXPECT_GE(std::stoi(row.at("clients")), 2);
}

TEST_F(ConsoleTest, EveryQueryIsCountedInAndBesideTheLane) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  PqSession client(door.local());
  const auto count = [&](const std::string& what) {
    return std::stoll(row_of(console, "STATS_TOTALS", "database", "main").at(what));
  };
  const long long queries = count("query_count");
  const long long transactions = count("xact_count");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.execute("SELECT v FROM t WHERE id = " + std::to_string(i)).ok());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.execute("INSERT INTO t VALUES (" + std::to_string(i) + ")").ok());
  EXPECT_TRUE(client.execute("BEGIN").ok());
  EXPECT_TRUE(client.execute("SELECT 1").ok());
  EXPECT_TRUE(client.execute("COMMIT").ok());
  EXPECT_EQ(count("query_count") - queries, 28);
  EXPECT_EQ(count("xact_count") - transactions, 26);
  EXPECT_GT(count("query_time"), 0);
  EXPECT_GT(count("xact_time"), 0);
  EXPECT_GT(count("bytes_sent"), 0);
}

TEST_F(ConsoleTest, SetOfPgBouncersNamesCountsForWhoeverComes) {
  Door door(database);
  PqSession console(door.local("switchyard"));
  EXPECT_EQ(console.execute("SET pool_mode = 'session'").command_tag(), "SET pool_mode=session");
  PqSession client(door.local());
  EXPECT_EQ(client.value("SELECT 1"), "1");
  const Row shown = row_of(console, "CLIENTS", "database", "main");
  EXPECT_EQ(shown.at("pin"), "pool_mode = session");
  EXPECT_EQ(console.execute("SET max_user_client_connections = 2").command_tag(),
            "SET max_user_client_connections=2");
  PqSession second(door.local());
  PqSession third(door.local());
  EXPECT_TRUE(second.connected());
  EXPECT_NE(third.error().find("max_user_client_connections"), std::string::npos) << third.error();
  EXPECT_EQ(error_of(console, "SET pool_mode = 'never'"),
            "08P01 SET failed: 'never' is not one of auto, session, transaction, statement");
  EXPECT_EQ(error_of(console, "SET max_prepared_statements = 0"),
            "08P01 SET failed: '0' is not a number of at least 1");
  EXPECT_EQ(error_of(console, "SET server_round_robbin = 1").substr(0, 40),
            "08P01 SET failed: there is no setting 's");
}

TEST_F(ConsoleTest, WhatIsNotKnownHereIsTheProgramsToSet) {
  std::string seen;
  Door door(database, {.more = "", .users = "", .tls = false, .change = [&](GatewaySettings& settings) {
                         settings.console.set = [&](const std::string& key,
                                                    const std::string& value) -> Result<void> {
                           if (key != "auth_type") return Error(ErrorKind::Config, key + " has no meaning here");
                           seen = value;
                           return {};
                         };
                       }});
  PqSession console(door.local("switchyard"));
  EXPECT_EQ(console.execute("SET auth_type = 'md5'").command_tag(), "SET auth_type=md5");
  EXPECT_EQ(seen, "md5");
  EXPECT_EQ(error_of(console, "SET verbose = 1"), "08P01 SET failed: verbose has no meaning here");
}

// ---- what clients may have of the sessions ----

/// Runs pg_sleep until it is told to stop.
class Holder {
 public:
  explicit Holder(const std::string& keywords) : session_(keywords) {
    EXPECT_TRUE(session_.execute("BEGIN").ok()) << session_.error();
  }
  void end() { EXPECT_TRUE(session_.execute("COMMIT").ok()); }

 private:
  PqSession session_;
};

TEST_F(ConsoleTest, AUsersClientsWaitForItsSessionsInTheOrderInWhichTheyCame) {
  Door door(database, {.more = "", .users = "", .tls = false, .change = [](GatewaySettings& settings) {
                         settings.config.users["postgres"].max_sessions.value = 2;
                       }});
  PqSession console(door.local("switchyard"));
  Holder one(door.local()), two(door.local());
  PqSession third(door.local()), fourth(door.local());
  const auto waiting = [&] {
    int count = 0;
    for (const Row& row : show(console, "CLIENTS")) count += row.at("state") == "waiting" ? 1 : 0;
    return count;
  };
  ASSERT_EQ(PQsendQuery(third.handle(), "BEGIN"), 1);
  ASSERT_TRUE(wait_until([&] { return waiting() == 1; }));
  ASSERT_EQ(PQsendQuery(fourth.handle(), "BEGIN"), 1);
  ASSERT_TRUE(wait_until([&] { return waiting() == 2; }));
  one.end();
  EXPECT_TRUE(PqResult(PQgetResult(third.handle())).ok());
  EXPECT_EQ(PQgetResult(third.handle()), nullptr);
  EXPECT_EQ(waiting(), 1);
  ASSERT_TRUE(third.execute("COMMIT").ok());
  EXPECT_TRUE(PqResult(PQgetResult(fourth.handle())).ok());
  two.end();
}

TEST_F(ConsoleTest, WhoWaitsTooLongForAUsersSessionIsToldSo) {
  Door door(database, {.more = "", .users = "", .tls = false, .change = [](GatewaySettings& settings) {
                         settings.config.query_wait_timeout.value = 300ms;
                         settings.config.user_max_sessions.value = 1;
                       }});
  Holder holder(door.local());
  PqSession other(door.local());
  const PqResult refused = other.execute("BEGIN");
  EXPECT_EQ(refused.error_field('M'), "query_wait_timeout");
  holder.end();
  EXPECT_TRUE(other.execute("BEGIN").ok());
}

TEST_F(ConsoleTest, PsqlWorks) {
  Door door(database);
  const auto [said, ok] = door.psql("switchyard", "-c 'SHOW STATE' -c 'PAUSE main' -c 'RESUME main;'");
  EXPECT_TRUE(ok);
  EXPECT_EQ(said, "active|yes\npaused|no\nsuspended|no\nPAUSE\nRESUME\n");
}

}  // namespace
}  // namespace switchyard::gateway
