#include <switchyard/protocol/pipeline.hpp>

#include <switchyard/protocol/testing/pipeline_script.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace switchyard::inline v0::protocol {
namespace {

using namespace testing;  // NOLINT: scripts read better
using Outcome = Pipeline::Outcome;
using StepKind = Pipeline::StepKind;
using Submitted = Pipeline::Submitted;

Script::Client parse(std::string sink, std::string name = "", std::string sql = "SELECT 1") {
  return [=](Play& p) { return p.pipeline.parse(name, sql, {}, p.step(sink)); };
}
Script::Client bind(std::string sink) {
  return [=](Play& p) { return p.pipeline.bind("", "", {}, {}, p.step(sink)); };
}
Script::Client execute(std::string sink, int max_rows = 0, int columns = kAnyColumns) {
  return [=](Play& p) { return p.pipeline.execute("", max_rows, p.step(sink), columns); };
}
Script::Client describe_statement(std::string sink) {
  return [=](Play& p) { return p.pipeline.describe_statement("", p.step(sink)); };
}
Script::Client describe_portal(std::string sink) {
  return [=](Play& p) { return p.pipeline.describe_portal("", p.step(sink)); };
}
Script::Client sync(std::string sink) {
  return [=](Play& p) { return p.pipeline.sync(p.group(sink)); };
}
Script::Client query(std::string sink, std::string sql = "SELECT 1") {
  return [=](Play& p) { return p.pipeline.query(sql, p.group(sink)); };
}

std::string row(std::string_view value) { return data_row({value}); }

TEST(Pipeline, ASimpleQueryAnswersWithEveryResultOfItsText) {
  Script script;
  script.client(query("q", "SELECT 'x' AS a; UPDATE t SET b = 1; SELECT 1 WHERE false"))
      .sends(encoded(Query{"SELECT 'x' AS a; UPDATE t SET b = 1; SELECT 1 WHERE false"}))
      .server(row_description({"a"}) + row("x") + data_row({std::nullopt}) + command_complete("SELECT 2") +
              command_complete("UPDATE 7") + row_description({"b"}) + command_complete("SELECT 0") + ready('T'))
      .calls({"q row_description a", "q row x", "q row NULL", "q command_complete SELECT 2",
              "q command_complete UPDATE 7", "q row_description b", "q command_complete SELECT 0", "q ready T"})
      .run();
}

TEST(Pipeline, AnEmptyQueryIsAnswered) {
  Script().client(query("q", "")).server(empty_query() + ready()).calls({"q empty_query", "q ready I"}).run();
}

TEST(Pipeline, AnErrorEndsASimpleQueryWithReadyForQuery) {
  Script()
      .client(query("a"))
      .client(query("b"))
      .server(row_description({"a"}) + row("1") + error_response("22012") + ready())
      .calls({"a row_description a", "a row 1", "a error 22012", "a ready I"})
      .server(command_complete("SET") + ready())
      .calls({"b command_complete SET", "b ready I"})
      .run();
}

TEST(Pipeline, ExtendedStepsAreAnsweredInOrderToTheirSinks) {
  Script()
      .client(parse("p", "s", "SELECT $1"))
      .client(describe_statement("d"))
      .client(bind("b"))
      .client(execute("e"))
      .client([](Play& p) { return p.pipeline.close_statement("s", p.step("c")); })
      .client(sync("s"))
      .sends(encoded(Parse{"s", "SELECT $1", {}}) + encoded(Describe{Target::statement, ""}) + encoded(Bind{}) +
             encoded(Execute{"", 0}) + encoded(Close{Target::statement, "s"}) + encoded(Sync()))
      .server(parse_complete() + parameter_description({25, 23}) + row_description({"x", "y"}) + bind_complete() +
              data_row({"1", "two"}) + command_complete("SELECT 1") + close_complete() + ready())
      .calls({"p parse_complete", "d parameter_description 25 23", "d row_description x y", "b bind_complete",
              "e row 1 two", "e command_complete SELECT 1", "c close_complete", "s ready I"})
      .run();
}

TEST(Pipeline, DescribeOfAStatementWithoutRowsIsNoData) {
  Script()
      .client(describe_statement("d"))
      .client(describe_portal("e"))
      .client(sync("s"))
      .server(parameter_description({}) + no_data() + no_data() + ready())
      .calls({"d parameter_description", "d no_data", "e no_data", "s ready I"})
      .run();
}

TEST(Pipeline, PortalsSuspendAtTheirRowLimit) {
  Script()
      .client(execute("e", 1))
      .client(execute("f"))
      .client([](Play& p) { return p.pipeline.close_portal("", p.step("c")); })
      .client(sync("s"))
      .server(row("1") + portal_suspended() + row("2") + command_complete("SELECT 1") + close_complete() + ready())
      .calls({"e row 1", "e portal_suspended", "f row 2", "f command_complete SELECT 1", "c close_complete",
              "s ready I"})
      .run();
}

TEST(Pipeline, AnErrorSkipsEverythingUpToTheNextSyncAndNotFurther) {
  Script()
      .client(parse("p"))
      .client(bind("b"))
      .client(execute("e"))
      .client(sync("s"))
      .client(parse("p2"))
      .client(sync("s2"))
      .server(error_response("42601"))
      .calls({"p error 42601"})
      .server(ready())
      .calls({"b skipped", "e skipped", "s ready I"})
      .server(parse_complete() + ready())
      .calls({"p2 parse_complete", "s2 ready I"})
      .run();
}

TEST(Pipeline, StepsSubmittedWhileTheServerSkipsAreSkippedToo) {
  Script()
      .client(parse("p"))
      .server(error_response("42601"))
      .calls({"p error 42601"})
      .client(bind("b"))
      .client(sync("s"))
      .server(ready('E'))
      .calls({"b skipped", "s ready E"})
      .run();
}

TEST(Pipeline, AnErrorOfTheCommitBelongsToTheSync) {
  Script()
      .client(execute("e"))
      .client(sync("s"))
      .server(command_complete("INSERT 0 1") + error_response("23503") + ready())
      .calls({"e command_complete INSERT 0 1", "s error 23503", "s ready I"})
      .run();
}

TEST(Pipeline, EmptyQueryResponseAnswersAnExecute) {
  Script()
      .client(execute("e"))
      .client(sync("s"))
      .server(empty_query() + ready())
      .calls({"e empty_query", "s ready I"})
      .run();
}

TEST(Pipeline, NoticesSettingsAndNotificationsComeAtAnyTime) {
  const std::string noise =
      notice_response("hello") + parameter_status("TimeZone", "UTC") + notification(7, "c", "p");
  const Log heard{"notice hello", "parameter_status TimeZone=UTC", "notification 7 c p"};
  const auto with = [&](Log lines) {
    lines.insert(lines.begin(), heard.begin(), heard.end());
    return lines;
  };
  Script()
      .server(noise)
      .calls(heard)
      .client(parse("p"))
      .client(execute("e"))
      .client(sync("s"))
      .server(noise + parse_complete())
      .calls(with({"p parse_complete"}))
      .server(noise + row("1"))
      .calls(with({"e row 1"}))
      .server(noise + command_complete("SELECT 1"))
      .calls(with({"e command_complete SELECT 1"}))
      .server(noise + ready())
      .calls(with({"s ready I"}))
      .run();
}

TEST(Pipeline, NotificationsComeWhileTheServerSkips) {
  Script()
      .client(parse("p"))
      .client(sync("s"))
      .server(error_response("42601") + notification(7, "c", "") + ready())
      .calls({"p error 42601", "notification 7 c ", "s ready I"})
      .run();
}

TEST(Pipeline, AFatalErrorWhileIdleEndsTheSession) {
  Script()
      .server(error_response("57P01", "FATAL"), Outcome::fatal)
      .calls({"fatal 57P01"})
      .ends_with("FATAL 57P01: refused")
      .run();
}

TEST(Pipeline, AFatalErrorLeavesEveryStepToBeLost) {
  Script()
      .client(execute("e"))
      .client(sync("s"))
      .server(row("1") + error_response("57P01", "FATAL"), Outcome::fatal)
      .calls({"e row 1", "fatal 57P01"})
      .run();
}

TEST(Pipeline, StepsAreLostInOrderWhenTheConnectionCloses) {
  Play play;
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  ASSERT_EQ(play.pipeline.sync(play.group("s")), Submitted::ok);
  ASSERT_EQ(play.pipeline.query("SELECT 1", play.group("q")), Submitted::ok);
  EXPECT_EQ(play.pipeline.head(), play.step("e"));
  play.pipeline.on_closed(Error(ErrorKind::Closed, "gone"));
  EXPECT_EQ(play.log, (Log{"e lost Closed", "s lost Closed", "q lost Closed"}));
  EXPECT_EQ(play.pipeline.head(), nullptr);
  EXPECT_EQ(play.pipeline.query("SELECT 1", nullptr), Submitted::closed);
}

// ---- COPY -----------------------------------------------------------------------------------------------------

TEST(Pipeline, CopyOutRunsInBothProtocols) {
  const std::string copy = copy_response('H') + copy_data("1\n") + copy_data("") + copy_done();
  Script()
      .client(query("q", "COPY t TO STDOUT; SELECT 1"))
      .server(copy + command_complete("COPY 1") + row_description({"a"}) + command_complete("SELECT 0") + ready())
      .calls({"q copy_out text 1", "q copy_data 1\n", "q copy_data ", "q copy_done", "q command_complete COPY 1",
              "q row_description a", "q command_complete SELECT 0", "q ready I"})
      .client(execute("e"))
      .client(sync("s"))
      .client(query("r"))
      .server(copy + command_complete("COPY 1") + ready() + command_complete("SET") + ready())
      .calls({"e copy_out text 1", "e copy_data 1\n", "e copy_data ", "e copy_done", "e command_complete COPY 1",
              "s ready I", "r command_complete SET", "r ready I"})
      .run();
}

TEST(Pipeline, CopyOutCanFailInTheMiddle) {
  Script()
      .client(query("q"))
      .server(copy_response('H') + copy_data("1\n") + error_response("57014") + ready())
      .calls({"q copy_out text 1", "q copy_data 1\n", "q error 57014", "q ready I"})
      .client(execute("e"))
      .client(sync("s"))
      .server(copy_response('H') + error_response("57014") + ready())
      .calls({"e copy_out text 1", "e error 57014", "s ready I"})
      .run();
}

TEST(Pipeline, CopyInOfASimpleQuerySendsDataAndIsDone) {
  Script()
      .client(query("q", "COPY t FROM STDIN"))
      .sends(encoded(Query{"COPY t FROM STDIN"}))
      .server(copy_response('G'))
      .calls({"q copy_in text 1"})
      .client([](Play& p) { return p.pipeline.copy_data("1\n"); })
      .client([](Play& p) { return p.pipeline.copy_done(); })
      .sends(encoded(CopyData{"1\n"}) + encoded(CopyDone()))
      .server(command_complete("COPY 1") + ready())
      .calls({"q command_complete COPY 1", "q ready I"})
      .run();
}

TEST(Pipeline, ACopyDataMessageThatWasBuiltElsewhereIsSentAsItIsAndInOrder) {
  const auto send = [](std::string_view data) {
    return [data](Play& p) {
      base::WriteBuffer message;
      Pipeline::open_copy_data(message);
      message.put(data);
      const Submitted submitted = p.pipeline.copy_data_message(message);
      EXPECT_EQ(message.empty(), submitted == Submitted::ok);
      return submitted;
    };
  };
  Script()
      .client(query("q", "COPY t FROM STDIN"))
      .sends(encoded(Query{"COPY t FROM STDIN"}))
      .server(copy_response('G'))
      .calls({"q copy_in text 1"})
      .client(send("1\n"))
      .client(send("2\n"))
      .client(send(""))
      .client([](Play& p) { return p.pipeline.copy_done(); })
      .sends(encoded(CopyData{"1\n"}) + encoded(CopyData{"2\n"}) + encoded(CopyData{""}) + encoded(CopyDone()))
      .server(command_complete("COPY 2") + ready())
      .calls({"q command_complete COPY 2", "q ready I"})
      .run();
}

TEST(Pipeline, ACopyDataMessageNobodyWaitsForIsNotSent) {
  Play play;
  base::WriteBuffer message;
  Pipeline::open_copy_data(message);
  EXPECT_EQ(play.pipeline.copy_data_message(message), Submitted::copy_not_active);
  EXPECT_EQ(play.out.size(), 0U);
}

TEST(Pipeline, CopyInOfTheExtendedProtocolIsSyncedBehindItsData) {
  Script()
      .client(bind("b"))
      .client(execute("e"))
      .client([](Play& p) { return p.pipeline.flush(); })
      .server(bind_complete() + copy_response('G'))
      .calls({"b bind_complete", "e copy_in text 1"})
      .client([](Play& p) { return p.pipeline.copy_done(); })
      .client(sync("s"))
      .sends(encoded(Bind{}) + encoded(Execute{"", 0}) + encoded(Flush()) + encoded(CopyDone()) + encoded(Sync()))
      .server(command_complete("COPY 0") + ready())
      .calls({"e command_complete COPY 0", "s ready I"})
      .run();
}

TEST(Pipeline, WhileTheServerWaitsForCopyDataNothingElseCanBeSubmitted) {
  Play play;
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  ASSERT_EQ(play.feed(copy_response('G')), Outcome::ok);
  play.out.clear();
  EXPECT_TRUE(play.pipeline.copy_in_active());
  EXPECT_EQ(play.pipeline.sync(nullptr), Submitted::copy_in_active);
  EXPECT_EQ(play.pipeline.query("SELECT 1", nullptr), Submitted::copy_in_active);
  EXPECT_EQ(play.pipeline.flush(), Submitted::copy_in_active);
  EXPECT_EQ(play.out.size(), 0U);
  ASSERT_EQ(play.feed(error_response("22P02")), Outcome::ok);
  EXPECT_FALSE(play.pipeline.copy_in_active());
  EXPECT_TRUE(play.pipeline.needs_sync());
  EXPECT_FALSE(play.pipeline.idle());
  EXPECT_EQ(play.pipeline.copy_data("late"), Submitted::copy_not_active);
}

TEST(Pipeline, AServerErrorDuringCopyInWaitsForTheSync) {
  Script()
      .client(execute("e"))
      .server(copy_response('G') + error_response("22P02"))
      .calls({"e copy_in text 1", "e error 22P02"})
      .client([](Play& p) { return p.pipeline.copy_data("late"); })
      .sends(encoded(Execute{"", 0}))
      .client(sync("s"))
      .server(ready())
      .calls({"s ready I"})
      .run();
  Script()
      .client(query("q"))
      .server(copy_response('G') + error_response("22P02") + ready())
      .calls({"q copy_in text 1", "q error 22P02", "q ready I"})
      .run();
}

TEST(Pipeline, CopyFailIsAnsweredByAnErrorAndNothingElse) {
  const auto fail = [](Play& p) { return p.pipeline.copy_fail("no more"); };
  Script()
      .client(query("q"))
      .server(copy_response('G'))
      .client(fail)
      .sends(encoded(Query{"SELECT 1"}) + encoded(CopyFail{"no more"}))
      .server(error_response("57014") + ready())
      .calls({"q copy_in text 1", "q error 57014", "q ready I"})
      .run();
  Script()
      .client(query("q"))
      .server(copy_response('G'))
      .client(fail)
      .server(command_complete("COPY 1"), Outcome::protocol_error)
      .ends_with("unexpected message 'C' while waiting for the end of COPY FROM STDIN")
      .run();
}

TEST(Pipeline, CopyInWithASyncBehindItEndsTheSession) {
  Script()
      .client(execute("e"))
      .client(sync("s"))
      .server(copy_response('G'), Outcome::protocol_error)
      .calls({})
      .ends_with(
          "COPY FROM STDIN was submitted with other steps behind it: PostgreSQL ignores a Sync while it waits "
          "for data")
      .run();
}

TEST(Pipeline, AnAbandonedCopyInIsFailed) {
  const std::string fail = encoded(CopyFail{"the caller gave up"});
  // Abandoned before the server asked for data, and after.
  Play early;
  ASSERT_EQ(early.pipeline.query("COPY t FROM STDIN", early.group("q")), Submitted::ok);
  early.pipeline.abandon(early.group("q"));
  early.out.clear();
  ASSERT_EQ(early.feed(copy_response('G')), Outcome::ok);
  EXPECT_EQ(early.out.view(), fail);

  Play late;
  ASSERT_EQ(late.pipeline.query("COPY t FROM STDIN", late.group("q")), Submitted::ok);
  ASSERT_EQ(late.feed(copy_response('G')), Outcome::ok);
  late.out.clear();
  late.pipeline.abandon(late.group("q"));
  EXPECT_EQ(late.out.view(), fail);
  ASSERT_EQ(late.feed(error_response("57014") + ready()), Outcome::ok);
  EXPECT_TRUE(late.pipeline.idle());
  EXPECT_EQ(late.log, (Log{"q copy_in text 1"}));
}

// ---- What is refused ------------------------------------------------------------------------------------------

TEST(Pipeline, AnAnswerThatTheStateDoesNotPredictEndsTheSession) {
  struct Case {
    std::vector<Script::Client> steps;
    std::string before;
    std::string message;
    std::string text;
  };
  const std::vector<Case> cases{
      {{}, "", ready(), "unexpected message 'Z' while no answer was due"},
      {{}, "", row("1"), "unexpected message 'D' while no answer was due"},
      {{}, "", command_complete("SELECT 1"), "unexpected message 'C' while no answer was due"},
      {{parse("p")}, "", row("1"), "unexpected message 'D' while waiting for ParseComplete"},
      {{parse("p")}, "", ready(), "unexpected message 'Z' while waiting for ParseComplete"},
      {{parse("p")}, "", bind_complete(), "unexpected message '2' while waiting for ParseComplete"},
      {{bind("b")}, "", parse_complete(), "unexpected message '1' while waiting for BindComplete"},
      {{describe_statement("d")},
       "",
       row_description({"a"}),
       "unexpected message 'T' while waiting for ParameterDescription"},
      {{describe_statement("d")},
       parameter_description({}),
       parameter_description({}),
       "unexpected message 't' while waiting for RowDescription or NoData"},
      {{describe_portal("d")},
       "",
       parameter_description({}),
       "unexpected message 't' while waiting for RowDescription or NoData"},
      {{execute("e")},
       "",
       row_description({"a"}),
       "unexpected message 'T' while waiting for the result of a statement"},
      {{execute("e")},
       "",
       portal_suspended(),
       "unexpected message 's' while waiting for the result of a statement"},
      {{execute("e")},
       row("1"),
       empty_query(),
       "unexpected message 'I' while waiting for DataRow or CommandComplete"},
      {{execute("e")},
       row("1"),
       copy_response('H'),
       "unexpected message 'H' while waiting for DataRow or CommandComplete"},
      {{execute("e")},
       copy_response('H'),
       row("1"),
       "unexpected message 'D' while waiting for CopyData or CopyDone"},
      {{execute("e")},
       copy_response('H'),
       command_complete("COPY 0"),
       "unexpected message 'C' while waiting for CopyData or CopyDone"},
      {{execute("e")},
       copy_response('H') + copy_done(),
       copy_data("x"),
       "unexpected message 'd' while waiting for CommandComplete"},
      {{execute("e")},
       copy_response('G'),
       command_complete("COPY 0"),
       "unexpected message 'C' while waiting for the end of COPY FROM STDIN"},
      {{execute("e")},
       "",
       copy_response('W'),
       "unexpected message 'W' while waiting for the result of a statement"},
      {{query("q")}, "", row("1"), "unexpected message 'D' while waiting for the result of a statement"},
      {{query("q")}, "", ready(), "unexpected message 'Z' while waiting for the result of a statement"},
      {{query("q")}, "", portal_suspended(), "unexpected message 's' while waiting for the result of a statement"},
      {{query("q")},
       row_description({"a"}),
       ready(),
       "unexpected message 'Z' while waiting for DataRow or CommandComplete"},
      {{query("q")},
       command_complete("SET"),
       row("1"),
       "unexpected message 'D' while waiting for another result or ReadyForQuery"},
      {{query("q")}, error_response("42601"), row("1"), "unexpected message 'D' while waiting for ReadyForQuery"},
      {{query("q")},
       error_response("42601"),
       error_response("42601"),
       "server error while no answer was due: ERROR 42601: refused"},
      {{sync("s")}, "", command_complete("X"), "unexpected message 'C' while waiting for ReadyForQuery"},
      {{parse("p"), bind("b"), sync("s")},
       error_response("42601"),
       bind_complete(),
       "unexpected message '2' while waiting for ReadyForQuery after an error"},
      {{parse("p"), bind("b")},
       error_response("42601"),
       ready(),
       "unexpected message 'Z' while waiting for ReadyForQuery after an error"},
      {{}, "", error_response("XX000"), "server error while no answer was due: ERROR XX000: refused"},
      {{}, "", backend_key(1, "abcd"), "unexpected message 'K' while no answer was due"},
      {{}, "", authentication(0), "unexpected message 'R' while no answer was due"},
      {{}, "", std::string("\x07\0\0\0\4", 5), "unknown message type \\x07"},
      {{}, "", std::string("Z\0\0\0\3", 5), "message 'Z' has length 3, at least 4 is needed"},
      {{},
       "",
       std::string("Z\xff\xff\xff\xff", 5),
       "message 'Z' of 4294967295 bytes is larger than the 30000 bytes allowed for this type"},
      {{},
       "",
       std::string("D\x40\0\0\0", 5),
       "message 'D' of 1073741824 bytes is larger than max_message_size (1073741823 bytes)"},
      {{sync("s")}, "", std::string("Z\0\0\0\5X", 6), "malformed ReadyForQuery message"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    Script script;
    for (const auto& step : one.steps) script.client(step);
    script.server(one.before).server(one.message, Outcome::protocol_error).ends_with(one.text).run();
  }
}

TEST(Pipeline, ARowOfAnotherWidthThanItsDescriptionEndsTheSession) {
  Script()
      .client(query("q"))
      .server(row_description({"a", "b"}) + row("1"), Outcome::protocol_error)
      .calls({"q row_description a b"})
      .ends_with("a row has 1 columns, its description 2")
      .run();
  Script()
      .client(execute("e", 0, 2))
      .server(data_row({"1", "2"}) + row("1"), Outcome::protocol_error)
      .calls({"e row 1 2"})
      .ends_with("a row has 1 columns, its description 2")
      .run();
}

TEST(Pipeline, ARowWhoseLengthsDontFitEndsTheSession) {
  std::string bad = row("12345");
  bad[10] = 6;  // the field's length, one more than there is
  Script().client(execute("e")).server(bad, Outcome::protocol_error).ends_with("malformed DataRow message").run();
}

TEST(Pipeline, StepsThatCantBeEncodedAppendNothing) {
  Play play;
  Pipeline& p = play.pipeline;
  const std::string nul("a\0b", 3);
  const std::vector<Oid> types(kMaxParameters + 1, 0);
  const std::array<std::int16_t, 3> formats{0, 1, 0};
  EXPECT_EQ(p.query(nul, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.parse(nul, "SELECT 1", {}, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.parse("", nul, {}, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.parse("", "SELECT 1", types, nullptr), Submitted::too_many);
  EXPECT_EQ(p.bind("", nul, {}, {}, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.bind_execute(nul, {}, {}, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.bind("", "", {.formats = formats, .count = 2, .values = std::string_view("\0\0\0\0\0\0\0\0", 8)}, {},
                   nullptr),
            Submitted::too_many);
  EXPECT_EQ(p.execute(nul, 0, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.describe_portal(nul, nullptr), Submitted::contains_nul);
  EXPECT_EQ(p.copy_data("x"), Submitted::copy_not_active);
  EXPECT_EQ(p.copy_done(), Submitted::copy_not_active);
  EXPECT_EQ(p.copy_fail("x"), Submitted::copy_not_active);
  EXPECT_EQ(play.out.size(), 0U);
  EXPECT_TRUE(p.idle());
}

TEST(Pipeline, AMessageAboveMaxMessageSizeIsRefusedInBothDirections) {
  base::WriteBuffer out;
  Pipeline pipeline(out, {.max_message_size = 100});
  EXPECT_EQ(pipeline.query(std::string(100, ' '), nullptr), Submitted::message_too_large);
  ASSERT_EQ(pipeline.query("SELECT 1", nullptr), Submitted::ok);
  base::ReadBuffer in;
  const std::string answer = row_description({"a"}) + row(std::string(200, 'x'));
  std::memcpy(in.prepare(answer.size()), answer.data(), answer.size());
  in.commit(answer.size());
  SessionEvents events;
  EXPECT_EQ(pipeline.on_bytes(in, events), Outcome::protocol_error);
  EXPECT_EQ(pipeline.error()->message(), "message 'D' of 210 bytes is larger than max_message_size (100 bytes)");
}

TEST(Pipeline, ASimpleQueryBehindUnsyncedStepsIsRefused) {
  Play play;
  ASSERT_EQ(play.pipeline.parse("", "SELECT 1", {}, nullptr), Submitted::ok);
  EXPECT_TRUE(play.pipeline.needs_sync());
  EXPECT_EQ(play.pipeline.query("SELECT 1", nullptr), Submitted::sync_required);
  ASSERT_EQ(play.pipeline.sync(nullptr), Submitted::ok);
  EXPECT_EQ(play.pipeline.query("SELECT 1", nullptr), Submitted::ok);
}

TEST(Pipeline, EveryRefusalHasAnErrorText) {
  for (const Submitted refusal :
       {Submitted::closed, Submitted::copy_in_active, Submitted::copy_not_active, Submitted::sync_required,
        Submitted::contains_nul, Submitted::too_many, Submitted::message_too_large, Submitted::out_of_memory}) {
    EXPECT_FALSE(Pipeline::to_error(refusal).message().empty());
  }
}

// ---- Abandoning, callbacks, bookkeeping ------------------------------------------------------------------------

TEST(Pipeline, AbandonedSinksHearNothingMore) {
  Play play;
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("f")), Submitted::ok);
  ASSERT_EQ(play.pipeline.sync(play.group("s")), Submitted::ok);
  // From inside its own callback.
  play.step("e")->then([&] { play.pipeline.abandon(play.step("e")); });
  ASSERT_EQ(play.feed(row("1") + row("2") + command_complete("SELECT 2")), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"e row 1"}));
  play.pipeline.abandon(play.step("f"));
  EXPECT_EQ(play.pipeline.head(), nullptr);
  ASSERT_EQ(play.feed(error_response("22012") + ready()), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"e row 1", "s ready I"}));
}

TEST(Pipeline, CallbacksMaySubmitSteps) {
  Play play;
  ASSERT_EQ(play.pipeline.query("SELECT 1", play.group("q")), Submitted::ok);
  // More than the ring holds at first, so that it grows under the machine's feet.
  play.group("q")->then([&] {
    for (int i = 0; i < 100; ++i) ASSERT_EQ(play.pipeline.query("SELECT 2", play.group("r")), Submitted::ok);
  });
  ASSERT_EQ(play.feed(command_complete("A") + ready()), Outcome::ok);
  EXPECT_EQ(play.pipeline.outstanding(), 100U);
  std::string answers;
  for (int i = 0; i < 100; ++i) answers += command_complete("B") + ready();
  ASSERT_EQ(play.feed(answers), Outcome::ok);
  EXPECT_TRUE(play.pipeline.idle());
  EXPECT_EQ(play.group("r")->ends(), 100);
}

TEST(Pipeline, ASkippedSinkMaySubmitItsStepAgain) {
  Play play;
  ASSERT_EQ(play.pipeline.parse("", "bad", {}, play.step("p")), Submitted::ok);
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  ASSERT_EQ(play.pipeline.sync(play.group("s")), Submitted::ok);
  play.step("e")->then([&] {
    ASSERT_EQ(play.pipeline.execute("", 0, play.step("again")), Submitted::ok);
    ASSERT_EQ(play.pipeline.sync(play.group("t")), Submitted::ok);
  });
  ASSERT_EQ(play.feed(error_response("42601") + ready() + command_complete("OK") + ready()), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"p error 42601", "e skipped", "s ready I", "again command_complete OK", "t ready I"}));
}

TEST(Pipeline, HoldStopsBehindTheMessageAndLeavesTheRest) {
  Play play;
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  play.step("e")->then([&] { play.pipeline.hold(); });
  ASSERT_EQ(play.feed(row("1") + row("2") + row("3")), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"e row 1"}));
  EXPECT_EQ(play.in.size(), (row("2") + row("3")).size());
  ASSERT_EQ(play.feed(""), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"e row 1", "e row 2", "e row 3"}));
}

TEST(Pipeline, NeedTellsHowManyBytesTheNextMessageWants) {
  Play play;
  EXPECT_EQ(play.pipeline.need(), 5U);
  ASSERT_EQ(play.pipeline.execute("", 0, play.step("e")), Submitted::ok);
  const std::string big = row(std::string(1000, 'x'));
  ASSERT_EQ(play.feed(big.substr(0, 3)), Outcome::ok);
  EXPECT_EQ(play.pipeline.need(), 2U);
  ASSERT_EQ(play.feed(big.substr(3, 10)), Outcome::ok);
  EXPECT_EQ(play.pipeline.need(), big.size() - 13);
  ASSERT_EQ(play.feed(big.substr(13)), Outcome::ok);
  EXPECT_EQ(play.pipeline.need(), 5U);
}

TEST(Pipeline, BindExecuteWritesBothMessages) {
  const std::array<std::int16_t, 1> results{1};
  const BindArguments arguments{
      .formats = kAllBinary, .count = 2, .values = std::string_view("\0\0\0\1x\xff\xff\xff\xff", 9)};
  Script()
      .client([&](Play& p) {
        EXPECT_EQ(p.pipeline.bind_execute("s1", arguments, results, p.step("e"), 1), Submitted::ok);
        return p.pipeline.sync(p.group("s"));
      })
      .sends(encoded(Bind{"", "s1", std::span<const std::int16_t>(kAllBinary), 2, arguments.values,
                          std::span<const std::int16_t>(results)}) +
             encoded(Execute{"", 0}) + encoded(Sync()))
      .server(bind_complete() + row("1") + command_complete("SELECT 1") + ready())
      .calls({"e bind_complete", "e row 1", "e command_complete SELECT 1", "s ready I"})
      .run();
}

TEST(Pipeline, PreencodedMessagesAreFollowedLikeOthers) {
  const std::string bytes = encoded(Bind{}) + encoded(Execute{"", 0}) + encoded(Sync());
  const std::array<StepKind, 3> steps{StepKind::bind, StepKind::execute, StepKind::sync};
  Play play;
  ASSERT_EQ(play.pipeline.preencoded(bytes, steps, play.group("a")), Submitted::ok);
  EXPECT_EQ(play.out.view(), bytes);
  EXPECT_FALSE(play.pipeline.needs_sync());
  ASSERT_EQ(play.feed(bind_complete() + row("1") + command_complete("SELECT 1") + ready()), Outcome::ok);
  EXPECT_EQ(play.log, (Log{"a bind_complete", "a row 1", "a command_complete SELECT 1", "a ready I"}));
}

TEST(Pipeline, TheTransactionStatusIsThatOfTheLastReadyForQuery) {
  Play play;
  EXPECT_EQ(play.pipeline.transaction_status(), 'I');
  for (const char status : {'T', 'E', 'I'}) {
    ASSERT_EQ(play.pipeline.query("x", play.group("q")), Submitted::ok);
    ASSERT_EQ(play.feed(command_complete("X") + ready(status)), Outcome::ok);
    EXPECT_EQ(play.pipeline.transaction_status(), status);
  }
}

TEST(Pipeline, TerminateIsTheLastThingThatIsSent) {
  Play play;
  play.pipeline.terminate();
  EXPECT_EQ(play.out.view(), encoded(Terminate()));
  EXPECT_EQ(play.pipeline.query("SELECT 1", nullptr), Submitted::closed);
  play.pipeline.terminate();
  EXPECT_EQ(play.out.view(), encoded(Terminate()));
}

}  // namespace
}  // namespace switchyard::inline v0::protocol
