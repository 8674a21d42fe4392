// Spans on their way to the exporter. Bounded: when nobody takes them the newest are dropped and counted; whoever
// adds one never waits.
#pragma once

#include <switchyard/telemetry/span.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

namespace switchyard::inline v0::telemetry {

/// How the spans of a fleet fared.
struct TraceNumbers {
  std::uint64_t exported = 0;  ///< taken by the collector
  std::uint64_t dropped = 0;   ///< the queue was full
  std::uint64_t failed = 0;    ///< refused by the collector, or given up
  std::uint64_t queued = 0;    ///< now
};

/// Used by one thread.
class SpanQueue {
 public:
  explicit SpanQueue(std::size_t capacity) : capacity_(capacity) {}

  void add(Span span) {
    if (spans_.size() >= capacity_) {
      ++numbers_.dropped;
    } else {
      spans_.push_back(std::move(span));
    }
  }
  /// The oldest, at most `most`.
  [[nodiscard]] std::vector<Span> take(std::size_t most) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, spans_.size()));
    std::vector<Span> out(std::make_move_iterator(spans_.begin()), std::make_move_iterator(spans_.begin() + count));
    spans_.erase(spans_.begin(), spans_.begin() + count);
    return out;
  }
  void note_exported(std::size_t count) noexcept { numbers_.exported += count; }
  void note_failed(std::size_t count) noexcept { numbers_.failed += count; }

  [[nodiscard]] std::size_t size() const noexcept { return spans_.size(); }
  [[nodiscard]] TraceNumbers numbers() const noexcept {
    TraceNumbers out = numbers_;
    out.queued = spans_.size();
    return out;
  }

 private:
  std::size_t capacity_;
  std::deque<Span> spans_;
  TraceNumbers numbers_;
};

}  // namespace switchyard::inline v0::telemetry
