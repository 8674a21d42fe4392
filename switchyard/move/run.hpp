// One verb of a mover while it works: the sessions of both sides, and what is known of the move.
//
// The work itself is in the files around it, as functions of a run: beginning.hpp, copying.hpp, repeating.hpp,
// comparing.hpp, switching.hpp, ending.hpp. Each begins with what `record` and `copy` say and leaves in them what
// the databases hold.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/lease.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/move/mover.hpp>
#include <switchyard/move/record.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::move {

/// Other processes that work on the same move.
enum class Others : std::uint8_t {
  kept_away,
  allowed,  ///< for those that only look
};

class Run {
 public:
  Run(Fleet& fleet, std::string from, std::string to, const MoveOptions& options, Others others);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Two fresh sessions, and what the databases hold; again for a run whose sessions are in an unknown state.
  [[nodiscard]] Task<void> open();

  [[nodiscard]] std::string name() const { return from + "-" + to; }
  /// "--from main --to analytics"
  [[nodiscard]] std::string ends() const { return "--from " + from + " --to " + to; }
  /// host:port/dbname, without credentials
  [[nodiscard]] std::string place_of(const std::string& database) const;
  /// One more session.
  [[nodiscard]] Task<Lease> lease(const std::string& database) const;
  [[nodiscard]] Lease& source() { return *source_; }
  [[nodiscard]] Lease& target() { return *target_; }

  /// The error says that there is no move.
  void require_record() const;
  [[nodiscard]] const MovePlan& plan() const { return record->plan; }

  void step(std::string_view name) const;
  void show(const Progress& progress) const;

  /// DDL that may have to wait for others: never for longer than they should wait for us.
  template <class F>
  [[nodiscard]] Task<void> with_short_locks(Lease& lease, F body) const {
    const TimePoint until = deadline_after(runtime::now(), options.switch_patience);
    for (;;) {
      const auto done = co_await as_result(lease.transaction([&](Transaction& tx) -> Task<void> {
        co_await limit_lock_waits(tx);
        co_await body(tx);
      }));
      if (done.ok()) co_return;
      co_await wait_for_locks(done.error(), until);
    }
  }

  Fleet& fleet;
  const std::string from, to;
  const MoveOptions& options;
  std::optional<SourceRecord> record;
  std::optional<TargetRecord> copy;
  MoveReport report;
  TimePoint locked_since{};  ///< by an attempt to switch
  unsigned idle_looks = 0;   ///< at logs that held nothing new

 private:
  static Task<void> limit_lock_waits(Transaction& tx);
  /// Throws what is no matter of locks, or has lasted too long.
  Task<void> wait_for_locks(Error error, TimePoint until) const;
  Task<void> prepare(Lease& lease) const;
  /// Of one that was killed the server may not know yet: what it had sent is done first.
  Task<void> keep_others_away(Lease& lease) const;

  const Others others_;
  std::optional<Lease> source_, target_;
};

/// Someone else's lock was waited for as long as we may.
[[nodiscard]] bool is_lock_timeout(const Error& error);
[[nodiscard]] Task<void> run_all(Transaction& tx, const std::vector<std::string>& statements);
/// The transaction goes on when the statement fails.
[[nodiscard]] Task<void> in_savepoint(Transaction& tx, const std::string& statement);
/// The move's own writes pass its fences and are not captured.
[[nodiscard]] Task<void> as_mover(Transaction& tx, const MovePlan& plan);

}  // namespace switchyard::inline v0::move
