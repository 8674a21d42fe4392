// Reads of clients at replicas: which of them go there, and what they have seen when they do.
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::PrivateCluster;
using embedded::PrivateServer;
using switchyard::testing::Door;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::wait_until;

constexpr const char* kWhere = "SELECT pg_is_in_recovery()";

/// A primary with one replica, for all tests of this file.
class GatewayReadsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    embedded::ClusterOptions options = embedded::test_options();
    options.tcp_port.reset();
    cluster = PrivateCluster::start(std::move(options)).value_or_throw();
    (void)primary()
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE UNLOGGED TABLE u (id int);"
            "CREATE FUNCTION where_am_i() RETURNS bool LANGUAGE sql AS 'SELECT pg_is_in_recovery()'")
        .value_or_throw();
    (void)cluster->add_replica("a").value_or_throw();
    replica().catch_up(primary()).value_or_throw();
  }
  static void TearDownTestSuite() { cluster.reset(); }
  void TearDown() override {
    if (!cluster) return;
    if (!replica().running()) replica().start().value_or_throw();
    replica().resume_replay().value_or_throw();
  }

  static PrivateServer& primary() { return cluster->primary(); }
  static PrivateServer& replica() { return *cluster->replica("a"); }
  static testing::DoorOptions options(const std::string& database = "", const std::string& gateway = "") {
    testing::DoorOptions out;
    out.more = database + "[[database.main.replica]]\nname = \"a\"\ndsn = \"" + replica().endpoint().uri() + "\"\n";
    if (!gateway.empty()) {
      out.change = [gateway](GatewaySettings& settings) {
        Sources sources;
        sources.file = "gateway.toml";
        sources.file_text =
            "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"postgresql:///x\"\n[gateway]\n" + gateway;
        settings.config = load_config(sources).value_or_throw().gateway;
      };
    }
    return out;
  }
  /// Where a transaction that begins like this finds itself: "t" at the replica.
  static std::string where(PqSession& client, const std::string& begin) {
    const PqResult begun = client.execute(begin);
    EXPECT_TRUE(begun.ok()) << begun.error();
    if (!begun.ok()) return begun.error();
    std::string at = client.value(kWhere);
    EXPECT_TRUE(client.execute("COMMIT").ok());
    return at;
  }
  /// It goes there as a rule: a look at the replica that takes long sends a read to the primary.
  static bool goes_to_replica(PqSession& client, const std::string& begin) {
    return wait_until([&] { return where(client, begin) == "t"; });
  }
  /// Until the replica has been seen to be fit.
  static void settle(const Door& door) {
    PqSession client(door.local());
    EXPECT_TRUE(goes_to_replica(client, "BEGIN READ ONLY"));
  }

  static inline std::unique_ptr<PrivateCluster> cluster;
};

TEST_F(GatewayReadsTest, ATransactionThatOnlyReadsIsAtTheReplicaAndOthersAreNot) {
  Door door(primary().endpoint().uri(), options());
  settle(door);
  PqSession client(door.local());
  EXPECT_TRUE(goes_to_replica(client, "BEGIN READ ONLY"));
  EXPECT_TRUE(goes_to_replica(client, "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"));
  EXPECT_EQ(where(client, "BEGIN"), "f");
  EXPECT_EQ(where(client, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"), "f") << "a standby has none";
  EXPECT_EQ(client.value(kWhere), "f");
  EXPECT_TRUE(client.execute("BEGIN READ ONLY; SELECT pg_is_in_recovery(); COMMIT").ok());
  ASSERT_TRUE(client.execute("SET default_transaction_read_only = on").ok());
  EXPECT_TRUE(goes_to_replica(client, "BEGIN"));
  EXPECT_EQ(where(client, "BEGIN READ WRITE"), "f");
  ASSERT_TRUE(client.execute("RESET default_transaction_read_only").ok());
  EXPECT_EQ(where(client, "BEGIN"), "f");
  EXPECT_EQ(client.parameter_status("in_hot_standby"), "off") << "it is connected to the database, not to a server";
  // In the extended protocol, prepared and not.
  ASSERT_TRUE(PqResult(PQprepare(client.handle(), "b", "BEGIN READ ONLY", 0, nullptr)).ok());
  ASSERT_TRUE(PqResult(PQprepare(client.handle(), "w", kWhere, 0, nullptr)).ok());
  const auto run = [&](const char* name) {
    return PqResult(PQexecPrepared(client.handle(), name, 0, nullptr, nullptr, nullptr, 0));
  };
  for (const bool prepared : {false, true}) {
    EXPECT_TRUE(wait_until([&] {
      EXPECT_TRUE((prepared ? run("b") : client.query("BEGIN READ ONLY")).ok());
      const bool there = (prepared ? run("w") : client.query(kWhere)).value(0, 0) == "t";
      EXPECT_TRUE(client.query("COMMIT").ok());
      return there;
    }));
    EXPECT_EQ(run("w").value(0, 0), "f");
  }
  const GatewayStatus status = door.status();
  EXPECT_GE(status.at_replicas, 5U);
}

TEST_F(GatewayReadsTest, WhatIsPipelinedBehindSuchATransactionIsWhereItBelongs) {
  Door door(primary().endpoint().uri(), options());
  settle(door);
  PqSession client(door.local());
  ASSERT_EQ(PQenterPipelineMode(client.handle()), 1);
  int id = 900;
  const auto conversation = [&] {
    const std::string insert = "INSERT INTO t VALUES (" + std::to_string(++id) + ")";
    const std::string count = "SELECT count(*) FROM t WHERE id = " + std::to_string(id);
    for (const char* sql : {"BEGIN READ ONLY", kWhere, "COMMIT", insert.c_str(), kWhere, "BEGIN READ ONLY",
                            count.c_str(), "COMMIT"}) {
      EXPECT_EQ(PQsendQueryParams(client.handle(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
      EXPECT_EQ(PQpipelineSync(client.handle()), 1);
    }
    std::vector<std::string> seen;
    for (int syncs = 0; syncs < 8;) {
      PGresult* raw = PQgetResult(client.handle());
      if (raw == nullptr) continue;
      const PqResult result(raw);
      if (PQresultStatus(raw) == PGRES_PIPELINE_SYNC) {
        ++syncs;
      } else {
        EXPECT_TRUE(result.ok()) << result.error();
        if (result.rows() == 1) seen.push_back(result.value(0, 0).value_or(""));
      }
    }
    return seen;
  };
  EXPECT_TRUE(wait_until([&] {
    const std::vector<std::string> seen = conversation();
    EXPECT_EQ(std::vector<std::string>(seen.begin() + 1, seen.end()), (std::vector<std::string>{"f", "1"}));
    return seen.at(0) == "t";
  }));
}

TEST_F(GatewayReadsTest, WhatFollowsSuchATransactionInOneGroupOrTextIsWhereItBelongs) {
  Door door(primary().endpoint().uri(), options());
  settle(door);
  PqSession client(door.local());
  int id = 700;
  const auto rows = [&] { return client.value("SELECT count(*) FROM t WHERE id = " + std::to_string(id)); };
  ASSERT_EQ(PQenterPipelineMode(client.handle()), 1);
  const auto group = [&](const std::vector<std::string>& texts) {
    for (const std::string& sql : texts) {
      EXPECT_EQ(PQsendQueryParams(client.handle(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
    }
    EXPECT_EQ(PQpipelineSync(client.handle()), 1);
    std::vector<std::string> seen;
    for (;;) {
      PGresult* raw = PQgetResult(client.handle());
      if (raw == nullptr) continue;
      const PqResult result(raw);
      if (PQresultStatus(raw) == PGRES_PIPELINE_SYNC) return seen;
      if (!result.ok()) seen.push_back(result.sqlstate());
      if (result.rows() == 1) seen.push_back(result.value(0, 0).value_or(""));
    }
  };
  EXPECT_TRUE(wait_until([&] {
    const std::string insert = "INSERT INTO t VALUES (" + std::to_string(++id) + ")";
    const std::vector<std::string> seen =
        group({"BEGIN READ ONLY", kWhere, "COMMIT", insert, kWhere, "BEGIN READ ONLY", "SELECT 5", "COMMIT"});
    EXPECT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen.back(), "5");
    return seen.at(0) == "t" && seen.at(1) == "f";
  }));
  // What fails takes the rest of its group with it, as on one server.
  EXPECT_TRUE(wait_until([&] {
    const std::string insert = "INSERT INTO t VALUES (" + std::to_string(++id) + ")";
    const std::vector<std::string> seen = group({"BEGIN READ ONLY", kWhere, "SELECT 1/0", "COMMIT", insert});
    EXPECT_EQ(group({"SELECT 1"}), std::vector<std::string>{"25P02"});
    EXPECT_EQ(group({"ROLLBACK"}), std::vector<std::string>());
    EXPECT_EQ(seen.at(1), "22012");
    return seen.at(0) == "t";
  }));
  ASSERT_EQ(PQexitPipelineMode(client.handle()), 1);
  EXPECT_EQ(rows(), "0");
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(client.execute("BEGIN READ ONLY").ok());
    const bool there = client.value(kWhere) == "t";
    const PqResult text =
        client.execute("SELECT 1; COMMIT; INSERT INTO t VALUES (" + std::to_string(++id) + "); SELECT 7");
    EXPECT_TRUE(text.ok()) << text.error();
    EXPECT_EQ(rows(), "1");
    return there;
  }));
}

TEST_F(GatewayReadsTest, AClientSeesWhatItHasWritten) {
  Door door(primary().endpoint().uri(), options("replica_wait = \"30ms\"\n"));
  settle(door);
  PqSession client(door.local());
  PqSession view(door.local("main:read"));
  int at_replica = 0;
  constexpr int kRounds = 200;
  for (int id = 1; id <= kRounds; ++id) {
    if (id % 40 == 20) replica().pause_replay().value_or_throw();
    if (id % 40 == 30) replica().resume_replay().value_or_throw();
    const std::string insert = "INSERT INTO t VALUES (" + std::to_string(id) + ")";
    ASSERT_TRUE(client.execute(id % 2 == 0 ? insert : "BEGIN; " + insert + "; COMMIT").ok());
    ASSERT_TRUE(client.execute("BEGIN READ ONLY").ok());
    EXPECT_EQ(client.value("SELECT count(*) FROM t WHERE id = " + std::to_string(id)), "1") << "a stale read";
    at_replica += client.value(kWhere) == "t" ? 1 : 0;
    ASSERT_TRUE(client.execute("COMMIT").ok());
  }
  EXPECT_GT(at_replica, kRounds / 10);
  EXPECT_LT(at_replica, kRounds) << "nothing was ever behind: the test showed nothing";
}

TEST_F(GatewayReadsTest, WithoutAWriteALaggingReplicaIsReadAndStrictlyItIsNot) {
  for (const bool strict : {false, true}) {
    Door door(
        primary().endpoint().uri(),
        options("replica_wait = \"5ms\"\n", strict ? "consistency = \"strict\"\n" : "consistency = \"session\"\n"));
    settle(door);
    PqSession writer(door.local());
    PqSession reader(door.local());
    PqSession view(door.local("main:read"));
    EXPECT_TRUE(wait_until([&] { return view.value(kWhere) == "t"; }));
    replica().pause_replay().value_or_throw();
    ASSERT_TRUE(writer.execute("INSERT INTO t VALUES (" + std::to_string(strict ? 1001 : 1000) + ")").ok());
    if (strict) {
      EXPECT_EQ(where(reader, "BEGIN READ ONLY"), "f");
      EXPECT_EQ(view.value(kWhere), "f");
    } else {
      EXPECT_TRUE(goes_to_replica(reader, "BEGIN READ ONLY"));
      EXPECT_TRUE(wait_until([&] { return view.value(kWhere) == "t"; }));
    }
    EXPECT_EQ(where(writer, "BEGIN READ ONLY"), "f") << "it has written";
    replica().resume_replay().value_or_throw();
    EXPECT_TRUE(goes_to_replica(writer, "BEGIN READ ONLY"));
    EXPECT_TRUE(goes_to_replica(reader, "BEGIN READ ONLY"));
  }
}

TEST_F(GatewayReadsTest, WithAutoReadKnownReadsGoThereAndNothingElse) {
  Door door(primary().endpoint().uri(), options("", "auto_read = true\n"));
  settle(door);
  PqSession client(door.local());
  // The first time a text is looked at.
  const auto server = [&](const std::string& sql) {
    const std::uint64_t before = door.status().at_replicas;
    EXPECT_TRUE(client.query(sql).ok()) << sql;
    return door.status().at_replicas > before ? "replica" : "primary";
  };
  EXPECT_TRUE(wait_until([&] { return server("SELECT count(*) FROM t") == std::string("replica"); }));
  EXPECT_TRUE(wait_until([&] { return server("SELECT id FROM t WHERE id = 3") == std::string("replica"); }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_STREQ(server("SELECT count(*) FROM u"), "primary") << "unlogged";
    EXPECT_STREQ(server("SELECT where_am_i()"), "primary") << "nobody knows what it does";
    EXPECT_STREQ(server("SELECT id FROM t WHERE id = 1 FOR SHARE"), "primary");
    EXPECT_STREQ(server("INSERT INTO t VALUES (" + std::to_string(2000 + i) + ")"), "primary");
    EXPECT_EQ(client.query("SELECT count(*) FROM t WHERE id = " + std::to_string(2000 + i)).value(0, 0), "1");
  }
  ASSERT_TRUE(client.execute("BEGIN").ok());
  EXPECT_STREQ(server("SELECT count(*) FROM t"), "primary") << "in a transaction that may write";
  ASSERT_TRUE(client.execute("COMMIT").ok());
}

TEST_F(GatewayReadsTest, AReplicaThatGoesAwayCostsAReadNothingAndATransactionItsSession) {
  Door door(primary().endpoint().uri(), options("", "auto_read = true\n"));
  settle(door);
  PqSession client(door.local());
  PqSession inside(door.local());
  EXPECT_TRUE(wait_until([&] {
    const std::uint64_t before = door.status().at_replicas;
    return client.query("SELECT count(*) FROM t").ok() && door.status().at_replicas > before;
  }));
  ASSERT_TRUE(wait_until([&] {
    EXPECT_TRUE(inside.execute("BEGIN READ ONLY").ok());
    if (inside.value(kWhere) == "t") return true;
    EXPECT_TRUE(inside.execute("COMMIT").ok());
    return false;
  }));
  replica().stop(embedded::StopMode::immediate).value_or_throw();
  EXPECT_TRUE(client.query("SELECT count(*) FROM t").ok()) << client.error();
  EXPECT_EQ(where(client, "BEGIN READ ONLY"), "f");
  EXPECT_FALSE(inside.execute("SELECT 1").ok());
  EXPECT_FALSE(inside.connected());
  replica().start().value_or_throw();
  EXPECT_TRUE(wait_until([&] { return where(client, "BEGIN READ ONLY") == "t"; }));
}

TEST_F(GatewayReadsTest, AConflictWithRecoveryRunsAStatementAtThePrimary) {
  Door door(primary().endpoint().uri(), options("", "auto_read = true\n"));
  settle(door);
  PqSession client(door.local());
  replica().set("max_standby_streaming_delay", "0").value_or_throw();
  (void)primary().execute("CREATE TABLE conflict AS SELECT generate_series(1, 300) AS id").value_or_throw();
  replica().catch_up(primary()).value_or_throw();
  // Each row takes a moment, so that it runs when the table is locked by what is replayed.
  const std::string slow = "SELECT count(*) FROM conflict a, generate_series(1, 5000) b WHERE (a.id + b) % 7 = 3";
  const auto at_replica = [&] {
    const std::uint64_t before = door.status().at_replicas;
    return client.query(slow).ok() && door.status().at_replicas > before;
  };
  const auto conflicts = [&] {
    return std::stoi(
        replica().query_value("SELECT sum(confl_lock) FROM pg_stat_database_conflicts").value_or_throw());
  };
  const std::string expected = *client.query(slow).value(0, 0);
  // Whether the lock comes while it runs is not ours to say: once is enough.
  for (int i = 0; i < 20 && conflicts() == 0; ++i) {
    ASSERT_TRUE(wait_until(at_replica));
    ASSERT_EQ(PQsendQueryParams(client.handle(), slow.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
    (void)primary().execute("ALTER TABLE conflict ADD COLUMN c" + std::to_string(i) + " int").value_or_throw();
    const PqResult result(PQgetResult(client.handle()));
    EXPECT_TRUE(result.ok()) << result.error();
    EXPECT_EQ(result.value(0, 0), expected);
    while (PGresult* more = PQgetResult(client.handle())) PQclear(more);
  }
  EXPECT_GT(conflicts(), 0);
}

TEST_F(GatewayReadsTest, WhatCantBeKeptOnAReplicaIsSaidAndWhatMayBeThereEndsTheTravelling) {
  Door door(primary().endpoint().uri(), options());
  settle(door);
  PqSession client(door.local());
  ASSERT_TRUE(client.execute("BEGIN READ ONLY").ok());
  ASSERT_TRUE(client.execute("SELECT pg_advisory_lock(1)").ok());
  (void)client.execute("COMMIT");
  const PqResult after = client.execute("SELECT 1");
  EXPECT_FALSE(after.ok()) << "the lock has gone, and it hears of it";
  PqSession other(door.local());
  ASSERT_TRUE(other.execute("BEGIN READ ONLY").ok());
  ASSERT_TRUE(other.execute("SELECT where_am_i()").ok());
  ASSERT_TRUE(other.execute("COMMIT").ok());
  ASSERT_TRUE(other.execute("INSERT INTO t VALUES (3000)").ok()) << other.error();
  EXPECT_EQ(where(other, "BEGIN READ ONLY"), "f");
}

}  // namespace
}  // namespace switchyard::gateway
