// The statement cache under stress: eviction, DDL, DEALLOCATE, and errors at each step.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using session::testing::plan_for;
using session::testing::SingleSession;

class SessionStatements : public ::testing::Test {
 protected:
  template <class F>
  void run(std::size_t cache, F body) {
    auto plan = plan_for(database.endpoint().keywords());
    plan->settings.statement_cache_size = cache;
    shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> with, F test) -> Task<void> {
      auto db = co_await SingleSession::open(with);
      co_await test(*db);
    }(plan, std::move(body)));
  }
  TestDatabase database = TestDatabase::with(
      "CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'one');"
      "CREATE FUNCTION hidden() RETURNS int LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DEALLOC' || 'ATE ALL'; RETURN 1; "
      "END$$");
  runtime::Shard shard;
};

std::string insert(int i) { return "INSERT INTO t VALUES ($1, 'v" + std::to_string(i) + "')"; }

TEST_F(SessionStatements, ABatchMayNeedMoreStatementsThanTheCacheHolds) {
  run(3, [](SingleSession& db) -> Task<void> {
    for (int round = 0; round < 4; ++round) {
      Batch batch;
      // Some are known, some new, some come twice, and one is evicted by the batch that uses it.
      for (int i = 0; i < 6; ++i) batch.add(insert((i * 5 + round) % 7), i);
      for (int i = 0; i < 2; ++i) batch.add(insert(round), 100);
      EXPECT_EQ(co_await db.run(std::move(batch)), 8U);
      EXPECT_EQ(co_await db.query_value<int>("SELECT " + std::to_string(round)), round);
    }
    EXPECT_LE(co_await db.query_value<std::int64_t>("SELECT count(*) FROM pg_prepared_statements"), 4);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM t"), 33);
  });
}

TEST_F(SessionStatements, TheSameTextWithOtherTypesIsAnotherStatement) {
  run(8, [](SingleSession& db) -> Task<void> {
    const std::string sql = "SELECT pg_typeof($1)::text";
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(co_await db.query_value<std::string>(sql, std::int32_t{1}), "integer");
      EXPECT_EQ(co_await db.query_value<std::string>(sql, std::int64_t{1}), "bigint");
      EXPECT_EQ(co_await db.query_value<std::string>(sql, true), "boolean");
    }
    EXPECT_EQ(co_await db.query_value<std::int64_t>(
                  "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1", sql),
              3);
  });
}

TEST_F(SessionStatements, DdlIsSeenByEverySession) {
  for (const std::size_t cache : {std::size_t{0}, std::size_t{1}, std::size_t{64}}) {
    database.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'one')");
    run(cache, [this, cache](SingleSession& one) -> Task<void> {
      auto plan = plan_for(database.endpoint().keywords());
      plan->settings.statement_cache_size = cache;
      auto other = co_await SingleSession::open(plan);
      for (SingleSession* db : {&one, other.get()}) {
        EXPECT_EQ((co_await db->query("SELECT * FROM t")).at(0).to_json(), R"({"id":1,"v":"one"})");
        EXPECT_EQ((co_await db->query<std::tuple<int, std::string>>("TABLE t")).size(), 1U);
      }
      co_await one.execute("ALTER TABLE t ADD COLUMN w bool DEFAULT true");
      for (SingleSession* db : {&one, other.get()}) {
        EXPECT_EQ((co_await db->query("SELECT * FROM t")).at(0).to_json(), R"({"id":1,"v":"one","w":true})")
            << cache;
        const auto narrow = co_await db->query<std::tuple<int, std::string>>("TABLE t").result();
        EXPECT_EQ(narrow.error().kind(), ErrorKind::Mapping) << cache;
        EXPECT_TRUE(narrow.error().session_alive());
      }
      co_await one.script("ALTER TABLE t DROP COLUMN v; ALTER TABLE t ALTER COLUMN id TYPE bigint");
      for (SingleSession* db : {&one, other.get()}) {
        EXPECT_EQ((co_await db->query("SELECT * FROM t")).at(0).to_json(), R"({"id":1,"w":true})") << cache;
      }
    });
  }
}

TEST_F(SessionStatements, ATransactionThatMeetsAChangedStatementGoesOnAfterItsSavepoint) {
  run(8, [this](SingleSession& db) -> Task<void> {
    co_await db.query("SELECT * FROM t");
    co_await db.script("BEGIN; SAVEPOINT a");
    db.in_transaction = true;
    database.execute("ALTER TABLE t ADD COLUMN w int");
    EXPECT_EQ((co_await db.query("SELECT * FROM t").result()).error().sqlstate(), "0A000");
    EXPECT_EQ((co_await db.query("SELECT 1").result()).error().sqlstate(), "25P02");
    co_await db.script("ROLLBACK TO a");
    EXPECT_EQ((co_await db.query("SELECT * FROM t")).at(0).to_json(), R"({"id":1,"v":"one","w":null})");
    co_await db.script("COMMIT");
  });
}

TEST_F(SessionStatements, StatementsThatAreGoneArePreparedAgain) {
  run(8, [](SingleSession& db) -> Task<void> {
    for (const char* sql : {"DEALLOCATE ALL", "DISCARD ALL", "SELECT 1; DEALLOCATE ALL; SELECT 2"}) {
      EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42);
      co_await db.script(sql);
      EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42) << sql;
    }
    for (const char* sql : {"DEALLOCATE ALL", "DISCARD ALL", "SELECT hidden()"}) {
      EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42);
      co_await db.execute(sql);
      EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42) << sql;
    }
    // Hidden from us, and in a batch: the whole of it is done again.
    Batch warm;
    warm.add(insert(1), 7).add(insert(2), 7);
    co_await db.run(std::move(warm));
    co_await db.execute("SELECT hidden()");
    Batch batch;
    batch.add("INSERT INTO t VALUES (8)").add(insert(1), 8).add(insert(2), 8);
    EXPECT_EQ(co_await db.run(std::move(batch)), 3U);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM t WHERE id = 8"), 3);
    // In a transaction the loss is an error, and the statement is prepared again by the next one.
    co_await db.query_value<int>("SELECT 43");
    co_await db.script("BEGIN");
    db.in_transaction = true;
    co_await db.execute("SELECT hidden()");
    EXPECT_EQ((co_await db.query_value<int>("SELECT 43").result()).error().sqlstate(), "26000");
    co_await db.script("ROLLBACK");
    db.in_transaction = false;
    EXPECT_EQ(co_await db.query_value<int>("SELECT 43"), 43);
  });
}

TEST_F(SessionStatements, AnErrorAtAnyStepLeavesCacheAndSessionUsable) {
  for (const std::size_t cache : {std::size_t{0}, std::size_t{2}, std::size_t{64}}) {
    run(cache, [](SingleSession& db) -> Task<void> {
      for (int round = 0; round < 3; ++round) {
        EXPECT_EQ((co_await db.query("SELECT nothing").result()).error().sqlstate(), "42703");  // Parse
        EXPECT_EQ((co_await db.query("SELECT $1::int + $2::int", 1).result()).error().sqlstate(), "08P01");  // Bind
        EXPECT_EQ((co_await db.query<int>("SELECT 1 / $1::int", 0).result()).error().sqlstate(),
                  "22012");  // Execute
        EXPECT_EQ(
            (co_await db.query<int>("SELECT g / (3 - g) FROM generate_series(1, 5) g").result()).error().sqlstate(),
            "22012");  // after rows
        Batch batch;
        batch.add(insert(1), 5).add("SELECT nothing").add(insert(2), 5);
        EXPECT_EQ((co_await db.run(std::move(batch)).result()).error().sqlstate(), "42703");
        EXPECT_EQ(co_await db.execute(insert(1), round + 10), 1U);
        EXPECT_EQ(co_await db.execute(insert(2), round + 10), 1U);
        EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM t WHERE id = 5"), 0);
        EXPECT_EQ((co_await db.query("").result()).ok(), true);
      }
      co_await db.execute("DELETE FROM t WHERE id > 1");
    });
  }
}

/// Inside a failed transaction nothing is prepared; the cache must not believe otherwise.
TEST_F(SessionStatements, AFailedTransactionPreparesNothing) {
  run(8, [](SingleSession& db) -> Task<void> {
    co_await db.script("BEGIN");
    db.in_transaction = true;
    EXPECT_EQ((co_await db.query("SELECT nothing").result()).error().sqlstate(), "42703");
    EXPECT_EQ((co_await db.query_value<int>("SELECT 77").result()).error().sqlstate(), "25P02");
    co_await db.script("ROLLBACK");
    db.in_transaction = false;
    EXPECT_EQ(co_await db.query_value<int>("SELECT 77"), 77);
    EXPECT_EQ(co_await db.query_value<int>("SELECT 77"), 77);
  });
}

}  // namespace
}  // namespace switchyard
