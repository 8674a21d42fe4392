// Whatever is dropped, moved, closed or destroyed, at whatever moment: nothing hangs, nothing is used after its
// end, and the sessions come back.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Gate;
using switchyard::testing::GateDirection;
using switchyard::testing::GateTarget;

inline constexpr Database<"main"> main_db;

/// What other files of this program ask for by name.
const std::string kOtherNames = "[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";

class FleetLifetimes : public ::testing::Test {
 protected:
  static FleetConfig config_for(const std::string& dsn, const std::string& pool = "min = 0\nmax = 1\n") {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n" + kOtherNames + "[database.main]\ndsn = \"" + dsn +
                        "\"\n[database.main.pool]\n" + pool;
    return load_config(sources).value_or_throw();
  }
  FleetConfig config(const std::string& pool = "min = 0\nmax = 1\n") const {
    return config_for(database.endpoint().uri(), pool);
  }
  template <class F>
  void run(FleetConfig with, F body) {
    shard.run_until_complete([](FleetConfig configuration, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(configuration)).value_or_throw();
      co_await test(fleet);
    }(std::move(with), std::move(body)));
  }
  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int, v text)");
  runtime::Shard shard;
};

using FleetPtr = std::unique_ptr<Fleet>;

/// Keeps the only session.
Task<void> hold(Fleet& fleet) {
  Lease holder = co_await fleet[main_db].lease();
  co_await sleep(20s);
}

/// Everything that can be under way on a session, each with what it does when it is resumed.
std::vector<std::pair<std::string, Task<void> (*)(Fleet&)>> activities() {
  return {
      {"statement", [](Fleet& f) -> Task<void> { co_await f[main_db].query("SELECT pg_sleep(20)"); }},
      {"write",
       [](Fleet& f) -> Task<void> { co_await f[main_db].execute("INSERT INTO t SELECT 1 FROM pg_sleep(20)"); }},
      {"many rows",
       [](Fleet& f) -> Task<void> { co_await f[main_db].query<int>("SELECT generate_series(1, 3000000)"); }},
      {"batch",
       [](Fleet& f) -> Task<void> {
         Batch batch;
         batch.add("INSERT INTO t VALUES (1)").add("INSERT INTO t SELECT 1 FROM pg_sleep(20)");
         co_await f[main_db].run(std::move(batch));
       }},
      {"script", [](Fleet& f) -> Task<void> { co_await f[main_db].script("SELECT 1; SELECT pg_sleep(20)"); }},
      {"transaction",
       [](Fleet& f) -> Task<void> {
         co_await f[main_db].transaction([](Transaction& tx) -> Task<void> {
           co_await tx.execute("INSERT INTO t VALUES (2)");
           co_await tx.query("SELECT pg_sleep(20)");
         });
       }},
      {"savepoint",
       [](Fleet& f) -> Task<void> {
         co_await f[main_db].transaction([](Transaction& tx) -> Task<void> {
           co_await tx.transaction(
               [](Transaction& inner) -> Task<void> { co_await inner.query("SELECT pg_sleep(20)"); });
         });
       }},
      {"transaction that goes on after an error",
       [](Fleet& f) -> Task<void> {
         co_await f[main_db].transaction([](Transaction& tx) -> Task<void> {
           (void)co_await tx.query("SELECT pg_sleep(20)").result();
           (void)co_await tx.query("SELECT 1").result();
           (void)co_await as_result(
               tx.transaction([](Transaction& inner) -> Task<void> { co_await inner.query("SELECT 1"); }));
         });
       }},
      {"idle transaction",
       [](Fleet& f) -> Task<void> {
         co_await f[main_db].transaction([](Transaction& tx) -> Task<void> {
           co_await tx.query("SELECT 1");
           co_await sleep(200ms);
         });
       }},
      {"lease",
       [](Fleet& f) -> Task<void> {
         Lease lease = co_await f[main_db].lease();
         (void)co_await lease.query("SELECT pg_sleep(20)").result();
         Lease moved = std::move(lease);
         (void)co_await moved.query("SELECT 1").result();
         moved.release();
       }},
      {"stream with a slow reader",
       [](Fleet& f) -> Task<void> {
         auto rows = f[main_db].stream<std::string>("SELECT repeat('x', 10000) FROM generate_series(1, 100000)");
         while (co_await rows.next() != nullptr) co_await sleep(1ms);
       }},
      {"copy out",
       [](Fleet& f) -> Task<void> {
         CopyOut copy =
             f[main_db].copy_out("COPY (SELECT repeat('x', 10000) FROM generate_series(1, 100000)) TO STDOUT");
         while (co_await copy.next()) co_await sleep(1ms);
       }},
      {"copy in",
       [](Fleet& f) -> Task<void> {
         CopyIn copy = f[main_db].copy_in("COPY t FROM STDIN");
         const std::string line(100'000, 'x');
         for (int i = 0; i < 10'000; ++i) {
           co_await copy.write("1\t" + line + "\n");
           co_await sleep(1ms);
         }
         co_await copy.finish();
       }},
      {"notifications",
       [](Fleet& f) -> Task<void> {
         Notifications news = f[main_db].listen("news");
         for (;;) co_await news.next();
       }},
      {"waiting for a session",
       [](Fleet& f) -> Task<void> {
         co_await all(hold(f), [](Fleet& of) -> Task<void> { co_await of[main_db].query("SELECT 1"); }(f));
       }},
      {"waiting for a lease",
       [](Fleet& f) -> Task<void> {
         co_await all(hold(f), [](Fleet& of) -> Task<void> { Lease second = co_await of[main_db].lease(); }(f));
       }},
      {"waiting for a transaction",
       [](Fleet& f) -> Task<void> {
         co_await all(hold(f), [](Fleet& of) -> Task<void> {
           co_await of[main_db].transaction({.retry = 2}, [](const Transaction&) -> Task<void> { co_return; });
         }(f));
       }},
  };
}

/// Runs `task` for `moment`, then drops it.
Task<void> drop_after(Task<void> task, Duration moment) {
  (void)co_await as_result(with_timeout(std::move(task), moment));
}

constexpr Duration kMoments[] = {0ms, 1ms, 3ms, 8ms, 20ms, 60ms};

TEST_F(FleetLifetimes, WhatIsDroppedAtAnyMomentLeavesAUsableSession) {
  for (const auto& [name, activity] : activities()) {
    SCOPED_TRACE(name);
    run(config(), [&](FleetPtr& fleet) -> Task<void> {
      for (const Duration moment : kMoments) {
        co_await drop_after(activity(*fleet), moment);
        const auto next =
            co_await fleet->operator[](main_db).query_value<int>({.sql = "SELECT 7", .timeout = 5s}).result();
        EXPECT_TRUE(next.ok()) << name << ": " << next.error().what();
        if (next.ok()) EXPECT_EQ(*next, 7);
      }
      // Nothing was committed by what was dropped.
      EXPECT_EQ(co_await fleet->operator[](main_db).query_value<std::int64_t>("SELECT count(*) FROM t"), 0) << name;
    });
  }
}

TEST_F(FleetLifetimes, AFleetMayBeDestroyedUnderEverything) {
  for (const auto& [name, activity] : activities()) {
    for (const Duration moment : kMoments) {
      SCOPED_TRACE(name);
      run(config(), [&](FleetPtr& fleet) -> Task<void> {
        auto running = [](Task<void> task, std::optional<Error>& end, bool& ended) -> Task<void> {
          auto result = co_await as_result(std::move(task));
          if (!result.ok()) end = result.error();
          ended = true;
        };
        std::optional<Error> error;
        bool ended = false;
        auto killer = [](FleetPtr& victim, Duration at) -> Task<void> {
          co_await sleep(at);
          const auto begun = std::chrono::steady_clock::now();
          victim.reset();
          EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
        };
        co_await with_timeout(
            [](Task<void> one, Task<void> two) -> Task<void> { co_await all(std::move(one), std::move(two)); }(
                                                   running(activity(*fleet), error, ended), killer(fleet, moment)),
            30s);
        EXPECT_TRUE(ended) << name;
        const bool swallows = name == "lease" || name.starts_with("transaction that");
        if (!swallows || error) {
          EXPECT_TRUE(error) << name;
          if (error) {
            EXPECT_TRUE(error->kind() == ErrorKind::Closed || error->kind() == ErrorKind::InDoubt)
                << name << " after " << moment.count() << "ns: " << error->what();
            if (name.starts_with("waiting")) EXPECT_EQ(error->kind(), ErrorKind::Closed) << error->what();
          }
        }
      });
    }
  }
}

TEST_F(FleetLifetimes, ATaskMayBeDroppedAfterItsFleet) {
  for (const auto& [name, activity] : activities()) {
    SCOPED_TRACE(name);
    run(config(), [&](FleetPtr& fleet) -> Task<void> {
      // The fleet goes and the task is dropped before it is resumed.
      co_await drop_after(
          [](Task<void> task, FleetPtr& victim) -> Task<void> {
            co_await any(std::move(task), [](FleetPtr& of) -> Task<void> {
              co_await sleep(30ms);
              of.reset();
            }(victim));
          }(activity(*fleet), fleet),
          5s);
      EXPECT_EQ(fleet, nullptr);
    });
  }
}

TEST_F(FleetLifetimes, HandlesOutliveTheirFleet) {
  run(config(), [](FleetPtr& fleet) -> Task<void> {
    Lease lease = co_await (*fleet)[main_db].lease();
    co_await lease.execute("SELECT 1");
    auto stored = lease.query("SELECT 1");
    auto unused = lease.query("SELECT 2");
    fleet.reset();
    const auto refused = co_await stored.result();
    EXPECT_EQ(refused.error().kind(), ErrorKind::Closed) << refused.error().what();
    EXPECT_EQ((co_await lease.execute("SELECT 1").result()).error().kind(), ErrorKind::Closed);
    EXPECT_FALSE((co_await as_result(lease.transaction([](Transaction&) -> Task<void> { co_return; }))).ok());
  });
}

TEST_F(FleetLifetimes, StoredOperationsOutliveLeaseAndTransaction) {
  run(config(), [](FleetPtr& fleet) -> Task<void> {
    std::optional<Operation<int>> of_lease;
    std::optional<Operation<int>> of_transaction;
    std::optional<RowStream<int>> stream;
    std::optional<CopyIn> copy_in;
    std::optional<CopyOut> copy_out;
    {
      Lease lease = co_await (*fleet)[main_db].lease();
      of_lease.emplace(lease.query_value<int>("SELECT 1"));
      stream.emplace(lease.stream<int>("SELECT 1"));
      copy_in.emplace(lease.copy_in("COPY t FROM STDIN"));
      copy_out.emplace(lease.copy_out("COPY t TO STDOUT"));
      co_await lease.transaction([&](Transaction& tx) -> Task<void> {
        of_transaction.emplace(tx.query_value<int>("SELECT 1"));
        co_return;
      });
    }
    EXPECT_EQ((co_await of_lease->result()).error().kind(), ErrorKind::Closed);
    EXPECT_EQ((co_await of_transaction->result()).error().kind(), ErrorKind::Usage);
    EXPECT_EQ((co_await as_result(stream->next())).error().kind(), ErrorKind::Closed);
    EXPECT_EQ((co_await as_result(copy_in->finish())).error().kind(), ErrorKind::Closed);
    EXPECT_EQ((co_await as_result(copy_out->next())).error().kind(), ErrorKind::Closed);
    EXPECT_EQ(co_await (*fleet)[main_db].query_value<int>("SELECT 3"), 3);
  });
}

/// The answer to a cancelled statement may come before the cancel request has been closed.
TEST_F(FleetLifetimes, ALeaseGoesOnRightAfterADeadline) {
  Gate gate(GateTarget::unix_socket(database.endpoint().host, database.endpoint().port));
  const std::string dsn =
      "postgresql://postgres@127.0.0.1:" + std::to_string(gate.port()) + "/" + database.name() + "?sslmode=disable";
  run(config_for(dsn), [&](FleetPtr& fleet) -> Task<void> {
    // False: the server of a busy machine took longer for a cancel request than it is given, and the lease is lost.
    const auto lease_goes_on = [&]() -> Task<bool> {
      Lease lease = co_await (*fleet)[main_db].lease();
      for (int i = 0; i < 5; ++i) {
        // The cancel request's end is held up; the answer of the statement is not.
        const auto late = co_await lease.query({.sql = "SELECT pg_sleep(20)", .timeout = 20ms}).result();
        if (late.error().kind() == ErrorKind::InDoubt) co_return false;
        EXPECT_EQ(late.error().kind(), ErrorKind::Deadline) << late.error().what();
        const auto next = co_await lease.query_value<int>("SELECT 5").result();
        EXPECT_TRUE(next.ok()) << next.error().what();
      }
      const auto outer = co_await as_result(lease.transaction([](Transaction& tx) -> Task<void> {
        co_await tx.execute("INSERT INTO t VALUES (1)");
        const auto inner = co_await as_result(tx.transaction([](Transaction& save) -> Task<void> {
          co_await save.query({.sql = "SELECT pg_sleep(20)", .timeout = 20ms});
        }));
        if (inner.error().kind() == ErrorKind::InDoubt) throw inner.error();
        EXPECT_EQ(inner.error().kind(), ErrorKind::Deadline) << inner.error().what();
        EXPECT_EQ(co_await tx.query_value<int>("SELECT 6"), 6);
      }));
      if (!outer.ok() && outer.error().kind() == ErrorKind::InDoubt) co_return false;
      EXPECT_TRUE(outer.ok()) << outer.error().what();
      co_return true;
    };
    const TimePoint end = runtime::now() + 30s;
    bool went_on = co_await lease_goes_on();
    while (!went_on && runtime::now() < end) went_on = co_await lease_goes_on();
    EXPECT_TRUE(went_on);
  });
  EXPECT_EQ(database.query_value("SELECT count(*) FROM t"), "1");
}

TEST_F(FleetLifetimes, ADeadlineTellsWhetherTheStatementWasSent) {
  run(config(), [](FleetPtr& fleet) -> Task<void> {
    Lease holder = co_await (*fleet)[main_db].lease();
    const auto queued = co_await (*fleet)[main_db].query({.sql = "SELECT 1", .timeout = 50ms}).result();
    EXPECT_EQ(queued.error().stage(), ErrorStage::queued) << queued.error().what();
    const auto sent = co_await holder.query({.sql = "SELECT pg_sleep(20)", .timeout = 50ms}).result();
    EXPECT_EQ(sent.error().stage(), ErrorStage::sent) << sent.error().what();
    EXPECT_EQ(sent.error().kind(), ErrorKind::Deadline);
  });
}

TEST_F(FleetLifetimes, CloseWaitsForWhatRunsAndRefusesWhatComes) {
  run(config(), [](FleetPtr& fleet) -> Task<void> {
    auto running = [](Fleet& on) -> Task<int> {
      co_return co_await on[main_db].query_value<int>("SELECT 9 FROM pg_sleep(0.3)");
    };
    auto waiting = [](Fleet& on) -> Task<void> {
      co_await sleep(50ms);
      const auto queued = co_await on[main_db].query("SELECT 1").result();
      EXPECT_EQ(queued.error().kind(), ErrorKind::Closed) << queued.error().what();
    };
    auto closing = [](Fleet& on) -> Task<void> {
      co_await sleep(100ms);
      co_await on.close(5s);
      EXPECT_EQ((co_await on[main_db].query("SELECT 1").result()).error().kind(), ErrorKind::Closed);
    };
    auto [value, a, b] = co_await all(running(*fleet), waiting(*fleet), closing(*fleet));
    EXPECT_EQ(value, 9);
  });
}

TEST_F(FleetLifetimes, CloseEndsWhatRunsLongerThanItsTimeout) {
  run(config(), [](FleetPtr& fleet) -> Task<void> {
    auto running = [](Fleet& on) -> Task<void> {
      const auto result = co_await on[main_db].query("SELECT pg_sleep(20)").result();
      EXPECT_FALSE(result.ok());
    };
    auto holding = [](Fleet& on) -> Task<void> {
      co_await sleep(150ms);
      (void)co_await as_result(on[main_db].lease());
    };
    const auto begun = std::chrono::steady_clock::now();
    auto closing = [](Fleet& on) -> Task<void> {
      co_await sleep(50ms);
      co_await on.close(200ms);
    };
    co_await all(running(*fleet), holding(*fleet), closing(*fleet));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
  });
}

/// A server that stops reading: the writer waits instead of filling the memory.
TEST_F(FleetLifetimes, AWriterOfCopyWaitsForAStalledServer) {
  Gate gate(GateTarget::unix_socket(database.endpoint().host, database.endpoint().port));
  const std::string dsn =
      "postgresql://postgres@127.0.0.1:" + std::to_string(gate.port()) + "/" + database.name() + "?sslmode=disable";
  run(config_for(dsn), [&](FleetPtr& fleet) -> Task<void> {
    std::size_t written = 0;
    // What the sockets of two hops and we ourselves buffer is taken; then the writer stands still.
    auto stands_still = [](const std::size_t& bytes) -> Task<void> {
      for (std::size_t before = 0; bytes == 0 || bytes != before;) {
        before = bytes;
        co_await sleep(300ms);
      }
    };
    co_await any(
        [](Fleet& on, Gate& stalled, std::size_t& bytes) -> Task<void> {
          CopyIn copy = on[main_db].copy_in("COPY t FROM STDIN");
          const std::string line = "1\t" + std::string(10'000, 'x') + "\n";
          for (int i = 0; i < 10; ++i) co_await copy.write(line);  // connected and sent
          stalled.stall(GateDirection::to_server);
          for (int i = 0; i < 100'000; ++i) {
            co_await copy.write(line);
            bytes += line.size();
          }
        }(*fleet, gate, written),
        stands_still(written));
    EXPECT_LT(written, 100U << 20);
    gate.resume();
    EXPECT_EQ(co_await (*fleet)[main_db].query_value<std::int64_t>("SELECT count(*) FROM t"), 0);
  });
}

}  // namespace
}  // namespace switchyard
