#include <switchyard/move/ending.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/dependents.hpp>
#include <switchyard/move/fence.hpp>
#include <switchyard/move/former_home.hpp>
#include <switchyard/move/refusal.hpp>
#include <switchyard/move/repeating.hpp>
#include <switchyard/move/switching.hpp>

namespace switchyard::inline v0::move {
namespace {

Task<void> forget(Run& run, Transaction& tx) {
  co_await run_all(tx, drop_all_functions(run.plan()));
  co_await remove_records(tx, run.plan().tag);
}

/// The source's copy goes; what refuses in its place stays, and the record that says where the tables are.
Task<void> empty_source(Run& run) {
  co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> {
    co_await as_mover(tx, run.plan());
    co_await tx.script("TRUNCATE " + held_names(run.plan()));
    co_await run_all(tx, empty_dependents(run.plan()));
    co_await run_all(tx, drop_capture_statements(run.plan()));
    co_await set_phase(tx, run.plan().tag, Phase::confirmed);
  });
  run.record->phase = Phase::confirmed;
  run.step("confirmed");
}

Task<void> forget_in_target(Run& run) {
  co_await run.with_short_locks(run.target(), [&](Transaction& tx) -> Task<void> {
    co_await forget(run, tx);
    co_await forget_former_home(run, tx);
  });
  run.step("forgotten");
}

/// After the way back, where the copies stand aside.
Task<void> drop_in_target(Run& run) {
  co_await run.with_short_locks(run.target(), [&](Transaction& tx) -> Task<void> {
    co_await as_mover(tx, run.plan());
    co_await run_all(tx, step_back(run.plan()));
    co_await forget(run, tx);
    co_await drop_or_refuse_again(run, tx);
  });
  run.step("forgotten");
}

/// Before the switch.
Task<void> take_from_target(Run& run) {
  co_await run.with_short_locks(run.target(), [&](Transaction& tx) -> Task<void> {
    co_await as_mover(tx, run.plan());
    if (!run.copy->made_tables) co_await tx.script("TRUNCATE " + run.plan().name_list());
    co_await run_all(tx, lift_writes_fence(run.plan()));
    if (!run.copy->made_tables) co_await run_all(tx, triggers_as_before(run.plan()));
    co_await forget(run, tx);
    if (run.copy->made_tables) co_await drop_or_refuse_again(run, tx);
  });
  run.copy.reset();
  run.step("forgotten");
}

}  // namespace

Task<void> confirm(Run& run) {
  run.require_record();
  co_await settle(run);
  if (run.record->phase == Phase::switched) co_await empty_source(run);
  if (run.record->phase == Phase::confirmed) {
    if (run.copy) co_await forget_in_target(run);
    // Its name is free for another move.
    co_await run.source().execute(
        "UPDATE switchyard.moves SET name = name || ' ' || tag WHERE tag = $1 AND name = $2", run.plan().tag,
        run.plan().name);
    co_return;
  }
  if (run.record->phase != Phase::returned) {
    throw cant("the move has not been switched: there is nothing to confirm", "switchyard move goes on with it");
  }
  if (run.copy) co_await drop_in_target(run);
  co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> { co_await forget(run, tx); });
}

Task<void> abort(Run& run) {
  run.require_record();
  if (run.record->phase >= Phase::switched) {
    throw cant("the move has been switched: it can't be undone like this",
               "switchyard move rollback " + run.ends());
  }
  if (run.copy && run.copy->phase == CopyPhase::opened) co_await close_again(run);
  if (run.copy && run.copy->phase == CopyPhase::tied) co_await take_strays_of_target(run);
  if (run.copy) co_await take_from_target(run);
  co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> { co_await forget(run, tx); });
  run.report.notes.push_back("nothing of the move is left");
}

}  // namespace switchyard::inline v0::move
