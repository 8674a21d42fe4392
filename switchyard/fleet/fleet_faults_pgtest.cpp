// A fleet whose connection is cut, stalled, slowed and corrupted at every place: each operation ends in time, with
// the right kind of error and without foreign rows, and the next one is served.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Gate;
using switchyard::testing::GateCut;
using switchyard::testing::GateDirection;
using switchyard::testing::GateFault;
using switchyard::testing::GateTarget;

inline constexpr Database<"main"> main_db;

/// What other files of this program ask for by name.
const std::string kOtherNames = "[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";

constexpr Duration kCommandTimeout = 1s;
constexpr Duration kAcquireTimeout = 4s;
/// What an operation may take beyond its limit: a cancel request gets 1 s.
constexpr Duration kGrace = 2s;

/// A reset that is not answered gives up after 5 s.
constexpr Duration kRecovery = 8s;

/// A connection that is cut is noticed at once; what takes this long waits for nothing.
constexpr Duration kHang = 60s;

/// Limits that make a fault short; or none, for a slow line and where nothing has to be waited for.
enum class Limits { short_ones, none };

/// What one operation ended with.
struct Outcome {
  std::string step;
  std::optional<Error> error;
  Duration took{};
};

class FleetFaults : public ::testing::Test {
 protected:
  GateTarget server() const {
    const auto endpoint = database.endpoint();
    return GateTarget::unix_socket(endpoint.host, endpoint.port);
  }
  FleetConfig config(const Gate& gate, Limits limits = Limits::short_ones) const {
    const bool short_ones = limits == Limits::short_ones;
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\nshare_budget = false\n" + kOtherNames +
                        "[database.main]\ncommand_timeout = \"" + (short_ones ? "1s" : "60s") +
                        "\"\ndsn = \"postgresql://postgres@127.0.0.1:" + std::to_string(gate.port()) + "/" +
                        database.name() + "?sslmode=disable" + (short_ones ? "&connect_timeout=1" : "") +
                        "\"\n[database.main.pool]\nmin = 0\nmax = 1\nacquire_timeout = \"" +
                        (short_ones ? "4s" : "60s") + "\"\n";
    return load_config(sources).value_or_throw();
  }
  std::string count(int key) {
    return database.query_value("SELECT count(*) FROM t WHERE id = " + std::to_string(key));
  }

  TestDatabase database = TestDatabase::with("CREATE TABLE t (id int, v text)");
  runtime::Shard shard;
};

template <class F>
Task<void> step(std::vector<Outcome>& outcomes, std::string name, F body) {
  const TimePoint begun = Clock::now();
  const auto result = co_await as_result(body());
  Outcome outcome{std::move(name), {}, Clock::now() - begun};
  if (!result.ok()) outcome.error = result.error();
  outcomes.push_back(std::move(outcome));
}

/// Nothing tells a client that a byte of a row was changed on the way: answers are compared unless that was the
/// fault.
enum class Answers { compared, ignored };

/// An operation that had not sent its COMMIT, or CopyDone, leaves nothing in doubt.
void expect_certain_unless(bool committing, const Outcome& outcome) {
  if (!committing && outcome.error) EXPECT_NE(outcome.error->kind(), ErrorKind::InDoubt) << outcome.error->what();
}

/// The scripted workload: every verb once. Keys begin at `key`.
Task<void> workload(Fleet& fleet, int key, std::vector<Outcome>& out, Answers answers = Answers::compared) {
  const auto expect = [&](const auto& is, const auto& wanted) {
    if (answers == Answers::compared) EXPECT_EQ(is, wanted) << out.size();
  };
  bool committing = false;
  auto db = fleet[main_db];
  co_await step(out, "value", [&]() -> Task<void> { expect(co_await db.query_value<int>("SELECT 101"), 101); });
  co_await step(out, "insert", [&]() -> Task<void> {
    expect(co_await db.execute("INSERT INTO t VALUES ($1, 'insert')", key), std::uint64_t{1});
  });
  co_await step(out, "rows", [&]() -> Task<void> {
    const auto rows =
        co_await db.query<std::tuple<int, std::string>>("SELECT g, 'tag ' || g FROM generate_series(1, 20) g");
    expect(rows.size(), std::size_t{20});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      expect(rows[i], std::tuple(static_cast<int>(i) + 1, "tag " + std::to_string(i + 1)));
    }
  });
  co_await step(out, "transaction", [&]() -> Task<void> {
    co_await db.transaction([&](Transaction& tx) -> Task<void> {
      co_await tx.execute("INSERT INTO t VALUES ($1, 'transaction')", key + 1);
      expect(co_await tx.query_value<int>("SELECT 102"), 102);
      committing = true;
    });
  });
  expect_certain_unless(committing, out.back());
  committing = false;
  co_await step(out, "copy in", [&]() -> Task<void> {
    CopyIn copy = db.copy_in("COPY t FROM STDIN");
    co_await copy.write(std::to_string(key + 2) + "\tcopy\n");
    committing = true;
    expect(co_await copy.finish(), std::uint64_t{1});
  });
  expect_certain_unless(committing, out.back());
  co_await step(out, "copy out", [&]() -> Task<void> {
    CopyOut copy = db.copy_out("COPY (SELECT g FROM generate_series(1, 20) g) TO STDOUT");
    int expected = 0;
    while (const auto line = co_await copy.next()) expect(*line == std::to_string(++expected) + "\n", true);
    expect(expected, 20);
  });
  co_await step(out, "stream", [&]() -> Task<void> {
    auto rows = db.stream<int>("SELECT * FROM generate_series(1, 50)");
    int expected = 0;
    while (const int* row = co_await rows.next()) expect(*row, ++expected);
    expect(expected, 50);
  });
  co_await step(out, "lease", [&]() -> Task<void> {
    Lease lease = co_await db.lease();
    co_await lease.execute("SET search_path = pg_catalog");
    expect(co_await lease.query_value<int>("SELECT 103"), 103);
  });
  co_await step(out, "after the reset", [&]() -> Task<void> {
    expect(co_await db.query_value<std::string>("SHOW search_path") == "pg_catalog", false);
  });
}

TEST_F(FleetFaults, TheWorkloadItselfSucceedsAlsoInSegmentsOfOneByte) {
  for (const std::size_t largest : {0, 1}) {
    Gate gate(server());
    gate.set_largest_write(GateDirection::to_client, largest);
    gate.set_largest_write(GateDirection::to_server, largest);
    shard.run_until_complete([](FleetConfig with) -> Task<void> {
      auto fleet = Fleet::open(std::move(with)).value_or_throw();
      std::vector<Outcome> outcomes;
      co_await workload(*fleet, 1, outcomes);
      for (const Outcome& outcome : outcomes) EXPECT_FALSE(outcome.error) << outcome.step << outcome.error->what();
    }(config(gate, Limits::none)));
    EXPECT_EQ(gate.accepted(), 1U);
  }
}

/// Runs the workload with one fault, then asks again, and compares what was said with what is in the table.
class FaultRun {
 public:
  FaultRun(GateTarget server, GateDirection direction, std::uint64_t offset, GateFault fault, int key)
      : gate_(std::move(server)), direction_(direction), offset_(offset), fault_(fault), key_(key) {
    gate_.at_byte(direction, offset, fault);
  }
  Gate& gate() { return gate_; }

  Task<void> run(FleetConfig with) {
    auto fleet = Fleet::open(std::move(with)).value_or_throw();
    co_await workload(*fleet, key_, outcomes_,
                      fault_.kind == GateFault::Kind::corrupt ? Answers::ignored : Answers::compared);
    // The pool recovers: the next operation finds a session, at once or when a stalled one has been given up.
    co_await step(outcomes_, "next", [&]() -> Task<void> {
      const TimePoint until = Clock::now() + kRecovery;
      for (;;) {
        const auto next = co_await (*fleet)[main_db].query_value<int>("SELECT 104").result();
        if (next.ok()) {
          EXPECT_EQ(*next, 104);
          co_return;
        }
        if (fault_.kind == GateFault::Kind::cut || Clock::now() > until) throw next.error();
      }
    });
  }
  [[nodiscard]] Limits limits() const {
    return fault_.kind == GateFault::Kind::cut ? Limits::none : Limits::short_ones;
  }
  [[nodiscard]] std::string where() const {
    return std::string(direction_ == GateDirection::to_client ? "to client" : "to server") + " at byte " +
           std::to_string(offset_) + ", fault " + std::to_string(static_cast<int>(fault_.kind));
  }
  template <class Count>
  void check(Count count) const {
    SCOPED_TRACE(where());
    int failed = 0;
    for (const Outcome& outcome : outcomes_) {
      if (outcome.step != "next")
        EXPECT_LT(outcome.took, limits() == Limits::none ? kHang : kAcquireTimeout + kCommandTimeout + kGrace)
            << outcome.step;
      if (!outcome.error) continue;
      if (fault_.kind == GateFault::Kind::corrupt && outcome.step != "next") continue;
      ++failed;
      const Error& error = *outcome.error;
      const bool writes = outcome.step == "insert" || outcome.step == "transaction" || outcome.step == "copy in";
      if (error.kind() == ErrorKind::InDoubt) EXPECT_EQ(error.stage(), ErrorStage::commit_sent);
      if (outcome.step == "next") ADD_FAILURE() << outcome.step << error.what();
      if (!writes) continue;
      // What is not in doubt did not happen.
      const int key = key_ + (outcome.step == "insert" ? 0 : outcome.step == "transaction" ? 1 : 2);
      if (error.kind() != ErrorKind::InDoubt) EXPECT_EQ(count(key), "0") << outcome.step << ": " << error.what();
    }
    if (fault_.kind == GateFault::Kind::corrupt) return;
    for (const Outcome& outcome : outcomes_) {
      if (outcome.error) continue;
      if (outcome.step == "insert") EXPECT_EQ(count(key_), "1");
      if (outcome.step == "transaction") EXPECT_EQ(count(key_ + 1), "1");
      if (outcome.step == "copy in") EXPECT_EQ(count(key_ + 2), "1");
    }
    // A session that stalls while it is reset keeps its place in the pool until the reset's own limit.
    if (fault_.kind != GateFault::Kind::stall) EXPECT_LE(failed, 1);
  }

 private:
  Gate gate_;
  GateDirection direction_;
  std::uint64_t offset_;
  GateFault fault_;
  int key_;
  std::vector<Outcome> outcomes_;
};

/// What passes when nothing goes wrong.
struct Traffic {
  std::uint64_t to_client = 0;
  std::uint64_t to_server = 0;
};

class FleetFaultSweep : public FleetFaults {
 protected:
  Traffic measure() {
    Gate gate(server());
    shard.run_until_complete([](FleetConfig with) -> Task<void> {
      auto fleet = Fleet::open(std::move(with)).value_or_throw();
      std::vector<Outcome> outcomes;
      co_await workload(*fleet, 1, outcomes);
      co_await fleet->close();
    }(config(gate)));
    return {gate.bytes(GateDirection::to_client), gate.bytes(GateDirection::to_server)};
  }

  /// One run of the workload for each of `places` places.
  void add(GateDirection direction, std::uint64_t bytes, std::uint64_t places, GateFault fault) {
    for (std::uint64_t i = 0; i < places; ++i) {
      runs.push_back(std::make_unique<FaultRun>(server(), direction, bytes * i / places, fault, next_key_ += 10));
    }
  }
  /// `at_once` side by side.
  void run_all(std::size_t at_once) {
    for (std::size_t begin = 0; begin < runs.size(); begin += at_once) {
      const std::size_t end = std::min(runs.size(), begin + at_once);
      shard.run_until_complete([](FleetFaultSweep& self, std::span<std::unique_ptr<FaultRun>> some) -> Task<void> {
        std::vector<Task<void>> tasks;
        for (const auto& run : some) tasks.push_back(run->run(self.config(run->gate(), run->limits())));
        co_await all(std::move(tasks));
      }(*this, std::span(runs).subspan(begin, end - begin)));
      for (std::size_t i = begin; i < end; ++i) {
        EXPECT_EQ(runs[i]->gate().fired(), 1U) << runs[i]->where();
        runs[i]->check([this](int key) { return count(key); });
      }
    }
  }
  std::vector<std::unique_ptr<FaultRun>> runs;
  int next_key_ = 1000;
};

TEST_F(FleetFaultSweep, AConnectionThatIsClosedAnywhere) {
  const Traffic traffic = measure();
  add(GateDirection::to_client, traffic.to_client, 48, GateFault::cut(GateCut::close));
  add(GateDirection::to_server, traffic.to_server, 32, GateFault::cut(GateCut::close));
  run_all(8);
}

TEST_F(FleetFaultSweep, AConnectionThatIsResetAnywhere) {
  const Traffic traffic = measure();
  add(GateDirection::to_client, traffic.to_client, 48, GateFault::cut(GateCut::reset));
  add(GateDirection::to_server, traffic.to_server, 32, GateFault::cut(GateCut::reset));
  run_all(8);
}

TEST_F(FleetFaultSweep, AConnectionThatStallsAnywhere) {
  const Traffic traffic = measure();
  add(GateDirection::to_client, traffic.to_client, 16, GateFault::stall());
  add(GateDirection::to_server, traffic.to_server, 16, GateFault::stall());
  run_all(32);
}

TEST_F(FleetFaultSweep, AByteThatIsChangedAnywhere) {
  const Traffic traffic = measure();
  add(GateDirection::to_client, traffic.to_client, 24, GateFault::corrupt());
  add(GateDirection::to_client, traffic.to_client - 7, 24, GateFault::corrupt(0x01));
  add(GateDirection::to_server, traffic.to_server, 12, GateFault::corrupt());
  run_all(60);
}

}  // namespace
}  // namespace switchyard
