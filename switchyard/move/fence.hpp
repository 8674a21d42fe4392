// The texts that keep writers (and, where the tables have gone, readers) away from the side that does not own them.
//
//   writes_fence   a trigger refuses every write but the move's own: the copy before the switch
//   stand_aside    the tables go into a schema of their own, and in their places stand views that refuse everything
//                  with the name of the new place: what was moved away
//
// The views can be updated automatically, so that a write through them (with ON CONFLICT too) reaches the trigger
// of the table behind; a function that counts as immutable makes every other use of them fail when it is planned,
// whether there are rows or not. Triggers of users are off on the side that does not own the tables: what they did
// comes with the changes of the other side.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/move/table_plan.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::move {

/// The schema for tables of `schema` that stand aside.
[[nodiscard]] SWITCHYARD_API std::string holding_schema(const MovePlan& plan, const std::string& schema);

/// A table that stands aside.
[[nodiscard]] SWITCHYARD_API std::string held_name(const MovePlan& plan, const TablePlan& table);
/// All of the move, as a list in SQL.
[[nodiscard]] SWITCHYARD_API std::string held_names(const MovePlan& plan);

/// What is said to whoever comes to the wrong side.
struct FenceText {
  std::string message;  ///< "public.events has moved to the database 'analytics' (db2:5432/parafort_analytics)"
  std::string hint;
};

/// At the target before the switch.
[[nodiscard]] SWITCHYARD_API FenceText not_yet(const MovePlan& plan);
/// At the source after it.
[[nodiscard]] SWITCHYARD_API FenceText moved_away(const MovePlan& plan);
/// At the target after the way back.
[[nodiscard]] SWITCHYARD_API FenceText back_again(const MovePlan& plan);

/// The functions of the fences; made once.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> fence_functions(const MovePlan& plan, const FenceText& text);
/// Everything of the move that is not a table or its triggers: these functions, the log and what belongs to it. No
/// fence uses them any more; what is not there is no error.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_all_functions(const MovePlan& plan);
/// Takes ACCESS EXCLUSIVE on the tables in their places.
[[nodiscard]] SWITCHYARD_API std::string lock_statement(const MovePlan& plan);
/// The tables are in their places before and after.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> writes_fence(const MovePlan& plan);
[[nodiscard]] SWITCHYARD_API std::vector<std::string> lift_writes_fence(const MovePlan& plan);
/// From their places into the holding schemas. Requires ACCESS EXCLUSIVE, and takes it.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> stand_aside(const MovePlan& plan);
[[nodiscard]] SWITCHYARD_API std::vector<std::string> step_back(const MovePlan& plan);
/// Instead of stepping back: views and tables go.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_aside(const MovePlan& plan);
/// Triggers of users off, or as they were.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> triggers_off(const MovePlan& plan);
[[nodiscard]] SWITCHYARD_API std::vector<std::string> triggers_as_before(const MovePlan& plan);

}  // namespace switchyard::inline v0::move
