#include <switchyard/pool/lane_impl.hpp>
#include <switchyard/pool/lane_place.hpp>

namespace switchyard::inline v0::pool {

std::int32_t lane_server_pid(const LaneRequest& request) noexcept {
  if (request.call == nullptr) return 0;
  const LaneCall& call = request.call->lead != nullptr ? *request.call->lead : *request.call;
  const bool on_wire = call.state() == LaneEntry::State::held || call.state() == LaneEntry::State::streaming;
  const LaneSeat* const seat = on_wire ? call.lane.seat_at(call.slot()) : nullptr;
  return seat != nullptr ? seat->server_pid() : 0;
}

}  // namespace switchyard::inline v0::pool
