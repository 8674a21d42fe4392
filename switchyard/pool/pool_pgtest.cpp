// The pool with real sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <switchyard/config/connection_string.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/connect_plan.hpp>
#include <switchyard/session/querier.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <signal.h>

namespace switchyard::pool {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using session::Session;
using ::testing::HasSubstr;

/// Runs each operation on whatever session the pool lends, as an autocommit statement does.
class Autocommit final : private session::OperationHost, public Querier {
 public:
  explicit Autocommit(Pool& pool) : Querier(static_cast<OperationHost&>(*this)), pool_(pool) {}

 private:
  struct Wish final : Request {
    Wish(Pool& from, session::OperationState& what) : pool(from), operation(what) { operation.retain(); }
    void on_granted(Session& session, Duration) noexcept override {
      operation.host_data = nullptr;
      session.run(operation);
      end();
    }
    void on_failed(const Error& error) noexcept override {
      operation.host_data = nullptr;
      operation.fail(error);
      end();
    }
    void end() noexcept {
      operation.release();
      delete this;
    }
    Pool& pool;
    session::OperationState& operation;
  };

  void start(session::OperationState& operation) noexcept override {
    auto* wish = new Wish(pool_, operation);
    operation.host_data = wish;
    pool_.acquire(*wish);
  }
  void abandon(session::OperationState& operation) noexcept override {
    if (operation.session != nullptr) {
      operation.session->abandon(operation);
    } else if (auto* wish = static_cast<Wish*>(std::exchange(operation.host_data, nullptr))) {
      pool_.abandon(*wish);
      wish->end();
    }
  }
  void expire(session::OperationState& operation) noexcept override {
    if (operation.session != nullptr) operation.session->cancel();
  }

  Pool& pool_;
};

class PoolOnServer : public ::testing::Test {
 protected:
  static PoolSettings sizes(std::uint32_t min, std::uint32_t max) {
    PoolSettings settings;
    settings.database = "reference";
    settings.min = min;
    settings.max = max;
    return settings;
  }

  std::shared_ptr<Connector> connector(std::string_view more = {}) {
    auto plan = std::make_shared<session::ConnectPlan>();
    const std::string text = database.endpoint().keywords() + " application_name=pool_pgtest " + std::string(more);
    plan->options = parse_connection_string(text).value_or_throw();
    return make_connector(std::move(plan));
  }

  /// Runs the story with a pool; afterwards the pool is closed and no session of it is left on the server.
  template <class F>
  void run(PoolSettings settings, F story, std::string_view more = {}) {
    shard.run_until_complete(with_timeout(with_pool(std::move(settings), connector(more), std::move(story)), 30s));
    for (int tries = 0; tries < 500 && sessions() != "0"; ++tries) database.execute("SELECT pg_sleep(0.01)");
    EXPECT_EQ(sessions(), "0");
  }
  template <class F>
  static Task<void> with_pool(PoolSettings settings, std::shared_ptr<Connector> by, F story) {
    auto permits = std::make_shared<PermitCounter>(settings.max);
    Pool pool(std::move(settings), std::move(by), permits, nullptr);
    co_await story(pool);
    co_await pool.close(runtime::now() + 5s);
    EXPECT_EQ(permits->taken(), 0U);
  }

  std::string sessions() {
    return database.query_value(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool_pgtest' "
        "AND datname = current_database()");
  }

  TestDatabase database;
  runtime::Shard shard;
};

TEST_F(PoolOnServer, WarmsUpToMinAndClosesWhatItOpened) {
  run(sizes(3, 5), [this](Pool& pool) -> Task<void> {
    const auto warm = co_await pool.warm_up(runtime::now() + 10s);
    EXPECT_TRUE(warm.ok());
    EXPECT_EQ(pool.stats().idle, 3U);
    EXPECT_EQ(sessions(), "3");
  });
}

Task<void> ask(Pool& pool, int number, std::size_t& right) {
  Autocommit db(pool);
  for (int i = 0; i < 20; ++i) {
    if (co_await db.query_value<std::int32_t>("SELECT $1::int4", number) == number) ++right;
  }
}

TEST_F(PoolOnServer, ManyCallersShareFewSessionsAndEachGetsItsOwnAnswer) {
  run(sizes(0, 4), [this](Pool& pool) -> Task<void> {
    std::size_t right = 0;
    std::vector<Task<void>> callers;
    for (int i = 0; i < 64; ++i) callers.push_back(ask(pool, i, right));
    co_await all(std::move(callers));
    EXPECT_EQ(right, 64U * 20U);
    EXPECT_LE(std::stoi(sessions()), 4);
    EXPECT_EQ(pool.stats().acquired, 64U * 20U);
    EXPECT_EQ(pool.stats().active, 0U);
  });
}

TEST_F(PoolOnServer, SettingsOfOneCallerDoNotReachTheNext) {
  run(sizes(0, 1), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
    co_await db.execute("SET search_path = pg_temp");
    EXPECT_NE(co_await db.query_value<std::string>("SHOW search_path"), "pg_temp");
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()"), pid) << "reset, not replaced";
  });
}

TEST_F(PoolOnServer, ASessionThatCannotBeResetIsNotLentAgain) {
  run(sizes(0, 1), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    for (int round = 0; round < 3; ++round) {
      const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
      co_await db.execute("PREPARE mine AS SELECT 1");
      EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT count(*) FROM pg_prepared_statements WHERE from_sql"),
                0);
      EXPECT_NE(co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()"), pid);
    }
    // The first time the text was not understood yet: the session ended after its reset, instead of one.
    const auto stats = pool.stats();
    EXPECT_EQ(stats.closed_by(CloseReason::released) + stats.closed_by(CloseReason::reset_failed), 3U);
    EXPECT_GE(stats.closed_by(CloseReason::released), 2U);
  });
}

TEST_F(PoolOnServer, PlainStatementsGoOnWithoutAReset) {
  database.execute("CREATE SEQUENCE s; CREATE TABLE t (id int)");
  run(sizes(0, 1), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    (void)co_await db.query_value<std::int64_t>("SELECT nextval('s')");
    co_await db.execute("INSERT INTO t (id) VALUES ($1)", 1);
    (void)co_await db.query_value<std::int64_t>("SELECT count(*) FROM t WHERE id IN (1, 2)");
    // A reset would have discarded it.
    EXPECT_EQ(co_await db.query_value<std::int64_t>("SELECT lastval()"), 1);
  });
}

TEST_F(PoolOnServer, AnAbandonedStatementIsCancelledAndItsSessionIsUsedAgain) {
  run(sizes(0, 1), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
    {
      auto sleeping = [](Autocommit& on) -> Task<void> { co_await on.execute("SELECT pg_sleep(60)"); };
      const auto gave_up = co_await as_result(with_timeout(sleeping(db), 50ms));
      EXPECT_FALSE(gave_up.ok());
    }
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()"), pid);
  });
}

TEST_F(PoolOnServer, ATerminatedIdleSessionIsNoticedAndReplaced) {
  run(sizes(1, 2), [this](Pool& pool) -> Task<void> {
    EXPECT_TRUE((co_await pool.warm_up(runtime::now() + 10s)).ok());
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pool_pgtest' "
        "AND datname = current_database()");
    while (pool.stats().opened < 2 || pool.stats().idle == 0) co_await sleep(1ms);
    EXPECT_EQ(pool.stats().closed_by(CloseReason::lost), 1U);
    Autocommit db(pool);
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT 1"), 1);
  });
}

TEST_F(PoolOnServer, ASessionLostUnderAStatementFailsThatStatementOnly) {
  run(sizes(1, 2), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto failed = co_await db.execute("SELECT pg_terminate_backend(pg_backend_pid())").result();
    EXPECT_FALSE(failed.ok());
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT 1"), 1);
    EXPECT_EQ(pool.stats().closed_by(CloseReason::lost), 1U);
  });
}

TEST_F(PoolOnServer, AnUnknownDatabaseFailsCallersAtOnceWithTheServersError) {
  run(
      sizes(0, 2),
      [](Pool& pool) -> Task<void> {
        Autocommit db(pool);
        const auto failed = co_await db.execute("SELECT 1").result();
        EXPECT_FALSE(failed.ok());
        EXPECT_EQ(failed.error().kind(), ErrorKind::Unavailable);
        EXPECT_EQ(failed.error().sqlstate(), "3D000");
        EXPECT_THAT(failed.error().what(), HasSubstr("nowhere"));
      },
      "dbname=nowhere");
}

TEST_F(PoolOnServer, AnIdleSessionIsPingedBeforeItIsLentAgain) {
  auto settings = sizes(0, 1);
  settings.ping_after_idle = Duration::zero();
  run(settings, [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
    co_await sleep(5ms);
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()"), pid);
    EXPECT_EQ(pool.stats().opened, 1U);
  });
}

TEST_F(PoolOnServer, ASessionThatIsClosedCountsUntilTheServerHasLetItGo) {
  run(sizes(0, 1), [this](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
    EXPECT_EQ(::kill(pid, SIGSTOP), 0);
    pool.pause();
    EXPECT_EQ(pool.stats().closing, 1U);
    EXPECT_EQ(sessions(), "1");
    EXPECT_EQ(::kill(pid, SIGCONT), 0);
    while (pool.stats().closing != 0) co_await sleep(1ms);
    EXPECT_EQ(sessions(), "0");
    pool.resume();
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT 1"), 1);
  });
}

TEST_F(PoolOnServer, AServerThatDoesNotLetGoOfASessionHoldsUpNobodyForLong) {
  run(sizes(0, 1), [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    const auto pid = co_await db.query_value<std::int32_t>("SELECT pg_backend_pid()");
    EXPECT_EQ(::kill(pid, SIGSTOP), 0);
    pool.pause();
    pool.resume();
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT 1"), 1);
    EXPECT_EQ(::kill(pid, SIGCONT), 0);
  });
}

TEST_F(PoolOnServer, AnExhaustedPoolSaysSoAfterTheAcquireTimeout) {
  auto settings = sizes(0, 1);
  settings.acquire_timeout = 50ms;
  run(settings, [](Pool& pool) -> Task<void> {
    Autocommit db(pool);
    EXPECT_EQ(co_await db.query_value<std::int32_t>("SELECT 1"), 1);
    auto sleeping = [](Autocommit& on) -> Task<void> { co_await on.execute("SELECT pg_sleep(0.3)"); };
    auto starved = [](Autocommit& on) -> Task<void> {
      const auto failed = co_await on.execute("SELECT 1").result();
      EXPECT_FALSE(failed.ok());
      EXPECT_EQ(failed.error().kind(), ErrorKind::PoolExhausted);
      EXPECT_THAT(failed.error().what(), HasSubstr("all 1 session in use (max)"));
    };
    co_await all(sleeping(db), starved(db));
  });
}

}  // namespace
}  // namespace switchyard::pool
