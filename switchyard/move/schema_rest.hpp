// A schema that is split off as a whole: its tables, and what is in it beside them. What refers to something
// outside of it, or is referred to from there, is refused before anything is done.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::move {

/// Qualified, in the order of their names.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> tables_of_schema(Transaction& tx,
                                                                             const std::string& schema);
/// What stands aside with the tables, each behind what it refers to.
[[nodiscard]] SWITCHYARD_API Task<std::vector<Dependent>> dependents_of_schema(Transaction& tx,
                                                                               const std::string& schema);
/// Sequences that belong to no table and no default.
[[nodiscard]] SWITCHYARD_API Task<std::vector<SequencePlan>> free_sequences(Transaction& tx,
                                                                            const std::string& schema);
/// Extensions whose types, functions and operators are used in it.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> extensions_of_schema(Transaction& tx,
                                                                                 const std::string& schema);
/// Errors name what ties it to the rest of the database, and what is not moved. Of functions whose body is text
/// only what is written there by name is seen.
[[nodiscard]] SWITCHYARD_API Task<void> require_closed(Transaction& tx, const std::string& schema);

/// Types, and functions that defaults and constraints may call: before the tables. Those that need a table fail,
/// and come with read_schema_rest().
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_schema_types(Transaction& tx,
                                                                              const std::string& schema);
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_schema_functions(Transaction& tx,
                                                                                  const std::string& schema);
/// Functions, views with all that belongs to them, owners, grants, comments: once the rows are there. The order of
/// those that refer to each other is not known.
[[nodiscard]] SWITCHYARD_API Task<std::vector<std::string>> read_schema_rest(Transaction& tx,
                                                                             const std::string& schema);

}  // namespace switchyard::inline v0::move
