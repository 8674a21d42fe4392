// Places for sessions, as the pool machine names them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::pool {

using SlotIndex = std::uint32_t;
inline constexpr SlotIndex kNoSlot = 0xFFFF'FFFF;

/// One use of a slot: the generation changes when a lease ends and when a session is closed, so a reference kept
/// too long is recognised and ignored.
struct SlotRef {
  SlotIndex index = kNoSlot;
  std::uint32_t generation = 0;

  explicit operator bool() const noexcept { return index != kNoSlot; }
  friend bool operator==(const SlotRef&, const SlotRef&) noexcept = default;
};

/// What the holder of a lease says about the session when it gives it back.
enum class Disposition : std::uint8_t {
  reusable,  ///< as it was lent: idle, outside a transaction, settings untouched
  dirty,     ///< settings, temporary objects or locks may be left: reset it before the next caller
  close,     ///< in an unknown or broken state, or not to be shared: close it
};

/// Why a session was closed.
enum class CloseReason : std::uint8_t {
  idle_timeout,
  lifetime,
  released,  ///< the holder said Disposition::close
  lost,      ///< the server or the network ended it
  ping_failed,
  reset_failed,
  given_away,  ///< another shard of the process had callers and no permit
  paused,
  renewed,  ///< the pool was told that its sessions are out of date
  shutdown,
};
inline constexpr std::size_t kCloseReasons = 10;

[[nodiscard]] constexpr const char* to_string(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::idle_timeout: return "idle_timeout";
    case CloseReason::lifetime: return "lifetime";
    case CloseReason::released: return "released";
    case CloseReason::lost: return "lost";
    case CloseReason::ping_failed: return "ping_failed";
    case CloseReason::reset_failed: return "reset_failed";
    case CloseReason::given_away: return "given_away";
    case CloseReason::paused: return "paused";
    case CloseReason::renewed: return "renewed";
    case CloseReason::shutdown: return "shutdown";
  }
  return "unknown";
}

}  // namespace switchyard::inline v0::pool
