// Who serves a database that another one can stand in for.
#include <switchyard/fleet/ownership.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

OwnershipFacts facts(bool configured, std::string owner, std::vector<std::string> left) {
  return {.database = "analytics",
          .stand_in = "main",
          .configured = configured,
          .location = configured ? "new:5432/analytics" : "",
          .recorded_owner = owner,
          .recorded_location = owner == "analytics" ? "new:5432/analytics" : "",
          .tables_left = std::move(left)};
}

TEST(Ownership, WithoutItsVariableMainStandsIn) {
  for (const char* owner : {"", "main"}) {
    const auto decision = decide_ownership(facts(false, owner, {}));
    EXPECT_EQ(decision.verdict, OwnershipVerdict::stand_in);
    EXPECT_TRUE(decision.note.empty());
    EXPECT_TRUE(decision.record_owner.empty());
  }
}

TEST(Ownership, AnEmptyMainGivesWayAtOnce) {
  const auto decision = decide_ownership(facts(true, "", {}));
  EXPECT_EQ(decision.verdict, OwnershipVerdict::own);
  EXPECT_EQ(decision.record_owner, "analytics");
  EXPECT_TRUE(decision.note.empty());
}

TEST(Ownership, TablesLeftInMainStayThereUntilTheyAreMoved) {
  const auto decision = decide_ownership(facts(true, "", {"events", "facts"}));
  EXPECT_EQ(decision.verdict, OwnershipVerdict::stand_in);
  EXPECT_EQ(decision.record_owner, "main");
  EXPECT_EQ(decision.hint, "switchyard move events facts --from main --to analytics");
  EXPECT_TRUE(decide_ownership(facts(true, "main", {"events"})).record_owner.empty());
  EXPECT_EQ(decide_ownership(facts(true, "main", {})).verdict, OwnershipVerdict::own);
}

TEST(Ownership, WhatWasMovedStaysMovedWhateverMainStillHolds) {
  const auto decision = decide_ownership(facts(true, "analytics", {"events"}));
  EXPECT_EQ(decision.verdict, OwnershipVerdict::own);
  EXPECT_TRUE(decision.record_owner.empty());
}

TEST(Ownership, ANewLocationIsRecorded) {
  auto moved = facts(true, "analytics", {});
  moved.location = "newer:5432/analytics";
  EXPECT_EQ(decide_ownership(moved).record_owner, "analytics");
}

TEST(Ownership, TakingTheVariableAwayIsRefusedWithTheWayBack) {
  const auto decision = decide_ownership(facts(false, "analytics", {}));
  EXPECT_EQ(decision.verdict, OwnershipVerdict::refuse);
  EXPECT_NE(decision.note.find("new:5432/analytics"), std::string::npos);
  EXPECT_NE(decision.hint.find("ANALYTICS_DATABASE_URL"), std::string::npos);
  EXPECT_NE(decision.hint.find("switchyard move TABLES --from analytics --to main"), std::string::npos);
}

}  // namespace
}  // namespace switchyard::fleet
