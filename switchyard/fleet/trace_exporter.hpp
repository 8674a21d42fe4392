// Takes spans from a tracer's queue to a collector, by OTLP/HTTP with JSON. It runs beside the fleet on its shard,
// one request at a time, and never holds anything up: while the collector is away the queue fills, and what does
// not fit is dropped and counted.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/tracer.hpp>
#include <switchyard/httpc/client.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/telemetry/otlp.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

class TraceExporter : public std::enable_shared_from_this<TraceExporter> {
 public:
  /// Spans of one request to the collector.
  static constexpr std::size_t kBatch = 512;
  /// Tries of one batch, when the collector asks for another one or is not there.
  static constexpr unsigned kTries = 5;

  struct Options {
    std::string url;  ///< with /v1/traces
    httpc::Headers headers;
    Duration interval = std::chrono::seconds(1);
    Duration request_timeout = std::chrono::seconds(10);
    Duration first_pause = std::chrono::milliseconds(500);  ///< between tries; doubles, up to longest_pause
    Duration longest_pause = std::chrono::seconds(30);
    telemetry::ResourceAttributes resource;
  };
  /// Config errors name the setting.
  [[nodiscard]] static Result<Options> options_of(const FleetConfig& config);

  TraceExporter(Options options, std::shared_ptr<Tracer> tracer)
      : options_(std::move(options)), tracer_(std::move(tracer)) {}

  /// Begins to send; the exporter lives until stop().
  void start();
  /// Sends what is left, and waits for that at most `limit`.
  [[nodiscard]] Task<void> stop(Duration limit);
  /// Ends without sending.
  void abandon() noexcept;

 private:
  enum class Outcome : std::uint8_t { taken, refused, again };

  static Task<void> run(std::shared_ptr<TraceExporter> self);
  Task<void> send_all();
  Task<void> send(std::vector<telemetry::Span> spans);
  Task<Outcome> post(std::string body, Duration& retry_after);
  void note_failure(std::string_view why, std::size_t spans) const;

  Options options_;
  std::shared_ptr<Tracer> tracer_;
  httpc::Client client_;
  runtime::AsyncEvent stopping_;
  runtime::AsyncEvent ended_;
  bool running_ = false;
};

}  // namespace switchyard::inline v0::fleet
