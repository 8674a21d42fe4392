#include <switchyard/gateway/session_shares.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::gateway {
namespace {

/// The clients of one user at one database.
class Clients {
 public:
  Clients(SessionShares& shares, const std::string& user, const std::string& database)
      : shares_(shares), claim_(shares.open(user, database, [this] { ++woken; })) {}
  ~Clients() { shares_.close(*claim_); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  bool take() { return shares_.try_take(*claim_); }
  int take_all() {
    int taken = 0;
    while (taken < 100 && take()) ++taken;
    return taken;
  }
  bool wait() { return shares_.wait(*claim_); }
  void withdraw() { shares_.withdraw(*claim_); }
  bool take_granted() { return shares_.take_granted(*claim_); }
  void give_back() { shares_.give_back(*claim_); }
  int woken = 0;

 private:
  SessionShares& shares_;
  std::shared_ptr<SessionShares::Claim> claim_;
};

SessionShares::Limits all(std::uint32_t most) { return {.most = most, .user = {}, .users = {}, .databases = {}}; }

TEST(SessionShares, AUserGetsNoMoreThanItsMaximumOverAllDatabases) {
  SessionShares shares({.most = 0, .user = {.least = 0, .most = 3}, .users = {{"big", {0, 5}}}, .databases = {}});
  Clients one(shares, "app", "main"), two(shares, "app", "other"), big(shares, "big", "main");
  EXPECT_TRUE(one.take());
  EXPECT_TRUE(two.take());
  EXPECT_TRUE(two.take());
  EXPECT_FALSE(one.take());
  EXPECT_FALSE(two.take());
  EXPECT_EQ(big.take_all(), 5);
  EXPECT_EQ(shares.used("app"), 3U);
  EXPECT_EQ(shares.used("nobody"), 0U);
}

TEST(SessionShares, ADatabaseGetsNoMoreThanItsMaximumOverAllUsers) {
  SessionShares shares({.most = 0, .user = {}, .users = {}, .databases = {{"main", {0, 2}}}});
  Clients one(shares, "a", "main"), two(shares, "b", "main"), other(shares, "a", "other");
  EXPECT_TRUE(one.take());
  EXPECT_TRUE(two.take());
  EXPECT_FALSE(one.take());
  EXPECT_TRUE(other.take());
}

TEST(SessionShares, WhatComesBackGoesToTheUserWithTheFewest) {
  SessionShares shares(all(4));
  Clients many(shares, "many", "main"), few(shares, "few", "main");
  EXPECT_EQ(many.take_all(), 4);
  EXPECT_FALSE(many.wait());
  EXPECT_FALSE(few.wait());
  EXPECT_FALSE(few.wait());
  many.give_back();
  EXPECT_EQ(few.woken, 1);
  many.give_back();
  EXPECT_EQ(few.woken, 2);
  EXPECT_EQ(many.woken, 0);
  many.give_back();  // two each now, and only one asks
  EXPECT_EQ(many.woken, 1);
  EXPECT_TRUE(few.take_granted());
  EXPECT_TRUE(few.take_granted());
  EXPECT_FALSE(few.take_granted());
}

TEST(SessionShares, AmongEqualsWhoCameFirstIsFirst) {
  SessionShares shares(all(1));
  Clients busy(shares, "busy", "main"), first(shares, "first", "main"), second(shares, "second", "main");
  EXPECT_TRUE(busy.take());
  EXPECT_FALSE(first.wait());
  EXPECT_FALSE(second.wait());
  EXPECT_FALSE(first.take());  // nobody overtakes those of his own who wait
  busy.give_back();
  EXPECT_EQ(first.woken, 1);
  EXPECT_TRUE(first.take_granted());
  first.give_back();
  EXPECT_EQ(second.woken, 1);
}

TEST(SessionShares, AMinimumIsKeptFreeForWhoHasClients) {
  SessionShares shares({.most = 5, .user = {}, .users = {{"vip", {2, 0}}}, .databases = {}});
  Clients crowd(shares, "crowd", "main");
  {
    Clients vip(shares, "vip", "main");
    EXPECT_EQ(crowd.take_all(), 3);
    EXPECT_FALSE(crowd.wait());
    EXPECT_TRUE(vip.take());
    EXPECT_TRUE(vip.take());
    EXPECT_FALSE(vip.take());
    vip.give_back();
    EXPECT_EQ(crowd.woken, 0);  // it is still the other's
  }
  EXPECT_EQ(crowd.woken, 1);
  EXPECT_TRUE(crowd.take());
}

TEST(SessionShares, WhoHasLessThanItsMinimumIsServedFirst) {
  SessionShares shares({.most = 2, .user = {}, .users = {{"vip", {1, 0}}}, .databases = {}});
  Clients crowd(shares, "crowd", "main"), other(shares, "other", "main");
  EXPECT_EQ(crowd.take_all(), 2);
  EXPECT_FALSE(other.wait());
  Clients vip(shares, "vip", "main");
  EXPECT_FALSE(vip.wait());
  crowd.give_back();
  EXPECT_EQ(vip.woken, 1);
  EXPECT_EQ(other.woken, 0);
}

TEST(SessionShares, ADatabasesMinimumIsKeptAsWell) {
  SessionShares shares({.most = 3, .user = {}, .users = {}, .databases = {{"small", {2, 0}}}});
  Clients big(shares, "app", "big"), small(shares, "app", "small");
  EXPECT_EQ(big.take_all(), 1);
  EXPECT_EQ(small.take_all(), 2);
}

TEST(SessionShares, WhoWaitsNoLongerGivesWhatWasGrantedToTheNext) {
  SessionShares shares(all(1));
  Clients busy(shares, "busy", "main"), first(shares, "first", "main"), second(shares, "second", "main");
  EXPECT_TRUE(busy.take());
  EXPECT_FALSE(first.wait());
  EXPECT_FALSE(second.wait());
  busy.give_back();
  EXPECT_EQ(first.woken, 1);
  first.withdraw();
  EXPECT_EQ(second.woken, 1);
  second.withdraw();
  EXPECT_TRUE(first.take());
}

TEST(SessionShares, OtherLimitsServeThoseWhoWait) {
  SessionShares shares(all(1));
  Clients one(shares, "one", "main");
  EXPECT_TRUE(one.take());
  EXPECT_FALSE(one.wait());
  shares.set_limits(all(2));
  EXPECT_EQ(one.woken, 1);
  shares.set_limits(all(1));
  EXPECT_TRUE(one.take_granted());
  EXPECT_FALSE(one.take());
  one.give_back();
  EXPECT_FALSE(one.take());
}

TEST(SessionShares, WhoEndsLeavesNothingBehind) {
  SessionShares shares(all(1));
  Clients waits(shares, "waits", "main");
  {
    Clients ends(shares, "ends", "main");
    EXPECT_TRUE(ends.take());
    EXPECT_FALSE(waits.wait());
  }
  EXPECT_EQ(waits.woken, 1);
}

}  // namespace
}  // namespace switchyard::gateway
