// Why an acquire failed, said so that the reader knows which limit it was, what the pool looked like and what to
// change.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/settings.hpp>
#include <switchyard/pool/stats.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace switchyard::inline v0::pool {

/// What stood between the caller and a session.
enum class Limit : std::uint8_t {
  max,                  ///< all `max` sessions are in use
  elsewhere,            ///< the process holds `max` sessions, other pools on these permits have the rest
  budget,               ///< the source of the permits says no: other processes have the server's connections
  connects_slowed,      ///< connection attempts fail and are spaced out
  concurrent_connects,  ///< max_concurrent_connects attempts are under way
  connecting,           ///< a session is being opened, checked or reset and was not ready in time
  paused,               ///< the pool is paused
  max_waiters,          ///< too many callers wait already
};

/// The circumstances of a failed acquire.
struct AcquireFailure {
  Limit limit = Limit::max;
  PoolStats stats;
  /// Sessions the other pools on these permits hold, and what all may hold together.
  std::uint32_t elsewhere = 0;
  std::uint32_t process_max = 0;
  /// For Limit::budget: which one, who has it, and what to change.
  std::string budget;
  std::string budget_advice;
  Duration waited{};
  /// The caller's own deadline ended the wait, not acquire_timeout.
  bool by_deadline = false;
  std::optional<Error> last_connect_error;
  Duration since_connect_error{};
  /// The oldest lease, for Limit::max: how long it is held, and where it was taken (null if not said).
  Duration oldest_lease{};
  const char* oldest_lease_site = nullptr;
};

/// PoolExhausted; Deadline if the caller's deadline ended the wait; Unavailable if the pool is paused or if it has
/// no session because connecting fails (then the connection error is the message and its server fields are kept).
[[nodiscard]] SWITCHYARD_API Error make_acquire_error(const PoolSettings& settings, const AcquireFailure& failure);

/// The connection error as the reason of an acquire that does not wait for another attempt.
[[nodiscard]] SWITCHYARD_API Error make_connect_error(const PoolSettings& settings, const Error& cause);

/// The pool was closed or is being drained.
[[nodiscard]] SWITCHYARD_API Error make_closed_error(const PoolSettings& settings);

}  // namespace switchyard::inline v0::pool
