// What the shared lanes of a fleet did in a run.
#pragma once

#include "score.hpp"

#include <switchyard/fleet/fleet.hpp>

namespace soak {

/// An alarm of a lane fails the run.
void count_lanes(const switchyard::Fleet& fleet, Score& score);

}  // namespace soak
