// Statements of clients in a shared lane of a real server: the same bytes as from the server itself, or a lease.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/wire_statement.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/protocol/testing/backend.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using protocol::testing::encoded;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A connection to the server, without anything of ours in between.
class DirectClient {
 public:
  explicit DirectClient(const embedded::ServerEndpoint& server) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = server.host + "/.s.PGSQL." + std::to_string(server.port);
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    (void)ask(encoded(
        protocol::StartupMessage{protocol::kProtocol30, {{"user", server.user}, {"database", server.database}}}));
  }
  DirectClient(const DirectClient&) = delete;
  DirectClient& operator=(const DirectClient&) = delete;
  ~DirectClient() { ::close(fd_); }

  /// Everything up to the last of so many ReadyForQuery.
  std::string ask(std::string_view bytes, int groups = 1) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    std::string all;
    std::array<char, 65536> piece{};
    for (;;) {
      const auto starts = protocol::testing::message_starts(all);
      const auto ready = std::ranges::count_if(starts, [&](std::size_t at) { return all[at] == 'Z'; });
      if (ready == groups && all[starts.back()] == 'Z' && all.size() == starts.back() + 6) return all;
      const ssize_t size = ::recv(fd_, piece.data(), piece.size(), 0);
      if (size <= 0) return "closed";
      all.append(piece.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  int fd_;
};

/// What a client sends, and as the gateway hands it on.
struct Asked {
  std::string sql;
  std::vector<Oid> types;
  std::vector<std::int16_t> formats;
  std::vector<std::optional<std::string>> arguments;
  std::vector<std::int16_t> result_formats;
  bool simple = false;
  bool parse = true;
  bool describe_statement = false;
  bool describe_portal = true;
  std::string portal;
  TimePoint deadline = kNever;
  std::string settings;
  std::uint32_t settings_clients = 0;

  std::string bind() const {
    base::WriteBuffer values;
    for (const auto& argument : arguments) {
      values.put_i32(argument ? static_cast<std::int32_t>(argument->size()) : -1);
      if (argument) values.put(*argument);
    }
    protocol::Bind bind;
    bind.portal = portal;
    bind.formats = std::span<const std::int16_t>(formats);
    bind.count = arguments.size();
    bind.values = values.view();
    bind.result_formats = std::span<const std::int16_t>(result_formats);
    return encoded(bind);
  }
  std::string messages() const {
    if (simple) return encoded(protocol::Query{sql});
    std::string out = encoded(protocol::Parse{{}, sql, std::span<const Oid>(types)});
    if (!parse) out += encoded(protocol::Sync());
    if (describe_statement) out += encoded(protocol::Describe{protocol::Target::statement, {}});
    out += bind();
    if (describe_portal) out += encoded(protocol::Describe{protocol::Target::portal, portal});
    return out + encoded(protocol::Execute{portal, 0}) + encoded(protocol::Sync());
  }
};

Asked simple(std::string sql) {
  Asked out;
  out.sql = std::move(sql);
  out.simple = true;
  return out;
}

std::string int4(std::int32_t value) {
  std::string bytes(4, '\0');
  base::store_be(bytes.data(), value);
  return bytes;
}

/// A client that waits for one answer at a time.
class Client final : private WireStatement::Owner {
 public:
  /// The answer, or "leased: why".
  Task<std::string> ask(const DatabaseHandle& database, const Asked& asked) {
    if (!begin(database, asked)) co_return refusal;
    co_return co_await end();
  }
  bool begin(const DatabaseHandle& database, const Asked& asked) {
    const std::string bind = asked.simple ? std::string() : asked.bind().substr(5);
    const WireStatement::Admission admission = statement.start(database,
                                                               {.messages = "as they came",
                                                                .sql = asked.sql,
                                                                .types = asked.types,
                                                                .bind = bind,
                                                                .parse_complete = asked.parse,
                                                                .statement_description = asked.describe_statement,
                                                                .portal_description = asked.describe_portal,
                                                                .settings = asked.settings,
                                                                .settings_clients = asked.settings_clients,
                                                                .deadline = asked.deadline},
                                                               out, *this);
    done = false;
    refusal = admission.taken ? std::string() : std::string(admission.reason);
    return admission.taken;
  }
  Task<std::string> end() {
    while (!done) co_await sleep(1ms);
    if (!refusal.empty()) {
      EXPECT_TRUE(out.empty());
      co_return refusal;
    }
    std::string answer(out.view());
    out.clear();
    co_return answer;
  }

  WireStatement statement;
  base::WriteBuffer out;
  std::string refusal;
  bool done = false;

 private:
  void on_answered() noexcept override { done = true; }
  void on_lease(std::string_view why, ByteView messages) noexcept override {
    EXPECT_EQ(messages, "as they came");
    refusal = why;
    done = true;
  }
};

class WireStatementTest : public ::testing::Test {
 protected:
  template <class F>
  void run(F body) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text =
        "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + server.endpoint().uri() + "\"\n";
    shard.run_until_complete(with_timeout(
        [](FleetConfig config, F story) -> Task<void> {
          auto fleet = Fleet::open(std::move(config)).value_or_throw();
          const DatabaseHandle database = fleet->database("main").value_or_throw();
          co_await story(database);
          co_await fleet->close();
        }(load_config(sources).value_or_throw(), std::move(body)),
        60s));
  }

  /// Asks as long as it takes for the statement to share, beside four callers with a session for each.
  static Task<std::string> share(DatabaseHandle database, Asked asked) {
    std::vector<Lease> others;
    Client client;
    for (int round = 0; round < 50;) {
      const std::string answer = co_await client.ask(database, asked);
      if (!answer.starts_with("leased")) co_return answer;
      // Whoever looks at texts and at the catalogue may have little of the processor, and so may the server.
      const bool passing = answer.find("being") != std::string::npos || answer.find("slow") != std::string::npos;
      if (!passing) ++round;
      if (answer.find("too few callers") != std::string::npos && others.empty()) {
        for (int i = 0; i < 4; ++i) others.push_back(co_await database.lease());
      }
      co_await sleep(2ms);
    }
    co_return client.refusal;
  }

  TestDatabase server = TestDatabase::with(
      "CREATE TABLE t (id int PRIMARY KEY, v text, d date, n numeric(10,2));"
      "INSERT INTO t SELECT n, 'v' || n, date '2020-01-01' + n, n FROM generate_series(0, 2999) n;"
      "UPDATE t SET v = NULL WHERE id = 7");
  runtime::Shard shard;
};

TEST_F(WireStatementTest, AnswersAreTheServersBytes) {
  DirectClient direct(server.endpoint());
  std::vector<Asked> all{
      simple("SELECT v, d, n, id FROM t WHERE id = 5"),
      simple("SELECT v, d, n, id FROM t WHERE id = 6 ;"),
      simple("SELECT v FROM t WHERE id = 7"),
      simple("SELECT v FROM t WHERE id = -1"),
      simple("SELECT v FROM t WHERE id IN (1, 2, 3) AND v <> 'v''2' AND n > 1.5 ORDER BY id LIMIT 2"),
      simple("SELECT id FROM t WHERE d BETWEEN '2020-01-03' AND '2020-01-05' ORDER BY id"),
      simple("SELECT id AS \"An id\", id = 5 FROM t WHERE id < 4 ORDER BY 1"),
      simple("SELECT 1/(id - 3) FROM t WHERE id <= 4 ORDER BY id"),
      simple("SELECT FROM t WHERE id = 5"),
      simple("SELECT 1/(id - 3) FROM t ORDER BY id"),
  };
  const auto extended = [&](std::string sql, auto change) {
    Asked asked;
    asked.sql = std::move(sql);
    change(asked);
    all.push_back(asked);
  };
  constexpr char kPoint[] = "SELECT v, d, n, id FROM t WHERE id = $1";
  extended(kPoint, [](Asked& asked) { asked.arguments = {"5"}; });
  extended(kPoint, [](Asked& asked) { asked.arguments = {"5"}, asked.parse = false; });
  extended(kPoint, [](Asked& asked) { asked.arguments = {"5"}, asked.describe_statement = true; });
  extended(kPoint, [](Asked& asked) { asked.arguments = {"5"}, asked.describe_portal = false; });
  extended(kPoint, [](Asked& asked) { asked.arguments = {std::nullopt}; });
  extended(kPoint, [](Asked& asked) {
    asked.types = {23};
    asked.formats = {1};
    asked.arguments = {int4(7)};
    asked.result_formats = {1};
  });
  extended(kPoint, [](Asked& asked) {
    asked.arguments = {"9"};
    asked.result_formats = {1, 0, 1, 0};
  });
  extended("SELECT v FROM t WHERE id = $1 AND v = $2", [](Asked& asked) {
    asked.types = {20};
    asked.formats = {1, 0};
    asked.arguments = {std::string(4, '\0') + int4(8), "v8"};
  });
  extended("SELECT id FROM t WHERE id < 500 ORDER BY id", [](Asked&) {});
  extended("SELECT 10/(id - $1) FROM t WHERE id <= 4 ORDER BY id", [](Asked& asked) { asked.arguments = {"3"}; });
  extended(kPoint, [](Asked& asked) { asked.arguments = {"five"}; });
  run([&](const DatabaseHandle& database) -> Task<void> {
    for (const Asked& asked : all) {
      std::string expected = direct.ask(asked.messages(), asked.simple || asked.parse ? 1 : 2);
      if (!asked.simple && !asked.parse) expected = expected.substr(5 + 6);  // of the Parse before
      std::string answer = co_await share(database, asked);
      if (asked.sql.find("1/(id - 3) FROM t WHERE id <= 4") != std::string::npos) {
        // The text runs on a session: an error may say where in it something stands.
        EXPECT_EQ(answer, "leased: an error says where its constants stand");
      } else {
        EXPECT_EQ(answer, expected) << asked.sql;
      }
    }
  });
}

TEST_F(WireStatementTest, WhatALaneCanNotDoComesBack) {
  run([&](const DatabaseHandle& database) -> Task<void> {
    EXPECT_THAT(co_await share(database, simple("SELECT id FROM t WHERE id >= 0 ORDER BY id")),
                HasSubstr("rows than"));
    EXPECT_THAT(co_await share(database, simple("SELECT nothing FROM t")), StartsWith("leased"));
    EXPECT_THAT(co_await share(database, simple("SELECT 1; SELECT 2")), StartsWith("leased"));
    EXPECT_THAT(co_await share(database, simple("UPDATE t SET v = 'x' WHERE id = 1")), StartsWith("leased"));
    EXPECT_THAT(co_await share(database, simple("SELECT $1")), StartsWith("leased"));
    EXPECT_THAT(co_await share(database, simple("")), StartsWith("leased"));
    Asked named;
    named.sql = "SELECT v FROM t WHERE id = $1";
    named.arguments = {"5"};
    named.portal = "p";
    EXPECT_EQ(co_await share(database, named), "leased: its portal has a name");
    named.portal.clear();
    EXPECT_THAT(co_await share(database, named), HasSubstr("v5"));
    named.arguments.push_back("6");
    EXPECT_THAT(co_await share(database, named), StartsWith("leased"));
    named.arguments.clear();
    EXPECT_EQ(co_await share(database, named), "leased: it has not as many arguments as parameters");
    named.arguments = {"5"};
    named.result_formats = {0, 0};
    EXPECT_EQ(co_await share(database, named), "leased: its columns do not fit the type asked for");
  });
}

TEST_F(WireStatementTest, ACancelRequestIsAnsweredAtOnceAndHitsNobodyElse) {
  run([&](const DatabaseHandle& database) -> Task<void> {
    const Asked asked = simple("SELECT v FROM t WHERE id = 5");
    const std::string expected = co_await share(database, asked);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::unique_ptr<Client>> clients;
      for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<Client>());
        EXPECT_TRUE(clients.back()->begin(database, asked)) << clients.back()->refusal;
      }
      if (round % 2 == 0) co_await yield();
      clients[3]->statement.cancel();
      EXPECT_FALSE(clients[3]->statement.running());
      EXPECT_THAT(std::string(clients[3]->out.view()), HasSubstr("canceling statement due to user request"));
      clients[5]->statement.withdraw();
      EXPECT_TRUE(clients[5]->out.empty());
      for (const int i : {0, 1, 2, 4, 6, 7}) {
        const std::string answer = co_await clients[static_cast<std::size_t>(i)]->end();
        if (!answer.starts_with("leased")) EXPECT_EQ(answer, expected);
      }
      // The one that was cancelled goes on.
      std::string answer = co_await clients[3]->ask(database, asked);
      if (!answer.starts_with("leased")) EXPECT_THAT(answer, HasSubstr("v5"));
    }
  });
}

TEST_F(WireStatementTest, ATimeLimitIsAnsweredAsTheServerDoes) {
  DirectClient other(server.endpoint());
  run([&](const DatabaseHandle& database) -> Task<void> {
    Asked asked = simple("SELECT v FROM t WHERE id = 5");
    (void)co_await share(database, asked);
    // Whoever holds the table makes sure that no answer is quicker than the limit.
    (void)other.ask(simple("BEGIN; LOCK TABLE t").messages(), 1);
    asked.deadline = runtime::now();
    EXPECT_THAT(co_await share(database, asked), HasSubstr("canceling statement due to statement timeout"));
    (void)other.ask(simple("ROLLBACK").messages(), 1);
  });
}

TEST_F(WireStatementTest, SettingsOfTheirOwnGetALaneOfTheirOwnOnceSeveralClientsHaveThem) {
  run([&](const DatabaseHandle& database) -> Task<void> {
    Asked asked = simple("SELECT d FROM t WHERE id = 5");
    EXPECT_THAT(co_await share(database, asked), HasSubstr("2020-01-06"));
    asked.settings = "SET datestyle = 'German'";
    asked.settings_clients = 3;
    EXPECT_THAT(co_await share(database, asked), HasSubstr("few callers have its settings"));
    asked.settings_clients = 4;
    EXPECT_THAT(co_await share(database, asked), HasSubstr("06.01.2020"));
    // A constant is read under them as well.
    EXPECT_THAT(co_await share(database,
                               [&] {
                                 Asked same = asked;
                                 same.sql = "SELECT id FROM t WHERE d = '06.01.2020'";
                                 return same;
                               }()),
                HasSubstr("5"));
    for (int i = 0; i < 3; ++i) {
      asked.settings = "SET extra_float_digits = " + std::to_string(i);
      EXPECT_THAT(co_await share(database, asked), HasSubstr("2020-01-06"));
    }
    asked.settings = "SET extra_float_digits = 3";
    EXPECT_THAT(co_await share(database, asked), HasSubstr("many settings have lanes"));
    asked.settings = "SET default_transaction_isolation = 'serializable'";
    EXPECT_THAT(co_await share(database, asked), StartsWith("leased"));
    asked.settings.clear();
    EXPECT_THAT(co_await share(database, asked), HasSubstr("2020-01-06"));
  });
}

}  // namespace
}  // namespace switchyard::gateway
