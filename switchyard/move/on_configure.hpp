// Tables that are still where another database stands in, moved as soon as their own one is configured:
// [database.NAME] move_on_configure = true.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/move/mover.hpp>
#include <switchyard/runtime/task.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {

struct ConfiguredMove {
  std::string from, to;  ///< databases of the fleet
};

/// What the configuration asks for: databases with move_on_configure, `tables` and a stand-in, both configured.
[[nodiscard]] SWITCHYARD_API std::vector<ConfiguredMove> moves_on_configure(const FleetConfig& fleet);

/// Moves the tables that hold rows where `move.from` stands in; goes on with what was begun. Nothing: none is left
/// there. Errors as of Mover::run(); the next call goes on. `options`: for tests; tables and stands_in are set
/// here.
[[nodiscard]] SWITCHYARD_API Task<std::optional<MoveReport>> move_what_is_left(FleetConfig fleet,
                                                                               ConfiguredMove move,
                                                                               MoveOptions options = {});

}  // namespace switchyard::inline v0::move
