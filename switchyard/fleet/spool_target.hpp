// The drainer's side in the database itself: the progress row, and entries applied together with it.
#pragma once

#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/spool_drain.hpp>
#include <switchyard/fleet/spool_entry.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/values/uuid.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// An entry ready to be applied.
struct ReadyEntry {
  std::int64_t position = 0;
  Uuid entry;
  SpoolEntry statements;
};

/// What apply() came to, and why it did not work.
struct Applied {
  DrainOutcome outcome = DrainOutcome::done;
  std::optional<Error> error;
};

class SpoolTarget {
 public:
  SpoolTarget(std::shared_ptr<Route> target, std::string database)
      : target_(std::move(target)), database_(std::move(database)) {}

  /// Takes the progress row over and gives the entries it names; none if a higher token is there. Throws Error.
  Task<std::optional<std::vector<Uuid>>> resume(std::string source, std::int64_t token);
  /// The statements in a transaction of their own, without a progress row. Throws Error.
  Task<void> run(SpoolEntry& entry);
  /// All entries and the progress row in one transaction, in order. Does not throw.
  Task<Applied> apply(std::string source, std::int64_t token, std::vector<ReadyEntry> entries);

 private:
  std::shared_ptr<Route> target_;
  std::string database_;
  bool has_table_ = false;
};

/// What an error of apply() means for the entry.
[[nodiscard]] DrainOutcome drain_outcome_of(const Error& error) noexcept;

}  // namespace switchyard::inline v0::fleet
