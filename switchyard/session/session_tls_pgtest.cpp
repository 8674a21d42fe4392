// TLS against a real server, with libpq as the judge: what it accepts we accept, what it refuses we refuse.
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::PrivateCluster;
using embedded::PrivateServer;
using session::testing::plan_for;
using session::testing::SingleSession;
using switchyard::testing::CertificateFiles;
using switchyard::testing::PqSession;
using switchyard::testing::TlsFiles;

/// How an attempt to connect ended.
struct Attempt {
  bool connected = false;
  bool tls = false;
  std::string error;
};

/// One server with TLS for all tests of this file; its certificate can be changed.
class TlsServer {
 public:
  TlsServer() {
    embedded::ClusterOptions options = embedded::test_options();
    options.tcp_port = 0;
    options.tls = embedded::ServerTls{.certificate_file = files.server.certificate,
                                      .key_file = files.server.key,
                                      .ca_file = files.ca,
                                      .crl_file = {}};
    options.hba = {"hostssl certs all 127.0.0.1/32 cert", "hostssl plain all 127.0.0.1/32 reject",
                   "hostnossl plain all 127.0.0.1/32 trust", "hostnossl encrypted all 127.0.0.1/32 reject",
                   "hostssl encrypted all 127.0.0.1/32 trust"};
    cluster = PrivateCluster::start(std::move(options)).value_or_throw();
    for (const char* name : {"certs", "plain", "encrypted"}) server().create_database(name).value_or_throw();
  }
  PrivateServer& server() { return cluster->primary(); }

  /// The server shows another certificate from now on.
  void present(const CertificateFiles& files_to_show) {
    if (shown_ == files_to_show.certificate) return;
    const std::filesystem::path folder = server().data_folder();
    struct stat owner{};
    ASSERT_EQ(::stat(folder.c_str(), &owner), 0);
    const std::string name = "shown" + std::to_string(++shows_);
    const auto copy = [&](const std::string& from, const std::string& suffix, mode_t mode) {
      const std::string to = folder / (name + suffix);
      std::filesystem::copy_file(from, to);
      ASSERT_EQ(::chown(to.c_str(), owner.st_uid, owner.st_gid), 0);
      ASSERT_EQ(::chmod(to.c_str(), mode), 0);
    };
    copy(files_to_show.certificate, ".crt", 0644);
    copy(files_to_show.key, ".key", 0600);
    server().set("ssl_key_file", name + ".key").value_or_throw();
    server().set("ssl_cert_file", name + ".crt").value_or_throw();
    // A session that was forked after the reload has the new value.
    ASSERT_TRUE(switchyard::testing::wait_until([&] {
      const auto value = server().query_value("SHOW ssl_cert_file");
      return value.ok() && *value == name + ".crt";
    }));
    shown_ = files_to_show.certificate;
  }

  std::string keywords(const std::string& database, const std::string& more,
                       const std::string& host = "127.0.0.1") {
    const auto endpoint = *server().tcp_endpoint(database);
    std::string text = endpoint.keywords();
    const std::string plain = "host=127.0.0.1";
    text.replace(text.find(plain), plain.size(), "host=" + host);
    return text + " " + more;
  }

  TlsFiles files;
  std::unique_ptr<PrivateCluster> cluster;

 private:
  std::string shown_ = files.server.certificate;
  int shows_ = 0;
};

/// Connects as we do and as libpq does.
class BothClients : public ::testing::Test {
 protected:
  Attempt ours(const std::string& keywords) {
    Attempt out;
    try {
      shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> plan, Attempt& into) -> Task<void> {
        auto opened = co_await session::Session::open(plan, deadline_after(runtime::now(), 10s));
        into.connected = opened.ok();
        if (opened.ok()) {
          into.tls = (*opened)->uses_tls();
        } else {
          into.error = opened.error().what();
        }
      }(plan_for(keywords), out));
    } catch (const Error& error) {
      out.error = error.what();
    }
    return out;
  }
  static Attempt libpq(const std::string& keywords) {
    const PqSession session(keywords);
    Attempt out;
    out.connected = session.connected();
    out.tls = out.connected && session.uses_tls();
    if (!out.connected) out.error = session.error();
    return out;
  }
  /// Both accept or both refuse, and what libpq encrypts we encrypt. Gives our attempt. (With sslmode=prefer and a
  /// root certificate libpq goes on in plain text when the server's certificate is not to its taste; we encrypt.)
  Attempt same(const std::string& keywords) {
    const Attempt theirs = libpq(keywords);
    Attempt mine = ours(keywords);
    EXPECT_EQ(mine.connected, theirs.connected)
        << keywords << "\n ours:  " << mine.error << "\n libpq: " << theirs.error;
    EXPECT_GE(mine.tls, theirs.tls) << keywords;
    return mine;
  }
  runtime::Shard shard;
};

class SessionTls : public BothClients {
 protected:
  static void SetUpTestSuite() {
    try {
      tls = new TlsServer;
    } catch (const Error& error) {
      unavailable = error.what();
    }
  }
  static void TearDownTestSuite() {
    delete tls;
    tls = nullptr;
  }
  void SetUp() override {
    if (tls != nullptr) return;
    // Some builds of PostgreSQL have no TLS; anything else that went wrong is a failure.
    ASSERT_NE(unavailable.find("built without TLS"), std::string::npos) << unavailable;
    GTEST_SKIP() << unavailable;
  }
  static TlsFiles& files() { return tls->files; }

  static inline TlsServer* tls = nullptr;
  static inline std::string unavailable;
};

using SessionWithoutTls = BothClients;

TEST_F(SessionTls, EachModeJudgesEachCertificateAsLibpqDoes) {
  const std::vector<std::pair<std::string, CertificateFiles>> certificates{
      {"right", files().server},
      {"expired", files().server_expired},
      {"not yet valid", files().server_not_yet},
      {"wrong host", files().server_wrong_host},
      {"unknown authority", files().server_of_other_ca}};
  int accepted = 0;
  int refused = 0;
  for (const auto& [name, certificate] : certificates) {
    SCOPED_TRACE(name);
    tls->present(certificate);
    for (const char* mode : {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}) {
      for (const std::string& root : std::vector<std::string>{"", " sslrootcert=" + files().ca}) {
        const Attempt attempt = same(tls->keywords("postgres", "sslmode=" + std::string(mode) + root));
        ++(attempt.connected ? accepted : refused);
      }
    }
  }
  EXPECT_GT(accepted, 20);
  EXPECT_GT(refused, 15);
}

TEST_F(SessionTls, TheNameThatIsVerifiedIsTheHostsName) {
  tls->present(files().server);
  const std::string root = " sslrootcert=" + files().ca;
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=verify-full" + root, "localhost")).connected);
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=verify-full" + root)).connected);
  // hostaddr says where, host says who.
  EXPECT_FALSE(
      same(tls->keywords("postgres", "sslmode=verify-full hostaddr=127.0.0.1" + root, "other.example")).connected);
  EXPECT_TRUE(
      same(tls->keywords("postgres", "sslmode=verify-full hostaddr=127.0.0.1" + root, "localhost")).connected);
}

TEST_F(SessionTls, ARevokedCertificateIsRefused) {
  tls->present(files().server);
  const std::string crl = " sslrootcert=" + files().ca + " sslcrl=" + files().revoked_server;
  for (const char* mode : {"require", "verify-ca", "verify-full"}) {
    const Attempt attempt = same(tls->keywords("postgres", "sslmode=" + std::string(mode) + crl));
    EXPECT_FALSE(attempt.connected);
    EXPECT_NE(attempt.error.find("revoked"), std::string::npos) << attempt.error;
  }
}

TEST_F(SessionTls, AMissingRootCertificateIsNamed) {
  tls->present(files().server);
  const Attempt none = same(tls->keywords("postgres", "sslmode=verify-ca sslrootcert=/nowhere/root.crt"));
  EXPECT_NE(none.error.find("/nowhere/root.crt"), std::string::npos) << none.error;
  same(tls->keywords("postgres", "sslmode=require sslrootcert=/nowhere/root.crt"));
  same(tls->keywords("postgres", "sslmode=prefer sslrootcert=/nowhere/root.crt"));
}

TEST_F(SessionTls, AllowAndPreferChangeTheEncryptionWhenTheServerRefusesIt) {
  tls->present(files().server);
  for (const char* database : {"plain", "encrypted"}) {
    for (const char* mode : {"disable", "allow", "prefer", "require"}) {
      same(tls->keywords(database, "sslmode=" + std::string(mode)));
    }
  }
}

TEST_F(SessionTls, ClientCertificatesAreShownAndCheckedAsByLibpq) {
  tls->present(files().server);
  const auto with = [&](const CertificateFiles& client, const std::string& more = "") {
    return same(
        tls->keywords("certs", "sslmode=require sslcert=" + client.certificate + " sslkey=" + client.key + more));
  };
  EXPECT_TRUE(with(files().client).connected);
  EXPECT_TRUE(with(files().client, " sslrootcert=" + files().ca).connected);
  EXPECT_FALSE(with(files().client_of_other_ca).connected);
  EXPECT_TRUE(with(files().client_encrypted, " sslpassword=secret").connected);
  EXPECT_FALSE(with(files().client_encrypted, " sslpassword=wrong").connected);
  EXPECT_FALSE(same(tls->keywords("certs", "sslmode=require")).connected);
  EXPECT_FALSE(same(tls->keywords("certs", "sslmode=require sslcert=" + files().client.certificate +
                                               " sslkey=/nowhere/client.key"))
                   .connected);
  // A key that everybody may read is refused.
  const std::string open = files().folder().file("open.key");
  std::filesystem::copy_file(files().client.key, open, std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(::chmod(open.c_str(), 0644), 0);
  const Attempt attempt =
      same(tls->keywords("certs", "sslmode=require sslcert=" + files().client.certificate + " sslkey=" + open));
  EXPECT_FALSE(attempt.connected);
  EXPECT_NE(attempt.error.find("open.key"), std::string::npos) << attempt.error;
}

TEST_F(SessionTls, ChannelBindingIsUsedWhenRequired) {
  tls->present(files().server);
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=require channel_binding=require")).connected);
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=require channel_binding=disable")).connected);
  const Attempt plain = same(tls->keywords("postgres", "sslmode=disable channel_binding=require"));
  EXPECT_FALSE(plain.connected);
  EXPECT_NE(plain.error.find("channel binding"), std::string::npos) << plain.error;
  // Trust and certificate authentication bind nothing.
  EXPECT_FALSE(same(tls->keywords("encrypted", "sslmode=require channel_binding=require")).connected);
}

TEST_F(SessionTls, TheProtocolVersionsAreBounded) {
  tls->present(files().server);
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=require ssl_max_protocol_version=TLSv1.2")).connected);
  EXPECT_TRUE(same(tls->keywords("postgres", "sslmode=require ssl_min_protocol_version=TLSv1.3")).connected);
  EXPECT_FALSE(
      same(tls->keywords("postgres",
                         "sslmode=require ssl_min_protocol_version=TLSv1.1 ssl_max_protocol_version=TLSv1.1"))
          .connected);
}

TEST_F(SessionTls, DirectNegotiationNeedsAServerThatKnowsIt) {
  tls->present(files().server);
  const Attempt attempt = ours(tls->keywords("postgres", "sslmode=require sslnegotiation=direct"));
  if (tls->server().major_version() >= 17) {
    EXPECT_TRUE(attempt.connected) << attempt.error;
    EXPECT_TRUE(attempt.tls);
  } else {
    EXPECT_FALSE(attempt.connected);
    EXPECT_NE(attempt.error.find("TLS"), std::string::npos) << attempt.error;
    EXPECT_NE(attempt.error.find("127.0.0.1"), std::string::npos) << attempt.error;
  }
  EXPECT_NE(
      ours(tls->keywords("postgres", "sslmode=prefer sslnegotiation=direct")).error.find("sslnegotiation=direct"),
      std::string::npos);
}

TEST_F(SessionTls, AStatementIsCancelledOverTls) {
  tls->present(files().server);
  shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> plan) -> Task<void> {
    auto db = co_await SingleSession::open(plan);
    EXPECT_TRUE(db->session().uses_tls());
    const auto late = co_await db->query({.sql = "SELECT pg_sleep(20)", .timeout = 100ms}).result();
    EXPECT_EQ(late.error().kind(), ErrorKind::Deadline) << late.error().what();
    co_await db->quiet();
    EXPECT_EQ(co_await db->query_value<int>("SELECT 1"), 1);
    // Large values pass through several records, both ways.
    const std::string large(3'000'000, 'x');
    EXPECT_EQ(co_await db->query_value<std::string>("SELECT $1::text || 'y'", large), large + "y");
  }(plan_for(tls->keywords("postgres", "sslmode=verify-full sslrootcert=" + files().ca))));
}

TEST_F(SessionWithoutTls, AServerThatHasNoneIsRefusedByName) {
  const embedded::TestDatabase database;
  const std::string base = database.tcp_endpoint().keywords();
  const Attempt required = same(base + " sslmode=require");
  EXPECT_FALSE(required.connected);
  EXPECT_NE(required.error.find("server does not support SSL, but SSL was required"), std::string::npos)
      << required.error;
  EXPECT_TRUE(same(base + " sslmode=prefer").connected);
  EXPECT_TRUE(same(base + " sslmode=allow").connected);
}

}  // namespace
}  // namespace switchyard
