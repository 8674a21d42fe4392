// Where writes go, by script and virtual clock.
#include <switchyard/fleet/spool_gate.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using Way = SpoolGate::Way;
using State = SpoolGate::State;

class SpoolGateTest : public ::testing::Test {
 protected:
  [[nodiscard]] Way way() const { return gate.choose(now).way; }
  void look(GateSight sight = {}) {
    gate.look_started();
    gate.looked(sight, now);
  }
  TimePoint now = TimePoint{} + 1h;
  SpoolTimes times;
  SpoolGate gate{times, {.max_bytes = 1000, .max_entries = 3, .max_age = 1min}};
};

TEST_F(SpoolGateTest, TheFirstWriteLooksAndOthersWaitForThatLook) {
  EXPECT_EQ(way(), Way::look_first);
  gate.look_started();
  EXPECT_EQ(way(), Way::wait);
  gate.looked({}, now);
  EXPECT_EQ(way(), Way::direct);
}

TEST_F(SpoolGateTest, KnowledgeIsRenewedBesideTheWritesAndNeverOlderThanFreshness) {
  look();
  now += times.freshness / 2;
  EXPECT_FALSE(gate.choose(now).look);
  now += 1ms;
  EXPECT_EQ(way(), Way::direct);
  EXPECT_TRUE(gate.choose(now).look);
  gate.look_started();
  EXPECT_FALSE(gate.choose(now).look);
  now += times.freshness / 2;
  EXPECT_EQ(way(), Way::wait);  // the look is slow: nobody writes on what may be wrong by now
}

TEST_F(SpoolGateTest, AFallbackThatIsAwayCostsOneWaitAndThenNothing) {
  EXPECT_EQ(way(), Way::look_first);
  gate.look_started();
  gate.look_failed(now);
  EXPECT_EQ(way(), Way::direct);
  now += times.freshness - 1ms;
  EXPECT_EQ(way(), Way::direct);
  now += 1ms;
  EXPECT_EQ(way(), Way::look_first);
}

TEST_F(SpoolGateTest, DownOpensTheGateAndTheOthersOfTheProcessWait) {
  look();
  gate.down();
  EXPECT_EQ(way(), Way::open_first);
  gate.opening();
  EXPECT_EQ(way(), Way::wait);
  EXPECT_TRUE(gate.opened(now));
  EXPECT_EQ(way(), Way::spool);
  EXPECT_EQ(gate.state(), State::spooling);
  EXPECT_FALSE(gate.opened(now));
}

TEST_F(SpoolGateTest, AGateThatCanNotBeOpenedLeavesTheWayDirect) {
  look();
  gate.down();
  gate.opening();
  gate.open_failed();
  EXPECT_EQ(way(), Way::direct);
}

TEST_F(SpoolGateTest, AnotherProcessOpensAndThisOneFollows) {
  look();
  now += 600ms;
  gate.look_started();
  EXPECT_TRUE(gate.looked({.open = true}, now));
  EXPECT_EQ(way(), Way::spool);
}

TEST_F(SpoolGateTest, AClosedGateTurnsTheWriteBackToTheDatabase) {
  look({.open = true});
  EXPECT_EQ(way(), Way::spool);
  EXPECT_TRUE(gate.found_closed(now));
  EXPECT_EQ(way(), Way::direct);
  EXPECT_FALSE(gate.found_closed(now));
}

TEST_F(SpoolGateTest, ALookThatSetOutBeforeTheGateOpenedIsNotBelieved) {
  look();
  now += 600ms;
  const TimePoint sent = now;
  gate.look_started();
  now += 1ms;
  gate.down();
  gate.opening();
  now += 1ms;
  gate.opened(now);
  EXPECT_FALSE(gate.looked({.open = false}, sent));
  EXPECT_EQ(way(), Way::spool);
}

TEST_F(SpoolGateTest, ALookDoesNotDisturbTheOpening) {
  look();
  gate.down();
  gate.look_started();
  gate.opening();
  now += 1ms;
  EXPECT_FALSE(gate.looked({.open = false}, now));
  EXPECT_EQ(way(), Way::wait);
}

TEST_F(SpoolGateTest, MaintenanceIsLikeDown) {
  look({.open = false, .maintenance = true});
  EXPECT_EQ(way(), Way::open_first);
  gate.opening();
  gate.opened(now);
  EXPECT_EQ(way(), Way::spool);
  now += 1s;
  look({.open = true, .maintenance = false});
  EXPECT_EQ(way(), Way::spool);  // until it is drained
  gate.found_closed(now);
  EXPECT_EQ(way(), Way::direct);
}

TEST_F(SpoolGateTest, TheFirstFullLimitIsNamed) {
  look({.open = true, .usage = {.entries = 1, .bytes = 900, .age = 1s}});
  EXPECT_EQ(gate.broken_by(100, now), SpoolGate::Limit::none);
  EXPECT_EQ(gate.broken_by(101, now), SpoolGate::Limit::bytes);
  gate.kept(50);
  EXPECT_EQ(gate.broken_by(51, now), SpoolGate::Limit::bytes);
  EXPECT_EQ(gate.broken_by(50, now), SpoolGate::Limit::none);
  gate.kept(0);
  EXPECT_EQ(gate.broken_by(0, now), SpoolGate::Limit::entries);
  now += 1ms;
  look({.open = true, .usage = {.entries = 1, .bytes = 9, .age = 59s}});
  EXPECT_EQ(gate.broken_by(0, now), SpoolGate::Limit::none);
  EXPECT_EQ(gate.broken_by(0, now + 2s), SpoolGate::Limit::age);
}

TEST_F(SpoolGateTest, WithoutLimitsNothingIsRefused) {
  SpoolGate free(times, {});
  free.look_started();
  free.looked({.open = true, .usage = {.entries = 1'000'000, .bytes = 1ULL << 40, .age = 24h}}, now);
  EXPECT_EQ(free.broken_by(1 << 20, now), SpoolGate::Limit::none);
}

}  // namespace
}  // namespace switchyard::fleet
