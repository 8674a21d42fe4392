// Distributions: how many values fell where, with a fixed relative error and fixed memory.
//
// Log-linear buckets: each power of two is cut into 16 equal parts, so that a bucket is at most 1/16 as wide as its
// lower bound, from 0 to 2^42 (in nanoseconds: 73 minutes). Larger values count in the last bucket; their sum and
// the maximum are exact. 5 kB each.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::telemetry {

/// Which bucket a value falls into, and where a bucket lies.
struct HistogramBuckets {
  static constexpr int kSignificantBits = 4;
  static constexpr int kMaxExponent = 42;
  static constexpr std::size_t kPerPowerOfTwo = std::size_t{1} << kSignificantBits;
  static constexpr std::size_t kCount = (kMaxExponent - kSignificantBits + 1) * kPerPowerOfTwo;
  /// Half a bucket, relative to the value: how far quantile() can be off below 2^42.
  static constexpr double kRelativeError = 0.5 / static_cast<double>(kPerPowerOfTwo);

  [[nodiscard]] static constexpr std::size_t index(std::uint64_t value) noexcept {
    if (value < kPerPowerOfTwo) return static_cast<std::size_t>(value);
    if (value >> kMaxExponent != 0) return kCount - 1;
    const int shift = std::bit_width(value) - 1 - kSignificantBits;
    return static_cast<std::size_t>(shift) * kPerPowerOfTwo + static_cast<std::size_t>(value >> shift);
  }
  /// The smallest value of bucket `index`; of the one after it for `index + 1`.
  [[nodiscard]] static constexpr std::uint64_t lower_bound(std::size_t index) noexcept {
    if (index < kPerPowerOfTwo) return index;
    const std::size_t shift = index / kPerPowerOfTwo - 1;
    return static_cast<std::uint64_t>(index % kPerPowerOfTwo + kPerPowerOfTwo) << shift;
  }
};

/// Counts that were read from one or several histograms: a plain value.
class SWITCHYARD_API HistogramData {
 public:
  void add(std::size_t bucket, std::uint64_t count) noexcept;
  void add_sum(std::uint64_t sum, std::uint64_t max) noexcept;
  void merge(const HistogramData& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }
  /// The value that the share `q` (0 to 1) of all values does not exceed, off by at most kRelativeError; 0 when
  /// empty.
  [[nodiscard]] std::uint64_t quantile(double q) const noexcept;
  /// How many values are at most `limit`. A bucket that `limit` cuts counts in proportion, so the answer is exact
  /// but for the values of that one bucket, and never falls as `limit` grows.
  [[nodiscard]] std::uint64_t count_up_to(double limit) const noexcept;

 private:
  std::array<std::uint64_t, HistogramBuckets::kCount> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

/// A distribution that is being recorded. Written by one thread at a time, read by any.
class Histogram {
 public:
  Histogram() noexcept = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  void record(std::uint64_t value) noexcept {
    bump(counts_[HistogramBuckets::index(value)], 1);
    bump(sum_, value);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }
  /// In nanoseconds; a negative duration counts as 0.
  void record(Duration value) noexcept {
    record(value.count() < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(value.count()));
  }
  /// Adds what is recorded so far. Read while the owner writes, the sum may belong to one value more or less than
  /// the counts.
  SWITCHYARD_API void read_into(HistogramData& data) const noexcept;

 private:
  static void bump(std::atomic<std::uint64_t>& cell, std::uint64_t amount) noexcept {
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, HistogramBuckets::kCount> counts_{};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace switchyard::inline v0::telemetry
