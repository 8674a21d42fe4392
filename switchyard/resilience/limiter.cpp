#include <switchyard/resilience/limiter.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::inline v0::resilience {
namespace {

/// Share of the limit that must have been in flight for a window to say anything about it.
constexpr double kNearlyReached = 0.5;
/// One window moves the limit at most to this share of itself.
constexpr double kSteepest = 0.5;
/// Weight of a new window in the limit, and in what is usual. The latter is quick to learn that calls take less:
/// the best times are those without a queue. That they take more it learns slowly, or every queue would become
/// usual; only at the least limit, where no queue is of our making, quickly.
constexpr double kSmoothing = 0.2;
constexpr double kUsualRises = 0.001;
constexpr double kUsualRisesAtLeast = 0.1;
constexpr double kUsualFalls = 0.3;

LimiterSettings sane(LimiterSettings settings) noexcept {
  settings.min = std::max(settings.min, 1u);
  settings.max = std::max(settings.max, settings.min);
  settings.initial = std::clamp(settings.initial, settings.min, settings.max);
  return settings;
}

}  // namespace

Limiter::Limiter(LimiterSettings settings, TimePoint now) noexcept
    : settings_(sane(settings)), limit_(settings_.initial), window_until_(deadline_after(now, kWindow)) {}

void Limiter::measure(Duration took, TimePoint now) noexcept {
  ++calls_;
  sum_ += took;
  if (now >= window_until_ && calls_ >= kLeastCalls) end_window(now);
}

void Limiter::end_window(TimePoint now) noexcept {
  const double mean = std::max(1.0, static_cast<double>(sum_.count()) / calls_);
  if (usual_ == 0) usual_ = mean;
  const double rises = limit_ < settings_.min + 1.0 ? kUsualRisesAtLeast : kUsualRises;
  usual_ += (mean > usual_ ? rises : kUsualFalls) * (mean - usual_);
  if (peak_ >= kNearlyReached * limit_) {
    const double gradient = std::clamp(kTolerance * usual_ / mean, kSteepest, 1.0);
    const double growth = gradient < 1.0 ? 0.0 : std::sqrt(limit_);
    limit_ += kSmoothing * (limit_ * gradient + growth - limit_);
    limit_ = std::clamp(limit_, static_cast<double>(settings_.min), static_cast<double>(settings_.max));
  }
  window_until_ = deadline_after(now, kWindow);
  calls_ = 0;
  sum_ = {};
  peak_ = in_flight_;
}

}  // namespace switchyard::inline v0::resilience
