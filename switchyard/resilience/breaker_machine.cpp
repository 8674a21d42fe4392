#include <switchyard/resilience/breaker_machine.hpp>

#include <switchyard/base/units.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::resilience {
namespace {

/// Open times are stretched by up to this share, so that the breakers of many processes do not try at one time.
constexpr double kJitter = 0.2;
/// Doublings that are counted; open_max bounds the time long before.
constexpr std::uint32_t kMostDoublings = 30;

BreakerSettings sane(BreakerSettings settings) noexcept {
  settings.failure_rate = std::clamp(settings.failure_rate, 0.0, 1.0);
  settings.slow_rate = std::clamp(settings.slow_rate, 0.0, 1.0);
  settings.minimum_calls = std::max(settings.minimum_calls, 1u);
  settings.half_open_permits = std::max(settings.half_open_permits, 1u);
  settings.open_max = std::max(settings.open_max, settings.open_for);
  return settings;
}

bool reaches(std::uint64_t part, std::uint64_t all, double rate) noexcept {
  return part > 0 && static_cast<double>(part) >= rate * static_cast<double>(all);
}

std::string share_text(std::uint64_t part, std::uint64_t all, std::string_view what) {
  std::string text = std::to_string(part) + " of " + std::to_string(all) + " calls ";
  text += what;
  return text;
}

}  // namespace

std::string_view to_string(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed: return "CLOSED";
    case BreakerState::open: return "OPEN";
    case BreakerState::half_open: return "HALF_OPEN";
  }
  return "UNKNOWN";
}

std::string_view to_string(BreakerMode mode) noexcept {
  switch (mode) {
    case BreakerMode::automatic: return "automatic";
    case BreakerMode::forced_open: return "forced open";
    case BreakerMode::forced_closed: return "forced closed";
  }
  return "unknown";
}

BreakerSettings BreakerSettings::of(const BreakerConfig& config) {
  BreakerSettings settings;
  settings.enabled = *config.enabled;
  settings.window = *config.window;
  settings.minimum_calls = *config.minimum_calls;
  settings.failure_rate = *config.failure_rate;
  settings.slow_rate = *config.slow_rate;
  settings.slow_call = *config.slow_call;
  settings.open_for = *config.open_for;
  settings.open_max = *config.open_max;
  settings.half_open_permits = *config.half_open_permits;
  settings.half_open_wait = *config.half_open_wait;
  return settings;
}

BreakerMachine::BreakerMachine(BreakerSettings settings, std::uint64_t seed, BreakerObserver* observer) noexcept
    : settings_(sane(settings)), random_(seed), observer_(observer) {}

TimePoint BreakerMachine::available_at() const noexcept {
  switch (state_) {
    case BreakerState::closed: return TimePoint::min();
    case BreakerState::open: return mode_ == BreakerMode::forced_open ? kNever : open_until_;
    case BreakerState::half_open: return given_ < settings_.half_open_permits ? TimePoint::min() : trials_until_;
  }
  return kNever;
}

bool BreakerMachine::try_trial(TimePoint now) noexcept {
  if (now < available_at()) return false;
  if (state_ == BreakerState::open) {
    given_ = answered_ = slow_ = 0;
    trials_until_ = deadline_after(now, settings_.half_open_wait);
    change(BreakerState::half_open, "it was open long enough: trial calls may go", now);
  } else if (state_ == BreakerState::half_open && now >= trials_until_) {
    give_up_trials(now);
  }
  if (state_ != BreakerState::half_open) return false;
  ++given_;
  return true;
}

void BreakerMachine::give_up_trials(TimePoint now) noexcept {
  const bool some_are_out = given_ > answered_;
  if (some_are_out && answered_ == 0) {
    open("no trial call was answered within " + format_duration(settings_.half_open_wait), now);
    return;
  }
  // Others were answered meanwhile: those that are out may just be long statements. Their permits go to new trials,
  // and they count no more.
  if (some_are_out) ++generation_;
  given_ = answered_;
  trials_until_ = deadline_after(now, settings_.half_open_wait);
}

void BreakerMachine::finish_trial(std::uint64_t generation, CallOutcome outcome, bool slow,
                                  TimePoint now) noexcept {
  if (generation != generation_ || state_ != BreakerState::half_open || given_ <= answered_) return;
  switch (outcome) {
    case CallOutcome::ignored: --given_; return;
    case CallOutcome::failed: open("a trial call failed", now); return;
    case CallOutcome::answered: break;
  }
  ++answered_;
  if (slow) ++slow_;
  if (answered_ < settings_.half_open_permits) return;
  if (reaches(slow_, answered_, settings_.slow_rate)) {
    open(share_text(slow_, answered_, "on trial were slower than ") + format_duration(settings_.slow_call), now);
  } else {
    times_open_ = 0;
    change(BreakerState::closed,
           std::to_string(answered_) + (answered_ == 1 ? " trial call was" : " trial calls were") + " answered",
           now);
  }
}

void BreakerMachine::judge(const CallCounts& counts, TimePoint now) noexcept {
  if (state_ != BreakerState::closed || mode_ != BreakerMode::automatic || !settings_.enabled) return;
  if (counts.calls < settings_.minimum_calls) return;
  if (reaches(counts.failed, counts.calls, settings_.failure_rate)) {
    open(share_text(counts.failed, counts.calls, "failed within ") + format_duration(settings_.window), now);
  } else if (reaches(counts.slow, counts.calls, settings_.slow_rate)) {
    open(share_text(counts.slow, counts.calls, "within ") + format_duration(settings_.window) +
             " were slower than " + format_duration(settings_.slow_call),
         now);
  }
}

void BreakerMachine::force_open(TimePoint now) noexcept {
  mode_ = BreakerMode::forced_open;
  change(BreakerState::open, "an operator opened it", now);
}

void BreakerMachine::force_close(TimePoint now) noexcept {
  mode_ = BreakerMode::forced_closed;
  times_open_ = 0;
  change(BreakerState::closed, "an operator closed it", now);
}

void BreakerMachine::reset(TimePoint now) noexcept {
  mode_ = BreakerMode::automatic;
  times_open_ = 0;
  change(BreakerState::closed, "an operator reset it", now);
}

void BreakerMachine::open(std::string why, TimePoint now) noexcept {
  Duration wait = settings_.open_for;
  for (std::uint32_t i = 0; i < times_open_ && wait < settings_.open_max; ++i) wait *= 2;
  wait = std::min(wait, settings_.open_max);
  times_open_ = std::min(times_open_ + 1, kMostDoublings);
  const auto stretch = static_cast<std::int64_t>(kJitter * static_cast<double>(wait.count()));
  open_until_ = deadline_after(deadline_after(now, wait), random_.below(Duration(stretch)));
  change(BreakerState::open, std::move(why), now);
}

void BreakerMachine::change(BreakerState to, std::string why, TimePoint now) noexcept {
  const BreakerState from = state_;
  state_ = to;
  ++generation_;  // a reset forgets the window even if the state stays what it was
  why_ = std::move(why);
  if (from != to && observer_ != nullptr) observer_->on_transition({from, to, why_, now});
}

}  // namespace switchyard::inline v0::resilience
