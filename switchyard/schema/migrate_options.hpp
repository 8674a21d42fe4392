// How migrations are run.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/schema/migration_state.hpp>
#include <switchyard/scripts/placeholders.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::schema {

struct MigrateOptions {
  StateOptions states;
  scripts::Placeholders placeholders;  ///< beside Flyway's own, ${flyway:defaultSchema} and its like
  bool replace_placeholders = true;

  // For databases that are in use. As PostgreSQL writes them ("1s"; "0" is no limit); a script's head may say
  // otherwise for itself: "-- switchyard: statement_timeout=10min". What can't run inside a transaction (CREATE
  // INDEX CONCURRENTLY, VACUUM) blocks nobody's work and has no limits of ours.
  std::string lock_timeout = "1s";       ///< a statement that waits longer for a lock gives way to those behind it
  std::string statement_timeout = "5s";  ///< and one that takes longer ends: it holds its locks all the while
  /// A script that could not get a lock (or met a deadlock) is rolled back and run again, this often, after a
  /// growing random pause of at most `longest_pause`.
  unsigned attempts = 30;
  Duration longest_pause = std::chrono::seconds(5);
  /// For the advisory lock that keeps other runs, and Flyway's, away.
  Duration lock_wait = std::chrono::minutes(10);

  bool validate = true;              ///< before anything is run
  bool baseline_on_migrate = false;  ///< a database with tables and without a history gets a baseline row first
  std::string baseline_version = "1";
  std::string baseline_description = "<< Flyway Baseline >>";
};

}  // namespace switchyard::inline v0::schema
