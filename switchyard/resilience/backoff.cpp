#include <switchyard/resilience/backoff.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::inline v0::resilience {

BackoffSettings BackoffSettings::of(const RetryConfig& config) {
  BackoffSettings settings;
  settings.outage_delay = *config.initial_delay;
  settings.contention_delay = std::min(kContentionDelay, *config.initial_delay);
  settings.max_delay = *config.max_delay;
  settings.exponential_base = *config.exponential_base;
  return settings;
}

Duration backoff_bound(const BackoffSettings& settings, Pause pause, std::uint32_t failed) noexcept {
  if (pause == Pause::none) return Duration::zero();
  const Duration initial = pause == Pause::contention ? settings.contention_delay : settings.outage_delay;
  const double exponent = failed > 1 ? static_cast<double>(failed - 1) : 0.0;
  const double bound = static_cast<double>(initial.count()) * std::pow(settings.exponential_base, exponent);
  // Compared before it is converted: the power may be far beyond what a duration holds.
  if (!(bound < static_cast<double>(settings.max_delay.count()))) return settings.max_delay;
  return Duration(static_cast<std::int64_t>(bound));
}

Duration backoff_delay(const BackoffSettings& settings, Pause pause, std::uint32_t failed,
                       Random& random) noexcept {
  return random.below(backoff_bound(settings, pause, failed) + Duration(1));
}

}  // namespace switchyard::inline v0::resilience
