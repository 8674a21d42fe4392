#include <switchyard/resilience/retry_policy.hpp>

namespace switchyard::inline v0::resilience {

RetryDecision decide_retry(const RetryQuestion& question, const BackoffSettings& settings, RetryBudget& budget,
                           Random& random) noexcept {
  RetryDecision decision;
  if (question.verdict.again != Again::safe) return decision;
  if (question.attempts >= question.max_attempts) {
    decision.stop = RetryStop::attempts;
    return decision;
  }
  decision.delay = backoff_delay(settings, question.verdict.pause, question.attempts, random);
  if (question.deadline != kNever && question.now + decision.delay >= question.deadline) {
    decision.stop = RetryStop::deadline;
    return decision;
  }
  decision.stop = budget.try_spend(question.now) ? RetryStop::none : RetryStop::budget;
  return decision;
}

std::string stop_text(RetryStop stop, std::uint32_t attempts) {
  switch (stop) {
    case RetryStop::none:
    case RetryStop::verdict: return {};
    case RetryStop::attempts:
      if (attempts <= 1) return {};
      return "not tried again: all " + std::to_string(attempts) + " attempts (retry.max_attempts) were made";
    case RetryStop::deadline: return "not tried again: the deadline would have passed before the next attempt";
    case RetryStop::budget:
      return "not tried again: the retry budget (20 % of calls and 10 a second) is used up, as many calls fail";
  }
  return {};
}

}  // namespace switchyard::inline v0::resilience
