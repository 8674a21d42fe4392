// PoolMachine: the rules of a connection pool, without sockets, clock or sessions.
//
// It knows places (slots) for sessions and callers that wait. It is told what happened and at what time, and
// answers with actions for its driver. Its promises:
//   - never more sessions than `max` in the process, those being opened or closed included, nor than the permits'
//     source agrees to; what that wants back goes before anything else: idle sessions at once, others on release;
//   - callers are served in the order they came, nobody overtakes a waiting one;
//   - it grows on demand: no more connection attempts than callers that could use one, plus the refill to `min`,
//     plus one replacement. While a queue will be gone before a new session could help, it opens one at a time;
//   - an attempt belongs to the pool: callers that give up do not end it, callers that are served otherwise leave a
//     session for the next;
//   - a session past its lifetime is not lent. Its replacement is opened first where `max` allows, one at a time;
//   - after two connection errors within 15 s attempts are spaced out, one at a time, until one succeeds.
// Entry points neither throw nor call back. A list that can't grow ends the process: it is bounded by max and
// max_waiters.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/acquire_error.hpp>
#include <switchyard/pool/action.hpp>
#include <switchyard/pool/permits.hpp>
#include <switchyard/pool/settings.hpp>
#include <switchyard/pool/slot.hpp>
#include <switchyard/pool/stats.hpp>
#include <switchyard/pool/waiter.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace switchyard::inline v0::pool {

/// The pool of one endpoint in one shard. Times must not go backwards from one event to the next.
class SWITCHYARD_API PoolMachine {
 public:
  /// `permits` counts the sessions of the process: it is shared by the machines of all shards, and by those of
  /// several endpoints that have one limit together.
  PoolMachine(PoolSettings settings, PermitCounter& permits, Random random);
  PoolMachine(const PoolMachine&) = delete;
  PoolMachine& operator=(const PoolMachine&) = delete;
  /// Gives its permits back. No waiter may be queued.
  ~PoolMachine();

  /// See PermitCounter::set_wake; answer with on_permits_changed on this shard.
  void set_wake(PermitCounter::Wake wake, void* context) noexcept;

  /// Opens the first `min` sessions.
  void start(TimePoint now, Actions& actions) noexcept;

  /// A session that is at hand and needs no check, unless somebody waits for one; else nothing, and the caller goes
  /// through acquire(). Of the idle sessions the one used last is lent: its buffers and the server process are
  /// warm, and the ones that are not needed age and close.
  [[nodiscard]] SlotRef try_acquire(TimePoint now, const char* site, Actions& actions) noexcept;

  /// Grants, queues or refuses; a grant or refusal is an action as well.
  void acquire(Waiter& waiter, TimePoint now, Actions& actions) noexcept;
  /// The caller gave up. Attempts that were made for it go on.
  void abandon(Waiter& waiter, TimePoint now, Actions& actions) noexcept;
  /// Ends a lease. Ignored if `slot` is not the current lease (after close(), or a second release).
  void release(SlotRef slot, Disposition disposition, TimePoint now, Actions& actions) noexcept;

  // Answers to actions. An answer to an action that was overtaken by Close is ignored.

  /// False: the attempt was given up meanwhile; drop the session.
  [[nodiscard]] bool connect_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept;
  void connect_failed(SlotRef slot, const Error& error, TimePoint now, Actions& actions) noexcept;
  void ping_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept;
  void ping_failed(SlotRef slot, TimePoint now, Actions& actions) noexcept;
  void reset_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept;
  void reset_failed(SlotRef slot, TimePoint now, Actions& actions) noexcept;
  /// The session is gone from the server's point of view as well as it can be known.
  void closed(SlotRef slot, TimePoint now, Actions& actions) noexcept;

  /// The slot's session ended by itself. A lent one is closed when it comes back.
  void session_lost(SlotIndex slot, TimePoint now, Actions& actions) noexcept;
  void on_timer(TimePoint now, Actions& actions) noexcept;
  /// Permits may be free, or another shard wants one.
  void on_permits_changed(TimePoint now, Actions& actions) noexcept;

  /// Callers queue, sessions are closed as they come back, none is opened.
  void pause(TimePoint now, Actions& actions) noexcept;
  void resume(TimePoint now, Actions& actions) noexcept;
  /// No session that is open now is lent again: idle ones close, others when they come back, attempts begin anew.
  void renew(TimePoint now, Actions& actions) noexcept;
  /// For good: waiters fail with Closed, idle sessions close, lent ones close when they come back.
  void begin_drain(TimePoint now, Actions& actions) noexcept;
  /// As begin_drain, and lent sessions are closed under their holders.
  void close(TimePoint now, Actions& actions) noexcept;

  [[nodiscard]] PoolStats stats() const noexcept;
  /// Its session is not lent again.
  [[nodiscard]] bool outdated(SlotIndex slot) const noexcept { return slots_[slot].outdated; }
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiters_.size(); }
  [[nodiscard]] std::uint32_t leased() const noexcept { return leased_; }
  /// Callers wait here or elsewhere, and no further session may exist; or the pool is paused.
  [[nodiscard]] bool crowded() const noexcept {
    return mode_ == Mode::paused || permits_.owes() || others_starve() || (!waiters_.empty() && !room());
  }
  [[nodiscard]] const PoolSettings& settings() const noexcept { return settings_; }
  /// Of the last failed attempt; none after a success.
  [[nodiscard]] const std::optional<Error>& last_connect_error() const noexcept { return last_connect_error_; }
  /// True once a Drained action was given.
  [[nodiscard]] bool drained() const noexcept { return drained_; }

 private:
  enum class Mode : std::uint8_t { running, paused, draining };

  //             connect_succeeded            acquire
  //   connecting ───────────────────► idle ◄──────────► leased
  //     │ ▲                           │ ▲ release          │ release (dirty)
  //     │ │ grow()              ping  ▼ │ ok            ok │▼
  //     │ └───── unused             pinging ──────────── resetting
  //     │ failed    ▲ closed()          │                  │
  //     └──────────►│                   │                  │
  //                 └──── closing ◄─────┴── any of them ───┘
  enum class State : std::uint8_t { unused, connecting, idle, pinging, leased, resetting, closing };

  struct alignas(64) Slot {
    TimePoint since{};               // idle: since when; leased: lent at; connecting: started at
    TimePoint soft_expiry = kNever;  // look for a replacement; past once the session is known to be lost
    TimePoint hard_expiry = kNever;  // lend no more
    const char* site = nullptr;
    SlotIndex below = kNoSlot;  // in the idle stack, or next unused slot
    SlotIndex above = kNoSlot;
    std::uint32_t generation = 0;
    State state = State::unused;
    bool lost = false;
    bool leak_reported = false;
    bool outdated = false;  // by renew()
  };

  [[nodiscard]] SlotRef ref(SlotIndex index) const noexcept { return {index, slots_[index].generation}; }
  [[nodiscard]] Slot* find(SlotRef slot, State expected) noexcept {
    if (slot.index >= slots_.size()) return nullptr;
    Slot& found = slots_[slot.index];
    return found.generation == slot.generation && found.state == expected ? &found : nullptr;
  }
  [[nodiscard]] SlotIndex index_of(const Slot& slot) const noexcept {
    return static_cast<SlotIndex>(&slot - slots_.data());
  }

  void push_idle(Slot& slot, TimePoint now, Actions& actions) noexcept;
  void remove_idle(Slot& slot) noexcept;
  void begin_lease(Slot& slot, const char* site, TimePoint now, Actions& actions) noexcept;
  void end_lease(Slot& slot, TimePoint now) noexcept;
  void arm_by(TimePoint when, Actions& actions) noexcept {
    if (when < armed_) arm(when, actions);
  }

  void arm(TimePoint when, Actions& actions) noexcept;
  void note_utilisation(TimePoint now, Actions& actions) noexcept;
  void release_slowly(Slot& slot, Disposition disposition, TimePoint now, Actions& actions) noexcept;
  enum class Came : std::uint8_t { opened, back };
  /// A session in nobody's hands (state leased, counted nowhere): to a waiter, the idle ones, or closed. One that
  /// was just opened serves a waiter before it is given up for others.
  void settle(Slot& slot, Came came, TimePoint now, Actions& actions) noexcept;
  /// Serves who waits, then retires, then opens: after every event that frees or adds anything.
  void pump(TimePoint now, Actions& actions) noexcept;
  void serve(TimePoint now, Actions& actions) noexcept;
  void grow(TimePoint now, Actions& actions) noexcept;
  [[nodiscard]] bool wants_connect(TimePoint now, Actions& actions) noexcept;
  [[nodiscard]] bool queue_outlasts_a_connect(TimePoint now) const noexcept;
  void retire_idle(TimePoint now, Actions& actions) noexcept;
  void close_surplus(TimePoint now, Actions& actions) noexcept;
  void close_all_idle(CloseReason reason, Actions& actions) noexcept;
  void close_slot(Slot& slot, CloseReason reason, Actions& actions) noexcept;
  void free_slot(Slot& slot) noexcept;
  void grant(Slot& slot, TimePoint now, Actions& actions) noexcept;
  void set_starving(bool starving) noexcept;
  void fail(Waiter& waiter, Error error, Actions& actions) noexcept;
  void fail_all(const Error& error, Actions& actions) noexcept;
  void fail_for_connect_error(const Error& error, Actions& actions) noexcept;
  void expire_waiters(TimePoint now, Actions& actions) noexcept;
  void remove_waiter(Waiter& waiter) noexcept;
  void slow_down(TimePoint started, TimePoint now) noexcept;
  void report_leaks(TimePoint now, Actions& actions) noexcept;
  void rearm(TimePoint now, Actions& actions) noexcept;
  void check_drained(Actions& actions) noexcept;
  [[nodiscard]] AcquireFailure describe(const Waiter& waiter, Limit limit, TimePoint now) const;
  [[nodiscard]] Limit current_limit() const noexcept;
  /// Sessions of the process that are open, as far as this shard can know.
  [[nodiscard]] std::uint32_t open_sessions() const noexcept { return permits_.taken() - connecting_ - closing_; }
  /// A further session may exist.
  [[nodiscard]] bool room() const noexcept {
    return permits_.taken() < permits_.max() && unused_ != kNoSlot && !permits_.refused();
  }
  /// Another pool on these permits has callers and can't open a session.
  [[nodiscard]] bool others_starve() const noexcept {
    return permits_.starving() > (starving_ ? 1U : 0U) &&
           (permits_.taken() >= permits_.max() || permits_.refused());
  }
  /// Slots of this shard that hold a permit.
  [[nodiscard]] std::uint32_t total() const noexcept {
    return leased_ + idle_ + connecting_ + pinging_ + resetting_ + closing_;
  }

  // What the fast path reads comes first.
  std::vector<Slot> slots_;
  SlotIndex idle_top_ = kNoSlot;
  SlotIndex idle_bottom_ = kNoSlot;
  WaiterQueue waiters_;
  std::uint32_t leased_ = 0;
  std::uint32_t idle_ = 0;
  Mode mode_ = Mode::running;
  bool retiring_ = false;  // an idle session is past its soft expiry
  Duration ping_after_idle_;
  Duration idle_timeout_;    // kForever for never
  Duration leak_threshold_;  // kForever for never
  Duration usual_lease_{};   // moving average
  TimePoint armed_ = kNever;
  PermitCounter& permits_;
  PermitCounter::Member* member_;
  std::uint32_t alarm_above_;
  std::uint64_t acquired_ = 0;

  PoolSettings settings_;
  Random random_;
  SlotIndex unused_ = kNoSlot;
  std::uint32_t connecting_ = 0;
  std::uint32_t pinging_ = 0;
  std::uint32_t resetting_ = 0;
  std::uint32_t closing_ = 0;
  std::uint32_t outdated_ = 0;
  bool starving_ = false;
  bool replacement_wanted_ = false;
  bool drained_ = false;
  bool slowed_ = false;
  unsigned backoff_step_ = 0;
  Duration usual_connect_{};  // moving average; zero until one succeeded
  TimePoint next_connect_{};  // while slowed_
  TimePoint slowed_at_{};
  TimePoint last_error_at_{};
  std::optional<Error> last_connect_error_;  // none since the last success
  TimePoint next_exhaustion_report_{};
  PoolStats counters_;

  static constexpr Duration kForever = Duration::max();
};

inline SlotRef PoolMachine::try_acquire(TimePoint now, const char* site, Actions& actions) noexcept {
  if (idle_top_ == kNoSlot || !waiters_.empty()) return {};
  Slot& slot = slots_[idle_top_];
  if (now >= slot.hard_expiry || now - slot.since > ping_after_idle_) return {};
  const SlotRef lease{idle_top_, slot.generation};
  remove_idle(slot);
  begin_lease(slot, site, now, actions);
  return lease;
}

inline void PoolMachine::release(SlotRef lease, Disposition disposition, TimePoint now, Actions& actions) noexcept {
  Slot* slot = find(lease, State::leased);
  if (!slot) return;
  end_lease(*slot, now);
  if (disposition != Disposition::reusable || !waiters_.empty() || now >= slot->soft_expiry ||
      mode_ != Mode::running || permits_.starving() != 0 || permits_.owes()) {
    release_slowly(*slot, disposition, now, actions);
    return;
  }
  push_idle(*slot, now, actions);
}

inline void PoolMachine::push_idle(Slot& slot, TimePoint now, Actions& actions) noexcept {
  const SlotIndex index = index_of(slot);
  slot.state = State::idle;
  slot.since = now;
  slot.below = idle_top_;
  slot.above = kNoSlot;
  (idle_top_ == kNoSlot ? idle_bottom_ : slots_[idle_top_].above) = index;
  idle_top_ = index;
  ++idle_;
  TimePoint due = now < slot.soft_expiry ? slot.soft_expiry : slot.hard_expiry;
  if (idle_timeout_ < due - now) due = now + idle_timeout_;
  arm_by(due, actions);
}

inline void PoolMachine::remove_idle(Slot& slot) noexcept {
  (slot.above == kNoSlot ? idle_top_ : slots_[slot.above].below) = slot.below;
  (slot.below == kNoSlot ? idle_bottom_ : slots_[slot.below].above) = slot.above;
  --idle_;
}

inline void PoolMachine::begin_lease(Slot& slot, const char* site, TimePoint now, Actions& actions) noexcept {
  slot.state = State::leased;
  slot.since = now;
  slot.site = site;
  slot.leak_reported = false;
  ++leased_;
  ++acquired_;
  PermitCounter::publish_in_use(*member_, leased_);
  if (leak_threshold_ != kForever) arm_by(now + leak_threshold_, actions);
  if (permits_.taken() > alarm_above_) note_utilisation(now, actions);
}

inline void PoolMachine::end_lease(Slot& slot, TimePoint now) noexcept {
  --leased_;
  ++slot.generation;
  PermitCounter::publish_in_use(*member_, leased_);
  if (slot.site != kLaneSite) usual_lease_ += (now - slot.since - usual_lease_) / 8;
}

}  // namespace switchyard::inline v0::pool
