// pg_service.conf: named sets of connection options (manual chapter 32.17). Internal.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/connection_string.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

/// The options of [service] in `contents`; nothing if there is no such section. `path` is for messages.
[[nodiscard]] Result<std::optional<std::vector<ConnectionKeyword>>> find_service(std::string_view contents,
                                                                                 std::string_view service,
                                                                                 const std::string& path);

/// Looks where libpq looks: `servicefile` (or PGSERVICEFILE) if given, else ~/.pg_service.conf; then the system's.
[[nodiscard]] Result<std::vector<ConnectionKeyword>> load_service(const std::string& service,
                                                                  const std::string& servicefile,
                                                                  const ConnectionEnvironment& environment);

}  // namespace switchyard::inline v0::config
