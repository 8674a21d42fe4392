// The operators' route: the circuit breakers of a running fleet, and the commands that open, close and reset them.
//
//   GET  /api/fleet/breaker[?database=main]
//   POST /api/fleet/breaker?database=main&command=open|close|reset[&replica=api][&access=read|write]
//
// It is the one route that changes something, so it is added only to doors on a loopback address. A POST needs the
// header Switchyard-Operator (any value; it is logged), which no web page can send from elsewhere without asking
// the door first, and a Host that is this machine.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/http/router.hpp>

#include <string_view>
#include <vector>

namespace switchyard::inline v0::http {

inline constexpr std::string_view kBreakerPath = "/api/fleet/breaker";
/// In lower case, as requests have it.
inline constexpr std::string_view kOperatorHeader = "switchyard-operator";

/// `fleet` outlives the router.
SWITCHYARD_API void add_breaker_route(Router& router, Fleet& fleet);

/// "127.0.0.1:8420", "[::1]:8420", "localhost": reached from this machine alone.
[[nodiscard]] SWITCHYARD_API bool is_loopback(std::string_view address) noexcept;

}  // namespace switchyard::inline v0::http
