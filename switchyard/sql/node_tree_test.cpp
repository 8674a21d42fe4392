#include <switchyard/sql/node_tree.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard::sql {
namespace {

using Oids = std::vector<std::uint32_t>;

TEST(NodeTree, NamesFunctionsOperatorsAndTypes) {
  const NodeTree tree = scan_node_tree(
      "{OPEXPR :opno 98 :opfuncid 67 :opresulttype 16 :opretset false :opcollid 0 :inputcollid 100 :args "
      "({FUNCEXPR "
      ":funcid 870 :funcresulttype 25 :funcretset false :funcvariadic false :funcformat 0 :funccollid 100 "
      ":inputcollid 100 :args ({VAR :varno 1 :varattno 2 :vartype 16400 :vartypmod -1 :varcollid 100 :varlevelsup "
      "0 "
      ":varnosyn 1 :varattnosyn 2 :location 7}) :location 1} {CONST :consttype 25 :consttypmod -1 :constcollid 100 "
      ":constlen -1 :constbyval false :constisnull false :location 9 :constvalue 5 [ 20 0 0 0 97 ]}) :location 8}");
  EXPECT_EQ(tree.problem, "");
  EXPECT_EQ(tree.functions, (Oids{67, 870}));
  EXPECT_EQ(tree.operators, (Oids{98}));
  EXPECT_EQ(tree.types, (Oids{16, 25, 16400}));
  EXPECT_FALSE(tree.clock);
}

TEST(NodeTree, NamesTheTypesInLists) {
  const NodeTree tree = scan_node_tree("{AGGREF :aggfnoid 2803 :aggargtypes (o 23 16400) :aggtype 20}");
  EXPECT_EQ(tree.functions, (Oids{2803}));
  EXPECT_EQ(tree.types, (Oids{20, 23, 16400}));
}

TEST(NodeTree, NamesRelations) {
  const NodeTree tree =
      scan_node_tree("({QUERY :commandType 1 :rtable ({RANGETBLENTRY :rtekind 0 :relid 16500})})");
  EXPECT_EQ(tree.problem, "");
  EXPECT_EQ(tree.relations, (Oids{16500}));
}

TEST(NodeTree, NoticesTheClock) {
  EXPECT_TRUE(scan_node_tree("{SQLVALUEFUNCTION :op 0 :type 1082 :typmod -1 :location 1}").clock);
  EXPECT_FALSE(scan_node_tree("{SQLVALUEFUNCTION :op 10 :type 19 :typmod -1 :location 1}").clock);
}

TEST(NodeTree, RefusesAKindOfNodeThatIsNotKnown) {
  EXPECT_EQ(scan_node_tree("{NEXTVALUEEXPR :seqid 16500 :typeId 20}").problem,
            "its parse tree has a NEXTVALUEEXPR");
}

TEST(NodeTree, RefusesAFieldThatIsNotKnown) {
  EXPECT_EQ(scan_node_tree("{FUNCEXPR :supportfuncid 16500}").problem, "its parse tree has a field supportfuncid");
}

TEST(NodeTree, RefusesWhatWritesOrLocks) {
  EXPECT_NE(scan_node_tree("({QUERY :commandType 3})").problem, "");
  EXPECT_NE(scan_node_tree("({QUERY :commandType 1 :hasForUpdate true})").problem, "");
  EXPECT_NE(scan_node_tree("({QUERY :commandType 1 :hasModifyingCTE true})").problem, "");
  EXPECT_NE(scan_node_tree("({QUERY :commandType 1 :rowMarks ({ROWMARKCLAUSE :rti 1})})").problem, "");
  EXPECT_NE(scan_node_tree("{SUBSCRIPTINGREF :refassgnexpr {CONST :consttype 23}}").problem, "");
}

// PostgreSQL escapes blanks and brackets in names, but not a colon in front.
TEST(NodeTree, ANameCannotPassForAField) {
  const NodeTree tree =
      scan_node_tree("{ALIAS :aliasname :colnames :colnames (\":funcid\" \"a\\ 1\\)\")} {FUNCEXPR :funcid 870}");
  EXPECT_EQ(tree.problem, "");
  EXPECT_EQ(tree.functions, (Oids{870}));
}

TEST(NodeTree, RefusesWhatEndsEarlyOrMakesNoSense) {
  EXPECT_NE(scan_node_tree("{FUNCEXPR :funcid 870").problem, "");
  EXPECT_NE(scan_node_tree("{FUNCEXPR :funcid").problem, "");
  EXPECT_NE(scan_node_tree("{FUNCEXPR :funcid eight}").problem, "");
  EXPECT_NE(scan_node_tree("{FUNCEXPR funcid 8}").problem, "");
  EXPECT_NE(scan_node_tree("({FUNCEXPR :funcid 8}").problem, "");
  EXPECT_NE(scan_node_tree(")").problem, "");
  EXPECT_NE(scan_node_tree("{CONST :constvalue 4 [ 1 0").problem, "");
}

TEST(NodeTree, HasLimits) {
  std::string deep;
  for (std::size_t i = 0; i < kMaxNodeTreeDepth + 10; ++i) deep += "{BOOLEXPR :args (";
  EXPECT_EQ(scan_node_tree(deep).problem, "its parse tree is too deep");
  EXPECT_EQ(scan_node_tree(std::string(kMaxNodeTreeBytes + 1, ' ')).problem, "its parse tree is longer than 4 MB");
}

}  // namespace
}  // namespace switchyard::sql
