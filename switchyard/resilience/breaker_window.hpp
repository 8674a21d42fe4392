// The calls of the last seconds: one shard writes, others read. Nothing is locked on the writer's way.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::resilience {

/// Calls of a window.
struct CallCounts {
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
  std::uint64_t slow = 0;

  CallCounts& operator+=(const CallCounts& other) noexcept {
    calls += other.calls;
    failed += other.failed;
    slow += other.slow;
    return *this;
  }
  friend bool operator==(const CallCounts&, const CallCounts&) = default;
};

/// A ring of buckets, each for a tenth of the window. A bucket belongs to one generation of its breaker: what was
/// counted before a change of state is not seen after it.
class BreakerWindow {
 public:
  static constexpr std::size_t kBuckets = 10;

  explicit BreakerWindow(Duration window) noexcept
      : width_(std::max<Duration>(window / static_cast<std::int64_t>(kBuckets), std::chrono::milliseconds(1))) {}

  /// The owning shard only.
  void add(std::uint64_t generation, TimePoint now, bool failed, bool slow) noexcept {
    if (now >= current_until_ || generation != current_generation_) turn(generation, now);
    Bucket& bucket = buckets_[current_];
    bump(bucket.calls);
    if (failed) bump(bucket.failed);
    if (slow) bump(bucket.slow);
  }

  /// Any thread: what `generation` counted in the window that ends now.
  [[nodiscard]] CallCounts counts(std::uint64_t generation, TimePoint now) const noexcept {
    const std::uint64_t last = tick_of(now);
    CallCounts sum;
    for (const Bucket& bucket : buckets_) {
      const std::uint64_t stamp = bucket.stamp.load(std::memory_order_acquire);
      const std::uint64_t tick = stamp & kTickMask;
      // The writer's clock may be a little ahead of the reader's.
      const bool recent = tick > last || last - tick < kBuckets;
      if (stamp >> kTickBits != (generation & kGenerationMask) || !recent) continue;
      const CallCounts part{bucket.calls.load(std::memory_order_relaxed),
                            bucket.failed.load(std::memory_order_relaxed),
                            bucket.slow.load(std::memory_order_relaxed)};
      // Reused while it was read: what it held belongs to another time.
      std::atomic_thread_fence(std::memory_order_acquire);
      if (bucket.stamp.load(std::memory_order_relaxed) == stamp) sum += part;
    }
    return sum;
  }

 private:
  // A stamp is generation and tick; zero is nobody's (generations start at 1).
  static constexpr unsigned kTickBits = 44;
  static constexpr std::uint64_t kTickMask = (std::uint64_t{1} << kTickBits) - 1;
  static constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << (64 - kTickBits)) - 1;

  struct Bucket {
    std::atomic<std::uint64_t> stamp{0};
    std::atomic<std::uint32_t> calls{0};
    std::atomic<std::uint32_t> failed{0};
    std::atomic<std::uint32_t> slow{0};
  };

  /// One writer: no locked addition is needed.
  static void bump(std::atomic<std::uint32_t>& number) noexcept {
    number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t tick_of(TimePoint now) const noexcept {
    return static_cast<std::uint64_t>(now.time_since_epoch() / width_) & kTickMask;
  }
  void turn(std::uint64_t generation, TimePoint now) noexcept {
    const std::uint64_t tick = tick_of(now);
    current_ = tick % kBuckets;
    current_generation_ = generation;
    current_until_ = TimePoint(width_ * static_cast<std::int64_t>(tick + 1));
    Bucket& bucket = buckets_[current_];
    const std::uint64_t stamp = ((generation & kGenerationMask) << kTickBits) | tick;
    if (bucket.stamp.load(std::memory_order_relaxed) == stamp) return;
    bucket.stamp.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    bucket.calls.store(0, std::memory_order_relaxed);
    bucket.failed.store(0, std::memory_order_relaxed);
    bucket.slow.store(0, std::memory_order_relaxed);
    bucket.stamp.store(stamp, std::memory_order_release);
  }

  const Duration width_;
  std::size_t current_ = 0;
  std::uint64_t current_generation_ = 0;
  TimePoint current_until_ = TimePoint::min();
  std::array<Bucket, kBuckets> buckets_;
};

}  // namespace switchyard::inline v0::resilience
