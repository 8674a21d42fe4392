// The page at "/": what runs, and what else there is to ask.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/http/fleet_source.hpp>
#include <switchyard/http/router.hpp>

#include <span>
#include <string>

namespace switchyard::inline v0::http {

/// One HTML document without scripts, pictures or anything from elsewhere.
[[nodiscard]] SWITCHYARD_API std::string index_page(const FleetStatus& status, const HealthReports& reports,
                                                    std::span<const Router::Entry> routes);

}  // namespace switchyard::inline v0::http
