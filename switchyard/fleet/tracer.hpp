// Which operations of a fleet are traced, and their spans. A trace that began elsewhere
// (RequestOptions.traceparent) is recorded if its caller says so; of those that begin here a share, the setting
// telemetry.sample.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/telemetry/span_queue.hpp>
#include <switchyard/telemetry/trace_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace switchyard::inline v0::fleet {

class RequestContext;

/// The part of a request that traces see.
struct RequestTrace {
  telemetry::TraceParent parent;  ///< of the request's own span: the caller's, or none
  std::uint64_t span = 0;         ///< of the request; parent of its operations
  TimePoint begun{};
};

class Tracer : public std::enable_shared_from_this<Tracer> {
 public:
  Tracer(double sample, std::size_t queue_capacity) : sample_(sample), queue_(queue_capacity) {}

  /// Whether an operation of this request (null: of none) is recorded. Begins a trace for a request without one.
  [[nodiscard]] bool wants(RequestContext* context) noexcept;
  /// Fills in ids and keeps the span. `context` as for wants().
  void add(telemetry::Span span, const RequestContext* context) noexcept;
  /// The request is over.
  void request_ended(const RequestContext& context) noexcept;

  [[nodiscard]] telemetry::SpanQueue& queue() noexcept { return queue_; }

 private:
  double sample_;
  telemetry::SpanQueue queue_;
};

}  // namespace switchyard::inline v0::fleet
