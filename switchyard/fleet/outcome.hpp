// What became of an operation: may it run again, and what does that say of its endpoint?
#pragma once

#include <switchyard/resilience/verdict.hpp>
#include <switchyard/session/operation_state.hpp>

namespace switchyard::inline v0::fleet {

/// What a failed operation could have left behind, if it was sent.
[[nodiscard]] resilience::Effects effects_of(const session::OperationState& operation) noexcept;

/// Judges an operation whose answer is complete. An error of the server that leaves open whether a COMMIT (or an
/// autocommit write) was applied becomes InDoubt; one that ended the session with a transaction in it becomes
/// Unavailable.
resilience::Verdict judge_outcome(session::OperationState& operation) noexcept;

/// It may be run from its beginning: nothing of its answer was handed out, and if it was sent, it is one statement
/// that happens whole or not at all.
[[nodiscard]] bool may_run_again(const session::OperationState& operation) noexcept;

}  // namespace switchyard::inline v0::fleet
