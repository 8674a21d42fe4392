// How long to wait before the next try: full jitter, so that many who failed together do not return together.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/resilience/verdict.hpp>

#include <cstdint>

namespace switchyard::inline v0::resilience {

/// First bound after a serialization failure, deadlock or lock that was not to be had: whoever won is done in
/// milliseconds. After an outage it is the setting retry.initial_delay.
inline constexpr Duration kContentionDelay = std::chrono::milliseconds(10);

struct BackoffSettings {
  Duration contention_delay = kContentionDelay;
  Duration outage_delay = std::chrono::milliseconds(100);
  Duration max_delay = std::chrono::seconds(2);
  double exponential_base = 2.0;

  /// A retry.initial_delay shorter than kContentionDelay bounds both.
  [[nodiscard]] static SWITCHYARD_API BackoffSettings of(const RetryConfig& config);
};

/// The longest pause after `failed` failed attempts (1 or more): initial * base^(failed - 1), at most max_delay.
[[nodiscard]] SWITCHYARD_API Duration backoff_bound(const BackoffSettings& settings, Pause pause,
                                                    std::uint32_t failed) noexcept;
/// Uniform in [0, bound].
[[nodiscard]] SWITCHYARD_API Duration backoff_delay(const BackoffSettings& settings, Pause pause,
                                                    std::uint32_t failed, Random& random) noexcept;

}  // namespace switchyard::inline v0::resilience
