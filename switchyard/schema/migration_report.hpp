// What became of the migrations of one target, and what happens meanwhile.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

struct AppliedScript {
  std::string version, description, script;
  Duration took{};
};

struct TargetReport {
  std::string database, schema;
  std::string from, to;  ///< versions before and after; empty: none
  std::vector<AppliedScript> applied;
  std::vector<std::string> problems;  ///< of validation
  std::vector<std::string> notes;
  std::optional<Error> error;
  std::string failed_script;
  Duration took{};
  [[nodiscard]] bool ok() const noexcept { return !error && problems.empty(); }
};

enum class StepKind : std::uint8_t {
  waits_for_run,  ///< another run, ours or Flyway's, has the lock
  script_begins,
  statement,  ///< one that has taken a second: what it does, who blocks it
  retry,
  script_done,
  note,
};

struct MigrationStep {
  StepKind kind = StepKind::note;
  std::string database;
  std::string script;
  std::string text;
  Duration elapsed{};
};
using StepSink = std::function<void(const MigrationStep&)>;

}  // namespace switchyard::inline v0::schema
