#include <switchyard/session/built_in_functions.hpp>
#include <switchyard/session/residue.hpp>
#include <switchyard/sql/facts_cache.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard::session {
namespace {

Residue of(std::string_view sql, std::vector<std::string> harmless = {}) {
  return residue_of(*sql::FactsCache::of_process().analyse_now(sql), harmless);
}

TEST(Residue, PlainStatementsAreSeenAtAGlance) {
  for (const char* sql :
       {"SELECT 1", "SELECT v FROM t WHERE id = $1", " /* a /* nested */ one */ select * from t -- note",
        "/*traceparent='00-ab'*/ SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY b) FROM t;",
        "INSERT INTO t (a, b) VALUES ($1, lower($2)), (1, 'it''s')",
        "INSERT INTO public.t (a) VALUES (1) RETURNING id",
        "INSERT INTO \"T\" (\"A\") VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
        "UPDATE t SET a = a + 1 WHERE b IN ($1, $2) AND NOT EXISTS (SELECT 1 FROM u)",
        "DELETE FROM t WHERE id = ANY ($1)",
        "WITH x AS (SELECT 1) SELECT * FROM x ORDER BY (a), coalesce(b, pg_catalog.upper(c))",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t", "VALUES (1), (2)", "TABLE t",
        "SELECT cast(a AS numeric(10, 2)), extract(epoch FROM now()), $1::varchar(20) FROM t FOR UPDATE"}) {
    EXPECT_TRUE(leaves_nothing(sql)) << sql;
    EXPECT_EQ(of(sql), Residue::none) << sql;
  }
}

TEST(Residue, WhatMayCallSomethingUnknownIsNotPlain) {
  for (const char* sql : {"",
                          ";",
                          "SET a = 1",
                          "SELECT f(1)",
                          "SELECT s.f(1)",
                          "SELECT pg_catalog.f(1)",
                          "SELECT \"lower\"(1)",
                          "SELECT lower/**/ (1), f /* c */ (2)",
                          "SELECT pg_temp.lower('a')",
                          "SELECT public.lower('a')",
                          "SELECT set_config('a.b', 'c', false)",
                          "SELECT setseed(0.5)",
                          "SELECT pg_advisory_lock(1)",
                          "UPDATE pg_settings SET setting = 'evil' WHERE name = 'search_path'",
                          "UPDATE pg_catalog.\"pg_settings\" SET setting = 'evil' WHERE name = 'search_path'",
                          "SELECT 1 INTO TEMP t",
                          "SELECT 1 INTO TEMPORARY t",
                          "SELECT E'\\'; SET a = 1; --'",
                          "SELECT 1; SET a = 1",
                          "SELECT $$f(1)$$, g(1)",
                          "SELECT 'a\\' || f(1) --'",
                          "SELECT U&'a'",
                          "SELECT join(1)",
                          "SELECT full(1)",
                          "SELECT by(1)",
                          "SELECT over(1)",
                          "SELECT conflict(1)",
                          "SELECT group (1)",
                          "SELECT f\xc3\xa9(1)",
                          "DO $$ $$",
                          "/* never ends",
                          "CALL p()",
                          "EXECUTE p",
                          "(SELECT f(1))",
                          "SELECT query_to_xml('SET a = 1', true, true, '')",
                          "INSERT INTO t SELECT f(1)",
                          "INSERT INTO t (a) VALUES (f(1))"}) {
    EXPECT_FALSE(leaves_nothing(sql)) << sql;
  }
}

TEST(Residue, WhatAResetUndoesIsKnown) {
  for (const char* sql :
       {"SET search_path = x", "SET LOCAL work_mem = '1MB'", "RESET ALL", "SELECT set_config('a.b', 'c', false)",
        "CREATE TEMP TABLE t (id int)", "SELECT 1 INTO TEMP t", "LISTEN x",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT pg_advisory_lock(1)",
        "SELECT pg_catalog.pg_try_advisory_lock_shared(1, 2)", "DISCARD ALL", "BEGIN", "SET ROLE x",
        "SET SESSION AUTHORIZATION x", "SELECT 1; SET a.b = 'c'",
        "UPDATE pg_settings SET setting = 'evil' WHERE name = 'search_path'"}) {
    EXPECT_EQ(of(sql), Residue::undone_by_reset) << sql;
  }
}

TEST(Residue, WhatEndsWithTheSessionOnlyIsKnown) {
  for (const char* sql :
       {"LOAD 'auto_explain'", "SELECT setseed(0.5)", "SELECT pg_catalog.setseed(0.5)", "PREPARE p AS SELECT 1",
        "EXECUTE p", "DEALLOCATE p", "SELECT * FROM dblink('dbname=x', 'SELECT 1') AS t (a int)",
        "SELECT public.dblink_connect('x', 'dbname=x')", "SELECT 1; LOAD 'x'", "SELECT 1; DO $$BEGIN END$$",
        "this is no SQL", "SELECT pg_create_logical_replication_slot('s', 'p', true)", "SELECT f(), setseed(0)"}) {
    EXPECT_EQ(of(sql), Residue::lasting) << sql;
  }
}

TEST(Residue, CodeThatNobodyKnowsIsKnownAsSuch) {
  for (const char* sql :
       {"DO $$BEGIN END$$", "CALL p()", "SELECT f(1)", "SELECT s.lower('a')",
        "WITH x AS (SELECT f()) SELECT * FROM x", "INSERT INTO t VALUES (f(1))", "COPY (SELECT f(1)) TO STDOUT",
        "EXPLAIN ANALYZE SELECT f(1)", "SELECT query_to_xml('SET a.b = 1', true, true, '')",
        "SELECT ts_rewrite('a'::tsquery, 'SELECT f(), g()')", "SELECT my.setseed(1)"}) {
    EXPECT_EQ(of(sql), Residue::unknown_code) << sql;
  }
}

TEST(Residue, OrdinaryCommandsLeaveNothing) {
  for (const char* sql :
       {"CREATE TABLE t (id int DEFAULT nextval('s'))", "ALTER TABLE t ADD COLUMN a int", "DROP TABLE t",
        "TRUNCATE t", "COPY t FROM STDIN (FORMAT binary)", "COPY t TO STDOUT", "NOTIFY x, 'y'", "ANALYZE t",
        "VACUUM", "LOCK TABLE t IN SHARE MODE", "SHOW work_mem", "EXPLAIN SELECT 1", "GRANT SELECT ON t TO x",
        "SELECT nextval('s'), pg_notify('a', 'b'), pg_advisory_xact_lock(1), pg_backend_pid()",
        "SELECT g FROM generate_series(1, 10) AS g (x)", "WITH x (a) AS (SELECT 1) SELECT a FROM x",
        "INSERT INTO t VALUES (1); UPDATE t SET a = 1", ""}) {
    EXPECT_EQ(of(sql), Residue::none) << sql;
  }
}

TEST(Residue, AFunctionThatIsDeclaredHarmlessIs) {
  EXPECT_EQ(of("SELECT area_of(1)", {"gis.area_of"}), Residue::none);
  EXPECT_EQ(of("SELECT gis.area_of(1)", {"gis.area_of"}), Residue::none);
  EXPECT_EQ(of("SELECT other.area_of(1)", {"gis.area_of"}), Residue::unknown_code);
  EXPECT_EQ(of("SELECT area_of(1), f()", {"gis.area_of"}), Residue::unknown_code);
  EXPECT_EQ(of("SELECT area_of(1)", {"area_of"}), Residue::unknown_code) << "an entry names its schema";
}

TEST(Residue, BuiltInFunctionsThatLeaveSomethingAreNotAmongTheHarmless) {
  for (const char* name : {"lower", "count", "now", "gen_random_uuid", "generate_series", "jsonb_build_object",
                           "nextval", "pg_advisory_xact_lock", "row_number", "uuidv7"}) {
    EXPECT_TRUE(is_harmless_built_in(name)) << name;
  }
  for (const char* name : {"", "setseed", "set_config", "pg_advisory_lock", "pg_try_advisory_lock", "query_to_xml",
                           "ts_stat", "dblink", "pg_backup_start", "array_in", "zzz"}) {
    EXPECT_FALSE(is_harmless_built_in(name)) << name;
  }
}

}  // namespace
}  // namespace switchyard::session
