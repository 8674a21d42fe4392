// Keeps the numbers of one endpoint, says what was slow, and adds spans to traces. Whoever runs operations calls it
// where something ends; everything else about telemetry is in here.
#pragma once

#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/statistics.hpp>
#include <switchyard/fleet/tracer.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/telemetry/counters.hpp>
#include <switchyard/telemetry/histogram.hpp>
#include <switchyard/telemetry/operation_numbers.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// What is worth a line.
struct SlowLimits {
  Duration query{};    ///< zero: none
  Duration acquire{};  ///< zero: none
  std::size_t statement_length = 80;
};

enum class TransactionEnd : std::uint8_t { committed, rolled_back };

class Recorder {
 public:
  struct Options {
    std::string database;
    std::string pool;            ///< as the labels of metrics say it: "reference_replica_api"
    std::string server_address;  ///< host or socket folder
    std::uint16_t server_port = 0;
    Duration latency_target{};
    std::size_t statement_names = 200;
  };
  explicit Recorder(Options options);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Null: no traces.
  void set_tracer(std::shared_ptr<Tracer> tracer) noexcept { tracer_ = std::move(tracer); }

  /// A caller got a session.
  void acquired(RouteAccess access, Duration waited, const SlowLimits& limits) noexcept;
  /// An operation has ended, after `attempts` that failed.
  void finished(RouteAccess access, const session::OperationState& operation, unsigned attempts,
                const SlowLimits& limits) noexcept;
  /// An operation is tried again.
  void retried(RouteAccess access) noexcept { numbers(access).retried(); }
  void transaction_ended(TransactionEnd end) noexcept {
    (end == TransactionEnd::committed ? committed_ : rolled_back_).add();
  }
  void connected(Duration took) noexcept { create_time_.record(took); }
  /// A session was held for so long.
  void held(Duration how_long) noexcept { use_time_.record(how_long); }

  [[nodiscard]] EndpointStatistics read() const;

 private:
  [[nodiscard]] telemetry::OperationNumbers& numbers(RouteAccess access) noexcept {
    return access == RouteAccess::read ? reads_ : writes_;
  }
  void note_slow_query(const session::OperationState& operation, Duration took, std::size_t length) const noexcept;
  void add_span(RouteAccess access, const session::OperationState& operation, unsigned attempts, std::size_t length,
                TimePoint now) noexcept;

  Options options_;
  std::shared_ptr<Tracer> tracer_;
  telemetry::OperationNumbers reads_;
  telemetry::OperationNumbers writes_;
  telemetry::Counter committed_;
  telemetry::Counter rolled_back_;
  telemetry::Histogram create_time_;
  telemetry::Histogram wait_time_;
  telemetry::Histogram use_time_;
};

}  // namespace switchyard::inline v0::fleet
