// Who counts what: counters, gauges and histograms are plain members of the objects that count (a pool, a session);
// a registry knows where they are and what they are called, and sums those with the same labels when it is read.
// Counting itself never touches the registry.
//
//     inline constexpr telemetry::Metric kTimeouts{.kind = telemetry::Metric::Kind::counter,
//         .name = "db.client.connection.timeouts", .unit = "{timeout}", .help = "Acquisitions that timed out."};
//     struct PoolNumbers {
//       telemetry::Counter timeouts;
//       std::vector<telemetry::Registration> registered;   // after what it names: it goes first
//     };
//     numbers.registered.push_back(registry.add(kTimeouts, {{"db.client.connection.pool.name", "main"}},
//                                               numbers.timeouts));
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/telemetry/counters.hpp>
#include <switchyard/telemetry/histogram.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0::telemetry {

/// The bucket boundaries OpenTelemetry recommends for database operations, in seconds.
inline constexpr double kOperationSeconds[] = {.001, .005, .01, .05, .1, .5, 1, 5, 10};

/// What a number means. A constant of the program: it and its texts outlive every registry.
struct Metric {
  enum class Kind : std::uint8_t { counter, gauge, histogram };

  Kind kind = Kind::counter;
  std::string_view name;  ///< as OpenTelemetry spells it: "db.client.connection.count"
  std::string_view unit;  ///< UCUM: "s", "By", "{connection}", "1" for shares, or empty
  std::string_view help;  ///< one sentence
  /// What one recorded unit is in `unit`: 1e-9 for nanoseconds recorded of a metric in seconds.
  double scale = 1;
  /// Histograms: the upper bounds that are exported, in `unit`, ascending.
  std::span<const double> boundaries{};
};

/// Names and values that tell the series of one metric apart.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// What a registry said when it was read.
struct Series {
  Labels labels;                                                   ///< sorted by name
  std::variant<std::uint64_t, std::int64_t, HistogramData> value;  ///< by the kind: counter, gauge, histogram
};
struct Family {
  const Metric* metric;
  std::vector<Series> series;  ///< sorted by labels
};

class Registration;
struct LiveSeries;  // internal: the numbers registered under the same labels

/// Thread-safe; the numbers are read without stopping who writes them.
class SWITCHYARD_API Registry {
 public:
  /// Series are bounded, since a label with ever new values would eat the memory: what is registered above this is
  /// not shown, and counted in `switchyard.telemetry.dropped_series`.
  static constexpr std::size_t kMaxSeries = 10'000;

  Registry();
  ~Registry();  ///< registrations may outlive it
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// From now until the registration goes the number is part of the series with these labels. The number must be
  /// there as long as the registration. What a counter or histogram had reached stays in the sum afterwards.
  [[nodiscard]] Registration add(const Metric& metric, Labels labels, const Counter& counter);
  [[nodiscard]] Registration add(const Metric& metric, Labels labels, const Gauge& gauge);
  [[nodiscard]] Registration add(const Metric& metric, Labels labels, const Histogram& histogram);

  /// Everything, sorted by name.
  [[nodiscard]] std::vector<Family> read() const;

 private:
  friend class Registration;
  struct State;
  std::shared_ptr<State> state_;
};

/// Keeps one number registered.
class SWITCHYARD_API Registration {
 public:
  Registration() noexcept;
  Registration(Registration&& other) noexcept;
  Registration& operator=(Registration&& other) noexcept;
  ~Registration();

 private:
  friend class Registry;
  using Number = std::variant<const Counter*, const Gauge*, const Histogram*>;
  Registration(std::shared_ptr<Registry::State> state, LiveSeries* series, Number number) noexcept;
  static Registration make(const std::shared_ptr<Registry::State>& state, const Metric& metric, Labels labels,
                           Number number);
  void end() noexcept;

  std::shared_ptr<Registry::State> state_;
  LiveSeries* series_ = nullptr;
  Number number_;
};

}  // namespace switchyard::inline v0::telemetry
