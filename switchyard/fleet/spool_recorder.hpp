// A transaction on a database that is down: its statements are recorded, and kept as one entry when it commits.
#pragma once

#include <switchyard/fleet/spool_entry.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Takes what a transaction has recorded. `commit` is its COMMIT, which ends when that is durable.
class SpoolCommit {
 public:
  virtual void commit(session::OperationState& commit, SpoolEntry entry) noexcept = 0;

 protected:
  ~SpoolCommit() = default;
};

/// Stands for the session of a Channel. Statements succeed with 0 rows affected; one that wants rows is refused.
class SpoolRecorder {
 public:
  SpoolRecorder(std::shared_ptr<SpoolCommit> target, std::string database, std::string reason)
      : target_(std::move(target)), database_(std::move(database)), reason_(std::move(reason)) {}

  /// Ends the operation, at once or, for COMMIT, later.
  void start(session::OperationState& operation) noexcept;

 private:
  void command(session::OperationState& operation, std::string_view sql) noexcept;
  void record(session::OperationState& operation) noexcept;

  std::shared_ptr<SpoolCommit> target_;
  std::string database_;
  std::string reason_;
  SpoolEntry entry_;
  std::vector<std::size_t> savepoints_;  ///< how many statements there were at each open one
};

/// True for execute(), execute_many() and batch(): nothing of the answer is wanted but that it was done.
[[nodiscard]] bool wants_no_rows(const session::OperationState& operation) noexcept;

/// True for a text that reads: SELECT, VALUES, TABLE, SHOW, EXPLAIN, and WITH without a word that writes.
[[nodiscard]] bool is_read_text(std::string_view sql) noexcept;

}  // namespace switchyard::inline v0::fleet
