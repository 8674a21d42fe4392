// Who gets in, and as whom: rules, users of the list and of the server, certificates, roles, limits.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/configure.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::CertificateFiles;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::TlsFiles;
using switchyard::testing::wait_until;

/// How the gateway reaches the server.
enum class Way : std::uint8_t {
  trusted,  ///< by the Unix-domain socket: the server believes everybody
  proven,   ///< by TCP: the server wants SCRAM of everybody
};

/// A gateway as a fleet file configures it, on a thread of its own.
class ConfiguredDoor {
 public:
  ConfiguredDoor(const TestDatabase& database, const std::string& gateway, Way way = Way::trusted,
                 const std::string& of_main = {}) {
    text_ = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" +
            (way == Way::trusted ? database.endpoint() : database.tcp_endpoint()).uri() +
            "\"\npool = { min = 0, max = 5 }\n" + of_main + "[gateway]\nlisten = [\"127.0.0.1:0\"]\n";
    std::promise<std::uint16_t> opened;
    auto port = opened.get_future();
    thread_ = std::thread([this, gateway, &opened] { shard_.run_until_complete(serve(gateway, opened)); });
    port_ = port.get();
  }
  ~ConfiguredDoor() {
    shard_.post([this] { stop_ = true; });
    thread_.join();
  }
  [[nodiscard]] std::string as(const std::string& user, const std::string& more = {}) const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=main user=" + user + " " + more;
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  GatewayStatus status() {
    std::promise<GatewayStatus> asked;
    shard_.post([&] { asked.set_value(gateway_->status()); });
    return asked.get_future().get();
  }
  void reload(const std::string& gateway) {
    std::promise<void> done;
    shard_.post([&] {
      gateway_->reload(settings(gateway));
      done.set_value();
    });
    done.get_future().get();
  }

 private:
  FleetConfig config(const std::string& gateway) const {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = text_ + gateway;
    return load_config(sources).value_or_throw();
  }
  GatewaySettings settings(const std::string& gateway) const {
    return gateway_settings(config(gateway)).value_or_throw();
  }
  Task<void> serve(std::string gateway, std::promise<std::uint16_t>& opened) {
    auto fleet = Fleet::open(config(gateway)).value_or_throw();
    gateway_ = Gateway::open(*fleet, settings(gateway)).value_or_throw();
    opened.set_value(gateway_->addresses().back().port());
    while (!stop_) co_await sleep(5ms);
    gateway_.reset();
    co_await fleet->close();
  }

  std::string text_;
  runtime::Shard shard_;
  std::unique_ptr<Gateway> gateway_;
  bool stop_ = false;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    drop_roles();
    database.execute(
        "SET password_encryption = 'scram-sha-256'; CREATE ROLE door_a LOGIN PASSWORD 'secret a'; "
        "CREATE ROLE door_b LOGIN PASSWORD 'secret b'; CREATE TABLE of_a (x int); GRANT SELECT ON of_a TO door_a");
  }
  ~AccessTest() override { drop_roles(); }
  void drop_roles() {
    for (const char* role : {"door_a", "door_b"}) {
      if (database.query_value("SELECT count(*) FROM pg_roles WHERE rolname = '" + std::string(role) + "'") ==
          "0") {
        continue;
      }
      database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" +
                       std::string(role) + "'");
      database.execute("DROP OWNED BY " + std::string(role) + "; DROP ROLE " + std::string(role));
    }
  }
  /// A file with these lines, for as long as the test runs.
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder.file(name)) << text;
    return folder.file(name);
  }
  std::string users(const std::string& text) { return "users_file = \"" + file("users.txt", text) + "\"\n"; }

  TempFolder folder;
  TestDatabase database;
};

void expect_refused(const std::string& connection, const std::string& words) {
  PqSession session(connection);
  EXPECT_FALSE(session.connected());
  EXPECT_NE(session.error().find(words), std::string::npos) << session.error();
}

/// What a client that is ended without having asked for anything is told: libpq takes that for a notice.
class LastWords {
 public:
  explicit LastWords(PqSession& session) : session_(session) {
    PQsetNoticeProcessor(
        session.handle(), [](void* to, const char* text) { *static_cast<std::string*>(to) += text; }, &said_);
  }
  /// Waits for the end.
  const std::string& wait() {
    EXPECT_TRUE(wait_until([&] {
      if (PQconsumeInput(session_.handle()) == 1 && said_.empty()) return false;
      said_ += session_.execute("SELECT 1").error();
      return true;
    }));
    return said_;
  }

 private:
  PqSession& session_;
  std::string said_;
};

// ---- roles ----

TEST_F(AccessTest, AClientActsAsTheRoleItLogsInAs) {
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\n");
  PqSession a(door.as("door_a"));
  PqSession b(door.as("door_b"));
  PqSession own(door.as("postgres"));
  ASSERT_TRUE(a.connected()) << a.error();
  ASSERT_TRUE(b.connected()) << b.error();
  ASSERT_TRUE(own.connected()) << own.error();
  EXPECT_EQ(a.value("SELECT session_user || ' ' || current_user"), "door_a door_a");
  EXPECT_EQ(b.value("SELECT session_user || ' ' || current_user"), "door_b door_b");
  EXPECT_EQ(own.value("SELECT session_user"), "postgres");
  a.execute("RESET ROLE; RESET SESSION AUTHORIZATION");
  EXPECT_EQ(a.value("SELECT current_user"), "door_a");
  EXPECT_EQ(a.value("SELECT count(*) FROM of_a"), "0");
  EXPECT_EQ(b.execute("SELECT count(*) FROM of_a").sqlstate(), "42501");
  EXPECT_EQ(door.status().roles, 2u);
  expect_refused(door.as("door_c"), "role \"door_c\" does not exist");
}

TEST_F(AccessTest, WhoLogsInAsTheRoleThatReadsDoesNotWriteAsTheOneThatWrites) {
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\n", Way::trusted,
                      "read_only = true\nwrite_user = \"door_a\"\n");
  for (const char* role : {"postgres", "door_a"}) {
    PqSession session(door.as(role));
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_EQ(session.value("SELECT session_user"), role);
    EXPECT_TRUE(session.execute("BEGIN").ok());
    EXPECT_EQ(session.value("SELECT session_user"), role);
    EXPECT_TRUE(session.execute("COMMIT").ok());
  }
}

TEST_F(AccessTest, RolesShareNothingHoweverManyClientsReadAtOneTime) {
  database.execute(
      "CREATE TABLE mine (owner name, x int); INSERT INTO mine SELECT r, g FROM unnest(ARRAY['door_a', 'door_b']) "
      "r, "
      "generate_series(1, 3) g; ALTER TABLE mine ENABLE ROW LEVEL SECURITY; "
      "CREATE POLICY own ON mine USING (owner = current_user); GRANT SELECT ON mine TO door_a, door_b");
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\n");
  constexpr int kClients = 4;
  constexpr int kReads = 150;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2 * kClients; ++i) {
    threads.emplace_back([&, role = std::string(i % 2 == 0 ? "door_a" : "door_b")] {
      PqSession session(door.as(role));
      for (int read = 0; read < kReads; ++read) {
        const auto seen = session.query("SELECT owner, current_user, session_user FROM mine WHERE x = 2");
        const bool right = seen.ok() && seen.rows() == 1 && seen.value(0, 0) == role && seen.value(0, 1) == role &&
                           seen.value(0, 2) == role;
        if (!right) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(AccessTest, ThereAreNoMorePoolsOfRolesThanAllowed) {
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\nrole_pools = 1\nrole_pool_max = 2\n");
  {
    PqSession a(door.as("door_a"));
    ASSERT_TRUE(a.connected()) << a.error();
    expect_refused(door.as("door_b"), "gateway.role_pools");
  }
  // When nobody uses it any more it makes room.
  EXPECT_TRUE(wait_until([&] { return PqSession(door.as("door_b")).connected(); }));
}

TEST_F(AccessTest, ThePasswordOfTheListLogsInToTheServer) {
  ConfiguredDoor door(database, users("\"door_a\" \"secret a\"\n\"door_b\" \"something else\"\n"), Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  ASSERT_TRUE(a.connected()) << a.error();
  EXPECT_EQ(a.value("SELECT session_user"), "door_a");
  expect_refused(door.as("door_a", "password='secret b'"), "password authentication failed for user \"door_a\"");
  expect_refused(door.as("door_b", "password='something else'"),
                 "password authentication failed for user \"door_b\"");
}

TEST_F(AccessTest, TheServersOwnVerifierPassesALoginThrough) {
  const std::string verifier = database.query_value("SELECT rolpassword FROM pg_authid WHERE rolname = 'door_a'");
  ConfiguredDoor door(database, users("\"door_a\" \"" + verifier + "\"\n"), Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  ASSERT_TRUE(a.connected()) << a.error();
  EXPECT_EQ(a.value("SELECT session_user"), "door_a");
  expect_refused(door.as("door_a", "password='secret b'"), "password authentication failed for user \"door_a\"");
}

TEST_F(AccessTest, WithoutAPasswordForTheServerTheLoginSaysWhatIsMissing) {
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\n", Way::proven);
  expect_refused(door.as("door_a"), "the gateway has no password to log in to the server as \"door_a\"");
}

TEST_F(AccessTest, APasswordInTheClearServesForTheServerAsWell) {
  const std::string md5 = database.query_value("SELECT 'md5' || md5('secret a' || 'door_a')");
  ConfiguredDoor door(database,
                      "hba = [\"host all all 127.0.0.1/32 password\"]\n" + users("\"door_a\" \"" + md5 + "\"\n"),
                      Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  ASSERT_TRUE(a.connected()) << a.error();
  EXPECT_EQ(a.value("SELECT session_user"), "door_a");
  expect_refused(door.as("door_a", "password='secret b'"), "password authentication failed");
  expect_refused(door.as("door_b", "password='secret b'"), "password authentication failed");
}

TEST_F(AccessTest, APauseHoldsForEveryRole) {
  ConfiguredDoor door(database,
                      "hba = [\"host all all 127.0.0.1/32 trust\"]\nadmin_users = [\"postgres\"]\n"
                      "query_wait_timeout = \"200ms\"\n");
  PqSession console("host=127.0.0.1 port=" + std::to_string(door.port()) + " dbname=switchyard user=postgres");
  ASSERT_TRUE(console.connected()) << console.error();
  PqSession a(door.as("door_a"));
  ASSERT_TRUE(a.connected()) << a.error();
  EXPECT_TRUE(a.execute("CREATE TEMP TABLE t (x int); DROP TABLE t").ok());
  ASSERT_TRUE(console.execute("PAUSE").ok()) << console.error();
  EXPECT_EQ(database.query_value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'door_a'"), "0");
  EXPECT_FALSE(a.execute("SELECT txid_current()").ok());
  EXPECT_FALSE(PqSession(door.as("door_b")).connected()) << "nor for one that comes only now";
  ASSERT_TRUE(console.execute("RESUME").ok()) << console.error();
  EXPECT_TRUE(a.execute("SELECT txid_current()").ok());
  EXPECT_TRUE(PqSession(door.as("door_b")).connected());
}

// ---- users of the server ----

constexpr const char* kAsks = "auth_user = \"postgres\"\nauth_cache = \"100ms\"\n";

TEST_F(AccessTest, UsersAreLookedUpOnTheServer) {
  ConfiguredDoor door(database, kAsks, Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  ASSERT_TRUE(a.connected()) << a.error();
  EXPECT_EQ(a.value("SELECT session_user"), "door_a");
  expect_refused(door.as("door_a", "password='secret b'"), "password authentication failed for user \"door_a\"");
  expect_refused(door.as("door_c", "password='secret a'"), "password authentication failed for user \"door_c\"");
  database.execute("ALTER ROLE door_a PASSWORD 'another'");
  EXPECT_TRUE(wait_until([&] { return PqSession(door.as("door_a", "password=another")).connected(); }));
  database.execute("ALTER ROLE door_a VALID UNTIL '2001-01-01'");
  EXPECT_TRUE(wait_until([&] { return !PqSession(door.as("door_a", "password=another")).connected(); }));
}

TEST_F(AccessTest, ARoleThatMayNotLogInAnyMoreLosesItsClients) {
  ConfiguredDoor door(database, kAsks, Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  PqSession b(door.as("door_b", "password='secret b'"));
  ASSERT_TRUE(a.connected()) << a.error();
  ASSERT_TRUE(b.connected()) << b.error();
  LastWords words(a);
  database.execute("ALTER ROLE door_a NOLOGIN");
  EXPECT_NE(words.wait().find("is no longer permitted to log in"), std::string::npos) << words.wait();
  EXPECT_EQ(b.value("SELECT 1"), "1");
}

TEST_F(AccessTest, AQueryOfOnesOwnIsAskedWithNothingButTheCatalogueInSight) {
  // A function that shadows one of the catalogue, where the client's database would find it first.
  database.execute(
      "CREATE FUNCTION public.lookup(text, OUT text, OUT text) LANGUAGE sql SECURITY DEFINER AS "
      "$$SELECT usename::text, passwd FROM pg_shadow WHERE usename = $1$$; "
      "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'door_b'$$; "
      "ALTER DATABASE \"" +
      database.name() + "\" SET search_path TO public, pg_catalog");
  ConfiguredDoor door(database, std::string(kAsks) + "auth_query = \"SELECT * FROM public.lookup(lower($1))\"\n",
                      Way::proven);
  PqSession a(door.as("door_a", "password='secret a'"));
  EXPECT_TRUE(a.connected()) << a.error();
}

TEST_F(AccessTest, WhenTheServerCanNotBeAskedNobodyIsLetIn) {
  ConfiguredDoor door(database,
                      std::string(kAsks) + "auth_query = \"SELECT nothing FROM nowhere WHERE $1 = ''\"\n");
  expect_refused(door.as("door_a", "password='secret a'"), "the gateway could not look up user \"door_a\"");
}

// ---- rules ----

TEST_F(AccessTest, TheFirstRuleThatFitsDecidesAndRefusalsReadLikeTheServers) {
  ConfiguredDoor door(database,
                      "hba = [\"host main door_b all reject\", \"hostssl all postgres all trust\", "
                      "\"host all door_a 127.0.0.1/32 trust\"]\n");
  expect_refused(door.as("door_b"),
                 "FATAL:  pg_hba.conf rejects connection for host \"127.0.0.1\", user \"door_b\", database "
                 "\"main\", no encryption");
  expect_refused(door.as("postgres"),
                 "FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"postgres\", database \"main\", no "
                 "encryption");
  EXPECT_TRUE(PqSession(door.as("door_a")).connected());
  // By whatever name it is called.
  PqSession physical("host=127.0.0.1 port=" + std::to_string(door.port()) +
                     " user=door_b dbname=" + database.name());
  EXPECT_NE(physical.error().find("rejects connection"), std::string::npos) << physical.error();
  door.reload("hba = [\"host all all all trust\"]\n");
  EXPECT_TRUE(PqSession(door.as("door_b")).connected());
}

TEST_F(AccessTest, NoSpellingOfASchemaLeadsAroundARule) {
  database.execute("CREATE SCHEMA secret");
  ConfiguredDoor door(database,
                      "hba = [\"host secret all all reject\", \"host all all all trust\"]\n[database.secret]\n"
                      "dsn = \"" +
                          database.endpoint().uri() + "\"\nschema = \"secret\"\n");
  const std::string place = "host=127.0.0.1 port=" + std::to_string(door.port()) + " user=postgres dbname=";
  for (const char* options : {"-c search_path=secret", "--search-path=secret", R"(-csearch_path=\\"secret\\")"}) {
    expect_refused(place + database.name() + " options='" + options + "'", "pg_hba.conf rejects connection");
  }
  expect_refused(place + "secret", "pg_hba.conf rejects connection");
}

TEST_F(AccessTest, ACertificateNamesItsUser) {
  TlsFiles files;
  const CertificateFiles a = files.authority().issue("door_a", {.common_name = "door_a", .alternative_names = {}});
  const CertificateFiles b = files.authority().issue("door_b", {.common_name = "door_b", .alternative_names = {}});
  const std::string tls = "tls_certificate = \"" + files.server.certificate + "\"\ntls_key = \"" +
                          files.server.key + "\"\ntls_client_ca = \"" + files.authority().certificate_file() +
                          "\"\n";
  ConfiguredDoor door(database, tls + users("\"postgres\" \"hunter2\"\n") +
                                    "hba = [\"hostssl all postgres all scram-sha-256 clientcert=verify-ca\", "
                                    "\"hostssl all all all cert\"]\n");
  const auto with = [](const CertificateFiles& one) {
    return "sslmode=require sslcert=" + one.certificate + " sslkey=" + one.key + " ";
  };
  PqSession own(door.as("door_a", with(a)));
  ASSERT_TRUE(own.connected()) << own.error();
  EXPECT_EQ(own.value("SELECT session_user"), "door_a");
  expect_refused(door.as("door_b", with(a)), "certificate authentication failed for user \"door_b\"");
  EXPECT_TRUE(PqSession(door.as("door_b", with(b))).connected());
  expect_refused(door.as("door_a", "sslmode=require sslcert=none"),
                 "connection requires a valid client certificate");
  expect_refused(door.as("postgres", "sslmode=require sslcert=none password=hunter2"),
                 "connection requires a valid client certificate");
  PqSession both(door.as("postgres", with(a) + "password=hunter2"));
  EXPECT_TRUE(both.connected()) << both.error();
  expect_refused(door.as("postgres", with(a) + "password=hunter3"), "password authentication failed");
}

// ---- TLS ----

/// One connection of plain OpenSSL, after an SSLRequest; gives the session's ticket back.
SSL_SESSION* connect_tls(std::uint16_t port, SSL_CTX* context, SSL_SESSION* session, bool& resumed) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const unsigned char request[] = {0, 0, 0, 8, 4, 210, 22, 47};
  EXPECT_EQ(::write(fd, request, sizeof(request)), 8);
  char answer = 0;
  EXPECT_EQ(::read(fd, &answer, 1), 1);
  EXPECT_EQ(answer, 'S');
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (session != nullptr) SSL_set_session(ssl, session);
  EXPECT_EQ(SSL_connect(ssl), 1);
  resumed = SSL_session_reused(ssl) == 1;
  // The ticket comes behind the handshake: an answer to something has to be read.
  const unsigned char nonsense[] = {0, 0, 0, 8, 0, 9, 0, 0};
  EXPECT_EQ(SSL_write(ssl, nonsense, sizeof(nonsense)), 8);
  char error[512];
  EXPECT_GT(SSL_read(ssl, error, sizeof(error)), 0);
  SSL_SESSION* out = SSL_get1_session(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  ::close(fd);
  return out;
}

TEST_F(AccessTest, ATlsSessionIsResumedByItsTicketUntilTheCertificateIsReadAgain) {
  TlsFiles files;
  const std::string tls =
      "tls_certificate = \"" + files.server.certificate + "\"\ntls_key = \"" + files.server.key + "\"\n";
  ConfiguredDoor door(database, tls);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(context, version);
    bool resumed = true;
    SSL_SESSION* first = connect_tls(door.port(), context, nullptr, resumed);
    EXPECT_FALSE(resumed);
    SSL_SESSION* second = connect_tls(door.port(), context, first, resumed);
    EXPECT_TRUE(resumed) << version;
    door.reload(tls);
    SSL_SESSION_free(connect_tls(door.port(), context, second, resumed));
    EXPECT_FALSE(resumed) << version;
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
  }
  SSL_CTX_free(context);
}

// ---- limits ----

TEST_F(AccessTest, LimitsOfUsersAndDatabasesAreSaidInPgBouncersWords) {
  ConfiguredDoor door(
      database,
      "hba = [\"host all all 127.0.0.1/32 trust\"]\ndatabase_max_clients = 3\nuser_max_clients = 2\n"
      "[gateway.user.door_b]\nmax_clients = 1\n");
  PqSession one(door.as("postgres"));
  PqSession two(door.as("postgres"));
  ASSERT_TRUE(one.connected() && two.connected()) << two.error();
  expect_refused(door.as("postgres"), "client connections exceeded (max_user_client_connections)");
  {
    PqSession b(door.as("door_b"));
    ASSERT_TRUE(b.connected()) << b.error();
    expect_refused(door.as("door_b"), "client connections exceeded (max_db_client_connections)");
  }
  EXPECT_TRUE(wait_until([&] { return PqSession(door.as("door_b")).connected(); }))
      << "who has left counts no more";
}

TEST_F(AccessTest, WhoWaitsTooLongForASessionIsToldInPgBouncersWords) {
  ConfiguredDoor door(database,
                      "hba = [\"host all all 127.0.0.1/32 trust\"]\nrole_pool_max = 1\n"
                      "query_wait_timeout = \"200ms\"\n");
  PqSession one(door.as("door_a"));
  PqSession two(door.as("door_a"));
  ASSERT_TRUE(one.connected() && two.connected()) << two.error();
  ASSERT_TRUE(one.execute("BEGIN").ok());
  const auto waited = two.execute("SELECT txid_current()");
  EXPECT_NE(waited.error().find("query_wait_timeout"), std::string::npos) << waited.error();
  EXPECT_EQ(waited.sqlstate(), "53300");
  ASSERT_TRUE(one.execute("COMMIT").ok());
  EXPECT_TRUE(two.execute("SELECT txid_current()").ok()) << "it may wait again";
}

TEST_F(AccessTest, WhoAsksForNothingForTooLongIsEnded) {
  ConfiguredDoor door(database,
                      "hba = [\"host all all 127.0.0.1/32 trust\"]\nclient_idle_timeout = \"2500ms\"\n"
                      "idle_transaction_timeout = \"500ms\"\n");
  PqSession idle(door.as("postgres"));
  PqSession open(door.as("postgres"));
  PqSession at_work(door.as("postgres"));
  ASSERT_TRUE(idle.connected() && open.connected() && at_work.connected()) << at_work.error();
  ASSERT_TRUE(open.execute("BEGIN; CREATE TEMP TABLE t (x int)").ok());
  LastWords of_idle(idle);
  LastWords of_open(open);
  EXPECT_EQ(at_work.value("SELECT 'slept' FROM pg_sleep(2)"), "slept") << "it waits for an answer, it is not idle";
  EXPECT_EQ(at_work.value("BEGIN; SELECT 'slept' FROM pg_sleep(2); COMMIT; SELECT 'x'"), "x");
  EXPECT_NE(of_open.wait().find("idle transaction timeout"), std::string::npos) << of_open.wait();
  EXPECT_NE(of_idle.wait().find("client_idle_timeout"), std::string::npos) << of_idle.wait();
  EXPECT_EQ(at_work.value("SELECT 1"), "1");
}

TEST_F(AccessTest, AnAddressThatAsksToCancelTooOftenIsNotHeard) {
  ConfiguredDoor door(database, "hba = [\"host all all 127.0.0.1/32 trust\"]\ncancel_rate = 2\n");
  PqSession session(door.as("postgres"));
  ASSERT_TRUE(session.connected()) << session.error();
  PGcancel* cancel = PQgetCancel(session.handle());
  char error[256];
  for (int i = 0; i < 5; ++i) PQcancel(cancel, error, sizeof(error));
  PQfreeCancel(cancel);
  EXPECT_TRUE(wait_until([&] { return door.status().cancels + door.status().unknown_cancels == 5; }));
  EXPECT_GE(door.status().unknown_cancels, 1u);
  EXPECT_GE(door.status().cancels, 2u);
  EXPECT_EQ(session.value("SELECT 1"), "1");
}

}  // namespace
}  // namespace switchyard::gateway
