// What a script does to a database that is in use: the locks its statements take, and what squawk,
// strong_migrations and pgroll warn of, each with a safe way to do it. Judged from the text alone.
//
// A table that the same script (or an earlier one that has not run either) makes is nobody's yet: what only hurts
// those who use a table is not said of it. "-- squawk-ignore rule, rule" before a statement silences rules, "--
// squawk-ignore" all of them, "-- squawk-ignore-file rule" for the whole script.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::schema {

enum class LintLevel : std::uint8_t {
  hint,     ///< a better type or spelling
  warning,  ///< may break those who use the database, or loses data
  danger,   ///< blocks reads or writes for long on a large table, or fails
};

struct LintFinding {
  std::string rule;  ///< squawk's name where squawk has the rule
  LintLevel level = LintLevel::warning;
  std::size_t line = 1;
  std::string message;
  std::string safe;  ///< how to do it instead
};

struct StatementPlan {
  std::size_t line = 1;
  std::string words;               ///< "ALTER TABLE orders"
  std::vector<std::string> locks;  ///< "ACCESS EXCLUSIVE on orders"
  bool outside = false;            ///< of a transaction
};

struct ScriptJudgement {
  std::vector<StatementPlan> statements;
  std::vector<LintFinding> findings;  ///< by line
};

struct LintOptions {
  bool in_transaction = true;    ///< the script runs as one transaction
  bool timeouts_are_set = true;  ///< whoever runs it limits lock and statement times
  int server_version = 150000;
};

/// `known_new` holds tables that nobody uses yet, "schema.table" or "table"; those that this script makes are
/// added. What can't be parsed is a finding.
[[nodiscard]] SWITCHYARD_API ScriptJudgement judge_script(std::string_view text, std::set<std::string>& known_new,
                                                          const LintOptions& options = {});

struct LintRule {
  std::string_view name;
  std::string_view from;  ///< squawk, strong_migrations, pgroll
};
[[nodiscard]] SWITCHYARD_API std::span<const LintRule> lint_rules() noexcept;

}  // namespace switchyard::inline v0::schema
