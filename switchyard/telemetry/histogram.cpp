#include <switchyard/telemetry/histogram.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::inline v0::telemetry {

using Buckets = HistogramBuckets;

void HistogramData::add(std::size_t bucket, std::uint64_t count) noexcept {
  counts_[bucket] += count;
  count_ += count;
}

void HistogramData::add_sum(std::uint64_t sum, std::uint64_t max) noexcept {
  sum_ += sum;
  max_ = std::max(max_, max);
}

void HistogramData::merge(const HistogramData& other) noexcept {
  for (std::size_t i = 0; i < Buckets::kCount; ++i) add(i, other.counts_[i]);
  add_sum(other.sum_, other.max_);
}

std::uint64_t HistogramData::quantile(double q) const noexcept {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count_);
  if (rank == count_) return max_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < Buckets::kCount; ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    const std::uint64_t low = Buckets::lower_bound(i);
    return std::min(max_, low + (Buckets::lower_bound(i + 1) - low) / 2);
  }
  return max_;
}

std::uint64_t HistogramData::count_up_to(double limit) const noexcept {
  // The integers a bucket holds are low to high - 1; "at most limit" is "below limit + 1".
  const double end = std::floor(limit) + 1;
  if (end > static_cast<double>(max_)) return count_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < Buckets::kCount; ++i) {
    const auto low = static_cast<double>(Buckets::lower_bound(i));
    const auto high = static_cast<double>(Buckets::lower_bound(i + 1));
    if (high <= end) {
      seen += counts_[i];
    } else {
      if (low < end)
        seen += static_cast<std::uint64_t>(static_cast<double>(counts_[i]) * (end - low) / (high - low));
      return seen;
    }
  }
  return seen;  // the last bucket has no upper bound but the maximum
}

void Histogram::read_into(HistogramData& data) const noexcept {
  for (std::size_t i = 0; i < Buckets::kCount; ++i) {
    if (const std::uint64_t count = counts_[i].load(std::memory_order_relaxed); count != 0) data.add(i, count);
  }
  data.add_sum(sum_.load(std::memory_order_relaxed), max_.load(std::memory_order_relaxed));
}

}  // namespace switchyard::inline v0::telemetry
