// Deadlines. Arming and disarming cost about ten nanoseconds, so every statement can have one.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/link.hpp>

#include <cstdint>

namespace switchyard::inline v0::runtime {

class TimerWheel;

/// Calls `fn(context)` once when its deadline has passed: never early, late by about a millisecond. It belongs to
/// the shard on which it is armed. The callback may arm, disarm and destroy any timer, this one included.
class Timer : private Link {
 public:
  using Function = void (*)(void* context) noexcept;
  Timer(Function fn, void* context) noexcept : fn_(fn), context_(context) {}
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Sets or moves the deadline; kNever disarms. A deadline in the past fires in the next turn.
  SWITCHYARD_API void arm(TimePoint deadline) noexcept;
  void disarm() noexcept {
    if (linked()) remove();
  }
  [[nodiscard]] bool armed() const noexcept { return linked(); }

 private:
  friend class TimerWheel;
  SWITCHYARD_API void remove() noexcept;

  Function fn_;
  void* context_;
  TimerWheel* wheel_ = nullptr;
  std::uint64_t expiry_ = 0;  // in ticks of the wheel
  std::uint8_t level_ = 0;
  std::uint8_t slot_ = 0;
};

}  // namespace switchyard::inline v0::runtime
