// One look at a server: its connection limits and who is connected, in one round trip.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/server_sight.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/session/session.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Runs on `session`, which nobody has yet and which is lost if the server does not answer in time. Needs no
/// privileges: of other roles' sessions it counts role, database and name only. `application_names` are those of
/// the fleet.
[[nodiscard]] Task<Result<ServerSight>> look_at_server(session::Session& session, TimePoint deadline,
                                                       std::vector<std::string> application_names);
/// The same on any host, by its deadline; `server_pid` is what the session was told when it was opened.
[[nodiscard]] Task<Result<ServerSight>> look_at_server(session::OperationHost& host, std::int32_t server_pid,
                                                       std::vector<std::string> application_names);

}  // namespace switchyard::inline v0::fleet
