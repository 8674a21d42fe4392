// When something was written last to each database through this gateway, for clients with consistency = "strict":
// what they read on a replica has seen it. All shards of a gateway have the same marks.
#pragma once

#include <switchyard/base/time.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

class WriteMark {
 public:
  /// A write has been answered just now. Before its client hears of it.
  void raise() noexcept {
    const Duration now = Clock::now().time_since_epoch();
    Duration::rep known = last_.load(std::memory_order_relaxed);
    while (known < now.count() && !last_.compare_exchange_weak(known, now.count())) {
    }
  }
  [[nodiscard]] TimePoint last() const noexcept { return TimePoint(Duration(last_.load())); }

 private:
  /// Nobody knows what was written before.
  std::atomic<Duration::rep> last_{Clock::now().time_since_epoch().count()};
};

class WriteMarks {
 public:
  /// Any thread. Only names of the fleet: their number is bounded.
  [[nodiscard]] std::shared_ptr<WriteMark> of(std::string_view database) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<WriteMark>& mark = marks_[std::string(database)];
    if (!mark) mark = std::make_shared<WriteMark>();
    return mark;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<WriteMark>, std::less<>> marks_;
};

}  // namespace switchyard::inline v0::gateway
