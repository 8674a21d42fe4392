// The rules of one breaker, without threads and clock: told what happened and when, it says whether calls may go.
//
//               enough of a window's calls failed or were slow
//      CLOSED ────────────────────────────────────────────────► OPEN ◄──────────────┐
//        ▲                                                        │ open_for passed │ a trial failed, or none
//        │            half_open_permits trials answered           ▼ and a call came │ answered in half_open_wait
//        └─────────────────────────────────────────────────── HALF_OPEN ────────────┘
//
// Every change of state begins a new generation; a result that belongs to an earlier one counts for nothing.
// Nothing waits for a timer: what time brings about happens when the next call asks. Operators may hold it open or
// closed; reset gives it back to its rules, CLOSED and with nothing remembered.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/resilience/breaker_settings.hpp>
#include <switchyard/resilience/breaker_window.hpp>
#include <switchyard/resilience/verdict.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::resilience {

enum class BreakerState : std::uint8_t { closed, open, half_open };
/// Who decides its state.
enum class BreakerMode : std::uint8_t { automatic, forced_open, forced_closed };

/// CLOSED, OPEN, HALF_OPEN.
[[nodiscard]] SWITCHYARD_API std::string_view to_string(BreakerState state) noexcept;
/// automatic, forced open, forced closed.
[[nodiscard]] SWITCHYARD_API std::string_view to_string(BreakerMode mode) noexcept;

struct BreakerTransition {
  BreakerState from;
  BreakerState to;
  std::string_view why;  ///< "12 of 20 calls failed within 10s"; valid during the call
  TimePoint when;
};

/// Hears of every change of state, in order. Called on the thread that caused it and under the breaker's lock: it
/// must not call the breaker.
class BreakerObserver {
 public:
  virtual void on_transition(const BreakerTransition& transition) noexcept = 0;

 protected:
  ~BreakerObserver() = default;
};

class SWITCHYARD_API BreakerMachine {
 public:
  /// `observer` may be null; it outlives the machine.
  BreakerMachine(BreakerSettings settings, std::uint64_t seed, BreakerObserver* observer) noexcept;

  [[nodiscard]] BreakerState state() const noexcept { return state_; }
  [[nodiscard]] BreakerMode mode() const noexcept { return mode_; }
  /// Starts at 1.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  /// From when on a call may be let through: the past when CLOSED, kNever when held open.
  [[nodiscard]] TimePoint available_at() const noexcept;
  /// Why the last change happened.
  [[nodiscard]] std::string_view why() const noexcept { return why_; }
  [[nodiscard]] const BreakerSettings& settings() const noexcept { return settings_; }

  /// When not CLOSED: may this call go as a trial? True takes one of the permits.
  [[nodiscard]] bool try_trial(TimePoint now) noexcept;
  /// A trial of that generation ended. `ignored` gives its permit to another call.
  void finish_trial(std::uint64_t generation, CallOutcome outcome, bool slow, TimePoint now) noexcept;
  /// When CLOSED: the calls of the window, after a failed or slow one.
  void judge(const CallCounts& counts, TimePoint now) noexcept;

  // For operators.
  void force_open(TimePoint now) noexcept;
  void force_close(TimePoint now) noexcept;
  void reset(TimePoint now) noexcept;

 private:
  void change(BreakerState to, std::string why, TimePoint now) noexcept;
  void open(std::string why, TimePoint now) noexcept;
  void give_up_trials(TimePoint now) noexcept;

  BreakerSettings settings_;
  Random random_;
  BreakerObserver* observer_;
  BreakerState state_ = BreakerState::closed;
  BreakerMode mode_ = BreakerMode::automatic;
  std::uint64_t generation_ = 1;
  std::uint32_t times_open_ = 0;  ///< in a row, for the doubling
  TimePoint open_until_{};
  // Trials of this HALF_OPEN.
  std::uint32_t given_ = 0;  ///< out or answered
  std::uint32_t answered_ = 0;
  std::uint32_t slow_ = 0;
  TimePoint trials_until_{};
  std::string why_;
};

}  // namespace switchyard::inline v0::resilience
