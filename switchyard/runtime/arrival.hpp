// When did what is read now come? A loop that works does not see what arrives meanwhile: whoever measures others
// takes its own work for theirs.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

namespace switchyard::inline v0::runtime {

/// The earliest moment at which the bytes that this turn reads can have come: now, if the loop had been waiting for
/// them; the last time it had looked, if it had been at work.
[[nodiscard]] SWITCHYARD_API TimePoint earliest_arrival() noexcept;

}  // namespace switchyard::inline v0::runtime
