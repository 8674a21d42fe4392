// LISTEN of many clients on one session of a real server.
#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::wait_until;
using Names = std::vector<std::string>;

class ListenTest : public ::testing::Test {
 protected:
  static constexpr const char* kTwo = "pool = { min = 0, max = 2, acquire_timeout = \"5s\" }\n";
  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int)");
};

/// What has come so far, as "channel=payload".
Names heard(PqSession& session) {
  Names out;
  (void)PQconsumeInput(session.handle());
  while (PGnotify* one = PQnotifies(session.handle())) {
    out.push_back(std::string(one->relname) + "=" + one->extra);
    PQfreemem(one);
    (void)PQconsumeInput(session.handle());
  }
  return out;
}

/// The next that come, as many as are expected.
Names next(PqSession& session, std::size_t count = 1) {
  Names out;
  (void)wait_until([&] {
    for (std::string& one : heard(session)) out.push_back(std::move(one));
    return out.size() >= count;
  });
  return out;
}

TEST_F(ListenTest, ManyClientsListenWithoutASessionOfTheirOwn) {
  Door door(database, {.more = kTwo});
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<PqSession>(door.local()));
    ASSERT_TRUE(clients.back()->execute("LISTEN news").ok()) << clients.back()->error();
    ASSERT_TRUE(clients.back()->execute("LISTEN own_" + std::to_string(i)).ok());
  }
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; }));
  PqSession sender(door.local());
  ASSERT_TRUE(sender.execute("NOTIFY news, 'all'").ok());
  ASSERT_TRUE(sender.execute("SELECT pg_notify('own_3', 'you')").ok());
  ASSERT_TRUE(sender.execute("NOTIFY nobody").ok());
  ASSERT_TRUE(sender.execute("NOTIFY news, 'again'").ok());
  for (int i = 0; i < 10; ++i) {
    const Names expected = i == 3 ? Names{"news=all", "own_3=you", "news=again"} : Names{"news=all", "news=again"};
    EXPECT_EQ(next(*clients[static_cast<std::size_t>(i)], expected.size()), expected) << i;
  }
  clients.clear();
  EXPECT_TRUE(wait_until([&] { return door.status().clients == 1; }));
  EXPECT_TRUE(sender.execute("NOTIFY news").ok());
}

TEST_F(ListenTest, ClientsThatHaveAllSessionsLeaveOneToTheHub) {
  Door door(database, {.more = kTwo});
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(std::make_unique<PqSession>(door.local()));
  for (const auto& client : clients) ASSERT_EQ(PQsendQuery(client->handle(), "LISTEN news"), 1);
  for (const auto& client : clients) {
    const PqResult listening(PQgetResult(client->handle()));
    EXPECT_TRUE(listening.ok()) << listening.error();
    while (PGresult* more = PQgetResult(client->handle())) PQclear(more);
  }
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; })) << "none listens on a session of its own";
  ASSERT_TRUE(clients.front()->execute("NOTIFY news, 'all'").ok());
  for (const auto& client : clients) EXPECT_EQ(next(*client), Names{"news=all"});
}

TEST_F(ListenTest, ListenOfTheExtendedProtocolLeavesTheSessionToTheHubAsWell) {
  Door door(database, {.more = kTwo});
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(std::make_unique<PqSession>(door.local()));
  for (const auto& client : clients) {
    ASSERT_EQ(PQsendQueryParams(client->handle(), "LISTEN news", 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  }
  for (const auto& client : clients) {
    const PqResult listening(PQgetResult(client->handle()));
    EXPECT_TRUE(listening.ok()) << listening.error();
    while (PGresult* more = PQgetResult(client->handle())) PQclear(more);
  }
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; })) << "none listens on a session of its own";
  ASSERT_TRUE(clients.front()->execute("NOTIFY news, 'all'").ok());
  for (const auto& client : clients) EXPECT_EQ(next(*client), Names{"news=all"});
  // Prepared now and executed later.
  PqSession& late = *clients.back();
  ASSERT_TRUE(PqResult(PQprepare(late.handle(), "later", "LISTEN others", 0, nullptr)).ok());
  ASSERT_TRUE(clients.front()->execute("NOTIFY others, 'nobody'").ok());
  ASSERT_TRUE(PqResult(PQexecPrepared(late.handle(), "later", 0, nullptr, nullptr, nullptr, 0)).ok());
  ASSERT_TRUE(clients.front()->execute("NOTIFY others, 'late'").ok());
  EXPECT_EQ(next(late), Names{"others=late"});
}

TEST_F(ListenTest, WhatAClientSendsItselfIsThereWhenItGoesOn) {
  Door door(database);
  PqSession client(door.local());
  ASSERT_TRUE(client.execute("LISTEN a").ok());
  ASSERT_TRUE(client.execute("NOTIFY a, 'x'").ok());
  PGnotify* one = PQnotifies(client.handle());
  ASSERT_NE(one, nullptr) << "before ReadyForQuery, as from the server";
  EXPECT_EQ(one->be_pid, client.backend_pid());
  PQfreemem(one);
  ASSERT_TRUE(client.query("SELECT pg_notify($1, $2)", {"a", "y"}).ok());
  EXPECT_EQ(heard(client), Names{"a=y"});
  ASSERT_TRUE(client.execute("BEGIN; NOTIFY a, 'z'; ROLLBACK").ok());
  EXPECT_TRUE(heard(client).empty());
  EXPECT_TRUE(client.execute("SELECT 1").ok());
}

TEST_F(ListenTest, ANotificationNamesTheClientThatSentIt) {
  Door door(database);
  PqSession client(door.local());
  PqSession sender(door.local());
  ASSERT_TRUE(client.execute("LISTEN a").ok());
  const auto pid = [&] {
    PGnotify* one = nullptr;
    EXPECT_TRUE(
        wait_until([&] { return PQconsumeInput(client.handle()) == 1 && (one = PQnotifies(client.handle())); }));
    const int found = one != nullptr ? one->be_pid : 0;
    PQfreemem(one);
    return found;
  };
  ASSERT_TRUE(sender.execute("NOTIFY a").ok());
  EXPECT_EQ(pid(), sender.backend_pid());
  ASSERT_TRUE(sender.query("SELECT pg_notify($1, $2)", {"a", "y"}).ok());
  EXPECT_EQ(pid(), sender.backend_pid());
  ASSERT_TRUE(sender.execute("BEGIN; NOTIFY a; COMMIT").ok());
  EXPECT_EQ(pid(), sender.backend_pid());
  // Who has asked the server for its process hears that one.
  const std::string own = client.value("SELECT pg_backend_pid()");
  ASSERT_TRUE(client.execute("NOTIFY a").ok());
  EXPECT_EQ(std::to_string(pid()), own);
}

TEST_F(ListenTest, ATransactionDecides) {
  Door door(database);
  PqSession client(door.local());
  PqSession sender(door.local());
  PqSession other(door.local());
  ASSERT_TRUE(other.execute("LISTEN a").ok());
  ASSERT_TRUE(client.execute("BEGIN; LISTEN undone; ROLLBACK").ok());
  ASSERT_TRUE(client.execute("BEGIN; LISTEN a; SAVEPOINT s; LISTEN b; ROLLBACK TO s; LISTEN c; UNLISTEN c").ok());
  ASSERT_TRUE(sender.execute("NOTIFY a, 'too early'").ok());
  EXPECT_EQ(next(other), Names{"a=too early"});
  ASSERT_TRUE(client.execute("COMMIT").ok());
  for (const char* channel : {"undone", "b", "c", "a"}) {
    ASSERT_TRUE(sender.execute("NOTIFY " + std::string(channel) + ", 'x'").ok());
  }
  EXPECT_EQ(next(client), Names{"a=x"});
  // Nothing is told within a transaction.
  ASSERT_TRUE(client.execute("BEGIN").ok());
  ASSERT_TRUE(sender.execute("NOTIFY a, 'inside'").ok());
  ASSERT_TRUE(client.execute("SELECT 1").ok());
  EXPECT_TRUE(heard(client).empty());
  ASSERT_TRUE(client.execute("COMMIT").ok());
  EXPECT_EQ(next(client), Names{"a=inside"});
  ASSERT_TRUE(client.execute("BEGIN; UNLISTEN *; ROLLBACK").ok());
  ASSERT_TRUE(sender.execute("NOTIFY a, 'still'").ok());
  EXPECT_EQ(next(client), Names{"a=still"});
  ASSERT_TRUE(client.execute("UNLISTEN a").ok());
  ASSERT_TRUE(client.execute("LISTEN d").ok());
  ASSERT_TRUE(sender.execute("NOTIFY a, 'gone'; NOTIFY d, 'new'").ok());
  EXPECT_EQ(next(client), Names{"d=new"});
  ASSERT_TRUE(client.execute("DISCARD ALL").ok());
  ASSERT_TRUE(sender.execute("NOTIFY d, 'discarded'").ok());
  ASSERT_TRUE(client.execute("LISTEN e").ok());
  ASSERT_TRUE(sender.execute("NOTIFY e, 'last'").ok());
  EXPECT_EQ(next(client), Names{"e=last"});
}

TEST_F(ListenTest, NamesAreTheServersAndTheChannelsCanBeAskedFor) {
  Door door(database);
  PqSession client(door.local());
  PqSession sender(door.local());
  const std::string longest(70, 'n');
  ASSERT_TRUE(client.execute("LISTEN Folded; LISTEN \"Quoted \"\"one\"\"\"").ok());
  ASSERT_TRUE(client.execute("LISTEN " + longest).ok());
  EXPECT_EQ(client.value("SELECT string_agg(c, '|' ORDER BY c) FROM pg_listening_channels() c"),
            "Quoted \"one\"|folded|" + longest.substr(0, 63));
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; }));
  ASSERT_TRUE(
      sender.execute("NOTIFY FOLDED, '1'; NOTIFY \"Quoted \"\"one\"\"\", '2'; NOTIFY " + longest + ", '3'").ok());
  EXPECT_EQ(next(client, 3), (Names{"folded=1", "Quoted \"one\"=2", longest.substr(0, 63) + "=3"}));
  EXPECT_EQ(client.execute("LISTEN").sqlstate(), "42601");
  EXPECT_EQ(sender.value("SELECT count(*) FROM pg_listening_channels()"), "0");
}

TEST_F(ListenTest, TheExtendedProtocolListensAsWell) {
  Door door(database);
  PqSession client(door.local());
  PqSession sender(door.local());
  ASSERT_TRUE(client.query("LISTEN a").ok());
  ASSERT_TRUE(PqResult(PQprepare(client.handle(), "l", "LISTEN b", 0, nullptr)).ok());
  ASSERT_TRUE(PqResult(PQexecPrepared(client.handle(), "l", 0, nullptr, nullptr, nullptr, 0)).ok());
  ASSERT_TRUE(sender.query("NOTIFY a, '1'").ok());
  ASSERT_TRUE(sender.query("NOTIFY b, '2'").ok());
  EXPECT_EQ(next(client, 2), (Names{"a=1", "b=2"}));
  ASSERT_TRUE(client.query("UNLISTEN *").ok());
  ASSERT_TRUE(PqResult(PQexecPrepared(client.handle(), "l", 0, nullptr, nullptr, nullptr, 0)).ok());
  ASSERT_TRUE(sender.query("NOTIFY a, '3'").ok());
  ASSERT_TRUE(sender.query("NOTIFY b, '4'").ok());
  EXPECT_EQ(next(client), Names{"b=4"});
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; }));
}

TEST_F(ListenTest, AHubThatIsLostEndsThoseWhoListenAndNobodyElse) {
  Door door(database);
  PqSession client(door.local());
  PqSession other(door.local());
  std::string said;
  PQsetNoticeProcessor(
      client.handle(), [](void* to, const char* text) { static_cast<std::string*>(to)->append(text); }, &said);
  ASSERT_TRUE(client.execute("LISTEN a").ok());
  ASSERT_TRUE(other.execute("SELECT 1").ok());
  EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; }));
  // The session whose last command was ours.
  PqSession direct(database.endpoint().uri());
  ASSERT_EQ(direct.value(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN \"a\"%'"),
            "1");
  EXPECT_TRUE(wait_until([&] { return door.status().clients == 1; }));
  EXPECT_TRUE(wait_until([&] {
    (void)PQconsumeInput(client.handle());
    (void)PQnotifies(client.handle());  // looks at what has come
    return said.find("notifications") != std::string::npos;
  })) << said;
  EXPECT_TRUE(other.execute("SELECT 1").ok());
  PqSession again(door.local());
  ASSERT_TRUE(again.execute("LISTEN a").ok());
  ASSERT_TRUE(other.execute("NOTIFY a, 'x'").ok());
  EXPECT_EQ(next(again), Names{"a=x"});
}

TEST_F(ListenTest, WithOneSessionForAllAClientListensOnIt) {
  Door door(database, {.more = "pool = { min = 0, max = 1, acquire_timeout = \"5s\" }\n"});
  PqSession client(door.local());
  ASSERT_TRUE(client.execute("LISTEN a").ok());
  ASSERT_TRUE(client.execute("NOTIFY a, 'x'").ok());
  EXPECT_EQ(next(client), Names{"a=x"});
  EXPECT_EQ(door.status().holding, 1U);
}

TEST_F(ListenTest, WhoTakesNothingIsEndedAndTheOthersGoOn) {
  Door door(database);
  PqSession asleep(door.local());
  PqSession sender(door.local());
  ASSERT_TRUE(asleep.execute("LISTEN a").ok());
  ASSERT_TRUE(asleep.execute("BEGIN").ok());
  ASSERT_TRUE(sender.execute("SELECT count(pg_notify('a', i::text)) FROM generate_series(1, 10001) i").ok());
  EXPECT_TRUE(wait_until([&] { return door.status().clients == 1; }));
  EXPECT_TRUE(sender.execute("SELECT 1").ok());
}

}  // namespace
}  // namespace switchyard::gateway
