// What stands beside the tables of a schema that is split off and knows them by their identity, not by their names:
// views, materialized views, functions with a parsed body (BEGIN ATOMIC). Where the tables stand aside it would go
// on reading them there, so it goes with them, and in its place stands what refuses with the new place. Functions
// whose body is text need nothing: they meet what stands in the places of the tables.
//
// Statements do nothing about what is not there: a target that has its tables from migrations need not have all of
// it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/move/table_plan.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::move {

/// Into the holding schemas, the last first: as a query locks them, before the tables behind them. Takes ACCESS
/// EXCLUSIVE.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> put_dependents_aside(const MovePlan& plan);
/// In the places of those that stand aside.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> refuse_in_their_places(const MovePlan& plan);
/// What refuses goes.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_refusing_dependents(const MovePlan& plan);
/// Back into places that are free.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> bring_dependents_back(const MovePlan& plan);
/// Those that stand aside, and functions whose arguments are rows of the tables there.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_dependents_aside(const MovePlan& plan);
/// The same where the tables are in their places.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_dependents_in_place(const MovePlan& plan);
/// Materialized views that stand aside hold no rows any more.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> empty_dependents(const MovePlan& plan);

}  // namespace switchyard::inline v0::move
