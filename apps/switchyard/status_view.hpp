// A fleet's state for people.
#pragma once

#include "console.hpp"

#include <switchyard/fleet/status.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::cli {

/// The table of `switchyard status`: one line an endpoint.
[[nodiscard]] std::string status_view(const FleetStatus& status, const std::vector<HealthReport>& reports,
                                      const Paint& paint, std::size_t width);

/// The table of `switchyard health`.
[[nodiscard]] std::string health_view(const FleetStatus& status, const std::vector<HealthReport>& reports,
                                      const Paint& paint, std::size_t width);

/// ok when everything that is configured serves, partial when some of it, unreachable when nothing does.
[[nodiscard]] ExitCode health_exit_code(const FleetStatus& status, const std::vector<HealthReport>& reports);

/// "812 B", "1.2 MB"
[[nodiscard]] std::string readable_size(std::uint64_t bytes);

/// "1.2 ms", "3.40 s"
[[nodiscard]] std::string short_duration(Duration duration);

}  // namespace switchyard::cli
