// Which of a lane's sessions works for a caller: for people who look at a server and want to know for whom it does
// something.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/pool/lane.hpp>

#include <cstdint>

namespace switchyard::inline v0::pool {

/// The process id of the server that has the request's statement. 0: nobody has it yet, or any more.
[[nodiscard]] SWITCHYARD_API std::int32_t lane_server_pid(const LaneRequest& request) noexcept;

}  // namespace switchyard::inline v0::pool
