// The kinds of node that libpg_query's grammar makes, as this room knows them. In the JSON of a parse tree a node
// is
// {"Type": {field: value ...}}; where the grammar has only one type for a field, the value stands there without its
// type's name.
#pragma once

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::sql {

enum class NodeType : std::uint8_t {
  unknown,  ///< not of the grammar this room was written for
  plain,    ///< names nothing by itself: its fields are walked
  literal,  ///< String, Integer, A_Star ...: nothing in it to walk
  // With a meaning of their own:
  a_const,
  a_expr,
  a_indirection,
  case_expr,
  column_ref,
  common_table_expr,
  copy,
  create_table_as,
  cte_cycle,
  cte_search,
  current_of,
  declare_cursor,
  drop,
  execute,
  explain,
  func_call,
  into_clause,
  join_expr,
  locking_clause,
  min_max,
  modify,  ///< INSERT, UPDATE, DELETE, MERGE
  on_conflict,
  prepare,
  range_table_func,
  range_table_sample,
  range_var,
  select,
  sort_by,
  sql_value_function,
  sub_link,
  type_name,
  window_def,
  with_clause,
  xml_expr,
  xml_serialize,
};

[[nodiscard]] NodeType node_type(std::string_view name) noexcept;

/// The type of a field whose value stands without its type's name; empty when there is no such field.
[[nodiscard]] std::string_view type_of_field(std::string_view owner, std::string_view field) noexcept;

}  // namespace switchyard::inline v0::sql
