// Compares both sides before the switch.
#pragma once

#include <switchyard/move/run.hpp>

namespace switchyard::inline v0::move {

/// Both sides at one moment: a snapshot of the source, and the target once everything that is visible in it, and
/// nothing else, has been repeated there. Throws what differs (verify.hpp).
[[nodiscard]] Task<void> compare(Run& run);

}  // namespace switchyard::inline v0::move
