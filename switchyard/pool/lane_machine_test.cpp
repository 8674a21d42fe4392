#include <switchyard/pool/lane_machine.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace switchyard::pool {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

struct LaneMachineTest : testing::Test {
  LaneMachineTest() {
    limits.sessions = 2;
    machine.emplace(limits);
  }
  LaneEntry& entry(bool sure = true) {
    LaneEntry& made = entries.emplace_back();
    made.shares_sync = sure;
    made.budget = 10ms;
    made.expected = 10us;
    return made;
  }
  LaneEntry& submitted(bool sure = true) {
    LaneEntry& made = entry(sure);
    machine->submit(made);
    return made;
  }
  std::vector<std::string> plan() {
    machine->plan(now, actions);
    return take();
  }
  std::vector<std::string> tick() {
    machine->tick(now, actions);
    return take();
  }
  std::vector<std::string> take() {
    std::vector<std::string> out;
    for (const LaneAction& action : actions) {
      std::string text;
      switch (action.kind) {
        case LaneAction::Kind::send: text = "send " + number(action.entry) + (action.sync ? " sync" : ""); break;
        case LaneAction::Kind::reissue: text = "reissue " + number(action.entry); break;
        case LaneAction::Kind::slow: text = "slow " + number(action.entry) + (action.sync ? " alone" : ""); break;
        case LaneAction::Kind::cancel: text = "cancel"; break;
        case LaneAction::Kind::close: text = "close"; break;
      }
      out.push_back(text + " @" + std::to_string(action.slot));
    }
    actions.clear();
    return out;
  }
  std::string number(const LaneEntry* one) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (&entries[i] == one) return std::to_string(i);
    }
    return "?";
  }

  LaneLimits limits;
  std::optional<LaneMachine> machine;
  std::deque<LaneEntry> entries;
  LaneActions actions;
  TimePoint now{1s};
};

TEST_F(LaneMachineTest, SureStatementsShareASyncAndTheSyncGoesWithTheGroup) {
  ASSERT_EQ(machine->add(now), 0U);
  for (int i = 0; i < 3; ++i) submitted();
  EXPECT_THAT(plan(), ElementsAre("send 0 @0", "send 1 @0", "send 2 sync @0"));
}

TEST_F(LaneMachineTest, AnUnsureStatementHasASyncOfItsOwn) {
  (void)machine->add(now);
  submitted();
  submitted(false);
  submitted();
  EXPECT_THAT(plan(), ElementsAre("send 0 sync @0", "send 1 sync @0", "send 2 sync @0"));
}

TEST_F(LaneMachineTest, NothingIsAddedToAGroupOnTheWire) {
  (void)machine->add(now);
  submitted();
  EXPECT_THAT(plan(), ElementsAre("send 0 sync @0"));
  submitted();
  EXPECT_THAT(plan(), ElementsAre("send 1 sync @0"));
}

TEST_F(LaneMachineTest, AGroupIsBoundedInCountAndTime) {
  limits.group = 2;
  limits.most_depth = 100;
  machine.emplace(limits);
  (void)machine->add(now);
  for (int i = 0; i < 3; ++i) submitted();
  EXPECT_THAT(plan(), ElementsAre("send 0 @0", "send 1 sync @0", "send 2 sync @0"));
  limits.group = 64;
  machine.emplace(limits);
  (void)machine->add(now);
  entries.clear();
  for (int i = 0; i < 3; ++i) submitted().expected = 400us;
  EXPECT_THAT(plan(), ElementsAre("send 0 @0", "send 1 sync @0", "send 2 sync @0"));
}

TEST_F(LaneMachineTest, StatementsAreSpreadOverSessions) {
  (void)machine->add(now);
  (void)machine->add(now);
  for (int i = 0; i < 4; ++i) submitted();
  EXPECT_THAT(plan(), ElementsAre("send 0 @0", "send 1 sync @0", "send 2 @1", "send 3 sync @1"));
}

TEST_F(LaneMachineTest, AWireIsShallowAndTheRestWaitsInOurQueue) {
  limits.least_depth = 2;
  limits.most_depth = 2;
  machine.emplace(limits);
  (void)machine->add(now);
  for (int i = 0; i < 5; ++i) submitted();
  EXPECT_EQ(plan().size(), 2U);
  EXPECT_EQ(machine->queued(), 3U);
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::deliver);
  EXPECT_THAT(plan(), ElementsAre("send 2 sync @0"));
}

TEST_F(LaneMachineTest, AnAnswerIsTheFirstOnesAndThoseOfOthersStay) {
  (void)machine->add(now);
  LaneEntry& first = submitted();
  LaneEntry& second = submitted();
  (void)plan();
  EXPECT_EQ(machine->head(0), &first);
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::deliver);
  EXPECT_EQ(first.state(), LaneEntry::State::free);
  EXPECT_EQ(machine->head(0), &second);
  EXPECT_EQ(second.state(), LaneEntry::State::held);
}

TEST_F(LaneMachineTest, AWithdrawnStatementsAnswerIsNobodys) {
  (void)machine->add(now);
  LaneEntry& first = submitted();
  LaneEntry& second = submitted();
  EXPECT_TRUE(machine->withdraw(second));
  (void)plan();
  EXPECT_FALSE(machine->withdraw(first));
  EXPECT_FALSE(machine->rows(0, 100));
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::discard);
}

TEST_F(LaneMachineTest, AHeldAnswerMayBeForgottenAndAStreamedOneNotUnlessItCanBeTakenBack) {
  (void)machine->add(now);
  LaneEntry& held = submitted();
  LaneEntry& streamed = submitted();
  LaneEntry& replayable = submitted();
  replayable.replayable = true;
  (void)plan();
  EXPECT_TRUE(machine->rows(0, limits.held_bytes));
  EXPECT_EQ(held.state(), LaneEntry::State::held);
  EXPECT_EQ(machine->suspended(0, now), LaneAnswer::lease);
  EXPECT_TRUE(machine->rows(0, limits.held_bytes + 1));
  EXPECT_EQ(streamed.state(), LaneEntry::State::streaming);
  EXPECT_EQ(machine->failed(0, LaneFault::lane, now), LaneAnswer::broken);
  EXPECT_TRUE(machine->rows(0, limits.held_bytes + 1));
  EXPECT_EQ(machine->failed(0, LaneFault::lane, now), LaneAnswer::lease);
}

TEST_F(LaneMachineTest, AStatementsOwnErrorIsItsAnswerAndThoseBehindGoAgain) {
  (void)machine->add(now);
  submitted();
  submitted();
  (void)plan();
  EXPECT_EQ(machine->failed(0, LaneFault::statement, now), LaneAnswer::deliver);
  EXPECT_EQ(machine->skipped(0), LaneAnswer::again);
  machine->submit_again(entry(), entries[1]);
  EXPECT_THAT(plan(), ElementsAre("send 2 sync @0"));
}

TEST_F(LaneMachineTest, BehindAStatementThatTakesTooLongEverybodyLeavesOnce) {
  (void)machine->add(now);
  (void)machine->add(now);
  LaneEntry& slow = submitted(false);
  (void)plan();
  LaneEntry& behind = entry(false);
  machine->put(0, behind, now);
  now += 9ms;
  EXPECT_THAT(tick(), IsEmpty());
  now += 1ms;
  EXPECT_THAT(tick(), ElementsAre("slow 0 alone @0", "reissue 1 @0"));
  EXPECT_EQ(slow.state(), LaneEntry::State::held);
  EXPECT_EQ(behind.state(), LaneEntry::State::ghost);
  EXPECT_FALSE(machine->takes(0));
  EXPECT_EQ(behind.moves(), 0U);
  LaneEntry& moved = entry();
  machine->submit_again(moved, behind);
  EXPECT_EQ(moved.moves(), 1U);
  EXPECT_THAT(plan(), ElementsAre("send 2 sync @1"));
  // The slow one is answered all the same, and the session goes on once its wire is empty.
  now += 1s;
  EXPECT_THAT(tick(), ElementsAre("slow 2 alone @1"));
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::deliver);
  machine->synced(0, now, now, actions);
  EXPECT_FALSE(machine->takes(0));
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::discard);
  machine->synced(0, now, now, actions);
  EXPECT_TRUE(machine->takes(0));
}

TEST_F(LaneMachineTest, OfAGroupThatTakesTooLongEverybodyLeavesForItsAnswersMayWaitInTheServer) {
  (void)machine->add(now);
  (void)machine->add(now);
  for (int i = 0; i < 4; ++i) submitted();
  (void)plan();
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("slow 0 @0", "slow 1 @0", "reissue 0 @0", "reissue 1 @0", "slow 2 @1",
                                  "slow 3 @1", "reissue 2 @1", "reissue 3 @1"));
}

TEST_F(LaneMachineTest, ACancelIsAskedForOnlyWhereNobodysStatementIsLeft) {
  (void)machine->add(now);
  LaneEntry& slow = submitted(false);
  LaneEntry& behind = entry(false);
  (void)plan();
  machine->put(0, behind, now);
  EXPECT_FALSE(machine->withdraw(slow));
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("slow 0 alone @0", "reissue 1 @0"));
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("cancel @0"));
  EXPECT_FALSE(machine->takes(0));
}

TEST_F(LaneMachineTest, AFenceFallsWhenTheRequestHasSettledAndEveryAnswerHasCome) {
  (void)machine->add(now);
  for (const bool request_first : {true, false}) {
    LaneEntry& slow = submitted(false);
    (void)plan();
    (void)machine->withdraw(slow);
    now += 10ms;
    (void)tick();
    now += 10ms;
    EXPECT_THAT(tick(), ElementsAre("cancel @0"));
    if (request_first) machine->cancel_settled(0, now, actions);
    EXPECT_FALSE(machine->takes(0));
    EXPECT_EQ(machine->failed(0, LaneFault::lane, now), LaneAnswer::discard);
    machine->synced(0, now, now, actions);
    EXPECT_EQ(machine->takes(0), request_first);
    if (!request_first) machine->cancel_settled(0, now, actions);
    EXPECT_TRUE(machine->takes(0));
  }
}

TEST_F(LaneMachineTest, BetweenTheLastAnswerAndItsReadyForQueryAFenceStands) {
  (void)machine->add(now);
  LaneEntry& slow = submitted(false);
  (void)plan();
  (void)machine->withdraw(slow);
  now += 10ms;
  (void)tick();
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("cancel @0"));
  EXPECT_EQ(machine->completed(0, now), LaneAnswer::discard);
  machine->cancel_settled(0, now, actions);
  EXPECT_FALSE(machine->takes(0)) << "what is sent now may be cancelled with what was before";
  machine->synced(0, now, now, actions);
  EXPECT_TRUE(machine->takes(0));
}

TEST_F(LaneMachineTest, ACancelRequestThatNeverSettlesCostsTheSession) {
  (void)machine->add(now);
  LaneEntry& slow = submitted(false);
  (void)plan();
  (void)machine->withdraw(slow);
  now += 10ms;
  (void)tick();
  now += 10ms;
  (void)tick();
  now += limits.cancel_patience;
  EXPECT_THAT(tick(), ElementsAre("close @0"));
}

TEST_F(LaneMachineTest, WhatRanAloneWhenTheSessionWasLostIsNotRunAgain) {
  (void)machine->add(now);
  LaneEntry& head = submitted(false);
  LaneEntry& behind = submitted(false);
  (void)plan();
  machine->lost(0, LaneLoss::unexplained);
  const auto first = machine->lose_next(0);
  EXPECT_EQ(first.entry, &head);
  EXPECT_EQ(first.answer, LaneAnswer::broken);
  EXPECT_TRUE(first.was_head);
  const auto second = machine->lose_next(0);
  EXPECT_EQ(second.entry, &behind);
  EXPECT_EQ(second.answer, LaneAnswer::lease);
  EXPECT_FALSE(second.was_head);
  EXPECT_EQ(machine->lose_next(0).entry, nullptr);
  EXPECT_EQ(machine->sessions(), 0U);
}

TEST_F(LaneMachineTest, AfterACleanEndOfTheSessionEverythingRunsAgain) {
  (void)machine->add(now);
  submitted(false);
  (void)plan();
  machine->lost(0, LaneLoss::clean);
  EXPECT_EQ(machine->lose_next(0).answer, LaneAnswer::lease);
}

TEST_F(LaneMachineTest, ARetiringSessionGetsNothingMoreAndClosesWhenItsWireIsEmpty) {
  (void)machine->add(now);
  submitted();
  (void)plan();
  machine->retire(0, actions);
  EXPECT_THAT(take(), IsEmpty());
  submitted();
  EXPECT_THAT(plan(), IsEmpty());
  (void)machine->completed(0, now);
  machine->synced(0, now, now, actions);
  EXPECT_THAT(take(), ElementsAre("close @0"));
}

TEST_F(LaneMachineTest, TheLanesOwnQuestionStaysWhereItIs) {
  (void)machine->add(now);
  LaneEntry& question = entry(false);
  question.bound = true;
  LaneEntry& slow = submitted(false);
  (void)plan();
  machine->put(0, question, now);
  (void)machine->withdraw(slow);
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("slow 1 alone @0"));
  now += 10ms;
  EXPECT_THAT(tick(), ElementsAre("cancel @0"));
}

}  // namespace
}  // namespace switchyard::pool
