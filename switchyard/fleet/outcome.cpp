#include <switchyard/fleet/outcome.hpp>

#include <switchyard/session/effects.hpp>

namespace switchyard::inline v0::fleet {

using resilience::Again;
using resilience::Effects;
using resilience::Verdict;

Effects effects_of(const session::OperationState& operation) noexcept {
  if (operation.uncancellable) return Effects::committed;
  if (operation.read_only || operation.idempotent) return Effects::none;
  return operation.in_transaction || operation.undecided ? Effects::rolled_back : Effects::committed;
}

Verdict judge_outcome(session::OperationState& operation) noexcept {
  if (!operation.error()) return {.outcome = resilience::CallOutcome::answered};
  const Error& error = *operation.error();
  const Verdict verdict = resilience::classify(error, effects_of(operation));
  if (verdict.again == Again::in_doubt && error.kind() != ErrorKind::InDoubt) {
    operation.replace_error(
        error.with_context("the server's answer leaves open whether the statement was applied")
            .with_kind(ErrorKind::InDoubt)
            .with_stage(ErrorStage::commit_sent)
            .with_hint("find out whether it was applied before doing it again, or declare it idempotent"));
  }
  const bool rolled_back = operation.in_transaction && !operation.uncancellable;
  if (error.kind() == ErrorKind::Server && !error.session_alive() && rolled_back && verdict.again == Again::safe) {
    operation.replace_error(error.with_context("the session was lost, the transaction was rolled back")
                                .with_kind(ErrorKind::Unavailable));
  }
  return verdict;
}

bool may_run_again(const session::OperationState& operation) noexcept {
  if (operation.abandoned() || operation.expired() || !operation.restartable()) return false;
  const ErrorStage stage = operation.error()->stage();
  if (stage == ErrorStage::queued || stage == ErrorStage::connecting) return true;
  return !operation.script && operation.parts.size() == 1 && operation.repeats.empty() &&
         session::happens_whole(operation.parts.front().sql);
}

}  // namespace switchyard::inline v0::fleet
