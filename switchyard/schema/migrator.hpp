// Runs the migrations of one target on a fleet.
//
// A script and its row in the history commit together. One whose statements can't run inside a transaction gets its
// row first, as failed, and is done statement by statement; the row says how many are done (history_row.hpp).
// Whatever is killed, and when: nothing is half applied, and the next run goes on. Before CREATE INDEX CONCURRENTLY
// an invalid index of that name, which an earlier attempt has left, is dropped.
//
// Only one run works on a history: Flyway's advisory lock, tried and polled, because a session that waits inside
// pg_advisory_lock() would be waited for by CREATE INDEX CONCURRENTLY.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/schema/history_row.hpp>
#include <switchyard/schema/migrate_options.hpp>
#include <switchyard/schema/migration_report.hpp>
#include <switchyard/schema/targets.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

/// What a database says about its migrations.
struct TargetState {
  std::string schema;
  bool has_history = false;
  bool empty = true;  ///< nothing is in the schema; looked at only without a history
  std::vector<HistoryRow> history;
};

/// `fleet` and `target` outlive it. Errors are thrown (look, baseline, repair) or stand in the report (up).
class SWITCHYARD_API Migrator {
 public:
  Migrator(Fleet& fleet, MigrationTarget& target, MigrateOptions options, StepSink sink = {});
  ~Migrator();
  Migrator(const Migrator&) = delete;
  Migrator& operator=(const Migrator&) = delete;

  /// Reads, and changes nothing. Fills in the checksums of repeatable files with placeholders.
  [[nodiscard]] Task<TargetState> look();
  /// Applies what is to be applied.
  [[nodiscard]] Task<TargetReport> up();
  /// Over a session that serves several schemas: the report when there is nothing to do, else nothing. The target
  /// names its schema.
  [[nodiscard]] Task<std::optional<TargetReport>> glance(std::optional<Lease>& shared);
  /// Puts a BASELINE row into a history that holds none but the making of the schema.
  [[nodiscard]] Task<TargetReport> baseline();
  /// Removes rows of failed migrations, takes over checksums, descriptions and types of the files, and, when asked,
  /// marks what has no file as deleted. Unfinished ones are kept. The notes say what was done.
  [[nodiscard]] Task<TargetReport> repair(bool delete_missing);

 private:
  class Run;
  Fleet& fleet_;
  MigrationTarget& target_;
  MigrateOptions options_;
  StepSink sink_;
};

}  // namespace switchyard::inline v0::schema
