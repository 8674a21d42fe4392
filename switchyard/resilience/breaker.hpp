// A breaker stands in front of one endpoint and one access (reads or writes): it stops calls to a place that fails,
// tries it now and then, and lets calls through again once it answers.
//
// Breaker is shared by the shards of a process: any thread. Each shard counts into a member of its own, so that a
// call that succeeds writes nothing shared: asking a CLOSED breaker is one relaxed load. A failure, a trial and a
// change of state take a lock.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/resilience/breaker_machine.hpp>
#include <switchyard/resilience/breaker_settings.hpp>
#include <switchyard/resilience/breaker_window.hpp>
#include <switchyard/resilience/verdict.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::resilience {

class BreakerMember;

/// What a breaker looks like now, for people.
struct BreakerStatus {
  BreakerState state = BreakerState::closed;
  BreakerMode mode = BreakerMode::automatic;
  CallCounts window;               ///< of all shards; since the last change of state
  TimePoint available_at{};        ///< as BreakerMachine::available_at()
  std::uint64_t times_opened = 0;  ///< since the process started
  std::uint64_t refused = 0;       ///< calls turned away since the process started
  std::string why;                 ///< of the last change; empty before the first
  std::string last_failure;        ///< empty if there was none
};

/// One call's leave to go. Moves; what is dropped without a record counts for nothing (and a trial's turn goes to
/// another call). Must not outlive the member that gave it.
class [[nodiscard]] BreakerPermit {
 public:
  BreakerPermit() = default;
  BreakerPermit(BreakerPermit&& other) noexcept
      : member_(std::exchange(other.member_, nullptr)), generation_(other.generation_), trial_(other.trial_) {}
  BreakerPermit& operator=(BreakerPermit&& other) noexcept {
    if (this != &other) {
      drop();
      member_ = std::exchange(other.member_, nullptr);
      generation_ = other.generation_;
      trial_ = other.trial_;
    }
    return *this;
  }
  ~BreakerPermit() { drop(); }

  /// False: refused, or spent.
  explicit operator bool() const noexcept { return member_ != nullptr; }
  [[nodiscard]] bool trial() const noexcept { return trial_; }

  /// Ends it: `took` is the time the endpoint had the call; `cause` is kept as the last failure if it failed.
  inline void record(CallOutcome outcome, Duration took, TimePoint now, const Error* cause = nullptr) noexcept;

 private:
  friend class BreakerMember;
  BreakerPermit(BreakerMember& member, std::uint64_t generation, bool trial) noexcept
      : member_(&member), generation_(generation), trial_(trial) {}
  void drop() noexcept {
    if (member_ != nullptr && trial_) record(CallOutcome::ignored, Duration::zero(), TimePoint{});
    member_ = nullptr;
  }

  BreakerMember* member_ = nullptr;
  std::uint64_t generation_ = 0;
  bool trial_ = false;
};

class SWITCHYARD_API Breaker {
 public:
  /// `name` says whose it is, for errors: "reference", "replica 'api' of reference (reads)".
  Breaker(BreakerSettings settings, std::string name, std::uint64_t seed,
          std::shared_ptr<BreakerObserver> observer = {});
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;
  ~Breaker();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] BreakerState state() const noexcept {
    return static_cast<BreakerState>(word_.load(std::memory_order_relaxed) & kStateMask);
  }
  /// Would a call be let through now? For choosing among endpoints; takes nothing.
  [[nodiscard]] bool available(TimePoint now) const noexcept {
    return state() == BreakerState::closed ||
           now >= TimePoint(Duration(available_at_.load(std::memory_order_relaxed)));
  }
  [[nodiscard]] BreakerStatus status(TimePoint now) const;
  /// Why a call is turned away now: Unavailable, naming the breaker, when it tries again, and the last failure.
  [[nodiscard]] Error refusal(TimePoint now) const;

  void force_open(TimePoint now) noexcept;
  void force_close(TimePoint now) noexcept;
  void reset(TimePoint now) noexcept;

 private:
  friend class BreakerMember;
  // State in the low bits, generation above: one word, so that a permit is of exactly the state it was read with.
  static constexpr std::uint64_t kStateBits = 2;
  static constexpr std::uint64_t kStateMask = (1u << kStateBits) - 1;

  class Locked;

  [[nodiscard]] std::optional<std::uint64_t> enter_slowly(TimePoint now) noexcept;
  void finish_trial(std::uint64_t generation, CallOutcome outcome, bool slow, TimePoint now,
                    const Error* cause) noexcept;
  void judge(std::uint64_t generation, TimePoint now, const Error* cause) noexcept;
  void join(BreakerWindow& window);
  void leave(BreakerWindow& window) noexcept;
  [[nodiscard]] CallCounts counts(TimePoint now) const noexcept;

  const std::string name_;
  const std::shared_ptr<BreakerObserver> observer_;
  std::atomic<std::uint64_t> word_;
  std::atomic<std::int64_t> available_at_;
  std::atomic<std::uint64_t> refused_{0};
  mutable std::mutex mutex_;
  BreakerMachine machine_;
  std::uint64_t times_opened_ = 0;
  std::optional<Error> last_failure_;
  std::vector<BreakerWindow*> windows_;
};

/// A shard's end of a breaker. Belongs to that shard.
class SWITCHYARD_API BreakerMember {
 public:
  explicit BreakerMember(std::shared_ptr<Breaker> breaker);
  BreakerMember(const BreakerMember&) = delete;
  BreakerMember& operator=(const BreakerMember&) = delete;
  ~BreakerMember();

  /// An empty permit means no: see Breaker::refusal().
  [[nodiscard]] BreakerPermit enter(TimePoint now) noexcept {
    const std::uint64_t word = breaker_->word_.load(std::memory_order_relaxed);
    if ((word & Breaker::kStateMask) == static_cast<std::uint64_t>(BreakerState::closed)) [[likely]] {
      return {*this, word >> Breaker::kStateBits, false};
    }
    return enter_slowly(now);
  }
  [[nodiscard]] Breaker& breaker() const noexcept { return *breaker_; }

 private:
  friend class BreakerPermit;
  [[nodiscard]] BreakerPermit enter_slowly(TimePoint now) noexcept;
  void record(std::uint64_t generation, bool trial, CallOutcome outcome, Duration took, TimePoint now,
              const Error* cause) noexcept {
    const bool slow = outcome == CallOutcome::answered && took > slow_call_;
    if (trial) {
      breaker_->finish_trial(generation, outcome, slow, now, cause);
      return;
    }
    // Of an earlier state, or it says nothing.
    if (outcome == CallOutcome::ignored) return;
    if (breaker_->word_.load(std::memory_order_relaxed) >> Breaker::kStateBits != generation) return;
    const bool failed = outcome == CallOutcome::failed;
    window_.add(generation, now, failed, slow);
    if (failed || slow) breaker_->judge(generation, now, cause);
  }

  std::shared_ptr<Breaker> breaker_;
  Duration slow_call_;
  BreakerWindow window_;
};

inline void BreakerPermit::record(CallOutcome outcome, Duration took, TimePoint now, const Error* cause) noexcept {
  if (BreakerMember* member = std::exchange(member_, nullptr)) {
    member->record(generation_, trial_, outcome, took, now, cause);
  }
}

}  // namespace switchyard::inline v0::resilience
