#include <switchyard/fleet/recorder.hpp>

#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/statement_text.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace switchyard::inline v0::fleet {

namespace {

std::int64_t milliseconds(Duration value) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(value).count();
}

std::string_view text_of(const session::OperationState& operation) noexcept {
  return operation.parts.empty() ? std::string_view() : std::string_view(operation.parts.front().sql);
}

telemetry::OperationNumbers::Options numbers_options(const Recorder::Options& options) {
  return {.latency_target = options.latency_target, .max_names = options.statement_names};
}

}  // namespace

Recorder::Recorder(Options options)
    : options_(std::move(options)), reads_(numbers_options(options_)), writes_(numbers_options(options_)) {}

void Recorder::acquired(RouteAccess access, Duration waited, const SlowLimits& limits) noexcept {
  const bool slow = waited > limits.acquire && limits.acquire > Duration::zero();
  numbers(access).acquired(waited, slow);
  wait_time_.record(waited);
  if (!slow) return;
  telemetry::events().note(
      telemetry::kSlowPool, options_.database, runtime::now(),
      [&] {
        return "[SLOW POOL] " + options_.database + " acquisition took " + std::to_string(milliseconds(waited)) +
               "ms";
      },
      {{"database", std::string_view(options_.database)}, {"milliseconds", milliseconds(waited)}});
}

void Recorder::finished(RouteAccess access, const session::OperationState& operation, unsigned attempts,
                        const SlowLimits& limits) noexcept {
  const TimePoint now = runtime::now();
  telemetry::OperationSample sample;
  sample.name = operation.name;
  sample.ran = operation.granted != TimePoint{};
  sample.execution = sample.ran ? now - operation.granted : Duration::zero();
  if (operation.error()) sample.error = operation.error()->kind();
  sample.slow = sample.ran && sample.execution > limits.query && limits.query > Duration::zero();
  numbers(access).record(sample);
  if (sample.slow) note_slow_query(operation, sample.execution, limits.statement_length);
  if (tracer_ && tracer_->wants(static_cast<RequestContext*>(operation.context.get()))) {
    add_span(access, operation, attempts, limits.statement_length, now);
  }
}

void Recorder::note_slow_query(const session::OperationState& operation, Duration took,
                               std::size_t length) const noexcept {
  telemetry::events().note(telemetry::kSlowQuery, options_.database, runtime::now(),
                           [&] {
                             return "[SLOW QUERY] " + options_.database + " took " +
                                    std::to_string(milliseconds(took)) +
                                    "ms: " + shortened_statement(text_of(operation), length);
                           },
                           {{"database", std::string_view(options_.database)},
                            {"milliseconds", milliseconds(took)},
                            {"name", std::string_view(operation.name)},
                            {"route", operation.route},
                            {"lane", operation.lane_reason}});
}

void Recorder::add_span(RouteAccess access, const session::OperationState& operation, unsigned attempts,
                        std::size_t length, TimePoint now) noexcept {
  try {
    telemetry::Span span;
    const std::string verb = operation.parts.size() > 1 ? "BATCH" : statement_verb(text_of(operation));
    span.name = !operation.name.empty() ? operation.name
                : verb.empty()          ? options_.database
                                        : verb + " " + options_.database;
    span.begun = operation.started;
    span.ended = now;
    auto& attributes = span.attributes;
    attributes.reserve(15);
    attributes.emplace_back("db.system.name", "postgresql");
    attributes.emplace_back("db.namespace", options_.database);
    if (!verb.empty()) attributes.emplace_back("db.operation.name", verb);
    if (!operation.name.empty()) attributes.emplace_back("db.query.summary", operation.name);
    attributes.emplace_back("db.query.text", shortened_statement(text_of(operation), length));
    attributes.emplace_back("server.address", options_.server_address);
    if (options_.server_port != 0) attributes.emplace_back("server.port", std::int64_t{options_.server_port});
    attributes.emplace_back("db.client.connection.pool.name", options_.pool);
    attributes.emplace_back("switchyard.access", access == RouteAccess::read ? "read" : "write");
    attributes.emplace_back("switchyard.route", std::string(operation.route));
    if (!operation.lane_reason.empty()) {
      attributes.emplace_back("switchyard.lane", std::string(operation.lane_reason));
    }
    if (attempts != 0) attributes.emplace_back("switchyard.attempts", std::int64_t{attempts} + 1);
    if (operation.granted != TimePoint{}) {
      attributes.emplace_back(
          "switchyard.acquire_ms",
          std::chrono::duration<double, std::milli>(operation.granted - operation.started).count());
    }
    if (operation.error()) {
      // Messages of the server may repeat values: the kind and the SQLSTATE say what it was.
      const std::string_view state = operation.error()->sqlstate();
      span.error = std::string(state.empty() ? to_string(operation.error()->kind()) : state);
      attributes.emplace_back("error.type", span.error);
      if (!state.empty()) attributes.emplace_back("db.response.status_code", std::string(state));
    }
    tracer_->add(std::move(span), static_cast<const RequestContext*>(operation.context.get()));
  } catch (const std::exception&) {
    // Memory ran out: a span less.
  }
}

EndpointStatistics Recorder::read() const {
  EndpointStatistics out;
  out.database = options_.database;
  out.latency_target = options_.latency_target;
  out.reads = reads_.read();
  out.writes = writes_.read();
  out.committed = committed_.value();
  out.rolled_back = rolled_back_.value();
  create_time_.read_into(out.create_time);
  wait_time_.read_into(out.wait_time);
  use_time_.read_into(out.use_time);
  return out;
}

}  // namespace switchyard::inline v0::fleet
