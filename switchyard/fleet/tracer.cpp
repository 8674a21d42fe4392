#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/tracer.hpp>

#include <exception>
#include <utility>

namespace switchyard::inline v0::fleet {

bool Tracer::wants(RequestContext* context) noexcept {
  if (context == nullptr) return telemetry::draw_sample(sample_);
  if (!context->trace) {
    RequestTrace& trace = context->trace.emplace();
    trace.parent.trace = telemetry::new_trace_id();
    trace.parent.sampled = telemetry::draw_sample(sample_);
  }
  RequestTrace& trace = *context->trace;
  if (trace.parent.sampled && trace.span == 0) {
    trace.span = telemetry::new_span_id();
    trace.begun = Clock::now();
    context->tracer = shared_from_this();
  }
  return trace.parent.sampled;
}

void Tracer::add(telemetry::Span span, const RequestContext* context) noexcept {
  try {
    span.id = telemetry::new_span_id();
    if (context != nullptr && context->trace) {
      span.trace = context->trace->parent.trace;
      span.parent = context->trace->span;
    } else {
      span.trace = telemetry::new_trace_id();
    }
    queue_.add(std::move(span));
  } catch (const std::exception&) {
    // Memory ran out: a span less.
  }
}

void Tracer::request_ended(const RequestContext& context) noexcept {
  try {
    const RequestTrace& trace = *context.trace;
    telemetry::Span span;
    span.trace = trace.parent.trace;
    span.id = trace.span;
    span.parent = trace.parent.span;
    span.kind = telemetry::Span::Kind::internal;
    span.name = context.label.empty() ? "request" : context.label;
    span.begun = trace.begun;
    span.ended = Clock::now();
    queue_.add(std::move(span));
  } catch (const std::exception&) {
    // Memory ran out: a span less.
  }
}

}  // namespace switchyard::inline v0::fleet
