// What no table can hold: texts at the limits, and texts made to be expensive.
#include <switchyard/sql/analyse.hpp>
#include <switchyard/sql/clock_constant.hpp>
#include <switchyard/sql/expansion.hpp>
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/parse_tree.hpp>
#include <switchyard/sql/parser.hpp>

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

StatementFacts facts_of(std::string_view text) { return Parser::of_process().analyse_now(text); }

std::string times(std::size_t count, std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// Fills the rest of the longest text that is analysed.
std::string filled(std::string_view begin, std::string_view middle, std::string_view end) {
  return std::string(begin) + times((kMaxAnalysedText - begin.size() - end.size()) / middle.size(), middle) +
         std::string(end);
}

void expect_everything_is_possible(const StatementFacts& facts, std::string_view why) {
  EXPECT_EQ(facts.kind, StatementKind::unknown);
  EXPECT_TRUE(facts.writes);
  EXPECT_THAT(facts.effects, ElementsAre(Effect::anything));
  EXPECT_THAT(facts.why_unknown, HasSubstr(why));
  EXPECT_EQ(facts.fingerprint, "");
}

TEST(Analyse, ATextOfTheLongestLengthIsUnderstood) {
  const std::string text = filled("SELECT f('", "x", "')");
  ASSERT_EQ(text.size(), kMaxAnalysedText);
  EXPECT_EQ(text_of(facts_of(text)), "select, reads\nfunctions: f\n");
}

TEST(Analyse, ALongerTextHasEveryEffectAndSaysTheLimit) {
  expect_everything_is_possible(facts_of(filled("SELECT f('", "x", "')") + " "), "longer than 64 kB");
}

TEST(Analyse, ATextWithNulHasEveryEffect) {
  expect_everything_is_possible(facts_of(std::string_view("SELECT 1\0, f()", 14)), "NUL");
}

TEST(Analyse, ATextThatIsNotUtf8HasEveryEffect) {
  expect_everything_is_possible(facts_of("SELECT 'caf\xe9'"), "UTF-8");
}

TEST(Analyse, AnEmptyTextIsNoStatement) { EXPECT_EQ(text_of(facts_of("")), "empty, reads\n"); }

TEST(Analyse, FingerprintsDifferInWordsAndNotInConstants) {
  const std::string first = facts_of("SELECT a FROM t WHERE b = 1").fingerprint;
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(facts_of("select a from t where b = 22 -- x").fingerprint, first);
  EXPECT_NE(facts_of("SELECT a FROM t WHERE c = 1").fingerprint, first);
}

// Each needs more stack than a thread usually has, or more levels than are walked.
TEST(Analyse, DeepTextsOfTheLongestLengthNeitherCrashNorPass) {
  for (const auto& text : {filled("SELECT 1", "+1", ""), filled("SELECT 1 ", "UNION SELECT 1 ", ""),
                           filled("SELECT a", "::b", ""), filled("SELECT a", " IS NULL", ""),
                           filled("SELECT a", "||a", ""), filled("SELECT 1 FROM a", " JOIN b ON c", ""),
                           filled("SELECT a", " COLLATE x", ""), filled("SELECT a", " AT TIME ZONE b", "")}) {
    expect_everything_is_possible(facts_of(text), "levels");
  }
}

TEST(Analyse, TextsThatTheGrammarsOwnStackDoesNotHoldAreUnknown) {
  for (const auto& text : {filled("SELECT ", "(", ""), filled("SELECT ", "NOT ", "a"), filled("SELECT ", "- ", "a"),
                           filled("SELECT ", "f(", ""), filled("SELECT * FROM ", "(SELECT * FROM ", "")}) {
    expect_everything_is_possible(facts_of(text), "memory exhausted");
  }
}

TEST(Analyse, NestingThatPeopleWriteIsUnderstood) {
  EXPECT_EQ(text_of(facts_of("SELECT a" + times(1000, " + 1"))), "select, reads\noperators: +\n");
  EXPECT_EQ(text_of(facts_of("SELECT 1" + times(1000, " UNION ALL SELECT 1"))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of("SELECT " + times(400, "(") + "a" + times(400, ")"))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of("SELECT " + times(400, "f(") + "a" + times(400, ")"))),
            "select, reads\nfunctions: f\n");
  EXPECT_EQ(text_of(facts_of(times(100, "SELECT * FROM (") + "TABLE t" + times(100, ") x"))),
            "select, reads\nrelations: t\n");
}

TEST(Analyse, WideTextsOfTheLongestLengthAreUnderstood) {
  EXPECT_EQ(text_of(facts_of(filled("SELECT 1", ",1", ""))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of(filled("SELECT 1 WHERE a IN (1", ",1", ")"))), "select, reads\noperators: =\n");
  EXPECT_EQ(text_of(facts_of(filled("SELECT a", " AND a", ""))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of(filled("VALUES (1)", ",(1)", ""))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of(filled("SELECT a", "[1]", ""))), "select, reads\n");
  EXPECT_EQ(text_of(facts_of(filled("SELECT (a)", ".b[1]", ""))), "select, reads\nfields: b\n");
  EXPECT_EQ(facts_of(filled("SELECT 1", ";SELECT 1", "")).kind, StatementKind::several);
}

// libpg_query would end the process.
TEST(Analyse, ASourceThatIsCopiedForEachColumnIsNotParsed) {
  const std::string wide = "UPDATE t SET (" + times(9000, "a,") + "a) = (SELECT " + times(9000, "1,") + "1)";
  expect_everything_is_possible(facts_of(wide), "tokens");

  std::string nested = "SELECT 1";
  for (int level = 0; level < 40; ++level) {
    nested = "WITH x AS (UPDATE t SET (a, b) = (" + nested + ") RETURNING 1) SELECT 1";
  }
  expect_everything_is_possible(facts_of(nested), "tokens");
}

TEST(Expansion, CommonAssignmentsOfSeveralColumnsPass) {
  EXPECT_FALSE(expands_too_much("UPDATE t SET (a, b, c) = (SELECT 1, 2, 3), d = 4, (e, f) = (1, 2)"));
  const std::string wide = "UPDATE t SET (" + times(99, "a, ") + "a) = (SELECT " + times(99, "b, ") + "b FROM u)";
  EXPECT_FALSE(expands_too_much(wide.c_str()));
  // Comparisons of rows look alike, and are not copied: they nest without end only behind a comma.
  const std::string compared = "SELECT a FROM t WHERE (a, b) = (1, 2) " + times(2000, "OR (a, b) = (1, 2) ");
  EXPECT_FALSE(expands_too_much((compared + " -- offset").c_str()));
}

TEST(Expansion, ASourceCountsOnceForEachColumnAndEndsWithItsParenthesisOrComma) {
  const std::string columns = "(" + times(999, "a,") + "a) = ";
  const std::string short_source = "(SELECT " + times(40, "1,") + "1)";
  const std::string long_source = "(SELECT " + times(60, "1,") + "1)";
  EXPECT_FALSE(expands_too_much(("UPDATE t SET " + columns + short_source).c_str()));
  EXPECT_TRUE(expands_too_much(("UPDATE t SET " + columns + long_source).c_str()));
  const std::string rest = ", b = (SELECT " + times(60, "1,") + "1)";
  EXPECT_FALSE(expands_too_much(("UPDATE t SET " + columns + "(SELECT 1)" + rest).c_str()));
  // A comment, or another case, hides nothing.
  EXPECT_TRUE(expands_too_much(("UPDATE t sEt " + columns + "/* , */ -- )\n" + long_source).c_str()));
  // Commas in brackets do not end it.
  EXPECT_TRUE(expands_too_much(("UPDATE t SET " + columns + "ARRAY[1, " + long_source + "]").c_str()));
}

TEST(ClockConstant, IsFoundWhateverHidesIt) {
  for (const std::string_view text : {"now", "NOW", " Today ", "it is tomorrow", "yesterday 12:00", "{\"n\\ow\"}",
                                      "(a,\"to\"\"day\")", "\\n\\o\\w", "snow", "nnow", "tomtomorrow"}) {
    EXPECT_TRUE(may_be_clock_constant(text)) << text;
  }
  for (const std::string_view text : {"", "no", "n", "no w", "to\nday", "tonight", "epoch", "tod", "yesterda"}) {
    EXPECT_FALSE(may_be_clock_constant(text)) << text;
  }
}

TEST(ParseTree, KnowsItsNodesAndFields) {
  EXPECT_EQ(node_type("SelectStmt"), NodeType::select);
  EXPECT_EQ(node_type("BoolExpr"), NodeType::plain);
  EXPECT_EQ(node_type("String"), NodeType::literal);
  EXPECT_EQ(node_type("Query"), NodeType::unknown);
  EXPECT_EQ(node_type(""), NodeType::unknown);
  EXPECT_EQ(type_of_field("TypeCast", "typeName"), "TypeName");
  EXPECT_EQ(type_of_field("SelectStmt", "larg"), "SelectStmt");
  EXPECT_EQ(type_of_field("TypeCast", "arg"), "");
  EXPECT_EQ(type_of_field(times(100, "x"), "y"), "");
}

}  // namespace
}  // namespace switchyard::sql
