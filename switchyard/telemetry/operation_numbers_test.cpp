#include <switchyard/telemetry/operation_numbers.hpp>

#include <gtest/gtest.h>

namespace switchyard::inline v0::telemetry {
namespace {

using namespace std::chrono_literals;

TEST(OperationNumbers, KeepWaitingAndRunningApart) {
  OperationNumbers numbers({.latency_target = 5ms});
  numbers.acquired(1ms, false);
  numbers.record({.execution = 5ms});
  numbers.acquired(3ms, true);
  numbers.record({.execution = 6ms, .slow = true});
  const OperationTotals totals = numbers.read();
  EXPECT_EQ(totals.count, 2U);
  EXPECT_EQ(totals.acquire.sum(), 4'000'000U);
  EXPECT_EQ(totals.execution.sum(), 11'000'000U);
  EXPECT_EQ(totals.within_target, 1U);
  EXPECT_EQ(totals.slow, 1U);
  EXPECT_EQ(totals.slow_acquires, 1U);
  EXPECT_EQ(totals.all_errors(), 0U);
}

TEST(OperationNumbers, AnOperationThatGotNoSessionHasNoDuration) {
  OperationNumbers numbers({});
  numbers.record({.ran = false, .execution = 1s, .error = ErrorKind::PoolExhausted});
  numbers.retried();
  const OperationTotals totals = numbers.read();
  EXPECT_EQ(totals.count, 1U);
  EXPECT_EQ(totals.execution.count(), 0U);
  EXPECT_EQ(totals.errors[static_cast<std::size_t>(ErrorKind::PoolExhausted)], 1U);
  EXPECT_EQ(totals.all_errors(), 1U);
  EXPECT_EQ(totals.retries, 1U);
}

TEST(OperationNumbers, NamedStatementsHaveNumbersOfTheirOwn) {
  OperationNumbers numbers({});
  numbers.record({.name = "users-by-id", .execution = 2ms});
  numbers.record({.name = "users-by-id", .execution = 4ms, .error = ErrorKind::Server});
  numbers.record({.name = "a", .execution = 1ms});
  numbers.record({.execution = 9ms});
  const OperationTotals totals = numbers.read();
  EXPECT_EQ(totals.count, 4U);
  ASSERT_EQ(totals.statements.size(), 2U);
  EXPECT_EQ(totals.statements[0].name, "a");
  EXPECT_EQ(totals.statements[1].name, "users-by-id");
  EXPECT_EQ(totals.statements[1].execution.count(), 2U);
  EXPECT_EQ(totals.statements[1].execution.sum(), 6'000'000U);
  EXPECT_EQ(totals.statements[1].errors, 1U);
}

TEST(OperationNumbers, TooManyNamesCountTogether) {
  OperationNumbers numbers({.max_names = 100});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 150; ++i) numbers.record({.name = "name-" + std::to_string(i), .execution = 1ms});
  }
  const OperationTotals totals = numbers.read();
  ASSERT_EQ(totals.statements.size(), 101U);
  for (const StatementNumbers& statement : totals.statements) {
    EXPECT_EQ(statement.execution.count(), statement.name == kOtherStatements ? 100U : 2U) << statement.name;
  }
}

TEST(OperationNumbers, NoNamesAtAllIsALimitAsWell) {
  OperationNumbers numbers({.max_names = 0});
  numbers.record({.name = "a", .execution = 1ms});
  ASSERT_EQ(numbers.read().statements.size(), 1U);
  EXPECT_EQ(numbers.read().statements[0].name, kOtherStatements);
}

}  // namespace
}  // namespace switchyard::inline v0::telemetry
