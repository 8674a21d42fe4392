// What a request carries from one operation to the next: seen by choosers and by whoever finishes its operations.
#pragma once

#include <switchyard/fleet/tracer.hpp>
#include <switchyard/session/operation_state.hpp>

#include <memory>
#include <optional>
#include <string>

namespace switchyard::inline v0::fleet {

class RequestContext final : public session::OperationContext {
 public:
  RequestContext() = default;
  ~RequestContext() override {
    if (tracer) tracer->request_ended(*this);
  }

  std::string label;

  /// The trace it belongs to: given with the request, or begun by its first operation when traces are on.
  std::optional<RequestTrace> trace;
  std::shared_ptr<Tracer> tracer;  ///< set while the request is recorded
};

}  // namespace switchyard::inline v0::fleet
