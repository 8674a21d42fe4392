// What a breaker goes by: the settings database.*.breaker.* as plain values.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>

namespace switchyard::inline v0::resilience {

/// Values are taken as they are but for nonsense: rates are cut to [0, 1], zero permits and calls count as one.
struct BreakerSettings {
  bool enabled = true;  ///< false: counts, never opens by itself
  Duration window = std::chrono::seconds(10);
  std::uint32_t minimum_calls = 20;
  double failure_rate = 0.5;
  double slow_rate = 0.8;
  Duration slow_call{};  ///< zero = slowness does not count
  Duration open_for = std::chrono::seconds(5);
  Duration open_max = std::chrono::seconds(60);
  std::uint32_t half_open_permits = 3;
  /// Trial calls that have not answered after this long are given up.
  Duration half_open_wait = std::chrono::seconds(10);

  [[nodiscard]] static SWITCHYARD_API BreakerSettings of(const BreakerConfig& config);
};

}  // namespace switchyard::inline v0::resilience
