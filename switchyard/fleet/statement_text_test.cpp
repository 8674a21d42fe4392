#include <switchyard/fleet/statement_text.hpp>

#include <gtest/gtest.h>

namespace switchyard::inline v0::fleet {
namespace {

std::string shown(std::string_view sql) { return shortened_statement(sql, 200); }

TEST(StatementText, ShowsNoLiterals) {
  EXPECT_EQ(shown("SELECT * FROM t WHERE a = 'secret' AND b = 42"), "SELECT * FROM t WHERE a = ? AND b = ?");
  EXPECT_EQ(shown("SELECT 'it''s', E'it\\'s secret', e'\\\\', 1"), "SELECT ?, ?, ?, ?");
  EXPECT_EQ(shown("SELECT $$secret$$, $tag$ it's $$ secret $tag$, $1"), "SELECT ?, ?, $1");
  EXPECT_EQ(shown("SELECT 1.5e-3, 0xFF, 1_000, .5, -7, 1e5"), "SELECT ?, ?, ?, .?, -?, ?");
  EXPECT_EQ(shown("SELECT B'101', X'1F', U&'d\\0061t'"), "SELECT B?, X?, U&?");
  EXPECT_EQ(shown("SELECT 'never closed"), "SELECT ?");
  EXPECT_EQ(shown("SELECT E'never closed\\"), "SELECT ?");
}

TEST(StatementText, LeavesNamesAndParametersAlone) {
  EXPECT_EQ(shown("SELECT t1.col2, \"Odd 'name' 3\" FROM t1 WHERE x=$12"),
            "SELECT t1.col2, \"Odd 'name' 3\" FROM t1 WHERE x=$12");
  EXPECT_EQ(shown("SELECT caf\xC3\xA9"
                  "1 FROM e WHERE e ='x'"),
            "SELECT caf\xC3\xA9"
            "1 FROM e WHERE e =?");
  EXPECT_EQ(shown("SELECT a$b$c, type'2020-01-01'"), "SELECT a$b$c, type?");
}

TEST(StatementText, IsOneLineWithoutComments) {
  EXPECT_EQ(shown("  SELECT\n\t1 -- password: hunter2\n, 2 /* a /* b */ don't */ FROM t  "), "SELECT ? , ? FROM t");
  EXPECT_EQ(shown("SELECT 1--x"), "SELECT ?");
  EXPECT_EQ(shown("/* all"), "");
}

TEST(StatementText, IsCutAtItsLengthAndNotInsideACharacter) {
  EXPECT_EQ(shortened_statement("SELECT * FROM dc_form_definitions WHERE a", 34),
            "SELECT * FROM dc_form_definitions ...");
  EXPECT_EQ(shortened_statement("SELECT", 6), "SELECT");
  EXPECT_EQ(shortened_statement("ab\xC3\xA9", 3), "ab...");
}

TEST(StatementText, BeginsWithItsVerb) {
  EXPECT_EQ(statement_verb("select 1"), "SELECT");
  EXPECT_EQ(statement_verb(" /* x */ -- y\n ( Insert into t"), "INSERT");
  EXPECT_EQ(statement_verb("$1"), "");
  EXPECT_EQ(statement_verb(""), "");
}

TEST(StatementComment, NamesItsTagsEncoded) {
  EXPECT_EQ(comment_of({{"action", ""}, {"application", "well won*/'"}, {"db_driver", "switchyard"}}),
            "/*application='well%20won%2A%2F%27',db_driver='switchyard'*/");
  EXPECT_EQ(comment_of({{"action", ""}}), "");
}

TEST(StatementComment, ComesAfterTheStatementAndItsLineComment) {
  EXPECT_EQ(commented_statement("SELECT 1", "/*a='b'*/"), "SELECT 1 /*a='b'*/");
  EXPECT_EQ(commented_statement("SELECT 1 -- x", "/*a='b'*/"), "SELECT 1 -- x\n/*a='b'*/");
}

}  // namespace
}  // namespace switchyard::inline v0::fleet
