// The switch and the way back: the few moments in which one side lets go of the tables and the other one takes
// them.
//
// The side that takes them is opened first, in a transaction of its own, and nobody is told; then the side that
// lets go commits, which tells everybody. What ends between the two is mended by close_again() and settle().
#pragma once

#include <switchyard/move/run.hpp>

#include <cstdint>

namespace switchyard::inline v0::move {

/// The switch is tried when so few changes wait.
inline constexpr std::uint64_t kFewChanges = 2000;

/// The target owns the tables. Unavailable: writers left no gap within the patience of the options.
[[nodiscard]] Task<void> switch_over(Run& run);
/// The source owns them again.
[[nodiscard]] Task<void> switch_back(Run& run);
/// The target was opened and the source not switched: it is closed, and what somebody who was told nothing has
/// written there is brought to the source.
[[nodiscard]] Task<void> close_again(Run& run);
/// A way back that ended in the middle goes on if the target has let go; else the source is closed again.
[[nodiscard]] Task<void> settle(Run& run);

}  // namespace switchyard::inline v0::move
