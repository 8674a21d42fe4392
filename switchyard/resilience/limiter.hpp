// An adaptive limit on calls in flight to one endpoint: when calls take longer than they used to, they are waiting
// for each other, and fewer at once finish as many. It only counts and says yes or no; who is told no waits in a
// queue of others or goes elsewhere.
//
// Gradient: once a window the mean time of its calls is compared with what is usual, a long-run average that learns
// quickly when calls get shorter and slowly when they get longer. As long as the mean is within kTolerance of that,
// the limit grows by its square root; beyond, it shrinks in proportion. A window in which the limit was not nearly
// reached changes nothing: it says nothing about the limit.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/resilience/limiter_settings.hpp>

#include <cstdint>

namespace switchyard::inline v0::resilience {

class SWITCHYARD_API Limiter {
 public:
  /// How much longer than usual calls may take before the limit shrinks.
  static constexpr double kTolerance = 1.5;
  /// A window lasts as long, and holds at least so many calls.
  static constexpr Duration kWindow = std::chrono::milliseconds(250);
  static constexpr std::uint32_t kLeastCalls = 10;

  Limiter(LimiterSettings settings, TimePoint now) noexcept;

  [[nodiscard]] bool enabled() const noexcept { return settings_.enabled; }
  /// True: the call counts as in flight until leave(). Always true when it is not enabled.
  [[nodiscard]] bool try_enter() noexcept {
    if (settings_.enabled && in_flight_ >= limit()) {
      ++refused_;
      return false;
    }
    ++in_flight_;
    if (in_flight_ > peak_) peak_ = in_flight_;
    return true;
  }
  void leave() noexcept { --in_flight_; }
  /// The endpoint answered a call after `took`. Not for calls that failed or were never sent.
  void measure(Duration took, TimePoint now) noexcept;

  [[nodiscard]] std::uint32_t limit() const noexcept { return static_cast<std::uint32_t>(limit_); }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  void end_window(TimePoint now) noexcept;

  LimiterSettings settings_;
  double limit_;
  std::uint32_t in_flight_ = 0;
  std::uint32_t peak_ = 0;  ///< of in_flight_ in this window
  std::uint64_t refused_ = 0;
  // This window.
  TimePoint window_until_;
  std::uint32_t calls_ = 0;
  Duration sum_{};
  double usual_ = 0;  ///< long-run average of the windows' means, in ns; 0 = not known yet
};

}  // namespace switchyard::inline v0::resilience
