// Which database of the fleet a client means by `dbname`:
//   reference            the database of that logical name; read views such as reference_replica as well
//   reference:read       its read view: a replica that is fresh enough, else the primary
//   wellwon_reference    the physical name, where one database has it. Of several the first schema of the client's
//                        search_path decides, then its user.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

struct ClientDatabase {
  const DatabaseConfig* database = nullptr;
  std::string name;  ///< for Fleet::database()
};

/// Errors are of kind Config and say what there is: unknown names with "did you mean", ambiguous ones with the
/// candidates.
[[nodiscard]] SWITCHYARD_API Result<ClientDatabase> find_database(const FleetConfig& fleet, std::string_view dbname,
                                                                  std::string_view user,
                                                                  std::string_view search_path);

/// The database itself, or the one that stands in for it; null: neither is configured.
[[nodiscard]] const DatabaseConfig* configured(const FleetConfig& fleet, const DatabaseConfig& database) noexcept;

}  // namespace switchyard::inline v0::gateway
