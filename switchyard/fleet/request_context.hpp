// What a request carries from one operation to the next: seen by choosers and by whoever finishes its operations.
#pragma once

#include <switchyard/session/operation_state.hpp>

#include <string>

namespace switchyard::inline v0::fleet {

class RequestContext final : public session::OperationContext {
 public:
  std::string label;
};

}  // namespace switchyard::inline v0::fleet
