// Lost COMMITs that are settled by their markers, on real servers.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Gate;
using switchyard::testing::GateCut;
using switchyard::testing::GateDirection;
using switchyard::testing::GateFault;
using switchyard::testing::GateTarget;
using ::testing::HasSubstr;

inline constexpr Database<"main"> main_db;
/// What other files of this program ask for by name.
const std::string kOtherNames = "[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";

class CommitMarkers : public ::testing::Test {
 protected:
  GateTarget server() const { return GateTarget::unix_socket(database.endpoint().host, database.endpoint().port); }
  /// The database behind a gate.
  FleetConfig behind(const Gate& gate) const {
    return config("postgresql://postgres@127.0.0.1:" + std::to_string(gate.port()) + "/" + database.name() +
                  "?sslmode=disable");
  }
  FleetConfig direct() const { return config(database.endpoint().uri()); }
  static FleetConfig config(const std::string& dsn) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n" + kOtherNames + "[database.main]\ndsn = \"" + dsn +
                        "\"\npool = { min = 0, max = 2 }\n";
    return load_config(sources).value_or_throw();
  }
  template <class F>
  void run(FleetConfig with, F body) {
    shard.run_until_complete([](FleetConfig configuration, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(configuration)).value_or_throw();
      co_await test(*fleet);
      co_await fleet->close();
    }(std::move(with), std::move(body)));
  }
  /// Inserts `id` in a transaction with a marker; `on_way` is called before COMMIT.
  template <class OnWay>
  static Task<Result<int>> insert(Fleet& fleet, int id, TransactionOptions options, OnWay on_way) {
    options.marker = true;
    co_return co_await as_result(fleet[main_db].transaction(options, [id, on_way](Transaction& tx) -> Task<int> {
      co_await tx.execute("INSERT INTO t VALUES ($1)", id);
      on_way(tx);
      co_return id;
    }));
  }
  static void nothing(Transaction&) {}
  std::string count(int id) {
    return database.query_value("SELECT count(*) FROM t WHERE id = " + std::to_string(id));
  }
  /// What passes a gate while one row is inserted.
  std::pair<std::uint64_t, std::uint64_t> traffic() {
    Gate gate(server());
    std::pair<std::uint64_t, std::uint64_t> bytes;
    run(behind(gate), [&](Fleet& fleet) -> Task<void> {
      EXPECT_TRUE((co_await insert(fleet, 0, {}, nothing)).ok());
      bytes = {gate.bytes(GateDirection::to_server), gate.bytes(GateDirection::to_client)};
    });
    return bytes;
  }
  /// One insert for each place where the connection may be cut: some on the way, every byte around COMMIT.
  template <class Check>
  void cut_everywhere(TransactionOptions options, Check check) {
    (void)traffic();  // makes the table
    const auto [to_server, to_client] = traffic();
    int id = 0;
    for (const bool towards_server : {true, false}) {
      const std::uint64_t all = towards_server ? to_server : to_client;
      const std::uint64_t commit = towards_server ? 14 : 24;  // the message, or its answer, and a little more
      for (std::uint64_t at = 1; at < all; at += at + commit >= all ? 1 : std::min(all / 12, all - commit - at)) {
        ++id;
        Gate gate(server());
        gate.at_byte(towards_server ? GateDirection::to_server : GateDirection::to_client, at,
                     GateFault::cut(GateCut::reset));
        SCOPED_TRACE(std::string(towards_server ? "to server" : "to client") + " at byte " + std::to_string(at) +
                     " of " + std::to_string(all));
        run(behind(gate),
            [&](Fleet& fleet) -> Task<void> { check(id, co_await insert(fleet, id, options, nothing)); });
      }
    }
    EXPECT_GT(id, 40);
  }

  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int)");
  runtime::Shard shard;
};

TEST_F(CommitMarkers, WhatWeAskWithinATransactionIsNotLookedUpAlongItsSearchPath) {
  database.execute("CREATE TABLE written (id int)");
  database.execute("CREATE SCHEMA evil");
  for (const char* function :
       {"gen_random_uuid() RETURNS uuid", "pg_current_xact_id() RETURNS xid8", "pg_backend_pid() RETURNS int",
        "now() RETURNS timestamptz", "pg_current_wal_insert_lsn() RETURNS pg_lsn",
        "pg_walfile_name(pg_lsn) RETURNS text", "substr(text, int, int) RETURNS text",
        "both(text, text) RETURNS text", "to_regclass(text) RETURNS regclass", "pg_is_in_recovery() RETURNS bool",
        "pg_advisory_xact_lock(bigint) RETURNS void"}) {
    database.execute(std::string("CREATE FUNCTION evil.") + function +
                     " LANGUAGE plpgsql AS $$BEGIN RAISE 'deceived'; END$$");
  }
  database.execute("CREATE OPERATOR evil.|| (FUNCTION = evil.both, LEFTARG = text, RIGHTARG = text)");
  database.execute("CREATE DOMAIN evil.uuid AS text; CREATE DOMAIN evil.xid8 AS text");
  database.execute("ALTER DATABASE \"" + database.name() + "\" SET search_path = evil, public, pg_catalog");
  run(direct(), [](Fleet& fleet) -> Task<void> {
    Request request = fleet.request();
    std::string marker;
    co_await request[main_db].transaction({.marker = true}, [&marker](Transaction& tx) -> Task<void> {
      marker = tx.marker();
      co_await tx.execute("INSERT INTO written VALUES (1)");
    });
    EXPECT_EQ((co_await fleet.resolve(marker)).value_or_throw(), CommitOutcome::committed);
    Request second = fleet.request();
    co_await second[main_db].execute("INSERT INTO written VALUES (2)");
    EXPECT_THAT(second.tokens(), HasSubstr("/")) << "no position: the primary only, to be sure";
  });
}

TEST_F(CommitMarkers, ATransactionWithAMarkerMakesTheTableAndLeavesItsRow) {
  run(direct(), [&](Fleet& fleet) -> Task<void> {
    std::string marker;
    const auto keep = [&](Transaction& tx) { marker = tx.marker(); };
    EXPECT_EQ((co_await insert(fleet, 1, {}, keep)).value_or_throw(), 1);
    EXPECT_EQ((co_await fleet.resolve(marker)).value_or_throw(), CommitOutcome::committed);
    EXPECT_EQ(database.query_value("SELECT count(*) FROM switchyard.commit_marker"), "1");
    EXPECT_EQ(
        co_await fleet[main_db].transaction([](Transaction& tx) -> Task<std::string> { co_return tx.marker(); }),
        "");
  });
}

TEST_F(CommitMarkers, ATransactionThatWasRolledBackIsKnownAsSuch) {
  run(direct(), [&](Fleet& fleet) -> Task<void> {
    std::string marker;
    const auto fail = [&](Transaction& tx) {
      marker = tx.marker();
      throw Error(ErrorKind::Usage, "changed my mind");
    };
    EXPECT_FALSE((co_await insert(fleet, 1, {}, fail)).ok());
    EXPECT_EQ((co_await fleet.resolve(marker)).value_or_throw(), CommitOutcome::rolled_back);
    EXPECT_EQ((co_await fleet.resolve("nonsense")).error().kind(), ErrorKind::Config);
    marker.replace(0, 4, "mian");
    EXPECT_EQ((co_await fleet.resolve(marker)).error().kind(), ErrorKind::Usage);
  });
}

TEST_F(CommitMarkers, WhereverTheConnectionIsCutTheOutcomeIsKnown) {
  cut_everywhere({}, [&](int id, const Result<int>& result) {
    EXPECT_EQ(count(id), result.ok() ? "1" : "0");
    if (result.ok()) return;
    EXPECT_NE(result.error().kind(), ErrorKind::InDoubt) << result.error().what();
    EXPECT_TRUE(result.error().retryable()) << result.error().what();
  });
}

TEST_F(CommitMarkers, WhereverTheConnectionIsCutARetryAppliesItOnce) {
  cut_everywhere({.retry = 2}, [&](int id, const Result<int>& result) {
    EXPECT_TRUE(result.ok()) << result.error().what();
    EXPECT_EQ(count(id), "1");
  });
}

TEST_F(CommitMarkers, ACommitThatWaitsForAStandbyWhenItsSessionIsEndedIsFoundCommitted) {
  (void)traffic();
  database.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  database.execute("SELECT pg_reload_conf()");
  run(direct(), [&](Fleet& fleet) -> Task<void> {
    auto [result, killed] = co_await all(
        [](Fleet& on) -> Task<Result<int>> { co_return co_await insert(on, 1, {.retry = 2}, nothing); }(fleet),
        [](TestDatabase& on) -> Task<int> {
          while (on.query_value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = "
                                "'SyncRep' AND datname = current_database() AND query = 'COMMIT'") == "0") {
            co_await sleep(5ms);
          }
          co_return 0;
        }(database));
    EXPECT_EQ(Result(result).value_or_throw(), 1);
  });
  database.execute("ALTER SYSTEM RESET synchronous_standby_names");
  database.execute("SELECT pg_reload_conf()");
  EXPECT_EQ(count(1), "1");
}

TEST_F(CommitMarkers, ATransactionWhoseCommitNeverArrivedIsEndedOnTheServer) {
  (void)traffic();
  Gate gate(server());
  std::string marker;
  run(behind(gate), [&](Fleet& fleet) -> Task<void> {
    const auto stall = [&](Transaction& tx) {
      marker = tx.marker();
      gate.stall(GateDirection::to_server);
    };
    const auto result = co_await insert(fleet, 1, {.timeout = Duration(500ms)}, stall);
    EXPECT_EQ(result.error().kind(), ErrorKind::InDoubt);
    EXPECT_THAT(result.error().what(), HasSubstr("Fleet::resolve(\"" + marker + "\")"));
    // Somebody who reaches the server by another way.
    auto other = Fleet::open(direct()).value_or_throw();
    EXPECT_EQ((co_await other->resolve(marker)).value_or_throw(), CommitOutcome::rolled_back);
    co_await other->close();
  });
  EXPECT_EQ(count(1), "0");
}

TEST_F(CommitMarkers, WhoMayNotMakeTheTableIsToldHow) {
  database.execute("CREATE ROLE marker_reader LOGIN");
  std::string dsn = database.endpoint().uri();
  dsn.replace(dsn.find("postgres@"), 9, "marker_reader@");
  run(config(dsn), [&](Fleet& fleet) -> Task<void> {
    const auto result = co_await insert(fleet, 1, {}, nothing);
    EXPECT_EQ(result.error().kind(), ErrorKind::Config);
    EXPECT_THAT(result.error().what(), HasSubstr("CREATE TABLE IF NOT EXISTS switchyard.commit_marker"));
  });
  database.execute("DROP ROLE marker_reader");
}

}  // namespace
}  // namespace switchyard
