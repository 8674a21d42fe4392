// What the pool machine asks its driver to do. The machine appends to the caller's list; the driver works it off in
// order and keeps the list for the next event.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/slot.hpp>

#include <cstdint>
#include <variant>
#include <vector>

namespace switchyard::inline v0::pool {

class Waiter;

/// Open a session; answer with connect_succeeded or connect_failed.
struct Connect {
  SlotRef slot;
};
/// End the slot's session (or its connection attempt, ping or reset); answer with closed.
struct Close {
  SlotRef slot;
  CloseReason reason;
};
/// Ask the idle session for a sign of life; answer with ping_succeeded or ping_failed.
struct Ping {
  SlotRef slot;
};
/// Undo what the last holder left; answer with reset_succeeded or reset_failed.
struct Reset {
  SlotRef slot;
};
/// The waiter has its session. It is out of the queue.
struct Grant {
  Waiter* waiter;
  SlotRef slot;
  Duration waited;
};
/// The waiter gets none. It is out of the queue.
struct Fail {
  Waiter* waiter;
  Error error;
};
/// Call on_timer at this time; replaces what was armed before. May fire early or for nothing.
struct ArmTimer {
  TimePoint when;
};
/// A lease is held longer than leak_threshold. Said once a lease. `site` is what its holder gave, may be null.
struct LeakSuspected {
  SlotRef slot;
  const char* site;
  Duration held;
};
/// More than exhaustion_share of the process's sessions are in use.
struct NearExhaustion {
  std::uint32_t in_use;
  std::uint32_t max;
};
/// After begin_drain or close: no session is left. Said once.
struct Drained {};

using Action =
    std::variant<Connect, Close, Ping, Reset, Grant, Fail, ArmTimer, LeakSuspected, NearExhaustion, Drained>;
using Actions = std::vector<Action>;

}  // namespace switchyard::inline v0::pool
