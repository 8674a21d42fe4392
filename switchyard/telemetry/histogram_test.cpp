#include <switchyard/base/random.hpp>
#include <switchyard/telemetry/histogram.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace switchyard::telemetry {
namespace {

using namespace std::chrono_literals;
using Buckets = HistogramBuckets;

HistogramData data_of(const Histogram& histogram) {
  HistogramData data;
  histogram.read_into(data);
  return data;
}

/// Values from nanoseconds to minutes, as likely in each power of ten.
std::vector<std::uint64_t> spread_values(std::size_t count) {
  Random random(7);
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<std::uint64_t>(std::pow(10.0, random.unit() * 11)));
  }
  return values;
}

TEST(HistogramBuckets, EachBeginsWhereTheOneBeforeEnds) {
  for (std::size_t i = 0; i < Buckets::kCount; ++i) {
    const std::uint64_t low = Buckets::lower_bound(i);
    const std::uint64_t high = Buckets::lower_bound(i + 1);
    ASSERT_LT(low, high) << i;
    ASSERT_EQ(Buckets::index(low), i);
    ASSERT_EQ(Buckets::index(high - 1), i);
    ASSERT_LE(static_cast<double>(high - low), std::max(1.0, static_cast<double>(low) / Buckets::kPerPowerOfTwo));
  }
  EXPECT_EQ(Buckets::lower_bound(Buckets::kCount), std::uint64_t{1} << Buckets::kMaxExponent);
}

TEST(Histogram, QuantilesAreWithinTheStatedError) {
  std::vector<std::uint64_t> values = spread_values(20'000);
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  std::ranges::sort(values);
  const HistogramData data = data_of(histogram);
  ASSERT_EQ(data.count(), values.size());
  for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = std::max(1.0, std::ceil(q * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(rank) - 1]);
    EXPECT_LE(std::abs(static_cast<double>(data.quantile(q)) - exact), exact * Buckets::kRelativeError) << q;
  }
  EXPECT_EQ(data.quantile(1.0), values.back());
}

TEST(Histogram, SumMaximumAndMeanAreExact) {
  Histogram histogram;
  for (const std::uint64_t value : {3U, 1'000'000U, 17U}) histogram.record(std::uint64_t{value});
  const HistogramData data = data_of(histogram);
  EXPECT_EQ(data.sum(), 1'000'020U);
  EXPECT_EQ(data.max(), 1'000'000U);
  EXPECT_DOUBLE_EQ(data.mean(), 1'000'020.0 / 3);
}

TEST(Histogram, OutOfRangeValuesAreNotLost) {
  Histogram histogram;
  histogram.record(Duration(-5s));
  histogram.record(Duration(24h));
  const HistogramData data = data_of(histogram);
  EXPECT_EQ(data.count(), 2U);
  EXPECT_EQ(data.max(), static_cast<std::uint64_t>(Duration(24h).count()));
  EXPECT_EQ(data.quantile(0.5), 0U);
  EXPECT_EQ(data.quantile(1.0), data.max());
  EXPECT_EQ(data.count_up_to(1e12), 1U);
}

TEST(Histogram, AnEmptyOneAnswersZero) {
  const HistogramData data = data_of(Histogram());
  EXPECT_EQ(data.quantile(0.99), 0U);
  EXPECT_EQ(data.mean(), 0);
  EXPECT_EQ(data.count_up_to(1e18), 0U);
}

TEST(Histogram, MergingIsRecordingTheSameValuesInOne) {
  Histogram all;
  Histogram even;
  Histogram odd;
  std::size_t i = 0;
  for (const std::uint64_t value : spread_values(2'000)) {
    all.record(value);
    (i++ % 2 == 0 ? even : odd).record(value);
  }
  HistogramData merged = data_of(even);
  merged.merge(data_of(odd));
  const HistogramData expected = data_of(all);
  EXPECT_EQ(merged.count(), expected.count());
  EXPECT_EQ(merged.sum(), expected.sum());
  EXPECT_EQ(merged.max(), expected.max());
  for (double q = 0; q <= 1; q += 0.05) EXPECT_EQ(merged.quantile(q), expected.quantile(q)) << q;
}

TEST(Histogram, CountsUpToALimitGrowWithItAndEndAtAll) {
  const std::vector<std::uint64_t> values = spread_values(5'000);
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  const HistogramData data = data_of(histogram);
  std::uint64_t before = 0;
  for (double limit = 1; limit < 1e12; limit *= 1.07) {
    const std::uint64_t count = data.count_up_to(limit);
    ASSERT_GE(count, before) << limit;
    before = count;
    // Exact but for the one bucket that the limit cuts: between the counts at its ends.
    const auto at_most = [&](double end) {
      return static_cast<std::uint64_t>(
          std::ranges::count_if(values, [&](std::uint64_t v) { return static_cast<double>(v) <= end; }));
    };
    ASSERT_GE(count, at_most(limit * (1 - 2 * Buckets::kRelativeError) - 1)) << limit;
    ASSERT_LE(count, at_most(limit * (1 + 2 * Buckets::kRelativeError) + 1)) << limit;
  }
  EXPECT_EQ(data.count_up_to(1e12), data.count());
}

TEST(Histogram, SmallIntegersAreCountedExactly) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 32; ++value) histogram.record(value);
  const HistogramData data = data_of(histogram);
  for (std::uint64_t limit = 0; limit < 32; ++limit) {
    EXPECT_EQ(data.count_up_to(static_cast<double>(limit)), limit + 1);
  }
}

}  // namespace
}  // namespace switchyard::telemetry
