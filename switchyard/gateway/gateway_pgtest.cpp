// Real clients through the gateway to a real server.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <future>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::kDoorPort;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::TlsFiles;
using switchyard::testing::wait_until;

class GatewayTest : public ::testing::Test {
 protected:
  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
};

TEST_F(GatewayTest, AClientGetsASessionOfTheDatabaseItNames) {
  Door door(database);
  for (const std::string& name : {std::string("main"), std::string("main:read"), database.name()}) {
    PqSession session(door.local(name));
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_EQ(session.value("SELECT current_database()"), database.name());
    EXPECT_EQ(session.parameter_status("server_version"), session.value("SHOW server_version"));
    EXPECT_GT(session.backend_pid(), 1 << 22) << "no process of the server can have it";
  }
  PqSession wrong(door.local("mian"));
  EXPECT_FALSE(wrong.connected());
  EXPECT_NE(wrong.error().find("FATAL:  no such database: mian"), std::string::npos) << wrong.error();
  EXPECT_NE(wrong.error().find("main"), std::string::npos) << wrong.error();
}

TEST_F(GatewayTest, WhatTheServerSaysArrivesAsItIs) {
  Door door(database);
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  PqSession direct(database.endpoint().keywords());
  for (const char* sql : {"SELECT 1 AS one; SELECT 2, 'x'::text, NULL", "SELECT 1/0", "SELEC 1",
                          "INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (1, 'a')",
                          "SELECT * FROM t ORDER BY id", "", "DELETE FROM t"}) {
    const auto through = session.execute(sql);
    const auto straight =
        direct.execute(std::string(sql).starts_with("INSERT INTO t VALUES (1, 'a'), ") ? "" : sql);
    EXPECT_EQ(through.sqlstate(), straight.sqlstate()) << sql;
    EXPECT_EQ(through.error(), straight.error()) << sql;
    EXPECT_EQ(through.rows(), straight.rows()) << sql;
    EXPECT_EQ(through.error_field('D'), straight.error_field('D')) << sql;
    EXPECT_EQ(through.error_field('P'), straight.error_field('P')) << sql;
  }
  const auto bound = session.query("SELECT $1::int + 1, $2::text", {{"41"}, std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.error();
  EXPECT_EQ(bound.value(0, 0), "42");
  EXPECT_EQ(bound.value(0, 1), std::nullopt);
}

TEST_F(GatewayTest, SettingsOfTheStartupPacketHoldFromTheStart) {
  Door door(database);
  PqSession session(
      door.local() +
      "application_name=report client_encoding=LATIN1 options='-c work_mem=9MB -c search_path=a,\\\\ b'");
  ASSERT_TRUE(session.connected()) << session.error();
  EXPECT_EQ(session.parameter_status("application_name"), "report");
  EXPECT_EQ(session.parameter_status("client_encoding"), "LATIN1");
  EXPECT_EQ(session.value("SHOW application_name"), "report");
  EXPECT_EQ(session.value("SHOW work_mem"), "9MB");
  EXPECT_EQ(session.value("SHOW search_path"), "a, b");
  PqSession wrong(door.local() + "options='-c nonsense=1'");
  EXPECT_FALSE(wrong.connected());
  EXPECT_NE(wrong.error().find("unrecognized configuration parameter \"nonsense\""), std::string::npos)
      << wrong.error();
}

TEST_F(GatewayTest, NothingOfAClientIsLeftForTheNext) {
  Door door(database, {.more = "pool = { min = 1, max = 1 }\n"});
  for (int i = 0; i < 3; ++i) {
    PqSession session(door.local());
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_EQ(session.value("SHOW work_mem"), "4MB");
    EXPECT_TRUE(session
                    .execute("SET work_mem = '7MB'; CREATE TEMP TABLE mine (id int); PREPARE mine AS SELECT 1; "
                             "SELECT pg_advisory_lock(1); LISTEN somewhere")
                    .ok());
    EXPECT_EQ(session.value("SELECT count(*) FROM pg_prepared_statements WHERE from_sql"), "1");
  }
}

TEST_F(GatewayTest, ATransactionOfAClientThatVanishesIsRolledBack) {
  Door door(database);
  {
    PqSession session(door.local());
    ASSERT_TRUE(session.connected()) << session.error();
    ASSERT_TRUE(session.execute("BEGIN; INSERT INTO t VALUES (1, 'x')").ok());
  }
  {
    // An implicit transaction without its Sync: tidying up with one would commit it.
    PqSession session(door.local());
    ASSERT_TRUE(session.connected()) << session.error();
    ASSERT_EQ(PQenterPipelineMode(session.handle()), 1);
    ASSERT_EQ(PQsendQueryParams(session.handle(), "INSERT INTO t VALUES (2, 'x')", 0, nullptr, nullptr, nullptr,
                                nullptr, 0),
              1);
    ASSERT_EQ(PQsendFlushRequest(session.handle()), 1);
    ASSERT_EQ(PQflush(session.handle()), 0);
    PGresult* result = PQgetResult(session.handle());
    EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
  }
  {
    // And a COPY without its end.
    PqSession session(door.local());
    ASSERT_TRUE(session.connected()) << session.error();
    PQclear(PQexec(session.handle(), "COPY t FROM STDIN"));
    ASSERT_EQ(PQputCopyData(session.handle(), "3\tx\n", 4), 1);
    ASSERT_EQ(PQflush(session.handle()), 0);
  }
  ASSERT_TRUE(wait_until([&] { return door.status().clients == 0; }));
  ASSERT_TRUE(wait_until([&] {
    return database.query_value(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "state LIKE '%transaction%'") == "0";
  }));
  EXPECT_EQ(database.query_value("SELECT count(*) FROM t"), "0");
}

TEST_F(GatewayTest, CopyGoesBothWays) {
  Door door(database);
  PqSession session(door.tcp("password=hunter2"));
  EXPECT_FALSE(session.connected()) << "nobody may log in over TCP without a user list";
  PqSession local(door.local());
  ASSERT_TRUE(local.connected()) << local.error();
  constexpr int kRows = 100'000;
  // The simple protocol, and the extended one, where libpq sends a Sync that the server ignores.
  for (const bool extended : {false, true}) {
    PQclear(extended ? PQexecParams(local.handle(), "COPY t FROM STDIN", 0, nullptr, nullptr, nullptr, nullptr, 0)
                     : PQexec(local.handle(), "COPY t FROM STDIN"));
    for (int i = 0; i < kRows; ++i) {
      const std::string row = std::to_string(i) + "\tsome text that is a little longer\n";
      ASSERT_EQ(PQputCopyData(local.handle(), row.data(), static_cast<int>(row.size())), 1);
    }
    ASSERT_EQ(PQputCopyEnd(local.handle(), nullptr), 1);
    while (PGresult* result = PQgetResult(local.handle())) {
      EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQresultErrorMessage(result);
      PQclear(result);
    }
    EXPECT_EQ(local.value("SELECT count(*) FROM t"), std::to_string(kRows));
    PQclear(PQexec(local.handle(), "COPY t TO STDOUT"));
    char* row = nullptr;
    int rows = 0;
    while (PQgetCopyData(local.handle(), &row, 0) > 0) {
      ++rows;
      PQfreemem(row);
    }
    EXPECT_EQ(rows, kRows);
    while (PGresult* result = PQgetResult(local.handle())) PQclear(result);
    EXPECT_EQ(local.value("WITH d AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM d"), std::to_string(kRows));
  }
}

TEST_F(GatewayTest, LargeMessagesPassInBothDirections) {
  Door door(database);
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  const std::string large(30'000'000, 'x');
  const auto result = session.query("SELECT length($1), $1", {{large}});
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result.value(0, 0), "30000000");
  EXPECT_EQ(result.value(0, 1), large);
  EXPECT_EQ(session.value("SELECT 1"), "1");
}

TEST_F(GatewayTest, ACancelRequestHitsItsOwnClientOnly) {
  Door door(database, {.users = "\"postgres\" \"hunter2\""});
  PqSession sleeper(door.tcp("password=hunter2"));
  PqSession other(door.tcp("password=hunter2"));
  ASSERT_TRUE(sleeper.connected()) << sleeper.error();
  ASSERT_TRUE(other.connected()) << other.error();
  ASSERT_EQ(PQsendQuery(sleeper.handle(), "SELECT pg_sleep(600)"), 1);
  ASSERT_EQ(PQsendQuery(other.handle(), "SELECT pg_sleep(0.3)"), 1);
  ASSERT_TRUE(wait_until([&] {
    return database.query_value(
               "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND "
               "state = 'active'") == "1";
  }));
  PGcancel* cancel = PQgetCancel(sleeper.handle());
  std::array<char, 256> text{};
  EXPECT_EQ(PQcancel(cancel, text.data(), text.size()), 1) << text.data();
  PQfreeCancel(cancel);
  PGresult* result = PQgetResult(sleeper.handle());
  EXPECT_STREQ(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57014");
  PQclear(result);
  while ((result = PQgetResult(sleeper.handle())) != nullptr) PQclear(result);
  result = PQgetResult(other.handle());
  EXPECT_EQ(PQresultStatus(result), PGRES_TUPLES_OK);
  PQclear(result);
  EXPECT_EQ(sleeper.value("SELECT 1"), "1") << "the session goes on";
  EXPECT_EQ(door.status().cancels, 1U);
}

TEST_F(GatewayTest, PasswordsAreProvedWithScramOrMd5) {
  const std::string md5 = "md5" + *protocol::crypto::md5_hex("hunter2postgres");
  for (const std::string& secret : {std::string("hunter2"), md5}) {
    Door door(database, {.users = "\"postgres\" \"" + secret + "\"\n\"alice\" \"hunter2\""});
    PqSession right(door.tcp("password=hunter2"));
    EXPECT_TRUE(right.connected()) << right.error();
    PqSession wrong(door.tcp("password=hunter3"));
    EXPECT_NE(wrong.error().find("password authentication failed for user \"postgres\""), std::string::npos)
        << wrong.error();
    PqSession nobody(door.tcp("password=hunter2") + "user=nobody");
    EXPECT_NE(nobody.error().find("password authentication failed for user \"nobody\""), std::string::npos)
        << nobody.error();
    PqSession alice(door.tcp("password=hunter2") + "user=alice");
    EXPECT_NE(alice.error().find("role \"alice\" does not exist"), std::string::npos) << alice.error();
    EXPECT_TRUE(wait_until([&] { return door.status().refused == 3; }));
  }
}

TEST_F(GatewayTest, TlsBindsTheLoginToItsChannel) {
  Door door(database, {.users = "\"postgres\" \"hunter2\"", .tls = true});
  const std::string verified = door.tcp("password=hunter2") + "sslmode=verify-full sslrootcert=" + door.files().ca;
  PqSession session(verified + " channel_binding=require");
  ASSERT_TRUE(session.connected()) << session.error();
  EXPECT_TRUE(session.uses_tls());
  EXPECT_EQ(session.value("SELECT repeat('x', 200000)").size(), 200'000U);
  PqSession plain(door.tcp("password=hunter2 sslmode=disable"));
  EXPECT_TRUE(plain.connected()) << plain.error();
  PqSession local(door.local());
  EXPECT_TRUE(local.connected()) << local.error();
}

TEST_F(GatewayTest, OneClientTooManyIsToldSo) {
  Door door(database, {.change = [](GatewaySettings& settings) { settings.max_clients = 1; }});
  PqSession first(door.local());
  ASSERT_TRUE(first.connected()) << first.error();
  PqSession second(door.local());
  EXPECT_FALSE(second.connected());
  EXPECT_NE(second.error().find("no more connections allowed (max_client_conn)"), std::string::npos)
      << second.error();
  EXPECT_NE(second.error().find("max_clients is 1"), std::string::npos) << second.error();
  EXPECT_EQ(first.value("SELECT 1"), "1");
}

TEST_F(GatewayTest, ALostSessionIsSaidAndTheClientIsEnded) {
  Door door(database);
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  const std::string pid = session.value("SELECT pg_backend_pid()");
  ASSERT_EQ(PQsendQuery(session.handle(), "SELECT pg_sleep(600)"), 1);
  database.execute("SELECT pg_terminate_backend(" + pid + ")");
  const switchyard::testing::PqResult result(PQgetResult(session.handle()));
  EXPECT_EQ(result.sqlstate(), "57P01") << result.error();
  while (PGresult* more = PQgetResult(session.handle())) PQclear(more);
  EXPECT_EQ(PQstatus(session.handle()), CONNECTION_BAD);
  PqSession next(door.local());
  EXPECT_TRUE(next.connected()) << next.error();
}

TEST_F(GatewayTest, ClosingTellsTheClients) {
  Door door(database);
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  ASSERT_EQ(PQsendQuery(session.handle(), "SELECT pg_sleep(600)"), 1);
  door.close();
  const switchyard::testing::PqResult result(PQgetResult(session.handle()));
  EXPECT_EQ(result.sqlstate(), "57P01") << result.error();
}

TEST_F(GatewayTest, NotificationsNameTheirSenderAsItKnowsItself) {
  Door door(database);
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  ASSERT_TRUE(session.execute("LISTEN c; NOTIFY c, 'hello'").ok());
  PGnotify* heard = PQnotifies(session.handle());
  ASSERT_NE(heard, nullptr);
  EXPECT_EQ(heard->be_pid, session.backend_pid());
  EXPECT_STREQ(heard->extra, "hello");
  PQfreemem(heard);
}

/// A plain socket to the gateway.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(fd_); }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// Everything up to the gateway's close.
  std::string rest() const {
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
      const ssize_t size = ::recv(fd_, piece.data(), piece.size(), 0);
      if (size <= 0) return all;
      all.append(piece.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  int fd_;
};

std::string startup() {
  return protocol::testing::encoded(
      protocol::StartupMessage{protocol::kProtocol30, {{"user", "postgres"}, {"database", "main"}}});
}

TEST_F(GatewayTest, MalformedBeginningsHurtNobody) {
  Door door(database, {.users = "\"postgres\" \"hunter2\"", .tls = true});
  PqSession healthy(door.local());
  ASSERT_TRUE(healthy.connected()) << healthy.error();
  const std::string ssl = protocol::testing::encoded(protocol::SslRequest());
  const std::string beginnings[] = {"GET / HTTP/1.1\r\n\r\n",
                                    std::string("\0\0\0\4", 4),
                                    std::string("\xff\xff\xff\xff", 4),
                                    ssl + "garbage",
                                    std::string("\x16\x03\x01\x00\x05xxxxx", 10),
                                    startup() + "Qxxxx",
                                    protocol::testing::encoded(protocol::CancelRequest{1, "abcd"})};
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 100; ++i) {
    for (const std::string& bytes : beginnings) {
      const RawClient client(door.port());
      client.send(bytes);
      if (i % 10 == 0) (void)client.rest();
    }
    // And some that never go on.
    if (i % 10 == 0) {
      silent.push_back(std::make_unique<RawClient>(door.port()));
      silent.back()->send(startup().substr(0, static_cast<std::size_t>(i) / 10));
    }
    EXPECT_EQ(healthy.value("SELECT 1"), "1");
  }
  silent.clear();
  EXPECT_TRUE(wait_until([&] { return door.status().clients == 1; }));
  PqSession another(door.tcp("password=hunter2"));
  EXPECT_TRUE(another.connected()) << another.error();
}

TEST_F(GatewayTest, WhoTakesTooLongToLogInIsEnded) {
  Door door(database, {.change = [](GatewaySettings& settings) { settings.login_timeout = 50ms; }});
  const RawClient client(door.port());
  EXPECT_NE(client.rest().find("canceling authentication due to timeout"), std::string::npos);
}

TEST_F(GatewayTest, AMessageThatDoesNotExistEndsItsClientOnly) {
  Door door(database);
  PqSession healthy(door.local());
  ASSERT_TRUE(healthy.connected()) << healthy.error();
  const std::string path = door.folder() + "/.s.PGSQL." + std::to_string(kDoorPort);
  for (const char* message : {"*\0\0\0\4", "p\0\0\0\4", "S\0\0\0\3", "S\x7f\0\0\0"}) {
    const RawClient client(path);
    client.send(startup() + std::string(message, 5));
    EXPECT_NE(client.rest().find("08P01"), std::string::npos) << message[0];
  }
  EXPECT_EQ(healthy.value("SELECT 1"), "1");
}

TEST_F(GatewayTest, ASlowReaderHoldsItsServerUpAndNobodyElse) {
  Door door(database);
  PqSession slow(door.local());
  PqSession other(door.local());
  ASSERT_TRUE(slow.connected()) << slow.error();
  ASSERT_EQ(PQsendQuery(slow.handle(), "SELECT repeat('x', 1000) FROM generate_series(1, 200000)"), 1);
  ASSERT_EQ(PQsetSingleRowMode(slow.handle()), 1);
  ASSERT_TRUE(wait_until([&] {
    return database.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'") == "1";
  }));
  EXPECT_EQ(other.value("SELECT 1"), "1");
  int rows = 0;
  while (PGresult* result = PQgetResult(slow.handle())) {
    rows += PQntuples(result);
    PQclear(result);
  }
  EXPECT_EQ(rows, 200'000);
}

TEST_F(GatewayTest, PsqlWorks) {
  Door door(database);
  const auto [said, ok] =
      door.psql("main",
                "-c 'CREATE TABLE p (a int)' -c \"\\copy p from program 'seq 1000'\" -c '\\d p' "
                "-c 'SELECT sum(a) FROM p' -c \"\\copy p to '/dev/null'\"");
  EXPECT_TRUE(ok);
  EXPECT_EQ(said, "CREATE TABLE\nCOPY 1000\na|integer|||\n500500\nCOPY 1000\n");
}

TEST_F(GatewayTest, AReloadMayTakeTlsAwayFromThoseWhoHaveNotAskedForItYet) {
  Door door(database, {.tls = true});
  const int early = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(door.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(early, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(wait_until([&] { return door.status().clients == 1; }));
  door.reload([](GatewaySettings& settings) { settings.tls.reset(); });
  constexpr std::array<unsigned char, 8> kSslRequest{0, 0, 0, 8, 4, 210, 22, 47};
  ASSERT_EQ(::send(early, kSslRequest.data(), kSslRequest.size(), 0), 8);
  std::array<char, 16> answer{};
  while (::recv(early, answer.data(), answer.size(), 0) > 0) {
  }
  ::close(early);
  PqSession session(door.local());
  EXPECT_TRUE(session.connected()) << session.error();
}

}  // namespace
}  // namespace switchyard::gateway
