// The texts with which one side of a move remembers what is written to its tables, and the other side repeats it.
//
// Each change of a row becomes a row of a log in the same transaction, made by a trigger: so nothing is captured
// that is not committed, and nothing is committed that is not captured. It needs no wal_level, no replication
// privilege and no connection between the two servers. What the move itself writes (the setting
// `switchyard.move_apply` is the move's tag) is not captured again.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/move/table_plan.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {

/// Name of the setting that tells the move's own writes.
inline constexpr const char* kApplySetting = "switchyard.move_apply";
/// Of errors that say where tables have gone.
inline constexpr const char* kMovedState = "SYMOV";

/// The log, and the function and triggers of each table. Takes SHARE ROW EXCLUSIVE on the tables: it waits for
/// writers that are under way, and they for it.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> capture_statements(const MovePlan& plan);
/// Undoes it, and apply_function; what is not there is no error.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> drop_capture_statements(const MovePlan& plan);

/// Where the tables of a side are.
enum class Standing : std::uint8_t {
  in_place,
  aside,  ///< in the holding schemas (fence.hpp)
};

/// A function apply(numbers int[], operations text[], befores text[], afters text[]) that repeats changes in the
/// order given. A changed row that is missing is an error: the copy would not be one.
[[nodiscard]] SWITCHYARD_API std::string apply_function(const MovePlan& plan, Standing standing);

}  // namespace switchyard::inline v0::move
