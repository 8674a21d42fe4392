// Replicas, causal tokens and failover of the primary, on clusters of real servers.
#include <switchyard/base/random.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::PrivateCluster;
using embedded::PrivateServer;

inline constexpr Database<"main"> main_db;

/// What other files of this program ask for by name.
const std::string kOtherNames = "[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";

/// A primary with replicas, a loop, and fleets on them.
class ReplicasTest : public ::testing::Test {
 protected:
  void start(const std::vector<std::string>& replicas, std::map<std::string, std::string> settings = {}) {
    embedded::ClusterOptions options = embedded::test_options();
    options.tcp_port.reset();
    options.settings = std::move(settings);
    cluster = PrivateCluster::start(std::move(options)).value_or_throw();
    primary = &cluster->primary();
    (void)primary->execute("CREATE TABLE t (id bigint PRIMARY KEY, v text)").value_or_throw();
    for (const std::string& name : replicas) servers.push_back(cluster->add_replica(name).value_or_throw());
    for (PrivateServer* server : servers) server->catch_up(*primary).value_or_throw();
  }
  std::string replica_toml(const PrivateServer& server, const std::string& more = "") const {
    return "[[database.main.replica]]\nname = \"" + server.name() + "\"\ndsn = \"" + server.endpoint().uri() +
           "\"\n" + more;
  }
  FleetConfig config(const std::string& main = "", const std::string& more = "") const {
    std::string text = "[fleet]\napplication = \"test\"\n" + kOtherNames + "[database.main]\ndsn = \"" +
                       primary->endpoint().uri() + "\"\n" + main + "[database.main.pool]\nmin = 0\nmax = 8\n";
    for (const PrivateServer* server : servers) text += replica_toml(*server);
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = text + more;
    return load_config(sources).value_or_throw();
  }
  template <class F>
  void run(FleetConfig with, F body) {
    shard.run_until_complete([](FleetConfig configuration, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(configuration)).value_or_throw();
      co_await test(*fleet);
      co_await fleet->close(2s);
    }(std::move(with), std::move(body)));
  }

  std::unique_ptr<PrivateCluster> cluster;
  PrivateServer* primary = nullptr;
  std::vector<PrivateServer*> servers;
  runtime::Shard shard;
};

DatabaseStatus main_status(const Fleet& fleet) {
  FleetStatus status = fleet.status();
  for (DatabaseStatus& database : status.databases) {
    if (database.name == "main") return std::move(database);
  }
  return {};
}

Task<bool> on_standby(ReadView view) { co_return co_await view.query_value<bool>("SELECT pg_is_in_recovery()"); }

TEST_F(ReplicasTest, ReadsGoToReplicasAndStatusTellsHowFarTheyAre) {
  start({"a"});
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_TRUE(co_await on_standby(fleet[main_db].read()));
    EXPECT_FALSE(co_await fleet[main_db].query_value<bool>("SELECT pg_is_in_recovery()"));
    const auto written = co_await fleet[main_db].read().execute("INSERT INTO t VALUES (1, 'x')").result();
    EXPECT_EQ(written.error().sqlstate(), "25006");
    const auto check = [&](const EndpointStatus& endpoint, const std::string& role) {
      EXPECT_TRUE(endpoint.replication);
      if (!endpoint.replication) return;
      EXPECT_TRUE(endpoint.replication->reachable) << endpoint.replication->error;
      EXPECT_EQ(endpoint.replication->role, role);
      EXPECT_EQ(endpoint.replication->timeline, 1U);
      EXPECT_NE(endpoint.replication->system_identifier, 0U);
      EXPECT_FALSE(endpoint.replication->lsn.empty());
      EXPECT_EQ(endpoint.replication->lag.has_value(), role == "standby");
    };
    // Only one of them was needed for the read.
    while (!main_status(fleet).endpoints[0].replication->observed) co_await sleep(5ms);
    const DatabaseStatus main = main_status(fleet);
    check(main.endpoints.front(), "primary");
    check(main.endpoints.back(), "standby");
  });
}

TEST_F(ReplicasTest, ARequestSeesItsOwnWritesWhereverItReads) {
  start({"a", "b"});
  run(config("replica_wait = \"5ms\"\n"), [&](Fleet& fleet) -> Task<void> {
    Random random(11);
    bool paused[2] = {false, false};
    int at_replica = 0;
    constexpr int kReads = 1000;
    for (int id = 1; id <= kReads; ++id) {
      if (random.next() % 25 == 0) {
        const std::size_t which = random.next() % 2;
        paused[which] = !paused[which];
        if (paused[which]) {
          servers[which]->pause_replay().value_or_throw();
        } else {
          servers[which]->resume_replay().value_or_throw();
        }
      }
      Request request = fleet.request();
      if (id % 2 == 0) {
        co_await request[main_db].execute("INSERT INTO t VALUES ($1, 'x')", std::int64_t{id});
      } else {
        co_await request[main_db].transaction([id](Transaction& tx) -> Task<void> {
          co_await tx.execute("INSERT INTO t VALUES ($1, 'x')", std::int64_t{id});
        });
      }
      using Seen = std::tuple<std::int64_t, bool>;
      const Seen seen =
          co_await request[main_db].read().query_one<Seen>("SELECT max(id), pg_is_in_recovery() FROM t");
      EXPECT_EQ(std::get<0>(seen), id) << "a stale read";
      at_replica += std::get<1>(seen) ? 1 : 0;
    }
    EXPECT_GT(at_replica, kReads / 10);
    EXPECT_LT(at_replica, kReads) << "nothing was ever behind: the test showed nothing";
    std::printf("reads after a write: %d, at a replica: %d, stale: 0\n", kReads, at_replica);
    for (PrivateServer* server : servers) server->resume_replay().value_or_throw();
  });
}

TEST_F(ReplicasTest, AsynchronousCommitsAreSeenAsWell) {
  start({"a"});
  run(config(), [](Fleet& fleet) -> Task<void> {
    for (std::int64_t id = 1; id <= 20; ++id) {
      Request request = fleet.request();
      co_await request[main_db].transaction([id](Transaction& tx) -> Task<void> {
        co_await tx.execute("SET LOCAL synchronous_commit = off");
        co_await tx.execute("INSERT INTO t VALUES ($1, 'x')", id);
      });
      EXPECT_EQ(co_await request[main_db].read().query_value<std::int64_t>("SELECT max(id) FROM t"), id);
    }
  });
}

TEST_F(ReplicasTest, WithoutATokenRowsAreNeverOlderThanMaxLag) {
  start({"a"});
  run(config(), [&](Fleet& fleet) -> Task<void> {
    std::vector<TimePoint> committed{{}};  // by id
    constexpr Duration kMaxLag = 1500ms;
    int at_replica = 0;
    int at_primary = 0;
    const TimePoint end = Clock::now() + 6s;
    bool paused = false;
    for (int round = 0; Clock::now() < end || at_replica == 0 || at_primary == 0; ++round) {
      if (round % 60 == 30) {
        if (paused) {
          servers[0]->resume_replay().value_or_throw();
        } else {
          servers[0]->pause_replay().value_or_throw();
        }
        paused = !paused;
      }
      co_await fleet[main_db].execute("INSERT INTO t VALUES ($1, 'x')",
                                      static_cast<std::int64_t>(committed.size()));
      committed.push_back(Clock::now());
      const TimePoint before = Clock::now();
      using Seen = std::tuple<std::int64_t, bool>;
      const Seen seen = co_await fleet[main_db]
                            .read({.max_lag = kMaxLag})
                            .query_one<Seen>("SELECT coalesce(max(id), 0), pg_is_in_recovery() FROM t");
      ++(std::get<1>(seen) ? at_replica : at_primary);
      const auto next = static_cast<std::size_t>(std::get<0>(seen)) + 1;
      if (next < committed.size()) EXPECT_LE(before - committed[next], kMaxLag) << "a row this old was not shown";
      co_await sleep(20ms);
    }
    if (paused) servers[0]->resume_replay().value_or_throw();
    std::printf("reads with max_lag: %d at the replica, %d at the primary\n", at_replica, at_primary);
  });
}

TEST_F(ReplicasTest, TokensTravelFromOneRequestToAnother) {
  start({"a"});
  run(config("replica_wait = \"0s\"\n"), [&](Fleet& fleet) -> Task<void> {
    EXPECT_TRUE(co_await on_standby(fleet[main_db].read()));
    servers[0]->pause_replay().value_or_throw();
    Request writer = fleet.request();
    EXPECT_EQ(writer.tokens(), "");
    co_await writer[main_db].execute("INSERT INTO t VALUES (1, 'x')");
    const std::string header = writer.tokens();
    EXPECT_TRUE(header.starts_with(
        "main=" + *primary->query_value("SELECT system_identifier FROM pg_control_system()") + "/1/0/"))
        << header;
    Request reader = fleet.request();
    EXPECT_TRUE(co_await on_standby(reader[main_db].read())) << "it knows of no write";
    Request follower = fleet.request();
    EXPECT_TRUE(follower.accept(header).ok());
    EXPECT_EQ(co_await follower[main_db].read().query_value<std::int64_t>("SELECT count(*) FROM t"), 1);
    EXPECT_EQ(follower.accept("main=nonsense").error().kind(), ErrorKind::Usage);
    servers[0]->resume_replay().value_or_throw();
  });
}

TEST_F(ReplicasTest, ARequestNeverSeesTimeGoBackwards) {
  start({"a", "b"});
  run(config("replica_wait = \"0s\"\n"), [&](Fleet& fleet) -> Task<void> {
    Request request = fleet.request();
    // Whoever is read first is ahead of the other.
    const auto who = co_await request[main_db].read().query_value<std::string>("SHOW data_directory");
    PrivateServer& other = who == servers[0]->data_folder() ? *servers[1] : *servers[0];
    PrivateServer& first = who == servers[0]->data_folder() ? *servers[0] : *servers[1];
    other.pause_replay().value_or_throw();
    co_await fleet[main_db].execute("INSERT INTO t VALUES (1, 'x')");
    first.catch_up(*primary).value_or_throw();
    EXPECT_EQ(co_await request[main_db].read().query_value<std::int64_t>("SELECT count(*) FROM t"), 1);
    first.stop(embedded::StopMode::immediate).value_or_throw();
    for (int i = 0; i < 20; ++i) {
      const auto count =
          co_await request[main_db].read().query_value<std::int64_t>("SELECT count(*) FROM t").result();
      if (count.ok()) EXPECT_EQ(*count, 1) << "the other replica has not replayed it";
      co_await sleep(10ms);
    }
    other.resume_replay().value_or_throw();
  });
}

TEST_F(ReplicasTest, ALostPurposeMovesToAnotherReplica) {
  start({"api", "jobs"});
  run(config(), [&](Fleet& fleet) -> Task<void> {
    const auto data_folder = [&](std::string_view replica) {
      return fleet[main_db].read({.replica = replica}).query_value<std::string>("SHOW data_directory").result();
    };
    EXPECT_EQ(*co_await data_folder("api"), servers[0]->data_folder());
    EXPECT_EQ(*co_await data_folder("jobs"), servers[1]->data_folder());
    servers[0]->stop(embedded::StopMode::immediate).value_or_throw();
    std::string now_at;
    while (now_at.empty()) {
      if (const auto answer = co_await data_folder("api"); answer.ok()) now_at = *answer;
    }
    EXPECT_EQ(now_at, servers[1]->data_folder());
    servers[1]->stop(embedded::StopMode::immediate).value_or_throw();
    now_at.clear();
    while (now_at.empty()) {
      if (const auto answer = co_await data_folder("api"); answer.ok()) now_at = *answer;
    }
    EXPECT_EQ(now_at, primary->data_folder());
  });
}

TEST_F(ReplicasTest, ACommitInDoubtMeansThePrimaryUntilAFreshPosition) {
  start({"a"});
  run(config("replica_wait = \"0s\"\n"), [&](Fleet& fleet) -> Task<void> {
    EXPECT_TRUE(co_await on_standby(fleet[main_db].read()));
    Request request = fleet.request();
    // The COMMIT waits for a standby that does not exist, and its session is ended meanwhile.
    primary->set("synchronous_standby_names", "nobody").value_or_throw();
    const auto lost = co_await as_result(request[main_db].transaction([&](Transaction& tx) -> Task<void> {
      const auto pid = co_await tx.query_value<std::int32_t>("SELECT pg_backend_pid()");
      co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
      spawn([](Fleet& other, std::int32_t backend) -> Task<void> {
        for (;;) {
          const auto waits =
              co_await other[main_db]
                  .query_value<bool>("SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $1", backend)
                  .result();
          if (waits.ok() && *waits) break;
          co_await sleep(10ms);
        }
        (void)co_await other[main_db].query("SELECT pg_terminate_backend($1)", backend).result();
      }(fleet, pid));
    }));
    EXPECT_FALSE(lost.ok());
    EXPECT_EQ(lost.error().kind(), ErrorKind::InDoubt) << lost.error().what();
    EXPECT_EQ(request.tokens(), "main=primary");
    EXPECT_FALSE(co_await on_standby(request[main_db].read()));
    primary->set("synchronous_standby_names", "").value_or_throw();
    co_await request[main_db].execute("INSERT INTO t VALUES (2, 'y')");
    EXPECT_NE(request.tokens(), "main=primary");
    servers[0]->catch_up(*primary).value_or_throw();
    while (!co_await on_standby(request[main_db].read())) co_await sleep(10ms);
  });
}

TEST_F(ReplicasTest, ALogicalReplicaIsNotReadAfterAWrite) {
  start({});
  primary->create_database("copy").value_or_throw();
  (void)primary->execute("CREATE TABLE t (id bigint PRIMARY KEY, v text)", "copy").value_or_throw();
  const std::string copy =
      "[[database.main.replica]]\nname = \"copy\"\ndsn = \"" + primary->endpoint("copy").uri() + "\"\n";
  run(config("", copy), [](Fleet& fleet) -> Task<void> {
    const auto place = [](ReadView view) -> Task<std::string> {
      co_return co_await view.query_value<std::string>("SELECT current_database()::text");
    };
    EXPECT_EQ(co_await place(fleet[main_db].read()), "copy");
    EXPECT_EQ(co_await place(fleet[main_db].read({.max_lag = 1h})), "postgres")
        << "it does not tell how far it lags";
    Request request = fleet.request();
    EXPECT_EQ(co_await place(request[main_db].read()), "copy");
    co_await request[main_db].execute("INSERT INTO t VALUES (1, 'x')");
    EXPECT_EQ(co_await place(request[main_db].read()), "postgres");
  });
}

TEST_F(ReplicasTest, ReadsThatNoReplicaServesTakeAShareOfThePrimary) {
  start({"a"});
  servers[0]->stop(embedded::StopMode::immediate).value_or_throw();
  run(config("primary_read_share = 0.25\n"), [](Fleet& fleet) -> Task<void> {
    std::vector<Task<std::int32_t>> reads;
    for (int i = 0; i < 8; ++i) {
      reads.push_back([](Fleet& on) -> Task<std::int32_t> {
        co_return co_await on[main_db].read().query_value<std::int32_t>(
            "SELECT pg_backend_pid() FROM pg_sleep(0.05)");
      }(fleet));
    }
    std::vector<std::int32_t> backends = co_await all(std::move(reads));
    std::ranges::sort(backends);
    const auto different = std::ranges::unique(backends);
    EXPECT_LE(std::distance(backends.begin(), different.begin()), 2) << "a quarter of 8 sessions";
    EXPECT_EQ(co_await fleet[main_db].read().query_value<std::string>("SHOW transaction_read_only"), "on");
  });
}

// What may share is known of the primary's database; a logical replica has a catalogue of its own.
TEST_F(ReplicasTest, NothingIsSharedAtALogicalReplica) {
  start({"api"});
  (void)primary->execute("CREATE DATABASE copy").value_or_throw();
  const std::string dsn = primary->endpoint("copy").uri();
  const std::string copy = "[[database.main.replica]]\nname = \"copy\"\nlogical = true\ndsn = \"" + dsn + "\"\n";
  run(config("", copy), [&](Fleet& fleet) -> Task<void> {
    constexpr const char* kNothing = "leased: nothing is shared there";
    const auto at_copy =
        (co_await fleet.explain_route("main", {.read = true, .replica = "copy", .sql = "SELECT 1"}))
            .value_or_throw();
    EXPECT_TRUE(at_copy.candidates.size() == 3 && at_copy.lane == kNothing) << at_copy.lane;
    const auto at_primary = (co_await fleet.explain_route("main", {.sql = "SELECT 1"})).value_or_throw();
    EXPECT_NE(at_primary.lane, kNothing);
  });
}

TEST_F(ReplicasTest, ARouteIsExplained) {
  start({"api", "jobs"});
  run(config("replica_wait = \"0s\"\n"), [&](Fleet& fleet) -> Task<void> {
    const auto candidate = [](const RouteExplanation& explanation, std::string_view name) {
      for (const RouteCandidate& one : explanation.candidates) {
        if (one.name == name) return one;
      }
      return RouteCandidate{};
    };
    const auto write = (co_await fleet.explain_route("main", {})).value_or_throw();
    EXPECT_TRUE(candidate(write, "primary").chosen);
    EXPECT_EQ(candidate(write, "primary").verdict, "is the primary");
    EXPECT_EQ(candidate(write, "api").verdict, "is a standby");
    const auto read = (co_await fleet.explain_route("main_replica_api", {})).value_or_throw();
    EXPECT_TRUE(candidate(read, "api").chosen);
    EXPECT_EQ(read.reason, "replica 'api'");
    EXPECT_EQ(candidate(read, "jobs").verdict, "does not serve 'api', and fits");
    const auto ahead = (co_await fleet.explain_route("main", {.read = true, .min_lsn = "FF/0"})).value_or_throw();
    EXPECT_TRUE(candidate(ahead, "primary").chosen);
    EXPECT_EQ(candidate(ahead, "api").verdict, "has not replayed what this request wrote");
    EXPECT_EQ((co_await fleet.explain_route("main", {.read = true, .min_lsn = "x"})).error().kind(),
              ErrorKind::Usage);
    EXPECT_EQ((co_await fleet.explain_route("main", {.read = true, .replica = "nobody"})).error().kind(),
              ErrorKind::Usage);
  });
}

// -- failover --

class FailoverTest : public ReplicasTest {
 protected:
  /// Acknowledged writes are on the standby, so that none may be missing after its promotion.
  void start_synchronous() {
    start({"a"});
    primary->set("synchronous_standby_names", "*").value_or_throw();
  }
};

/// Writes rows from `first` on until `stop`; the ids that were acknowledged, and the time of the last
/// acknowledgement.
struct Ledger {
  std::vector<std::int64_t> acknowledged;
  std::vector<std::int64_t> in_doubt;
  TimePoint last{};
  bool stop = false;
  int refused = 0;
};

Task<void> keep_writing(Fleet& fleet, Ledger& ledger, std::int64_t first) {
  for (std::int64_t id = first; !ledger.stop; ++id) {
    const auto done = co_await fleet[main_db].execute("INSERT INTO t VALUES ($1, 'x')", id).result();
    if (done.ok()) {
      ledger.acknowledged.push_back(id);
      ledger.last = Clock::now();
    } else if (done.error().kind() == ErrorKind::InDoubt) {
      ledger.in_doubt.push_back(id);
    } else {
      ++ledger.refused;
      co_await sleep(1ms);
    }
  }
}

TEST_F(FailoverTest, APromotedReplicaIsFoundAndNoAcknowledgedWriteIsLost) {
  start_synchronous();
  run(config(), [&](Fleet& fleet) -> Task<void> {
    co_await fleet.warm_up();
    Ledger ledger;
    Task<void> writing = keep_writing(fleet, ledger, 1);
    const auto script = [&]() -> Task<void> {
      while (ledger.acknowledged.size() < 200) co_await sleep(5ms);
      primary->kill9();
      co_await sleep(50ms);
      servers[0]->promote().value_or_throw();
      const TimePoint promoted = Clock::now();
      const std::size_t before = ledger.acknowledged.size();
      servers[0]->set("synchronous_standby_names", "").value_or_throw();
      while (ledger.acknowledged.size() < before + 100) co_await sleep(1ms);
      ledger.stop = true;
      const auto first = Clock::now() - promoted;
      std::printf("promotion to 100 more writes: %lld ms, refused %d, in doubt %zu\n",
                  static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(first).count()),
                  ledger.refused, ledger.in_doubt.size());
    };
    co_await all(std::move(writing), script());
    const auto present = co_await fleet[main_db].query<std::int64_t>("SELECT id FROM t ORDER BY id");
    std::vector<std::int64_t> missing;
    std::ranges::set_difference(ledger.acknowledged, present, std::back_inserter(missing));
    EXPECT_TRUE(missing.empty()) << missing.size() << " acknowledged writes are missing, the first "
                                 << missing.front();
    std::vector<std::int64_t> told = ledger.acknowledged;
    told.insert(told.end(), ledger.in_doubt.begin(), ledger.in_doubt.end());
    std::ranges::sort(told);
    std::vector<std::int64_t> surplus;
    std::ranges::set_difference(present, told, std::back_inserter(surplus));
    EXPECT_TRUE(surplus.empty()) << "a write that was refused is there";
    EXPECT_EQ(main_status(fleet).endpoints.front().replication->timeline, 2U);
  });
}

TEST_F(FailoverTest, TheOldPrimaryIsNotWrittenToWhenItComesBack) {
  start({"a"});
  run(config(), [&](Fleet& fleet) -> Task<void> {
    co_await fleet.warm_up();
    co_await fleet[main_db].execute("INSERT INTO t VALUES (1, 'x')");
    servers[0]->catch_up(*primary).value_or_throw();
    // Nobody has told the old one: both take writes.
    servers[0]->promote().value_or_throw();
    while (main_status(fleet).endpoints.front().replication->timeline != 2) co_await sleep(5ms);
    co_await fleet[main_db].execute("INSERT INTO t VALUES (2, 'new')");
    EXPECT_EQ(*servers[0]->query_value("SELECT count(*) FROM t"), "2");
    EXPECT_EQ(*primary->query_value("SELECT count(*) FROM t"), "1");
  });
}

TEST_F(FailoverTest, ATransactionWithoutCommitGetsARetryableErrorAndUnsentWorkWaits) {
  start({"a"});
  run(config(), [&](Fleet& fleet) -> Task<void> {
    co_await fleet.warm_up();
    const auto cut = co_await as_result(fleet[main_db].transaction([&](Transaction& tx) -> Task<void> {
      co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
      primary->kill9();
      co_await tx.execute("INSERT INTO t VALUES (2, 'x')");
    }));
    EXPECT_FALSE(cut.ok());
    EXPECT_TRUE(cut.error().retryable()) << cut.error().what();
    EXPECT_NE(cut.error().kind(), ErrorKind::InDoubt);
    // Sent while nobody is the primary.
    Task<std::uint64_t> waiting = [](Fleet& on) -> Task<std::uint64_t> {
      co_return co_await on[main_db].execute("INSERT INTO t VALUES (3, 'x')");
    }(fleet);
    const auto promote = [&]() -> Task<int> {
      co_await sleep(100ms);
      servers[0]->promote().value_or_throw();
      co_return 0;
    };
    const auto [written, done] = co_await all(std::move(waiting), promote());
    EXPECT_EQ(written, 1U);
    EXPECT_EQ(co_await fleet[main_db].query<std::int64_t>("SELECT id FROM t"), std::vector<std::int64_t>{3});
  });
}

TEST_F(FailoverTest, SeveralHostsOfOneConnectionStringArePlacesAsWell) {
  start({"a"});
  const std::string both = "postgresql://postgres@/postgres?host=" + cluster->socket_folder() + "," +
                           cluster->socket_folder() + "&port=" + std::to_string(servers[0]->endpoint().port) + "," +
                           std::to_string(primary->endpoint().port);
  Sources sources;
  sources.file = "test.toml";
  sources.file_text =
      "[fleet]\napplication = \"test\"\n" + kOtherNames + "[database.main]\ndsn = \"" + both + "\"\n";
  run(load_config(sources).value_or_throw(), [&](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await fleet[main_db].execute("INSERT INTO t VALUES (1, 'x')"), 1U)
        << "the first host is a standby";
    servers[0]->catch_up(*primary).value_or_throw();
    primary->kill9();
    servers[0]->promote().value_or_throw();
    while (!(co_await fleet[main_db].execute("INSERT INTO t VALUES (2, 'x')").result()).ok()) co_await sleep(5ms);
    EXPECT_EQ(*servers[0]->query_value("SELECT count(*) FROM t"), "2");
  });
}

}  // namespace
}  // namespace switchyard
