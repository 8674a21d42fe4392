#include <switchyard/resilience/breaker.hpp>

#include <switchyard/base/units.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::resilience {

/// Holds the lock, and publishes what changed when it lets go.
class Breaker::Locked {
 public:
  explicit Locked(Breaker& breaker) noexcept
      : breaker_(breaker), lock_(breaker.mutex_), before_(breaker.machine_.state()) {}
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() {
    const BreakerMachine& machine = breaker_.machine_;
    if (machine.state() == BreakerState::open && before_ != BreakerState::open) ++breaker_.times_opened_;
    breaker_.available_at_.store(machine.available_at().time_since_epoch().count(), std::memory_order_relaxed);
    breaker_.word_.store((machine.generation() << kStateBits) | static_cast<std::uint64_t>(machine.state()),
                         std::memory_order_relaxed);
  }

 private:
  Breaker& breaker_;
  std::lock_guard<std::mutex> lock_;
  BreakerState before_;
};

Breaker::Breaker(BreakerSettings settings, std::string name, std::uint64_t seed,
                 std::shared_ptr<BreakerObserver> observer)
    : name_(std::move(name)),
      observer_(std::move(observer)),
      word_(std::uint64_t{1} << kStateBits),
      available_at_(TimePoint::min().time_since_epoch().count()),
      machine_(settings, seed, observer_.get()) {}

Breaker::~Breaker() = default;

BreakerStatus Breaker::status(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  BreakerStatus status;
  status.state = machine_.state();
  status.mode = machine_.mode();
  status.window = counts(now);
  status.available_at = machine_.available_at();
  status.times_opened = times_opened_;
  status.refused = refused_.load(std::memory_order_relaxed);
  status.why = machine_.why();
  if (last_failure_) status.last_failure = last_failure_->message();
  return status;
}

Error Breaker::refusal(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  std::string text = "the circuit breaker of " + name_ + " is ";
  text += to_string(machine_.state());
  if (!machine_.why().empty()) text += " (" + std::string(machine_.why()) + ")";
  std::string hint;
  if (machine_.mode() == BreakerMode::forced_open) {
    text += ", until an operator closes or resets it";
    hint = "switchyard breaker reset gives it back to its rules";
  } else if (const TimePoint at = machine_.available_at(); at > now && at != kNever) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(at - now);
    text += machine_.state() == BreakerState::half_open ? ", more trial calls go in " : ", a trial call goes in ";
    text += format_duration(wait);
  }
  if (last_failure_) {
    text += "; last failure: ";
    text += last_failure_->message();
  }
  Error error(ErrorKind::Unavailable, std::move(text));
  return hint.empty() ? error : error.with_hint(std::move(hint));
}

void Breaker::force_open(TimePoint now) noexcept {
  const Locked lock(*this);
  machine_.force_open(now);
}

void Breaker::force_close(TimePoint now) noexcept {
  const Locked lock(*this);
  machine_.force_close(now);
}

void Breaker::reset(TimePoint now) noexcept {
  const Locked lock(*this);
  machine_.reset(now);
  last_failure_.reset();
}

std::optional<std::uint64_t> Breaker::enter_slowly(TimePoint now) noexcept {
  if (!available(now)) {  // many callers of an OPEN breaker do not queue for its lock
    refused_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  const Locked lock(*this);
  // It may have closed since: then this is an ordinary call of the new generation, which a trial of that generation
  // is not distinguished from either (finish_trial() ignores what is not HALF_OPEN).
  if (machine_.state() == BreakerState::closed || machine_.try_trial(now)) return machine_.generation();
  refused_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void Breaker::finish_trial(std::uint64_t generation, CallOutcome outcome, bool slow, TimePoint now,
                           const Error* cause) noexcept {
  const Locked lock(*this);
  if (outcome == CallOutcome::failed && cause != nullptr) last_failure_ = *cause;
  machine_.finish_trial(generation, outcome, slow, now);
}

void Breaker::judge(std::uint64_t generation, TimePoint now, const Error* cause) noexcept {
  const Locked lock(*this);
  if (cause != nullptr) last_failure_ = *cause;
  if (machine_.generation() == generation) machine_.judge(counts(now), now);
}

CallCounts Breaker::counts(TimePoint now) const noexcept {
  CallCounts sum;
  for (const BreakerWindow* window : windows_) sum += window->counts(machine_.generation(), now);
  return sum;
}

void Breaker::join(BreakerWindow& window) {
  const std::lock_guard lock(mutex_);
  windows_.push_back(&window);
}

void Breaker::leave(BreakerWindow& window) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase(windows_, &window);
}

BreakerMember::BreakerMember(std::shared_ptr<Breaker> breaker)
    : breaker_(std::move(breaker)),
      slow_call_(breaker_->machine_.settings().slow_call > Duration::zero()
                     ? breaker_->machine_.settings().slow_call
                     : Duration::max()),
      window_(breaker_->machine_.settings().window) {
  breaker_->join(window_);
}

BreakerMember::~BreakerMember() { breaker_->leave(window_); }

BreakerPermit BreakerMember::enter_slowly(TimePoint now) noexcept {
  const std::optional<std::uint64_t> generation = breaker_->enter_slowly(now);
  if (!generation) return {};
  return {*this, *generation, true};
}

}  // namespace switchyard::inline v0::resilience
