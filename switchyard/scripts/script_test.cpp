// Scripts cut into statements.
#include <switchyard/scripts/script.hpp>
#include <switchyard/scripts/statement_kind.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace scripts;
using ::testing::ElementsAre;

std::vector<std::string> cut(std::string_view text) {
  const auto statements = split_script(text);
  if (!statements.ok()) return {"error: " + std::string(statements.error().message())};
  std::vector<std::string> found;
  for (const ScriptStatement& one : *statements) {
    found.push_back(std::string(one.sql) + (one.copy_data ? "|" + std::string(*one.copy_data) : ""));
  }
  return found;
}

TEST(Script, IsCutAtSemicolonsOnly) {
  EXPECT_THAT(cut("SELECT 1; SELECT 2"), ElementsAre("SELECT 1", "SELECT 2"));
  EXPECT_THAT(cut(" ;; -- nothing ;\n /* ; */ ; "), ElementsAre());
  EXPECT_THAT(cut("SELECT ';' , \";\" ; SELECT ''';'"), ElementsAre("SELECT ';' , \";\"", "SELECT ''';'"));
  EXPECT_THAT(cut("SELECT 1 -- a; b\n + 2; SELECT /* ; /* ; */ ; */ 3"),
              ElementsAre("SELECT 1 -- a; b\n + 2", "SELECT /* ; /* ; */ ; */ 3"));
  EXPECT_THAT(cut("-- head\nSELECT 1;\n-- tail\n"), ElementsAre("SELECT 1"));
  EXPECT_THAT(cut("\xEF\xBB\xBFSELECT 1"), ElementsAre("SELECT 1"));
}

TEST(Script, KnowsEscapesInTheirOwnQuotesOnly) {
  EXPECT_THAT(cut(R"(SELECT E'a\';b', e'c\\'; SELECT 'd\'; SELECT 2)"),
              ElementsAre(R"(SELECT E'a\';b', e'c\\')", R"(SELECT 'd\')", "SELECT 2"));
  EXPECT_THAT(cut("SELECT E'it''s;'; SELECT type'a;'"), ElementsAre("SELECT E'it''s;'", "SELECT type'a;'"));
}

TEST(Script, KnowsDollarQuotes) {
  EXPECT_THAT(cut("DO $$ BEGIN; $a$ END $$; SELECT $a$ ; $$ ; $a$; SELECT a$b;c$d"),
              ElementsAre("DO $$ BEGIN; $a$ END $$", "SELECT $a$ ; $$ ; $a$", "SELECT a$b", "c$d"));
  EXPECT_THAT(cut("SELECT $1; SELECT 2"), ElementsAre("SELECT $1", "SELECT 2"));
  EXPECT_THAT(cut("SELECT $1$; x"), ElementsAre("SELECT $1$", "x"));
}

TEST(Script, KeepsBodiesAndRulesTogether) {
  EXPECT_THAT(
      cut("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END; SELECT 3"),
      ElementsAre("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END",
                  "SELECT 3"));
  EXPECT_THAT(
      cut("create or replace procedure p() begin atomic insert into t values (1); end; select 1"),
      ElementsAre("create or replace procedure p() begin atomic insert into t values (1); end", "select 1"));
  EXPECT_THAT(cut("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3"),
              ElementsAre("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"));
  EXPECT_THAT(cut("BEGIN; SELECT CASE WHEN true THEN 1 END; END;"),
              ElementsAre("BEGIN", "SELECT CASE WHEN true THEN 1 END", "END"));
  EXPECT_THAT(cut("CREATE TABLE begin_atomic (a int); SELECT 1"),
              ElementsAre("CREATE TABLE begin_atomic (a int)", "SELECT 1"));
}

TEST(Script, TakesTheDataOfCopy) {
  EXPECT_THAT(cut("COPY t (a, b) FROM stdin;\n1\t';\n2\t\\N\n\\.\nSELECT 1;"),
              ElementsAre("COPY t (a, b) FROM stdin|1\t';\n2\t\\N\n", "SELECT 1"));
  EXPECT_THAT(cut("copy \"from stdin\" from /* x */ STDIN WITH (FORMAT csv);\r\n1\r\n\\.\r\n"),
              ElementsAre("copy \"from stdin\" from /* x */ STDIN WITH (FORMAT csv)|1\r\n"));
  EXPECT_THAT(cut("COPY t FROM STDIN;\n\\.\n"), ElementsAre("COPY t FROM STDIN|"));
  EXPECT_THAT(cut("COPY t FROM '/tmp/stdin'; COPY t TO STDOUT"),
              ElementsAre("COPY t FROM '/tmp/stdin'", "COPY t TO STDOUT"));
  EXPECT_THAT(cut("COPY t FROM STDIN;\n1\n"), ElementsAre("error: line 1: the data of COPY FROM STDIN has no end"));
}

TEST(Script, SaysWhereSomethingHasNoEnd) {
  EXPECT_THAT(cut("SELECT 1;\nSELECT 'a"), ElementsAre("error: line 2: a quote has no end"));
  EXPECT_THAT(cut("\n\n/* /* */"), ElementsAre("error: line 3: a comment has no end"));
  EXPECT_THAT(cut("DO $x$ $y$"), ElementsAre("error: line 1: the quote $x$ has no end"));
  EXPECT_THAT(cut("CREATE TABLE t (\n a int;\n"), ElementsAre("error: line 1: a parenthesis is not closed"));
  EXPECT_THAT(cut("\\restrict abc\nSELECT 1;\n\\unrestrict abc\n"), ElementsAre("SELECT 1"));
  EXPECT_THAT(cut("SELECT 1;\n\\connect other"),
              ElementsAre("error: line 2: \\connect is a command of psql, which does not run this"));
  EXPECT_THAT(cut(std::string_view("a\0", 2)), ElementsAre("error: line 1: a NUL byte"));
}

TEST(Script, KnowsTheLineOfEachStatement) {
  const auto statements = split_script("-- a\nSELECT 1;\n\n/* b\n*/ SELECT\n2; SELECT 3").value_or_throw();
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[0].line, 2U);
  EXPECT_EQ(statements[1].line, 5U);
  EXPECT_EQ(statements[2].line, 6U);
}

TEST(StatementKind, TellsWhatCanNotRunInsideATransaction) {
  using enum StatementKind;
  const std::pair<std::string_view, StatementKind> table[] = {
      {"CREATE INDEX CONCURRENTLY a ON t (b)", create_index},
      {"create /* x */ unique index\n concurrently on t (b)", create_index},
      {"CREATE INDEX a ON t (b)", ordinary},
      {"CREATE INDEX concurrently_a ON t (b)", ordinary},
      {"DROP INDEX CONCURRENTLY IF EXISTS a", drop_index},
      {"DROP INDEX a", ordinary},
      {"REINDEX INDEX CONCURRENTLY a", reindex},
      {"REINDEX (CONCURRENTLY) TABLE t", reindex},
      {"REINDEX (VERBOSE) SCHEMA s", reindex},
      {"REINDEX DATABASE d", reindex},
      {"REINDEX TABLE t", ordinary},
      {"REINDEX (VERBOSE) INDEX a", ordinary},
      {"VACUUM", alone},
      {"vacuum (analyze) t", alone},
      {"CREATE DATABASE d", alone},
      {"DROP TABLESPACE s", alone},
      {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", alone},
      {"ALTER SYSTEM SET a = 1", alone},
      {"ALTER TABLE t DETACH PARTITION p CONCURRENTLY", detach},
      {"ALTER TABLE t DETACH PARTITION p", ordinary},
      {"ALTER TYPE s.mood ADD VALUE 'x'", ordinary},
      {"DISCARD ALL", alone},
      {"CLUSTER", alone},
      {"CLUSTER t", ordinary},
      {"BEGIN", begin},
      {"START TRANSACTION READ ONLY", begin},
      {"COMMIT", commit},
      {"END", commit},
      {"COMMIT PREPARED 'a'", alone},
      {"ROLLBACK", rollback},
      {"ROLLBACK TO SAVEPOINT a", ordinary},
      {"SAVEPOINT a", ordinary},
      {"", ordinary},
  };
  for (const auto& [sql, kind] : table) EXPECT_EQ(kind_of(sql), kind) << sql;
  EXPECT_EQ(kind_of("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'x'", 110000), alone);
}

TEST(StatementKind, NamesTheIndexAndItsTable) {
  EXPECT_EQ(index_of("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS orders_status ON orders (status)"),
            "ORDERS_STATUS");
  EXPECT_EQ(index_of("CREATE INDEX CONCURRENTLY \"Odd name\" ON s.t (a)"), "\"Odd name\"");
  EXPECT_EQ(index_of("CREATE INDEX CONCURRENTLY ON t (a)"), "");
  EXPECT_EQ(index_of("DROP INDEX CONCURRENTLY IF EXISTS s.a"), "S.A");
  EXPECT_EQ(index_of("REINDEX (VERBOSE, CONCURRENTLY) INDEX a"), "A");
  EXPECT_EQ(indexed_table("CREATE INDEX CONCURRENTLY a ON ONLY s.\"T\" USING btree (b)"), "S.\"T\"");
}

}  // namespace
}  // namespace switchyard
