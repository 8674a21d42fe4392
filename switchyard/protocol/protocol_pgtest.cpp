// The machines against a real server, over the plainest driver there is: a blocking socket, with OpenSSL when the
// machine asks for TLS.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/protocol/cancel.hpp>
#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/protocol/startup.hpp>
#include <switchyard/protocol/testing/pipeline_script.hpp>
#include <tests/support/tls_files.hpp>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace switchyard::inline v0::protocol {
namespace {

using embedded::ClusterOptions;
using embedded::PrivateCluster;
using embedded::ServerEndpoint;
using embedded::TestDatabase;
using testing::Log;
using testing::RecordingEvents;
using testing::RecordingSink;
using Submitted = Pipeline::Submitted;
using Outcome = Pipeline::Outcome;

/// Ends a test that waits for something that never comes; decides none.
constexpr int kStuckMs = 30'000;

/// A connected socket, with TLS or without.
class Wire {
 public:
  explicit Wire(const ServerEndpoint& endpoint) {
    const bool local = endpoint.host.front() == '/';
    fd_ = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failure = -1;
    if (local) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      const std::string path = endpoint.host + "/.s.PGSQL." + std::to_string(endpoint.port);
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      failure = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    } else {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(endpoint.port);
      inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
      failure = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    if (failure != 0) throw std::runtime_error("connect failed");
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    close(fd_);
  }

  TlsEndpoint start_tls() {
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) throw std::runtime_error("TLS handshake failed");
    TlsEndpoint endpoint;
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(certificate, EVP_sha256(), digest, &size);
    X509_free(certificate);
    endpoint.certificate_hash.assign(reinterpret_cast<char*>(digest), size);
    return endpoint;
  }
  void send_all(base::WriteBuffer& out) {
    while (!out.empty()) {
      const ByteView bytes = out.view();
      const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                           : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("send failed");
      out.consume_front(static_cast<std::size_t>(sent));
    }
  }
  /// False at the end of the stream.
  bool receive(base::ReadBuffer& in, std::size_t at_least) {
    char* at = in.prepare(std::max<std::size_t>(at_least, 4096));
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if ((ssl_ == nullptr || SSL_pending(ssl_) == 0) && poll(&ready, 1, kStuckMs) != 1) {
      throw std::runtime_error("nothing came from the server");
    }
    const ssize_t got =
        ssl_ != nullptr ? SSL_read(ssl_, at, static_cast<int>(in.writable())) : recv(fd_, at, in.writable(), 0);
    if (got <= 0) return false;
    in.commit(static_cast<std::size_t>(got));
    return true;
  }

 private:
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

/// A session: startup, then a Pipeline whose callbacks are recorded.
class Session {
 public:
  explicit Session(const ServerEndpoint& endpoint, const std::function<void(StartupOptions&)>& change = {})
      : endpoint_(endpoint) {
    StartupOptions options;
    options.user = endpoint.user;
    options.database = endpoint.database;
    options.unix_socket = endpoint.host.front() == '/';
    if (!endpoint.password.empty()) options.password = endpoint.password;
    if (change) change(options);
    machine_ = std::make_unique<StartupMachine>(options, out);
    run_startup();
  }

  bool connected() const { return machine_->error() == nullptr; }
  std::string error() const {
    return machine_->error() == nullptr ? "" : std::string(machine_->error()->message());
  }
  const StartupMachine& machine() const { return *machine_; }
  const ServerEndpoint& endpoint() const { return endpoint_; }

  /// Sends everything and receives until no step is outstanding.
  Outcome finish() {
    return until([this] { return pipeline.outstanding() == 0; });
  }
  Outcome until(const std::function<bool()>& done) {
    wire_->send_all(out);
    for (Outcome outcome = pipeline.on_bytes(in, events);; outcome = pipeline.on_bytes(in, events)) {
      wire_->send_all(out);
      if (outcome != Outcome::ok || done()) return outcome;
      if (!wire_->receive(in, pipeline.need())) throw std::runtime_error("the server closed the connection");
    }
  }
  Log take() { return std::exchange(log, {}); }
  Log query(std::string_view sql) {
    EXPECT_EQ(pipeline.query(sql, &group), Submitted::ok);
    EXPECT_EQ(finish(), Outcome::ok);
    return take();
  }

  base::WriteBuffer out;
  base::ReadBuffer in;
  Log log;
  RecordingEvents events{log};
  RecordingSink step{"step", false, log};
  RecordingSink group{"group", true, log};
  Pipeline pipeline{out};

 private:
  void run_startup() {
    wire_ = std::make_unique<Wire>(endpoint_);
    SessionEvents ignored;
    for (StartupAction action = machine_->start();;) {
      switch (action) {
        case StartupAction::wait:
          wire_->send_all(out);
          if (wire_->receive(in, 1)) {
            action = machine_->on_bytes(in, ignored);
          } else {
            action = machine_->on_closed(Error(ErrorKind::Unavailable, "closed"));
          }
          break;
        case StartupAction::start_tls: action = machine_->on_tls_started(wire_->start_tls()); break;
        case StartupAction::need_password: action = machine_->on_password(Secret()); break;
        case StartupAction::reconnect:
          in.clear();
          wire_ = std::make_unique<Wire>(endpoint_);
          action = machine_->start();
          break;
        case StartupAction::ready:
        case StartupAction::fail: return;
      }
    }
  }

  ServerEndpoint endpoint_;
  std::unique_ptr<StartupMachine> machine_;
  std::unique_ptr<Wire> wire_;
};

// ---- Startup --------------------------------------------------------------------------------------------------

TEST(RealStartup, OverTheSocketIsTrustedAndOverTcpNeedsScram) {
  TestDatabase db;
  Session trusted(db.endpoint());
  ASSERT_TRUE(trusted.connected()) << trusted.error();
  EXPECT_EQ(trusted.machine().authentication_method(), "trust");
  EXPECT_NE(trusted.machine().backend_key().process_id, 0);
  EXPECT_EQ(trusted.machine().backend_key().secret.size(), 4U);

  Session scram(db.tcp_endpoint());
  ASSERT_TRUE(scram.connected()) << scram.error();
  EXPECT_EQ(scram.machine().authentication_method(), "scram-sha-256");
  EXPECT_EQ(scram.query("SELECT 1 AS a"),
            (Log{"group row_description a", "group row 1", "group command_complete SELECT 1", "group ready I"}));
}

TEST(RealStartup, RefusalsOfTheServerKeepTheirSqlstate) {
  TestDatabase db;
  auto endpoint = db.tcp_endpoint();
  endpoint.password = Secret("wrong");
  Session wrong(endpoint);
  ASSERT_FALSE(wrong.connected());
  EXPECT_EQ(wrong.machine().error()->sqlstate(), "28P01");
  EXPECT_EQ(wrong.error().find("wrong"), std::string::npos);

  endpoint.password = Secret();
  EXPECT_EQ(Session(endpoint).error(), "no password supplied: the server asks for one");

  auto elsewhere = db.endpoint();
  elsewhere.database = "no_such_database";
  EXPECT_EQ(Session(elsewhere).machine().error()->sqlstate(), "3D000");
}

TEST(RealStartup, EveryPasswordMethodWorksAndRequireAuthChoosesAmongThem) {
  ClusterOptions options = embedded::test_options();
  options.hba = {"host all clear 127.0.0.1/32 password", "host all hashed 127.0.0.1/32 md5",
                 "host all proved 127.0.0.1/32 scram-sha-256"};
  const auto cluster = PrivateCluster::start(options).value_or_throw();
  auto& server = cluster->primary();
  server
      .execute(
          "SET password_encryption = md5; CREATE ROLE hashed LOGIN PASSWORD 'pw';"
          "SET password_encryption = 'scram-sha-256'; CREATE ROLE proved LOGIN PASSWORD 'pw';"
          "CREATE ROLE clear LOGIN PASSWORD 'pw'")
      .value_or_throw();
  for (const auto& [user, method] :
       {std::pair("clear", "password"), {"hashed", "md5"}, {"proved", "scram-sha-256"}}) {
    auto endpoint = server.tcp_endpoint().value_or_throw();
    endpoint.user = user;
    endpoint.password = Secret("pw");
    Session session(endpoint);
    ASSERT_TRUE(session.connected()) << user << ": " << session.error();
    EXPECT_EQ(session.machine().authentication_method(), method);
    Session strict(endpoint, [](StartupOptions& o) { o.require_auth = *RequiredAuth::parse("scram-sha-256"); });
    EXPECT_EQ(strict.connected(), std::string_view(user) == "proved") << strict.error();
  }
}

TEST(RealStartup, PasswordsArePreparedAsTheServerDoes) {
  TestDatabase db;
  // Looking alike, prohibited (used raw), not composed, spaces, right to left, unassigned, Hangul.
  const std::vector<std::pair<std::string, std::string>> passwords{
      {"I\u00ADX\u2168", "IXIX"},      {"a\u0085\u00E9", "a\u0085\u00E9"}, {"e\u0301t\u00E9", "\u00E9t\u00E9"},
      {"a\u00A0\u00E4", "a \u00E4"},   {"\u05D0\u05D1", "\u05D0\u05D1"},   {"\U0001F600x", "\U0001F600x"},
      {"\u1112\u1161\u11AB", "\uD55C"}};
  for (const auto& [stored, given] : passwords) {
    db.execute("DROP ROLE IF EXISTS prepared; CREATE ROLE prepared LOGIN PASSWORD " +
               embedded::quote_literal(stored));
    for (const std::string& password : {stored, given}) {
      auto endpoint = db.tcp_endpoint();
      endpoint.user = "prepared";
      endpoint.password = Secret(password);
      Session session(endpoint);
      EXPECT_TRUE(session.connected()) << stored << ": " << session.error();
    }
  }
  db.execute("DROP ROLE prepared");
}

TEST(RealStartup, TlsBindsTheChannel) {
  switchyard::testing::TlsFiles files;
  ClusterOptions options = embedded::test_options();
  options.tls = embedded::ServerTls{files.server.certificate, files.server.key, {}, {}};
  options.hba = {"hostssl all postgres 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 reject"};
  auto started = PrivateCluster::start(options);
  if (!started.ok() && started.error().message().find("built without TLS") != std::string_view::npos) {
    GTEST_SKIP() << started.error().what();
  }
  const auto cluster = std::move(started).value_or_throw();
  const auto endpoint = cluster->primary().tcp_endpoint().value_or_throw();
  for (const SslMode mode : {SslMode::prefer, SslMode::require, SslMode::allow}) {
    Session session(endpoint, [mode](StartupOptions& o) {
      o.ssl_mode = mode;
      o.channel_binding = ChannelBinding::require;
    });
    if (mode == SslMode::allow) {
      // The first attempt is in the clear, the server refuses it, the second is under TLS.
      EXPECT_TRUE(session.machine().used_tls());
    }
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_TRUE(session.machine().used_tls());
    EXPECT_EQ(session.machine().authentication_method(), "scram-sha-256-plus");
    EXPECT_EQ(session.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[1], "group row t");
  }
  Session plain(endpoint, [](StartupOptions& o) { o.channel_binding = ChannelBinding::disable; });
  ASSERT_TRUE(plain.connected()) << plain.error();
  EXPECT_EQ(plain.machine().authentication_method(), "scram-sha-256");
  EXPECT_EQ(
      Session(endpoint, [](StartupOptions& o) { o.ssl_mode = SslMode::disable; }).machine().error()->sqlstate(),
      "28000");
}

TEST(RealStartup, WithoutTlsOnTheServerPreferGoesOnAndRequireStops) {
  TestDatabase db;
  Session prefer(db.tcp_endpoint(), [](StartupOptions& o) { o.ssl_mode = SslMode::prefer; });
  EXPECT_TRUE(prefer.connected()) << prefer.error();
  Session require(db.tcp_endpoint(), [](StartupOptions& o) { o.ssl_mode = SslMode::require; });
  EXPECT_EQ(require.error(), "server does not support SSL, but SSL was required (sslmode=require)");
}

TEST(RealStartup, ProtocolThreeTwoIsNegotiatedDownWhereItIsUnknown) {
  TestDatabase db;
  Session session(db.endpoint(), [](StartupOptions& o) { o.max_protocol_version = kProtocol32; });
  ASSERT_TRUE(session.connected()) << session.error();
  const bool knows = db.server().major_version() >= 18;
  EXPECT_EQ(session.machine().protocol_version(), knows ? kProtocol32 : kProtocol30);
  EXPECT_EQ(session.machine().backend_key().secret.size(), knows ? 32U : 4U);
  Session strict(db.endpoint(),
                 [](StartupOptions& o) { o.max_protocol_version = o.min_protocol_version = kProtocol32; });
  EXPECT_EQ(strict.connected(), knows);
}

// ---- Statements -----------------------------------------------------------------------------------------------

TEST(RealPipeline, SimpleQueriesWithSeveralResultsAndErrors) {
  TestDatabase db;
  Session s(db.endpoint());
  EXPECT_EQ(s.query("SELECT 1 AS a; SELECT NULL AS b, 'x' AS c; CREATE TABLE t (i int)"),
            (Log{"group row_description a", "group row 1", "group command_complete SELECT 1",
                 "group row_description b c", "group row NULL x", "group command_complete SELECT 1",
                 "group command_complete CREATE TABLE", "group ready I"}));
  EXPECT_EQ(s.query(""), (Log{"group empty_query", "group ready I"}));
  EXPECT_EQ(s.query("SELECT 1 AS a; SELECT 1/0; SELECT 2"),
            (Log{"group row_description a", "group row 1", "group command_complete SELECT 1", "group error 22012",
                 "group ready I"}));
  EXPECT_EQ(s.query("BEGIN"), (Log{"group command_complete BEGIN", "group ready T"}));
  EXPECT_EQ(s.query("nonsense"), (Log{"group error 42601", "group ready E"}));
  EXPECT_EQ(s.query("COMMIT"), (Log{"group command_complete ROLLBACK", "group ready I"}));
}

TEST(RealPipeline, ABatchWithAnErrorInTheMiddleIsSkippedUpToItsSync) {
  TestDatabase db = TestDatabase::with("CREATE TABLE t (i int PRIMARY KEY)");
  Session s(db.endpoint());
  Pipeline& p = s.pipeline;
  const auto run = [&](std::string_view sql) {
    ASSERT_EQ(p.parse("", sql, {}, &s.step), Submitted::ok);
    ASSERT_EQ(p.bind_execute("", {}, {}, &s.step), Submitted::ok);
  };
  run("INSERT INTO t VALUES (1)");
  run("INSERT INTO t VALUES (1)");
  run("INSERT INTO t VALUES (2)");
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  run("SELECT count(*) FROM t");
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step bind_complete", "step command_complete INSERT 0 1",
                           "step parse_complete", "step bind_complete", "step error 23505", "step skipped",
                           "step skipped", "step skipped", "group ready I", "step parse_complete",
                           "step bind_complete", "step row 0", "step command_complete SELECT 1", "group ready I"}));
}

TEST(RealPipeline, AnErrorOfTheCommitComesWithTheSync) {
  TestDatabase db = TestDatabase::with(
      "CREATE TABLE p (i int PRIMARY KEY); CREATE TABLE c (i int REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  Session s(db.endpoint());
  ASSERT_EQ(s.pipeline.parse("", "INSERT INTO c VALUES (1)", {}, &s.step), Submitted::ok);
  ASSERT_EQ(s.pipeline.bind_execute("", {}, {}, &s.step), Submitted::ok);
  ASSERT_EQ(s.pipeline.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step bind_complete", "step command_complete INSERT 0 1",
                           "group error 23503", "group ready I"}));
}

TEST(RealPipeline, DescribePortalsSuspendAndClose) {
  TestDatabase db;
  Session s(db.endpoint());
  Pipeline& p = s.pipeline;
  const std::vector<Oid> types{23};
  ASSERT_EQ(p.parse("s", "SELECT generate_series(1, $1) AS n", types, &s.step), Submitted::ok);
  ASSERT_EQ(p.describe_statement("s", &s.step), Submitted::ok);
  ASSERT_EQ(
      p.bind("portal", "s", {.formats = kAllBinary, .count = 1, .values = std::string_view("\0\0\0\4\0\0\0\3", 8)},
             {}, &s.step),
      Submitted::ok);
  ASSERT_EQ(p.describe_portal("portal", &s.step), Submitted::ok);
  ASSERT_EQ(p.execute("portal", 2, &s.step, 1), Submitted::ok);
  ASSERT_EQ(p.execute("portal", 2, &s.step, 1), Submitted::ok);
  ASSERT_EQ(p.close_portal("portal", &s.step), Submitted::ok);
  ASSERT_EQ(p.close_statement("s", &s.step), Submitted::ok);
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step parameter_description 23", "step row_description n",
                           "step bind_complete", "step row_description n", "step row 1", "step row 2",
                           "step portal_suspended", "step row 3", "step command_complete SELECT 1",
                           "step close_complete", "step close_complete", "group ready I"}));
  ASSERT_EQ(p.parse("", "", {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.describe_statement("", &s.step), Submitted::ok);
  ASSERT_EQ(p.bind_execute("", {}, {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step parameter_description", "step no_data",
                           "step bind_complete", "step empty_query", "group ready I"}));
}

TEST(RealPipeline, CopyInBothDirectionsAndProtocols) {
  TestDatabase db = TestDatabase::with("CREATE TABLE t (i int)");
  Session s(db.endpoint());
  Pipeline& p = s.pipeline;
  // Extended, done.
  ASSERT_EQ(p.parse("", "COPY t FROM STDIN", {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.bind_execute("", {}, {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.flush(), Submitted::ok);
  ASSERT_EQ(s.until([&] { return p.copy_in_active(); }), Outcome::ok);
  ASSERT_EQ(p.copy_data("1\n2"), Submitted::ok);
  ASSERT_EQ(p.copy_data("\n3\n"), Submitted::ok);
  ASSERT_EQ(p.copy_done(), Submitted::ok);
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step bind_complete", "step copy_in text 1",
                           "step command_complete COPY 3", "group ready I"}));
  // Extended, the server refuses a row while more is being sent.
  ASSERT_EQ(p.parse("", "COPY t FROM STDIN", {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.bind_execute("", {}, {}, &s.step), Submitted::ok);
  ASSERT_EQ(p.flush(), Submitted::ok);
  ASSERT_EQ(s.until([&] { return p.copy_in_active(); }), Outcome::ok);
  ASSERT_EQ(p.copy_data("x\n"), Submitted::ok);
  ASSERT_EQ(p.copy_data("4\n"), Submitted::ok);
  ASSERT_EQ(p.copy_done(), Submitted::ok);
  ASSERT_EQ(p.sync(&s.group), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"step parse_complete", "step bind_complete", "step copy_in text 1", "step error 22P02",
                           "group ready I"}));
  // Simple, failed by us, and another statement behind it.
  ASSERT_EQ(p.query("COPY t FROM STDIN", &s.group), Submitted::ok);
  ASSERT_EQ(s.until([&] { return p.copy_in_active(); }), Outcome::ok);
  ASSERT_EQ(p.copy_fail("no more"), Submitted::ok);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"group copy_in text 1", "group error 57014", "group ready I"}));
  // Abandoned before the server asks.
  ASSERT_EQ(p.query("COPY t FROM STDIN", &s.group), Submitted::ok);
  p.abandon(&s.group);
  ASSERT_EQ(s.finish(), Outcome::ok);
  EXPECT_EQ(s.take(), Log{});
  // Out, in one text with other statements.
  EXPECT_EQ(s.query("COPY t TO STDOUT; SELECT 1 AS a"),
            (Log{"group copy_out text 1", "group copy_data 1\n", "group copy_data 2\n", "group copy_data 3\n",
                 "group copy_done", "group command_complete COPY 3", "group row_description a", "group row 1",
                 "group command_complete SELECT 1", "group ready I"}));
}

TEST(RealPipeline, NoticesSettingsAndNotificationsArrive) {
  TestDatabase db;
  Session s(db.endpoint());
  EXPECT_EQ(s.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$"),
            (Log{"notice hello", "group command_complete DO", "group ready I"}));
  EXPECT_EQ(s.query("SET application_name = 'x'"),
            (Log{"group command_complete SET", "parameter_status application_name=x", "group ready I"}));
  (void)s.query("LISTEN c");
  const std::string pid = std::to_string(s.machine().backend_key().process_id);
  EXPECT_EQ(s.query("NOTIFY c, 'p'"),
            (Log{"group command_complete NOTIFY", "notification " + pid + " c p", "group ready I"}));
}

TEST(RealPipeline, ATerminatedSessionSaysFatal) {
  TestDatabase db;
  Session s(db.endpoint());
  const std::string pid = std::to_string(s.machine().backend_key().process_id);
  ASSERT_EQ(s.pipeline.query("SELECT pg_terminate_backend(" + pid + ")", &s.group), Submitted::ok);
  EXPECT_EQ(s.finish(), Outcome::fatal);
  EXPECT_EQ(s.pipeline.error()->sqlstate(), "57P01");
  EXPECT_FALSE(s.pipeline.error()->session_alive());
  s.pipeline.on_closed(*s.pipeline.error());
  EXPECT_EQ(s.take().back(), "group lost Server");
}

TEST(RealPipeline, ACancelRequestReachesTheStatement) {
  TestDatabase db;
  Session s(db.endpoint());
  ASSERT_EQ(s.pipeline.query("SELECT pg_sleep(100)", &s.group), Submitted::ok);
  // A cancel that comes before the statement is lost, so wait until it runs.
  bool sent = false;
  const std::string pid = std::to_string(s.machine().backend_key().process_id);
  ASSERT_EQ(s.until([&] {
    while (!sent) {
      if (db.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " + pid) !=
          "1") {
        continue;
      }
      base::WriteBuffer request;
      EXPECT_TRUE(encode_cancel_request(request, s.machine().backend_key()));
      Wire wire(s.endpoint());
      wire.send_all(request);
      base::ReadBuffer nothing;
      EXPECT_FALSE(wire.receive(nothing, 1)) << "the server answers by closing";
      sent = true;
    }
    return s.pipeline.outstanding() == 0;
  }),
            Outcome::ok);
  EXPECT_EQ(s.take(), (Log{"group row_description pg_sleep", "group error 57014", "group ready I"}));
}

TEST(RealPipeline, CopyFromStdinWithASyncBehindItEndsTheSession) {
  TestDatabase db = TestDatabase::with("CREATE TABLE t (i int)");
  Session s(db.endpoint());
  ASSERT_EQ(s.pipeline.parse("", "COPY t FROM STDIN", {}, &s.step), Submitted::ok);
  ASSERT_EQ(s.pipeline.bind_execute("", {}, {}, &s.step), Submitted::ok);
  ASSERT_EQ(s.pipeline.sync(&s.group), Submitted::ok);
  EXPECT_EQ(s.finish(), Outcome::protocol_error);
  EXPECT_EQ(s.pipeline.error()->kind(), ErrorKind::Usage);
}

TEST(RealPipeline, LargeRowsArriveWhole) {
  TestDatabase db;
  Session s(db.endpoint());
  EXPECT_EQ(s.query("SELECT repeat('x', 20000000) AS a")[1].size(), std::string("group row ").size() + 20'000'000);
}

}  // namespace
}  // namespace switchyard::inline v0::protocol
