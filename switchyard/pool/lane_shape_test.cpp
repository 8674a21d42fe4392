#include <switchyard/pool/lane_shape.hpp>
#include <switchyard/pool/lane_shapes.hpp>

#include <gtest/gtest.h>

#include <array>

namespace switchyard::pool {
namespace {

using namespace std::chrono_literals;

sql::Verdict cleared() {
  return {.may_share = true, .may_share_sync = true, .may_intern = true, .reasons = {"only reads"}};
}

struct LaneShapeTest : testing::Test {
  LaneShapeTest() { shape.judge(cleared(), 1); }
  void run(int times, Duration took) {
    for (int i = 0; i < times; ++i) shape.note_run(took, 0, now);
  }
  LaneShape shape{0, "SELECT 1", {}};
  TimePoint now{100s};
};

TEST_F(LaneShapeTest, IsLeasedUntilItWasJudgedAndSaysWhyAfterwards) {
  LaneShape unknown(1, "SELECT f()", {});
  EXPECT_EQ(unknown.objection(now), "leased: not judged yet");
  unknown.judge({.reasons = {"calls f()"}}, 1);
  EXPECT_EQ(unknown.objection(now), "leased: calls f()");
  EXPECT_EQ(shape.objection(now), "");
}

TEST_F(LaneShapeTest, WhatMayNotBeInternedMayNotShare) {
  shape.judge({.may_share = true, .may_share_sync = true, .may_intern = false, .reasons = {"says 'now'"}}, 2);
  EXPECT_EQ(shape.objection(now), "leased: says 'now'");
}

TEST_F(LaneShapeTest, IsWorthAPlaceFromTheThirdUseWithinAMinute) {
  EXPECT_FALSE(shape.note_use(now));
  EXPECT_FALSE(shape.note_use(now + 30s));
  EXPECT_FALSE(shape.note_use(now + 61s)) << "the first was too long ago";
  EXPECT_FALSE(shape.note_use(now + 62s));
  EXPECT_TRUE(shape.note_use(now + 63s));
  EXPECT_TRUE(shape.note_use(now + 1h)) << "it has its place";
}

TEST_F(LaneShapeTest, SharesASyncOnceItHasBeenQuickAlone) {
  run(static_cast<int>(kRunsAlone) - 1, 100us);
  EXPECT_FALSE(shape.is_sure());
  run(1, 100us);
  EXPECT_TRUE(shape.is_sure());
  run(1, 2ms);
  EXPECT_FALSE(shape.is_sure());
}

TEST_F(LaneShapeTest, OneHiccupOfTheMachineIsForgotten) {
  run(100, 100us);
  run(1, 30ms);
  EXPECT_EQ(shape.objection(now), "");
  run(200, 100us);
  EXPECT_TRUE(shape.is_sure());
}

TEST_F(LaneShapeTest, AFailureOrASlowGroupPutsItOnItsOwnAgain) {
  run(100, 100us);
  shape.note_failure();
  EXPECT_FALSE(shape.is_sure());
  run(100, 100us);
  shape.suspect();
  EXPECT_FALSE(shape.is_sure());
}

TEST_F(LaneShapeTest, WhatIsSlowIsLeasedAndLongerEachTime) {
  run(3, 30ms);
  EXPECT_EQ(shape.objection(now), "leased: it was slow lately");
  EXPECT_EQ(shape.objection(now + kLeastBar), "");
  now += kLeastBar;
  run(1, 30ms);
  EXPECT_EQ(shape.objection(now + kLeastBar), "leased: it was slow lately");
  EXPECT_EQ(shape.objection(now + 2 * kLeastBar), "");
}

TEST_F(LaneShapeTest, RunsTakeLongerWhereManySessionsWork) {
  for (int i = 0; i < 10; ++i) shape.note_run(10ms, 64, now);
  EXPECT_EQ(shape.objection(now), "");
  for (int i = 0; i < 10; ++i) shape.note_leased_run(60ms, 64, now);
  EXPECT_EQ(shape.objection(now), "");
  for (int i = 0; i < 10; ++i) shape.note_leased_run(60ms, 0, now);
  EXPECT_EQ(shape.objection(now), "leased: it was slow lately");
}

TEST_F(LaneShapeTest, FollowersWaitEightTimesWhatItTookLately) {
  EXPECT_EQ(shape.budget(), kLeastBudget);
  run(1, 2ms);
  EXPECT_EQ(shape.budget(), 16ms);
  run(1, 1s);
  EXPECT_EQ(shape.budget(), kMostBudget);
}

TEST_F(LaneShapeTest, TwoFaultsOrTwoLossesLeaseItForAWhile) {
  shape.note_fault(now);
  EXPECT_EQ(shape.objection(now), "");
  shape.note_fault(now + 1s);
  EXPECT_EQ(shape.objection(now + 1s), "leased: it needed a lease after all, twice lately");
  LaneShape other(1, "SELECT 2", {});
  other.judge(cleared(), 1);
  other.note_loss(now);
  EXPECT_EQ(other.objection(now), "");
  other.note_loss(now);
  EXPECT_EQ(other.objection(now), "leased: two sessions were lost under it");
}

TEST_F(LaneShapeTest, ANewEpochForgetsItsColumns) {
  shape.described = true;
  shape.judge(cleared(), 2);
  EXPECT_FALSE(shape.described);
  EXPECT_EQ(shape.epoch(), 2U);
}

TEST(LaneShapes, AreToldApartByTheirBytesAndTheTypesOfTheirParameters) {
  LaneShapes shapes;
  const std::array<Oid, 1> integer{23};
  const std::array<Oid, 1> text{25};
  LaneShape* first = shapes.find_or_add("SELECT $1", integer);
  EXPECT_EQ(shapes.find_or_add("SELECT $1", integer), first);
  EXPECT_NE(shapes.find_or_add("SELECT $1", text), first);
  EXPECT_NE(shapes.find_or_add("SELECT  $1", integer), first);
  EXPECT_EQ(shapes.size(), 3U);
}

TEST(LaneShapes, AreBoundedAndForgetWhatWasNotUsed) {
  LaneShapes shapes;
  const TimePoint now{100s};
  for (std::size_t i = 0; i < kMaxLaneShapes; ++i) {
    shapes.find_or_add("SELECT " + std::to_string(i), {})->used = now + (i == 7 ? 10s : 0s);
  }
  EXPECT_EQ(shapes.find_or_add("SELECT 'one more'", {}), nullptr);
  EXPECT_EQ(shapes.find_or_add(std::string(kMaxLaneText + 1, 'x'), {}), nullptr);
  std::vector<std::uint32_t> forgotten;
  shapes.forget_older_than(now + 1s, forgotten);
  EXPECT_EQ(forgotten.size(), kMaxLaneShapes - 1);
  EXPECT_EQ(shapes.size(), 1U);
  EXPECT_NE(shapes.find("SELECT 7", {}), nullptr);
  EXPECT_NE(shapes.find_or_add("SELECT 'one more'", {}), nullptr);
}

}  // namespace
}  // namespace switchyard::pool
