#include <switchyard/base/random.hpp>
#include <switchyard/fleet/read_choice.hpp>
#include <switchyard/fleet/topology_fixture.hpp>

#include <gtest/gtest.h>

#include <array>
#include <sstream>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// primary, a (api), b (jobs), c: all standbys have replayed 100 of the primary's 100, one second ago.
class ReadChoiceTest : public ::testing::Test {
 protected:
  ReadChoiceTest() {
    snapshot.places = std::make_shared<const std::vector<PlaceDescription>>(std::vector{
        primary_place(), replica_place("a", {"api"}), replica_place("b", {"jobs"}), replica_place("c")});
    snapshot.health.resize(4);
    snapshot.primary = 0;
    snapshot.timeline = 1;
    snapshot.system_identifier = kCluster;
    for (std::size_t i = 0; i < 4; ++i) {
      EndpointHealth& health = snapshot.health[i];
      health.reach = Reach::reachable;
      health.role = i == 0 ? PlaceRole::primary : PlaceRole::standby;
      health.system_identifier = kCluster;
      health.timeline = 1;
      health.written = health.flushed = health.received = health.replayed = WalPosition(100);
      health.asked = health.covers = at(0s);
      health.lag_bytes = 0;
      health.rtt = 1ms;
    }
    wish.max_lag = 60s;
    wish.now = at(1s);
    wish.may_wait = 50ms;
  }
  ReadChoice choose() { return choose_read(snapshot, wish, loads); }
  std::string place() {
    const ReadChoice choice = choose();
    switch (choice.kind) {
      case ReadChoice::Kind::primary: return "primary: " + std::string(to_string(choice.obstacle));
      case ReadChoice::Kind::wait: return "wait for " + (*snapshot.places)[choice.place].name;
      case ReadChoice::Kind::replica: return (*snapshot.places)[choice.place].name;
    }
    return "?";
  }
  EndpointHealth& health(char name) { return snapshot.health[static_cast<std::size_t>(name - 'a') + 1]; }
  PlaceLoad& load(char name) { return loads[static_cast<std::size_t>(name - 'a') + 1]; }
  void token(std::uint64_t lsn, std::uint32_t timeline = 1) {
    entry.token = {
        .database = "main", .system_identifier = kCluster, .timeline = timeline, .lsn = WalPosition(lsn)};
    wish.token = &entry;
  }
  void all_lag(Duration lag) {
    for (char name : {'a', 'b', 'c'}) health(name).covers = at(1s - lag);
  }

  TopologySnapshot snapshot;
  ReadWish wish;
  CausalTokens::Entry entry;
  StickyRead sticky;
  std::array<PlaceLoad, 4> loads{};
};

TEST_F(ReadChoiceTest, TheLeastBusyReplicaIsTaken) {
  load('a').outstanding = 3;
  load('b').outstanding = 1;
  load('c').outstanding = 2;
  EXPECT_EQ(place(), "b");
}

TEST_F(ReadChoiceTest, EqualsTakeTurns) {
  std::string order;
  for (wish.turn = 0; wish.turn < 8; ++wish.turn) order += place();
  for (const char* name : {"a", "b", "c"}) EXPECT_NE(order.find(name), std::string::npos) << order;
}

TEST_F(ReadChoiceTest, OurRegionComesFirstThenTheNearest) {
  auto places = *snapshot.places;
  places[3].region = "fra";
  snapshot.places = std::make_shared<const std::vector<PlaceDescription>>(places);
  wish.region = "fra";
  load('c').outstanding = 50;
  health('c').rtt = 9ms;
  EXPECT_EQ(place(), "c");
  wish.region = {};
  EXPECT_NE(place(), "c");
  health('a').rtt = 10ms;
  EXPECT_EQ(place(), "b");
}

TEST_F(ReadChoiceTest, ANameOrPurposeIsHonoured) {
  wish.replica = "api";
  load('a').outstanding = 99;
  EXPECT_EQ(place(), "a");
  wish.replica = "c";
  EXPECT_EQ(place(), "c");
}

TEST_F(ReadChoiceTest, ALostPurposeMovesToAnotherReplicaAndSaysSo) {
  wish.replica = "api";
  health('a').reach = Reach::unreachable;
  load('b').outstanding = 1;
  EXPECT_EQ(place(), "c");
  EXPECT_EQ(choose().why, ReadChoice::Why::other_purpose);
  EXPECT_EQ(choose().obstacle, Verdict::unreachable);
}

TEST_F(ReadChoiceTest, ReplicasThatLagTooMuchAreNotRead) {
  all_lag(61s);
  EXPECT_EQ(place(), "primary: lags by more than max_lag");
  wish.max_lag = 61s;
  EXPECT_NE(place().find_first_of("abc"), std::string::npos);
  wish.max_lag_bytes = 10;
  for (char name : {'a', 'b', 'c'}) health(name).lag_bytes = 11;
  EXPECT_EQ(place(), "primary: lags by more than max_lag_bytes");
}

TEST_F(ReadChoiceTest, AReplicaThatWasNotLookedAtForLongMayLag) {
  wish.now = at(61s);
  EXPECT_EQ(place(), "primary: lags by more than max_lag");
}

TEST_F(ReadChoiceTest, AReplicasOwnLimitCountsUnlessTheCallerHasOne) {
  auto places = *snapshot.places;
  places[1].max_lag = 2h;
  snapshot.places = std::make_shared<const std::vector<PlaceDescription>>(places);
  all_lag(30min);
  EXPECT_EQ(place(), "a");
  wish.strict = true;
  EXPECT_EQ(place(), "primary: lags by more than max_lag");
}

TEST_F(ReadChoiceTest, ATokenIsWaitedForBrieflyThenThePrimaryIsRead) {
  token(101);
  EXPECT_EQ(choose().kind, ReadChoice::Kind::wait);
  wish.may_wait = 0ms;
  EXPECT_EQ(place(), "primary: has not replayed what this request wrote");
  health('b').replayed = WalPosition(101);
  EXPECT_EQ(place(), "b");
}

TEST_F(ReadChoiceTest, ARequestForOnePurposeWaitsForItBeforeItMoves) {
  wish.replica = "api";
  token(101);
  health('b').replayed = WalPosition(101);
  EXPECT_EQ(place(), "wait for a");
  wish.may_wait = 0ms;
  EXPECT_EQ(place(), "b");
}

TEST_F(ReadChoiceTest, AnUnknownPositionMeansThePrimary) {
  token(1);
  entry.primary_only = true;
  EXPECT_EQ(choose().kind, ReadChoice::Kind::primary);
  EXPECT_EQ(choose().why, ReadChoice::Why::token);
}

TEST_F(ReadChoiceTest, ATokenOfAnEarlierTimelineCountsOnlyBelowTheFork) {
  for (char name : {'a', 'b', 'c'}) health(name).timeline = 2;
  snapshot.timeline = 2;
  token(90);
  wish.may_wait = 0ms;
  EXPECT_EQ(place(), "primary: can't show what this request wrote") << "where the fork lies is not known";
  snapshot.forks = {{.timeline = 1, .at = WalPosition(90)}};
  EXPECT_NE(place().find_first_of("abc"), std::string::npos);
  token(91);
  EXPECT_EQ(place(), "primary: can't show what this request wrote");
}

TEST_F(ReadChoiceTest, ATokenOfALaterTimelineWaitsForTheReplicaToFollow) {
  snapshot.timeline = 2;
  snapshot.forks = {{.timeline = 1, .at = WalPosition(100)}};
  token(50, 2);
  wish.may_wait = 0ms;
  EXPECT_EQ(place(), "primary: has not replayed what this request wrote");
}

TEST_F(ReadChoiceTest, AReplicaBehindTheForkOfAnAbandonedTimelineIsNotRead) {
  snapshot.timeline = 2;
  snapshot.forks = {{.timeline = 1, .at = WalPosition(99)}};
  EXPECT_EQ(place(), "primary: follows an abandoned timeline");
  health('a').replayed = WalPosition(99);
  EXPECT_EQ(place(), "a");
}

TEST_F(ReadChoiceTest, ATokenOfAnotherClusterMeansThePrimary) {
  token(1);
  entry.token.system_identifier = 99;
  EXPECT_EQ(choose().kind, ReadChoice::Kind::primary);
}

TEST_F(ReadChoiceTest, ARequestStaysWhereItHasRead) {
  sticky = {.place = 3, .used = at(500ms)};
  wish.sticky = &sticky;
  load('c').outstanding = 10;
  EXPECT_EQ(place(), "c");
  EXPECT_EQ(choose().why, ReadChoice::Why::again);
}

TEST_F(ReadChoiceTest, ItMovesOnlyToAPlaceThatShowsAsMuch) {
  sticky = {.place = 3, .used = at(500ms)};
  wish.sticky = &sticky;
  wish.may_wait = 0ms;
  health('c').reach = Reach::unreachable;
  EXPECT_EQ(place(), "primary: may show less than this request has read") << "nobody was asked since";
  snapshot.health[0].asked = at(600ms);
  snapshot.health[0].written = WalPosition(105);
  EXPECT_EQ(place(), "primary: may show less than this request has read");
  health('b').replayed = WalPosition(105);
  EXPECT_EQ(place(), "b") << "it has all that the primary had written after the last read";
  health('b').replayed = WalPosition(103);
  health('c').asked = at(600ms);
  health('c').replayed = WalPosition(102);
  EXPECT_EQ(place(), "b") << "it has all that the former had replayed after the last read";
}

TEST_F(ReadChoiceTest, FromThePrimaryItMovesToAReplicaThatHasReplayedAllOfIt) {
  sticky = {.place = 0, .used = at(500ms)};
  wish.sticky = &sticky;
  wish.may_wait = 0ms;
  EXPECT_EQ(choose().kind, ReadChoice::Kind::primary);
  snapshot.health[0].asked = at(600ms);
  EXPECT_EQ(choose().kind, ReadChoice::Kind::replica);
}

TEST_F(ReadChoiceTest, PlacesInTroubleAreLeftOut) {
  health('a').late = true;
  load('b').available = false;
  wish.avoid = 1U << 3;
  EXPECT_EQ(choose().kind, ReadChoice::Kind::primary);
  wish.avoid = 0;
  EXPECT_EQ(place(), "c");
  health('c').role = PlaceRole::demoted;
  EXPECT_EQ(choose().kind, ReadChoice::Kind::primary);
}

TEST_F(ReadChoiceTest, BeforeTheFirstLookAReadWaits) {
  for (char name : {'a', 'b', 'c'}) health(name) = {};
  EXPECT_EQ(choose().kind, ReadChoice::Kind::wait);
  wish.may_wait = 0ms;
  EXPECT_EQ(place(), "primary: has not been observed yet");
}

TEST_F(ReadChoiceTest, APromotedReplicaServesItsPurposeUntilAnotherOneCan) {
  health('a').role = PlaceRole::primary;
  snapshot.primary = 1;
  snapshot.health[0].role = PlaceRole::demoted;
  load('b').outstanding = load('c').outstanding = 9;
  EXPECT_NE(place(), "a") << "it has the writes to do";
  wish.replica = "api";
  EXPECT_EQ(place(), "a");
}

TEST_F(ReadChoiceTest, ALogicalReplicaServesReadsThatAskForNoPosition) {
  for (char name : {'b', 'c'}) health(name).reach = Reach::unreachable;
  health('a').role = PlaceRole::logical;
  health('a').covers = TimePoint::min();
  EXPECT_EQ(place(), "a");
  wish.strict = true;
  EXPECT_EQ(place(), "primary: does not tell how far it lags");
  wish.strict = false;
  token(1);
  EXPECT_EQ(place(), "primary: can't show what this request wrote");
}

// -- against an oracle that knows the rules in their plainest form --

struct World {
  TopologySnapshot snapshot;
  std::array<PlaceLoad, 4> loads{};
  ReadWish wish;
  CausalTokens::Entry entry;
  StickyRead sticky;
};

void shake(World& world, Random& random) {
  const auto pick = [&](std::uint64_t n) { return random.next() % n; };
  const auto chance = [&](std::uint64_t percent) { return pick(100) < percent; };
  std::vector<PlaceDescription> places{primary_place(), replica_place("a", {"api"}), replica_place("b", {"jobs"}),
                                       replica_place("c")};
  for (std::size_t i = 1; i < 4; ++i) {
    if (chance(30)) places[i].region = "fra";
    if (chance(20)) places[i].max_lag = std::chrono::seconds(pick(10) + 1);
  }
  world.snapshot = {};
  world.snapshot.places = std::make_shared<const std::vector<PlaceDescription>>(std::move(places));
  world.snapshot.health.resize(4);
  world.snapshot.primary = 0;
  world.snapshot.timeline = chance(80) ? 1 : 2;
  world.snapshot.system_identifier = kCluster;
  if (chance(50)) world.snapshot.forks = {{.timeline = 1, .at = WalPosition(95 + pick(10))}};
  for (std::size_t i = 0; i < 4; ++i) {
    EndpointHealth& health = world.snapshot.health[i];
    if (chance(5)) continue;  // never observed
    health.reach = chance(90) ? Reach::reachable : Reach::unreachable;
    constexpr std::array kRoles{PlaceRole::standby, PlaceRole::standby, PlaceRole::standby, PlaceRole::standby,
                                PlaceRole::logical, PlaceRole::demoted, PlaceRole::unknown};
    health.role = i == 0 ? PlaceRole::primary : kRoles[pick(kRoles.size())];
    health.late = chance(5);
    health.system_identifier = kCluster;
    health.timeline = i == 0 || chance(70) ? world.snapshot.timeline : 1;
    health.replayed = WalPosition(90 + pick(20));
    health.received = WalPosition(health.replayed.value() + pick(3));
    health.written = health.flushed = WalPosition(100 + pick(10));
    health.asked = at(std::chrono::milliseconds(pick(1000)));
    if (chance(90)) health.covers = health.asked - std::chrono::seconds(pick(8));
    if (chance(90)) health.lag_bytes = pick(20);
    health.rtt = std::chrono::microseconds(100 + 300 * pick(8));
    world.loads[i] = {.outstanding = static_cast<std::uint32_t>(pick(3)), .available = chance(95)};
  }
  ReadWish& wish = world.wish;
  wish = {};
  wish.max_lag = std::chrono::seconds(1 + pick(8));
  wish.strict = chance(30);
  wish.max_lag_bytes = chance(30) ? 1 + pick(20) : 0;
  if (chance(30)) wish.replica = chance(50) ? "api" : "c";
  if (chance(30)) wish.region = "fra";
  if (chance(10)) wish.avoid = 1ULL << (1 + pick(3));
  wish.may_wait = chance(50) ? Duration(50ms) : Duration::zero();
  wish.now = at(1s);
  wish.turn = static_cast<std::uint32_t>(pick(8));
  if (chance(50)) {
    world.entry.token = {.database = "main",
                         .system_identifier = chance(90) ? kCluster : 99,
                         .timeline = static_cast<std::uint32_t>(1 + pick(2)),
                         .lsn = WalPosition(90 + pick(20))};
    world.entry.primary_only = chance(10);
    wish.token = &world.entry;
  }
  if (chance(40)) {
    world.sticky = {.place = pick(4), .used = at(std::chrono::milliseconds(pick(1000)))};
    wish.sticky = &world.sticky;
  }
}

/// Would this read be right at the place?
bool right(const World& world, std::size_t i) {
  const TopologySnapshot& s = world.snapshot;
  const EndpointHealth& h = s.health[i];
  const ReadWish& w = world.wish;
  if (i == 0 || !h.observed() || h.reach != Reach::reachable || h.late || !world.loads[i].available) return false;
  if ((w.avoid >> i & 1) != 0) return false;
  if (h.role != PlaceRole::standby && h.role != PlaceRole::logical) return false;
  const auto fork = [&]() -> std::uint64_t { return s.forks.empty() ? 0 : s.forks[0].at.value(); };
  if (h.role == PlaceRole::standby && h.timeline == 1 && s.timeline == 2 && h.replayed.value() > fork())
    return false;
  Duration limit = w.max_lag;
  if (!w.strict && (*s.places)[i].max_lag != Duration::zero()) limit = (*s.places)[i].max_lag;
  if (h.covers != TimePoint::min() && w.now - h.covers > limit) return false;
  if (h.covers == TimePoint::min() && (w.strict || h.role == PlaceRole::standby)) return false;
  if (w.max_lag_bytes > 0 && h.lag_bytes && *h.lag_bytes > w.max_lag_bytes) return false;
  if (w.token != nullptr) {
    const CausalToken& t = w.token->token;
    if (w.token->primary_only || h.role == PlaceRole::logical || t.system_identifier != kCluster) return false;
    if (t.timeline > h.timeline || h.replayed < t.lsn) return false;
    if (t.timeline < h.timeline && t.lsn.value() > fork()) return false;
  }
  if (w.sticky != nullptr && w.sticky->place != i) {
    if (h.role != PlaceRole::standby) return false;
    const EndpointHealth& former = s.health[w.sticky->place];
    const EndpointHealth& top = s.health[0];
    const bool by_former = former.role == PlaceRole::standby && former.asked >= w.sticky->used &&
                           former.timeline <= h.timeline && former.replayed <= h.replayed;
    const bool by_primary = top.reach == Reach::reachable && top.asked >= w.sticky->used &&
                            top.timeline <= h.timeline && top.written <= h.replayed;
    if (!by_former && !by_primary) return false;
  }
  return true;
}

TEST(ReadChoiceProperty, WhatIsChosenIsRightAndNothingBetterIsLeft) {
  Random random(20240611);
  std::array<int, 3> kinds{};
  for (int round = 0; round < 60'000; ++round) {
    World world;
    shake(world, random);
    const ReadChoice choice = choose_read(world.snapshot, world.wish, world.loads);
    ++kinds[static_cast<std::size_t>(choice.kind)];
    const auto& places = *world.snapshot.places;
    const auto asked_for = [&](std::size_t i) {
      return world.wish.replica.empty() || places[i].serves(world.wish.replica);
    };
    bool any_asked_for = false;
    bool any = false;
    for (std::size_t i = 1; i < 4; ++i) {
      any = any || right(world, i);
      any_asked_for = any_asked_for || (right(world, i) && asked_for(i));
    }
    SCOPED_TRACE("round " + std::to_string(round));
    switch (choice.kind) {
      case ReadChoice::Kind::replica: {
        ASSERT_TRUE(right(world, choice.place));
        ASSERT_TRUE(asked_for(choice.place) || !any_asked_for);
        if (choice.why == ReadChoice::Why::again) {
          ASSERT_EQ(choice.place, world.sticky.place);
          break;
        }
        // Nobody of the same kind, of our region and as near has less to do.
        const auto ours = [&](std::size_t i) {
          return world.wish.region.empty() || places[i].region == world.wish.region;
        };
        for (std::size_t i = 1; i < 4; ++i) {
          if (!right(world, i) || asked_for(i) != asked_for(choice.place)) continue;
          ASSERT_TRUE(ours(choice.place) || !ours(i));
          if (ours(i) != ours(choice.place)) continue;
          const auto near = world.snapshot.health[i].rtt;
          const auto chosen = world.snapshot.health[choice.place].rtt;
          ASSERT_LT(chosen, near + 500us);
          if (near == chosen) ASSERT_LE(world.loads[choice.place].outstanding, world.loads[i].outstanding);
        }
        break;
      }
      case ReadChoice::Kind::wait:
        ASSERT_FALSE(any_asked_for);
        ASSERT_GT(world.wish.may_wait, Duration::zero());
        ASSERT_TRUE(asked_for(choice.place));
        break;
      case ReadChoice::Kind::primary: ASSERT_FALSE(any); break;
    }
  }
  for (const int count : kinds) EXPECT_GT(count, 300);
}

}  // namespace
}  // namespace switchyard::fleet
