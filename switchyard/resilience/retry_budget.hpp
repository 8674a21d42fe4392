// How many tries beyond the first may be made: a share of the calls, and a few a second. Without it, retries
// multiply the load exactly when a server has least to spare.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <algorithm>
#include <cstdint>

namespace switchyard::inline v0::resilience {

struct RetryBudgetSettings {
  std::uint32_t percent_of_calls = 20;
  std::uint32_t per_second = 10;
  /// Unused allowance of this many seconds (of per_second) is kept, no more: bounds the burst after a quiet time.
  std::uint32_t kept_seconds = 10;
};

/// A bucket of allowances, in hundredths of a retry. Belongs to one shard; starts with one second's allowance.
class RetryBudget {
 public:
  explicit RetryBudget(RetryBudgetSettings settings, TimePoint now) noexcept
      : settings_(settings),
        capacity_(std::int64_t{kRetry} * settings.per_second * std::max(settings.kept_seconds, 1u)),
        allowance_(std::int64_t{kRetry} * settings.per_second),
        refilled_(now) {
    // A budget by share alone still keeps room for what the share adds.
    capacity_ = std::max<std::int64_t>(capacity_, std::int64_t{kRetry} * kLeastCapacity);
  }

  /// A first attempt is made.
  void on_call() noexcept { allowance_ = std::min(capacity_, allowance_ + settings_.percent_of_calls); }

  /// Takes one retry out of it; false if there is none left.
  [[nodiscard]] bool try_spend(TimePoint now) noexcept {
    refill(now);
    if (allowance_ < kRetry) {
      ++refused_;
      return false;
    }
    allowance_ -= kRetry;
    ++spent_;
    return true;
  }

  [[nodiscard]] std::uint64_t spent() const noexcept { return spent_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  static constexpr std::int32_t kRetry = 100;
  static constexpr std::int64_t kLeastCapacity = 10;

  void refill(TimePoint now) noexcept {
    if (settings_.per_second == 0 || now <= refilled_) return;
    // Whole hundredths only; what is left over counts next time.
    const Duration each = Duration(std::chrono::seconds(1)) / (std::int64_t{kRetry} * settings_.per_second);
    const std::int64_t earned = (now - refilled_) / each;
    refilled_ += each * earned;
    allowance_ = std::min(capacity_, allowance_ + std::min(earned, capacity_));
  }

  RetryBudgetSettings settings_;
  std::int64_t capacity_;
  std::int64_t allowance_;
  TimePoint refilled_;
  std::uint64_t spent_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace switchyard::inline v0::resilience
