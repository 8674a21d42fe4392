#include <switchyard/fleet/topology.hpp>
#include <switchyard/fleet/topology_fixture.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

constexpr Duration kRtt = 1ms;

/// A primary and two replicas, and a clock.
class TopologyTest : public ::testing::Test {
 protected:
  TopologyChange see(std::size_t place, const ProbeAnswer& answer, Duration when) {
    return topology.answered(place, answer, at(when), at(when + kRtt));
  }
  const EndpointHealth& health(std::size_t place) { return topology.snapshot()->health[place]; }
  std::optional<std::size_t> primary() { return topology.snapshot()->primary; }
  std::optional<Duration> age(std::size_t place, Duration when) { return health(place).staleness(at(when)); }
  PlaceRole role(std::size_t place) { return health(place).role; }

  Topology topology{{primary_place(), replica_place("a"), replica_place("b")}};
};

TEST_F(TopologyTest, AStandbyThatHasReplayedWhatThePrimaryWroteIsAsFreshAsThatLook) {
  see(0, primary_at(100), 0s);
  see(1, standby_at(100, 100), 1s);
  EXPECT_EQ(age(1, 1s), 1s);
  see(0, primary_at(100), 2s);
  see(1, standby_at(100, 100), 2s);
  EXPECT_EQ(age(1, 2s), 0s);
  EXPECT_EQ(health(1).lag_bytes, 0U);
}

TEST_F(TopologyTest, APausedStandbyAgesWithTheLastLookItHasCaughtUpWith) {
  see(0, primary_at(100), 0s);
  see(0, primary_at(200), 1s);
  see(0, primary_at(300), 2s);
  see(1, standby_at(300, 250), 3s);
  EXPECT_EQ(age(1, 3s), 2s);
  EXPECT_EQ(age(1, 9s), 8s) << "nobody knows what it has replayed since";
  EXPECT_EQ(health(1).lag_bytes, 50U);
}

TEST_F(TopologyTest, TheLastReplayedCommitBoundsTheAgeWhereNoLookDoes) {
  see(0, primary_at(1000), 0s);
  ProbeAnswer far = standby_at(500, 400);
  EXPECT_EQ((see(1, far, 10s), age(1, 10s)), std::nullopt);
  far.replay_age = 30s;
  see(1, far, 11s);
  EXPECT_EQ(age(1, 11s), 30s);
  // A primary that idles makes that age grow, and it means nothing once the standby has caught up.
  ProbeAnswer caught_up = standby_at(1000, 1000);
  caught_up.replay_age = 3600s;
  see(1, caught_up, 12s);
  EXPECT_EQ(age(1, 12s), 12s);
}

TEST_F(TopologyTest, WithoutAPrimaryTheFreshestStandbyIsWhatTheOthersAreComparedWith) {
  see(1, standby_at(500, 500), 0s);
  see(2, standby_at(400, 300), 1s);
  EXPECT_EQ(age(1, 0s), 0s);
  EXPECT_EQ(age(2, 1s), std::nullopt);
  EXPECT_EQ(health(2).lag_bytes, 200U);
  see(2, standby_at(500, 500), 2s);
  EXPECT_EQ(age(2, 2s), 0s);
  EXPECT_EQ(primary(), std::nullopt);
}

TEST_F(TopologyTest, APromotedStandbyTakesOver) {
  see(0, primary_at(100), 0s);
  see(1, standby_at(100, 90), 0s);
  EXPECT_EQ(primary(), 0U);
  EXPECT_TRUE(topology.failed(0, "gone", at(1s)).reach);
  EXPECT_EQ(primary(), 0U) << "nobody else is one";
  EXPECT_FALSE(topology.snapshot()->primary_answers());
  EXPECT_TRUE(see(1, primary_at(120, 2), 2s).primary);
  EXPECT_EQ(primary(), 1U);
  EXPECT_EQ(topology.snapshot()->timeline, 2U);
  ASSERT_NE(topology.snapshot()->fork_of(1), nullptr);
  EXPECT_EQ(topology.snapshot()->fork_of(1)->at, WalPosition(90)) << "it had replayed that much before it left";
}

TEST_F(TopologyTest, AnOldPrimaryThatComesBackIsDemoted) {
  see(0, primary_at(100), 0s);
  see(1, standby_at(100, 100), 0s);
  EXPECT_TRUE(see(1, primary_at(130, 2), 1s).primary);
  EXPECT_EQ(role(0), PlaceRole::demoted) << "before it was seen again";
  EXPECT_FALSE(see(0, primary_at(999), 2s).primary);
  EXPECT_EQ(role(0), PlaceRole::demoted);
  EXPECT_EQ(primary(), 1U);
  see(0, standby_at(140, 140, 2), 3s);
  EXPECT_EQ(role(0), PlaceRole::standby);
}

TEST_F(TopologyTest, APlaceThatFellBackToAnEarlierTimelineIsNoPrimary) {
  see(1, standby_at(100, 100, 2), 0s);
  see(1, primary_at(130, 3), 1s);
  see(0, primary_at(100, 2), 2s);
  EXPECT_EQ(primary(), 1U);
  EXPECT_EQ(role(0), PlaceRole::demoted);
}

TEST_F(TopologyTest, AReplicaThatTakesWritesOnTheSameTimelineIsALogicalOne) {
  see(0, primary_at(100), 0s);
  see(1, primary_at(50), 0s);
  EXPECT_EQ(role(1), PlaceRole::logical);
  topology.failed(0, "gone", at(1s));
  EXPECT_FALSE(see(1, primary_at(60), 2s).primary) << "it never was a standby";
  EXPECT_EQ(primary(), 0U);
}

TEST_F(TopologyTest, AfterARestartAPromotedReplicaIsToldFromALogicalOneByItsTimeline) {
  see(1, primary_at(50, 1), 0s);
  EXPECT_EQ(primary(), std::nullopt);
  ProbeAnswer subscriber = primary_at(50, 2);
  subscriber.subscribes = true;
  see(1, subscriber, 1s);
  EXPECT_EQ(primary(), std::nullopt);
  see(2, primary_at(50, 2), 2s);
  EXPECT_EQ(primary(), 2U);
}

TEST_F(TopologyTest, AServerOfAnotherClusterNeverTakesOver) {
  see(0, primary_at(100), 0s);
  ProbeAnswer stranger = primary_at(500, 9);
  stranger.system_identifier = 99;
  topology.failed(0, "gone", at(1s));
  see(1, stranger, 2s);
  EXPECT_EQ(primary(), 0U);
  EXPECT_EQ(role(1), PlaceRole::logical);
  ProbeAnswer standby = standby_at(5, 5);
  standby.system_identifier = 99;
  see(2, standby, 2s);
  EXPECT_EQ(role(2), PlaceRole::unknown);
}

TEST_F(TopologyTest, AReplicaThatIsDeclaredOtherwiseIsNoCandidate) {
  PlaceDescription other = replica_place("other");
  other.candidate = false;
  Topology with_other({primary_place(), other});
  with_other.answered(0, primary_at(100), at(0s), at(kRtt));
  with_other.failed(0, "gone", at(1s));
  with_other.answered(1, primary_at(120, 2), at(2s), at(2s));
  EXPECT_EQ(with_other.snapshot()->primary, 0U);
}

TEST_F(TopologyTest, APrimaryThatWasMadeAnewIsTakenWhenTheOldOneIsGone) {
  see(0, primary_at(100), 0s);
  topology.failed(0, "gone", at(1s));
  ProbeAnswer anew = primary_at(10);
  anew.system_identifier = 74;
  see(0, anew, 2s);
  EXPECT_EQ(primary(), 0U);
  EXPECT_EQ(topology.snapshot()->system_identifier, 74U);
  EXPECT_EQ(role(0), PlaceRole::primary);
}

TEST_F(TopologyTest, WhatAHistoryFileSaysReplacesWhatWasInferred) {
  see(1, standby_at(90, 90), 0s);
  see(1, primary_at(120, 2), 1s);
  EXPECT_FALSE(topology.snapshot()->fork_of(1)->exact);
  topology.learn_forks(parse_history("1\t0/64\tno recovery target specified\n"));
  EXPECT_TRUE(topology.snapshot()->fork_of(1)->exact);
  EXPECT_EQ(topology.snapshot()->fork_of(1)->at, WalPosition(100));
}

TEST_F(TopologyTest, ATimelineThatMayBeAnEarlierOneTellsNoFork) {
  ProbeAnswer vague = standby_at(90, 90);
  vague.timeline_exact = false;
  see(1, vague, 0s);
  see(1, primary_at(120, 2), 1s);
  EXPECT_EQ(topology.snapshot()->fork_of(1), nullptr);
}

TEST_F(TopologyTest, ALatePlaceIsLateUntilItAnswersOrFails) {
  see(1, standby_at(90, 90), 0s);
  topology.late(1);
  EXPECT_TRUE(health(1).late);
  see(1, standby_at(90, 90), 1s);
  EXPECT_FALSE(health(1).late);
}

TEST_F(TopologyTest, SnapshotsNeverChange) {
  see(0, primary_at(100), 0s);
  const auto before = topology.snapshot();
  see(1, standby_at(100, 100), 1s);
  EXPECT_FALSE(before->health[1].observed());
  EXPECT_LT(before->version, topology.snapshot()->version);
}

TEST(History, LinesThatDoNotFitAreLeftOut) {
  const auto forks = parse_history("1\t0/402A018\twhy\n# a comment\n\nx\t0/1\n2\tnonsense\tw\n2\t1/0\n");
  ASSERT_EQ(forks.size(), 2U);
  EXPECT_EQ(forks[0].at.to_string(), "0/402A018");
  EXPECT_EQ(forks[1].timeline, 2U);
  EXPECT_TRUE(parse_history("").empty());
}

}  // namespace
}  // namespace switchyard::fleet
