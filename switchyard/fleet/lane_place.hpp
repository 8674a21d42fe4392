// Which server works for an operation that shares its session with others.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstdint>

namespace switchyard::inline v0::fleet {

/// Of an operation that a route's lane has taken (Route::share()): the process id of the server that has it. 0:
/// none has it yet, or any more.
[[nodiscard]] SWITCHYARD_API std::int32_t lane_server_pid(const session::OperationState& operation) noexcept;

}  // namespace switchyard::inline v0::fleet
