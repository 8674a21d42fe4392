// A pool whose permits need somebody else's agreement: what it does when that says no, and when it wants some back.
#include <gmock/gmock.h>
#include <switchyard/pool/machine_tester.hpp>

namespace switchyard::pool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Says yes `allowed` times, and wants `owed` back.
class Agreement final : public PermitSource {
 public:
  bool claim(PermitPurpose purpose) noexcept override {
    if (allowed == 0 || (purpose == PermitPurpose::reserve && !reserves)) return false;
    --allowed;
    return true;
  }
  void give_back() noexcept override { ++allowed; }
  void set_wanting(bool yes) noexcept override { wanting = yes; }
  bool take_owed() noexcept override { return owed > 0 && owed-- > 0; }
  std::string describe() const override { return "connection budget of server h:5432 is used up"; }
  std::string advice() const override { return "ALTER SYSTEM SET max_connections = 200"; }

  int allowed = 0;
  int owed = 0;
  bool reserves = true;
  bool wanting = false;
};

PoolSettings sizes(std::uint32_t min, std::uint32_t max) {
  PoolSettings settings;
  settings.database = "main";
  settings.min = min;
  settings.max = max;
  settings.ping_after_idle = Duration::max();
  return settings;
}

class PoolBudget : public ::testing::Test {
 protected:
  explicit PoolBudget(PoolSettings settings = sizes(0, 5)) : permits(settings.max) {
    auto source = std::make_unique<Agreement>();
    agreement = source.get();
    permits.set_source(std::move(source));
    pool = std::make_unique<MachineTester>(std::move(settings), permits);
  }
  void owe(int count) {
    agreement->owed = count;
    permits.set_owed(static_cast<std::uint32_t>(count));
    pool->permits_changed();
  }
  /// `count` sessions, open and idle.
  void warm(int count) {
    agreement->allowed = count;
    std::vector<Caller*> callers;
    for (int i = 0; i < count; ++i) callers.push_back(&pool->acquire("w"));
    pool->connect_all();
    for (Caller* caller : callers) pool->release(caller->granted);
    pool->take();
  }

  PermitCounter permits;
  Agreement* agreement = nullptr;
  std::unique_ptr<MachineTester> pool;
};

TEST_F(PoolBudget, ACallerWaitsUntilTheSourceAgrees) {
  pool->acquire("a");
  EXPECT_THAT(pool->take(), IsEmpty());
  EXPECT_TRUE(agreement->wanting);
  agreement->allowed = 1;
  permits.look_again();
  pool->permits_changed();
  EXPECT_THAT(pool->take(), ElementsAre("connect 0"));
  EXPECT_FALSE(agreement->wanting);
  pool->connected(0);
  EXPECT_THAT(pool->take(), ElementsAre("grant a 0"));
}

TEST_F(PoolBudget, ARefusedPermitIsNotHeld) {
  pool->acquire("a");
  EXPECT_EQ(permits.taken(), 0U);
}

TEST_F(PoolBudget, OneThatWaitedInVainHearsWhichLimitAndWhatToChange) {
  Caller& caller = pool->acquire("a");
  pool->advance(30s);
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::PoolExhausted);
  EXPECT_THAT(caller.failed->what(),
              HasSubstr("no session free: connection budget of server h:5432 is used up; waited"));
  EXPECT_THAT(caller.failed->what(), HasSubstr("ALTER SYSTEM SET max_connections = 200, or wait longer with "));
  EXPECT_FALSE(agreement->wanting);
}

TEST_F(PoolBudget, WhatIsOwedIsTakenFromTheIdleSessionsAtOnce) {
  warm(3);
  owe(2);
  EXPECT_EQ(pool->in(Phase::closing).size(), 2U);
  EXPECT_EQ(pool->in(Phase::idle).size(), 1U);
  EXPECT_FALSE(permits.owes());
}

TEST_F(PoolBudget, ABusySessionIsGivenUpWhenItComesBackAlsoIfCallersWait) {
  warm(1);
  const SlotRef lease = pool->try_acquire();
  owe(1);
  pool->acquire("a");
  EXPECT_THAT(pool->take(), IsEmpty()) << "nobody's session is closed under him";
  pool->release(lease);
  EXPECT_THAT(pool->take(), ElementsAre("close 0 given_away"));
  agreement->allowed = -1;  // somebody else takes it
  pool->closed(0);
  agreement->allowed = 0;
  EXPECT_TRUE(agreement->wanting);
}

TEST_F(PoolBudget, ASessionThatWasJustOpenedServesItsCallerFirst) {
  agreement->allowed = 1;
  Caller& caller = pool->acquire("a");
  agreement->owed = 1;
  permits.set_owed(1);
  pool->connected(0);
  EXPECT_THAT(pool->take(), ElementsAre("connect 0", "grant a 0"));
  pool->release(caller.granted);
  EXPECT_THAT(pool->take(), ElementsAre("close 0 given_away"));
}

TEST_F(PoolBudget, ADebtThatWasForgivenCostsNoSession) {
  warm(1);
  const SlotRef lease = pool->try_acquire();
  permits.set_owed(1);
  agreement->owed = 0;  // who waited has gone
  pool->release(lease);
  EXPECT_THAT(pool->take(), IsEmpty());
  EXPECT_EQ(pool->in(Phase::idle).size(), 1U);
}

class PoolBudgetWithMinimum : public PoolBudget {
 protected:
  PoolBudgetWithMinimum() : PoolBudget(sizes(2, 5)) {}
};

TEST_F(PoolBudgetWithMinimum, TheMinimumWaitsForBetterTimes) {
  agreement->allowed = 5;
  agreement->reserves = false;
  pool->start();
  EXPECT_THAT(pool->take(), IsEmpty());
  EXPECT_FALSE(agreement->wanting) << "nobody waits";
  agreement->reserves = true;
  permits.look_again();
  pool->permits_changed();
  EXPECT_THAT(pool->take(), ElementsAre("connect 0", "connect 1"));
}

}  // namespace
}  // namespace switchyard::pool::testing
