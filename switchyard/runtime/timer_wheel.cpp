#include <switchyard/runtime/timer_wheel.hpp>

#include <algorithm>
#include <bit>

namespace switchyard::inline v0::runtime {

TimePoint TimerWheel::time_of(std::uint64_t tick) const noexcept {
  if (tick > static_cast<std::uint64_t>((kNever - origin_).count()) >> kTickBits) return kNever;
  return origin_ + Duration(static_cast<std::int64_t>(tick << kTickBits));
}

TimePoint TimerWheel::insert(Timer& timer, TimePoint deadline, TimePoint now) noexcept {
  if (timer.linked()) timer.wheel_->remove(timer);
  timer.wheel_ = this;
  if (deadline <= now) {
    timer.level_ = kOutside;
    overdue_.push_back(timer);
    return now;
  }
  // Rounded up to a whole tick: a timer is never early.
  const auto distance = static_cast<std::uint64_t>((deadline - origin_).count());
  timer.expiry_ = (distance >> kTickBits) + ((distance & ((1U << kTickBits) - 1)) != 0 ? 1 : 0);
  if (timer.expiry_ <= elapsed_) timer.expiry_ = elapsed_ + 1;  // only if `now` is behind the wheel
  return time_of(place(timer));
}

/// Puts the timer into its slot and answers the tick at which the slot is reached.
std::uint64_t TimerWheel::place(Timer& timer) noexcept {
  constexpr int kTop = kLevels - 1;
  constexpr std::uint64_t kHorizon = std::uint64_t{1} << (kSlotBits * kLevels);
  // A timer beyond the horizon (13 days) waits in the farthest slot and is placed again from there.
  const std::uint64_t tick = std::min(timer.expiry_, elapsed_ + kHorizon - 1);
  const int differing = 63 - std::countl_zero((elapsed_ ^ tick) | 1);
  const int level = std::min(differing / kSlotBits, kTop);
  const std::uint64_t slot = (tick >> (level * kSlotBits)) & kSlotMask;
  timer.level_ = static_cast<std::uint8_t>(level);
  timer.slot_ = static_cast<std::uint8_t>(slot);
  Level& at = levels_[static_cast<std::size_t>(level)];
  at.slots[slot].push_back(timer);
  at.occupied |= std::uint64_t{1} << slot;
  return (tick >> (level * kSlotBits)) << (level * kSlotBits);
}

void TimerWheel::remove(Timer& timer) noexcept {
  timer.unlink();
  if (timer.level_ == kOutside) return;
  Level& level = levels_[timer.level_];
  if (level.slots[timer.slot_].empty()) level.occupied &= ~(std::uint64_t{1} << timer.slot_);
}

TimerWheel::Next TimerWheel::find_next() const noexcept {
  // The lowest level that holds anything comes first: a level's slots begin where the level below ends.
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t occupied = levels_[static_cast<std::size_t>(level)].occupied;
    if (occupied == 0) continue;
    const int shift = level * kSlotBits;
    const std::uint64_t current = (elapsed_ >> shift) & kSlotMask;
    // Searched from the slot behind the current one; the current one itself is a whole round away.
    const int empty = std::countr_zero(std::rotr(occupied, static_cast<int>((current + 1) & kSlotMask)));
    const std::uint64_t distance = static_cast<std::uint64_t>(empty) + 1;
    return {((elapsed_ >> shift) + distance) << shift, level, (current + distance) & kSlotMask};
  }
  return {};
}

TimePoint TimerWheel::next() const noexcept {
  if (!overdue_.empty()) return origin_;
  const Next next = find_next();
  return next.tick == kNoTick ? kNever : time_of(next.tick);
}

void TimerWheel::fire(LinkList& list) noexcept {
  // One at a time: a callback may take out or destroy any other timer of the list.
  while (Link* link = list.pop_front()) {
    auto& timer = static_cast<Timer&>(*link);
    timer.fn_(timer.context_);
  }
}

void TimerWheel::advance(TimePoint now) noexcept {
  const auto target = now <= origin_ ? 0 : static_cast<std::uint64_t>((now - origin_).count()) >> kTickBits;
  if (!overdue_.empty()) {
    LinkList firing;  // what the callbacks arm for the past waits for the next turn
    firing.splice(overdue_);
    fire(firing);
  }
  for (;;) {
    const Next next = find_next();
    if (next.tick > target) break;
    elapsed_ = next.tick;
    Level& level = levels_[static_cast<std::size_t>(next.level)];
    LinkList reached;
    reached.splice(level.slots[next.slot]);
    level.occupied &= ~(std::uint64_t{1} << next.slot);
    LinkList firing;
    while (Link* link = reached.pop_front()) {
      auto& timer = static_cast<Timer&>(*link);
      if (timer.expiry_ <= elapsed_) {
        timer.level_ = kOutside;
        firing.push_back(timer);
      } else {
        place(timer);
      }
    }
    fire(firing);
  }
  elapsed_ = std::max(elapsed_, target);
}

}  // namespace switchyard::inline v0::runtime
