#include <switchyard/sql/node_tree.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace switchyard::inline v0::sql {
namespace {

/// Nodes of a query that reads. Not here, so refused: those that write or lock (ROWMARKCLAUSE, FIELDSTORE,
/// NEXTVALUEEXPR, CURRENTOFEXPR, SETTODEFAULT, ONCONFLICTEXPR, MERGEACTION ...).
constexpr auto kNodes = std::to_array<std::string_view>({
    "AGGREF",
    "ALIAS",
    "ARRAYCOERCEEXPR",
    "ARRAYEXPR",
    "BOOLEANTEST",
    "BOOLEXPR",
    "CASEEXPR",
    "CASETESTEXPR",
    "CASEWHEN",
    "COALESCEEXPR",
    "COERCETODOMAIN",
    "COERCETODOMAINVALUE",
    "COERCEVIAIO",
    "COLLATEEXPR",
    "COMMONTABLEEXPR",
    "CONST",
    "CONVERTROWTYPEEXPR",
    "CTECYCLECLAUSE",
    "CTESEARCHCLAUSE",
    "DISTINCTEXPR",
    "FIELDSELECT",
    "FROMEXPR",
    "FUNCEXPR",
    "GROUPINGFUNC",
    "GROUPINGSET",
    "JOINEXPR",
    "JSONBEHAVIOR",
    "JSONCONSTRUCTOREXPR",
    "JSONEXPR",
    "JSONFORMAT",
    "JSONISPREDICATE",
    "JSONRETURNING",
    "JSONTABLEPATH",
    "JSONTABLEPATHSCAN",
    "JSONTABLESIBLINGJOIN",
    "JSONVALUEEXPR",
    "MINMAXEXPR",
    "NAMEDARGEXPR",
    "NULLIFEXPR",
    "NULLTEST",
    "OPEXPR",
    "PARAM",
    "QUERY",
    "RANGETBLENTRY",
    "RANGETBLFUNCTION",
    "RANGETBLREF",
    "RELABELTYPE",
    "ROWCOMPAREEXPR",
    "ROWEXPR",
    "RTEPERMISSIONINFO",
    "SCALARARRAYOPEXPR",
    "SETOPERATIONSTMT",
    "SORTGROUPCLAUSE",
    "SQLVALUEFUNCTION",
    "SUBLINK",
    "SUBSCRIPTINGREF",
    "TABLEFUNC",
    "TABLESAMPLECLAUSE",
    "TARGETENTRY",
    "VAR",
    "WINDOWCLAUSE",
    "WINDOWFUNC",
    "XMLEXPR",
});

constexpr auto kFunctionFields = std::to_array<std::string_view>({
    "aggfnoid",
    "endInRangeFunc",
    "funcid",
    "hashfuncid",
    "negfuncid",
    "opfuncid",
    "startInRangeFunc",
    "tsmhandler",
    "winfnoid",
});
constexpr auto kOperatorFields =
    std::to_array<std::string_view>({"cycle_mark_neop", "eqop", "opno", "opnos", "sortop"});
constexpr auto kRelationFields = std::to_array<std::string_view>({"relid"});
constexpr auto kTypeFields = std::to_array<std::string_view>({
    "aggargtypes",
    "aggtranstype",
    "aggtype",
    "array_typeid",
    "casetype",
    "coalescetype",
    "colTypes",
    "coltypes",
    "consttype",
    "ctecoltypes",
    "cycle_mark_type",
    "element_typeid",
    "funccoltypes",
    "funcresulttype",
    "minmaxtype",
    "opresulttype",
    "paramtype",
    "refcontainertype",
    "refelemtype",
    "refrestype",
    "resulttype",
    "row_typeid",
    "type",
    "typeId",
    "typid",
    "vartype",
    "wintype",
});
/// What says nothing about objects whose code could run: numbers of columns, collations, flags, positions, names.
constexpr auto kOtherFields = std::to_array<std::string_view>({"absent_on_null",
                                                               "aggcollid",
                                                               "aggdirectargs",
                                                               "aggdistinct",
                                                               "aggfilter",
                                                               "aggkind",
                                                               "agglevelsup",
                                                               "aggno",
                                                               "aggorder",
                                                               "aggpresorted",
                                                               "aggsplit",
                                                               "aggstar",
                                                               "aggtransno",
                                                               "aggvariadic",
                                                               "alias",
                                                               "aliascolnames",
                                                               "aliasname",
                                                               "all",
                                                               "arg",
                                                               "arg_names",
                                                               "argisrow",
                                                               "argnumber",
                                                               "args",
                                                               "array_collid",
                                                               "boolop",
                                                               "booltesttype",
                                                               "btype",
                                                               "canSetTag",
                                                               "casecollid",
                                                               "checkAsUser",
                                                               "child",
                                                               "cmptype",
                                                               "coalescecollid",
                                                               "coerce",
                                                               "coerceformat",
                                                               "coercion",
                                                               "coercionformat",
                                                               "colCollations",
                                                               "colMax",
                                                               "colMin",
                                                               "colTypmods",
                                                               "colcollations",
                                                               "coldefexprs",
                                                               "colexprs",
                                                               "collOid",
                                                               "collation",
                                                               "colnames",
                                                               "cols",
                                                               "coltypmods",
                                                               "column_name",
                                                               "colvalexprs",
                                                               "constbyval",
                                                               "constcollid",
                                                               "constisnull",
                                                               "constlen",
                                                               "constraintDeps",
                                                               "consttypmod",
                                                               "constvalue",
                                                               "content",
                                                               "convertformat",
                                                               "copiedOrder",
                                                               "cteList",
                                                               "ctecolcollations",
                                                               "ctecolnames",
                                                               "ctecoltypmods",
                                                               "ctelevelsup",
                                                               "ctematerialized",
                                                               "ctename",
                                                               "ctequery",
                                                               "cterecursive",
                                                               "cterefcount",
                                                               "cycle_clause",
                                                               "cycle_col_list",
                                                               "cycle_mark_collation",
                                                               "cycle_mark_column",
                                                               "cycle_mark_default",
                                                               "cycle_mark_typmod",
                                                               "cycle_mark_value",
                                                               "cycle_path_column",
                                                               "defresult",
                                                               "distinctClause",
                                                               "docexpr",
                                                               "elements",
                                                               "elemexpr",
                                                               "encoding",
                                                               "endOffset",
                                                               "eref",
                                                               "errorOnError",
                                                               "expr",
                                                               "extraUpdatedCols",
                                                               "fieldnum",
                                                               "format",
                                                               "format_type",
                                                               "formatted_expr",
                                                               "frameOptions",
                                                               "fromlist",
                                                               "func",
                                                               "funccolcollations",
                                                               "funccolcount",
                                                               "funccollid",
                                                               "funccolnames",
                                                               "funccoltypmods",
                                                               "funcexpr",
                                                               "funcformat",
                                                               "funcordinality",
                                                               "funcparams",
                                                               "funcretset",
                                                               "functions",
                                                               "functype",
                                                               "funcvariadic",
                                                               "groupClause",
                                                               "groupClauses",
                                                               "groupDistinct",
                                                               "groupexprs",
                                                               "groupingSets",
                                                               "hasAggs",
                                                               "hasDistinctOn",
                                                               "hasGroupRTE",
                                                               "hasRecursive",
                                                               "hasRowSecurity",
                                                               "hasSubLinks",
                                                               "hasTargetSRFs",
                                                               "hasWindowFuncs",
                                                               "hashable",
                                                               "havingQual",
                                                               "inFromCl",
                                                               "inRangeAsc",
                                                               "inRangeColl",
                                                               "inRangeNullsFirst",
                                                               "indent",
                                                               "inh",
                                                               "inputcollid",
                                                               "inputcollids",
                                                               "insertedCols",
                                                               "isNatural",
                                                               "isReturn",
                                                               "item_type",
                                                               "join_using_alias",
                                                               "joinaliasvars",
                                                               "joinleftcols",
                                                               "joinmergedcols",
                                                               "joinrightcols",
                                                               "jointree",
                                                               "jointype",
                                                               "kind",
                                                               "larg",
                                                               "largs",
                                                               "lateral",
                                                               "limitCount",
                                                               "limitOffset",
                                                               "limitOption",
                                                               "list_end",
                                                               "list_start",
                                                               "location",
                                                               "lplan",
                                                               "mergeActionList",
                                                               "mergeJoinCondition",
                                                               "mergeTargetRelation",
                                                               "mergeUseOuterJoin",
                                                               "minmaxcollid",
                                                               "multidims",
                                                               "name",
                                                               "named_args",
                                                               "notnulls",
                                                               "ns_names",
                                                               "ns_uris",
                                                               "nulls_first",
                                                               "nulltesttype",
                                                               "omit_quotes",
                                                               "on_empty",
                                                               "on_error",
                                                               "op",
                                                               "opcollid",
                                                               "operName",
                                                               "opfamilies",
                                                               "opretset",
                                                               "orderClause",
                                                               "ordinalitycol",
                                                               "override",
                                                               "paramcollid",
                                                               "paramid",
                                                               "paramkind",
                                                               "paramtypmod",
                                                               "partitionClause",
                                                               "passing_names",
                                                               "passing_values",
                                                               "passingvalexprs",
                                                               "path",
                                                               "path_spec",
                                                               "perminfoindex",
                                                               "plan",
                                                               "quals",
                                                               "querySource",
                                                               "rarg",
                                                               "rargs",
                                                               "raw_expr",
                                                               "rctype",
                                                               "refcollid",
                                                               "refexpr",
                                                               "reflowerindexpr",
                                                               "refname",
                                                               "refs",
                                                               "reftypmod",
                                                               "refupperindexpr",
                                                               "relabelformat",
                                                               "relkind",
                                                               "rellockmode",
                                                               "repeatable",
                                                               "requiredPerms",
                                                               "resjunk",
                                                               "resname",
                                                               "resno",
                                                               "resorigcol",
                                                               "resorigtbl",
                                                               "ressortgroupref",
                                                               "result",
                                                               "resultcollid",
                                                               "resulttypmod",
                                                               "returning",
                                                               "returningNewAlias",
                                                               "returningOldAlias",
                                                               "reverse_sort",
                                                               "row_format",
                                                               "rowexpr",
                                                               "rplan",
                                                               "rtable",
                                                               "rtekind",
                                                               "rteperminfos",
                                                               "rtindex",
                                                               "runCondition",
                                                               "search_breadth_first",
                                                               "search_clause",
                                                               "search_col_list",
                                                               "search_seq_column",
                                                               "securityQuals",
                                                               "security_barrier",
                                                               "selectedCols",
                                                               "self_reference",
                                                               "setOperations",
                                                               "sortClause",
                                                               "startOffset",
                                                               "stmt_len",
                                                               "stmt_location",
                                                               "subLinkId",
                                                               "subLinkType",
                                                               "subquery",
                                                               "subselect",
                                                               "tablefunc",
                                                               "tablesample",
                                                               "targetList",
                                                               "testexpr",
                                                               "tleSortGroupRef",
                                                               "typeMod",
                                                               "typmod",
                                                               "unique",
                                                               "unique_keys",
                                                               "updatedCols",
                                                               "useOr",
                                                               "use_io_coercion",
                                                               "use_json_coercion",
                                                               "usingClause",
                                                               "utilityStmt",
                                                               "value",
                                                               "values_lists",
                                                               "varattno",
                                                               "varattnosyn",
                                                               "varcollid",
                                                               "varlevelsup",
                                                               "varno",
                                                               "varnosyn",
                                                               "varnullingrels",
                                                               "varreturningtype",
                                                               "vartypmod",
                                                               "winagg",
                                                               "wincollid",
                                                               "windowClause",
                                                               "winref",
                                                               "winstar",
                                                               "withCheckOptions",
                                                               "wrapper",
                                                               "xmloption"});
/// With another value than this one the query writes or locks.
struct Fixed {
  std::string_view field, value;
};
constexpr auto kFixedFields = std::to_array<Fixed>({
    {"commandType", "1"},
    {"hasForUpdate", "false"},
    {"hasModifyingCTE", "false"},
    {"onConflict", "<>"},
    {"refassgnexpr", "<>"},
    {"resultRelation", "0"},
    {"returningList", "<>"},
    {"rowMarks", "<>"},
});
/// SQLValueFunctionOp: CURRENT_DATE to LOCALTIMESTAMP with precision; behind them CURRENT_ROLE and its like.
constexpr std::uint32_t kLastClockOperation = 8;

template <std::size_t N>
consteval bool sorted(const std::array<std::string_view, N>& names) {
  return std::ranges::is_sorted(names);
}
static_assert(sorted(kNodes) && sorted(kFunctionFields) && sorted(kOperatorFields) && sorted(kTypeFields) &&
              sorted(kOtherFields));

template <class Names>
bool has(const Names& names, std::string_view name) noexcept {
  return std::ranges::binary_search(names, name);
}

bool blank(char c) noexcept { return c == ' ' || c == '\n' || c == '\t'; }
bool bracket(char c) noexcept { return c == '(' || c == ')' || c == '{' || c == '}'; }

std::optional<std::uint32_t> number(std::string_view text) noexcept {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  NodeTree run() {
    if (text_.size() > kMaxNodeTreeBytes) {
      fail("its parse tree is longer than 4 MB");
    } else {
      std::string_view token = next();
      while (!token.empty() && ok()) {
        value({}, {}, token);
        token = next();
      }
      if (depth_ != 0) fail("its parse tree ends early");
    }
    for (auto* list : {&out_.functions, &out_.operators, &out_.types, &out_.relations}) {
      std::ranges::sort(*list);
      list->erase(std::ranges::unique(*list).begin(), list->end());
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool ok() const noexcept { return out_.problem.empty(); }
  void fail(std::string problem) {
    if (ok()) out_.problem = std::move(problem);
  }

  /// As pg_strtok: brackets stand alone, a backslash takes the next character's meaning. Empty at the end.
  std::string_view next() noexcept {
    while (at_ < text_.size() && blank(text_[at_])) ++at_;
    const std::size_t begin = at_;
    if (at_ == text_.size()) return {};
    if (bracket(text_[at_])) return text_.substr(at_++, 1);
    while (at_ < text_.size() && !blank(text_[at_]) && !bracket(text_[at_])) {
      at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 2 : 1;
    }
    return text_.substr(begin, at_ - begin);
  }
  std::string_view peek() noexcept {
    const std::size_t here = at_;
    const std::string_view token = next();
    at_ = here;
    return token;
  }

  /// What follows a field, or stands in a list: a node, a list, or a word (of a Const: with its bytes).
  void value(std::string_view node, std::string_view field, std::string_view token) {
    if (depth_ >= kMaxNodeTreeDepth) return fail("its parse tree is too deep");
    if (token == "{") return read_node();
    if (token == "(") return read_list(node, field);
    if (token.empty() || token == ")" || token == "}") return fail("its parse tree can't be read");
    word(node, field, token);
    if (field == "constvalue" && peek() == "[") {
      do token = next();
      while (!token.empty() && token != "]");
    }
  }

  void read_node() {
    const std::string_view node = next();
    if (!has(kNodes, node)) return fail("its parse tree has a " + std::string(node.substr(0, 40)));
    ++depth_;
    for (std::string_view token = next(); ok() && token != "}"; token = next()) {
      if (token.size() < 2 || token[0] != ':') return fail("its parse tree can't be read");
      const std::string_view field = token.substr(1);
      const std::string_view first = next();
      check_field(node, field, first);
      if (ok()) value(node, field, first);
    }
    --depth_;
  }

  void read_list(std::string_view node, std::string_view field) {
    ++depth_;
    for (std::string_view token = next(); ok() && token != ")"; token = next()) value(node, field, token);
    --depth_;
  }

  void check_field(std::string_view node, std::string_view field, std::string_view first) {
    for (const Fixed& fixed : kFixedFields) {
      if (fixed.field != field) continue;
      if (fixed.value != first) fail("it writes or locks rows");
      return;
    }
    if (!has(kOtherFields, field) && !has(kTypeFields, field) && !has(kFunctionFields, field) &&
        !has(kOperatorFields, field) && !has(kRelationFields, field)) {
      fail("its parse tree has a field " + std::string(field.substr(0, 40)));
    }
    if (node == "SQLVALUEFUNCTION" && field == "op") {
      const auto operation = number(first);
      if (!operation || *operation <= kLastClockOperation) out_.clock = true;
    }
  }

  void word(std::string_view node, std::string_view field, std::string_view token) {
    std::vector<std::uint32_t>* list = nullptr;
    if (has(kFunctionFields, field)) list = &out_.functions;
    if (has(kOperatorFields, field)) list = &out_.operators;
    if (has(kRelationFields, field)) list = &out_.relations;
    // JsonConstructorExpr's `type` says which constructor it is.
    if (has(kTypeFields, field) && !(field == "type" && node == "JSONCONSTRUCTOREXPR")) list = &out_.types;
    if (list == nullptr || token == "<>" || token == "o") return;  // "o" opens a list of OIDs
    const auto oid = number(token);
    if (!oid) return fail("its parse tree can't be read");
    if (*oid != 0) list->push_back(*oid);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  NodeTree out_;
};

}  // namespace

NodeTree scan_node_tree(std::string_view text) { return Scanner(text).run(); }

}  // namespace switchyard::inline v0::sql
