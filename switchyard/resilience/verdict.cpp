#include <switchyard/resilience/verdict.hpp>

namespace switchyard::inline v0::resilience {
namespace {

// A plan that no longer fits (0A000) is told from a missing feature by the routine that says so; the text is
// translated.
constexpr std::string_view kFeatureNotSupported = "0A000";
constexpr std::string_view kStalePlanRoutine = "RevalidateCachedQuery";
// What FATAL during connecting says about the endpoint as such: it refuses us, or the database is not there.
constexpr std::string_view kInvalidAuthorizationClass = "28";
constexpr std::string_view kNoSuchDatabase = "3D000";

bool nothing_was_sent(const Error& error) noexcept {
  return error.stage() == ErrorStage::queued || error.stage() == ErrorStage::connecting;
}

CallOutcome outcome_of(ServerHealth health, bool session_alive) noexcept {
  switch (health) {
    case ServerHealth::answers: return CallOutcome::answered;
    case ServerHealth::fails: return CallOutcome::failed;
    case ServerHealth::fails_if_lost: return session_alive ? CallOutcome::answered : CallOutcome::failed;
  }
  return CallOutcome::answered;
}

/// The session ended under the work, without a word of the server that settles it.
Again after_loss(Effects effects) noexcept { return effects == Effects::committed ? Again::in_doubt : Again::safe; }

Verdict of_server(const Error& error, Effects effects) noexcept {
  const std::string_view sqlstate = error.sqlstate();
  const RetryRule& rule = retry_rule(sqlstate);
  Verdict verdict;
  verdict.outcome = outcome_of(rule.health, error.session_alive());
  switch (rule.retry) {
    case RetryClass::retry:
      verdict.again = Again::safe;
      verdict.pause = Pause::contention;
      return verdict;
    case RetryClass::retry_later:
      verdict.again = Again::safe;
      verdict.pause = Pause::outage;
      return verdict;
    case RetryClass::in_doubt_if_sent:
      verdict.again = after_loss(effects);
      verdict.pause = Pause::outage;
      return verdict;
    case RetryClass::re_resolve:
      verdict.again = Again::safe;
      verdict.re_resolve = true;
      return verdict;
    case RetryClass::drop_statement: verdict.again = Again::safe; return verdict;
    case RetryClass::never: break;
  }
  if (sqlstate == kFeatureNotSupported && error.server() != nullptr &&
      error.server()->routine == kStalePlanRoutine) {
    verdict.again = Again::safe;
    return verdict;
  }
  // FATAL and PANIC under a COMMIT: the server may have fallen behind the point of no return.
  if (!error.session_alive() && effects == Effects::committed) verdict.again = Again::in_doubt;
  return verdict;
}

/// While a session was being opened: nothing can have happened, and the endpoint did not let us in.
Verdict of_connecting(const Error& error) noexcept {
  Verdict verdict;
  verdict.outcome = CallOutcome::failed;
  const std::string_view sqlstate = error.sqlstate();
  const bool refused_for_good = error.kind() == ErrorKind::Config || error.kind() == ErrorKind::Protocol ||
                                sqlstate.starts_with(kInvalidAuthorizationClass) || sqlstate == kNoSuchDatabase;
  if (!refused_for_good) {
    verdict.again = Again::safe;
    verdict.pause = Pause::outage;
  }
  return verdict;
}

}  // namespace

Verdict classify(const Error& error, Effects effects) noexcept {
  if (error.stage() == ErrorStage::commit_sent) effects = Effects::committed;
  Verdict verdict;
  switch (error.kind()) {
    case ErrorKind::Server:
      return error.stage() == ErrorStage::connecting ? of_connecting(error) : of_server(error, effects);
    case ErrorKind::Config:
      if (error.stage() == ErrorStage::connecting) return of_connecting(error);
      return verdict;
    case ErrorKind::Unavailable:
      if (error.stage() == ErrorStage::connecting) return of_connecting(error);
      verdict.pause = Pause::outage;
      if (error.stage() == ErrorStage::queued) {
        // A breaker, a pause or a limit of ours said no.
        verdict.again = Again::safe;
        return verdict;
      }
      verdict.again = after_loss(effects);
      verdict.outcome = CallOutcome::failed;
      return verdict;
    case ErrorKind::PoolExhausted:
      verdict.again = Again::safe;
      verdict.pause = Pause::outage;
      return verdict;
    case ErrorKind::Deadline:
      // There is no time left for another try. The endpoint is to blame if it could not be reached, or if it
      // stayed silent even when asked to cancel.
      if (error.stage() == ErrorStage::connecting || (!nothing_was_sent(error) && !error.session_alive())) {
        verdict.outcome = CallOutcome::failed;
      } else if (!nothing_was_sent(error)) {
        verdict.outcome = CallOutcome::answered;
      }
      return verdict;
    case ErrorKind::Protocol:
      verdict.outcome = CallOutcome::failed;
      if (!nothing_was_sent(error) && effects == Effects::committed) verdict.again = Again::in_doubt;
      return verdict;
    case ErrorKind::InDoubt:
      verdict.again = Again::in_doubt;
      verdict.pause = Pause::outage;
      verdict.outcome = CallOutcome::failed;
      return verdict;
    case ErrorKind::Mapping: verdict.outcome = CallOutcome::answered; return verdict;
    case ErrorKind::Usage:
    case ErrorKind::Cancelled:
    case ErrorKind::Closed: return verdict;
  }
  return verdict;
}

std::string_view to_string(Effects value) noexcept {
  switch (value) {
    case Effects::none: return "none";
    case Effects::rolled_back: return "rolled_back";
    case Effects::committed: return "committed";
  }
  return "unknown";
}

std::string_view to_string(Again value) noexcept {
  switch (value) {
    case Again::never: return "never";
    case Again::safe: return "safe";
    case Again::in_doubt: return "in_doubt";
  }
  return "unknown";
}

std::string_view to_string(CallOutcome value) noexcept {
  switch (value) {
    case CallOutcome::answered: return "answered";
    case CallOutcome::failed: return "failed";
    case CallOutcome::ignored: return "ignored";
  }
  return "unknown";
}

}  // namespace switchyard::inline v0::resilience
