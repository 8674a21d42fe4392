// A whole schema that outgrew its server: where it is, where it goes, and the role that goes with it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <string>

namespace switchyard::inline v0::move {

struct SplitEnds {
  std::string from, to;  ///< databases of the fleet
  std::string advice;    ///< what to change in the fleet file afterwards; empty: nothing
};

/// The database that has the schema for its own, and where it goes: a database of the fleet, or "SERVER/DBNAME"
/// with a [server.SERVER], which is added to `fleet` as "<from>_split" with the same role and schema. Config errors
/// say what is missing.
[[nodiscard]] SWITCHYARD_API Result<SplitEnds> split_ends(FleetConfig& fleet, const std::string& schema,
                                                          const std::string& from, const std::string& to);

/// Makes the schema's owner at the target if it is not there, with the same password, and the schema as his. The
/// login at the target may make roles, or the role is there.
[[nodiscard]] SWITCHYARD_API Task<void> prepare_split(Fleet& fleet, const std::string& from, const std::string& to,
                                                      const std::string& schema);

/// A database has begun moves, or finished some.
[[nodiscard]] SWITCHYARD_API Task<bool> has_moves(Fleet& fleet, const std::string& database);

}  // namespace switchyard::inline v0::move
