// The routes of the HTTP door.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/http/fleet_source.hpp>
#include <switchyard/http/router.hpp>

#include <memory>

namespace switchyard::inline v0::http {

/// /, /livez, /readyz, /health, /metrics, /api/events, /api/fleet, /api/health/databases, /api/health/connections.
/// The source outlives the router.
[[nodiscard]] SWITCHYARD_API std::unique_ptr<Router> make_fleet_router(FleetSource& source);

}  // namespace switchyard::inline v0::http
