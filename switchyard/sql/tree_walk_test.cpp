// Trees that no text gives: what a newer grammar might make.
#include <switchyard/sql/classify.hpp>
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/tree_walk.hpp>

#include <boost/json/parse.hpp>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace switchyard::sql {
namespace {

/// The facts of one statement's tree, {"Type": {...}}.
std::string facts_of(std::string_view tree) {
  const boost::json::value value = boost::json::parse({tree.data(), tree.size()});
  StatementFacts facts;
  facts.writes = false;
  facts.only_ascii = true;
  const auto key = value.get_object().begin()->key();
  classify({key.data(), key.size()}, value.get_object().begin()->value().get_object(), facts);
  TreeWalk(facts).any(value);
  return text_of(facts);
}

constexpr std::string_view kCall = R"({"FuncCall": {"funcname": [{"String": {"sval": "f"}}]}})";

TEST(TreeWalk, AnUnknownKindOfNodeIsNamedAndWalked) {
  EXPECT_EQ(
      facts_of(R"({"SelectStmt": {"whereClause": {"JsonIsPredicate": {"expr": )" + std::string(kCall) + "}}}}"),
      "select, reads\nfunctions: f\nconstructs: jsonispredicate\n");
}

TEST(TreeWalk, AnUnknownFieldIsNamedUnlessItHoldsANode) {
  EXPECT_EQ(facts_of(R"({"SelectStmt": {"newClause": )" + std::string(kCall) + "}}"),
            "select, reads\nfunctions: f\n");
  EXPECT_EQ(facts_of(R"({"SelectStmt": {"newClause": {"name": "x", "other": 1}}})"),
            "select, reads\nconstructs: \"selectstmt.newclause\"\n");
  EXPECT_EQ(facts_of(R"({"SelectStmt": {"newClause": [{"name": "x", "other": 1}]}})"),
            "select, reads\nconstructs: node\n");
  EXPECT_EQ(
      facts_of(R"({"SelectStmt": {"newOption": "x", "newFlag": true, "newNumber": 1, "none": {}, "nones": [{}]}})"),
      "select, reads\n");
}

TEST(TreeWalk, AnUnknownStatementMayDoAnything) {
  EXPECT_EQ(facts_of(R"({"RepackStmt": {"relation": {"relname": "t", "inh": true}}})"),
            "unknown, writes\nbecause: a statement of an unknown kind (RepackStmt)\neffects: anything\n"
            "constructs: repackstmt, \"repackstmt.relation\"\n");
}

TEST(TreeWalk, WhatTheGrammarCouldNotHaveMadeDoesNoHarm) {
  EXPECT_EQ(facts_of(R"({"SelectStmt": {"withClause": {"ctes": [1, {}, {"CommonTableExpr": {}}]}, "op": 3}})"),
            "select, reads\n");
  EXPECT_EQ(facts_of(R"({"SelectStmt": {"targetList": [{"ColumnRef": {"fields": [1]}}, {"ColumnRef": {}}]}})"),
            "select, reads\n");
  EXPECT_EQ(facts_of(R"({"ExplainStmt": {"options": [1], "query": {"DeleteStmt": {}}}})"),
            "explain, writes\ninside: delete\n");
}

}  // namespace
}  // namespace switchyard::sql
