#include <switchyard/gateway/client_listening.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace switchyard::gateway {
namespace {

using Names = std::vector<std::string>;

Names told(ClientListening& client) {
  Names out;
  while (const ClientListening::Notification* one = client.front()) {
    out.push_back(one->channel + "=" + one->payload);
    client.pop();
  }
  return out;
}

/// LISTEN in a transaction of its own, which has happened.
void listen(ClientListening& client, const Names& names) {
  client.expect(client.missing(names));
  client.sent();
  client.ended(true);
  ASSERT_TRUE(client.confirm(names));
}

TEST(ClientListening, AListenThatIsRolledBackLeavesNothing) {
  ClientListening client;
  EXPECT_EQ(client.missing(Names{"a"}), Names{"a"});
  client.expect(Names{"a"});
  ASSERT_TRUE(client.add(1, "a", "x"));
  client.sent();
  client.ended(false);
  client.forget_expected();
  EXPECT_EQ(client.take_left(), Names{"a"});
  EXPECT_TRUE(client.idle());
  EXPECT_TRUE(told(client).empty());
}

TEST(ClientListening, WhatCameBeforeTheEndOfTheTransactionWasSentDoesNotCount) {
  ClientListening client;
  client.expect(Names{"a"});
  ASSERT_TRUE(client.add(1, "a", "too early"));
  client.sent();
  ASSERT_TRUE(client.add(1, "a", "in time"));
  client.ended(true);
  ASSERT_TRUE(client.confirm(Names{"a"}));
  ASSERT_TRUE(client.add(1, "a", "later"));
  ASSERT_TRUE(client.add(1, "b", "not asked for"));
  EXPECT_EQ(told(client), (Names{"a=in time", "a=later"}));
}

TEST(ClientListening, UnlistenCountsWhenItIsCommitted) {
  ClientListening client;
  listen(client, {"a", "b"});
  client.unlisten("a");
  client.ended(false);
  EXPECT_TRUE(client.covers("a"));
  client.unlisten("a");
  client.ended(true);
  EXPECT_FALSE(client.covers("a"));
  EXPECT_EQ(client.take_left(), Names{"a"});
  client.unlisten("");
  client.ended(true);
  EXPECT_TRUE(client.channels().empty());
}

TEST(ClientListening, AChannelThatIsTakenAndGivenUpInOneTransactionIsAskedForAgain) {
  ClientListening client;
  listen(client, {"a"});
  EXPECT_TRUE(client.missing(Names{"a"}).empty()) << "it has that";
  client.unlisten("");
  EXPECT_EQ(client.missing(Names{"a"}), Names{"a"});
  client.expect(Names{"a"});
  client.ended(true);
  ASSERT_TRUE(client.confirm(Names{"a"}));
  EXPECT_TRUE(client.take_left().empty());
  EXPECT_TRUE(client.covers("a"));
}

TEST(ClientListening, WhatTheHubDoesNotKnowOfStaysOnTheSession) {
  ClientListening client;
  client.expect(Names{"a"});
  EXPECT_FALSE(client.confirm(Names{"a", "made up by a function"}));
}

TEST(ClientListening, TheQueueIsBounded) {
  ClientListening client;
  listen(client, {"a"});
  for (std::size_t i = 0; i < ClientListening::kMostWaiting; ++i) ASSERT_TRUE(client.add(1, "a", ""));
  EXPECT_FALSE(client.add(1, "a", ""));
  EXPECT_EQ(told(client).size(), ClientListening::kMostWaiting);
  EXPECT_FALSE(client.add(1, "a", std::string(ClientListening::kMostBytes, 'x')));
  EXPECT_TRUE(client.add(1, "a", "x"));
}

}  // namespace
}  // namespace switchyard::gateway
