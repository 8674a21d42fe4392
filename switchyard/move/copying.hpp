// Fills the target: rows, what is built over them, what ties the tables together.
#pragma once

#include <switchyard/move/run.hpp>
#include <switchyard/move/structure.hpp>

namespace switchyard::inline v0::move {

/// Types, functions and views refer to each other: what does not work yet is tried again when others are there.
/// What is there already is kept. Gives what the first of those fails with that can't be made.
[[nodiscard]] Task<std::optional<Error>> make_in_passes(Transaction& tx, std::vector<std::string> statements);
/// As it is in the source now.
[[nodiscard]] Task<Structure> structure_of(Run& run);
/// Those that were not copied yet, each in one snapshot that is remembered with the copy.
[[nodiscard]] Task<void> copy_tables(Run& run);
/// Keys, indexes, triggers (off), grants, and a log of the target's own.
[[nodiscard]] Task<void> make_indexes(Run& run);
/// Foreign keys. All tables are at one moment: what they refer to is there.
[[nodiscard]] Task<void> tie(Run& run);

}  // namespace switchyard::inline v0::move
