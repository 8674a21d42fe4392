#include <switchyard/resilience/verdict.hpp>

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace switchyard {
namespace resilience {
void PrintTo(Again value, std::ostream* out) { *out << to_string(value); }
void PrintTo(CallOutcome value, std::ostream* out) { *out << to_string(value); }
}  // namespace resilience
namespace {

using namespace resilience;
using enum ErrorKind;

Error server(std::string sqlstate, std::string severity = "ERROR", ErrorStage stage = ErrorStage::sent) {
  return {ServerFields{.severity = std::move(severity), .sqlstate = std::move(sqlstate), .message = "said"}, stage};
}

Error lost(ErrorKind kind = Unavailable, ErrorStage stage = ErrorStage::sent) {
  return Error(kind, "server closed the connection unexpectedly", stage).with_session_lost();
}

void expect(const Error& error, Effects effects, Again again, CallOutcome outcome) {
  const Verdict verdict = classify(error, effects);
  EXPECT_EQ(verdict.again, again) << error.what() << ", effects " << to_string(effects);
  EXPECT_EQ(verdict.outcome, outcome) << error.what() << ", effects " << to_string(effects);
}

TEST(Verdict, WorkThatLostAgainstOtherWorkRunsAgainWhateverItWouldHaveDone) {
  for (const char* code : {"40001", "40P01", "55P03"}) {
    for (Effects effects : {Effects::none, Effects::rolled_back, Effects::committed}) {
      expect(server(code), effects, Again::safe, CallOutcome::answered);
      EXPECT_EQ(classify(server(code), effects).pause, Pause::contention);
    }
  }
}

TEST(Verdict, FullServerIsAFailureOfTheEndpointAndAReasonToWaitLonger) {
  expect(server("53300"), Effects::committed, Again::safe, CallOutcome::failed);
  EXPECT_EQ(classify(server("53300")).pause, Pause::outage);
}

TEST(Verdict, ShutdownUnderACommitIsInDoubtAndUnderATransactionIsNot) {
  for (const char* code : {"57P01", "57P02", "08006"}) {
    expect(server(code, "FATAL"), Effects::committed, Again::in_doubt, CallOutcome::failed);
    expect(server(code, "FATAL"), Effects::rolled_back, Again::safe, CallOutcome::failed);
    expect(server(code, "FATAL"), Effects::none, Again::safe, CallOutcome::failed);
    expect(server(code, "FATAL", ErrorStage::commit_sent), Effects::rolled_back, Again::in_doubt,
           CallOutcome::failed);
  }
}

TEST(Verdict, EndOfTheSessionUnderACommitIsInDoubtWhateverCodeComesWithIt) {
  expect(server("XX000", "PANIC"), Effects::committed, Again::in_doubt, CallOutcome::failed);
  expect(server("25P03", "FATAL"), Effects::committed, Again::in_doubt, CallOutcome::answered);
  expect(server("XX000"), Effects::committed, Again::never, CallOutcome::answered);
}

TEST(Verdict, MistakesOfTheStatementAreAnswers) {
  for (const char* code : {"23505", "42601", "22012", "42501", "57014", "P0001"}) {
    expect(server(code), Effects::committed, Again::never, CallOutcome::answered);
  }
}

TEST(Verdict, ConnectionErrorsOfAForeignServerDoNotBlameTheEndpointThatReportsThem) {
  expect(server("08001"), Effects::committed, Again::in_doubt, CallOutcome::answered);
  expect(server("08001"), Effects::rolled_back, Again::safe, CallOutcome::answered);
}

TEST(Verdict, StandbyThatWasThePrimaryIsResolvedAnewAtOnce) {
  const Verdict verdict = classify(server("25006"));
  EXPECT_EQ(verdict.again, Again::safe);
  EXPECT_EQ(verdict.pause, Pause::none);
  EXPECT_TRUE(verdict.re_resolve);
}

TEST(Verdict, StalePlanIsToldFromAMissingFeatureByTheRoutine) {
  ServerFields fields{
      .severity = "ERROR", .sqlstate = "0A000", .message = "cached plan must not change result type"};
  expect(Error(fields, ErrorStage::sent), Effects::committed, Again::never, CallOutcome::answered);
  fields.routine = "RevalidateCachedQuery";
  expect(Error(fields, ErrorStage::sent), Effects::committed, Again::safe, CallOutcome::answered);
}

TEST(Verdict, LostSessionIsInDoubtOnlyForWhatMayHaveBeenApplied) {
  expect(lost(), Effects::none, Again::safe, CallOutcome::failed);
  expect(lost(), Effects::rolled_back, Again::safe, CallOutcome::failed);
  expect(lost(), Effects::committed, Again::in_doubt, CallOutcome::failed);
  expect(lost(InDoubt, ErrorStage::commit_sent), Effects::committed, Again::in_doubt, CallOutcome::failed);
}

TEST(Verdict, EndpointThatCannotBeReachedHasFailedAndNothingHappened) {
  for (Effects effects : {Effects::none, Effects::rolled_back, Effects::committed}) {
    expect(Error(Unavailable, "connection refused", ErrorStage::connecting), effects, Again::safe,
           CallOutcome::failed);
    expect(server("57P03", "FATAL", ErrorStage::connecting), effects, Again::safe, CallOutcome::failed);
  }
}

TEST(Verdict, EndpointThatDoesNotLetUsInHasFailedForGood) {
  expect(server("28P01", "FATAL", ErrorStage::connecting), Effects::none, Again::never, CallOutcome::failed);
  expect(server("3D000", "FATAL", ErrorStage::connecting), Effects::none, Again::never, CallOutcome::failed);
  expect(Error(Config, "certificate verify failed", ErrorStage::connecting), Effects::none, Again::never,
         CallOutcome::failed);
  // As answers to a statement the same codes are the statement's matter.
  expect(server("3D000"), Effects::none, Again::never, CallOutcome::answered);
}

TEST(Verdict, LimitsOfOurOwnSayNothingAboutTheEndpoint) {
  expect(Error(PoolExhausted, "no session free"), Effects::committed, Again::safe, CallOutcome::ignored);
  expect(Error(Unavailable, "the breaker is OPEN"), Effects::committed, Again::safe, CallOutcome::ignored);
  expect(Error(Usage, "wrong thread"), Effects::committed, Again::never, CallOutcome::ignored);
  expect(Error(Cancelled, "given up"), Effects::committed, Again::never, CallOutcome::ignored);
  expect(Error(Closed, "the fleet was closed"), Effects::committed, Again::never, CallOutcome::ignored);
  expect(Error(Config, "no DSN"), Effects::committed, Again::never, CallOutcome::ignored);
  expect(Error(Mapping, "does not fit", ErrorStage::sent), Effects::committed, Again::never, CallOutcome::answered);
}

TEST(Verdict, DeadlineBlamesTheEndpointOnlyIfItWasAskedAndStayedSilent) {
  expect(Error(Deadline, "queued"), Effects::none, Again::never, CallOutcome::ignored);
  expect(Error(Deadline, "connecting", ErrorStage::connecting), Effects::none, Again::never, CallOutcome::failed);
  expect(Error(Deadline, "cancelled", ErrorStage::sent), Effects::none, Again::never, CallOutcome::answered);
  expect(lost(Deadline), Effects::none, Again::never, CallOutcome::failed);
}

TEST(Verdict, CommitAnsweredByRollbackIsAnAnswer) {
  expect(Error(Server, "COMMIT was answered by ROLLBACK", ErrorStage::sent), Effects::committed, Again::never,
         CallOutcome::answered);
}

}  // namespace
}  // namespace switchyard
