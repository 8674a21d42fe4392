// The facts against what PostgreSQL itself makes of a text: of a view it keeps the analysed query, in which every
// function, operator and relation stands by its OID. None of their names may be missing among the facts.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/parser.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::sql {
namespace {

using embedded::SqlResult;
using embedded::TestDatabase;
using ::testing::IsSubsetOf;

const std::string kFolder = SWITCHYARD_SOURCE_DIR "/switchyard/sql/testdata/oracle/";

std::string contents(const std::string& file) {
  std::ifstream in(kFolder + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What the analysed query of a view uses, kind and name a row. Functions that are called as casts go by their type
/// if the cast is explicit; those of implicit casts have no name in the text.
constexpr std::string_view kUses = R"sql(
WITH tree AS (SELECT ev_class AS view, ev_action::text AS text FROM pg_rewrite
              WHERE ev_class = '%'::regclass AND rulename = '_RETURN'),
called AS (
  SELECT m[1]::oid AS oid FROM tree, regexp_matches(text, ':(?:aggfnoid|winfnoid|tsmhandler) (\d+)', 'g') m
  UNION SELECT m[1]::oid FROM tree, regexp_matches(text,
    ':funcid (\d+) :funcresulttype \d+ :funcretset \w+ :funcvariadic \w+ :funcformat [03]', 'g') m),
applied AS (
  SELECT m[1]::oid AS oid FROM tree, regexp_matches(text, ':(?:opno|eqop|sortop) (\d+)', 'g') m
  UNION SELECT one::oid FROM tree, regexp_matches(text, ':opnos \(o ([\d ]+)\)', 'g') m,
    regexp_split_to_table(m[1], ' ') one),
cast_to AS (
  SELECT m[1]::oid AS oid FROM tree, regexp_matches(text,
    ':(?:func)?resulttype (\d+)(?: :\w+ \S+){0,3}? :(?:func|relabel|coerce|convert)format 1', 'g') m)
SELECT 'function', proname FROM called JOIN pg_proc USING (oid)
UNION SELECT 'operator', oprname FROM applied JOIN pg_operator USING (oid)
UNION SELECT 'type', coalesce(element.typname, pg_type.typname) FROM cast_to JOIN pg_type USING (oid)
  LEFT JOIN pg_type element ON element.typarray = pg_type.oid
UNION SELECT 'relation', relname FROM tree, regexp_matches(text, ':relid (\d+)', 'g') m JOIN pg_class ON oid = m[1]::oid
  WHERE oid <> view
UNION SELECT 'construct', 'range_offset' FROM tree WHERE text ~ ':(?:start|end)InRangeFunc [1-9]'
UNION SELECT 'construct', 'xmlexpr' FROM tree WHERE text ~ '\{XMLEXPR :op [0-6]' AND text !~ '\{XMLEXPR :op 6'
UNION SELECT 'construct', 'xmltable' FROM tree WHERE text ~ '\{TABLEFUNC'
UNION SELECT 'value function', '' FROM tree WHERE text ~ '\{SQLVALUEFUNCTION'
)sql";

using Names = std::set<std::string>;

struct Uses {
  Names functions, operators, types, relations, constructs;
  bool value_functions = false;
};

Uses uses_of(TestDatabase& database, const std::string& view) {
  std::string sql(kUses);
  sql.replace(sql.find('%'), 1, view);
  Uses uses;
  for (const auto& row : database.execute(sql).rows) {
    const std::string kind = row[0].value_or("");
    const std::string name = row[1].value_or("");
    if (kind == "function") uses.functions.insert(name);
    if (kind == "operator") uses.operators.insert(name);
    if (kind == "type") uses.types.insert(name);
    if (kind == "relation") uses.relations.insert(name);
    if (kind == "construct") uses.constructs.insert(name);
    if (kind == "value function") uses.value_functions = true;
  }
  return uses;
}

Names names_of(const std::vector<Name>& list) {
  Names names;
  for (const Name& one : list) names.insert(one.name);
  return names;
}

void expect_nothing_is_missing(const StatementFacts& facts, const Uses& uses, const std::string& text) {
  SCOPED_TRACE(text + "\n" + text_of(facts));
  Names callable = names_of(facts.functions);
  callable.insert(facts.fields.begin(), facts.fields.end());
  Names types = names_of(facts.types);
  types.insert(callable.begin(), callable.end());  // f(x) may be a cast
  EXPECT_THAT(uses.functions, IsSubsetOf(callable));
  EXPECT_THAT(uses.operators, IsSubsetOf(names_of(facts.operators)));
  EXPECT_THAT(uses.types, IsSubsetOf(types));
  EXPECT_THAT(uses.constructs, IsSubsetOf(facts.constructs));
  EXPECT_EQ(uses.relations, names_of(facts.relations));  // no name of a CTE among them
  EXPECT_LE(uses.value_functions, !facts.value_functions.empty());
  EXPECT_EQ(facts.kind, StatementKind::select);
  EXPECT_FALSE(facts.writes);
}

TEST(FactsOracle, NoNameThatPostgresqlFindsInAQueryIsMissing) {
  TestDatabase database = TestDatabase::with(contents("fixture.sql"));
  std::ifstream queries(kFolder + "queries.txt");
  std::size_t checked = 0;
  for (std::string query; std::getline(queries, query);) {
    try {
      database.execute("CREATE VIEW looked_at AS SELECT 1 AS one FROM (" + query + ") z");
    } catch (const Error& error) {
      // Built without libxml, a server has no XML.
      if (error.sqlstate() != "0A000") ADD_FAILURE() << query << "\n" << error.what();
      continue;
    }
    expect_nothing_is_missing(Parser::of_process().analyse_now(query), uses_of(database, "looked_at"), query);
    database.execute("DROP VIEW looked_at");
    ++checked;
  }
  EXPECT_GT(checked, 70u);
}

// Some 200 queries that others wrote.
TEST(FactsOracle, NoNameIsMissingInTheViewsThatComeWithPostgresql) {
  TestDatabase database;
  const SqlResult views =
      database.execute("SELECT oid::regclass, pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v' ORDER BY oid");
  std::size_t understood = 0;
  for (const auto& row : views.rows) {
    const std::string& text = row[1].value();
    const StatementFacts facts = Parser::of_process().analyse_now(text);
    if (facts.kind == StatementKind::unknown) continue;  // newer than the grammar
    ++understood;
    expect_nothing_is_missing(facts, uses_of(database, row[0].value()), text);
  }
  EXPECT_GT(understood, 120u);
  EXPECT_GT(understood * 10, views.rows.size() * 9);
}

}  // namespace
}  // namespace switchyard::sql
