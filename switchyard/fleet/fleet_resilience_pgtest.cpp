// Breakers, retries and deadlines of a fleet on real servers.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <tests/support/gate.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Gate;
using switchyard::testing::GateDoor;
using switchyard::testing::GateTarget;
using ::testing::Contains;
using ::testing::HasSubstr;

inline constexpr Database<"main"> main_db;
inline constexpr Database<"reference"> reference;

/// Keeps the messages of events with this name.
class Lines final : public log::Sink {
 public:
  explicit Lines(std::string event) : event_(std::move(event)), before_(log::set_sink(this)) {}
  ~Lines() override { log::set_sink(before_); }
  void write(const log::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (event.event == event_) lines_.emplace_back(event.message);
  }
  std::vector<std::string> get() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::string event_;
  log::Sink* before_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Two databases, `main` behind a gate, `reference` read-only; settings that make waiting short.
class FleetResilience : public ::testing::Test {
 protected:
  FleetConfig config(const std::string& main_settings = "", const std::string& more = "") {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text =
        "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"postgresql://postgres@127.0.0.1:" +
        std::to_string(gate.port()) + "/" + main.name() + "?sslmode=disable\"\n" + main_settings +
        "\n[database.reference]\nread_only = true\ndsn = \"" + ref.endpoint().uri() + "\"\n" + more;
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
  /// Ends the other session of the database that is `doing` (of pg_stat_activity), as soon as there is one.
  static Task<int> kill_whoever(TestDatabase& database, std::string doing) {
    const std::string kill =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND "
        "pid <> pg_backend_pid() AND " +
        doing;
    while (database.query_value(kill) == "0") co_await sleep(5ms);
    co_return 0;
  }
  std::string attempts() { return main.query_value("SELECT last_value - 1 FROM attempts"); }

  TestDatabase main = TestDatabase::with(R"(
    CREATE TABLE t (id int, v text);
    CREATE SEQUENCE attempts START 1;
    SELECT nextval('attempts');
    CREATE FUNCTION fails(times int, code text) RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('attempts') - 1 <= times THEN RAISE EXCEPTION 'no luck' USING ERRCODE = code; END IF;
      RETURN 7;
    END $$;
    CREATE PROCEDURE commits_then_fails() LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO t VALUES (1, 'first part');
      COMMIT;
      PERFORM fails(100, '40001');
    END $$;
  )");
  TestDatabase ref = TestDatabase::with("CREATE TABLE r (code text); INSERT INTO r VALUES ('10702010')");
  Gate gate{GateTarget::unix_socket(main.endpoint().host, main.endpoint().port)};
  runtime::Shard shard;
};

const std::string kTouchyBreaker =
    "pool = { min = 0, max = 4, acquire_timeout = \"40ms\" }\n"
    "breaker = { minimum_calls = 4, open_for = \"100ms\", half_open_permits = 2 }\n";

// ---- breakers ----

TEST_F(FleetResilience, ADeadEndpointOpensItsBreakerAndNobodyElses) {
  Lines lines("circuit_breaker");
  gate.set_door(GateDoor::refused);
  run(config(kTouchyBreaker), [&](Fleet& fleet) -> Task<void> {
    const auto state = [&](std::size_t database) {
      return fleet.status().databases[database].endpoints[0].breaker;
    };
    for (int i = 0; i < 50 && state(0) == "CLOSED"; ++i) {
      EXPECT_FALSE((co_await fleet[main_db].query_value<int>("SELECT 1").result()).ok());
    }
    EXPECT_EQ(state(0), "OPEN");
    const auto refused = co_await fleet[main_db].query_value<int>("SELECT 1").result();
    EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
    EXPECT_EQ(refused.error().stage(), ErrorStage::queued);
    EXPECT_THAT(refused.error().what(), HasSubstr("the circuit breaker of main is OPEN"));
    EXPECT_THAT(refused.error().what(), HasSubstr("last failure: "));
    const auto transaction =
        co_await as_result(fleet[main_db].transaction([](Transaction&) -> Task<void> { co_return; }));
    EXPECT_THAT(transaction.error().what(), HasSubstr("the circuit breaker of main is OPEN"));

    EXPECT_EQ(state(1), "CLOSED");
    EXPECT_EQ(co_await fleet[reference].query_value<std::string>("SELECT code FROM r"), "10702010");

    const auto health = (co_await fleet.health("main")).value_or_throw();
    EXPECT_FALSE(health.healthy);
    EXPECT_THAT(health.error, HasSubstr("refused")) << "the check must not be answered by the breaker";
    EXPECT_EQ(health.breaker, "OPEN");

    gate.set_door(GateDoor::open);
    for (int i = 0; i < 2000 && state(0) != "CLOSED"; ++i) {
      (void)co_await fleet[main_db].query_value<int>("SELECT 1").result();
      co_await sleep(5ms);
    }
    EXPECT_EQ(co_await fleet[main_db].query_value<int>("SELECT 1"), 1);
  });
  EXPECT_EQ(lines.get().front(), "[CIRCUIT BREAKER] main state changed: CLOSED -> OPEN");
  EXPECT_EQ(lines.get().back(), "[CIRCUIT BREAKER] main state changed: HALF_OPEN -> CLOSED");
}

TEST_F(FleetResilience, MistakesOfStatementsDoNotOpenABreaker) {
  run(config(kTouchyBreaker), [&](Fleet& fleet) -> Task<void> {
    for (int i = 0; i < 20; ++i) EXPECT_FALSE((co_await fleet[main_db].query("SELECT 1/0").result()).ok());
    for (int i = 0; i < 20; ++i) {
      EXPECT_FALSE((co_await as_result(fleet[main_db].transaction([](Transaction& tx) -> Task<void> {
                     co_await tx.execute("INSERT INTO nowhere VALUES (1)");
                   }))).ok());
    }
    EXPECT_EQ(fleet.status().databases[0].endpoints[0].breaker, "CLOSED");
  });
}

TEST_F(FleetResilience, OperatorsOpenCloseAndResetBreakers) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    const auto opened = fleet.set_breakers("main", BreakerCommand::open).value_or_throw();
    EXPECT_EQ(opened.size(), 2u);
    EXPECT_EQ(opened[1].access, "write");
    EXPECT_EQ(opened[1].state, "OPEN");
    EXPECT_EQ(opened[1].mode, "forced open");
    const auto refused = co_await fleet[main_db].query_value<int>("SELECT 1").result();
    EXPECT_THAT(refused.error().what(), HasSubstr("an operator opened it"));
    EXPECT_TRUE((co_await fleet.health("main")).value_or_throw().healthy);
    (void)fleet.set_breakers("main", BreakerCommand::reset, {.access = OperationKind::read});
    EXPECT_FALSE((co_await fleet[main_db].query_value<int>("SELECT 1").result()).ok());
    (void)fleet.set_breakers("main", BreakerCommand::reset, {.access = OperationKind::write});
    EXPECT_EQ(co_await fleet[main_db].query_value<int>("SELECT 1"), 1);
    EXPECT_EQ(fleet.set_breakers("main", BreakerCommand::reset, {.replica = "api"}).error().kind(),
              ErrorKind::Usage);
    EXPECT_THAT(fleet.set_breakers("mian", BreakerCommand::reset).error().what(), HasSubstr("main"));
  });
}

// ---- the limiter ----

TEST_F(FleetResilience, ALimiterLetsSoManyInAndTheOthersInTurn) {
  run(config("pool = { min = 0, max = 8 }\nlimiter = { enabled = true, initial = 2, min = 2, max = 2 }"),
      [&](Fleet& fleet) -> Task<void> {
        const auto limiter = [&] { return fleet.status().databases[0].endpoints[0].limiter.value(); };
        std::vector<Task<int>> calls;
        for (int i = 0; i < 5; ++i) {
          calls.push_back([](Fleet& on, int n) -> Task<int> {
            co_return co_await on[main_db].query_value<int>("SELECT $1 FROM pg_sleep(0.05)", n);
          }(fleet, i));
          calls.push_back([](Fleet& on, int n) -> Task<int> {
            co_return co_await on[main_db].transaction([n](Transaction& tx) -> Task<int> {
              co_return co_await tx.query_value<int>("SELECT $1 FROM pg_sleep(0.05)", n);
            });
          }(fleet, i));
        }
        std::uint32_t most = 0;
        bool done = false;
        auto [values, seen] = co_await all(
            [](std::vector<Task<int>> all_calls, bool& ended) -> Task<std::vector<int>> {
              auto all_values = co_await all(std::move(all_calls));
              ended = true;
              co_return all_values;
            }(std::move(calls), done),
            [](Fleet& on, std::uint32_t& greatest, bool& ended) -> Task<int> {
              int looks = 0;
              while (!ended) {
                ++looks;
                greatest = std::max(greatest, on.status().databases[0].endpoints[0].pool->active);
                co_await sleep(5ms);
              }
              co_return looks;
            }(fleet, most, done));
        EXPECT_EQ(values, (std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
        EXPECT_EQ(most, 2u);
        EXPECT_EQ(limiter().in_flight, 0u);
        EXPECT_EQ(limiter().waiting, 0u);
      });
}

TEST_F(FleetResilience, WhoIsNotLetInHearsOfTheLimiter) {
  run(config("pool = { min = 1, max = 8, acquire_timeout = \"500ms\" }\nretry = { max_attempts = 1 }\n"
             "limiter = { enabled = true, initial = 1, min = 1, max = 1 }"),
      [&](Fleet& fleet) -> Task<void> {
        co_await fleet.warm_up();
        Lease lease = co_await fleet[main_db].lease();
        const auto single = co_await fleet[main_db].query_value<int>("SELECT 1").result();
        EXPECT_EQ(single.error().kind(), ErrorKind::PoolExhausted);
        EXPECT_THAT(single.error().what(),
                    HasSubstr("the adaptive limiter lets 1 operations at once go to primary"));
        const auto transaction =
            co_await as_result(fleet[main_db].transaction([](Transaction&) -> Task<void> { co_return; }));
        EXPECT_THAT(transaction.error().what(), HasSubstr("the adaptive limiter"));
        lease.release();
        EXPECT_EQ(co_await fleet[main_db].query_value<int>("SELECT 1"), 1);
      });
}

// ---- retries of single statements ----

TEST_F(FleetResilience, AStatementThatLostAgainstOthersRunsAgain) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await fleet[main_db].query_value<int>("SELECT fails(2, '40001')"), 7);
    EXPECT_EQ(fleet.status().databases[0].retries, 2u);
  });
  EXPECT_EQ(attempts(), "3");
}

TEST_F(FleetResilience, AttemptsAreBoundedAndTheErrorSaysSo) {
  run(config("retry = { max_attempts = 3, initial_delay = \"1ms\" }"), [&](Fleet& fleet) -> Task<void> {
    const auto result = co_await fleet[main_db].query_value<int>("SELECT fails(100, '40P01')").result();
    EXPECT_EQ(result.error().sqlstate(), "40P01");
    EXPECT_THAT(result.error().what(), HasSubstr("not tried again: all 3 attempts (retry.max_attempts) were made"));
  });
  EXPECT_EQ(attempts(), "3");
}

TEST_F(FleetResilience, OneAttemptMeansNoRetry) {
  run(config("retry = { max_attempts = 1 }"), [&](Fleet& fleet) -> Task<void> {
    EXPECT_FALSE((co_await fleet[main_db].query_value<int>("SELECT fails(100, '40001')").result()).ok());
  });
  EXPECT_EQ(attempts(), "1");
}

TEST_F(FleetResilience, WhatMayHaveCommittedOnItsWayIsNotRunAgain) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    EXPECT_FALSE((co_await fleet[main_db].execute("CALL commits_then_fails()").result()).ok());
  });
  EXPECT_EQ(attempts(), "1");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM t"), "1");
}

TEST_F(FleetResilience, OtherErrorsAreNotRunAgain) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    EXPECT_FALSE((co_await fleet[main_db].query_value<int>("SELECT fails(100, '22012')").result()).ok());
  });
  EXPECT_EQ(attempts(), "1");
}

TEST_F(FleetResilience, AReadThatLostItsSessionRunsAgain) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    auto [value, killed] = co_await all(
        [](Fleet& on) -> Task<int> {
          co_return co_await on[reference].query_value<int>(
              "SELECT CASE WHEN (SELECT count(*) FROM r) > 1 THEN 7 ELSE (SELECT 7 FROM pg_sleep(60)) END");
        }(fleet),
        [](TestDatabase& database) -> Task<int> {
          while (
              database.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname "
                                   "= current_database()") == "0") {
            co_await sleep(5ms);
          }
          database.execute("INSERT INTO r VALUES ('second')");
          co_return co_await kill_whoever(database, "wait_event = 'PgSleep'");
        }(ref));
    EXPECT_EQ(value, 7);
    EXPECT_EQ(fleet.status().databases[1].retries, 1u);
  });
}

TEST_F(FleetResilience, AWriteThatLostItsSessionIsInDoubtUnlessItIsIdempotent) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    const auto lose = [&](bool idempotent) -> Task<Result<std::uint64_t>> {
      auto [result, killed] = co_await all(
          [](Fleet& on, bool may_repeat) -> Task<Result<std::uint64_t>> {
            co_return co_await on[main_db]
                .execute(
                    Statement{.sql = "INSERT INTO t SELECT 1, 'x' FROM pg_sleep(CASE WHEN nextval('attempts') = 2 "
                                     "THEN 60 ELSE 0 END)",
                              .idempotent = may_repeat})
                .result();
          }(fleet, idempotent),
          kill_whoever(main, "wait_event = 'PgSleep'"));
      co_return result;
    };
    const auto plain = co_await lose(false);
    EXPECT_EQ(plain.error().kind(), ErrorKind::InDoubt);
    EXPECT_EQ(plain.error().sqlstate(), "57P01");
    EXPECT_EQ(plain.error().stage(), ErrorStage::commit_sent);
    EXPECT_EQ(attempts(), "1");
    (void)main.query_value("SELECT setval('attempts', 1)");
    EXPECT_EQ((co_await lose(true)).value_or_throw(), 1u);
  });
  EXPECT_EQ(main.query_value("SELECT count(*) FROM t"), "1");
}

TEST_F(FleetResilience, NoPauseIsTakenBeyondTheDeadline) {
  run(config("retry = { initial_delay = \"1h\", max_delay = \"1h\" }"), [&](Fleet& fleet) -> Task<void> {
    const auto result =
        co_await fleet[main_db]
            .query_value<int>(Statement{.sql = "SELECT fails(100, '53400')", .timeout = Duration(10s)})
            .result();
    EXPECT_EQ(result.error().sqlstate(), "53400");
    EXPECT_THAT(result.error().what(), HasSubstr("not tried again: the deadline"));
  });
}

TEST_F(FleetResilience, TheRetryBudgetIsForAllCallersTogether) {
  run(config("retry = { max_attempts = 100, initial_delay = \"1ms\", max_delay = \"1ms\" }"),
      [&](Fleet& fleet) -> Task<void> {
        const auto result = co_await fleet[main_db].query_value<int>("SELECT fails(100, '40001')").result();
        EXPECT_THAT(result.error().what(), HasSubstr("the retry budget"));
        EXPECT_GE(fleet.status().databases[0].retries, 10u);
        EXPECT_EQ(fleet.status().databases[0].retries_refused, 1u);
      });
}

// ---- retries of transactions ----

TEST_F(FleetResilience, ATransactionThatLostItsSessionBeforeItsCommitRunsAgainWhenAskedTo) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    const auto lose = [&](unsigned retry) -> Task<Result<void>> {
      (void)main.query_value("SELECT setval('attempts', 1)");
      auto [result, killed] = co_await all(
          [](Fleet& on, unsigned retries) -> Task<Result<void>> {
            co_return co_await as_result(
                on[main_db].transaction({.retry = retries}, [](Transaction& tx) -> Task<void> {
                  co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
                  co_await tx.query("SELECT pg_sleep(CASE WHEN nextval('attempts') = 2 THEN 60 ELSE 0 END)");
                }));
          }(fleet, retry),
          kill_whoever(main, "wait_event = 'PgSleep'"));
      co_return result;
    };
    const auto once = co_await lose(0);
    EXPECT_EQ(once.error().kind(), ErrorKind::Unavailable);
    EXPECT_TRUE(once.error().retryable());
    EXPECT_EQ(main.query_value("SELECT count(*) FROM t"), "0");
    EXPECT_TRUE((co_await lose(2)).ok());
    EXPECT_EQ(main.query_value("SELECT count(*) FROM t"), "1");
  });
}

TEST_F(FleetResilience, ATransactionsAttemptsAreBoundedAndTheErrorSaysSo) {
  run(config(), [&](Fleet& fleet) -> Task<void> {
    const auto result = co_await as_result(fleet[main_db].transaction(
        {.retry = 2}, [](Transaction& tx) -> Task<void> { co_await tx.query("SELECT fails(100, '40001')"); }));
    EXPECT_THAT(result.error().what(), HasSubstr("all 3 attempts were made"));
  });
  EXPECT_EQ(attempts(), "3");
}

// ---- in doubt ----

/// While it lives, COMMITs of the cluster wait for a standby that does not exist (unless synchronous_commit is
/// off).
struct NobodyAnswers {
  explicit NobodyAnswers(TestDatabase& on) : database(on) {
    database.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    reload();
  }
  ~NobodyAnswers() {
    database.execute("ALTER SYSTEM RESET synchronous_standby_names");
    reload();
  }
  void reload() { database.execute("SELECT pg_reload_conf()"); }
  TestDatabase& database;
};

TEST_F(FleetResilience, ACommitEndedWhileItWaitsForAStandbyIsInDoubtAndDidHappen) {
  const NobodyAnswers nobody(main);
  run(config(), [&](Fleet& fleet) -> Task<void> {
    auto [result, killed] = co_await all(
        [](Fleet& on) -> Task<Result<void>> {
          co_return co_await as_result(on[main_db].transaction({.retry = 3}, [](Transaction& tx) -> Task<void> {
            co_await tx.execute("SET LOCAL synchronous_commit = on");
            co_await tx.execute("INSERT INTO t VALUES (1, 'x')");
          }));
        }(fleet),
        kill_whoever(main, "wait_event = 'SyncRep'"));
    EXPECT_EQ(result.error().kind(), ErrorKind::InDoubt) << result.error().what();
    EXPECT_EQ(result.error().stage(), ErrorStage::commit_sent);
  });
  EXPECT_EQ(main.query_value("SELECT count(*) FROM t"), "1");
}

// ---- deadlines ----

TEST_F(FleetResilience, ARequestsDeadlineBoundsWaitingConnectingPausingAndRunning) {
  run(config("pool = { min = 0, max = 1 }\nretry = { max_attempts = 100, initial_delay = \"1h\", max_delay = "
             "\"1h\" }"),
      [&](Fleet& fleet) -> Task<void> {
        const auto limited = [&](std::string_view sql) -> Task<Error> {
          Request request = fleet.request({.timeout = Duration(200ms)});
          co_return (co_await request[main_db].query(sql).result()).error();
        };
        // Running: cancelled on the server.
        Error error = co_await limited("SELECT pg_sleep(60)");
        EXPECT_EQ(error.kind(), ErrorKind::Deadline) << error.what();
        EXPECT_EQ(error.stage(), ErrorStage::sent);
        EXPECT_EQ(
            main.query_value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = "
                             "current_database()"),
            "0");
        // A pause before the next attempt that would pass it is not begun.
        error = co_await limited("SELECT fails(100, '53400')");
        EXPECT_EQ(error.sqlstate(), "53400") << error.what();
        // Waiting for the only session.
        {
          Lease lease = co_await fleet[main_db].lease();
          error = co_await limited("SELECT 1");
          EXPECT_EQ(error.kind(), ErrorKind::Deadline) << error.what();
          EXPECT_EQ(error.stage(), ErrorStage::queued);
          // A lease's operations are bound by the database's limits; the session goes.
          (void)main.query_value(
              "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
              "current_database() AND pid <> pg_backend_pid()");
          EXPECT_FALSE((co_await lease.query("SELECT 1").result()).ok());
        }
        // Connecting.
        gate.set_door(GateDoor::silent);
        error = co_await limited("SELECT 1");
        EXPECT_EQ(error.kind(), ErrorKind::Deadline) << error.what();
      });
}

}  // namespace
}  // namespace switchyard
