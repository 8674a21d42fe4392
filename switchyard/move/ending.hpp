// How a move ends: confirmed, when the side that lost the tables gives up its copy, or aborted before the switch.
#pragma once

#include <switchyard/move/run.hpp>

namespace switchyard::inline v0::move {

/// After the switch: the old copy is emptied; after the way back: the new one is dropped. Config: neither has been.
[[nodiscard]] Task<void> confirm(Run& run);
/// Nothing is left of the move. Config: it has switched.
[[nodiscard]] Task<void> abort(Run& run);

}  // namespace switchyard::inline v0::move
