// The fleets of several shards of one process as one: their figures added up.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/statistics.hpp>
#include <switchyard/fleet/status.hpp>

namespace switchyard::inline v0::fleet {

/// Adds what another shard's fleet of the same configuration knows. Counts are added, of percentiles, waits and
/// ages the larger one counts; what all shards share (limits, breakers) or see alike (replication) stays.
SWITCHYARD_API void add(FleetStatus& sum, const FleetStatus& other);
SWITCHYARD_API void add(FleetStatistics& sum, const FleetStatistics& other);

}  // namespace switchyard::inline v0::fleet
