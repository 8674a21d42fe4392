// The first steps of a move: which tables, the log of their changes, and empty tables behind a fence.
#pragma once

#include <switchyard/move/run.hpp>

namespace switchyard::inline v0::move {

/// From here on what is written in the source is logged. Errors say what can't be moved, before anything is done.
[[nodiscard]] Task<void> begin(Run& run);
/// The tables are in the target, closed to everybody else.
[[nodiscard]] Task<void> make_structure(Run& run);

}  // namespace switchyard::inline v0::move
