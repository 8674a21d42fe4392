// Peers that are no PostgreSQL servers, or bad ones: every connection attempt and every statement ends, in time,
// with an error that says what was wrong.
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/testing/scripted_server.hpp>
#include <switchyard/session/testing/single_session.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using session::testing::plan_for;
using session::testing::SingleSession;
using namespace session::testing;

/// What connecting ends with, and that it ends within `limit` and two seconds.
Error connect_error(runtime::Shard& shard, const std::string& keywords, Duration limit = 500ms) {
  std::optional<Error> error;
  const auto begun = std::chrono::steady_clock::now();
  shard.run_until_complete([](std::string to, Duration patience, std::optional<Error>& out) -> Task<void> {
    auto opened = co_await session::Session::open(plan_for(to), deadline_after(runtime::now(), patience));
    if (!opened.ok()) out = opened.error();
  }(keywords, limit, error));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, limit + 2s) << keywords;
  if (!error) throw std::runtime_error("connected");
  return *error;
}

struct Nonsense {
  std::string name;
  std::string bytes;     ///< sent when the client has sent its first packet
  std::string expected;  ///< part of the error's text
  ErrorKind kind = ErrorKind::Protocol;
  bool stays_open = true;
};

TEST(SessionNonsense, AnAnswerToTheStartupThatIsNoneIsAClearError) {
  std::string random(3000, '\0');
  for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<char>(i * 7919 >> 3);
  const std::vector<Nonsense> cases{
      {"http", "HTTP/1.1 400 Bad Request\r\n\r\n", "expected authentication request from server, but received 'H'"},
      {"random bytes", random, ""},
      {"a huge length", "R" + integer(0x7fffffff) + "xxxx", "2147483647 bytes is larger than"},
      {"a negative length", "R" + integer(-5) + "xxxx", "is larger than"},
      {"a length below four", "R" + integer(3) + "xxxx", "length"},
      {"rows before the login", message('D', std::string(2, '\0')), "expected authentication request from server"},
      {"an unknown authentication method", message('R', integer(99)), "method 99 is not supported",
       ErrorKind::Config},
      {"a truncated authentication request", message('R', "\0\0"), ""},
      {"ready without authentication", ready(), "authentication"},
      {"a second cancel key",
       authentication_ok() + message('K', integer(1) + integer(2)) + message('K', integer(1) + integer(2)),
       "second BackendKeyData"},
      {"garbage behind the login", authentication_ok() + "\x01\x02\x03\x04\x05\x06\x07\x08", ""},
      {"an empty error", message('E', std::string(1, '\0')), "", ErrorKind::Server},
      {"an error that never ends", "E" + integer(100) + "SFATAL", "timeout expired", ErrorKind::Unavailable},
      {"silence", "", "timeout expired", ErrorKind::Unavailable},
      {"an end at once", "", "closed", ErrorKind::Unavailable, false},
      {"an end within a message", "R" + integer(8) + "\0", "closed", ErrorKind::Unavailable, false},
      {"an end before ReadyForQuery", authentication_ok(), "closed", ErrorKind::Unavailable, false},
  };
  runtime::Shard shard;
  for (const Nonsense& one : cases) {
    SCOPED_TRACE(one.name);
    ScriptedServer server([&](Peer& client) {
      (void)client.receive();
      client.send(one.bytes);
      if (one.stays_open) client.ignore();
    });
    const Error error = connect_error(shard, server.keywords());
    if (!one.expected.empty())
      EXPECT_NE(std::string(error.what()).find(one.expected), std::string::npos) << error.what();
    if (one.name != "random bytes") EXPECT_EQ(error.kind(), one.kind) << error.what();
    EXPECT_EQ(error.stage(), ErrorStage::connecting) << error.what();
    EXPECT_NE(std::string(error.what()).find(std::to_string(server.port())), std::string::npos) << error.what();
  }
}

TEST(SessionNonsense, AnAnswerToTheEncryptionRequestThatIsNoneIsAClearError) {
  const std::vector<Nonsense> cases{
      {"an error", "E" + std::string("FATAL: go away"), "error response during SSL exchange"},
      {"another byte", "X", "invalid response to SSL negotiation"},
      {"plain text behind the S", "S" + welcome(), "unencrypted data after SSL response"},
      {"text behind the N", "N" + welcome(), "unexpected data after SSL response"},
      {"no TLS", "N", "server does not support SSL", ErrorKind::Config},
      {"nothing that is TLS", "S", "TLS", ErrorKind::Unavailable, false},
      {"silence", "", "timeout expired", ErrorKind::Unavailable},
  };
  runtime::Shard shard;
  for (const Nonsense& one : cases) {
    SCOPED_TRACE(one.name);
    ScriptedServer server([&](Peer& client) {
      (void)client.receive();
      client.send(one.bytes);
      if (one.stays_open) client.ignore();
    });
    const Error error = connect_error(shard, server.keywords("sslmode=require"));
    EXPECT_NE(std::string(error.what()).find(one.expected), std::string::npos) << error.what();
    EXPECT_EQ(error.kind(), one.kind) << error.what();
  }
  // Bytes that arrive behind the S only while the handshake runs are no TLS records.
  ScriptedServer late([](Peer& client) {
    (void)client.receive();
    client.send("S");
    (void)client.receive();
    client.send(welcome());
    client.ignore();
  });
  const Error error = connect_error(shard, late.keywords("sslmode=require"));
  EXPECT_NE(std::string(error.what()).find("TLS"), std::string::npos) << error.what();
}

/// A server that welcomes everybody and answers the first thing that is asked with `answer`.
std::function<void(Peer&)> answers(std::string answer, bool stays_open = true) {
  return [answer = std::move(answer), stays_open](Peer& client) {
    (void)client.receive();
    client.send(welcome());
    if (client.receive().empty()) return;
    client.send(answer);
    if (stays_open) client.ignore();
  };
}

TEST(SessionNonsense, AnAnswerToAStatementThatIsNoneEndsTheSession) {
  const std::string described =
      message('1', "") + message('t', std::string(2, '\0')) +
      message('T', std::string("\0\1", 2) + cstring("v") + integer(0) + std::string(2, '\0') + integer(23) +
                       std::string("\0\4", 2) + integer(-1) + std::string(2, '\0'));
  const std::string bound = described + message('2', "");
  const std::string row = message('D', std::string("\0\1", 2) + integer(4) + integer(101));
  const std::string complete = message('C', cstring("SELECT 1"));
  const std::vector<Nonsense> cases{
      {"random bytes", "\xde\xad\xbe\xef\xde\xad\xbe\xef", ""},
      {"a huge length", "D" + integer(0x7fffffff), ""},
      {"steps out of order", message('2', ""), "unexpected"},
      {"a field beyond the row", bound + message('D', std::string("\0\1", 2) + integer(400) + "x"), "DataRow"},
      {"a field of negative length", bound + message('D', std::string("\0\1", 2) + integer(-7)), "DataRow"},
      {"rows after the end", bound + row + complete + row, "unexpected"},
      {"COPY data", bound + message('d', "x"), "unexpected"},
      {"an error while none is due", bound + row + complete + ready() + error("XX000", "boo"), ""},
      {"ready before the end", bound + row + ready(), "unexpected"},
      {"an end within a row", bound + row.substr(0, 8), "closed", ErrorKind::Unavailable, false},
      {"a description with 30000 columns",
       message('1', "") + message('t', std::string(2, '\0')) + message('T', std::string("\x75\x30", 2)), ""},
  };
  runtime::Shard shard;
  for (const Nonsense& one : cases) {
    SCOPED_TRACE(one.name);
    ScriptedServer server(answers(one.bytes, one.stays_open));
    shard.run_until_complete([](std::string to, Nonsense expected) -> Task<void> {
      auto db = co_await SingleSession::open(plan_for(to));
      db->read_only = true;  // nothing is in doubt: the kind tells what happened
      const auto answer = co_await db->query_value<int>({.sql = "SELECT 101", .timeout = 500ms}).result();
      if (answer.ok()) {
        // The answer was complete; what follows it ends the session before anything else is asked.
        EXPECT_EQ(*answer, 101);
        while (!db->closed()) co_await sleep(1ms);
        co_return;
      }
      EXPECT_EQ(answer.error().kind(), expected.kind) << answer.error().what();
      EXPECT_NE(std::string(answer.error().what()).find(expected.expected), std::string::npos)
          << answer.error().what();
      EXPECT_FALSE(answer.error().session_alive());
      EXPECT_TRUE(db->closed());
    }(server.keywords(), one));
  }
}

TEST(SessionNonsense, ASecondReadyForQueryEndsTheSessionBeforeItIsUsed) {
  ScriptedServer server([](Peer& client) {
    (void)client.receive();
    client.send(welcome() + ready());
    client.ignore();
  });
  runtime::Shard shard;
  shard.run_until_complete([](std::string to) -> Task<void> {
    auto db = co_await SingleSession::open(plan_for(to));
    const auto answer = co_await db->query_value<int>({.sql = "SELECT 101", .timeout = 500ms}).result();
    EXPECT_FALSE(answer.ok());
    EXPECT_TRUE(db->closed());
  }(server.keywords()));
}

TEST(SessionNonsense, AStatementThatIsNeverAnsweredEndsWithItsSession) {
  // Nor is the cancel request: its connection is accepted only when the first one has ended.
  ScriptedServer server(answers(""));
  runtime::Shard shard;
  shard.run_until_complete([](std::string to) -> Task<void> {
    auto db = co_await SingleSession::open(plan_for(to));
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = co_await db->query_value<int>({.sql = "SELECT 101", .timeout = 100ms}).result();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    EXPECT_EQ(answer.error().kind(), ErrorKind::InDoubt) << answer.error().what();
    EXPECT_TRUE(db->closed());
  }(server.keywords()));
}

TEST(SessionNonsense, AStartupInSegmentsOfOneByteSucceeds) {
  ScriptedServer server([](Peer& client) {
    (void)client.receive();
    for (const char byte : welcome()) client.send(std::string_view(&byte, 1));
    client.ignore();
  });
  runtime::Shard shard;
  for (int i = 0; i < 5; ++i) {
    shard.run_until_complete([](std::string to) -> Task<void> {
      auto opened = co_await session::Session::open(plan_for(to), deadline_after(runtime::now(), 5s));
      EXPECT_TRUE(opened.ok()) << opened.error().what();
    }(server.keywords()));
  }
}

/// Between two writes the client has read the first and not yet gone on: what comes then must not be forgotten.
TEST(SessionNonsense, AStartupThatArrivesInTwoPiecesSucceeds) {
  const std::string all = welcome();
  for (std::size_t cut = 1; cut < all.size(); cut += 3) {
    ScriptedServer server([&](Peer& client) {
      (void)client.receive();
      client.send(std::string_view(all).substr(0, cut));
      std::this_thread::yield();
      client.send(std::string_view(all).substr(cut));
      client.ignore();
    });
    runtime::Shard shard;
    shard.run_until_complete([](std::string to) -> Task<void> {
      auto opened = co_await session::Session::open(plan_for(to), deadline_after(runtime::now(), 5s));
      EXPECT_TRUE(opened.ok()) << opened.error().what();
    }(server.keywords()));
  }
}

/// A fatal error that comes while a write runs does not tell whether the write was applied.
TEST(SessionNonsense, AFatalErrorUnderAWriteLeavesItInDoubt) {
  for (const char* sqlstate : {"57P01", "57P02", "57P05", "08006", "40003", "XX000"}) {
    ScriptedServer server(answers(error(sqlstate, "the end", "FATAL"), false));
    runtime::Shard shard;
    shard.run_until_complete([](std::string to, std::string state) -> Task<void> {
      for (const bool reads : {false, true}) {
        auto db = co_await SingleSession::open(plan_for(to));
        db->read_only = reads;
        const auto answer = co_await db->execute("INSERT INTO t VALUES (1)").result();
        EXPECT_EQ(answer.error().kind(), reads ? ErrorKind::Unavailable : ErrorKind::InDoubt)
            << state << ": " << answer.error().what();
        EXPECT_FALSE(answer.error().session_alive());
      }
    }(server.keywords(), sqlstate));
  }
}

}  // namespace
}  // namespace switchyard
