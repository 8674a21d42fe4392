// Is there room for the copy? No statement tells how much space a server has left: it is known where the server
// runs on this machine, and said where it is not.
#pragma once

#include <switchyard/move/run.hpp>

namespace switchyard::inline v0::move {

/// For the tables that are not copied yet, with their indexes as the source has them, and the WAL that is kept
/// meanwhile. Config: too little is free. What can't be known becomes a note of the report.
[[nodiscard]] Task<void> require_room(Run& run);

}  // namespace switchyard::inline v0::move
