#include <switchyard/move/switching.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/dependents.hpp>
#include <switchyard/move/fence.hpp>
#include <switchyard/move/refusal.hpp>
#include <switchyard/move/repeating.hpp>
#include <switchyard/move/sequences.hpp>
#include <switchyard/move/structure.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {
namespace {

using namespace std::chrono_literals;

/// An attempt gives up after this when somebody holds the tables: whoever came after it goes on.
constexpr std::string_view kLockTimeout = "250ms";
/// Of the pause: what getting the locks and the last commit may take.
constexpr Duration kLocksAndCommit = 300ms;
/// Between attempts.
constexpr Duration kPauseMin = 200ms;
constexpr Duration kPauseMax = 3s;

/// What was changed in the meantime, if anything.
Task<std::string> changed_shapes(Run& run, Transaction& tx) {
  const std::vector<std::string> shapes = co_await read_shapes(tx, run.plan());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const TablePlan& table = run.plan().tables[i];
    if (shapes[i] != table.shape)
      co_return table.shown() + " were changed (" + table.shape + " -> " + shapes[i] + ")";
  }
  co_return std::string();
}

Task<void> require_shapes(Run& run, Transaction& tx) {
  const std::string changed = co_await changed_shapes(run, tx);
  if (changed.empty()) co_return;
  throw cant("during the move the columns or partitions of " + changed, "switchyard move abort, and begin again");
}

/// What was written to partitions that were made since was not logged.
Task<void> require_shapes_for_the_way_back(Run& run, Transaction& tx) {
  const std::string changed = co_await changed_shapes(run, tx);
  if (changed.empty()) co_return;
  throw cant("since the switch the columns or partitions of " + changed,
             "make them as they were; or switchyard move confirm " + run.ends() + ", and move the tables back");
}

/// Views first, as queries lock them; writers wait from the tables on.
Task<void> lock_tables(Run& run, Transaction& tx) {
  co_await tx.script("SET LOCAL statement_timeout = '" + std::string(kLockTimeout) + "'");
  co_await run_all(tx, put_dependents_aside(run.plan()));
  run.locked_since = runtime::now();
  co_await tx.script(lock_statement(run.plan()) + "; SET LOCAL statement_timeout = 0");
}

Task<std::vector<SequenceValue>> put_aside(Run& run, Transaction& tx, FenceText text) {
  co_await run_all(tx, fence_functions(run.plan(), text));
  co_await run_all(tx, triggers_off(run.plan()));
  co_await run_all(tx, stand_aside(run.plan()));
  co_return co_await read_sequences(tx, run.plan());
}

/// Who owns the data of a database that another one stands in for, as fleets read it there.
Task<void> write_owner(Transaction& tx, const std::string& database, const std::string& owner,
                       const std::string& place) {
  co_await tx.script(
      "CREATE TABLE IF NOT EXISTS switchyard.ownership (database text PRIMARY KEY, owner text NOT NULL,"
      " location text NOT NULL, decided_at timestamptz NOT NULL DEFAULT clock_timestamp())");
  co_await tx.execute(
      "INSERT INTO switchyard.ownership (database, owner, location) VALUES ($1, $2, $3) ON CONFLICT (database)"
      " DO UPDATE SET owner = excluded.owner, location = excluded.location, decided_at = clock_timestamp()"
      " WHERE (ownership.owner, ownership.location) IS DISTINCT FROM (excluded.owner, excluded.location)",
      database, owner, place);
}

Task<void> own(Run& run, Transaction& tx, const std::string& owner) {
  if (run.options.stands_in) co_await write_owner(tx, run.to, owner, run.plan().to_place);
}

/// Where the target has the map it can't be written together with the source: only once the source has committed.
Task<void> own_at_home(Run& run, const std::string& owner) {
  if (!run.options.goes_home) co_return;
  co_await run.target().transaction(
      [&](Transaction& tx) -> Task<void> { co_await write_owner(tx, run.from, owner, run.plan().from_place); });
}

/// Under the lock.
Task<void> flip(Run& run, Transaction& tx) {
  co_await require_shapes(run, tx);
  const std::vector<SequenceValue> sequences = co_await put_aside(run, tx, moved_away(run.plan()));
  co_await repeat(run, tx, run.target(), run.copy->position, &run.copy->copied, {});
  // From here on what it holds was written where nobody should have.
  co_await tx.execute("DELETE FROM " + run.plan().object("log"));
  co_await run.target().transaction([&](Transaction& other) -> Task<void> {
    co_await as_mover(other, run.plan());
    co_await set_sequences(other, sequences);
    co_await run_all(other, lift_writes_fence(run.plan()));
    co_await run_all(other, triggers_as_before(run.plan()));
    co_await set_phase(other, run.plan().tag, CopyPhase::opened);
  });
  run.copy->phase = CopyPhase::opened;
  run.step("opened");
  co_await tx.script(apply_function(run.plan(), Standing::aside));
  co_await own(run, tx, run.to);
  co_await set_phase(tx, run.plan().tag, Phase::switched);
}

/// Under the lock on the target's tables, which go aside there. The source is open before they have: until they
/// have gone nobody is told.
Task<void> flip_back(Run& run, Transaction& tx) {
  co_await require_shapes_for_the_way_back(run, tx);
  const std::vector<SequenceValue> sequences = co_await put_aside(run, tx, back_again(run.plan()));
  co_await repeat(run, tx, run.source(), run.record->back, nullptr, {});
  co_await run.source().transaction([&](Transaction& other) -> Task<void> {
    co_await as_mover(other, run.plan());
    co_await run_all(other, step_back(run.plan()));
    co_await run_all(other, triggers_as_before(run.plan()));
    co_await set_sequences(other, sequences);
    co_await set_phase(other, run.plan().tag, Phase::returning);
  });
  run.record->phase = Phase::returning;
  run.step("reopened");
  co_await set_phase(tx, run.plan().tag, CopyPhase::closed);
}

/// Behind an attempt that has changed nothing: mends what it left, and waits. Throws when it makes no sense to go
/// on.
Task<void> before_next_attempt(Run& run, Error error, TimePoint until) {
  if (!is_lock_timeout(error) && error.kind() != ErrorKind::Deadline) throw error;
  const std::string attempts = std::to_string(run.report.attempts);
  if (runtime::now() >= until) {
    throw Error(ErrorKind::Unavailable,
                "the switch found no gap in " + attempts +
                    " attempts: somebody keeps locks on the tables, or writes faster than is repeated")
        .with_hint(
            "everything is copied: switchyard move goes on from here; long transactions are in pg_stat_activity");
  }
  run.show({.step = "wait", .what = "for a gap between transactions, attempt " + attempts});
  co_await run.open();
  if (run.copy->phase == CopyPhase::opened && run.record->phase < Phase::switched) co_await close_again(run);
  co_await settle(run);
}

/// Makes `attempt` until it succeeds, or the move is at `goal`. One that could not get its locks, or took too long,
/// has changed nothing.
template <class F>
Task<void> with_pauses(Run& run, Phase goal, F attempt) {
  const TimePoint until = deadline_after(runtime::now(), run.options.switch_patience);
  for (Duration pause = kPauseMin;; pause = std::min(pause * 2, kPauseMax)) {
    ++run.report.attempts;
    const auto done = co_await as_result(attempt());
    if (done.ok()) break;
    co_await before_next_attempt(run, done.error(), until);
    if (run.record->phase >= goal) co_return;
    co_await sleep(pause);
  }
  run.report.pause = runtime::now() - run.locked_since;
}

}  // namespace

Task<void> switch_over(Run& run) {
  co_await with_pauses(run, Phase::switched, [&]() -> Task<void> {
    co_await catch_up(run, kFewChanges);
    co_await run.source().transaction([&](Transaction& tx) -> Task<void> {
      co_await lock_tables(run, tx);
      co_await with_timeout(flip(run, tx), run.options.pause - kLocksAndCommit);
      // Nothing waits any more but for this commit.
    });
  });
  run.record->phase = Phase::switched;
  run.step("switched");
  co_await own_at_home(run, run.to);
}

Task<void> switch_back(Run& run) {
  co_await with_pauses(run, Phase::returned, [&]() -> Task<void> {
    co_await catch_up_back(run, kFewChanges);
    co_await run.target().transaction([&](Transaction& tx) -> Task<void> {
      co_await lock_tables(run, tx);
      co_await with_timeout(flip_back(run, tx), run.options.pause - kLocksAndCommit);
    });
  });
  if (run.record->phase == Phase::returned) co_return;
  run.copy->phase = CopyPhase::closed;
  run.step("closed");
  co_await settle(run);
}

Task<void> close_again(Run& run) {
  co_await run.with_short_locks(run.target(), [&](Transaction& tx) -> Task<void> {
    co_await tx.script(lock_statement(run.plan()));
    co_await run_all(tx, triggers_off(run.plan()));
    co_await run_all(tx, writes_fence(run.plan()));
    co_await set_phase(tx, run.plan().tag, CopyPhase::tied);
  });
  run.copy->phase = CopyPhase::tied;
  run.step("closed");
  co_await take_strays_of_target(run);
}

Task<void> settle(Run& run) {
  if (run.record->phase == Phase::switched) {
    co_await take_strays_of_source(run);
    co_await own_at_home(run, run.to);
  }
  if (run.record->phase != Phase::returning) co_return;
  if (run.copy && run.copy->phase == CopyPhase::closed) {
    co_await own_at_home(run, run.from);
    co_await run.source().transaction([&](Transaction& tx) -> Task<void> {
      co_await own(run, tx, run.from);
      co_await set_phase(tx, run.plan().tag, Phase::returned);
    });
    run.record->phase = Phase::returned;
    run.step("returned");
    co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> {
      co_await run_all(tx, drop_capture_statements(run.plan()));
    });
    co_return;
  }
  co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, put_dependents_aside(run.plan()));
    co_await tx.script(lock_statement(run.plan()));
    co_await run_all(tx, triggers_off(run.plan()));
    co_await run_all(tx, stand_aside(run.plan()));
    co_await tx.script(apply_function(run.plan(), Standing::aside));
    co_await set_phase(tx, run.plan().tag, Phase::switched);
  });
  run.record->phase = Phase::switched;
  run.step("closed again");
  co_await take_strays_of_source(run);
}

}  // namespace switchyard::inline v0::move
