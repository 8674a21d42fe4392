// The rules of the budget, with a virtual clock; the last test walks through every order of events.
#include <switchyard/fleet/budget_ledger.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using pool::PermitPurpose;
using ::testing::HasSubstr;

struct Where {
  std::string_view address = "localhost:5432";
  std::string_view role = "app";
  std::string_view database = "shop";
  std::string_view fleet = "crowd";
  std::int32_t fleet_limit = -1;
};

/// A ledger, its clock, and whoever asks.
class Desk {
 public:
  Desk() : table_(std::make_unique<BudgetTable>()), ledger(*table_) {}

  BudgetIndex open(BudgetIndex process, Where where = {}) {
    return ledger.open_account({.process = process,
                                .address = where.address,
                                .role = where.role,
                                .database = where.database,
                                .fleet = where.fleet,
                                .fleet_limit = where.fleet_limit},
                               now);
  }
  /// A server with room for `allowed` sessions of ordinary roles.
  static ServerSight server(std::int32_t allowed, std::uint64_t identity = 7) {
    ServerSight sight;
    sight.identity = identity;
    sight.max_connections = allowed + 3;
    sight.reserved = 3;
    return sight;
  }
  /// What a look shows, beside the sessions that this ledger knows to be open.
  void look(BudgetIndex account, ServerSight sight, std::int32_t others = 0,
            std::string_view location = "localhost:5432") {
    const BudgetLook begun = ledger.begin_look(account, now);
    const auto open = [&](BudgetKind kind) {
      const auto& counts = begun.counts[static_cast<std::size_t>(kind)];
      return counts.claimed - counts.connecting;
    };
    sight.sessions = open(BudgetKind::server) + others;
    sight.role_sessions = open(BudgetKind::role) + (sight.role_limit >= 0 ? others : 0);
    sight.database_sessions = open(BudgetKind::database) + (sight.database_limit >= 0 ? others : 0);
    sight.fleet_sessions += open(BudgetKind::presence);
    ledger.end_look(account, begun, sight, location, now);
  }
  bool claim(BudgetIndex account) { return verdict(account) == BudgetVerdict::granted; }
  BudgetVerdict verdict(BudgetIndex account, PermitPurpose purpose = PermitPurpose::caller) {
    return ledger.claim(account, purpose, now);
  }
  int claim_all(BudgetIndex account) {
    int count = 0;
    while (claim(account)) ++count;
    return count;
  }
  void give_back(BudgetIndex account) { ledger.give_back(account, now); }
  void want(BudgetIndex account) { ledger.set_wanting(account, true, now); }
  /// A tick of somebody who waits.
  void tick(Duration later = 50ms) {
    pass(later);
    ledger.rebalance(now);
  }
  void pass(Duration time) { now += time.count(); }
  [[nodiscard]] std::int32_t owed(BudgetIndex account) const { return ledger.account(account).owed; }

 private:
  std::unique_ptr<BudgetTable> table_;

 public:
  BudgetTable& table() { return *table_; }
  BudgetTime now = std::chrono::nanoseconds(1h).count();
  BudgetLedger ledger;
};

// ---- first contact -------------------------------------------------------------------------------------------

TEST(BudgetContact, OneProcessLearnsTheLimitsAndTheOthersWaitForThat) {
  Desk desk;
  const BudgetIndex first = desk.open(0);
  const BudgetIndex second = desk.open(1);
  EXPECT_EQ(desk.verdict(first), BudgetVerdict::granted);
  EXPECT_TRUE(desk.ledger.opened(first, desk.now));
  EXPECT_EQ(desk.verdict(second), BudgetVerdict::contact);
  desk.want(second);
  (void)desk.ledger.take_pokes();
  desk.look(first, Desk::server(2));
  EXPECT_TRUE(desk.ledger.take_pokes().test(1));
  EXPECT_EQ(desk.verdict(second), BudgetVerdict::granted);
  EXPECT_EQ(desk.verdict(first), BudgetVerdict::full);
}

TEST(BudgetContact, AnotherSpellingOfTheSameServerSharesItsLimit) {
  Desk desk;
  const BudgetIndex by_name = desk.open(0, {.address = "localhost:5432"});
  const BudgetIndex by_address = desk.open(1, {.address = "127.0.0.1:5432"});
  ASSERT_TRUE(desk.claim(by_name));
  desk.look(by_name, Desk::server(3));
  ASSERT_TRUE(desk.claim(by_address));
  desk.look(by_address, Desk::server(3));
  EXPECT_TRUE(desk.claim(by_name));
  EXPECT_FALSE(desk.claim(by_name));
  EXPECT_FALSE(desk.claim(by_address));
}

TEST(BudgetContact, AFailedContactHoldsNobodyUp) {
  Desk desk;
  const BudgetIndex first = desk.open(0);
  const BudgetIndex second = desk.open(1);
  ASSERT_TRUE(desk.claim(first));
  desk.ledger.contact_failed(first, desk.now);
  EXPECT_TRUE(desk.claim(second));
  EXPECT_TRUE(desk.claim(first));
}

TEST(BudgetContact, ASlowContactHoldsTheOthersUpForASecond) {
  Desk desk;
  const BudgetIndex first = desk.open(0);
  const BudgetIndex second = desk.open(1);
  ASSERT_TRUE(desk.claim(first));
  desk.pass(kContactPatience - 1ms);
  EXPECT_EQ(desk.verdict(second), BudgetVerdict::contact);
  desk.pass(1ms);
  EXPECT_EQ(desk.verdict(second), BudgetVerdict::granted);
}

TEST(BudgetContact, AProcessThatDiesDuringItsContactHoldsNobodyUp) {
  Desk desk;
  const BudgetIndex first = desk.open(0);
  const BudgetIndex second = desk.open(1);
  ASSERT_TRUE(desk.claim(first));
  desk.ledger.connecting(first, 1);
  desk.ledger.bury(0, desk.now);
  EXPECT_TRUE(desk.claim(second));
}

TEST(BudgetContact, AServerThatTookTheAddressOverIsSeenByTheFirstSession) {
  Desk desk;
  const BudgetIndex account = desk.open(0);
  ASSERT_TRUE(desk.claim(account));
  desk.look(account, Desk::server(10, 7));
  desk.give_back(account);
  desk.pass(kLookOften);
  ASSERT_TRUE(desk.claim(account));
  EXPECT_TRUE(desk.ledger.opened(account, desk.now));
  desk.look(account, Desk::server(4, 8));
  EXPECT_EQ(desk.claim_all(account), 3);
}

// ---- limits --------------------------------------------------------------------------------------------------

/// Several processes with one account each, on a server whose limits are known.
class Crowd : public Desk {
 public:
  Crowd(int processes, std::int32_t allowed, Where where = {}) {
    for (int i = 0; i < processes; ++i) accounts.push_back(open(static_cast<BudgetIndex>(i), where));
    EXPECT_TRUE(claim(accounts[0]));
    look(accounts[0], server(allowed));
    give_back(accounts[0]);
  }
  std::vector<BudgetIndex> accounts;
};

TEST(BudgetLimits, AServersConnectionsAreThoseItDoesNotReserve) {
  Crowd crowd(1, 10);
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]), 10);
}

TEST(BudgetLimits, ALargerServerKeepsOneFreeForNewcomers) {
  Crowd crowd(1, 97);
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]), 96);
}

TEST(BudgetLimits, WhatOthersHoldIsNotOurs) {
  Crowd crowd(1, 10);
  crowd.look(crowd.accounts[0], Desk::server(10), 4);
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]), 6);
}

TEST(BudgetLimits, ASessionOnItsWayIsNotTakenForSomebodyElses) {
  Crowd crowd(1, 10);
  const BudgetIndex account = crowd.accounts[0];
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(crowd.claim(account));
    crowd.ledger.connecting(account, 1);
  }
  // Three of the four are on the server already, or three others are: nobody knows.
  crowd.look(account, Desk::server(10), 3);
  EXPECT_EQ(crowd.claim_all(account), 6);
}

TEST(BudgetLimits, ASessionOnItsWayDoesNotHideThoseOfOthersThatWereSeenBefore) {
  Crowd crowd(1, 10);
  const BudgetIndex account = crowd.accounts[0];
  crowd.look(account, Desk::server(10), 3);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(crowd.claim(account));
    crowd.ledger.connecting(account, 1);
  }
  crowd.look(account, Desk::server(10), 3);
  EXPECT_EQ(crowd.claim_all(account), 3);
}

TEST(BudgetLimits, TheRolesConnectionLimitCountsForAllItsProcesses) {
  Crowd crowd(3, 50);
  ServerSight sight = Desk::server(50);
  sight.role_limit = 5;
  crowd.look(crowd.accounts[0], sight);
  const BudgetIndex other_role = crowd.open(3, {.role = "jobs"});
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]) + crowd.claim_all(crowd.accounts[1]), 5);
  EXPECT_GT(crowd.claim_all(other_role), 30);
}

TEST(BudgetLimits, TheDatabasesConnectionLimitCountsForAllItsProcesses) {
  Crowd crowd(3, 50);
  ServerSight sight = Desk::server(50);
  sight.database_limit = 6;
  crowd.look(crowd.accounts[0], sight);
  const BudgetIndex other_database = crowd.open(3, {.database = "archive"});
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]) + crowd.claim_all(crowd.accounts[1]), 6);
  EXPECT_GT(crowd.claim_all(other_database), 30);
}

TEST(BudgetLimits, TheFleetsBudgetCountsOverItsServers) {
  Desk desk;
  const Where main{.address = "db1:5432", .fleet_limit = 8};
  const Where reference{.address = "db2:5432", .fleet_limit = 8};
  const BudgetIndex one = desk.open(0, main);
  const BudgetIndex two = desk.open(1, reference);
  ASSERT_TRUE(desk.claim(one));
  desk.look(one, Desk::server(50, 1), 0, "db1:5432");
  ASSERT_TRUE(desk.claim(two));
  desk.look(two, Desk::server(50, 2), 0, "db2:5432");
  EXPECT_EQ(desk.claim_all(one) + desk.claim_all(two), 6);
  const BudgetIndex other_fleet = desk.open(2, {.address = "db1:5432", .fleet = "another"});
  EXPECT_EQ(desk.claim_all(other_fleet), 42) << "50 - 7 - one kept free";
}

TEST(BudgetLimits, TheFleetsSessionsOfOtherMachinesCountInItsBudget) {
  Desk desk;
  const BudgetIndex account = desk.open(0, {.fleet_limit = 8});
  ASSERT_TRUE(desk.claim(account));
  ServerSight sight = Desk::server(50);
  sight.fleet_sessions = 3;
  desk.look(account, sight, 3);
  EXPECT_EQ(desk.claim_all(account), 4);
}

TEST(BudgetLimits, BehindAPoolerOnlyTheFleetsBudgetCounts) {
  Desk desk;
  const BudgetIndex account = desk.open(0, {.fleet_limit = 12});
  ASSERT_TRUE(desk.claim(account));
  ServerSight sight = Desk::server(5);
  sight.pooled = true;
  desk.look(account, sight, 5);
  EXPECT_EQ(desk.claim_all(account), 11);
}

TEST(BudgetLimits, AProcessThatHoldsMoreThanItsMachinesShareLeavesSomeFree) {
  Crowd crowd(1, 64);
  ServerSight sight = Desk::server(64);
  sight.machines = 2;
  crowd.look(crowd.accounts[0], sight, 10);
  EXPECT_EQ(crowd.claim_all(crowd.accounts[0]), 64 - 10 - 4);
}

// ---- deaths --------------------------------------------------------------------------------------------------

TEST(BudgetDeaths, WhatADeadProcessHeldCountsUntilTheServerHasBeenLookedAt) {
  Crowd crowd(2, 10);
  ASSERT_EQ(crowd.claim_all(crowd.accounts[0]), 10);
  crowd.ledger.bury(0, crowd.now);
  EXPECT_EQ(crowd.verdict(crowd.accounts[1]), BudgetVerdict::full);
  crowd.pass(1ms);
  crowd.look(crowd.accounts[1], Desk::server(10), 2);  // two of its server processes still run
  EXPECT_EQ(crowd.claim_all(crowd.accounts[1]), 8);
}

TEST(BudgetDeaths, WhereNobodyCanLookTheyCountForALimitedTime) {
  Crowd crowd(2, 10);
  ASSERT_EQ(crowd.claim_all(crowd.accounts[0]), 10);
  crowd.ledger.bury(0, crowd.now);
  crowd.pass(kGhostPatience - 1ms);
  EXPECT_FALSE(crowd.claim(crowd.accounts[1]));
  crowd.pass(1ms);
  EXPECT_EQ(crowd.claim_all(crowd.accounts[1]), 10);
}

TEST(BudgetDeaths, WhereAServerWasFullOfOthersAndNobodyIsInsideOneTries) {
  Crowd crowd(2, 10);
  crowd.look(crowd.accounts[0], Desk::server(10), 10);
  EXPECT_FALSE(crowd.claim(crowd.accounts[0]));
  crowd.pass(kLookOften);
  EXPECT_TRUE(crowd.claim(crowd.accounts[0]));
  crowd.ledger.connecting(crowd.accounts[0], 1);
  EXPECT_FALSE(crowd.claim(crowd.accounts[1]));
}

// ---- fairness ------------------------------------------------------------------------------------------------

TEST(BudgetFairness, AFreeConnectionGoesToTheOneThatHoldsLeastAndThenToTheOneThatWaitsLongest) {
  Crowd crowd(4, 3);
  auto& who = crowd.accounts;
  ASSERT_TRUE(crowd.claim(who[0]) && crowd.claim(who[0]) && crowd.claim(who[1]));
  crowd.want(who[1]);  // holds one
  crowd.pass(1ms);
  crowd.want(who[2]);  // holds none
  crowd.pass(1ms);
  crowd.want(who[3]);  // holds none and came later
  crowd.give_back(who[0]);
  EXPECT_EQ(crowd.verdict(who[1]), BudgetVerdict::behind);
  EXPECT_EQ(crowd.verdict(who[3]), BudgetVerdict::behind);
  EXPECT_EQ(crowd.verdict(who[0]), BudgetVerdict::behind) << "who gave up comes last";
  EXPECT_EQ(crowd.verdict(who[2]), BudgetVerdict::granted);
}

TEST(BudgetFairness, OneThatCanNotUseAFreeConnectionDoesNotStandInTheWay) {
  Crowd crowd(2, 10);
  ServerSight sight = Desk::server(10);
  sight.role_limit = 0;
  crowd.look(crowd.accounts[0], sight);  // role app may have none
  const BudgetIndex other_role = crowd.open(2, {.role = "jobs"});
  crowd.want(crowd.accounts[0]);
  EXPECT_EQ(crowd.claim_all(other_role), 10);
}

TEST(BudgetFairness, TheLargestGivesToTheOneThatHasNone) {
  Crowd crowd(3, 10);
  auto& who = crowd.accounts;
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(crowd.claim(who[0]));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(crowd.claim(who[1]));
  crowd.want(who[2]);
  EXPECT_EQ(crowd.owed(who[0]), 1);
  EXPECT_EQ(crowd.owed(who[1]), 0);
  EXPECT_TRUE(crowd.ledger.take_pokes().test(0));
  EXPECT_TRUE(crowd.ledger.take_owed(who[0]));
  crowd.tick();
  EXPECT_EQ(crowd.owed(who[0]), 0) << "one is on its way already";
  crowd.give_back(who[0]);
  EXPECT_TRUE(crowd.ledger.take_pokes().test(2));
  EXPECT_TRUE(crowd.claim(who[2]));
}

TEST(BudgetFairness, InTheEndAllThatWantMoreHoldTheSame) {
  Crowd crowd(3, 12);
  auto& who = crowd.accounts;
  ASSERT_EQ(crowd.claim_all(who[0]), 12);
  crowd.want(who[1]);
  crowd.want(who[2]);
  for (int round = 0; round < 100; ++round) {
    crowd.tick();
    for (const BudgetIndex one : who) {
      while (crowd.ledger.take_owed(one)) crowd.give_back(one);
    }
    for (const BudgetIndex one : {who[1], who[2]}) (void)crowd.claim(one);
  }
  for (const BudgetIndex one : who) EXPECT_EQ(crowd.ledger.account(one).claimed, 4);
}

TEST(BudgetFairness, WhereThereAreMoreProcessesThanConnectionsTheyTakeTurns) {
  Crowd crowd(3, 2);
  auto& who = crowd.accounts;
  ASSERT_TRUE(crowd.claim(who[0]));
  crowd.pass(10ms);
  ASSERT_TRUE(crowd.claim(who[1]));
  crowd.want(who[2]);
  EXPECT_EQ(crowd.owed(who[0]) + crowd.owed(who[1]), 0);
  crowd.tick(kBudgetTurn - 11ms);
  EXPECT_EQ(crowd.owed(who[0]) + crowd.owed(who[1]), 0) << "not before its turn is over";
  crowd.tick(1ms);
  EXPECT_EQ(crowd.owed(who[0]), 1) << "who has had one longest";
  EXPECT_EQ(crowd.owed(who[1]), 0);
}

TEST(BudgetFairness, ASessionThatIsNotOpenYetIsNotTakenAway) {
  Crowd crowd(2, 1);
  ASSERT_TRUE(crowd.claim(crowd.accounts[0]));
  crowd.ledger.connecting(crowd.accounts[0], 1);
  crowd.want(crowd.accounts[1]);
  crowd.tick(10 * kBudgetTurn);
  EXPECT_EQ(crowd.owed(crowd.accounts[0]), 0);
  crowd.ledger.connecting(crowd.accounts[0], -1);
  (void)crowd.ledger.opened(crowd.accounts[0], crowd.now);
  crowd.tick(kBudgetTurn);
  EXPECT_EQ(crowd.owed(crowd.accounts[0]), 1);
}

TEST(BudgetFairness, NobodyOwesAnythingOnceNobodyWaits) {
  Crowd crowd(2, 4);
  ASSERT_EQ(crowd.claim_all(crowd.accounts[0]), 4);
  crowd.want(crowd.accounts[1]);
  ASSERT_EQ(crowd.owed(crowd.accounts[0]), 1);
  crowd.ledger.set_wanting(crowd.accounts[1], false, crowd.now);
  crowd.tick();
  EXPECT_EQ(crowd.owed(crowd.accounts[0]), 0);
  EXPECT_FALSE(crowd.ledger.take_owed(crowd.accounts[0]));
}

TEST(BudgetFairness, ALimitThatShrankTakesFromTheLargestAndNeverTheLast) {
  Crowd crowd(3, 10);
  auto& who = crowd.accounts;
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(crowd.claim(who[0]));
  ASSERT_TRUE(crowd.claim(who[1]));
  crowd.look(who[0], Desk::server(10), 6);  // others came: four too many
  EXPECT_EQ(crowd.owed(who[0]), 4);
  EXPECT_EQ(crowd.owed(who[1]), 0);
  crowd.look(who[0], Desk::server(10), 40);
  EXPECT_EQ(crowd.owed(who[0]), 6);
  EXPECT_EQ(crowd.owed(who[1]), 0);
}

TEST(BudgetFairness, SessionsForNobodyAreOpenedOnlyWhileThereIsPlenty) {
  Crowd crowd(2, 16);
  const auto reserve = [&](BudgetIndex account) { return crowd.verdict(account, PermitPurpose::reserve); };
  int count = 0;
  while (reserve(crowd.accounts[0]) == BudgetVerdict::granted) ++count;
  EXPECT_EQ(count, 12) << "a quarter stays for callers";
  EXPECT_EQ(reserve(crowd.accounts[1]), BudgetVerdict::granted) << "the first of a process";
  crowd.want(crowd.accounts[0]);
  EXPECT_EQ(reserve(crowd.accounts[1]), BudgetVerdict::behind);
}

// ---- refusals of the server ----------------------------------------------------------------------------------

TEST(BudgetRefusals, AfterOneNobodyTriesForAWhileAndThenOneAtATime) {
  Crowd crowd(2, 10);
  auto& who = crowd.accounts;
  ASSERT_TRUE(crowd.claim(who[0]));
  crowd.ledger.refused(who[0], BudgetKind::server, 1.0, crowd.now);
  crowd.give_back(who[0]);
  EXPECT_EQ(crowd.verdict(who[1]), BudgetVerdict::full);
  crowd.pass(kRefusalFirst);
  ASSERT_TRUE(crowd.claim(who[1]));
  crowd.ledger.connecting(who[1], 1);
  EXPECT_FALSE(crowd.claim(who[0])) << "one tries";
  crowd.ledger.connecting(who[1], -1);
  EXPECT_TRUE(crowd.ledger.opened(who[1], crowd.now)) << "there was room after all: look";
  EXPECT_TRUE(crowd.claim(who[0]));
}

TEST(BudgetRefusals, TheyPauseLongerEachTimeUpToALimit) {
  Crowd crowd(1, 10);
  const BudgetIndex account = crowd.accounts[0];
  Duration last{};
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(crowd.claim(account));
    crowd.ledger.refused(account, BudgetKind::server, 1.0, crowd.now);
    crowd.give_back(account);
    Duration pause{};
    for (; !crowd.claim(account); pause += 10ms) crowd.pass(10ms);
    crowd.give_back(account);
    EXPECT_GE(pause, last);
    last = pause;
  }
  EXPECT_EQ(last, kRefusalMost);
}

// ---- what it says --------------------------------------------------------------------------------------------

TEST(BudgetText, NamesTheLimitWhoHoldsWhatAndTheSetting) {
  Crowd crowd(3, 10);
  auto& who = crowd.accounts;
  ASSERT_TRUE(crowd.claim(who[0]));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(crowd.claim(who[1]));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(crowd.claim(who[2]));
  crowd.look(who[0], Desk::server(10), 2);
  EXPECT_EQ(crowd.ledger.describe(who[0], crowd.now),
            "connection budget of server localhost:5432 (10 = max_connections 13 - 3 reserved) is used up: "
            "this process holds 1, 2 others 7, 2 held by other applications or machines");
  EXPECT_THAT(crowd.ledger.advice(who[0], crowd.now), HasSubstr("ALTER SYSTEM SET max_connections = 26"));
}

TEST(BudgetText, NamesTheFleetsBudget) {
  Crowd crowd(1, 50, {.fleet_limit = 2});
  ASSERT_EQ(crowd.claim_all(crowd.accounts[0]), 2);
  EXPECT_EQ(crowd.ledger.describe(crowd.accounts[0], crowd.now),
            "connection budget of the fleet (2, fleet.connection_budget) is used up: this process holds 2");
  EXPECT_THAT(crowd.ledger.advice(crowd.accounts[0], crowd.now), HasSubstr("fleet.connection_budget"));
}

// ---- room in the table ---------------------------------------------------------------------------------------

TEST(BudgetTableRoom, ServersThatNobodyUsesMakeRoomForNewOnes) {
  Desk desk;
  for (std::uint64_t i = 1; i <= 2 * kMaxBudgetGroups; ++i) {
    const std::string address = "db" + std::to_string(i) + ":5432";
    const BudgetIndex account = desk.open(0, {.address = address});
    ASSERT_TRUE(desk.claim(account));
    desk.look(account, Desk::server(2, i), 0, address);
    ASSERT_TRUE(desk.claim(account));
    ASSERT_FALSE(desk.claim(account)) << address;
    desk.give_back(account);
    desk.give_back(account);
    desk.ledger.close_account(account, desk.now);
    desk.pass(1ms);
  }
}

TEST(BudgetTableRoom, AnAccountTooManyIsRefused) {
  Desk desk;
  for (std::size_t i = 0; i < kMaxBudgetAccounts; ++i) ASSERT_NE(desk.open(0), kNoBudgetIndex);
  EXPECT_EQ(desk.open(0), kNoBudgetIndex);
}

// ---- every order ---------------------------------------------------------------------------------------------

/// Three processes, two connections: all sequences of events, with what must hold after each.
class EveryOrder : public ::testing::Test {
 protected:
  static constexpr int kProcesses = 3;
  static constexpr std::int32_t kAllowed = 2;
  static constexpr int kDepth = 6;

  struct State {
    std::array<BudgetAccount, kProcesses> accounts;
    std::array<BudgetGroup, 4> groups;
    BudgetTime now;
  };
  [[nodiscard]] State save() {
    State state{};
    std::copy_n(crowd.table().accounts.begin(), kProcesses, state.accounts.begin());
    std::copy_n(crowd.table().groups.begin(), state.groups.size(), state.groups.begin());
    state.now = crowd.now;
    return state;
  }
  void restore(const State& state) {
    std::copy_n(state.accounts.begin(), kProcesses, crowd.table().accounts.begin());
    std::copy_n(state.groups.begin(), state.groups.size(), crowd.table().groups.begin());
    crowd.now = state.now;
  }

  /// What the process does next; false: it can't now.
  bool step(int process, int event) {
    const BudgetIndex who = crowd.accounts[static_cast<std::size_t>(process)];
    const BudgetAccount& account = crowd.ledger.account(who);
    switch (event) {
      case 0:  // callers come: claim, or wait
        if (account.wanting != 0) return false;
        if (!crowd.claim(who)) crowd.want(who);
        return true;
      case 1:  // who waits looks again
        if (account.wanting == 0) return false;
        if (crowd.claim(who)) crowd.ledger.set_wanting(who, false, crowd.now);
        return true;
      case 2:  // a session is closed because others need it, or else because it is not needed
        if (account.claimed == 0) return false;
        (void)crowd.ledger.take_owed(who);
        crowd.give_back(who);
        return true;
      default:  // time passes
        if (process != 0) return false;
        crowd.tick(kBudgetTurn);
        return true;
    }
  }

  void check() {
    std::int32_t claimed = 0;
    bool waits = false;
    bool somebody_may = false;
    for (const BudgetIndex who : crowd.accounts) {
      const BudgetAccount& account = crowd.ledger.account(who);
      claimed += account.claimed;
      ASSERT_GE(account.claimed, 0);
      ASSERT_LE(account.owed + account.paying, account.claimed);
      waits = waits || account.wanting != 0;
      somebody_may = somebody_may || crowd.ledger.could_claim(who, crowd.now);
    }
    ASSERT_LE(claimed, kAllowed);
    // A free connection is never kept from all who wait.
    if (claimed < kAllowed && waits) {
      ASSERT_TRUE(somebody_may);
    }
    ++checked;
  }

  void walk(int depth) {
    const State here = save();
    for (int process = 0; process < kProcesses; ++process) {
      for (int event = 0; event < 4; ++event) {
        if (!step(process, event)) continue;
        check();
        if (HasFatalFailure()) return;
        if (depth > 1) walk(depth - 1);
        if (HasFatalFailure()) return;
        restore(here);
      }
    }
  }

  Crowd crowd{kProcesses, kAllowed};
  int checked = 0;
};

TEST_F(EveryOrder, OfEventsKeepsTheLimitAndLetsSomebodyIn) {
  walk(kDepth);
  EXPECT_GT(checked, 10'000);
}

}  // namespace
}  // namespace switchyard::fleet
