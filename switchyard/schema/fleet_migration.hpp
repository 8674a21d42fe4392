// The migrations of a whole fleet: databases that are independent side by side, those that share a schema one after
// the other in the order of the configuration.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_function.hpp>
#include <switchyard/schema/migrate_options.hpp>
#include <switchyard/schema/migration_report.hpp>
#include <switchyard/schema/targets.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

/// The configuration for migrating one database: it and nothing beside, one session and one to look with, without
/// limits on how long a command may take.
[[nodiscard]] SWITCHYARD_API FleetConfig config_for(const FleetConfig& fleet, const std::string& database);

/// Calls `work` for each target with a fleet opened for it, at most `jobs` at a time. Targets on one schema of one
/// database wait for each other, and each for those that it comes after (MigrationTarget::after). Exceptions of
/// `work` become the error of its report. Call it on a shard.
enum class AfterFailure : std::uint8_t {
  go_on,
  stop,  ///< a target that comes after one that failed is not begun
};
[[nodiscard]] SWITCHYARD_API Task<std::vector<TargetReport>> for_each_target(
    const FleetConfig& fleet, std::vector<MigrationTarget>& targets, std::size_t jobs,
    const TaskFunction<TargetReport(Fleet&, MigrationTarget&)>& work, AfterFailure after = AfterFailure::go_on);

/// Applies what is to be applied. One report a target, in their order.
[[nodiscard]] SWITCHYARD_API Task<std::vector<TargetReport>> migrate_all(const FleetConfig& fleet,
                                                                         std::vector<MigrationTarget>& targets,
                                                                         const MigrateOptions& options,
                                                                         std::size_t jobs, StepSink sink = {});

/// For a program that brings its databases up to date before it opens its fleet: those with
/// migrations.migrate_at_start, found beside the fleet file. Throws the first error.
[[nodiscard]] SWITCHYARD_API Task<std::vector<TargetReport>> migrate_at_start(const FleetConfig& fleet);

}  // namespace switchyard::inline v0::schema
