// Runs one statement of a script and says what it is doing when that takes long: who blocks it, how far an index
// is.
#pragma once

#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/schema/migration.hpp>
#include <switchyard/schema/migration_report.hpp>
#include <switchyard/scripts/script.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::schema {

/// What is told about a statement.
struct StatementPlace {
  const Migration* file = nullptr;
  std::size_t number = 1, count = 1;
};

class StatementRunner {
 public:
  /// `server_pid` is that of the session that runs the statements; 0: nobody is asked who blocks it.
  StatementRunner(DatabaseHandle handle, std::int32_t server_pid, std::string database, const StepSink& sink)
      : handle_(handle), server_pid_(server_pid), database_(std::move(database)), sink_(sink) {}

  /// Server errors name file and line.
  [[nodiscard]] Task<void> run(Querier& on, scripts::ScriptStatement statement, StatementPlace place);

 private:
  [[nodiscard]] Task<void> execute(Querier& on, scripts::ScriptStatement statement);
  [[nodiscard]] Task<void> watch(scripts::ScriptStatement statement, StatementPlace place);
  [[nodiscard]] Task<std::string> look();

  DatabaseHandle handle_;
  std::int32_t server_pid_;
  std::string database_;
  const StepSink& sink_;
};

}  // namespace switchyard::inline v0::schema
