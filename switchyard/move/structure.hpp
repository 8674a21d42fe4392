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
  /// Schemas, types, functions of triggers, sequences, tables with defaults and CHECK constraints.
  std::vector<std::string> before_copy;
  /// Keys, indexes, triggers, comments, grants.
  std::vector<std::string> after_copy;
  /// Between the tables: true once all of them are at one moment.
  std::vector<std::string> foreign_keys;
};

/// Tables as "schema.name" or "name" (search_path decides); errors name those that are not there or can't be moved.
[[nodiscard]] SWITCHYARD_API Task<std::vector<TablePlan>> read_tables(Transaction& tx,
                                                                      const std::vector<std::string>& names);
/// The same of all tables of a schema.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> tables_of_schema(Transaction& tx,
                                                                             const std::string& schema);
/// Shapes of the tables now, in the plan's order; empty for one that is not there.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_shapes(Transaction& tx, const MovePlan& plan);
[[nodiscard]] SWITCHYARD_API Task<Structure> read_structure(Transaction& tx, const MovePlan& plan);
/// The rest of a schema: its other functions, views and sequences, for after_copy.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_schema_rest(Transaction& tx, const MovePlan& plan,
                                                                             const std::string& schema);

}  // namespace switchyard::inline v0::move
