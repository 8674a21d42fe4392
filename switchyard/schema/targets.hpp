// Where migrations belong: for each database of a fleet that has any, its files, its sessions and its history.
//
//   - database.NAME.migrations.locations: folders, beside the fleet file; `filesystem:` before them is Flyway's way
//   to
//     say so, `classpath:db/migration` means src/main/resources/db/migration of the service;
//   - without locations: migrations/NAME, beside the fleet file or in the folder that has its name;
//   - fleet.migrations (database/pg/migrations if there is one): files whose head names their database,
//     "-- Target: reference", by its logical or its physical name.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/schema/migration.hpp>
#include <switchyard/scripts/placeholders.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

struct MigrationTarget {
  std::string database;  ///< logical name
  std::string runs_on;   ///< the database whose sessions are used: itself, or what stands in for it
  std::string owner;     ///< role that scripts are run as, by SET ROLE; empty: the login
  std::string schema;    ///< of the history, made if it is missing; empty: where the session's search_path points
  std::string table = "flyway_schema_history";
  std::vector<std::string> after;      ///< databases whose migrations go first
  std::vector<std::string> folders;    ///< that files are from
  scripts::Placeholders placeholders;  ///< of the configuration
  scripts::PlaceholderMarks marks;
  MigrationSet set;
  std::string
      baseline_file;  ///< describes the state before the first migration, run on an empty database; or empty
};

/// Databases with migrations, in the order of the configuration. `root` is the folder that relative ones start
/// from; empty: that of the fleet file, else the current one. Config errors: a folder that was named and is not
/// there, a file of fleet.migrations with no or an unknown target, and those of read_folder() and arrange().
[[nodiscard]] SWITCHYARD_API Result<std::vector<MigrationTarget>> find_targets(const FleetConfig& fleet,
                                                                               std::string root = {});

/// Folder in which the next migration of a database would be looked for, whether it is there or not.
[[nodiscard]] SWITCHYARD_API std::string folder_for_new(const FleetConfig& fleet, const DatabaseConfig& database);

}  // namespace switchyard::inline v0::schema
