// Which server a connection string leads to, with libpq as the judge.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/scripted_server.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <tests/support/gate.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/un.h>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::ServerEndpoint;
using embedded::TestCluster;
using embedded::TestDatabase;
using session::testing::Peer;
using session::testing::plan_for;
using session::testing::ScriptedServer;
using session::testing::SingleSession;
using switchyard::testing::Gate;
using switchyard::testing::GateDoor;
using switchyard::testing::GateTarget;
using switchyard::testing::PqSession;

/// What came of a connection string: the answer to `question`, or the error.
struct Answer {
  std::string value;
  std::optional<Error> error;
};

Answer ours(runtime::Shard& shard, std::shared_ptr<session::ConnectPlan> plan, const std::string& question) {
  Answer out;
  shard.run_until_complete(
      [](std::shared_ptr<session::ConnectPlan> to, std::string sql, Answer& into) -> Task<void> {
        auto opened = co_await session::Session::open(to, deadline_after(runtime::now(), 10s));
        if (!opened.ok()) {
          into.error = opened.error();
          co_return;
        }
        SingleSession db(std::move(*opened));
        into.value = co_await db.query_value<std::string>(sql);
      }(std::move(plan), question, out));
  return out;
}
Answer ours(runtime::Shard& shard, const std::string& keywords, const std::string& question = "SELECT 'yes'") {
  return ours(shard, plan_for(keywords), question);
}

/// "no: <error>" when libpq does not connect.
std::string libpq(const std::string& keywords, const std::string& question) {
  PqSession session(keywords);
  return session.connected() ? session.value(question) : "no: " + session.error();
}

/// "host=A,B port=1,2 user=... dbname=... password=..."
std::string hosts_of(const std::vector<ServerEndpoint>& endpoints, const std::string& more = "") {
  std::string hosts;
  std::string ports;
  for (const ServerEndpoint& endpoint : endpoints) {
    hosts += (hosts.empty() ? "" : ",") + endpoint.host;
    ports += (ports.empty() ? "" : ",") + std::to_string(endpoint.port);
  }
  return "host=" + hosts + " port=" + ports + " user=" + endpoints.front().user +
         " dbname=" + endpoints.front().database + " " + more;
}

/// The endpoint as it is reached through a gate.
ServerEndpoint behind(const Gate& gate, ServerEndpoint endpoint) {
  endpoint.host = "127.0.0.1";
  endpoint.port = gate.port();
  return endpoint;
}

/// A server from before 14, or a pooler: it does not report its role. Connections are served one after the other.
class SilentAboutItsRole {
 public:
  explicit SilentAboutItsRole(const ServerEndpoint& behind)
      : path_(behind.host + "/.s.PGSQL." + std::to_string(behind.port)),
        server_([this](Peer& client) { relay(client); }) {}
  [[nodiscard]] ServerEndpoint endpoint(ServerEndpoint like) const {
    like.host = "127.0.0.1";
    like.port = server_.port();
    return like;
  }

 private:
  void relay(Peer& client) const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    std::atomic<bool> never{false};
    const Peer upstream(fd, never);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
    std::string pending;
    for (;;) {
      const std::string asked = client.receive();
      if (asked.empty()) return;
      upstream.send(asked);
      for (bool waiting = true; waiting;) {
        const std::string more = upstream.receive();
        if (more.empty()) return;
        pending += more;
        while (pending.size() >= 5) {
          const auto length = static_cast<std::size_t>(base::load_be<std::int32_t>(pending.data() + 1)) + 1;
          if (pending.size() < length) break;
          const std::string one = pending.substr(0, length);
          pending.erase(0, length);
          const bool role =
              one[0] == 'S' && (one.find("in_hot_standby") == 5 || one.find("default_transaction_read_only") == 5);
          if (!role) client.send(one);
          if (one[0] == 'Z') waiting = !pending.empty();
        }
      }
    }
  }
  std::string path_;
  ScriptedServer server_;
};

class SessionHosts : public ::testing::Test {
 protected:
  ServerEndpoint primary() const { return database.endpoint(); }
  ServerEndpoint replica() const {
    TestCluster::replica().catch_up(TestCluster::shared().primary()).value_or_throw();
    return TestCluster::replica().endpoint(database.name());
  }
  GateTarget target() const { return GateTarget::unix_socket(primary().host, primary().port); }
  TestDatabase database;
  runtime::Shard shard;
};

constexpr const char* kAttributes[] = {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"};
constexpr const char* kRecovery = "SELECT pg_is_in_recovery()::text";

TEST_F(SessionHosts, TargetSessionAttrsChooseAsLibpqDoes) {
  const ServerEndpoint writer = primary();
  const ServerEndpoint reader = replica();
  const std::vector<std::vector<ServerEndpoint>> lists{{writer, reader}, {reader, writer}, {writer}, {reader}};
  for (const char* state : {"off", "on"}) {
    database.execute("ALTER DATABASE " + database.name() + " SET default_transaction_read_only = " + state);
    TestCluster::replica().catch_up(TestCluster::shared().primary()).value_or_throw();
    for (const auto& list : lists) {
      for (const char* wanted : kAttributes) {
        const std::string keywords = hosts_of(list, "target_session_attrs=" + std::string(wanted));
        const std::string theirs = libpq(keywords, kRecovery);
        const Answer mine = ours(shard, keywords, kRecovery);
        EXPECT_EQ(mine.error.has_value(), theirs.starts_with("no: ")) << keywords << theirs;
        if (!mine.error) EXPECT_EQ(mine.value, theirs) << keywords;
        if (mine.error) EXPECT_EQ(mine.error->kind(), ErrorKind::Unavailable) << mine.error->what();
      }
    }
  }
}

TEST_F(SessionHosts, AServerThatDoesNotReportItsRoleIsAsked) {
  const ServerEndpoint writer = primary();
  const ServerEndpoint reader = replica();
  const SilentAboutItsRole silent_writer(writer);
  const SilentAboutItsRole silent_reader(reader);
  for (const char* state : {"off", "on"}) {
    database.execute("ALTER DATABASE " + database.name() + " SET default_transaction_read_only = " + state);
    TestCluster::replica().catch_up(TestCluster::shared().primary()).value_or_throw();
    for (const char* wanted : kAttributes) {
      for (const bool reader_first : {false, true}) {
        const ServerEndpoint first = reader_first ? silent_reader.endpoint(reader) : silent_writer.endpoint(writer);
        const ServerEndpoint second =
            reader_first ? silent_writer.endpoint(writer) : silent_reader.endpoint(reader);
        const std::string keywords =
            hosts_of({first, second}, "sslmode=disable target_session_attrs=" + std::string(wanted));
        const std::string theirs = libpq(keywords, kRecovery);
        const Answer mine = ours(shard, keywords, kRecovery);
        EXPECT_EQ(mine.error.has_value(), theirs.starts_with("no: "))
            << keywords << theirs << (mine.error ? mine.error->what() : "");
        if (!mine.error) EXPECT_EQ(mine.value, theirs) << keywords;
      }
    }
  }
}

/// Sessions that we ourselves start read-only are still sessions of a server that can be written to.
TEST_F(SessionHosts, AReadOnlySessionOfOursFindsAReadWriteServer) {
  auto plan = plan_for(hosts_of({replica(), primary()}, "target_session_attrs=read-write"));
  plan->parameters.emplace_back("default_transaction_read_only", "on");
  const Answer answer = ours(shard, plan, kRecovery);
  EXPECT_FALSE(answer.error) << answer.error->what();
  EXPECT_EQ(answer.value, "false");
}

TEST_F(SessionHosts, HostsThatCannotBeReachedArePassedOver) {
  const ServerEndpoint good = primary();
  ServerEndpoint closed = good;
  closed.host = "127.0.0.1";
  closed.port = 1;
  ServerEndpoint unknown = good;
  unknown.host = "no-such-host.invalid";
  ServerEndpoint missing = good;
  missing.host = "/nowhere/at/all";
  EXPECT_EQ(ours(shard, hosts_of({closed, unknown, missing, good})).value, "yes");

  const Answer none = ours(shard, hosts_of({closed, unknown, missing}));
  EXPECT_EQ(none.error->kind(), ErrorKind::Unavailable);
  EXPECT_EQ(none.error->stage(), ErrorStage::connecting);
  const std::string text = none.error->what();
  EXPECT_NE(text.find("Connection refused"), std::string::npos) << text;
  EXPECT_NE(text.find("no-such-host.invalid"), std::string::npos) << text;
  EXPECT_NE(text.find("/nowhere/at/all/.s.PGSQL."), std::string::npos) << text;
}

TEST_F(SessionHosts, EachHostHasItsOwnConnectTimeout) {
  Gate silent(target());
  silent.set_door(GateDoor::silent);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(
      ours(shard, hosts_of({behind(silent, primary()), primary()}, "connect_timeout=2 sslmode=disable")).value,
      "yes");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1900ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 6s);
}

TEST_F(SessionHosts, HostaddrIsWhereTheSessionGoes) {
  const auto tcp = database.tcp_endpoint();
  std::string keywords = tcp.keywords();
  keywords.replace(keywords.find("host=127.0.0.1"), 14, "host=no-such-host.invalid hostaddr=127.0.0.1");
  EXPECT_EQ(ours(shard, keywords, "SELECT host(inet_server_addr())").value, "127.0.0.1");
}

TEST_F(SessionHosts, RandomOrderSpreadsTheSessions) {
  Gate first(target());
  Gate second(target());
  const auto plan = plan_for(
      hosts_of({behind(first, primary()), behind(second, primary())}, "load_balance_hosts=random sslmode=disable"));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(ours(shard, plan, "SELECT 'yes'").value, "yes");
  EXPECT_GT(first.accepted(), 0U);
  EXPECT_GT(second.accepted(), 0U);
  EXPECT_EQ(first.accepted() + second.accepted(), 40U);
}

TEST_F(SessionHosts, AWrongPasswordIsNotTriedOnTheOtherHosts) {
  Gate second(target());
  auto tcp = database.tcp_endpoint();
  const std::string keywords = "host=127.0.0.1,127.0.0.1 port=" + std::to_string(tcp.port) + "," +
                               std::to_string(second.port()) +
                               " user=postgres password=wrong dbname=" + tcp.database;
  const Answer answer = ours(shard, keywords);
  EXPECT_EQ(answer.error->sqlstate(), "28P01") << answer.error->what();
  EXPECT_EQ(second.accepted(), 0U);
  EXPECT_EQ(std::string(answer.error->what()).find("wrong"), std::string::npos) << answer.error->what();
  const Answer none = ours(shard, "host=127.0.0.1 port=" + std::to_string(tcp.port) + " user=postgres dbname=d");
  EXPECT_NE(std::string(none.error->what()).find("no password supplied"), std::string::npos) << none.error->what();
}

TEST_F(SessionHosts, ThePasswordFileServesTheHostThatIsTaken) {
  const switchyard::testing::TempFolder folder;
  const auto tcp = database.tcp_endpoint();
  const std::string keywords = tcp.keywords();
  const std::size_t at = keywords.find("password=") + 9;
  const std::string password = keywords.substr(at, keywords.find(' ', at) - at);
  const std::string port = std::to_string(tcp.port);
  const std::string file = folder.write("pgpass", "127.0.0.1:" + port + ":other:*:wrong\n127.0.0.1:" + port + ":" +
                                                      tcp.database + ":postgres:" + password + "\n");
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  const std::string without = "host=127.0.0.1 port=" + port + " user=postgres passfile=" + file + " dbname=";
  EXPECT_EQ(ours(shard, without + tcp.database).value, "yes");
  EXPECT_EQ(ours(shard, without + "other").error->sqlstate(), "28P01");

  // The service file names the server, the password file knows its password.
  ConnectionEnvironment environment;
  environment.variables["PGSERVICEFILE"] = folder.write(
      "services.conf", "[books]\nhost=127.0.0.1\nport=" + port + "\nuser=postgres\ndbname=" + tcp.database + "\n");
  environment.variables["PGPASSFILE"] = file;
  auto plan = std::make_shared<session::ConnectPlan>();
  plan->options = parse_connection_string("service=books", environment).value_or_throw();
  EXPECT_EQ(ours(shard, plan, "SELECT 'yes'").value, "yes");
}

TEST_F(SessionHosts, RefusalsOfTheServerKeepTheirSqlstate) {
  ServerEndpoint nowhere = primary();
  nowhere.database = "no_such_database";
  EXPECT_EQ(ours(shard, hosts_of({nowhere})).error->sqlstate(), "3D000");
  database.server()
      .create_role("crowded_" + database.name(), {.attributes = "LOGIN CONNECTION LIMIT 0"})
      .value_or_throw();
  ServerEndpoint crowded = primary();
  crowded.user = "crowded_" + database.name();
  const Answer full = ours(shard, hosts_of({crowded}));
  EXPECT_EQ(full.error->sqlstate(), "53300") << full.error->what();
  EXPECT_TRUE(full.error->retryable());
  database.server().execute("DROP ROLE crowded_" + database.name()).value_or_throw();
}

TEST_F(SessionHosts, AServerThatIsStartingUpIsPassedOver) {
  ScriptedServer starting([](Peer& client) {
    (void)client.receive();
    client.send(session::testing::error("57P03", "the database system is starting up", "FATAL"));
  });
  ServerEndpoint first = primary();
  first.host = "127.0.0.1";
  first.port = starting.port();
  EXPECT_EQ(ours(shard, hosts_of({first, primary()}, "sslmode=disable")).value, "yes");
  const Answer alone = ours(shard, hosts_of({first}, "sslmode=disable"));
  EXPECT_EQ(alone.error->sqlstate(), "57P03");
  EXPECT_TRUE(alone.error->retryable());
}

TEST_F(SessionHosts, RequirepeerChecksWhoRunsTheServer) {
  const Answer wrong = ours(shard, hosts_of({primary()}, "requirepeer=daemon"));
  EXPECT_NE(std::string(wrong.error->what()).find("requirepeer specifies \"daemon\""), std::string::npos)
      << wrong.error->what();
  for (const std::string user : {"daemon", "root", "postgres"}) {
    const std::string keywords = hosts_of({primary()}, "requirepeer=" + user);
    EXPECT_EQ(ours(shard, keywords).error.has_value(), libpq(keywords, "SELECT 1").starts_with("no: ")) << user;
  }
}

TEST_F(SessionHosts, SettingsOfTheStringArriveAtTheServer) {
  const std::string more = "application_name=mine options='-c search_path=information_schema -c work_mem=123kB'";
  EXPECT_EQ(ours(shard, hosts_of({primary()}, more), "SHOW search_path").value, "information_schema");
  EXPECT_EQ(ours(shard, hosts_of({primary()}, more), "SHOW work_mem").value, "123kB");
  EXPECT_EQ(ours(shard, hosts_of({primary()}, more), "SHOW application_name").value, "mine");
  EXPECT_EQ(ours(shard, hosts_of({primary()}, "fallback_application_name=other"), "SHOW application_name").value,
            "other");
  const Answer wrong = ours(shard, hosts_of({primary()}, "options='-c no_such_setting=1'"));
  EXPECT_EQ(wrong.error->sqlstate(), "42704") << wrong.error->what();
  // A reset comes back to what the string said.
  shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> plan) -> Task<void> {
    auto db = co_await SingleSession::open(plan);
    co_await db->script("SET search_path = pg_catalog");
    db->session().start_reset();
    co_await db->quiet();
    EXPECT_EQ(co_await db->query_value<std::string>("SHOW search_path"), "information_schema");
  }(plan_for(hosts_of({primary()}, more))));
}

}  // namespace
}  // namespace switchyard
