// A loop driven by hand, with a clock that stands still: coroutines, timers and flushes can be tested step by step.
#pragma once

#include <switchyard/runtime/loop.hpp>

#include <cstddef>

namespace switchyard::inline v0::runtime {

/// While it lives it is the current loop of its thread. Time moves only in advance().
class ManualLoop final : public Loop {
 public:
  static constexpr TimePoint kOrigin{std::chrono::seconds(1000)};

  ManualLoop() noexcept : Loop(kOrigin, nullptr), scope_(*this) {}
  ~ManualLoop() { end(); }

  /// Runs turns until nothing is left to do now, at most `limit`; answers how many it took.
  std::size_t run(std::size_t limit = 1'000'000) noexcept {
    std::size_t turns = 0;
    while (turn_requested() && turns < limit) {
      step();
      ++turns;
    }
    return turns;
  }
  /// One turn.
  void step() noexcept {
    refresh_now();
    run_turn();
  }
  /// Moves the clock, stopping at each timer on the way, and runs the turns.
  void advance(Duration by) noexcept {
    const TimePoint target = clock_ + by;
    run();
    while (next_timer() <= target) {
      if (next_timer() > clock_) clock_ = next_timer();
      wake();
    }
    clock_ = target;
    wake();
  }

 private:
  void wake() noexcept {
    refresh_now();
    on_wake();
    step();
    run();
  }
  void post_turn() noexcept override {}
  void wake_at(TimePoint) noexcept override {}
  TimePoint read_clock() noexcept override { return clock_; }

  TimePoint clock_ = kOrigin;
  Scope scope_;
};

}  // namespace switchyard::inline v0::runtime
