// Processes that die while they drain, and a fallback that dies while it keeps: nothing is lost, doubled or out of
// order. The processes are this program, started again, and they kill themselves.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/database_node.hpp>
#include <switchyard/fleet/fallback.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using embedded::PrivateCluster;
using embedded::PrivateServer;
using embedded::TestDatabase;

constexpr const char* kFacts =
    "CREATE TABLE facts (seq bigserial PRIMARY KEY, writer int NOT NULL, n int NOT NULL CHECK (n >= 0))";
constexpr const char* kInsert = "INSERT INTO facts (writer, n) VALUES ($1, $2)";

FleetConfig config_of(const std::string& main, const std::string& analytics) {
  Sources sources;
  sources.file = "test.toml";
  sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main +
                      "\"\n[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n" +
                      "[database.analytics]\nwhen_down = \"spool\"\ndsn = \"" + analytics + "\"\n";
  return load_config(sources).value_or_throw();
}

/// The spool of `analytics` without a fleet around it, with short times.
class BareSpool {
 public:
  BareSpool(const std::string& main, const std::string& analytics, std::function<void(DrainStep)> before_step = {})
      : config_(config_of(main, analytics)),
        main_(*config_.find("main"), "", permits_),
        analytics_(*config_.find("analytics"), "", permits_) {
    FallbackPlan plan;
    plan.database = "analytics";
    plan.fallback = "main";
    plan.when_down = WhenDown::spool;
    plan.times.lease = 200ms;
    plan.times.drain_pause = 20ms;
    plan.times.drain_pause_most = 50ms;
    plan.times.grace = 0ms;
    plan.before_step = std::move(before_step);
    fallback = std::make_shared<Fallback>(
        std::move(plan), FallbackRoutes{.home = home(), .reads = home(), .target = route(analytics_)});
    store = std::make_unique<SpoolStore>(home(), "analytics");
  }
  ~BareSpool() { fallback->retire(); }
  BareSpool(const BareSpool&) = delete;
  BareSpool& operator=(const BareSpool&) = delete;

  /// Keeps the numbers from `first` to `last`, one entry each.
  Task<void> keep(int first, int last) {
    co_await store->open("test", kNever);
    for (int n = first; n <= last; ++n) {
      NewEntry entry;
      entry.entry = random_uuid().value_or_throw();
      SpoolEntry statements;
      SpoolStatement& statement = statements.emplace_back();
      statement.sql = kInsert;
      statement.sets.emplace_back().encode(1, n % 7 == 6 ? -n : n).value_or_throw();
      entry.payload = Bytes(ByteView(encode_entry(statements).value_or_throw()));
      const auto kept = co_await store->keep(entry, kNever);
      EXPECT_TRUE(kept.has_value());
    }
  }

  std::shared_ptr<Fallback> fallback;
  std::unique_ptr<SpoolStore> store;

 private:
  std::shared_ptr<Route> route(DatabaseNode& node) {
    return std::make_shared<Route>(std::string(node.name()),
                                   std::make_unique<FixedChooser>(*node.primary(), "test"), RouteAccess::write,
                                   RouteLimits{});
  }
  std::shared_ptr<Route> home() { return route(main_); }

  FleetConfig config_;
  SharedPermits permits_{nullptr};
  DatabaseNode main_;
  DatabaseNode analytics_;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// What a child does: drains, and kills itself before the step it was told.
TEST(SpoolDrainChild, DISABLED_Drains) {
  const int kill_before = std::atoi(variable("SPOOL_KILL_STEP").c_str());
  int left = std::atoi(variable("SPOOL_KILL_COUNT").c_str());
  const auto before_step = [&](DrainStep step) {
    if (static_cast<int>(step) == kill_before && --left == 0) ::kill(::getpid(), SIGKILL);
  };
  runtime::Shard shard;
  shard.run_until_complete([](std::function<void(DrainStep)> hook) -> Task<void> {
    BareSpool spool(variable("SPOOL_MAIN"), variable("SPOOL_ANALYTICS"), std::move(hook));
    co_await spool.fallback->drained(Clock::now() + 20s);
  }(before_step));
}

/// Runs the child; true if it killed itself.
bool drain_in_child(const std::string& main, const std::string& analytics, DrainStep step, int count) {
  std::vector<std::string> environment;
  for (char** one = environ; *one != nullptr; ++one) {
    if (!std::string_view(*one).starts_with("SPOOL_")) environment.emplace_back(*one);
  }
  environment.push_back("SPOOL_MAIN=" + main);
  environment.push_back("SPOOL_ANALYTICS=" + analytics);
  environment.push_back("SPOOL_KILL_STEP=" + std::to_string(static_cast<int>(step)));
  environment.push_back("SPOOL_KILL_COUNT=" + std::to_string(count));
  std::vector<char*> variables;
  for (std::string& one : environment) variables.push_back(one.data());
  variables.push_back(nullptr);
  std::array<std::string, 4> words{"fleet_pgtest", "--gtest_filter=SpoolDrainChild.DISABLED_Drains",
                                   "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), variables.data()), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) return true;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child failed";
  return false;
}

TEST(SpoolKill, ADrainerMayDieBeforeAnyStep) {
  TestDatabase main;
  TestDatabase analytics = TestDatabase::with(kFacts);
  runtime::Shard shard;
  const std::string home = main.endpoint().uri();
  const std::string target = analytics.endpoint().uri();
  int next = 1;
  const auto keep = [&](int count) {
    const int first = next;
    next += count;
    shard.run_until_complete([](std::string from, std::string to, int begin, int end) -> Task<void> {
      BareSpool spool(from, to);
      co_await spool.keep(begin, end);
    }(home, target, first, next - 1));
  };
  keep(450);  // three batches
  int killed = 0;
  for (const int count : {1, 2}) {
    for (int step = static_cast<int>(DrainStep::lease); step <= static_cast<int>(DrainStep::release); ++step) {
      keep(15);
      killed += drain_in_child(home, target, static_cast<DrainStep>(step), count);
    }
  }
  EXPECT_GE(killed, 12);
  EXPECT_FALSE(drain_in_child(home, target, DrainStep::rest, 0));

  std::string expected;
  int refused = 0;
  for (int n = 1; n < next; ++n) {
    if (n % 7 == 6) {
      ++refused;
    } else {
      expected += (expected.empty() ? "" : " ") + std::to_string(n);
    }
  }
  EXPECT_EQ(analytics.query_value("SELECT string_agg(n::text, ' ' ORDER BY seq) FROM facts"), expected);
  EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool"), "0");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.spool_refused"), std::to_string(refused));
  EXPECT_EQ(main.query_value("SELECT bool_or(open) FROM switchyard.spool_gate"), "f");
}

TEST(SpoolKill, TheFallbackMayDieWhileItKeeps) {
  const auto keeper = PrivateCluster::start(embedded::test_options()).value_or_throw();
  const auto cluster = PrivateCluster::start(embedded::test_options()).value_or_throw();
  PrivateServer& home = keeper->primary();
  PrivateServer& server = cluster->primary();
  static_cast<void>(server.execute(kFacts).value_or_throw());
  runtime::Shard shard;
  shard.run_until_complete([](PrivateServer& main, PrivateServer& target) -> Task<void> {
    FleetConfig config = config_of(main.endpoint().uri(), target.endpoint().uri());
    for (auto& database : config.databases) database.pool.acquire_timeout.value = 500ms;
    auto fleet = Fleet::open(std::move(config)).value_or_throw();
    auto analytics = fleet->database("analytics").value_or_throw();
    std::map<int, bool> ledger;
    const auto write = [&](int first, int last) -> Task<void> {
      for (int n = first; n <= last; ++n) {
        const auto done = co_await analytics.execute(kInsert, 1, n).result();
        // Refused for sure, in doubt, or kept.
        if (done.ok() || done.error().kind() == ErrorKind::InDoubt) ledger[n] = done.ok();
      }
    };
    co_await write(1, 10);
    target.kill9();
    co_await write(11, 30);
    main.kill9();
    co_await write(31, 33);
    main.start().value_or_throw();
    co_await write(34, 50);
    main.kill9();
    target.start().value_or_throw();
    co_await sleep(300ms);
    main.start().value_or_throw();
    co_await fleet->drain_spool("analytics", 20s);
    co_await write(51, 55);
    std::map<int, int> found;
    int last = 0;
    for (const auto& row : target.execute("SELECT n FROM facts ORDER BY seq").value_or_throw().rows) {
      const int n = std::stoi(row.at(0).value());
      ++found[n];
      EXPECT_GT(n, last);
      last = n;
    }
    std::size_t acknowledged = 0;
    for (int n = 1; n <= 55; ++n) {
      const int times = found.contains(n) ? found[n] : 0;
      if (!ledger.contains(n)) {
        EXPECT_EQ(times, 0) << n << " was refused and is there";
      } else if (ledger[n]) {
        EXPECT_EQ(times, 1) << n;
        ++acknowledged;
      } else {
        EXPECT_LE(times, 1) << n;
      }
    }
    EXPECT_GE(acknowledged, 40U);
    co_await fleet->close();
  }(home, server));
}

}  // namespace
}  // namespace switchyard::fleet
