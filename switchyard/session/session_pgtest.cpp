// A session against a real server.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using session::testing::plan_for;
using session::testing::SingleSession;

/// A database, a loop, and a session to it.
class SessionTest : public ::testing::Test {
 protected:
  /// Runs a test body that is a coroutine.
  template <class F>
  void run(F body) {
    shard.run_until_complete(connected(std::move(body)));
  }
  template <class F>
  Task<void> connected(F body) {
    auto db = co_await SingleSession::open(plan_for(database.endpoint().keywords()));
    co_await body(*db);
  }
  TestDatabase database = TestDatabase::with(
      "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'Ada'), (2, NULL)");
  runtime::Shard shard;
};

struct User {
  std::int32_t id = 0;
  std::optional<std::string> name;
};

/// The error an operation ends with.
template <class T>
Task<Error> error_of(Operation<T> operation) {
  auto result = co_await operation.result();
  if (result.ok()) throw std::runtime_error("the operation succeeded");
  co_return result.error();
}

TEST_F(SessionTest, EachVerbGivesItsShape) {
  run([](SingleSession& db) -> Task<void> {
    const auto users = co_await db.query<User>("SELECT id, name FROM users ORDER BY id");
    EXPECT_EQ(users.size(), 2U);
    EXPECT_EQ(users[0].name, "Ada");
    EXPECT_EQ(users[1].name, std::nullopt);
    EXPECT_EQ((co_await db.query_one<User>("SELECT * FROM users WHERE id = $1", 1)).name, "Ada");
    EXPECT_FALSE((co_await db.query_optional<User>("SELECT * FROM users WHERE id = $1", 9)).has_value());
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users"), 2);
    EXPECT_EQ(co_await db.execute("UPDATE users SET name = $2 WHERE id = $1", 2, "Bob"), 1U);
    const auto pairs = co_await db.query<std::tuple<int, std::string>>("SELECT id, name FROM users ORDER BY id");
    EXPECT_EQ(std::get<1>(pairs.at(1)), "Bob");
    const auto rows = co_await db.query("SELECT id, name FROM users ORDER BY id");
    EXPECT_EQ(rows.at(0).to_json(), R"({"id":1,"name":"Ada"})");
  });
}

TEST_F(SessionTest, AnswersOfAnySizeAreWholeWhateverTheLastOnesWere) {
  // Over TCP the session guesses how much will come: right, then too much, too little, and before an error.
  shard.run_until_complete([](std::string keywords) -> Task<void> {
    auto db = co_await SingleSession::open(plan_for(keywords));
    constexpr std::string_view kSql = "SELECT 10000 / (i - $2) FROM generate_series(1, $1) i";
    for (const int rows : {3000, 3000, 3000, 1, 0, 3000, 3000, 60'000, 60'000, 60'000, 100}) {
      EXPECT_EQ((co_await db->query<int>(kSql, rows, 0)).size(), static_cast<std::size_t>(rows));
    }
    constexpr std::string_view kOther = "SELECT i, 10000 / (i - $2) FROM generate_series(1, $1) i";
    using Pair = std::tuple<int, int>;
    for (int i = 0; i < 3; ++i) EXPECT_EQ((co_await db->query<Pair>(kOther, 20'000, 0)).size(), 20'000U);
    const Error error = co_await error_of(db->query<Pair>(kOther, 20'000, 10));
    EXPECT_EQ(error.sqlstate(), "22012");
    EXPECT_EQ((co_await db->query<Pair>(kOther, 20'000, 0)).size(), 20'000U);
  }(database.tcp_endpoint().keywords()));
}

TEST_F(SessionTest, RowsOfOneNumberAreReadWhateverTheirWidthAndWhateverComesBetween) {
  run([](SingleSession& db) -> Task<void> {
    const auto sum = [](const auto& values) {
      std::int64_t out = 0;
      for (const auto value : values) out += value;
      return out;
    };
    const auto ints = co_await db.query<int>("SELECT i FROM generate_series(1, 10000) i");
    EXPECT_EQ(ints.size(), 10'000U);
    EXPECT_EQ(sum(ints), 50'005'000);
    const auto longs = co_await db.query<std::int64_t>("SELECT i FROM generate_series(1, 1000) i");
    EXPECT_EQ(sum(longs), 500'500);
    const auto doubles = co_await db.query<double>("SELECT i / 2::float8 FROM generate_series(1, 3) i");
    EXPECT_EQ(doubles, (std::vector{0.5, 1.0, 1.5}));
    const auto maybe = co_await db.query<std::optional<int>>("SELECT nullif(i, 2) FROM generate_series(1, 3) i");
    EXPECT_EQ(maybe, (std::vector<std::optional<int>>{1, std::nullopt, 3}));
    const Error null = co_await error_of(db.query<int>("SELECT nullif(i, 700) FROM generate_series(1, 1000) i"));
    EXPECT_EQ(null.kind(), ErrorKind::Mapping);
    EXPECT_NE(std::string(null.what()).find("row 700"), std::string::npos) << null.what();
    const Error server = co_await error_of(db.query<int>("SELECT 1 / (i - 700) FROM generate_series(1, 1000) i"));
    EXPECT_EQ(server.sqlstate(), "22012");
  });
}

TEST_F(SessionTest, AWrongNumberOfRowsIsAnErrorThatSaysSo) {
  run([](SingleSession& db) -> Task<void> {
    const Error none = co_await error_of(db.query_one<User>("SELECT * FROM users WHERE id = 9"));
    EXPECT_EQ(none.kind(), ErrorKind::Mapping);
    EXPECT_NE(std::string(none.what()).find("there was none"), std::string::npos) << none.what();
    const Error two = co_await error_of(db.query_optional<User>("SELECT * FROM users"));
    EXPECT_NE(std::string(two.what()).find("there were 2"), std::string::npos) << two.what();
  });
}

TEST_F(SessionTest, AServerErrorKeepsItsFieldsAndTheSession) {
  run([](SingleSession& db) -> Task<void> {
    const Error error = co_await error_of(db.execute("INSERT INTO users VALUES (1, 'x')"));
    EXPECT_EQ(error.sqlstate(), "23505");
    EXPECT_EQ(error.server()->constraint, "users_pkey");
    EXPECT_TRUE(error.session_alive());
    EXPECT_EQ(co_await db.query_value<int>("SELECT 1"), 1);
    const Error syntax = co_await error_of(db.query("SELEC 1"));
    EXPECT_EQ(syntax.sqlstate(), "42601");
    EXPECT_EQ(syntax.server()->position, "1");
  });
}

TEST_F(SessionTest, AColumnThatDoesNotFitNamesColumnAndTypes) {
  run([](SingleSession& db) -> Task<void> {
    struct Wrong {
      std::int32_t name = 0;
    };
    for (int attempt = 0; attempt < 2; ++attempt) {  // as an unknown statement, then as a prepared one
      const Error error = co_await error_of(db.query<Wrong>("SELECT id, name FROM users"));
      EXPECT_EQ(error.kind(), ErrorKind::Mapping);
      const std::string text = error.what();
      EXPECT_NE(text.find("name"), std::string::npos) << text;
      EXPECT_NE(text.find("text"), std::string::npos) << text;
    }
    const Error null =
        co_await error_of(db.query<std::tuple<int, std::string>>("SELECT id, name FROM users ORDER BY id"));
    EXPECT_EQ(null.kind(), ErrorKind::Mapping);
    EXPECT_EQ(co_await db.query_value<int>("SELECT 1"), 1);
  });
}

TEST_F(SessionTest, APreparedStatementSurvivesDdlOutsideATransaction) {
  run([this](SingleSession& db) -> Task<void> {
    EXPECT_EQ((co_await db.query("SELECT * FROM users")).size(), 2U);
    database.execute("ALTER TABLE users ADD COLUMN email text");
    const auto rows = co_await db.query("SELECT * FROM users ORDER BY id");
    EXPECT_EQ(rows.at(0).to_json(), R"({"id":1,"name":"Ada","email":null})");
  });
}

TEST_F(SessionTest, APreparedStatementThatIsGoneIsPreparedAgain) {
  run([](SingleSession& db) -> Task<void> {
    EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42);
    co_await db.execute("DISCARD ALL");
    EXPECT_EQ(co_await db.query_value<int>("SELECT 42"), 42);
    EXPECT_TRUE(db.session().needs_reset());
  });
}

TEST_F(SessionTest, InsideATransactionAChangedStatementIsATypedError) {
  run([this](SingleSession& db) -> Task<void> {
    co_await db.query("SELECT * FROM users");
    co_await db.script("BEGIN");
    db.in_transaction = true;
    database.execute("ALTER TABLE users ADD COLUMN email text");
    const Error error = co_await error_of(db.query("SELECT * FROM users"));
    EXPECT_EQ(error.sqlstate(), "0A000");
    co_await db.script("ROLLBACK");
    db.in_transaction = false;
    EXPECT_EQ((co_await db.query("SELECT * FROM users")).size(), 2U);
  });
}

TEST_F(SessionTest, ManyStatementsFitThroughASmallCache) {
  auto plan = plan_for(database.endpoint().keywords());
  plan->settings.statement_cache_size = 3;
  shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> with) -> Task<void> {
    auto db = co_await SingleSession::open(with);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(co_await db->query_value<int>("SELECT " + std::to_string(i)), i);
      }
    }
    EXPECT_LE(co_await db->query_value<std::int64_t>("SELECT count(*) FROM pg_prepared_statements"), 4);
    Batch batch;
    for (int i = 0; i < 8; ++i) batch.add("INSERT INTO users VALUES ($1, 'x" + std::to_string(i) + "')", 100 + i);
    EXPECT_EQ(co_await db->run(std::move(batch)), 8U);
  }(plan));
}

TEST_F(SessionTest, WithoutACacheStatementsAreUnnamed) {
  auto plan = plan_for(database.endpoint().keywords());
  plan->settings.statement_cache_size = 0;
  shard.run_until_complete([](std::shared_ptr<session::ConnectPlan> with) -> Task<void> {
    auto db = co_await SingleSession::open(with);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await db->query_value<int>("SELECT $1::int", i), i);
    Batch batch;
    batch.add("INSERT INTO users VALUES ($1, $2)", 10, "a").add("UPDATE users SET name = 'b' WHERE id = $1", 10);
    EXPECT_EQ(co_await db->run(std::move(batch)), 2U);
    EXPECT_EQ(co_await db->query_value<std::int64_t>("SELECT count(*) FROM pg_prepared_statements"), 0);
  }(plan));
}

TEST_F(SessionTest, ABatchTakesEffectWhollyOrNotAtAll) {
  run([](SingleSession& db) -> Task<void> {
    Batch batch;
    batch.add("INSERT INTO users VALUES ($1, $2)", 3, "c").add("INSERT INTO users VALUES ($1, $2)", 1, "duplicate");
    const Error error = co_await error_of(db.run(std::move(batch)));
    EXPECT_EQ(error.sqlstate(), "23505");
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users"), 2);
    std::vector<std::tuple<int, std::string>> rows;
    for (int i = 10; i < 1010; ++i) rows.emplace_back(i, "user " + std::to_string(i));
    EXPECT_EQ(co_await db.execute_many("INSERT INTO users VALUES ($1, $2)", rows), 1000U);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users"), 1002);
  });
}

TEST_F(SessionTest, ALargeBatchOverTcpIsSentInPiecesAndIsWholeOrNothing) {
  shard.run_until_complete([](std::string keywords) -> Task<void> {
    auto db = co_await SingleSession::open(plan_for(keywords));
    constexpr std::string_view kSql = "INSERT INTO users VALUES ($1, $2)";
    using Rows = std::vector<std::tuple<int, std::string>>;
    const auto rows = [](int first, int count) {
      Rows out;
      for (int i = 0; i < count; ++i) out.emplace_back(first + i, std::string(100, 'x'));
      return out;
    };
    for (int round = 1; round <= 3; ++round) {
      EXPECT_EQ(co_await db->execute_many(kSql, rows(round * 10'000, 3000)), 3000U);
    }
    Rows bad = rows(50'000, 3000);
    std::get<0>(bad[1500]) = 1;
    EXPECT_EQ((co_await error_of(db->execute_many(kSql, bad))).sqlstate(), "23505");
    EXPECT_EQ(co_await db->execute(kSql, 50'000, "one"), 1U);
    EXPECT_EQ(co_await db->query_value<std::int64_t>("SELECT count(*) FROM users"), 9003);
    EXPECT_EQ(co_await db->execute("DELETE FROM users WHERE id > 2"), 9001U);
  }(database.tcp_endpoint().keywords()));
}

TEST_F(SessionTest, ADeadlineCancelsTheStatementAndKeepsTheSession) {
  run([](SingleSession& db) -> Task<void> {
    const Error error = co_await error_of(db.query({.sql = "SELECT pg_sleep(20)", .timeout = 100ms}));
    EXPECT_EQ(error.kind(), ErrorKind::Deadline);
    EXPECT_NE(std::string(error.what()).find("the statement's timeout"), std::string::npos) << error.what();
    co_await db.quiet();
    EXPECT_EQ(co_await db.query_value<int>("SELECT 1"), 1);
  });
}

TEST_F(SessionTest, ADroppedOperationIsCancelledAndTheSessionGoesOn) {
  run([](SingleSession& db) -> Task<void> {
    try {
      co_await with_timeout([](SingleSession& on) -> Task<void> { co_await on.query("SELECT pg_sleep(20)"); }(db),
                            100ms);
      ADD_FAILURE() << "no timeout";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Deadline);
    }
    co_await db.quiet();
    EXPECT_EQ(co_await db.query_value<int>("SELECT 2"), 2);
    EXPECT_FALSE(db.closed());
  });
}

TEST_F(SessionTest, ALostSessionLeavesWritesInDoubtAndReadsNot) {
  run([this](SingleSession& db) -> Task<void> {
    const auto terminate = [this, &db] {
      database.execute("SELECT pg_terminate_backend(" + std::to_string(db.session().server_pid()) + ")");
    };
    spawn([](auto kill) -> Task<void> {
      co_await sleep(100ms);
      kill();
    }(terminate));
    const Error error = co_await error_of(db.query("SELECT pg_sleep(20)"));
    EXPECT_EQ(error.kind(), ErrorKind::InDoubt) << error.what();
    EXPECT_EQ(error.stage(), ErrorStage::commit_sent);
    EXPECT_FALSE(error.session_alive());
    EXPECT_TRUE(db.closed());

    auto reader = co_await SingleSession::open(plan_for(database.endpoint().keywords()));
    reader->read_only = true;
    spawn([](TestDatabase& on, std::int32_t pid) -> Task<void> {
      co_await sleep(100ms);
      on.execute("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
    }(database, reader->session().server_pid()));
    const Error lost = co_await error_of(reader->query("SELECT pg_sleep(20)"));
    EXPECT_EQ(lost.kind(), ErrorKind::Unavailable) << lost.what();
    EXPECT_EQ(lost.sqlstate(), "57P01");
  });
}

TEST_F(SessionTest, AResetUndoesWhatAUserLeft) {
  run([](SingleSession& db) -> Task<void> {
    co_await db.execute("SET application_name = 'left behind'");
    co_await db.execute("CREATE TEMP TABLE leftover (id int)");
    co_await db.query("SELECT pg_advisory_lock(42)");
    co_await db.script("BEGIN; INSERT INTO users VALUES (50, 'open')");
    EXPECT_EQ(db.session().transaction_status(), 'T');
    EXPECT_TRUE(db.session().needs_reset());
    db.session().start_reset();
    co_await db.quiet();
    EXPECT_FALSE(db.session().needs_reset());
    EXPECT_NE(co_await db.query_value<std::string>("SHOW application_name"), "left behind");
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
              0);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users WHERE id = 50"), 0);
    EXPECT_EQ(co_await db.query_value<std::optional<std::string>>("SELECT to_regclass('leftover')::text"),
              std::nullopt);
  });
}

TEST_F(SessionTest, AStreamDeliversEverythingWithBoundedMemory) {
  run([](SingleSession& db) -> Task<void> {
    auto rows = db.stream<std::tuple<std::int32_t, std::string>>(
        "SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i");
    std::int64_t sum = 0;
    while (auto* row = co_await rows.next()) sum += std::get<0>(*row);
    EXPECT_EQ(sum, 20000LL * 20001 / 2);
    {
      auto dropped = db.stream<std::int32_t>("SELECT generate_series(1, 100000000)");
      EXPECT_EQ(*co_await dropped.next(), 1);
    }
    co_await db.quiet();
    EXPECT_EQ(co_await db.query_value<int>("SELECT 3"), 3);
  });
}

TEST_F(SessionTest, CopyGoesBothWays) {
  run([](SingleSession& db) -> Task<void> {
    auto in = db.copy_in("COPY users (id, name) FROM STDIN (FORMAT binary)");
    for (int i = 100; i < 20100; ++i) co_await in.row(i, "name " + std::to_string(i));
    EXPECT_EQ(co_await in.finish(), 20000U);
    auto out = db.copy_out("COPY (SELECT id, name FROM users WHERE id >= 100 ORDER BY id) TO STDOUT");
    std::size_t lines = 0;
    std::string first;
    while (auto chunk = co_await out.next()) {
      if (lines++ == 0) first = *chunk;
    }
    EXPECT_EQ(first, "100\tname 100\n");
    EXPECT_EQ(lines, 20000U);
    EXPECT_EQ(out.rows(), 20000U);
    auto text = db.copy_in("COPY users (id, name) FROM STDIN");
    co_await text.write("90001\tz\n90002\t\\N\n");
    EXPECT_EQ(co_await text.finish(), 2U);
    // The texts are understood beside what runs.
    for (int i = 0; i < 1000 && db.session().needs_reset(); ++i) co_await sleep(5ms);
    EXPECT_FALSE(db.session().needs_reset()) << "COPY leaves nothing behind";
  });
}

TEST_F(SessionTest, ACopyThatIsDroppedOrRefusedCopiesNothing) {
  run([](SingleSession& db) -> Task<void> {
    {
      auto in = db.copy_in("COPY users (id, name) FROM STDIN (FORMAT binary)");
      for (int i = 100; i < 20100; ++i) co_await in.row(i, "name");
    }
    co_await db.quiet();
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users"), 2);
    auto bad = db.copy_in("COPY users (id, name) FROM STDIN");
    co_await bad.write("not a number\tx\n");
    const auto refused = co_await as_result(bad.finish());
    EXPECT_EQ(refused.error().sqlstate(), "22P02");
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM users"), 2);
    auto no_copy = db.copy_in("SELECT 1");
    const auto wrong = co_await as_result(no_copy.finish());
    EXPECT_EQ(wrong.error().kind(), ErrorKind::Usage);
  });
}

TEST_F(SessionTest, AnArgumentThatCannotBeSentNamesItselfAndSendsNothing) {
  run([](SingleSession& db) -> Task<void> {
    const Error error = co_await error_of(db.query("SELECT $1::text, $2::text", "ok", std::string("a\0b", 3)));
    EXPECT_EQ(error.kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(error.what()).find("$2"), std::string::npos) << error.what();
    const Error nul = co_await error_of(db.query(std::string("SELECT 1\0", 9)));
    EXPECT_EQ(nul.kind(), ErrorKind::Usage) << nul.what();
    EXPECT_EQ(co_await db.query_value<int>("SELECT 1"), 1);
  });
}

TEST_F(SessionTest, AStoredOperationIsSelfContained) {
  run([](SingleSession& db) -> Task<void> {
    std::optional<Operation<std::string>> stored;
    {
      const std::string sql = "SELECT $1::text || '!'";
      const std::string argument = "a rather long argument that is not kept in place";
      stored.emplace(db.query_value<std::string>(sql, argument));
    }
    EXPECT_EQ(co_await std::move(*stored), "a rather long argument that is not kept in place!");
  });
}

}  // namespace
}  // namespace switchyard
