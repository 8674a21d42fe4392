// Gateways that take over from each other under their clients.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/runtime/descriptor_channel.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::wait_until;

/// One process after the other, as far as a test can: each with a thread, a fleet and a gateway of its own.
class Succession {
 public:
  explicit Succession(const TestDatabase& database, std::function<void(GatewaySettings&)> change = {})
      : database_(database), change_(std::move(change)) {
    next();
  }
  /// Another gateway takes over.
  void next() {
    const bool first = !current_;
    handed_over_ = std::make_shared<std::atomic<bool>>(false);
    auto opened = std::make_unique<Door>(
        database_, switchyard::testing::DoorOptions{
                       .more = "pool = { min = 0, max = 10 }\n",
                       .users = "\"postgres\" \"pw\"",
                       .tls = false,
                       .change = [&](GatewaySettings& settings) {
                         settings.listen = {
                             runtime::SocketAddress::unix_domain(folder_.file(".s.PGSQL.6433")).value_or_throw(),
                             runtime::SocketAddress::ip("127.0.0.1", port_).value_or_throw()};
                         settings.handover_path = folder_.file("handover");
                         settings.take_over = !first;
                         settings.on_handed_over = [flag = handed_over_] { *flag = true; };
                         if (change_) change_(settings);
                       }});
    if (first) port_ = opened->port();  // the successors have the same; clients on threads of their own read it
    previous_ = std::move(current_);
    previous_handed_over_ = std::exchange(current_handed_over_, handed_over_);
    current_ = std::move(opened);
  }
  /// Everybody has gone from the one before, which ends.
  [[nodiscard]] bool wait_for_the_end_of_the_former() {
    if (!wait_until([&] { return previous_handed_over_->load(); })) return false;
    previous_.reset();
    return true;
  }
  [[nodiscard]] Door& now() { return *current_; }
  [[nodiscard]] Door& former() { return *previous_; }
  void end_former() { previous_.reset(); }
  void end_current() {
    current_ = std::move(previous_);
    current_handed_over_ = previous_handed_over_;
  }
  [[nodiscard]] bool former_is_empty() const { return previous_handed_over_->load(); }
  /// Where the gateway waits for its successor.
  [[nodiscard]] std::string handover() const { return folder_.file("handover"); }
  [[nodiscard]] std::string local() const {
    return "host=" + folder_.path().string() + " port=6433 user=postgres dbname=main ";
  }
  [[nodiscard]] std::string tcp() const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=main password=pw ";
  }

 private:
  const TestDatabase& database_;
  std::function<void(GatewaySettings&)> change_;
  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::shared_ptr<std::atomic<bool>> handed_over_, current_handed_over_, previous_handed_over_;
  std::unique_ptr<Door> previous_, current_;
};

class HandoverTest : public ::testing::Test {
 protected:
  TestDatabase database =
      TestDatabase::with("CREATE TABLE log (client int, n int, process int, PRIMARY KEY (client, n))");
};

TEST_F(HandoverTest, AClientGoesOnWithWhatItHadPreparedAndSet) {
  Succession gateways(database);
  PqSession client(gateways.local() + "application_name=it");
  PqSession other(gateways.tcp());
  ASSERT_TRUE(client.connected()) << client.error();
  ASSERT_TRUE(other.connected()) << other.error();
  EXPECT_TRUE(client.execute("SET search_path = pg_catalog; SET work_mem = '77kB'").ok());
  EXPECT_TRUE(PqResult(PQprepare(client.handle(), "s", "SELECT $1::int + 1", 0, nullptr)).ok());
  gateways.next();
  ASSERT_TRUE(gateways.wait_for_the_end_of_the_former());
  EXPECT_EQ(gateways.now().status().taken_over, 2U);
  const char* values[] = {"41"};
  EXPECT_EQ(PqResult(PQexecPrepared(client.handle(), "s", 1, values, nullptr, nullptr, 0)).value(0, 0), "42");
  EXPECT_EQ(client.value("SHOW search_path"), "pg_catalog");
  EXPECT_EQ(client.value("SHOW work_mem"), "77kB");
  EXPECT_EQ(client.value("SHOW application_name"), "it");
  EXPECT_EQ(other.value("SELECT 1"), "1");
  PqSession late(gateways.tcp());
  EXPECT_TRUE(late.connected()) << late.error();
}

TEST_F(HandoverTest, ATransactionEndsWhereItBegan) {
  Succession gateways(database);
  PqSession client(gateways.local());
  EXPECT_TRUE(client.execute("BEGIN; INSERT INTO log VALUES (1, 1, 0)").ok());
  const std::string pid = client.value("SELECT pg_backend_pid()");
  gateways.next();
  PqSession idle(gateways.local());
  EXPECT_EQ(idle.value("SELECT 1"), "1") << "whoever comes is served by the new one";
  EXPECT_FALSE(gateways.former_is_empty());
  EXPECT_EQ(client.value("SELECT pg_backend_pid()"), pid);
  EXPECT_TRUE(client.execute("COMMIT").ok());
  ASSERT_TRUE(gateways.wait_for_the_end_of_the_former());
  EXPECT_EQ(client.value("SELECT count(*) FROM log"), "1");
}

TEST_F(HandoverTest, KeysForCancelRequestsGoOn) {
  Succession gateways(database);
  PqSession moved(gateways.local());
  PqSession held(gateways.local());
  ASSERT_EQ(PQsendQuery(held.handle(), "SELECT pg_sleep(60)"), 1);
  ASSERT_TRUE(wait_until([&] {
    return database.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  }));
  gateways.next();
  ASSERT_TRUE(wait_until([&] { return gateways.now().status().taken_over == 1; }));
  const auto cancel = [](PqSession& session) {
    PGcancel* key = PQgetCancel(session.handle());
    std::array<char, 256> error{};
    EXPECT_EQ(PQcancel(key, error.data(), static_cast<int>(error.size())), 1) << error.data();
    PQfreeCancel(key);
    return PqResult(PQgetResult(session.handle())).sqlstate();
  };
  EXPECT_EQ(cancel(held), "57014") << "still with the old process";
  EXPECT_EQ(PQgetResult(held.handle()), nullptr);
  ASSERT_EQ(PQsendQuery(moved.handle(), "SELECT pg_sleep(60)"), 1);
  ASSERT_TRUE(wait_until([&] {
    return database.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  }));
  EXPECT_EQ(cancel(moved), "57014");
}

TEST_F(HandoverTest, WhoHoldsASessionTooLongIsEnded) {
  Succession gateways(database, [](GatewaySettings& settings) { settings.config.handover_limit.value = 50ms; });
  PqSession pinned(gateways.local());
  EXPECT_TRUE(pinned.execute("CREATE TEMP TABLE mine (a int)").ok());
  gateways.next();
  ASSERT_TRUE(gateways.wait_for_the_end_of_the_former());
  EXPECT_FALSE(pinned.execute("SELECT 1").ok());
  EXPECT_NE(pinned.error().find("handover_limit"), std::string::npos) << pinned.error();
}

TEST_F(HandoverTest, WhenTheSuccessorDiesTheOldOneGoesOn) {
  Succession gateways(database);
  PqSession busy(gateways.local());
  EXPECT_TRUE(busy.execute("BEGIN").ok());
  gateways.next();
  gateways.end_current();
  EXPECT_EQ(busy.value("SELECT 1"), "1");
  PqSession late(gateways.tcp());
  EXPECT_EQ(late.value("SELECT 1"), "1");
  gateways.next();
  EXPECT_TRUE(busy.execute("COMMIT").ok());
  ASSERT_TRUE(gateways.wait_for_the_end_of_the_former());
  EXPECT_EQ(busy.value("SELECT 1"), "1");
}

// A process that is killed as it starts; or one that only looks whether somebody still listens there.
TEST_F(HandoverTest, ASuccessorThatIsGoneBeforeItIsGreetedChangesNothing) {
  Succession gateways(database);
  PqSession client(gateways.local());
  EXPECT_EQ(client.value("SELECT 1"), "1");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(wait_until([&] {
      bool connected = false;
      // On the gateway's thread, which can't accept meanwhile.
      gateways.now().reload([&](GatewaySettings&) {
        connected = runtime::DescriptorChannel::connect(gateways.handover()).ok();  // and closed
      });
      return connected;
    })) << "it waits for the next one";
    EXPECT_EQ(client.value("SELECT 1"), "1");
    PqSession late(gateways.tcp());
    EXPECT_EQ(late.value("SELECT 1"), "1");
  }
  gateways.next();
  ASSERT_TRUE(gateways.wait_for_the_end_of_the_former());
  EXPECT_EQ(client.value("SELECT 1"), "1");
}

// Clients that never stop, each statement counted once by its primary key.
TEST_F(HandoverTest, HundredsOfClientsLoseNothingOverTenRestarts) {
  constexpr int kThreads = 8;
  constexpr int kClientsOfEach = 25;
  constexpr int kRestarts = 10;
  Succession gateways(database);
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> done = 0;
  std::mutex mutex;
  std::vector<std::string> errors;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<std::unique_ptr<PqSession>> clients;
      const auto check = [&](bool sound, const std::string& what) {
        if (sound) return;
        const std::lock_guard lock(mutex);
        if (errors.size() < 5) errors.push_back(what);
        stop = true;
      };
      for (int i = 0; i < kClientsOfEach; ++i) {
        const int id = thread * kClientsOfEach + i;
        auto& client =
            clients.emplace_back(std::make_unique<PqSession>(id % 2 == 0 ? gateways.local() : gateways.tcp()));
        check(client->connected(), client->error());
        if (stop) return;
        check(client->execute("SET work_mem = '" + std::to_string(64 + id) + "kB'").ok(), client->error());
        const PqResult prepared(
            PQprepare(client->handle(), "insert",
                      "INSERT INTO log VALUES (replace(current_setting('work_mem'), 'kB', '')::int - 64, $1, "
                      "pg_backend_pid()) RETURNING client, n",
                      0, nullptr));
        check(prepared.ok(), client->error());
      }
      for (int n = 0; !stop; ++n) {
        for (int i = 0; i < kClientsOfEach && !stop; ++i) {
          PqSession& client = *clients[static_cast<std::size_t>(i)];
          const std::string number = std::to_string(n);
          const char* values[] = {number.c_str()};
          const PqResult row(PQexecPrepared(client.handle(), "insert", 1, values, nullptr, nullptr, 0));
          check(row.ok() && row.value(0, 0) == std::to_string(thread * kClientsOfEach + i) &&
                    row.value(0, 1) == number,
                "client " + std::to_string(thread * kClientsOfEach + i) + " " + number + ": " + row.error() +
                    client.error());
          ++done;
        }
      }
    });
  }
  for (int restart = 0; restart < kRestarts && !stop; ++restart) {
    const std::uint64_t before = done;
    EXPECT_TRUE(wait_until([&] { return stop || done > before + kThreads * kClientsOfEach; }));
    gateways.next();
    EXPECT_TRUE(gateways.wait_for_the_end_of_the_former()) << "restart " << restart;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) ADD_FAILURE() << error;
  EXPECT_EQ(database.query_value("SELECT count(*) FROM log"), std::to_string(done.load()));
}

}  // namespace
}  // namespace switchyard::gateway
