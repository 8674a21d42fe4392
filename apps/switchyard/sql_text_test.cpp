#include "sql_text.hpp"

#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

using Statements = std::vector<std::string>;

TEST(SplitStatements, AtSemicolonsThatEndAStatement) {
  EXPECT_EQ(split_statements("SELECT 1; SELECT 2 ;\n\n;; SELECT 3"),
            (Statements{"SELECT 1", "SELECT 2", "SELECT 3"}));
  EXPECT_EQ(split_statements(" ;\n-- nothing\n;/* nothing */ "), Statements{});
}

TEST(SplitStatements, NotInsideQuotesAndComments) {
  for (const char* whole : {
           "SELECT ';'",
           "SELECT 'it''s; fine'",
           "SELECT E'\\'; still'",
           "SELECT \"a;b\" FROM t",
           "SELECT $$ ; $$",
           "SELECT $tag$ ; $$ ; $tag$",
           "SELECT 1 -- ; no\n + 1",
           "SELECT 1 /* ; /* ; */ ; */ + 1",
           "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
           "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
       }) {
    EXPECT_EQ(split_statements(std::string(whole) + "; SELECT 9"), (Statements{whole, "SELECT 9"}));
  }
}

TEST(SplitStatements, TakesParametersForNoQuotes) {
  EXPECT_EQ(split_statements("SELECT $1; SELECT a$b$c; SELECT 2"),
            (Statements{"SELECT $1", "SELECT a$b$c", "SELECT 2"}));
}

TEST(SplitStatements, KeepsWhatIsNeverClosed) {
  EXPECT_EQ(split_statements("SELECT 'open; text"), Statements{"SELECT 'open; text"});
  EXPECT_EQ(split_statements("SELECT $x$ open;"), Statements{"SELECT $x$ open;"});
}

TEST(PointAt, ShowsTheLineAndACaretUnderThePlace) {
  EXPECT_EQ(point_at("SELECT nothing", 8), "LINE 1: SELECT nothing\n               ^");
  EXPECT_EQ(point_at("SELECT 1,\n\tnothing\nFROM x", 12), "LINE 2:  nothing\n         ^");
  EXPECT_EQ(point_at("SELECT", 1), "LINE 1: SELECT\n        ^");
}

TEST(PointAt, CountsCharactersNotBytes) {
  EXPECT_EQ(point_at("SELECT 'ä', nothing", 13), "LINE 1: SELECT 'ä', nothing\n                    ^");
}

TEST(PointAt, SurvivesAnyPosition) {
  EXPECT_EQ(point_at("SELECT", 0), "");
  for (std::size_t position = 1; position < 40; ++position) {
    const std::string picture = point_at("a\nb\n\xC3", position);
    EXPECT_EQ(picture.back(), '^');
  }
}

}  // namespace
}  // namespace switchyard::cli
