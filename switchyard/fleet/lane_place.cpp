#include <switchyard/fleet/attempt.hpp>
#include <switchyard/fleet/lane_place.hpp>
#include <switchyard/pool/lane_place.hpp>

namespace switchyard::inline v0::fleet {

std::int32_t lane_server_pid(const session::OperationState& operation) noexcept {
  return operation.host_data == nullptr ? 0 : pool::lane_server_pid(*static_cast<Attempt*>(operation.host_data));
}

}  // namespace switchyard::inline v0::fleet
