// Time as the library sees it: a monotonic clock that is read once a loop turn and passed to the machines.
#pragma once

#include <chrono>

namespace switchyard::inline v0 {

using Duration = std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;
using TimePoint = std::chrono::time_point<Clock, Duration>;

/// No deadline.
inline constexpr TimePoint kNever = TimePoint::max();

/// `now + wait`, saturated: a wait of zero or less means "no limit" nowhere; use kNever for that.
[[nodiscard]] constexpr TimePoint deadline_after(TimePoint now, Duration wait) noexcept {
  return wait >= kNever - now ? kNever : now + wait;
}

}  // namespace switchyard::inline v0
