#include <switchyard/http/trace.hpp>

#include <switchyard/telemetry/trace_context.hpp>

namespace switchyard::inline v0::http {

std::string trace_id_of(const HttpRequest& request) {
  const auto parent = telemetry::TraceParent::parse(request.header("traceparent"));
  return telemetry::hex(parent ? parent->trace : telemetry::new_trace_id());
}

}  // namespace switchyard::inline v0::http
