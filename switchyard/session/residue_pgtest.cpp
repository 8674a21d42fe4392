// What one user of a session leaves on it never reaches the next: undone by the reset, or the session ends.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <tests/support/gate.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using session::testing::plan_for;
using session::testing::SingleSession;
using switchyard::testing::Gate;
using switchyard::testing::GateDirection;
using switchyard::testing::GateTarget;

class ResidueOnServer : public ::testing::Test {
 protected:
  template <class F>
  void run(F body) {
    run_at(database.endpoint().keywords(), std::move(body));
  }
  template <class F>
  void run_at(std::string keywords, F body) {
    shard.run_until_complete(with_timeout(
        [](std::string at, F test) -> Task<void> {
          auto db = co_await SingleSession::open(plan_for(at));
          co_await test(*db);
        }(std::move(keywords), std::move(body)),
        60s));
  }
  TestDatabase database = TestDatabase::with(
      "DO $$BEGIN CREATE ROLE somebody; EXCEPTION WHEN duplicate_object THEN NULL; END$$;"
      "CREATE TABLE t (id int); CREATE SEQUENCE s;"
      "CREATE FUNCTION theirs() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM setseed(0.5); RETURN 1; END$$;"
      "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$BEGIN NULL; END$$");
  runtime::Shard shard;
};

/// What the session looks like to its user; an error gives its SQLSTATE.
Task<std::string> look(SingleSession& db, const std::string& sql) {
  const auto value = co_await db.query_value<std::optional<std::string>>(sql).result();
  co_return value.ok() ? value->value_or("NULL") : std::string(value.error().sqlstate());
}

Task<void> reset(SingleSession& db) {
  db.session().start_reset();
  co_await db.quiet();
}

TEST_F(ResidueOnServer, AResetUndoesEachThingThatAUserMayLeave) {
  struct Left {
    const char* what;
    std::vector<const char*> statements;
    const char* look;
    const char* while_there;
    const char* afterwards;
  };
  const std::vector<Left> all{
      {"a session authorization",
       {"SET SESSION AUTHORIZATION somebody"},
       "SELECT session_user::text",
       "somebody",
       "postgres"},
      {"a role", {"SET ROLE somebody"}, "SELECT current_user::text", "somebody", "postgres"},
      {"a setting", {"SET work_mem = '77MB'"}, "SELECT current_setting('work_mem')", "77MB", "4MB"},
      {"a setting by function",
       {"SELECT set_config('work_mem', '77MB', false)"},
       "SELECT current_setting('work_mem')",
       "77MB",
       "4MB"},
      {"a setting of one's own", {"SET my.secret = 'x'"}, "SELECT current_setting('my.secret', true)", "x", ""},
      {"a cursor",
       {"DECLARE c CURSOR WITH HOLD FOR SELECT 1"},
       "SELECT count(*)::text FROM pg_cursors WHERE name = 'c'",
       "1",
       "0"},
      {"a LISTEN", {"LISTEN here"}, "SELECT count(*)::text FROM pg_listening_channels()", "1", "0"},
      {"a session lock",
       {"SELECT pg_advisory_lock(42)"},
       "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
       "1",
       "0"},
      {"a temporary table", {"CREATE TEMP TABLE t (id int)"}, "SELECT to_regclass('pg_temp.t')::text", "t", "NULL"},
      {"a temporary table in front of another",
       {"SELECT 7 AS id INTO TEMPORARY t"},
       "SELECT max(id)::text FROM t",
       "7",
       "NULL"},
      {"the last value of a sequence",
       {"CREATE TEMP SEQUENCE mine", "SELECT nextval('s')"},
       "SELECT lastval()::text",
       "1",
       "55000"},
      {"an open transaction", {"BEGIN", "INSERT INTO t VALUES (1)"}, "SELECT count(*)::text FROM t", "1", "0"},
      {"a failed transaction",
       {"BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1 / 0"},
       "SELECT count(*)::text FROM t",
       "25P02",
       "0"},
      {"several at once",
       {"SET ROLE somebody", "LISTEN here", "BEGIN", "SET LOCAL work_mem = '77MB'"},
       "SELECT current_setting('work_mem')",
       "77MB",
       "4MB"},
  };
  for (const Left& left : all) {
    SCOPED_TRACE(left.what);
    run([&left](SingleSession& db) -> Task<void> {
      EXPECT_FALSE(db.session().needs_reset());
      for (const char* sql : left.statements) (void)co_await db.execute(sql).result();
      EXPECT_EQ(co_await look(db, left.look), left.while_there);
      EXPECT_TRUE(db.session().needs_reset());
      const std::int32_t pid = db.session().server_pid();
      co_await reset(db);
      EXPECT_FALSE(db.closed()) << db.closed()->what();
      EXPECT_FALSE(db.session().needs_reset());
      EXPECT_EQ(co_await look(db, left.look), left.afterwards);
      EXPECT_EQ(db.session().server_pid(), pid);
    });
  }
}

TEST_F(ResidueOnServer, AResetGoesBackToTheRoleOfTheLogin) {
  database.execute("ALTER DATABASE \"" + database.name() + "\" SET role = 'somebody'");
  run([](SingleSession& db) -> Task<void> {
    EXPECT_EQ(co_await look(db, "SELECT current_user::text"), "somebody");
    co_await db.execute("SET ROLE NONE");
    EXPECT_EQ(co_await look(db, "SELECT current_user::text"), "postgres");
    co_await reset(db);
    EXPECT_EQ(co_await look(db, "SELECT current_user::text"), "somebody");
  });
}

TEST_F(ResidueOnServer, AResetKeepsThePreparedStatements) {
  run([](SingleSession& db) -> Task<void> {
    const char* const sql = "SELECT id FROM t WHERE id = $1";
    (void)co_await db.query<int>(sql, 1);
    co_await db.execute("SET work_mem = '77MB'");
    co_await reset(db);
    EXPECT_EQ(co_await db.query_value<std::int64_t>(
                  "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1", sql),
              1);
  });
}

TEST_F(ResidueOnServer, WhatAResetCannotUndoEndsTheSession) {
  for (const char* sql : {"LOAD 'plpgsql'", "SELECT setseed(0.5)", "PREPARE mine AS SELECT 1",
                          "DO $$BEGIN PERFORM 1; END$$", "CALL p()", "SELECT theirs()",
                          "SELECT public.theirs() FROM t", "WITH x AS (SELECT theirs()) SELECT * FROM x",
                          "COPY (SELECT theirs()) TO STDOUT", "INSERT INTO t SELECT theirs()",
                          "SELECT query_to_xml('SELECT theirs()', true, true, '')", "SELECT 1; SELECT theirs()"}) {
    SCOPED_TRACE(sql);
    run([sql](SingleSession& db) -> Task<void> {
      if (std::string_view(sql).starts_with("COPY")) {
        auto copy = db.copy_out(sql);
        while (co_await copy.next()) {
        }
      } else {
        (void)co_await db.script(sql).result();  // whether it succeeds does not matter
      }
      EXPECT_TRUE(db.session().needs_reset());
      co_await reset(db);
      EXPECT_TRUE(db.closed().has_value());
    });
    run([sql](SingleSession& db) -> Task<void> {
      if (std::string_view(sql).starts_with("COPY") || std::string_view(sql).find(';') != std::string_view::npos)
        co_return;
      (void)co_await db.query(sql).result();
      // By now the text is known from the first time.
      EXPECT_TRUE(db.session().must_close());
    });
  }
}

/// Somebody who may call functions, and no more.
class CodeOfTheDatabase : public ResidueOnServer {
 protected:
  CodeOfTheDatabase() {
    database.execute(
        "DO $$BEGIN CREATE ROLE caller LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;"
        "ALTER ROLE caller LOGIN NOREPLICATION;"
        "CREATE FUNCTION changes_settings() RETURNS text LANGUAGE sql AS $$SELECT set_config('work_mem', '77MB', "
        "false)$$;"
        "CREATE FUNCTION prepares() RETURNS int LANGUAGE plpgsql AS $$BEGIN EXECUTE 'PREP' || 'ARE his AS SELECT "
        "1'; "
        "RETURN 1; END$$");
  }
  /// Runs the statement as `caller` and resets; true if the session lives on.
  bool lives_on(const std::string& sql, const std::string& then_look = {}, std::string* seen = nullptr) {
    bool lives = false;
    auto endpoint = database.endpoint();
    endpoint.user = "caller";
    run_at(endpoint.keywords(), [&](SingleSession& db) -> Task<void> {
      co_await db.script(sql);
      EXPECT_TRUE(db.session().needs_reset()) << sql;
      co_await reset(db);
      lives = !db.closed();
      if (lives) EXPECT_FALSE(db.session().needs_reset()) << sql;
      if (lives && seen != nullptr) *seen = co_await look(db, then_look);
    });
    return lives;
  }
};

TEST_F(CodeOfTheDatabase, ThatIsProvenToHaveLeftNothingCostsAReset) {
  std::string seen;
  EXPECT_TRUE(lives_on("SELECT changes_settings()", "SELECT current_setting('work_mem')", &seen));
  EXPECT_EQ(seen, "4MB");
  EXPECT_TRUE(lives_on("CALL p()"));
  EXPECT_TRUE(lives_on("DO $$BEGIN PERFORM pg_advisory_lock(42); END$$",
                       "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'", &seen));
  EXPECT_EQ(seen, "0");
}

TEST_F(CodeOfTheDatabase, LeavesRandomUnforeseeable) {
  std::string foreseen;
  run([&foreseen](SingleSession& db) -> Task<void> {
    (void)co_await db.query_value<int>("SELECT theirs()");
    foreseen = co_await look(db, "SELECT random()::text");
  });
  std::string seen;
  EXPECT_TRUE(lives_on("SELECT theirs()", "SELECT random()::text", &seen));
  EXPECT_NE(seen, foreseen);
}

TEST_F(CodeOfTheDatabase, ThatPreparedSomethingCostsTheSession) { EXPECT_FALSE(lives_on("SELECT prepares()")); }

TEST_F(CodeOfTheDatabase, OfAnotherLanguageOrLibraryCostsTheSession) {
  EXPECT_TRUE(lives_on("SELECT theirs()"));
  database.execute("CREATE FUNCTION in_c(oid) RETURNS void AS '$libdir/plpgsql', 'plpgsql_validator' LANGUAGE C");
  EXPECT_FALSE(lives_on("SELECT theirs()"));
  database.execute("DROP FUNCTION in_c");
  EXPECT_TRUE(lives_on("SELECT theirs()"));
  database.execute(
      "CREATE FUNCTION handler() RETURNS language_handler AS '$libdir/plpgsql', 'plpgsql_call_handler' LANGUAGE C;"
      "CREATE LANGUAGE another HANDLER handler");
  EXPECT_FALSE(lives_on("SELECT theirs()"));
}

TEST_F(CodeOfTheDatabase, OfAnExtensionThatKeepsConnectionsCostsTheSession) {
  if (database.query_value("SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'") != "1") {
    GTEST_SKIP() << "dblink is not installed";
  }
  database.execute("CREATE EXTENSION dblink");
  EXPECT_FALSE(lives_on("SELECT theirs()"));
}

TEST_F(CodeOfTheDatabase, OnBehalfOfAPowerfulRoleCostsTheSession) {
  database.execute("ALTER ROLE caller REPLICATION");
  EXPECT_FALSE(lives_on("SELECT theirs()"));
  database.execute("ALTER ROLE caller NOREPLICATION");
  EXPECT_TRUE(lives_on("SELECT theirs()"));
}

TEST_F(ResidueOnServer, ATextThatIsNotUnderstoodIsTakenForTheWorst) {
  run([](SingleSession& db) -> Task<void> {
    // Longer than what is analysed.
    co_await db.script("SELECT f FROM (VALUES (1)) v (f) WHERE f > 0 " + std::string(70'000, ' ') +
                       "/* \\ */ LIMIT $$1$$::int");
    EXPECT_TRUE(db.session().must_close());
  });
}

TEST_F(ResidueOnServer, PlainStatementsNeedNoReset) {
  run([](SingleSession& db) -> Task<void> {
    co_await db.execute("INSERT INTO t (id) VALUES ($1), ($2)", 1, 2);
    (void)co_await db.query("SELECT count(*), lower($1) FROM t WHERE id IN (1, 2)", "A");
    co_await db.execute("UPDATE t SET id = id + 1 WHERE id = ANY ($1)", std::vector<int>{1, 2});
    co_await db.script("DELETE FROM t WHERE id = 7");
    (void)co_await db.execute("SELECT 1 / $1::int", 0).result();
    EXPECT_FALSE(db.session().needs_reset());
    // These take a parse, which is waited for once.
    for (const char* sql : {"SELECT g FROM generate_series(1, 3) AS g (x)", "CREATE TABLE u (id int)",
                            "SHOW work_mem", "NOTIFY here", "COPY t FROM STDIN"}) {
      if (std::string_view(sql).starts_with("COPY")) {
        co_await db.copy_in(sql).finish();
      } else {
        co_await db.script(sql);
      }
    }
    co_await reset(db);
    EXPECT_FALSE(db.closed());
    co_await db.script("SHOW work_mem");
    EXPECT_FALSE(db.session().needs_reset());
  });
}

TEST_F(ResidueOnServer, AnErrorOfSyntaxLeavesNothing) {
  run([](SingleSession& db) -> Task<void> {
    EXPECT_EQ((co_await db.execute("SELEC theirs()").result()).error().sqlstate(), "42601");
    EXPECT_FALSE(db.session().needs_reset());
    // One from within a function is another matter.
    EXPECT_EQ((co_await db.script("DO $$BEGIN EXECUTE 'SELEC'; END$$").result()).error().sqlstate(), "42601");
    EXPECT_TRUE(db.session().needs_reset());
    co_await reset(db);
    EXPECT_TRUE(db.closed().has_value());
  });
}

TEST_F(ResidueOnServer, AResetThatFailsEndsTheSession) {
  database.execute("ALTER DATABASE \"" + database.name() + "\" SET lock_timeout = '20ms'");
  run([this](SingleSession& db) -> Task<void> {
    co_await db.execute("CREATE TEMP TABLE mine (id int)");
    const auto name = co_await db.query_value<std::string>(
        "SELECT nspname || '.mine' FROM pg_namespace WHERE oid = pg_my_temp_schema()");
    auto other = co_await SingleSession::open(plan_for(database.endpoint().keywords()));
    co_await other->script("BEGIN; LOCK TABLE " + name + " IN ACCESS SHARE MODE");
    co_await reset(db);
    EXPECT_TRUE(db.closed().has_value()) << "its temporary table could not be dropped";
  });
}

TEST_F(ResidueOnServer, AResetIsNotDeceivedByFunctionsInFrontOfPgCatalog) {
  database.execute(
      "CREATE SCHEMA evil; CREATE TABLE evil.called (n int);"
      "CREATE FUNCTION evil.pg_advisory_unlock_all() RETURNS void LANGUAGE sql AS 'INSERT INTO evil.called VALUES "
      "(1)'");
  database.execute("ALTER DATABASE \"" + database.name() + "\" SET search_path = evil, public, pg_catalog");
  run([](SingleSession& db) -> Task<void> {
    co_await db.query("SELECT pg_catalog.pg_advisory_lock(42)");
    co_await reset(db);
    EXPECT_EQ(co_await db.query_value<std::int64_t>(
                  "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
              0);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM evil.called"), 0);
  });
}

TEST_F(ResidueOnServer, WhatTheCallerHasPreparedSurvivesTheLossOfOurStatements) {
  run([](SingleSession& db) -> Task<void> {
    co_await db.script("PREPARE mine AS SELECT 'still there'::text");
    (void)co_await db.query<int>("SELECT * FROM t");
    co_await db.script("ALTER TABLE t ALTER COLUMN id TYPE bigint");
    (void)co_await db.query<std::int64_t>("SELECT * FROM t");  // "cached plan must not change result type"
    EXPECT_EQ(co_await db.query_value<std::string>("EXECUTE mine"), "still there");
    EXPECT_EQ(co_await db.query_value<std::int64_t>(
                  "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT * FROM t'"),
              1);
  });
}

TEST_F(ResidueOnServer, SettingsAreKnownAsTheServerReportsThem) {
  run([](SingleSession& db) -> Task<void> {
    const auto name = [&db] { return std::string(db.session().parameter("application_name")); };
    const std::string before = name();
    co_await db.script("BEGIN; SET application_name = 'rolled back'");
    EXPECT_EQ(name(), "rolled back");
    co_await db.script("ROLLBACK");
    EXPECT_EQ(name(), before);
    co_await db.script("BEGIN; SET LOCAL application_name = 'local'");
    EXPECT_EQ(name(), "local");
    co_await db.script("COMMIT");
    EXPECT_EQ(name(), before);
    co_await db.script("BEGIN; SET application_name = 'kept'; SAVEPOINT a; SET application_name = 'undone'");
    co_await db.script("ROLLBACK TO a; COMMIT");
    EXPECT_EQ(name(), "kept");
    co_await reset(db);
    EXPECT_EQ(name(), before);
  });
}

/// Drops the operation while the server's answer is withheld, and waits until the session is free again.
template <class F>
Task<void> drop_unanswered(SingleSession& db, Gate& gate, F operation) {
  gate.stall(GateDirection::to_client);
  auto run = [](SingleSession& on, F what) -> Task<bool> {
    co_await what(on);
    co_return true;
  };
  auto clock = []() -> Task<bool> {
    co_await sleep(50ms);
    co_return false;
  };
  (void)co_await any(run(db, std::move(operation)), clock());
  gate.resume();
  co_await db.quiet();
}

TEST_F(ResidueOnServer, NothingIsSentOnBehalfOfACallerWhoIsGone) {
  const auto endpoint = database.tcp_endpoint();
  Gate gate(GateTarget::tcp(endpoint.port));
  auto through = endpoint;
  through.port = gate.port();
  run_at(through.keywords() + " sslmode=disable", [&gate](SingleSession& db) -> Task<void> {
    co_await drop_unanswered(db, gate, [](SingleSession& on) -> Task<void> {
      // Untyped rows: the statement is described first, and runs only when its columns are known.
      (void)co_await on.query("INSERT INTO t VALUES (1) RETURNING id");
    });
    co_await drop_unanswered(db, gate, [](SingleSession& on) -> Task<void> {
      auto copy = on.copy_in("COPY t FROM STDIN");
      co_await copy.write("1\n2\n");
      co_await copy.finish();
    });
    co_await drop_unanswered(db, gate, [](SingleSession& on) -> Task<void> {
      co_await on.script("BEGIN; INSERT INTO t VALUES (3)");
      co_await on.script("COMMIT");
    });
    EXPECT_FALSE(db.closed());
    co_await reset(db);
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM t"), 0);
  });
}

}  // namespace
}  // namespace switchyard
