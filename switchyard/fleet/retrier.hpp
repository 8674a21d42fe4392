// The retries of one database on one shard: their settings, their budget, their dice. Shared by its routes, and
// asked by whoever runs work: the routes for single statements, transactions for themselves. Neither runs inside
// the other's retries.
#pragma once

#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/resilience/retry_policy.hpp>

#include <cstdint>
#include <random>

namespace switchyard::inline v0::fleet {

class Retrier {
 public:
  Retrier(const RetryConfig& config, TimePoint now)
      : settings_(resilience::BackoffSettings::of(config)),
        max_attempts_(*config.max_attempts),
        budget_({}, now),
        random_(std::random_device{}()) {}

  /// Of single statements.
  [[nodiscard]] std::uint32_t max_attempts() const noexcept { return max_attempts_; }
  [[nodiscard]] const resilience::RetryBudget& budget() const noexcept { return budget_; }

  /// A first attempt is made.
  void on_call() noexcept { budget_.on_call(); }
  [[nodiscard]] resilience::RetryDecision decide(const resilience::RetryQuestion& question) noexcept {
    return resilience::decide_retry(question, settings_, budget_, random_);
  }

 private:
  resilience::BackoffSettings settings_;
  std::uint32_t max_attempts_;
  resilience::RetryBudget budget_;
  Random random_;
};

}  // namespace switchyard::inline v0::fleet
