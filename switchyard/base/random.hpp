// A small seedable random source for jitter. Not for secrets: nonces come from OpenSSL.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstdint>

namespace switchyard::inline v0 {

/// SplitMix64 (public domain, Sebastiano Vigna). Deterministic for a seed, so that machines can be replayed.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}
  constexpr std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, 1).
  constexpr double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Uniform in [0, limit): full jitter.
  constexpr Duration below(Duration limit) noexcept {
    return Duration(static_cast<std::int64_t>(unit() * static_cast<double>(limit.count())));
  }

 private:
  std::uint64_t state_;
};

}  // namespace switchyard::inline v0
