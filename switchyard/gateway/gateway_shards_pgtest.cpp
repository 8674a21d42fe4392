// Clients of a gateway with several shards.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/gateway/gateway_shards.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::TlsFiles;
using switchyard::testing::wait_until;

/// A process with several shards, as far as a test can: four databases of the fleet, all the same one of the
/// server.
class Process {
 public:
  struct Options {
    std::uint32_t shards = 3;
    std::uint32_t user_clients = 0;
    std::string handover_path{};
    bool take_over = false;
    std::uint16_t port = 0;
  };
  Process(const TestDatabase& database, const TlsFiles& files, Options options) {
    std::promise<std::uint16_t> opened;
    auto port = opened.get_future();
    thread_ = std::thread([this, &database, &files, &opened, options] {
      runtime::Shard shard(0);
      shard_ = &shard;
      shard.run_until_complete(serve(database, files, options, opened));
    });
    port_ = port.get();
  }
  ~Process() {
    shard_->post([this] { stop_ = true; });
    thread_.join();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// All its shards have handed over.
  [[nodiscard]] bool is_over() const noexcept { return left_ == 0; }
  /// Clients of each shard.
  std::vector<std::uint32_t> clients() {
    std::promise<std::vector<std::uint32_t>> asked;
    auto answer = asked.get_future();
    shard_->post([&] {
      std::vector<std::uint32_t> counts{gateway_->status().clients};
      more_->each([&](Fleet&, Gateway& gateway) { counts.push_back(gateway.status().clients); });
      asked.set_value(counts);
    });
    return answer.get();
  }

 private:
  Task<void> serve(const TestDatabase& database, const TlsFiles& files, Options options,
                   std::promise<std::uint16_t>& opened) {
    Sources sources;
    sources.file = "test.toml";
    std::string text = "[fleet]\napplication = \"test\"\n";
    for (const char* name : {"one", "two", "three", "four"}) {
      text +=
          "[database." + std::string(name) + "]\npool = { min = 0 }\ndsn = \"" + database.endpoint().uri() + "\"\n";
    }
    sources.file_text = text;
    const FleetConfig config = load_config(sources).value_or_throw();
    auto permits = std::make_shared<fleet::SharedPermits>(nullptr);
    left_ = options.shards;
    GatewaySettings settings;
    settings.users = UserList::parse("\"postgres\" \"open\"\n", "userlist.txt").value_or_throw();
    settings.tls = runtime::TlsContext::server({.certificate = files.server.certificate, .key = files.server.key})
                       .value_or_throw();
    settings.listen.push_back(runtime::SocketAddress::ip("127.0.0.1", options.port).value_or_throw());
    settings.console.admin_users = {"postgres"};
    settings.config.user_max_clients.value = options.user_clients;
    settings.handover_path = options.handover_path;
    settings.take_over = options.take_over;
    settings.on_handed_over = [this] { --left_; };
    more_ = GatewayShards::open(config, permits, settings, options.shards).value_or_throw();
    settings.shards = more_->directory();
    auto fleet = Fleet::open(config, permits).value_or_throw();
    gateway_ = Gateway::open(*fleet, settings).value_or_throw();
    opened.set_value(gateway_->addresses().back().port());
    while (!stop_) co_await sleep(5ms);
    gateway_.reset();
    co_await fleet->close();
    more_.reset();
  }

  runtime::Shard* shard_ = nullptr;
  std::unique_ptr<GatewayShards> more_;
  std::unique_ptr<Gateway> gateway_;
  std::atomic<std::uint32_t> left_ = 1;
  bool stop_ = false;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string login(std::uint16_t port, const std::string& dbname, const std::string& more = "sslmode=disable") {
  return "host=127.0.0.1 port=" + std::to_string(port) + " user=postgres password=open dbname=" + dbname + " " +
         more;
}

/// What a cancel request does to `session`, which sleeps.
std::string cancelled(PqSession& session) {
  PGcancel* cancel = PQgetCancel(session.handle());
  std::array<char, 256> error{};
  EXPECT_EQ(PQcancel(cancel, error.data(), error.size()), 1) << error.data();
  PQfreeCancel(cancel);
  const PqResult result(PQgetResult(session.handle()));
  EXPECT_EQ(PQgetResult(session.handle()), nullptr);
  return result.sqlstate();
}

class ShardsTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kUserClients = 12;

  std::string keywords(const std::string& dbname, const std::string& more = "sslmode=disable") const {
    return login(process_.port(), dbname, more);
  }
  std::vector<std::uint32_t> clients() { return process_.clients(); }
  [[nodiscard]] bool sleeps(const std::string& sql) {
    return wait_until([&] {
      return database.query_value("SELECT count(*) FROM pg_stat_activity WHERE query = '" + sql + "'") == "1";
    });
  }
  /// Values of a column of a console's table, in its order, where `where` has the value.
  static std::vector<std::string> shown(PqSession& console, const std::string& table, const std::string& column,
                                        const std::string& where = {}, const std::string& value = {}) {
    const PqResult result = console.execute("SHOW " + table);
    EXPECT_TRUE(result.ok()) << result.error();
    const auto at = [&](const std::string& name) {
      for (int i = 0; i < result.columns(); ++i) {
        if (result.column_name(i) == name) return i;
      }
      ADD_FAILURE() << table << " has no column " << name;
      return 0;
    };
    std::vector<std::string> values;
    for (int row = 0; row < result.rows(); ++row) {
      if (!where.empty() && result.value(row, at(where)) != value) continue;
      values.push_back(result.value(row, at(column)).value_or("NULL"));
    }
    return values;
  }
  static std::string tag_or_error(const PqResult& result) {
    return result.ok() ? result.command_tag() : result.sqlstate() + " " + result.error_field('M');
  }

  TestDatabase database;

 private:
  TlsFiles files_;
  Process process_{database, files_, {.user_clients = kUserClients}};
};

TEST_F(ShardsTest, ClientsOfOneDatabaseGoToOneShardAndThoseOfOthersToOthers) {
  std::vector<std::unique_ptr<PqSession>> sessions;
  for (const char* name : {"one", "two", "three"}) {
    for (int i = 0; i < 4; ++i) {
      sessions.push_back(std::make_unique<PqSession>(keywords(name)));
      ASSERT_TRUE(sessions.back()->connected()) << sessions.back()->error();
      EXPECT_EQ(sessions.back()->value("SELECT current_database()"), database.name());
    }
  }
  EXPECT_EQ(clients(), (std::vector<std::uint32_t>{4, 4, 4}));
}

TEST_F(ShardsTest, AnEncryptedClientMovesAfterItsHandshake) {
  for (const char* name : {"one", "two", "three", "four"}) {
    PqSession session(keywords(name, "sslmode=require"));
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_EQ(PQsslInUse(session.handle()), 1);
    // The login is bound to the channel of the shard where the handshake was.
    EXPECT_EQ(session.value("SELECT 7"), "7");
  }
}

TEST_F(ShardsTest, ACancelRequestFindsItsClientOnWhateverShard) {
  for (const char* name : {"one", "two", "three"}) {
    PqSession session(keywords(name));
    ASSERT_TRUE(session.connected()) << session.error();
    ASSERT_EQ(PQsendQuery(session.handle(), "SELECT pg_sleep(60)"), 1);
    ASSERT_TRUE(sleeps("SELECT pg_sleep(60)"));
    EXPECT_EQ(cancelled(session), "57014");
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_F(ShardsTest, WhoIsRefusedIsToldSoOnEveryShard) {
  for (const char* name : {"one", "two", "three", "nowhere"}) {
    PqSession session(keywords(name, "sslmode=disable password=wrong"));
    EXPECT_FALSE(session.connected());
    EXPECT_NE(session.error().find("password authentication failed"), std::string::npos) << session.error();
  }
  EXPECT_TRUE(wait_until([&] { return clients() == std::vector<std::uint32_t>{0, 0, 0}; }));
}

TEST_F(ShardsTest, TheConsoleShowsAllShards) {
  PqSession console(keywords("switchyard"));
  ASSERT_TRUE(console.connected()) << console.error();
  std::vector<std::unique_ptr<PqSession>> sessions;
  std::set<std::string> pids;
  for (const std::string name : {"one", "two", "three"}) {
    PqSession& session = *sessions.emplace_back(std::make_unique<PqSession>(keywords(name)));
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_TRUE(session.execute("BEGIN").ok());
    pids.insert(session.value("SELECT pg_backend_pid()"));
    EXPECT_EQ(shown(console, "CLIENTS", "state", "database", name), (std::vector<std::string>{"active"}));
    EXPECT_EQ(shown(console, "POOLS", "sv_active", "database", name), (std::vector<std::string>{"1"}));
    EXPECT_EQ(shown(console, "DATABASES", "current_client_connections", "name", name),
              (std::vector<std::string>{"1"}));
    EXPECT_EQ(shown(console, "STATS_TOTALS", "client_login_count", "database", name),
              (std::vector<std::string>{"1"}));
  }
  ASSERT_EQ(clients(), (std::vector<std::uint32_t>{2, 1, 1}));
  EXPECT_EQ(shown(console, "USERS", "current_client_connections", "name", "postgres"),
            (std::vector<std::string>{"4"}));
  const std::vector<std::string> linked = shown(console, "SERVERS", "remote_pid", "state", "active");
  EXPECT_EQ(std::set<std::string>(linked.begin(), linked.end()), pids);
  EXPECT_EQ(shown(console, "CLIENTS", "link", "database", "two").at(0).substr(0, 1), "S");
}

TEST_F(ShardsTest, WhatTheConsoleSaysReachesAllShards) {
  PqSession console(keywords("switchyard"));
  const std::array<std::string, 3> names{"one", "two", "three"};
  for (const std::string& name : names) {
    PqSession session(keywords(name));
    EXPECT_EQ(session.value("SELECT 1"), "1");
    EXPECT_EQ(tag_or_error(console.execute("PAUSE " + name)), "PAUSE") << name;
    EXPECT_EQ(shown(console, "POOLS", "sv_idle", "database", name), (std::vector<std::string>{"0"}));
    ASSERT_EQ(PQsendQuery(session.handle(), "SELECT 2"), 1);
    EXPECT_TRUE(wait_until([&] {
      return shown(console, "CLIENTS", "state", "database", name) == std::vector<std::string>{"waiting"};
    }));
    EXPECT_EQ(tag_or_error(console.execute("RESUME " + name)), "RESUME");
    PGresult* result = PQgetResult(session.handle());
    EXPECT_EQ(PQresultStatus(result), PGRES_TUPLES_OK) << PQresultErrorMessage(result);
    PQclear(result);
    EXPECT_EQ(PQgetResult(session.handle()), nullptr);

    EXPECT_EQ(
        tag_or_error(console.execute("KILL_CLIENT " + shown(console, "CLIENTS", "id", "database", name).at(0))),
        "KILL_CLIENT");
    EXPECT_FALSE(session.execute("SELECT 1").ok());

    PqSession other(keywords(name));
    EXPECT_EQ(other.value("SELECT 1"), "1");
    EXPECT_EQ(tag_or_error(console.execute("KILL " + name)), "KILL");
    EXPECT_TRUE(wait_until([&] { return shown(console, "CLIENTS", "state", "database", name).empty(); }));
    EXPECT_EQ(tag_or_error(console.execute("RESUME " + name)), "RESUME");

    EXPECT_EQ(tag_or_error(console.execute("DISABLE " + name)), "DISABLE");
    PqSession refused(keywords(name));
    EXPECT_NE(refused.error().find("is disabled"), std::string::npos) << refused.error();
    EXPECT_EQ(tag_or_error(console.execute("ENABLE " + name)), "ENABLE");
    PqSession again(keywords(name));
    EXPECT_EQ(again.value("SELECT 3"), "3");
  }
  EXPECT_EQ(tag_or_error(console.execute("KILL_CLIENT 12345678")), "08P01 client not found");
  EXPECT_EQ(tag_or_error(console.execute("PAUSE")), "PAUSE");
  EXPECT_EQ(tag_or_error(console.execute("RESUME")), "RESUME");
}

TEST_F(ShardsTest, LimitsOfAUserCountTheWholeProcess) {
  std::vector<std::unique_ptr<PqSession>> sessions;
  for (std::uint32_t i = 0; i < kUserClients; ++i) {
    sessions.push_back(std::make_unique<PqSession>(keywords(i % 2 == 0 ? "one" : "two")));
    ASSERT_TRUE(sessions.back()->connected()) << sessions.back()->error();
  }
  PqSession refused(keywords("three"));
  EXPECT_NE(refused.error().find("max_user_client_connections"), std::string::npos) << refused.error();
  sessions.pop_back();
  EXPECT_TRUE(wait_until([&] { return PqSession(keywords("three")).connected(); }));
}

TEST_F(ShardsTest, WhoDoesNotLogInLeavesNothingBehind) {
  for (int i = 0; i < 3; ++i) {
    PqSession wrong(keywords("two", "sslmode=disable password=wrong"));
    EXPECT_FALSE(wrong.connected());
  }
  // "two" is nobody's yet, so the first that logs in gets the shard with the fewest.
  PqSession one(keywords("one"));
  PqSession two(keywords("two"));
  EXPECT_EQ(clients(), (std::vector<std::uint32_t>{1, 1, 0}));
}

TEST(ShardsHandover, AllShardsHandOverAndTheirNumberMayDiffer) {
  TestDatabase database;
  const TlsFiles files;
  const TempFolder folder;
  const std::string path = folder.file("handover");
  auto old = std::make_unique<Process>(database, files, Process::Options{.shards = 3, .handover_path = path});
  const std::uint16_t port = old->port();
  std::vector<std::unique_ptr<PqSession>> sessions;
  for (const std::string name : {"one", "two", "three", "four"}) {
    PqSession& session = *sessions.emplace_back(std::make_unique<PqSession>(login(port, name)));
    ASSERT_TRUE(session.connected()) << session.error();
    EXPECT_TRUE(session.execute("SET work_mem = '77kB'").ok());
  }
  PqSession busy(login(port, "two"));
  for (const std::uint32_t shards : {2U, 4U}) {
    ASSERT_TRUE(busy.execute("BEGIN").ok());
    const std::string pid = busy.value("SELECT pg_backend_pid()");
    auto next = std::make_unique<Process>(
        database, files,
        Process::Options{.shards = shards, .handover_path = path, .take_over = true, .port = port});
    for (const auto& session : sessions) EXPECT_EQ(session->value("SHOW work_mem"), "77kB");
    PqSession late(login(port, "three"));
    EXPECT_TRUE(late.connected()) << late.error();
    EXPECT_FALSE(old->is_over());
    EXPECT_EQ(busy.value("SELECT pg_backend_pid()"), pid);
    ASSERT_TRUE(busy.execute("COMMIT").ok());
    EXPECT_TRUE(wait_until([&] { return old->is_over(); }));
    old = std::move(next);
    // The ids that clients know name shards of another process.
    for (const auto& session : sessions) {
      ASSERT_EQ(PQsendQuery(session->handle(), "SELECT pg_sleep(60)"), 1);
      ASSERT_TRUE(wait_until([&] {
        return database.query_value(
                   "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND "
                   "state = 'active'") == "1";
      }));
      EXPECT_EQ(cancelled(*session), "57014");
    }
  }
}

TEST_F(ShardsTest, NumbersOfShardsThatCannotBeAreRefused) {
  const auto refused = [&](std::uint32_t count) -> std::string {
    return std::string(
        GatewayShards::open({}, std::make_shared<fleet::SharedPermits>(nullptr), {}, count).error().message());
  };
  EXPECT_EQ(refused(0), "a gateway has 1 to 64 shards, not 0");
  EXPECT_EQ(refused(65), "a gateway has 1 to 64 shards, not 65");
}

}  // namespace
}  // namespace switchyard::gateway
