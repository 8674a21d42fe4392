// The budget with real processes and a real server: how many connections there are is counted by the server, from
// one more session, all the time.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/budget_registry.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/temp_folder.hpp>
#include <tests/support/wait_until.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

inline constexpr Database<"main"> main_db;

/// The fleet file of a worker process; without it this program runs its tests.
constexpr const char* kWorkerVariable = "SWITCHYARD_TEST_BUDGET_WORKER";
/// How many callers a worker has, and how long they hold a session and pause.
constexpr const char* kCallersVariable = "SWITCHYARD_TEST_BUDGET_CALLERS";
/// The table that its machine shares; unset: the real one.
constexpr const char* kTableVariable = "SWITCHYARD_TEST_BUDGET_TABLE";

// ---- a worker ------------------------------------------------------------------------------------------------

void say(std::string_view line) { (void)!::write(STDOUT_FILENO, line.data(), line.size()); }

/// Asks again and again; writes "." for each answer and the text of each error.
Task<void> keep_asking(Fleet& fleet) {
  for (;;) {
    const auto answer = co_await fleet[main_db].query_value<std::int32_t>("SELECT 1").result();
    if (answer.ok()) {
      say(".");
    } else {
      say("\n" + std::string(answer.error().what()) + "\n");
    }
    co_await sleep(20ms);
  }
}

int run_worker(const char* fleet_file) {
  const char* const wanted = std::getenv(kCallersVariable);
  const int callers = wanted != nullptr ? std::atoi(wanted) : 1;
  Sources sources;
  sources.file = "worker.toml";
  sources.file_text = fleet_file;
  sources.names_in_code = {"main"};
  runtime::Shard shard;
  shard.run_until_complete([](FleetConfig config, int count) -> Task<void> {
    const char* const table = std::getenv(kTableVariable);
    auto permits = table != nullptr
                       ? std::make_shared<fleet::SharedPermits>(fleet::BudgetRegistry::open(table).value_or_throw())
                       : std::make_shared<fleet::SharedPermits>();
    auto fleet = Fleet::open(std::move(config), std::move(permits)).value_or_throw();
    std::vector<Task<void>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(keep_asking(*fleet));
    co_await all(std::move(tasks));
  }(load_config(sources).value_or_throw(), callers));
  return 0;
}

/// Runs before the first test: the worker's program is this one.
class WorkerInstead final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (const char* fleet_file = std::getenv(kWorkerVariable)) std::_Exit(run_worker(fleet_file));
  }
};
[[maybe_unused]] ::testing::Environment* const worker_instead =
    ::testing::AddGlobalTestEnvironment(new WorkerInstead);  // NOLINT: gtest deletes it

/// A worker process and what it has said.
class Worker {
 public:
  Worker(const std::string& fleet_file, int callers, const std::string& table) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    environment.push_back(std::string(kWorkerVariable) + "=" + fleet_file);
    environment.push_back(std::string(kCallersVariable) + "=" + std::to_string(callers));
    if (!table.empty()) environment.push_back(std::string(kTableVariable) + "=" + table);
    std::vector<char*> pointers;
    for (std::string& entry : environment) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    std::string name = "/proc/self/exe";
    std::string brief = "--gtest_brief=1";
    char* arguments[] = {name.data(), brief.data(), nullptr};
    const int failed = ::posix_spawn(&pid_, name.c_str(), &actions, nullptr, arguments, pointers.data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
    ::fcntl(output_, F_SETFL, O_NONBLOCK);
    if (failed != 0) throw std::runtime_error("no process");
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    kill9();
    ::close(output_);
  }
  void kill9() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Answers since the last call; errors are kept.
  int answers() {
    char bytes[4096];
    int count = 0;
    for (ssize_t size; (size = ::read(output_, bytes, sizeof bytes)) > 0;) {
      for (const char c : std::string_view(bytes, static_cast<std::size_t>(size))) {
        if (c == '.' && !in_error_) {
          ++count;
        } else if (c == '\n') {
          in_error_ = !in_error_;
        } else if (in_error_) {
          errors_ += c;
        }
      }
    }
    return count;
  }
  [[nodiscard]] const std::string& errors() const { return errors_; }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  bool in_error_ = false;
  std::string errors_;
};

// ---- the server's side ---------------------------------------------------------------------------------------

/// A cluster whose connections are counted all the time, by a session that counts itself.
class Budget : public ::testing::Test {
 protected:
  void start(int max_connections) {
    embedded::ClusterOptions options = embedded::test_options();
    options.settings["max_connections"] = std::to_string(max_connections);
    options.settings["superuser_reserved_connections"] = "3";
    options.settings["log_connections"] = "off";
    cluster = embedded::PrivateCluster::start(options).value_or_throw();
    ASSERT_TRUE(cluster->primary().execute("CREATE ROLE app LOGIN").ok());
    sampler = std::thread([this] { sample(); });
  }
  void TearDown() override {
    workers.clear();
    stop_sampling = true;
    if (sampler.joinable()) sampler.join();
  }

  std::string fleet_file(const std::string& fleet_keys, int pool_max, const std::string& user = "app") const {
    const auto endpoint = cluster->primary().endpoint();
    return "[fleet]\napplication = \"crowd\"\n" + fleet_keys + "\n[database.main]\ndsn = \"postgresql://" + user +
           "@/postgres?host=" + endpoint.host + "&port=" + std::to_string(endpoint.port) +
           // Callers that share sessions would not need as many as they may have.
           "\"\nlane = \"leased\"\n[database.main.pool]\nmin = 0\nmax = " + std::to_string(pool_max) +
           "\nacquire_timeout = \"60s\"\n[database.reference]\nwhen_unconfigured = \"fail\"\n";
  }
  void add_workers(int count, const std::string& file, int callers, const std::string& table = {}) {
    for (int i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(file, callers, table));
  }
  /// Until each worker has had `wanted` answers, or the test has failed.
  bool all_get(int wanted, std::chrono::milliseconds limit = 60s) {
    std::map<Worker*, int> had;
    return testing::wait_until(
        [&] {
          bool all = true;
          for (const auto& worker : workers) {
            int& count = had[worker.get()];
            count += worker->answers();
            all = all && count >= wanted;
          }
          return all;
        },
        limit);
  }
  std::string errors() {
    std::string all;
    for (const auto& worker : workers) {
      (void)worker->answers();
      all += worker->errors();
    }
    return all;
  }
  /// As the server logged it.
  int refusals() {
    int count = 0;
    const std::string log = cluster->primary().log_tail(10'000);
    for (std::size_t at = 0; (at = log.find("FATAL:", at)) != std::string::npos; ++at) ++count;
    return count;
  }

  std::unique_ptr<embedded::PrivateCluster> cluster;
  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<int> most{0};      ///< connections of clients ever seen at once, the sampler's included
  std::atomic<int> most_app{0};  ///< of them, the fleet's
  std::atomic<int> now_app{0};
  std::atomic<int> samples{0};

 private:
  void sample() {
    Sources sources;
    sources.file = "sampler.toml";
    sources.file_text = fleet_file("share_budget = false", 1, "postgres");
    runtime::Shard shard;
    shard.run_until_complete([](Budget& self, FleetConfig config) -> Task<void> {
      auto fleet = Fleet::open(std::move(config)).value_or_throw();
      while (!self.stop_sampling) {
        const auto counts = co_await fleet->database("main").value_or_throw().query_one<std::tuple<int, int>>(
            "SELECT count(*)::int, count(*) FILTER (WHERE usename = 'app')::int FROM pg_stat_activity "
            "WHERE backend_type = 'client backend'");
        const auto [all, app] = counts;
        self.most = std::max(self.most.load(), all);
        self.most_app = std::max(self.most_app.load(), app);
        self.now_app = app;
        ++self.samples;
        co_await sleep(2ms);
      }
    }(*this, load_config(sources).value_or_throw()));
  }

  std::atomic<bool> stop_sampling{false};
  std::thread sampler;
};

TEST_F(Budget, AHundredProcessesAtOnceNeverHaveMoreThanTheServerAllowsAndAllAreServed) {
  start(100);
  add_workers(100, fleet_file("", 20), 1);
  EXPECT_TRUE(all_get(5)) << "somebody starves";
  EXPECT_TRUE(all_get(5)) << "somebody starves later";
  EXPECT_EQ(errors(), "");
  EXPECT_LE(most, 97) << "max_connections 100 - 3 reserved";
  EXPECT_GT(most, 80) << "they leave most of it unused";
  EXPECT_GT(samples, 100);
  EXPECT_EQ(refusals(), 0) << cluster->primary().log_tail(20);
}

TEST_F(Budget, ASmallerBudgetIsNeverExceededByProcessesThatWantMuchMore) {
  start(100);
  add_workers(30, fleet_file("connection_budget = 20", 20), 4);
  EXPECT_TRUE(all_get(20)) << "somebody starves";
  // On a busy machine few of them may want something at one time.
  for (int more = 0; more < 20 && most_app < 18; ++more) EXPECT_TRUE(all_get(5));
  EXPECT_EQ(errors(), "");
  EXPECT_LE(most_app, 20);
  EXPECT_GE(most_app, 18);
  EXPECT_EQ(refusals(), 0);
}

TEST_F(Budget, WhenHalfOfTheProcessesAreKilledTheOthersTakeTheirShare) {
  start(100);
  add_workers(20, fleet_file("connection_budget = 20", 20), 4);
  ASSERT_TRUE(all_get(5));
  for (int i = 0; i < 10; ++i) workers[static_cast<std::size_t>(i)]->kill9();
  workers.erase(workers.begin(), workers.begin() + 10);
  EXPECT_TRUE(testing::wait_until([&] { return now_app >= 18; }, 20s)) << now_app;
  EXPECT_TRUE(all_get(5));
  EXPECT_LE(most_app, 20);
  EXPECT_EQ(errors(), "");
}

TEST_F(Budget, OneThatHasAllGivesUpWhatItDoesNotUseWhenOthersCome) {
  start(30);
  add_workers(1, fleet_file("", 26), 40);
  ASSERT_TRUE(testing::wait_until([&] { return now_app >= 20; })) << now_app;
  add_workers(10, fleet_file("", 26), 1);
  EXPECT_TRUE(all_get(5));
  EXPECT_LE(most, 27);
  EXPECT_EQ(errors(), "");
  EXPECT_EQ(refusals(), 0);
}

TEST_F(Budget, ARolesConnectionLimitIsLearntAndNotPressedAgainst) {
  start(100);
  ASSERT_TRUE(cluster->primary().execute("ALTER ROLE app CONNECTION LIMIT 10").ok());
  add_workers(20, fleet_file("", 20), 2);
  EXPECT_TRUE(all_get(5)) << "somebody starves";
  EXPECT_EQ(errors(), "");
  EXPECT_LE(most_app, 10);
  EXPECT_GE(most_app, 9);
  EXPECT_EQ(refusals(), 0);
}

TEST_F(Budget, ProcessesOfMachinesThatSeeEachOtherThroughTheServerOnlyAreAllServed) {
  start(40);
  const testing::TempFolder folder;
  add_workers(5, fleet_file("", 20), 10, folder.file("one"));
  ASSERT_TRUE(all_get(20));
  add_workers(5, fleet_file("", 20), 10, folder.file("two"));
  EXPECT_TRUE(all_get(20)) << "somebody starves";
  EXPECT_EQ(errors(), "");
  EXPECT_LE(most, 37);
  EXPECT_LE(refusals(), 20) << "they press against the server's limit";
}

}  // namespace
}  // namespace switchyard
