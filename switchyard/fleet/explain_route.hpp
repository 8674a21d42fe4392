// Asks the choosers of a database where an operation would go.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/places.hpp>
#include <switchyard/fleet/route_explanation.hpp>
#include <switchyard/runtime/task.hpp>

namespace switchyard::inline v0::fleet {

/// Looks at every place first, until `deadline` at most. Usage error for a malformed position.
[[nodiscard]] Task<Result<RouteExplanation>> explain_route(Places& places, RouteQuestion question,
                                                           TimePoint deadline);

}  // namespace switchyard::inline v0::fleet
