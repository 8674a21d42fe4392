// What an adaptive limiter goes by: the settings database.*.limiter.* as plain values.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>

namespace switchyard::inline v0::resilience {

/// Calls in flight to one endpoint, counted in one shard.
struct LimiterSettings {
  bool enabled = false;
  std::uint32_t initial = 20;
  std::uint32_t min = 4;
  std::uint32_t max = 200;

  [[nodiscard]] static LimiterSettings of(const LimiterConfig& config) {
    return {.enabled = *config.enabled, .initial = *config.initial, .min = *config.min, .max = *config.max};
  }
};

}  // namespace switchyard::inline v0::resilience
