#include <switchyard/resilience/retry_policy.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard {
namespace {

using namespace resilience;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

RetryBudget ample() { return RetryBudget({.percent_of_calls = 100, .per_second = 1000}, kStart); }
Verdict safe(Pause pause = Pause::outage) { return {.again = Again::safe, .pause = pause}; }

TEST(Backoff, BoundGrowsByTheBaseUpToItsMaximum) {
  BackoffSettings settings;
  EXPECT_EQ(backoff_bound(settings, Pause::contention, 1), 10ms);
  EXPECT_EQ(backoff_bound(settings, Pause::contention, 2), 20ms);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 1), 100ms);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 4), 800ms);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 6), 2s);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 4'000'000'000u), 2s);
  EXPECT_EQ(backoff_bound(settings, Pause::none, 3), 0s);
  settings.exponential_base = 1;
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 50), 100ms);
}

TEST(Backoff, SettingsOfADatabaseCount) {
  RetryConfig config;
  config.initial_delay = Duration(4ms);
  config.max_delay = Duration(9ms);
  config.exponential_base = 3.0;
  const BackoffSettings settings = BackoffSettings::of(config);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 1), 4ms);
  EXPECT_EQ(backoff_bound(settings, Pause::outage, 2), 9ms);
  EXPECT_EQ(backoff_bound(settings, Pause::contention, 1), 4ms);
}

TEST(Backoff, DelayIsSpreadOverTheWholeRange) {
  Random random(7);
  Duration least = 1h, most = 0s;
  for (int i = 0; i < 2000; ++i) {
    const Duration delay = backoff_delay({}, Pause::outage, 1, random);
    ASSERT_GE(delay, 0s);
    ASSERT_LE(delay, 100ms);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, 1ms);
  EXPECT_GT(most, 99ms);
}

TEST(RetryBudget, StartsWithASecondsAllowanceAndEarnsByTime) {
  RetryBudget budget({}, kStart);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.try_spend(kStart)) << i;
  EXPECT_FALSE(budget.try_spend(kStart));
  EXPECT_FALSE(budget.try_spend(kStart + 99ms));
  EXPECT_TRUE(budget.try_spend(kStart + 100ms));
  EXPECT_FALSE(budget.try_spend(kStart + 100ms));
  EXPECT_EQ(budget.spent(), 11u);
  EXPECT_EQ(budget.refused(), 3u);
}

TEST(RetryBudget, FifthOfTheCallsMayBeTriedAgain) {
  RetryBudget budget({.per_second = 0}, kStart);
  int retries = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.on_call();
    retries += budget.try_spend(kStart) ? 1 : 0;
  }
  EXPECT_EQ(retries, 200);
}

TEST(RetryBudget, AllowanceOfAQuietTimeIsBounded) {
  RetryBudget budget({}, kStart);
  for (int i = 0; i < 1'000'000; ++i) budget.on_call();
  int burst = 0;
  while (budget.try_spend(kStart + 24h)) ++burst;
  EXPECT_EQ(burst, 100);
}

TEST(RetryBudget, ManySmallStepsOfTimeEarnAsMuchAsOneLargeStep) {
  RetryBudget budget({}, kStart);
  while (budget.try_spend(kStart)) {
  }
  int earned = 0;
  for (int i = 1; i <= 3000; ++i) earned += budget.try_spend(kStart + i * 333'333ns) ? 1 : 0;
  EXPECT_EQ(earned, 9);  // 999.999 ms at ten a second
}

TEST(RetryPolicy, OnlyWhatIsSafeRunsAgain) {
  RetryBudget budget = ample();
  Random random(1);
  EXPECT_TRUE(decide_retry({.verdict = safe(), .now = kStart}, {}, budget, random).again());
  for (Again again : {Again::never, Again::in_doubt}) {
    const auto decision = decide_retry({.verdict = {.again = again}, .now = kStart}, {}, budget, random);
    EXPECT_EQ(decision.stop, RetryStop::verdict);
  }
}

TEST(RetryPolicy, AttemptsAreCountedWithTheFirst) {
  RetryBudget budget = ample();
  Random random(1);
  const auto stop = [&](std::uint32_t attempts, std::uint32_t max) {
    return decide_retry({.verdict = safe(), .attempts = attempts, .max_attempts = max, .now = kStart}, {}, budget,
                        random)
        .stop;
  };
  EXPECT_EQ(stop(1, 1), RetryStop::attempts);
  EXPECT_EQ(stop(2, 3), RetryStop::none);
  EXPECT_EQ(stop(3, 3), RetryStop::attempts);
}

TEST(RetryPolicy, NoPauseReachesTheDeadline) {
  RetryBudget budget = ample();
  Random random(3);
  int stopped = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto decision =
        decide_retry({.verdict = safe(), .deadline = kStart + 50ms, .now = kStart}, {}, budget, random);
    if (decision.again()) {
      EXPECT_LT(decision.delay, 50ms);
    } else {
      EXPECT_EQ(decision.stop, RetryStop::deadline);
      ++stopped;
    }
  }
  EXPECT_GT(stopped, 300);
  EXPECT_LT(stopped, 700);
  EXPECT_EQ(
      decide_retry({.verdict = safe(Pause::none), .deadline = kStart, .now = kStart}, {}, budget, random).stop,
      RetryStop::deadline);
}

TEST(RetryPolicy, BudgetIsSpentOnlyForRetriesThatAreMade) {
  RetryBudget budget({.percent_of_calls = 0, .per_second = 1}, kStart);
  Random random(1);
  (void)decide_retry({.verdict = safe(), .attempts = 3, .max_attempts = 3, .now = kStart}, {}, budget, random);
  (void)decide_retry({.verdict = {}, .now = kStart}, {}, budget, random);
  (void)decide_retry({.verdict = safe(), .deadline = kStart, .now = kStart}, {}, budget, random);
  EXPECT_EQ(budget.spent(), 0u);
  EXPECT_TRUE(decide_retry({.verdict = safe(), .now = kStart}, {}, budget, random).again());
  EXPECT_EQ(decide_retry({.verdict = safe(), .now = kStart}, {}, budget, random).stop, RetryStop::budget);
}

TEST(RetryPolicy, EveryStopThatIsALimitNamesItself) {
  EXPECT_NE(stop_text(RetryStop::attempts, 3).find("retry.max_attempts"), std::string::npos);
  EXPECT_NE(stop_text(RetryStop::deadline, 1).find("deadline"), std::string::npos);
  EXPECT_NE(stop_text(RetryStop::budget, 1).find("budget"), std::string::npos);
  EXPECT_EQ(stop_text(RetryStop::attempts, 1), "");
  EXPECT_EQ(stop_text(RetryStop::verdict, 2), "");
}

}  // namespace
}  // namespace switchyard
