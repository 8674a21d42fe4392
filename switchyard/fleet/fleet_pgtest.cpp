// A fleet on real servers.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/blocking.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestCluster;
using embedded::TestDatabase;

inline constexpr Database<"main"> main_db;
inline constexpr Database<"reference"> reference;
inline constexpr Database<"reference_replica"> reference_replica;

/// Two databases; a loop; a fleet of them.
class FleetTest : public ::testing::Test {
 protected:
  /// The configuration of a fleet of both databases; `more` is TOML to add.
  FleetConfig config(const std::string& more = "") {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n[database.reference]\ndsn = \"" + ref.endpoint().uri() + "\"\n" + more;
    return load_config(sources).value_or_throw();
  }
  template <class F>
  void run(FleetConfig with, F body) {
    shard.run_until_complete([](FleetConfig configuration, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(configuration)).value_or_throw();
      co_await test(*fleet);
      co_await fleet->close();
    }(std::move(with), std::move(body)));
  }
  TestDatabase main = TestDatabase::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
  TestDatabase ref = TestDatabase::with("CREATE TABLE r (code text); INSERT INTO r VALUES ('10702010')");
  runtime::Shard shard;
};

TEST_F(FleetTest, EachDatabaseIsItsOwn) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await fleet[main_db].execute("INSERT INTO t VALUES (1, 'x')"), 1U);
    EXPECT_EQ(co_await fleet[reference].query_value<std::string>("SELECT code FROM r"), "10702010");
    const auto wrong = co_await fleet[reference].query("SELECT * FROM t").result();
    EXPECT_EQ(wrong.error().sqlstate(), "42P01");
    EXPECT_EQ(wrong.error().database(), "reference");
    EXPECT_EQ(co_await fleet[main_db].query_value<std::string>("SHOW application_name"), "test-main");
    EXPECT_EQ(fleet.database("refrence").error().kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(fleet.database("refrence").error().what()).find("reference"), std::string::npos);
  });
}

TEST_F(FleetTest, ArgumentsOfOneKindAndOfSeveralArriveAsTheyAre) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    using Texts = std::tuple<std::string, std::string, std::string>;
    EXPECT_EQ(co_await fleet[main_db].query_one<Texts>("SELECT $1::text, $2::text, $3::text", "a", "", "c"),
              Texts("a", "", "c"));
    using Numbers = std::tuple<std::int32_t, std::int32_t>;
    EXPECT_EQ(co_await fleet[main_db].query_one<Numbers>("SELECT $1, $2", 1, -2), Numbers(1, -2));
    using Mixed = std::tuple<std::string, std::int64_t, std::string>;
    EXPECT_EQ(co_await fleet[main_db].query_one<Mixed>("SELECT $1::text, $2, $3::text", "a", std::int64_t{2}, "c"),
              Mixed("a", 2, "c"));
  });
}

TEST_F(FleetTest, ATransactionCommitsOnReturnAndRollsBackOnException) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    const auto id = co_await fleet[main_db].transaction([](Transaction& tx) -> Task<std::int32_t> {
      co_await tx.execute("INSERT INTO t VALUES ($1, $2)", 1, "kept");
      co_return co_await tx.query_value<std::int32_t>("SELECT id FROM t");
    });
    EXPECT_EQ(id, 1);
    try {
      co_await fleet[main_db].transaction([](Transaction& tx) -> Task<void> {
        co_await tx.execute("INSERT INTO t VALUES (2, 'lost')");
        throw std::runtime_error("changed my mind");
      });
      ADD_FAILURE();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "changed my mind");
    }
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int64_t>("SELECT count(*) FROM t"), 1);
  });
}

TEST_F(FleetTest, ASavepointUndoesItsOwnPart) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    co_await fleet[main_db].transaction([](Transaction& tx) -> Task<void> {
      co_await tx.execute("INSERT INTO t VALUES (1, 'outer')");
      const auto failed = co_await as_result(tx.transaction([](Transaction& inner) -> Task<void> {
        co_await inner.execute("INSERT INTO t VALUES (2, 'inner')");
        co_await inner.execute("INSERT INTO t VALUES (1, 'duplicate')");
      }));
      EXPECT_EQ(failed.error().sqlstate(), "23505");
      co_await tx.execute("INSERT INTO t VALUES (3, 'after')");
    });
    EXPECT_EQ(co_await fleet[main_db].query<int>("SELECT id FROM t ORDER BY id"), (std::vector<int>{1, 3}));
  });
}

TEST_F(FleetTest, ACommitOfAFailedTransactionIsAnError) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    const auto result = co_await as_result(fleet[main_db].transaction([](Transaction& tx) -> Task<void> {
      co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
      (void)co_await tx.execute("SELECT nonsense").result();  // swallowed
    }));
    EXPECT_EQ(result.error().kind(), ErrorKind::Server);
    EXPECT_NE(std::string(result.error().what()).find("ROLLBACK"), std::string::npos) << result.error().what();
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int64_t>("SELECT count(*) FROM t"), 0);
  });
}

TEST_F(FleetTest, AHandleOfAnEndedTransactionIsRefused) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    std::optional<Transaction> kept;
    std::optional<Operation<std::uint64_t>> stored;
    co_await fleet[main_db].transaction([&](Transaction& tx) -> Task<void> {
      kept = tx;
      stored.emplace(tx.execute("INSERT INTO t VALUES (7, 'late')"));
      co_return;
    });
    EXPECT_EQ((co_await kept->execute("SELECT 1").result()).error().kind(), ErrorKind::Usage);
    EXPECT_EQ((co_await stored->result()).error().kind(), ErrorKind::Usage);
    EXPECT_EQ((co_await as_result(kept->transaction([](Transaction&) -> Task<void> { co_return; }))).error().kind(),
              ErrorKind::Usage);
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int64_t>("SELECT count(*) FROM t"), 0);
  });
}

TEST_F(FleetTest, TwoOperationsAtOnceOnOneTransactionAreConcurrentUse) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    co_await fleet[main_db].transaction([](Transaction& tx) -> Task<void> {
      const auto both = co_await as_result(
          all([](Transaction& on) -> Task<void> { co_await on.query("SELECT pg_sleep(0.2)"); }(tx),
              [](Transaction& on) -> Task<void> { co_await on.query("SELECT 1"); }(tx)));
      EXPECT_EQ(both.error().kind(), ErrorKind::Usage);
      EXPECT_NE(std::string(both.error().what()).find("concurrent use"), std::string::npos);
    });
  });
}

TEST_F(FleetTest, ASerializationFailureIsRetriedWhenAskedFor) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    co_await fleet[main_db].execute("INSERT INTO t VALUES (1, '0')");
    // Two writers read the same row and write it: one of them has to be run again.
    const auto increment = [](Fleet& on) -> Task<void> {
      co_await on[main_db].transaction({.isolation = Isolation::serializable, .retry = 10},
                                       [](Transaction& tx) -> Task<void> {
                                         const auto v = co_await tx.query_value<int>("SELECT v::int FROM t");
                                         co_await tx.query("SELECT pg_sleep(0.05)");
                                         co_await tx.execute("UPDATE t SET v = $1::int::text", v + 1);
                                       });
    };
    co_await all(increment(fleet), increment(fleet), increment(fleet));
    EXPECT_EQ(co_await fleet[main_db].query_value<std::string>("SELECT v FROM t"), "3");
  });
}

TEST_F(FleetTest, ADroppedTransactionRollsBackAndItsSessionIsUsedAgain) {
  run(config("[database.main.pool]\nmin = 0\nmax = 1\n"), [](Fleet& fleet) -> Task<void> {
    const auto dropped = co_await as_result(with_timeout(
        [](Fleet& on) -> Task<void> {
          co_await on[main_db].transaction([](Transaction& tx) -> Task<void> {
            co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
            co_await tx.query("SELECT pg_sleep(30)");
          });
        }(fleet),
        200ms));
    EXPECT_EQ(dropped.error().kind(), ErrorKind::Deadline);
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int64_t>("SELECT count(*) FROM t"), 0);
  });
}

TEST_F(FleetTest, ALeaseIsResetBeforeItsNextUser) {
  run(config("[database.main.pool]\nmin = 0\nmax = 1\n"), [](Fleet& fleet) -> Task<void> {
    {
      Lease lease = co_await fleet[main_db].lease();
      co_await lease.execute("SET search_path = pg_temp");
      co_await lease.execute("CREATE TEMP TABLE mine (id int)");
      EXPECT_EQ(co_await lease.query_value<std::string>("SHOW search_path"), "pg_temp");
    }
    EXPECT_NE(co_await fleet[main_db].query_value<std::string>("SHOW search_path"), "pg_temp");
    co_await fleet[main_db].execute("SET statement_timeout = '7s'");
    EXPECT_NE(co_await fleet[main_db].query_value<std::string>("SHOW statement_timeout"), "7s");
  });
}

TEST_F(FleetTest, AReadOnlyDatabaseReadsOnReadOnlySessionsAndWritesOnOthers) {
  auto with = config();
  with.find("reference")->read_only = true;
  run(std::move(with), [](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await fleet[reference].query_value<std::string>("SHOW default_transaction_read_only"), "on");
    EXPECT_EQ(co_await fleet[reference].execute("INSERT INTO r VALUES ('10714000')"), 1U);
    co_await fleet[reference].transaction(
        [](Transaction& tx) -> Task<void> { co_await tx.execute("INSERT INTO r VALUES ('x')"); });
    EXPECT_EQ(co_await fleet[reference].query_value<std::int64_t>("SELECT count(*) FROM r"), 3);
    const auto refused = co_await fleet[reference].query("INSERT INTO r VALUES ('y') RETURNING code").result();
    EXPECT_EQ(refused.error().sqlstate(), "25006");
    EXPECT_NE(std::string(refused.error().what()).find("transaction()"), std::string::npos)
        << refused.error().what();
  });
}

TEST_F(FleetTest, AReadViewGoesToTheReplica) {
  const auto replica = TestCluster::replica().endpoint(ref.name()).uri();
  run(config("[[database.reference.replica]]\nname = \"api\"\ndsn = \"" + replica + "\"\n"),
      [this](Fleet& fleet) -> Task<void> {
        ref.execute("SELECT pg_switch_wal()");
        for (int attempt = 0; attempt < 100; ++attempt) {
          auto count =
              co_await fleet[reference].read().query_value<std::int64_t>("SELECT count(*) FROM r").result();
          if (count.ok()) break;
          co_await sleep(50ms);
        }
        EXPECT_TRUE(co_await fleet[reference].read().query_value<bool>("SELECT pg_is_in_recovery()"));
        EXPECT_TRUE(
            co_await fleet[reference].read({.replica = "api"}).query_value<bool>("SELECT pg_is_in_recovery()"));
        EXPECT_TRUE(co_await fleet[reference_replica].query_value<bool>("SELECT pg_is_in_recovery()"));
        EXPECT_FALSE(co_await fleet[reference].query_value<bool>("SELECT pg_is_in_recovery()"));
        EXPECT_FALSE(
            co_await fleet[reference].read({.max_lag = 0s}).query_value<bool>("SELECT pg_is_in_recovery()"));
        const auto wrong = co_await fleet[reference].read({.replica = "apy"}).query("SELECT 1").result();
        EXPECT_NE(std::string(wrong.error().what()).find("did you mean 'api'"), std::string::npos);
      });
}

TEST_F(FleetTest, AnOperationGoesWhereItsDomainIs) {
  const auto replica = TestCluster::replica().endpoint(main.name()).uri();
  TestCluster::replica().catch_up(TestCluster::shared().primary()).value_or_throw();
  run(config("[[database.main.replica]]\nname = \"readReplica\"\ndsn = \"" + replica +
             "\"\n[database.analytics]\nwhen_unconfigured = \"main\"\n[database.compliance]\n"),
      [this](Fleet& fleet) -> Task<void> {
        // Name of the server's database, with '*' where it is a standby.
        const auto place = [&](OperationKind kind, std::string_view domain) -> Task<std::string> {
          co_return co_await fleet.database_for(kind, domain)
              .value_or_throw()
              .query_value<std::string>(
                  "SELECT current_database() || CASE WHEN pg_is_in_recovery() THEN '*' ELSE '' END");
        };
        EXPECT_EQ(co_await place(OperationKind::read, ""), main.name() + "*");
        EXPECT_EQ(co_await place(OperationKind::write, ""), main.name());
        EXPECT_EQ(co_await place(OperationKind::read, "reference"), ref.name());  // it has no replica
        EXPECT_EQ(co_await place(OperationKind::write, "reference"), ref.name());
        EXPECT_EQ(co_await place(OperationKind::read, "analytics"), main.name() + "*");
        EXPECT_EQ(co_await place(OperationKind::write, "analytics"), main.name());
        EXPECT_EQ(co_await place(OperationKind::read, "main_replica"), main.name() + "*");

        // Nobody takes over for compliance here.
        for (const OperationKind kind : {OperationKind::read, OperationKind::write}) {
          auto missing = fleet.database_for(kind, "compliance").value_or_throw();
          EXPECT_EQ((co_await missing.query("SELECT 1").result()).error().kind(), ErrorKind::Config);
        }
        const auto misspelt = fleet.database_for(OperationKind::write, "analitics");
        EXPECT_EQ(misspelt.error().kind(), ErrorKind::Usage);
        EXPECT_NE(std::string(misspelt.error().what()).find("analytics"), std::string::npos);
        const auto to_replica = fleet.database_for(OperationKind::write, "main_replica");
        EXPECT_EQ(to_replica.error().kind(), ErrorKind::Usage);
        EXPECT_NE(to_replica.error().hint().find("'main'"), std::string::npos);
      });
}

TEST_F(FleetTest, AnExhaustedPoolSaysWhatItLookedLike) {
  run(config("[database.main.pool]\nmin = 0\nmax = 2\nacquire_timeout = \"1s\"\n"), [](Fleet& fleet) -> Task<void> {
    Lease first = co_await fleet[main_db].lease();
    Lease second = co_await fleet[main_db].lease();
    const auto third = co_await fleet[main_db].query("SELECT 1").result();
    EXPECT_EQ(third.error().kind(), ErrorKind::PoolExhausted);
    const std::string text = third.error().what();
    EXPECT_NE(text.find("main"), std::string::npos) << text;
    EXPECT_NE(text.find("database.main.pool.max"), std::string::npos) << text;
  });
}

TEST_F(FleetTest, ManyCallersShareAFewSessions) {
  run(config("[database.main.pool]\nmin = 0\nmax = 4\n"), [](Fleet& fleet) -> Task<void> {
    std::vector<Task<std::int32_t>> callers;
    for (std::int32_t i = 0; i < 500; ++i) {
      callers.push_back([](Fleet& on, std::int32_t number) -> Task<std::int32_t> {
        co_return co_await on[main_db].query_value<std::int32_t>({.sql = "SELECT $1::int", .name = "number"},
                                                                 number);
      }(fleet, i));
    }
    const auto answers = co_await all(std::move(callers));
    for (std::int32_t i = 0; i < 500; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)], i);
    const FleetStatus status = fleet.status();
    EXPECT_LE(status.databases.at(0).endpoints.at(0).pool->created, 4U);
    const EndpointStatus& endpoint = status.databases.at(0).endpoints.at(0);
    EXPECT_GE(endpoint.operations.count, 500U) << "a look at the catalogue may be among them";
    std::uint64_t asked = 0;
    for (const auto& statement : endpoint.statements) {
      if (statement.name == "number") asked += statement.count;
    }
    EXPECT_EQ(asked, 500U);
  });
}

TEST_F(FleetTest, ARequestsDeadlineBoundsItsOperations) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    Request request = fleet.request({.timeout = 200ms, .label = "slow-report"});
    const auto late = co_await request[main_db].query("SELECT pg_sleep(10)").result();
    EXPECT_EQ(late.error().kind(), ErrorKind::Deadline);
    EXPECT_NE(std::string(late.error().what()).find("the request's timeout"), std::string::npos)
        << late.error().what();
  });
}

TEST_F(FleetTest, NotificationsSayWhenTheyMayHaveBeenMissed) {
  run(config(), [this](Fleet& fleet) -> Task<void> {
    Notifications news = fleet[main_db].listen("news.today");
    EXPECT_EQ((co_await news.next()).kind, Notification::Kind::connected);
    co_await fleet[main_db].execute("SELECT pg_notify('news.today', 'hello')");
    const Notification first = co_await news.next();
    EXPECT_EQ(first.kind, Notification::Kind::message);
    EXPECT_EQ(first.payload, "hello");
    main.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    EXPECT_EQ((co_await news.next()).kind, Notification::Kind::connected);
    co_await fleet[main_db].execute("SELECT pg_notify('news.today', 'again')");
    EXPECT_EQ((co_await news.next()).payload, "again");
  });
}

TEST_F(FleetTest, HealthIsPerDatabase) {
  auto with = config("[database.analytics]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n");
  run(std::move(with), [](Fleet& fleet) -> Task<void> {
    const auto reports = co_await fleet.health_all(2s);
    EXPECT_EQ(reports.size(), 3U);
    for (const HealthReport& report : reports) {
      EXPECT_EQ(report.healthy, report.database != "analytics") << report.database << ": " << report.error;
    }
    const auto one = co_await fleet.health("main");
    EXPECT_TRUE(one->healthy);
    EXPECT_GE(one->pool_size, 1U);
    EXPECT_FALSE((co_await fleet.health("nowhere")).ok());
  });
}

TEST_F(FleetTest, AnUnconfiguredDatabaseNamesItsVariable) {
  Sources sources;
  sources.environment.variables = {{"POSTGRES_DSN", main.endpoint().uri()}};
  sources.names_in_code = {"main", "reference"};
  auto with = load_config(sources);
  ASSERT_TRUE(with.ok()) << with.error().what();
  run(*std::move(with), [](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await fleet[main_db].query_value<int>("SELECT 1"), 1);
    const auto missing = co_await fleet[reference].query("SELECT 1").result();
    EXPECT_EQ(missing.error().kind(), ErrorKind::Config);
    EXPECT_EQ(missing.error().message(),
              "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment.");
  });
}

TEST_F(FleetTest, TheBlockingFacadeHasTheSameVerbs) {
  auto fleet = BlockingFleet::open(config()).value_or_throw();
  auto db = (*fleet)[main_db];
  EXPECT_EQ(db.execute("INSERT INTO t VALUES ($1, $2)", 1, "x"), 1U);
  EXPECT_EQ(db.query_value<std::string>("SELECT v FROM t"), "x");
  db.transaction([](BlockingTransaction& tx) { tx.execute("INSERT INTO t VALUES (2, 'y')"); });
  EXPECT_THROW(db.transaction([](BlockingTransaction& tx) {
    tx.execute("INSERT INTO t VALUES (3, 'z')");
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_EQ(db.query<int>("SELECT id FROM t ORDER BY id"), (std::vector<int>{1, 2}));
  shard.run_until_complete([](FleetConfig with) -> Task<void> {
    EXPECT_EQ(BlockingFleet::open(std::move(with)).error().kind(), ErrorKind::Usage);
    co_return;
  }(config()));
}

TEST_F(FleetTest, AnotherThreadIsRefused) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    std::optional<Error> error;
    std::thread([&] {
      try {
        (void)fleet[main_db];
      } catch (const Error& refused) {
        error = refused;
      }
    }).join();
    EXPECT_EQ(error->kind(), ErrorKind::Usage);
    co_return;
  });
}

}  // namespace
}  // namespace switchyard
