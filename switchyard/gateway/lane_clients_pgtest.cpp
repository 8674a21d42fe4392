// Clients whose reads share sessions of a real server: each finds everything as if it had a session for itself.
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/wait_until.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using protocol::testing::encoded;
using switchyard::testing::Door;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::wait_until;
using ::testing::HasSubstr;

constexpr int kClients = 8;
constexpr const char* kPool = "pool = { min = 0, max = 12 }\n";

/// Clients that say exactly what they are told to.
class RawClients {
 public:
  RawClients(const Door& door, int count) {
    for (int i = 0; i < count; ++i) {
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      const std::string path = door.folder() + "/.s.PGSQL." + std::to_string(switchyard::testing::kDoorPort);
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
      fds_.push_back(fd);
      (void)ask(i, encoded(protocol::StartupMessage{protocol::kProtocol30,
                                                    {{"user", "postgres"}, {"database", "main"}}}));
    }
  }
  RawClients(const RawClients&) = delete;
  RawClients& operator=(const RawClients&) = delete;
  ~RawClients() {
    for (const int fd : fds_) ::close(fd);
  }
  void send(int client, const std::string& bytes) const {
    EXPECT_EQ(::send(fds_[static_cast<std::size_t>(client)], bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// Everything up to ReadyForQuery.
  std::string receive(int client) const {
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
      const auto starts = protocol::testing::message_starts(all);
      if (!starts.empty() && all[starts.back()] == 'Z' && all.size() == starts.back() + 6) return all;
      const ssize_t size = ::recv(fds_[static_cast<std::size_t>(client)], piece.data(), piece.size(), 0);
      if (size <= 0) return "closed";
      all.append(piece.data(), static_cast<std::size_t>(size));
    }
  }
  std::string ask(int client, const std::string& bytes) const {
    send(client, bytes);
    return receive(client);
  }
  static std::string parse(const char* name, const char* sql) { return encoded(protocol::Parse{name, sql, {}}); }
  static std::string describe(const char* name) {
    return encoded(protocol::Describe{protocol::Target::statement, name});
  }
  static std::string bind(const char* name) {
    protocol::Bind bind;
    bind.statement = name;
    return encoded(bind);
  }
  static std::string execute() { return encoded(protocol::Execute{{}, 0}); }
  static std::string sync() { return encoded(protocol::Sync()); }

 private:
  std::vector<int> fds_;
};

class LaneClientsTest : public ::testing::Test {
 protected:
  void connect(const std::string& more = "", const char* pool = kPool) {
    door = std::make_unique<Door>(database, switchyard::testing::DoorOptions{.more = pool});
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<PqSession>(door->local() + more));
      ASSERT_TRUE(clients.back()->connected()) << clients.back()->error();
    }
  }
  PGconn* at(int client) { return clients[static_cast<std::size_t>(client)]->handle(); }
  PqResult next(int client) { return PqResult(PQgetResult(at(client))); }
  void no_more(int client) {
    while (PGresult* more = PQgetResult(at(client))) PQclear(more);
  }
  std::uint64_t shared() { return door->lane().statements; }

  /// Does `round` with all clients until statements have been shared `times` more.
  template <class F>
  void until_shared(std::uint64_t times, F round) {
    const auto patience = [] { return std::chrono::steady_clock::now() + 30s; };
    const std::uint64_t wanted = shared() + times;
    std::uint64_t last = 0;
    auto end = patience();
    for (int n = 0; last < wanted; ++n) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "not shared any more";
      round(n);
      if (HasFatalFailure()) return;
      if (const std::uint64_t now = shared(); now != last) {
        last = now;
        end = patience();
      }
    }
  }
  /// Every client sends the same, and takes its answer.
  void until_shared(const std::string& sql) {
    until_shared(3 * kClients, [&](int) {
      for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), sql.c_str()), 1);
      for (int i = 0; i < kClients; ++i) {
        EXPECT_TRUE(next(i).ok());
        no_more(i);
      }
    });
  }

  TestDatabase database = TestDatabase::with(
      "CREATE TABLE t (id int PRIMARY KEY, v int, d date DEFAULT '2020-01-06');"
      "INSERT INTO t SELECT n, 0 FROM generate_series(0, 99) n");
  std::unique_ptr<Door> door;
  std::vector<std::unique_ptr<PqSession>> clients;
};

TEST_F(LaneClientsTest, ReadsOfManyClientsShareSessionsWithoutBeingAsked) {
  connect();
  const auto check = [&](int client) {
    const PqResult result = next(client);
    EXPECT_TRUE(result.ok()) << result.error();
    EXPECT_EQ(result.value(0, 0), std::to_string(client));
    EXPECT_EQ(result.column_name(0), "id");
    EXPECT_EQ(result.command_tag(), "SELECT 1");
    no_more(client);
  };
  until_shared(100, [&](int) {
    for (int i = 0; i < kClients; ++i) {
      ASSERT_EQ(PQsendQuery(at(i), ("SELECT id FROM t WHERE id = " + std::to_string(i) + ";").c_str()), 1);
    }
    for (int i = 0; i < kClients; ++i) check(i);
  });
  const auto send = [&](int client, const char* name) {
    const std::string id = std::to_string(client);
    const char* values[] = {id.c_str()};
    return name == nullptr ? PQsendQueryParams(at(client), "SELECT id FROM t WHERE id = $1", 1, nullptr, values,
                                               nullptr, nullptr, 0)
                           : PQsendQueryPrepared(at(client), name, 1, values, nullptr, nullptr, 0);
  };
  until_shared(100, [&](int) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(send(i, nullptr), 1);
    for (int i = 0; i < kClients; ++i) check(i);
  });
  for (int i = 0; i < kClients; ++i) {
    EXPECT_TRUE(PqResult(PQprepare(at(i), "p", "SELECT id FROM t WHERE id = $1::int4", 0, nullptr)).ok());
  }
  until_shared(100, [&](int) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(send(i, "p"), 1);
    for (int i = 0; i < kClients; ++i) check(i);
  });
}

TEST_F(LaneClientsTest, AClientSeesItsOwnWritesAndItsTransaction) {
  connect();
  const auto read = [](int client) { return "SELECT v FROM t WHERE id = " + std::to_string(client); };
  until_shared(100, [&](int n) {
    const std::string value = std::to_string(n);
    for (int i = 0; i < kClients; ++i) {
      const std::string write = "UPDATE t SET v = " + value + " WHERE id = " + std::to_string(i);
      const bool block = i % 2 == 0;
      if (block) ASSERT_TRUE(clients[i]->execute("BEGIN").ok());
      ASSERT_TRUE(clients[i]->execute(write).ok());
      EXPECT_EQ(clients[i]->value(read(i)), value) << "inside its transaction";
      if (block) ASSERT_TRUE(clients[i]->execute(i % 4 == 0 ? "COMMIT" : "ROLLBACK").ok());
    }
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), read(i).c_str()), 1);
    for (int i = 0; i < kClients; ++i) {
      EXPECT_EQ(next(i).value(0, 0), i % 4 == 2 ? "0" : value);
      no_more(i);
    }
  });
}

TEST_F(LaneClientsTest, WhatIsSentAtOnceIsAnsweredInOrder) {
  connect();
  until_shared("SELECT id FROM t WHERE id = 1");
  for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQenterPipelineMode(at(i)), 1);
  until_shared(50, [&](int) {
    for (int i = 0; i < kClients; ++i) {
      for (int n = 0; n < 10; ++n) {
        const std::string value = std::to_string(n);
        const char* values[] = {value.c_str()};
        const char* sql =
            n == 5 ? "UPDATE t SET v = v WHERE id = $1::int RETURNING id" : "SELECT id FROM t WHERE id = $1";
        ASSERT_EQ(PQsendQueryParams(at(i), sql, 1, nullptr, values, nullptr, nullptr, 0), 1);
        ASSERT_EQ(PQpipelineSync(at(i)), 1);
      }
    }
    for (int i = 0; i < kClients; ++i) {
      for (int n = 0; n < 10; ++n) {
        const PqResult result = next(i);
        EXPECT_EQ(result.value(0, 0), std::to_string(n)) << result.error();
        EXPECT_EQ(PQgetResult(at(i)), nullptr);
        EXPECT_EQ(PQresultStatus(next(i).handle()), PGRES_PIPELINE_SYNC);
      }
    }
  });
}

TEST_F(LaneClientsTest, TheUnnamedStatementIsAsTheServerWouldHaveIt) {
  connect();
  until_shared("SELECT id FROM t WHERE id = 1");
  PqSession& client = *clients[0];
  until_shared(10, [&](int) {
    EXPECT_EQ(client.query("SELECT id FROM t WHERE id = $1", {"7"}).value(0, 0), "7");
    const char* values[] = {"8"};
    PqResult again(PQexecPrepared(client.handle(), "", 1, values, nullptr, nullptr, 0));
    EXPECT_EQ(again.value(0, 0), "8") << again.error();
    EXPECT_EQ(client.value("SELECT id FROM t WHERE id = 1"), "1") << "a query takes it away";
    PqResult gone(PQexecPrepared(client.handle(), "", 1, values, nullptr, nullptr, 0));
    EXPECT_EQ(gone.sqlstate(), "26000");
  });
}

/// Drivers describe a statement once, and read what comes later by that.
TEST_F(LaneClientsTest, RowsThatAreNotDescribedAgainAreThoseThatWereDescribed) {
  connect();
  const RawClients raw(*door, kClients);
  const std::string prepare = raw.parse("s", "SELECT * FROM t WHERE id = 5") + raw.describe("s") + raw.sync();
  const std::string execute = raw.bind("s") + raw.execute() + raw.sync();
  for (int i = 0; i < kClients; ++i) EXPECT_THAT(raw.ask(i, prepare), HasSubstr("id"));
  until_shared(100, [&](int) {
    for (int i = 0; i < kClients; ++i) raw.send(i, execute);
    for (int i = 0; i < kClients; ++i) EXPECT_THAT(raw.receive(i), HasSubstr("2020-01-06"));
  });
  database.execute("ALTER TABLE t ADD COLUMN more text DEFAULT 'surprise'");
  // The change is seen with a look at the catalogue, which takes its time on a busy machine.
  const auto end = std::chrono::steady_clock::now() + 30s;
  std::uint64_t before = 0;
  do {
    before = shared();
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < kClients; ++i) raw.send(i, execute);
      for (int i = 0; i < kClients; ++i) EXPECT_NE(raw.receive(i), "closed");
    }
  } while (shared() != before && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(shared(), before) << "what the server makes of it is its own affair";
}

TEST_F(LaneClientsTest, ErrorsHaveTheFieldsOfTheServers) {
  connect();
  const PqSession direct(database.endpoint().keywords());
  constexpr const char* kTexts[] = {"SELECT id, 1/(id - 1) FROM t WHERE id = 1", "SELECT id FROM t WHERE id = 'x'",
                                    "SELECT id FROM t WHERE nothing = 1", "SELECT id, 1/(id - id) FROM t LIMIT 3"};
  until_shared("SELECT id, 1/(id - 1) FROM t WHERE id = 2");
  until_shared("SELECT id, 1/(id - id + 1) FROM t LIMIT 3");
  for (const char* sql : kTexts) {
    const PqResult expected(PQexec(direct.handle(), sql));
    for (int round = 0; round < 5; ++round) {
      for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), sql), 1);
      for (int i = 0; i < kClients; ++i) {
        const PqResult result = next(i);
        for (const char field : std::string("SVCMDHPpqWstcdnFLR")) {
          EXPECT_EQ(result.error_field(field), expected.error_field(field)) << sql << ", field " << field;
        }
        no_more(i);
      }
    }
  }
}

TEST_F(LaneClientsTest, SettingsKeepTheirMeaning) {
  connect();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(clients[i]->execute("SET datestyle = 'German'").ok());
  ASSERT_TRUE(clients[6]->execute("SET datestyle = 'SQL, MDY'").ok());
  ASSERT_TRUE(clients[0]->execute("SET application_name = 'another'").ok());
  until_shared(200, [&](int) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), "SELECT d FROM t WHERE id = 5"), 1);
    for (int i = 0; i < kClients; ++i) {
      EXPECT_EQ(next(i).value(0, 0), i < 6 ? "06.01.2020" : i == 6 ? "01/06/2020" : "2020-01-06");
      no_more(i);
    }
  });
}

TEST_F(LaneClientsTest, WhoLeavesOrCancelsHurtsNobody) {
  connect();
  const std::string sql = "SELECT id FROM t WHERE id = 3";
  until_shared(sql);
  until_shared(200, [&](int n) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), sql.c_str()), 1);
    const int leaver = n % kClients;
    const int canceller = (n + 1) % kClients;
    if (n % 8 == 0) {
      clients[static_cast<std::size_t>(leaver)] = std::make_unique<PqSession>(door->local());
      ASSERT_TRUE(clients[static_cast<std::size_t>(leaver)]->connected());
    }
    char problem[256];
    PGcancel* cancel = PQgetCancel(at(canceller));
    EXPECT_EQ(PQcancel(cancel, problem, sizeof(problem)), 1) << problem;
    PQfreeCancel(cancel);
    for (int i = 0; i < kClients; ++i) {
      if (i == leaver && n % 8 == 0) continue;
      const PqResult result = next(i);
      if (i == canceller && !result.ok()) {
        EXPECT_EQ(result.sqlstate(), "57014");
      } else {
        EXPECT_EQ(result.value(0, 0), "3") << result.error();
      }
      no_more(i);
    }
  });
}

TEST_F(LaneClientsTest, WhoWaitsForASessionComesBackToTheLaneAsSoonAsTheStatementIsJudged) {
  connect("", "pool = { min = 0, max = 4 }\n");
  until_shared("SELECT v FROM t WHERE id = 1");
  const auto answered = [&](int client) {
    return wait_until([&] { return PQconsumeInput(at(client)) == 1 && PQisBusy(at(client)) == 0; }, 3s);
  };
  // The lane may have given a session up meanwhile that answers first, or the catalogue not be known at the moment.
  bool came_back = false;
  for (int n = 0; n < 10 && !came_back; ++n) {
    const std::string sql = "SELECT v + " + std::to_string(n) + "::int FROM t WHERE id = 2";
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->execute(sql).ok());
    for (int i = 2; i < 5; ++i) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->query("BEGIN").ok());
    const std::uint64_t before = shared();
    for (int i = 5; i < 8; ++i) ASSERT_EQ(PQsendQuery(at(i), sql.c_str()), 1);
    const bool all = answered(5) && answered(6) && answered(7);
    came_back = all && shared() == before + 3;
    for (int i = 2; i < 5; ++i) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->query("COMMIT").ok());
    for (int i = 5; i < 8; ++i) {
      EXPECT_EQ(next(i).value(0, 0), std::to_string(n));
      no_more(i);
    }
  }
  EXPECT_TRUE(came_back);
}

TEST_F(LaneClientsTest, AStatementTimeOutCountsFromTheStatementsReceipt) {
  connect();
  until_shared("SELECT id FROM t WHERE id = 3");
  for (const auto& client : clients) ASSERT_TRUE(client->execute("SET statement_timeout = '10s'").ok());
  until_shared("SELECT id FROM t WHERE id = 3");
}

TEST_F(LaneClientsTest, TheConsoleSaysForWhichClientsAServerWorks) {
  connect();
  const std::string sql = "SELECT id FROM t WHERE id = 3";
  until_shared(sql);
  PqSession console(door->local("switchyard"));
  struct Work {
    std::string kind, server, client;
  };
  const auto work = [&] {
    const PqResult lanes = console.execute("SHOW LANES");
    EXPECT_TRUE(lanes.ok()) << lanes.error();
    const auto column = [&](const char* name) { return PQfnumber(lanes.handle(), name); };
    std::vector<Work> all;
    for (int row = 0; row < lanes.rows(); ++row) {
      if (!lanes.value(row, column("server_pid"))) continue;
      all.push_back({*lanes.value(row, column("kind")), *lanes.value(row, column("server_pid")),
                     *lanes.value(row, column("client"))});
    }
    return all;
  };
  const std::string writer = std::to_string(PQbackendPID(at(0)));
  ASSERT_TRUE(clients[0]->execute("BEGIN").ok());
  const std::string pid = clients[0]->value("SELECT pg_backend_pid()");
  EXPECT_THAT(work(), ::testing::Contains(::testing::AllOf(::testing::Field(&Work::kind, "leased"),
                                                           ::testing::Field(&Work::server, pid),
                                                           ::testing::Field(&Work::client, writer))));
  ASSERT_TRUE(clients[0]->execute("COMMIT").ok());
  // The console may be looked at before they are, or when they have been answered.
  bool seen = false;
  const auto end = std::chrono::steady_clock::now() + 120s;
  while (!seen && std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), sql.c_str()), 1);
    for (const Work& one : work()) seen = seen || one.kind == "shared";
    for (int i = 0; i < kClients; ++i) no_more(i);
  }
  EXPECT_TRUE(seen);
}

TEST_F(LaneClientsTest, ADatabaseInTransactionModeSharesNothing) {
  door = std::make_unique<Door>(
      database, switchyard::testing::DoorOptions{.more = kPool, .change = [](GatewaySettings& settings) {
                                                   settings.config.pool_mode = PoolMode::transaction;
                                                 }});
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<PqSession>(door->local()));
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < kClients; ++i) ASSERT_EQ(PQsendQuery(at(i), "SELECT id FROM t WHERE id = 3"), 1);
    for (int i = 0; i < kClients; ++i) no_more(i);
  }
  EXPECT_EQ(shared(), 0U);
}

}  // namespace
}  // namespace switchyard::gateway
