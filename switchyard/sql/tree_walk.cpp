#include <switchyard/sql/tree_walk.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/sql/clock_constant.hpp>
#include <switchyard/sql/parse_tree.hpp>

#include <boost/json/array.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace switchyard::inline v0::sql {

namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Of a window frame (WindowDef.frameOptions): it counts in values, not in rows or groups.
constexpr std::int64_t kFrameOptionRange = 0x2;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

std::string_view text_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  const boost::json::string* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? view(*text) : std::string_view();
}

bool is_set(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  return found != nullptr && found->is_bool() && found->get_bool();
}

std::int64_t number_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

const array* list_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  return found != nullptr ? found->if_array() : nullptr;
}

const object* object_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  return found != nullptr ? found->if_object() : nullptr;
}

/// {"Type": {...}}: the type; empty when the object is something else. Names of fields begin in lower case.
std::string_view wrapped_type(const object& candidate) {
  if (candidate.size() != 1) return {};
  const auto key = candidate.begin()->key();
  const std::string_view name(key.data(), key.size());
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z' && candidate.begin()->value().is_object()
             ? name
             : std::string_view();
}

const object& inside(const object& wrapper) { return wrapper.begin()->value().get_object(); }

/// The text of {"String": {"sval": ...}}; null when it is another node.
const boost::json::string* string_node(const value& node) {
  const object* wrapper = node.if_object();
  if (wrapper == nullptr || wrapped_type(*wrapper) != "String") return nullptr;
  const value* text = inside(*wrapper).if_contains("sval");
  return text != nullptr ? text->if_string() : nullptr;
}

/// The last two parts of a dotted name: a third can only be the database's own.
Name name_of(const array* parts) {
  Name name;
  if (parts == nullptr) return name;
  for (const value& part : *parts) {
    const boost::json::string* text = string_node(part);
    if (text == nullptr) continue;
    name.schema = std::move(name.name);
    name.name = view(*text);
  }
  return name;
}

bool is_temporary(const object& relation) {
  return text_of(relation, "relpersistence") == "t" || text_of(relation, "schemaname").starts_with("pg_temp");
}

/// What EXPLAIN's options say of ANALYZE; anything but a clear no is a yes.
bool explain_runs(const object& explain) {
  const array* options = list_of(explain, "options");
  if (options == nullptr) return false;
  return std::ranges::any_of(*options, [](const value& option) {
    const object* wrapper = option.if_object();
    if (wrapper == nullptr || wrapped_type(*wrapper) != "DefElem") return true;
    const object& element = inside(*wrapper);
    if (text_of(element, "defname") != "analyze") return false;
    const object* argument = object_of(element, "arg");
    if (argument == nullptr) return true;
    if (wrapped_type(*argument) == "Integer") return number_of(inside(*argument), "ival") != 0;
    if (wrapped_type(*argument) != "String") return true;
    const std::string word = base::lowered(text_of(inside(*argument), "sval"));
    return word != "false" && word != "off";
  });
}

}  // namespace

void TreeWalk::any(const value& value) {
  if (const Array* list = value.if_array()) {
    for (const auto& element : *list) any(element);
    return;
  }
  const Object* wrapper = value.if_object();
  if (wrapper == nullptr || wrapper->empty()) return;
  if (const std::string_view type = wrapped_type(*wrapper); !type.empty()) {
    node(type, inside(*wrapper));
  } else {
    unknown("node");
  }
}

void TreeWalk::field(std::string_view type, std::string_view name, const value& value) {
  if (const Object* nested = value.if_object(); nested != nullptr && !nested->empty()) {
    if (wrapped_type(*nested).empty()) {
      const std::string_view nested_type = type_of_field(type, name);
      if (nested_type.empty()) return unknown(std::string(type) + "." + std::string(name));
      return node(nested_type, *nested);
    }
  }
  any(value);
}

void TreeWalk::fields_of(std::string_view type, const Object& fields,
                         std::initializer_list<std::string_view> skip) {
  for (const auto& member : fields) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(skip, name) == skip.end()) field(type, name, member.value());
  }
}

void TreeWalk::node(std::string_view type, const Object& fields) {
  using enum NodeType;
  switch (node_type(type)) {
    case NodeType::unknown: TreeWalk::unknown(type); return fields_of(type, fields);
    case literal: return;
    case plain: return fields_of(type, fields);

    case NodeType::a_const: return TreeWalk::a_const(fields);
    case NodeType::a_expr: return TreeWalk::a_expr(type, fields);
    case NodeType::a_indirection: return TreeWalk::a_indirection(type, fields);
    case NodeType::column_ref: return TreeWalk::column_ref(fields);
    case NodeType::drop: return TreeWalk::drop(type, fields);
    case NodeType::explain: return TreeWalk::explain(type, fields);
    case NodeType::func_call: return TreeWalk::func_call(type, fields);
    case NodeType::into_clause: return TreeWalk::into_clause(type, fields);
    case NodeType::modify: return TreeWalk::modify(type, fields);
    case NodeType::range_table_sample: return TreeWalk::range_table_sample(type, fields);
    case NodeType::range_var: return TreeWalk::range_var(fields);
    case NodeType::select: return TreeWalk::select(type, fields);
    case NodeType::sort_by: return TreeWalk::sort_by(type, fields);
    case NodeType::sql_value_function: return TreeWalk::sql_value_function(fields);
    case NodeType::sub_link: return TreeWalk::sub_link(type, fields);
    case NodeType::type_name: return TreeWalk::type_name(type, fields);
    case NodeType::window_def: return TreeWalk::window_def(type, fields);
    case NodeType::with_clause: return TreeWalk::with_clause(fields);

    case common_table_expr: return fields_of(type, fields);
    case case_expr:
      if (fields.contains("arg")) equality();
      return fields_of(type, fields);
    case copy:
      effect(Effect::copies);
      if (is_set(fields, "is_from") || !text_of(fields, "filename").empty()) facts_.writes = true;
      if (is_set(fields, "is_program")) effect(Effect::runs_code);
      return fields_of(type, fields);
    case create_table_as:
      facts_.writes = true;
      effect(Effect::changes_catalogue);
      return fields_of(type, fields);
    case cte_cycle:
      equality();
      operator_named("<>");
      operator_named("||");
      return fields_of(type, fields);
    case cte_search: operator_named("||"); return fields_of(type, fields);
    case current_of: construct("current_of"); return fields_of(type, fields);
    case declare_cursor: effect(Effect::holds_cursor); return fields_of(type, fields);
    case execute:
      facts_.writes = true;  // of what was prepared nothing is known
      effect(Effect::prepares);
      return fields_of(type, fields);
    case prepare: effect(Effect::prepares); return fields_of(type, fields);
    case join_expr:
      if (fields.contains("usingClause") || is_set(fields, "isNatural")) equality();
      return fields_of(type, fields);
    case locking_clause:  // its relations are names of the FROM clause
      facts_.writes = true;
      return effect(Effect::locks_rows);
    case min_max: grouping(); return fields_of(type, fields);
    case on_conflict: equality(); return fields_of(type, fields);
    case range_table_func: construct("xmltable"); return fields_of(type, fields);
    case xml_expr: construct("xmlexpr"); return fields_of(type, fields);
    case xml_serialize: construct("xmlserialize"); return fields_of(type, fields);
  }
}

void TreeWalk::a_const(const Object& fields) {
  const Object* text = object_of(fields, "sval");
  if (text != nullptr && may_be_clock_constant(text_of(*text, "sval"))) facts_.has_clock_constant = true;
}

void TreeWalk::a_expr(std::string_view type, const Object& fields) {
  const std::string_view kind = text_of(fields, "kind");
  if (kind.starts_with("AEXPR_BETWEEN") || kind.starts_with("AEXPR_NOT_BETWEEN")) {
    const bool symmetric = kind.ends_with("_SYM");
    if (symmetric || kind.starts_with("AEXPR_BETWEEN")) {
      operator_named(">=");
      operator_named("<=");
    }
    if (symmetric || kind.starts_with("AEXPR_NOT")) {
      operator_named("<");
      operator_named(">");
    }
  } else {
    facts_.operators.push_back(name_of(list_of(fields, "name")));
  }
  fields_of(type, fields, {"name"});
}

// `a.b`: b of the row a, or b(a). What stands before the last name says which row.
void TreeWalk::column_ref(const Object& fields) {
  const Array* parts = list_of(fields, "fields");
  if (parts == nullptr || parts->empty()) return;
  const boost::json::string* last = string_node(parts->back());
  if (last == nullptr) return;
  if (parts->size() > 1) {
    facts_.fields.emplace_back(view(*last));
  } else if (view(*last) == "system_user") {  // a word of the language since PostgreSQL 16
    facts_.value_functions.emplace_back(view(*last));
  }
}

void TreeWalk::a_indirection(std::string_view type, const Object& fields) {
  if (const Array* steps = list_of(fields, "indirection")) {
    for (const value& step : *steps) {
      if (const boost::json::string* name = string_node(step)) facts_.fields.emplace_back(view(*name));
    }
  }
  fields_of(type, fields);
}

void TreeWalk::drop(std::string_view type, const Object& fields) {
  const std::string_view what = text_of(fields, "removeType");
  const Array* objects = list_of(fields, "objects");
  if (objects != nullptr && (what == "OBJECT_TABLE" || what == "OBJECT_VIEW" || what == "OBJECT_MATVIEW" ||
                             what == "OBJECT_FOREIGN_TABLE")) {
    for (const value& entry : *objects) {
      const Object* wrapper = entry.if_object();
      if (wrapper != nullptr && wrapped_type(*wrapper) == "List") {
        facts_.relations.push_back(name_of(list_of(inside(*wrapper), "items")));
      }
    }
  }
  fields_of(type, fields);
}

// Without ANALYZE the statement inside is planned, not run.
void TreeWalk::explain(std::string_view type, const Object& fields) {
  const bool wrote = std::exchange(facts_.writes, false);
  std::vector<Effect> effects = std::exchange(facts_.effects, {});
  fields_of(type, fields);
  if (!explain_runs(fields)) {
    if (facts_.writes) construct("explain_of_write");
    facts_.writes = false;
    std::erase_if(facts_.effects, [](Effect inner) { return inner != Effect::prepares; });
  }
  facts_.writes |= wrote;
  facts_.effects.insert(facts_.effects.end(), effects.begin(), effects.end());
}

void TreeWalk::func_call(std::string_view type, const Object& fields) {
  facts_.functions.push_back(name_of(list_of(fields, "funcname")));
  if (is_set(fields, "agg_distinct")) grouping();
  fields_of(type, fields, {"funcname"});
}

void TreeWalk::into_clause(std::string_view type, const Object& fields) {
  facts_.writes = true;
  effect(Effect::changes_catalogue);
  if (const Object* relation = object_of(fields, "rel")) {
    target(*relation);
    if (is_temporary(*relation)) effect(Effect::temporary_objects);
  }
  fields_of(type, fields, {"rel"});
}

// The table that is written is never a CTE.
void TreeWalk::modify(std::string_view type, const Object& fields) {
  facts_.writes = true;
  if (const Object* relation = object_of(fields, "relation")) target(*relation);
  query(type, fields);
}

/// A statement that may have a WITH: its CTEs are visible in all of it, and nowhere else.
void TreeWalk::query(std::string_view type, const Object& fields) {
  const std::size_t outer = visible_ctes_.size();
  if (const Object* with = object_of(fields, "withClause")) with_clause(*with);
  if (node_type(type) == NodeType::modify) {
    fields_of(type, fields, {"withClause", "relation"});
  } else {
    fields_of(type, fields, {"withClause"});
  }
  visible_ctes_.resize(outer);
}

void TreeWalk::with_clause(const Object& fields) {
  const Array* ctes = list_of(fields, "ctes");
  if (ctes == nullptr) return;
  const bool recursive = is_set(fields, "recursive");
  const auto show = [this](const value& cte) {
    const Object* wrapper = cte.if_object();
    if (wrapper != nullptr && !wrapped_type(*wrapper).empty()) {
      visible_ctes_.push_back(text_of(inside(*wrapper), "ctename"));
    }
  };
  if (recursive) std::ranges::for_each(*ctes, show);
  for (const value& cte : *ctes) {
    any(cte);
    if (!recursive) show(cte);
  }
}

void TreeWalk::range_table_sample(std::string_view type, const Object& fields) {
  construct("tablesample");
  facts_.functions.push_back(name_of(list_of(fields, "method")));
  fields_of(type, fields, {"method"});
}

void TreeWalk::range_var(const Object& fields) {
  const std::string_view name = text_of(fields, "relname");
  if (text_of(fields, "schemaname").empty() && std::ranges::find(visible_ctes_, name) != visible_ctes_.end()) {
    return;
  }
  target(fields);
}

void TreeWalk::target(const Object& relation) {
  facts_.relations.push_back(
      {std::string(text_of(relation, "schemaname")), std::string(text_of(relation, "relname"))});
}

void TreeWalk::select(std::string_view type, const Object& fields) {
  const std::string_view operation = text_of(fields, "op");
  const bool compares_rows = operation == "SETOP_INTERSECT" || operation == "SETOP_EXCEPT" ||
                             (operation == "SETOP_UNION" && !is_set(fields, "all"));
  if (compares_rows || fields.contains("distinctClause") || fields.contains("groupClause")) grouping();
  query(type, fields);
}

void TreeWalk::sort_by(std::string_view type, const Object& fields) {
  if (const Array* with = list_of(fields, "useOp")) {
    facts_.operators.push_back(name_of(with));
  } else {
    operator_named(text_of(fields, "sortby_dir") == "SORTBY_DESC" ? ">" : "<");
  }
  equality();
  fields_of(type, fields, {"useOp"});
}

void TreeWalk::sql_value_function(const Object& fields) {
  std::string_view name = text_of(fields, "op");
  if (name.starts_with("SVFOP_")) name.remove_prefix(6);
  if (name.ends_with("_N")) name.remove_suffix(2);
  facts_.value_functions.push_back(base::lowered(name));
}

void TreeWalk::sub_link(std::string_view type, const Object& fields) {
  if (const Array* name = list_of(fields, "operName")) {
    facts_.operators.push_back(name_of(name));
  } else if (text_of(fields, "subLinkType") == "ANY_SUBLINK") {
    equality();  // IN (SELECT ...)
  }
  fields_of(type, fields, {"operName"});
}

void TreeWalk::type_name(std::string_view type, const Object& fields) {
  Name name = name_of(list_of(fields, "names"));
  // Its zone is the session's, with today's offset.
  if (name.name == "timetz") facts_.has_clock_constant = true;
  if (is_set(fields, "pct_type")) {
    facts_.relations.push_back({{}, name.schema});  // a.b%TYPE: the type of a column
  } else {
    facts_.types.push_back(std::move(name));
  }
  fields_of(type, fields, {"names"});
}

void TreeWalk::window_def(std::string_view type, const Object& fields) {
  if (fields.contains("partitionClause")) grouping();
  const bool has_offset = fields.contains("startOffset") || fields.contains("endOffset");
  if (has_offset && (number_of(fields, "frameOptions") & kFrameOptionRange) != 0) construct("range_offset");
  fields_of(type, fields);
}

void TreeWalk::grouping() {
  equality();
  operator_named("<");
}

void TreeWalk::unknown(std::string_view name) { construct(base::lowered(name)); }

}  // namespace switchyard::inline v0::sql
