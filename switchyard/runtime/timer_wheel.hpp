// The timers of one shard: a hierarchical wheel of five levels with 64 slots each, in ticks of about a millisecond.
// A timer sits in the level in which its expiry first differs from the current tick, and moves down when the wheel
// reaches its slot; a bit per slot finds the next one that holds anything.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/runtime/link.hpp>
#include <switchyard/runtime/timer.hpp>

#include <array>
#include <cstdint>

namespace switchyard::inline v0::runtime {

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint origin) noexcept : origin_(origin) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel() = default;

  /// Arms `timer` and answers when advance() has to be called at the latest on its behalf; a moment that is not
  /// after `now` means: at once.
  TimePoint insert(Timer& timer, TimePoint deadline, TimePoint now) noexcept;
  void remove(Timer& timer) noexcept;
  /// Calls every timer whose deadline is not after `now`.
  void advance(TimePoint now) noexcept;
  /// When advance() has to be called next; kNever when no timer is armed.
  [[nodiscard]] TimePoint next() const noexcept;
  /// True if timers were armed with a deadline that had already passed.
  [[nodiscard]] bool overdue() const noexcept { return !overdue_.empty(); }

 private:
  static constexpr int kLevels = 5;
  static constexpr int kSlotBits = 6;
  static constexpr int kTickBits = 20;  // a tick is 2^20 ns = 1.05 ms
  static constexpr std::uint64_t kSlotMask = (1U << kSlotBits) - 1;
  static constexpr std::uint64_t kNoTick = UINT64_MAX;
  static constexpr std::uint8_t kOutside = kLevels;  // in overdue_ or firing_

  struct Level {
    std::uint64_t occupied = 0;
    std::array<LinkList, 1U << kSlotBits> slots;
  };
  struct Next {
    std::uint64_t tick = kNoTick;
    int level = 0;
    std::uint64_t slot = 0;
  };

  [[nodiscard]] Next find_next() const noexcept;
  std::uint64_t place(Timer& timer) noexcept;
  void fire(LinkList& list) noexcept;
  [[nodiscard]] TimePoint time_of(std::uint64_t tick) const noexcept;

  TimePoint origin_;
  std::uint64_t elapsed_ = 0;  // every timer up to this tick has been called
  std::array<Level, kLevels> levels_;
  LinkList overdue_;
};

}  // namespace switchyard::inline v0::runtime
