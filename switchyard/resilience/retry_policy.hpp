// Whether, and after which pause, a failed unit of work runs again. The only place that decides it: whoever runs
// work asks here once per failure, and never inside other work that is itself run again (retries are not nested).
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/resilience/backoff.hpp>
#include <switchyard/resilience/retry_budget.hpp>
#include <switchyard/resilience/verdict.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::resilience {

enum class RetryStop : std::uint8_t {
  none,      ///< it runs again
  verdict,   ///< the error is not one that another try could help, or it is in doubt
  attempts,  ///< retry.max_attempts have been made
  deadline,  ///< the pause would pass the deadline
  budget,    ///< too many retries of late: the rest of the calls has priority
};

struct RetryDecision {
  RetryStop stop = RetryStop::verdict;
  Duration delay{};
  [[nodiscard]] bool again() const noexcept { return stop == RetryStop::none; }
};

/// What failed, and what limits another try.
struct RetryQuestion {
  Verdict verdict;
  std::uint32_t attempts = 1;      ///< made so far, the failed one included
  std::uint32_t max_attempts = 3;  ///< 1 = no retry
  TimePoint deadline = kNever;
  TimePoint now{};
};

/// Spends of the budget only if everything else allows the retry.
[[nodiscard]] SWITCHYARD_API RetryDecision decide_retry(const RetryQuestion& question,
                                                        const BackoffSettings& settings, RetryBudget& budget,
                                                        Random& random) noexcept;

/// Why there was no further try, for an error's hint: "not tried again: all 3 attempts (retry.max_attempts) were
/// made". Empty for `none` and `verdict`: the error speaks for itself.
[[nodiscard]] SWITCHYARD_API std::string stop_text(RetryStop stop, std::uint32_t attempts);

}  // namespace switchyard::inline v0::resilience
