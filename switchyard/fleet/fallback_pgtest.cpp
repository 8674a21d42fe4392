// A database that goes away under its writers, and comes back: on real servers, one of which is killed.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/spool_admin.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::PrivateCluster;
using embedded::PrivateServer;
using embedded::TestDatabase;

// Names are given at run time: a name in code would have to be known to every fleet of this test program.
constexpr const char* kMain = "main";
constexpr const char* kAnalytics = "analytics";

constexpr const char* kFacts =
    "CREATE TABLE facts (seq bigserial PRIMARY KEY, writer int NOT NULL, n int NOT NULL CHECK (n >= 0))";

/// The cluster of `analytics`, which is stopped and killed; one for all tests of this file.
PrivateServer& analytics_server() {
  static const std::unique_ptr<PrivateCluster> cluster =
      PrivateCluster::start(embedded::test_options()).value_or_throw();
  return cluster->primary();
}

class FallbackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server.start().value_or_throw();
    execute("DROP SCHEMA IF EXISTS switchyard CASCADE; DROP TABLE IF EXISTS facts");
    execute(kFacts);
  }
  void TearDown() override { server.thaw(); }

  void execute(const std::string& sql) { static_cast<void>(server.execute(sql).value_or_throw()); }
  std::string value(const std::string& sql) {
    const auto result = server.execute(sql).value_or_throw();
    return result.rows.at(0).at(0).value_or("");
  }

  FleetConfig config(const std::string& analytics = "when_down = \"spool\"\n", const std::string& dsn = "",
                     const std::string& more = "") {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n" +
                        "[database.analytics]\ndsn = \"" + (dsn.empty() ? server.endpoint().uri() : dsn) + "\"\n" +
                        analytics + more;
    return load_config(sources).value_or_throw();
  }
  static std::unique_ptr<Fleet> open(FleetConfig with) { return Fleet::open(std::move(with)).value_or_throw(); }
  template <class F>
  void run(F body) {
    shard.run_until_complete([](F test) -> Task<void> { co_await test(); }(std::move(body)));
  }
  /// Until the spool is empty and its gate closed, as the server of main says it.
  Task<void> until_drained(Duration limit = 20s) {
    const TimePoint end = Clock::now() + limit;
    while (main.query_value("SELECT count(*) FROM switchyard.spool_gate WHERE open") != "0") {
      if (Clock::now() > end) {
        ADD_FAILURE() << "not drained: " << main.query_value("SELECT count(*) FROM switchyard.spool");
        co_return;
      }
      co_await sleep(20ms);
    }
  }
  std::string facts() { return value("SELECT coalesce(string_agg(n::text, ' ' ORDER BY seq), '') FROM facts"); }

  PrivateServer& server = analytics_server();
  TestDatabase main = TestDatabase::with(kFacts);
  runtime::Shard shard;
};

DatabaseHandle analytics(Fleet& fleet) { return fleet.database(kAnalytics).value_or_throw(); }
DatabaseHandle main_of(Fleet& fleet) { return fleet.database(kMain).value_or_throw(); }

constexpr const char* kInsert = "INSERT INTO facts (writer, n) VALUES ($1, $2)";

TEST_F(FallbackTest, WritesAreKeptWhileTheDatabaseIsDownAndAppliedInOrder) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    co_await analytics(*fleet).execute(kInsert, 1, 0);
    server.kill9();
    for (int n = 1; n <= 5; ++n) {
      const auto kept = co_await analytics(*fleet).execute(kInsert, 1, n).result();
      // What found its session dead is in doubt, as ever; what came after was kept.
      if (!kept.ok()) {
        EXPECT_EQ(kept.error().kind(), ErrorKind::InDoubt) << kept.error().what();
        --n;
      }
    }
    EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool"), "5");
    EXPECT_EQ(fleet->status().databases.back().spool->state, "spooling");
    EXPECT_EQ(fleet->status().databases.back().spool->entries, 5U);
    server.start().value_or_throw();
    co_await until_drained();
    EXPECT_EQ(facts(), "0 1 2 3 4 5");
    co_await analytics(*fleet).execute(kInsert, 1, 6);
    EXPECT_EQ(facts(), "0 1 2 3 4 5 6");
    EXPECT_EQ(fleet->status().databases.back().spool->state, "direct");
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, ManyRowsBatchesAndTransactionsAreOneEntryEach) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    server.kill9();
    const std::vector<std::tuple<int, int>> rows = {{1, 1}, {1, 2}, {1, 3}};
    co_await analytics(*fleet).execute_many(kInsert, rows);
    co_await analytics(*fleet).run(Batch().add(kInsert, 1, 4).add("UPDATE facts SET writer = 2 WHERE n = $1", 1));
    co_await analytics(*fleet).transaction([](Transaction& tx) -> Task<void> {
      co_await tx.execute(kInsert, 1, 5);
      static_cast<void>(co_await as_result(tx.transaction([](Transaction& inner) -> Task<void> {
        co_await inner.execute(kInsert, 1, 99);
        throw Error(ErrorKind::Usage, "changed my mind");
      })));
      co_await tx.transaction([](Transaction& inner) -> Task<void> { co_await inner.execute(kInsert, 1, 6); });
    });
    const auto undone = co_await as_result(analytics(*fleet).transaction([](Transaction& tx) -> Task<void> {
      co_await tx.execute(kInsert, 1, 98);
      throw Error(ErrorKind::Usage, "no");
    }));
    EXPECT_FALSE(undone.ok());
    EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool"), "3");
    server.start().value_or_throw();
    co_await until_drained();
    EXPECT_EQ(facts(), "1 2 3 4 5 6");
    EXPECT_EQ(value("SELECT writer FROM facts WHERE n = 1"), "2");
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, AWriteWithinATransactionIsKeptIfThatCommits) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    Request request = fleet->request({.timeout = {}, .label = "orders"});
    const auto write = [&](int n, bool commit) -> Task<void> {
      static_cast<void>(co_await as_result(main_of(*fleet).transaction([&](Transaction& tx) -> Task<void> {
        co_await tx.execute(kInsert, 7, n);
        co_await analytics(*fleet).within(tx).execute(kInsert, 1, n);
        if (!commit) throw Error(ErrorKind::Usage, "no");
      })));
    };
    co_await write(1, true);
    EXPECT_EQ(facts(), "1");
    server.kill9();
    co_await write(2, true);  // its session is dead: in doubt and undone, or, if that was noticed in time, kept
    co_await write(3, true);
    co_await write(4, false);
    co_await write(5, true);
    const std::string committed = main.query_value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM facts");
    EXPECT_TRUE(committed == "1 3 5" || committed == "1 2 3 5") << committed;
    EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool"), committed == "1 3 5" ? "2" : "3");
    server.start().value_or_throw();
    co_await until_drained();
    EXPECT_EQ(facts(), committed);

    const auto wrong = co_await as_result(main_of(*fleet).transaction([&](Transaction&) -> Task<void> {
      co_await analytics(*fleet).transaction(
          [&](Transaction& tx) -> Task<void> { co_await analytics(*fleet).within(tx).execute(kInsert, 1, 9); });
    }));
    EXPECT_EQ(wrong.error().kind(), ErrorKind::Usage);
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, ReadsAreAnsweredByTheFallbackAndSaySo) {
  main.execute("INSERT INTO facts (writer, n) VALUES (9, 42)");
  run([this]() -> Task<void> {
    auto fleet = open(config());
    Request before = fleet->request();
    const auto all = "SELECT count(*) FROM facts";
    EXPECT_EQ(co_await fleet->database(kAnalytics).value_or_throw().query_value<std::int64_t>(all), 0);
    server.kill9();
    for (int i = 0; i < 3; ++i) static_cast<void>(co_await analytics(*fleet).query(all).result());
    Request request = fleet->request();
    const auto handle = [&](const char* name) { return request.database(name).value_or_throw(); };
    EXPECT_EQ(co_await handle(kAnalytics).query_value<std::int64_t>(all), 1);
    EXPECT_TRUE(request.partial());
    EXPECT_FALSE(before.partial());
    EXPECT_EQ(co_await handle(kAnalytics).read().query_value<std::int64_t>(all), 1);
    const auto strict = co_await handle(kAnalytics).read({.strict = true}).query(all).result();
    EXPECT_EQ(strict.error().kind(), ErrorKind::Unavailable) << strict.error().what();
    const auto returning =
        co_await handle(kAnalytics).query("INSERT INTO facts (writer, n) VALUES (1, 1) RETURNING n").result();
    EXPECT_EQ(returning.error().kind(), ErrorKind::Unavailable);
    // A write opens the spool; then the refusal explains itself.
    co_await handle(kAnalytics).execute(kInsert, 1, 1);
    EXPECT_EQ(request.kept(), 1U);
    const auto explained =
        co_await handle(kAnalytics).query("INSERT INTO facts (writer, n) VALUES (1, 1) RETURNING n").result();
    EXPECT_NE(std::string(explained.error().what()).find("RETURNING"), std::string::npos)
        << explained.error().what();
    EXPECT_EQ(main.query_value("SELECT count(*) FROM facts"), "1");
    server.start().value_or_throw();
    co_await fleet->drain_spool(kAnalytics, 20s);
    Request after = fleet->request();
    co_await after.database(kAnalytics).value_or_throw().query(all);
    EXPECT_FALSE(after.partial());
    EXPECT_EQ(facts(), "1");
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, AFullSpoolRefusesAndNamesTheLimit) {
  run([this]() -> Task<void> {
    auto fleet = open(config("when_down = \"spool\"\nspool_max_entries = 2\n"));
    server.kill9();
    co_await analytics(*fleet).execute(kInsert, 1, 1);
    co_await analytics(*fleet).execute(kInsert, 1, 2);
    const auto full = co_await analytics(*fleet).execute(kInsert, 1, 3).result();
    EXPECT_EQ(full.error().kind(), ErrorKind::Unavailable);
    EXPECT_NE(std::string(full.error().what()).find("spool_max_entries (2)"), std::string::npos)
        << full.error().what();
    server.start().value_or_throw();
    co_await until_drained();
    co_await analytics(*fleet).execute(kInsert, 1, 4);
    EXPECT_EQ(facts(), "1 2 4");
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, WhatTheDatabaseRefusesIsKeptApartAndHoldsNothingUp) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    server.kill9();
    for (const int n : {1, 2, -3, 4}) co_await analytics(*fleet).execute(kInsert, 1, n);
    server.start().value_or_throw();
    co_await until_drained();
    EXPECT_EQ(facts(), "1 2 4");
    EXPECT_EQ(main.query_value("SELECT count(*) || ' ' || min(sqlstate) FROM switchyard.spool_refused"), "1 23514");
    EXPECT_EQ(fleet->status().databases.back().spool->refused, 1U);
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, ConfidentialEntriesAreKeptSealedAndReadNowhereElse) {
  run([this]() -> Task<void> {
    auto fleet =
        open(config("when_down = \"spool\"\nconfidential = true\nspool_key = \"" + std::string(64, 'c') + "\"\n"));
    server.kill9();
    co_await analytics(*fleet).execute("INSERT INTO facts (writer, n) VALUES (length($1::text), $2)",
                                       "the-secret-text", 5);
    EXPECT_EQ(
        main.query_value("SELECT count(*) FROM switchyard.spool WHERE sealed AND position('secret' IN "
                         "encode(payload, 'escape')) = 0 AND position('INSERT' IN encode(payload, 'escape')) = "
                         "0 AND summary = '(encrypted)'"),
        "1");
    const auto read = co_await analytics(*fleet).query("SELECT * FROM facts").result();
    EXPECT_FALSE(read.ok());
    server.start().value_or_throw();
    co_await until_drained();
    EXPECT_EQ(value("SELECT writer || ' ' || n FROM facts"), "15 5");
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, AWriterThatReachesTheDatabaseStandsInLineBehindOneThatDoesNot) {
  run([this]() -> Task<void> {
    // The first can't reach analytics at all, the second can.
    auto cut_off = open(config("when_down = \"spool\"\n", "postgresql://nobody@127.0.0.1:1/none"));
    auto well = open(config());
    co_await analytics(*well).execute(kInsert, 2, 0);
    for (int n = 1; n <= 9; n += 2) {
      co_await analytics(*cut_off).execute(kInsert, 1, n);
      co_await analytics(*well).execute(kInsert, 2, n + 1);
    }
    co_await until_drained();
    EXPECT_EQ(facts(), "0 1 2 3 4 5 6 7 8 9 10");
    co_await cut_off->close();
    co_await well->close();
  });
}

TEST_F(FallbackTest, WithoutTheFallbackAWriteFailsAndSaysWhy) {
  run([this]() -> Task<void> {
    FleetConfig configuration = config();
    relocate(configuration, *configuration.find(kMain), "postgresql://nobody@127.0.0.1:1/none", "test")
        .value_or_throw();
    for (auto& database : configuration.databases) database.pool.acquire_timeout.value = 300ms;
    auto fleet = open(std::move(configuration));
    // The fallback alone costs the database nothing.
    co_await analytics(*fleet).execute(kInsert, 1, 1);
    server.kill9();
    // Sessions that were open end with what is sent on them.
    std::optional<Error> lost;
    for (int n = 2; n < 100 && !(lost && lost->kind() == ErrorKind::Unavailable); ++n) {
      const auto sent = co_await analytics(*fleet).execute(kInsert, 1, n).result();
      if (!sent.ok()) lost = sent.error();
    }
    EXPECT_EQ(lost->kind(), ErrorKind::Unavailable);
    EXPECT_NE(std::string(lost->what()).find("its spool in 'main' can't be used"), std::string::npos)
        << lost->what();
    server.start().value_or_throw();
    // The pool connects again a little later.
    for (int i = 0; i < 20 && facts() == "1"; ++i) {
      static_cast<void>(co_await analytics(*fleet).execute(kInsert, 1, 4).result());
    }
    EXPECT_EQ(facts(), "1 4");
    co_await fleet->close(100ms);
  });
}

TEST_F(FallbackTest, WithoutTheRightToMakeTablesTheErrorHoldsTheStatements) {
  run([this]() -> Task<void> {
    main.execute("DROP ROLE IF EXISTS spool_nobody; CREATE ROLE spool_nobody LOGIN");
    FleetConfig configuration = config();
    auto endpoint = main.endpoint();
    relocate(configuration, *configuration.find(kMain), endpoint.uri() + "&user=spool_nobody", "test")
        .value_or_throw();
    auto fleet = open(std::move(configuration));
    server.kill9();
    const auto refused = co_await analytics(*fleet).execute(kInsert, 1, 3).result();
    EXPECT_EQ(refused.error().kind(), ErrorKind::Config) << refused.error().what();
    EXPECT_NE(std::string(refused.error().hint()).find("CREATE TABLE IF NOT EXISTS switchyard.spool"),
              std::string::npos)
        << refused.error().what();
    co_await fleet->close(100ms);
  });
}

TEST_F(FallbackTest, InMaintenanceWritesAreKeptAndSessionsGo) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    co_await analytics(*fleet).execute(kInsert, 1, 0);
    co_await begin_maintenance(*fleet, kAnalytics, std::nullopt);
    auto other = open(config());
    for (Fleet* one : {fleet.get(), other.get()}) {
      co_await one->warm_up();
      EXPECT_TRUE(one->status().databases.back().maintenance);
      co_await analytics(*one).execute(kInsert, 1, one == fleet.get() ? 1 : 2);
    }
    EXPECT_EQ(facts(), "0");
    const auto sessions = [&] {
      return value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test-analytics'");
    };
    for (int i = 0; i < 500 && sessions() != "0"; ++i) co_await sleep(10ms);
    EXPECT_EQ(sessions(), "0");
    const HealthReport report = (co_await fleet->health(kAnalytics)).value_or_throw();
    EXPECT_FALSE(report.healthy);
    EXPECT_EQ(report.error, "in maintenance");
    EXPECT_TRUE((co_await summarise_spool(*fleet, kAnalytics)).maintenance);
    EXPECT_TRUE(co_await end_maintenance(*fleet, kAnalytics));
    EXPECT_FALSE(co_await end_maintenance(*fleet, kAnalytics));
    co_await fleet->drain_spool(kAnalytics, 20s);
    EXPECT_EQ(facts(), "0 1 2");
    co_await analytics(*fleet).execute(kInsert, 1, 3);
    EXPECT_EQ(facts(), "0 1 2 3");
    co_await fleet->close();
    co_await other->close();
  });
}

TEST_F(FallbackTest, InMaintenanceADatabaseWithoutAFallbackRefuses) {
  run([this]() -> Task<void> {
    auto fleet = open(config("when_down = \"fail\"\n"));
    co_await begin_maintenance(*fleet, kAnalytics, 1h);
    co_await fleet->warm_up();
    for (int i = 0; i < 200 && !fleet->status().databases.back().maintenance; ++i) co_await sleep(10ms);
    const auto written = co_await analytics(*fleet).execute(kInsert, 1, 1).result();
    EXPECT_EQ(written.error().kind(), ErrorKind::Unavailable);
    EXPECT_NE(std::string(written.error().what()).find("is in maintenance"), std::string::npos)
        << written.error().what();
    const auto read = co_await analytics(*fleet).query("SELECT 1").result();
    EXPECT_EQ(read.error().kind(), ErrorKind::Unavailable);
    const auto transaction = co_await as_result(
        analytics(*fleet).transaction([](Transaction& tx) -> Task<void> { co_await tx.execute("SELECT 1"); }));
    EXPECT_EQ(transaction.error().kind(), ErrorKind::Unavailable);
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, AnOperatorSeesRefusedEntriesPutsThemBackOrDropsThem) {
  run([this]() -> Task<void> {
    auto fleet = open(config());
    server.kill9();
    for (const int n : {-1, 2, -3}) co_await analytics(*fleet).execute(kInsert, 1, n);
    const auto waiting = co_await list_spool(*fleet, kAnalytics, 100);
    EXPECT_EQ(waiting.size(), 3U);
    EXPECT_EQ(waiting.front().summary, "INSERT INTO facts (writer, n) VALUES ($1, $2)");
    server.start().value_or_throw();
    co_await until_drained();
    auto refused = co_await list_spool(*fleet, kAnalytics, 100);
    EXPECT_EQ(refused.size(), 2U);
    EXPECT_TRUE(refused.front().refused);
    EXPECT_EQ(refused.front().sqlstate, "23514");
    EXPECT_EQ(co_await drop_refused(*fleet, kAnalytics, refused.back().entry), 1U);
    EXPECT_EQ((co_await as_result(drop_refused(*fleet, kAnalytics, refused.back().entry))).error().kind(),
              ErrorKind::Usage);
    execute("ALTER TABLE facts DROP CONSTRAINT facts_n_check");
    EXPECT_EQ(co_await retry_refused(*fleet, kAnalytics, std::nullopt), 1U);
    co_await fleet->drain_spool(kAnalytics, 20s);
    EXPECT_EQ(facts(), "2 -1");
    EXPECT_EQ((co_await summarise_spool(*fleet, kAnalytics)).refused, 0);
    co_await fleet->close();
  });
}

TEST_F(FallbackTest, ManyWritersOfManyProcessesLoseNothingAndDoubleNothing) {
  run([this]() -> Task<void> {
    std::vector<std::unique_ptr<Fleet>> fleets;
    for (int i = 0; i < 3; ++i) fleets.push_back(open(config()));
    std::map<std::pair<int, int>, bool> ledger;  // acknowledged, or in doubt
    bool stop = false;
    const auto writer = [&](Fleet& fleet, int id) -> Task<void> {
      const auto going_on = [&] { return !stop; };
      for (int n = 0; going_on(); ++n) {
        const auto done = co_await analytics(fleet).execute(kInsert, id, n).result();
        if (done.ok()) {
          ledger[{id, n}] = true;
        } else {
          EXPECT_EQ(done.error().kind(), ErrorKind::InDoubt) << done.error().what();
          ledger[{id, n}] = false;
        }
        co_await sleep(5ms);
      }
    };
    const auto chaos = [&]() -> Task<void> {
      for (int round = 0; round < 2; ++round) {
        co_await sleep(300ms);
        server.kill9();
        co_await sleep(1500ms);
        server.start().value_or_throw();
        co_await sleep(2500ms);
      }
      stop = true;
    };
    std::vector<Task<void>> all_of_them;
    for (int id = 0; id < 6; ++id) all_of_them.push_back(writer(*fleets[static_cast<std::size_t>(id) / 2], id));
    all_of_them.push_back(chaos());
    co_await all(std::move(all_of_them));
    co_await until_drained();

    std::map<std::pair<int, int>, int> found;
    std::map<int, int> last;
    const auto rows = server.execute("SELECT writer, n FROM facts ORDER BY seq").value_or_throw().rows;
    for (const auto& row : rows) {
      const int id = std::stoi(row.at(0).value());
      const int n = std::stoi(row.at(1).value());
      ++found[{id, n}];
      EXPECT_TRUE(!last.contains(id) || last[id] < n) << "writer " << id << ": " << n << " after " << last[id];
      last[id] = n;
    }
    std::size_t kept = 0;
    for (const auto& [key, acknowledged] : ledger) {
      const int times = found.contains(key) ? found[key] : 0;
      EXPECT_TRUE(times == 1 || (times == 0 && !acknowledged)) << key.first << "/" << key.second << ": " << times;
      kept += acknowledged;
    }
    EXPECT_GT(kept, 300U);
    EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool_refused"), "0");
    for (auto& fleet : fleets) co_await fleet->close();
  });
}

}  // namespace
}  // namespace switchyard
