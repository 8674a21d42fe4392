// One operation on its way through a route, from its start to its end over all attempts.
#pragma once

#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/endpoint_limiter.hpp>
#include <switchyard/pool/lane.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/resilience/breaker.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::fleet {

class Endpoint;
class Route;

//  free ──start──► choosing ──► queued ──► running ──► free
//                   ▲  ▲ └─ waits ┘│ ▲        │
//                   │  │           │ └─ lane ─┤   (in a shared lane; a lease after all, or given back: lane_only)
//                   │  └───────────┴──────────┴── run again (other endpoint, after a pause)
struct Attempt final : pool::Request, pool::LaneRequest, LimiterWaiter {
  enum class Phase : std::uint8_t { free, waiting, queued, lane, running };

  explicit Attempt(Route& owner) noexcept : route(owner), timer(&Attempt::on_timer, this) {}
  void on_granted(session::Session& session, Duration waited) noexcept override;
  void on_failed(const Error& error) noexcept override;
  void on_place(LimiterPlace given) noexcept override;
  void on_sent(TimePoint now) noexcept override;
  void on_lease(pool::LaneExit why) noexcept override;
  static void on_timer(void* self) noexcept;

  Route& route;
  session::OperationState* operation = nullptr;
  Endpoint* endpoint = nullptr;      ///< the chosen one; null while none is
  const Endpoint* failed = nullptr;  ///< where the last attempt failed
  unsigned attempts = 0;             ///< that have failed
  LimiterPlace place;                ///< among the calls in flight to the chosen one
  unsigned moves = 0;                ///< places left because no session could be opened there
  bool has_alternative = false;      ///< see Choice
  resilience::BreakerPermit permit;  ///< of the chosen one's breaker, until the outcome is known
  Phase phase = Phase::free;
  pool::Lane* lane = nullptr;  ///< that it was in last
  bool left_lane = false;      ///< has been in a lane: not a second time
  bool pokable = false;        ///< waits for news, not for a pause between two tries
  runtime::Timer timer;        ///< while waiting
};

}  // namespace switchyard::inline v0::fleet
