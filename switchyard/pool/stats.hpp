// A pool at one moment, and what it did so far.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/pool/slot.hpp>

#include <array>
#include <cstdint>

namespace switchyard::inline v0::pool {

/// One shard's view. total = active + idle + connecting + closing.
struct PoolStats {
  std::uint32_t total = 0;
  std::uint32_t active = 0;    ///< lent, or being reset or pinged
  std::uint32_t tested = 0;    ///< of them: being reset or pinged
  std::uint32_t outdated = 0;  ///< of them: opened before renew(), closed when they come back
  std::uint32_t idle = 0;
  std::uint32_t connecting = 0;
  std::uint32_t closing = 0;
  std::uint32_t waiting = 0;
  TimePoint waiting_since{};  ///< of the one that waits longest
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  bool connects_slowed = false;  ///< after two connection errors in 15 s
  bool paused = false;

  std::uint64_t acquired = 0;   ///< leases granted
  std::uint64_t waited = 0;     ///< acquires that found no session and queued
  std::uint64_t timeouts = 0;   ///< acquires that ended by acquire_timeout or deadline
  std::uint64_t rejected = 0;   ///< acquires refused because max_waiters callers waited
  std::uint64_t exhausted = 0;  ///< times the last free session was lent
  std::uint64_t opened = 0;
  std::uint64_t connect_errors = 0;
  std::uint64_t leaks_suspected = 0;
  std::array<std::uint64_t, kCloseReasons> closed{};  ///< by CloseReason

  [[nodiscard]] std::uint64_t closed_by(CloseReason reason) const noexcept {
    return closed[static_cast<std::size_t>(reason)];
  }
};

}  // namespace switchyard::inline v0::pool
