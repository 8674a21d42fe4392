// What `switchyard migrate` shows.
#pragma once

#include "console.hpp"
#include "options.hpp"

#include <switchyard/schema/catalogue_image.hpp>
#include <switchyard/schema/lint.hpp>
#include <switchyard/schema/migration_report.hpp>
#include <switchyard/schema/migration_state.hpp>
#include <switchyard/schema/targets.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::cli {

/// One line of `migrate status`.
struct MigrationLine {
  std::string version, description, script, state, installed_on, installed_by;
  std::int32_t execution_time = 0;
  scripts::ScriptHeader header;
  schema::MigrationState kind = schema::MigrationState::pending;
};

/// A script that `migrate plan` or `migrate lint` has looked at.
struct JudgedScript {
  std::string file;  ///< path
  std::string title;
  bool inside = true;  ///< one transaction
  schema::ScriptJudgement judgement;
};

/// What was found out about one database.
struct TargetView {
  std::string database, schema, runs_on;
  std::vector<std::string> folders;
  std::string version;  ///< the current one
  std::vector<MigrationLine> lines;
  std::vector<JudgedScript> scripts;
  std::vector<std::string> problems, ignored;
  std::vector<schema::Drift> drifts;
  std::optional<Error> error;
};

[[nodiscard]] std::string show_status(const std::vector<TargetView>& targets, const GlobalOptions& global,
                                      const Console& console);
[[nodiscard]] std::string show_plan(const std::vector<TargetView>& targets, const GlobalOptions& global,
                                    const Console& console);
[[nodiscard]] std::string show_validation(const std::vector<TargetView>& targets, const GlobalOptions& global,
                                          const Console& console);
[[nodiscard]] std::string show_drift(const std::vector<TargetView>& targets, const GlobalOptions& global,
                                     const Console& console);
[[nodiscard]] std::string show_lint(const std::vector<JudgedScript>& scripts, const GlobalOptions& global,
                                    const Console& console);
[[nodiscard]] std::string show_reports(const std::vector<schema::TargetReport>& reports,
                                       const GlobalOptions& global, const Console& console);
/// One line of progress.
[[nodiscard]] std::string show_step(const schema::MigrationStep& step);

}  // namespace switchyard::cli
