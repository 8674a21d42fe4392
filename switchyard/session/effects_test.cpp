#include <switchyard/session/effects.hpp>

#include <gtest/gtest.h>

namespace switchyard::session {
namespace {

TEST(Effects, OrdinaryStatementsLeaveNothingBehind) {
  for (const char* sql :
       {"SELECT 1", "  -- note\n select * from dc_json_templates", "/* a /* b */ c */ INSERT INTO t VALUES (1)",
        "(SELECT 1) UNION (SELECT 2)", "WITH x AS (SELECT 1) SELECT * FROM x", "UPDATE t SET attempt = 1",
        "CREATE TABLE t (id int)", "COPY t FROM STDIN"}) {
    EXPECT_FALSE(may_affect_session(sql)) << sql;
  }
}

TEST(Effects, WhateverMayStayOnTheSessionIsSeen) {
  for (const char* sql :
       {"SET search_path = x", "select set_config('a.b', 'c', false)", "CREATE TEMP TABLE t (id int)",
        "create temporary view v as select 1", "SELECT 1 INTO TEMP t", "LISTEN x", "BEGIN", "DO $$ $$", "CALL p()",
        "SELECT pg_advisory_lock(1)", "select PG_TRY_ADVISORY_LOCK(1)", "PREPARE p AS SELECT 1", "DECLARE c CURSOR",
        "LOAD 'x'", "", "/* never ends", "-- only a comment", "CREATE TABLE pg_temp.t (id int)", "\xff"}) {
    EXPECT_TRUE(may_affect_session(sql)) << sql;
  }
}

TEST(Effects, DroppingPreparedStatementsIsSeenWhereverItStands) {
  EXPECT_TRUE(forgets_prepared_statements("Discard All"));
  EXPECT_TRUE(forgets_prepared_statements("SELECT 1; DEALLOCATE x"));
  EXPECT_FALSE(forgets_prepared_statements("SELECT * FROM discs"));
}

TEST(Effects, StatementsThatHappenWholeAreKnownByTheirFirstWord) {
  for (const char* sql :
       {"SELECT 1", "insert into t values (1)", "/* c */ (SELECT 1)", "WITH a AS (SELECT 1) TABLE a",
        "-- c\nUPDATE t SET a = 1", "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE"}) {
    EXPECT_TRUE(happens_whole(sql)) << sql;
  }
  for (const char* sql :
       {"CALL p()", "DO $$ BEGIN COMMIT; END $$", "VACUUM", "CREATE INDEX CONCURRENTLY ON t (a)", "COMMIT",
        "selection", "", "-- SELECT 1", "REINDEX TABLE CONCURRENTLY t", "COPY t FROM STDIN"}) {
    EXPECT_FALSE(happens_whole(sql)) << sql;
  }
}

}  // namespace
}  // namespace switchyard::session
