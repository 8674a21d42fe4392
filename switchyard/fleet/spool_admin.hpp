// What an operator does with spools and maintenance: the ground of `switchyard spool` and `switchyard maintenance`.
// All work on the tables in the fallback database, so they work while every program of the fleet is down.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

/// The spool of one database.
struct SpoolSummary {
  std::string database;
  std::string fallback;
  bool open = false;
  std::string reason;  ///< why it was opened the last time
  bool maintenance = false;
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
  Duration age{};  ///< of the oldest entry
  std::int64_t refused = 0;
};

/// One entry, waiting or refused.
struct SpoolItem {
  std::string entry;  ///< its identifier
  std::int64_t position = 0;
  std::string summary;
  std::string label;  ///< of the request that wrote it
  std::int64_t bytes = 0;
  Duration age{};
  bool refused = false;
  std::string sqlstate;  ///< of a refused one
  std::string error;
};

/// The database that keeps the spool and the maintenance of another one: its fallback, else main, else itself.
/// Usage error with "did you mean" for an unknown name.
[[nodiscard]] SWITCHYARD_API Result<std::string> spool_home(const FleetConfig& fleet, std::string_view database);

// All throw Error. Where the tables were never made there is nothing to show or change.
SWITCHYARD_API Task<SpoolSummary> summarise_spool(Fleet& fleet, std::string database);
/// Refused ones first, then those that wait in their order; at most `limit` of each.
SWITCHYARD_API Task<std::vector<SpoolItem>> list_spool(Fleet& fleet, std::string database, std::int64_t limit);
/// Puts a refused entry (none given: all) at the end of the spool, which opens for it. Gives their number.
SWITCHYARD_API Task<std::uint64_t> retry_refused(Fleet& fleet, std::string database,
                                                 std::optional<std::string> entry);
/// Deletes a refused entry for good. Gives their number.
SWITCHYARD_API Task<std::uint64_t> drop_refused(Fleet& fleet, std::string database, std::string entry);

/// Every process of the fleet sees it within seconds. Without `length` until end_maintenance().
SWITCHYARD_API Task<void> begin_maintenance(Fleet& fleet, std::string database, std::optional<Duration> length);
/// False if there was none.
SWITCHYARD_API Task<bool> end_maintenance(Fleet& fleet, std::string database);

/// The statements that make the tables: of the database that keeps, and of the one that spools.
[[nodiscard]] SWITCHYARD_API std::string spool_ddl();

}  // namespace switchyard::inline v0
