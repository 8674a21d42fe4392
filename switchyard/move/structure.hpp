// Reads from a catalogue what tables are made of, and writes the statements that make them again elsewhere.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::move {

/// In the order in which they run.
struct Structure {
  /// Of a schema that goes as a whole: types and functions, before its tables. What needs those fails at first.
  std::vector<std::string> first;
  /// Schemas, types, functions of triggers, sequences, tables with defaults and CHECK constraints.
  std::vector<std::string> before_copy;
  /// Keys, indexes, triggers, comments, grants.
  std::vector<std::string> after_copy;
  /// Between the tables: true once all of them are at one moment.
  std::vector<std::string> foreign_keys;
};

/// Tables as "schema.name" or "name" (search_path decides); errors name those that are not there or can't be moved.
/// Views on them are refused, but those of `whole_schema` (as SQL writes its name; empty: none), which goes as a
/// whole.
[[nodiscard]] SWITCHYARD_API Task<std::vector<TablePlan>> read_tables(Transaction& tx,
                                                                      const std::vector<std::string>& names,
                                                                      const std::string& whole_schema = {});
/// Shapes of the tables now, in the plan's order; empty for one that is not there.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_shapes(Transaction& tx, const MovePlan& plan);
[[nodiscard]] SWITCHYARD_API Task<Structure> read_structure(Transaction& tx, const MovePlan& plan);
/// Where there is no such role nothing is granted; who may not act as it gives it nothing to own.
[[nodiscard]] SWITCHYARD_API std::string where_role_is(const std::string& role, const std::string& text);

}  // namespace switchyard::inline v0::move
