// What a shard is apart from its sockets: the clock, the ready list, the timers and the order of a turn. A driver
// (a shard's loop, a test by hand) feeds it.
//
// A turn (one pass over what is ready):
//   1. the driver's handlers read what arrived and feed the machines; nothing is resumed meanwhile;
//   2. due timers are called;
//   3. coroutines of the ready list are resumed, at most kResumedPerTurn, the rest in the next turn;
//   4. TurnEnd callbacks run, for example flushes.
// The clock is read once, by the first handler.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/link.hpp>
#include <switchyard/runtime/ready.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/timer_wheel.hpp>
#include <switchyard/runtime/turn_end.hpp>

#include <cstddef>

namespace switchyard::inline v0::runtime {

class Shard;

/// A coroutine nobody awaits; it ends with its loop at the latest.
class Detached : public Link {
 public:
  virtual void destroy() noexcept = 0;

 protected:
  ~Detached() = default;
};

/// Something that uses the driver and must let go of it before the loop ends: a socket, a listener.
class Resource : public Link {
 public:
  virtual void loop_ends() noexcept = 0;

 protected:
  ~Resource() = default;
};

class SWITCHYARD_API Loop {
 public:
  /// One reader's data arrives while others wait: more than this many are resumed in the next turn.
  static constexpr std::size_t kResumedPerTurn = 256;

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The loop whose handler, turn or Scope runs on this thread, or null.
  [[nodiscard]] static Loop* current_or_null() noexcept;
  /// The same, asserted.
  [[nodiscard]] static Loop& current() noexcept;

  /// The time of this turn.
  [[nodiscard]] TimePoint now() noexcept { return window_open_ ? now_ : read_clock(); }
  /// The shard this loop belongs to; null for a loop driven by hand.
  [[nodiscard]] Shard* shard() const noexcept { return shard_; }

  void adopt(Detached& coroutine) noexcept { detached_.push_back(coroutine); }
  void adopt(Resource& resource) noexcept { resources_.push_back(resource); }

  /// Makes the loop current for a handler of the driver.
  class SWITCHYARD_API Scope {
   public:
    explicit Scope(Loop& loop) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Loop& loop_;
    Loop* previous_;
  };

 protected:
  Loop(TimePoint origin, Shard* shard) noexcept : wheel_(origin), shard_(shard) {}
  ~Loop() = default;

  /// Asks for run_turn() soon, within a Scope. Called at most once a turn.
  virtual void post_turn() noexcept = 0;
  /// Asks for on_wake(), within a Scope, at `moment` and not at an earlier wish of before.
  virtual void wake_at(TimePoint moment) noexcept = 0;
  virtual TimePoint read_clock() noexcept = 0;

  void run_turn() noexcept;
  void on_wake() noexcept;
  /// A turn has ended and its driver goes on: what follows sees a new time.
  void open_window() noexcept {
    if (!window_open_) refresh_now();
  }
  /// The clock has moved: what follows sees the new time.
  void refresh_now() noexcept {
    now_ = read_clock();
    window_open_ = true;
  }
  void set_shard(Shard* shard) noexcept { shard_ = shard; }

  /// No loop is current while it lives: a loop that is about to run starts from there.
  class SWITCHYARD_API NoScope {
   public:
    NoScope() noexcept;
    ~NoScope();
    NoScope(const NoScope&) = delete;
    NoScope& operator=(const NoScope&) = delete;

   private:
    Loop* previous_;
  };

  /// Destroys what is left: detached coroutines, resources, and every wish of timers and nodes.
  void end() noexcept;
  /// Somebody waits to be resumed or called, or a deadline has passed.
  [[nodiscard]] bool turn_requested() const noexcept { return turn_requested_; }
  [[nodiscard]] TimePoint next_timer() const noexcept { return wheel_.next(); }
  [[nodiscard]] bool in_turn() const noexcept { return in_turn_; }

 private:
  friend class ReadyNode;
  friend class Timer;
  friend class TurnEnd;
  void request_turn() noexcept {
    if (turn_requested_ || in_turn_) return;  // a turn looks at its end whether another one is needed
    turn_requested_ = true;
    post_turn();
  }
  void arm(Timer& timer, TimePoint deadline) noexcept;

  LinkList ready_;
  LinkList turn_ends_;
  LinkList detached_;
  LinkList resources_;
  TimerWheel wheel_;
  TimePoint now_{};
  TimePoint wake_ = kNever;  // what the driver was last asked for
  Shard* shard_;
  bool window_open_ = false;  // now_ is valid
  bool turn_requested_ = false;
  bool in_turn_ = false;
};

/// The time of the current turn.
[[nodiscard]] inline TimePoint now() noexcept { return Loop::current().now(); }

}  // namespace switchyard::inline v0::runtime
