// Fills the target: rows, what is built over them, what ties the tables together.
#pragma once

#include <switchyard/move/run.hpp>
#include <switchyard/move/structure.hpp>

namespace switchyard::inline v0::move {

/// As it is in the source now.
[[nodiscard]] Task<Structure> structure_of(Run& run);
/// Those that were not copied yet, each in one snapshot that is remembered with the copy.
[[nodiscard]] Task<void> copy_tables(Run& run);
/// Keys, indexes, triggers (off), grants, and a log of the target's own.
[[nodiscard]] Task<void> make_indexes(Run& run);
/// Foreign keys. All tables are at one moment: what they refer to is there.
[[nodiscard]] Task<void> tie(Run& run);

}  // namespace switchyard::inline v0::move
