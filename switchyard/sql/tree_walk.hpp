// Walks a parse tree and notes what it names.
#pragma once

#include <switchyard/sql/statement_facts.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string_view>
#include <vector>

namespace switchyard::inline v0::sql {

/// Fills the lists of facts (neither sorted nor without repetition yet), its clock constants and what the clauses
/// of queries do wherever they stand: INSERT in a CTE, FOR UPDATE, INTO. Kind and the rest belong to classify().
///
/// Recurses as deep as the tree is nested.
class TreeWalk {
 public:
  explicit TreeWalk(StatementFacts& facts) noexcept : facts_(facts) {}

  /// A value where the grammar allows any node: {"Type": {...}}, a list of them, or {} for none.
  void any(const boost::json::value& value);
  void node(std::string_view type, const boost::json::object& fields);

 private:
  using Object = boost::json::object;
  using Array = boost::json::array;

  /// All fields, but those that `skip` names.
  void fields_of(std::string_view type, const Object& fields, std::initializer_list<std::string_view> skip = {});
  void field(std::string_view type, std::string_view name, const boost::json::value& value);

  void a_const(const Object& fields);
  void a_expr(std::string_view type, const Object& fields);
  void a_indirection(std::string_view type, const Object& fields);
  void column_ref(const Object& fields);
  void drop(std::string_view type, const Object& fields);
  void explain(std::string_view type, const Object& fields);
  void func_call(std::string_view type, const Object& fields);
  void into_clause(std::string_view type, const Object& fields);
  void modify(std::string_view type, const Object& fields);
  void query(std::string_view type, const Object& fields);
  void range_table_sample(std::string_view type, const Object& fields);
  void range_var(const Object& fields);
  void select(std::string_view type, const Object& fields);
  void sort_by(std::string_view type, const Object& fields);
  void sql_value_function(const Object& fields);
  void sub_link(std::string_view type, const Object& fields);
  void type_name(std::string_view type, const Object& fields);
  void window_def(std::string_view type, const Object& fields);
  void with_clause(const Object& fields);

  void effect(Effect effect) { facts_.effects.push_back(effect); }
  void construct(std::string_view name) { facts_.constructs.emplace_back(name); }
  void operator_named(std::string_view name) { facts_.operators.push_back({{}, std::string(name)}); }
  void target(const Object& relation);
  void equality() { operator_named("="); }
  void grouping();
  void unknown(std::string_view name);

  StatementFacts& facts_;
  /// The CTEs that a relation's name may mean here; the innermost last. Point into the tree.
  std::vector<std::string_view> visible_ctes_;
};

}  // namespace switchyard::inline v0::sql
