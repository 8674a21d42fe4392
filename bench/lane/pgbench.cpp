#include "contenders.hpp"
#include "meter.hpp"

#include <switchyard/embedded/postgres_binaries.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

extern char** environ;

namespace lane_bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// One of so many transactions is logged: enough to count them and for p99.9, few enough to cost next to nothing.
constexpr int kLoggedOneOf = 5;
constexpr const char* kSampling = "0.2";
/// Each session has its statements to prepare, and its caches to fill.
constexpr auto kWarmUpOfEach = std::chrono::duration<double, std::milli>(2);
/// Its own clock starts before its sessions are there; so it is stopped by the signal of that clock, when enough
/// has been measured.
constexpr const char* kLongEnough = "600";
constexpr auto kConnectPatience = 60s;

class Folder {
 public:
  Folder() {
    std::string pattern = fs::temp_directory_path() / "sy-lane-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::string file(const char* name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  fs::path path_;
};

/// A child whose output goes to a file; killed if it is still there in the end.
class Child {
 public:
  Child(const std::string& program, std::vector<std::string> words, const std::string& output) {
    std::vector<char*> arguments;
    words.insert(words.begin(), program);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int failed = posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw Unavailable(program + " can't be started");
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool ended() {
    if (pid_ <= 0 || waitpid(pid_, &status_, WNOHANG) == 0) return pid_ <= 0;
    pid_ = 0;
    return true;
  }
  /// True if it ended well.
  bool wait() {
    if (pid_ > 0) waitpid(pid_, &status_, 0);
    pid_ = 0;
    return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
};

std::string program() {
  for (const auto& found : switchyard::embedded::list_postgres()) {
    if (fs::exists(found.program("pgbench"))) return found.program("pgbench");
  }
  throw Unavailable("pgbench is not installed (Debian: postgresql-contrib's server package)");
}

std::string slurp(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct Window {
  std::chrono::system_clock::time_point begin, end;
};

/// The logged transactions that ended within the window: "client number microseconds script epoch microseconds",
/// one line each.
Latencies read_logs(const fs::path& folder, const Window& window) {
  Latencies latencies;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("transactions.")) continue;
    std::ifstream log(entry.path());
    std::int64_t client = 0, number = 0, took = 0, script = 0, second = 0, microsecond = 0;
    while (log >> client >> number >> took >> script >> second >> microsecond) {
      const std::chrono::system_clock::time_point ended(std::chrono::seconds(second) +
                                                        std::chrono::microseconds(microsecond));
      if (ended >= window.begin && ended < window.end) latencies.add(took * 1000);
    }
  }
  return latencies;
}

}  // namespace

Sample run_pgbench(const Site& site, const Load& load) {
  const std::string pgbench = program();
  const Folder folder;
  const std::string id = "\\set id random(1, " + std::to_string(kRows) + ")\n";
  const std::string read = folder.file("read.sql", id + "SELECT v FROM items WHERE id = :id;\n");
  const std::string update = folder.file("update.sql", id + "UPDATE items SET v = v + 1 WHERE id = :id;\n");
  const std::string output = folder.path() / "output";
  std::vector<std::string> words{"-M",
                                 "prepared",
                                 "-n",
                                 "-c",
                                 std::to_string(load.callers),
                                 "-j",
                                 load.callers == 1 ? "1" : "2",
                                 "-T",
                                 kLongEnough,
                                 "-h",
                                 site.host(load.transport),
                                 "-p",
                                 std::to_string(site.port(load.transport)),
                                 "-U",
                                 kRole,
                                 "--random-seed",
                                 std::to_string(load.seed),
                                 "--log",
                                 "--sampling-rate",
                                 kSampling,
                                 "--log-prefix",
                                 folder.path() / "transactions"};
  if (load.mix == Mix::reads) {
    words.insert(words.end(), {"-f", read});
  } else {
    words.insert(words.end(), {"-f", read + "@" + std::to_string(100 - kUpdatePercent), "-f",
                               update + "@" + std::to_string(kUpdatePercent)});
  }
  words.emplace_back(kDatabase);

  Child child(pgbench, std::move(words), output);
  const auto patience = Clock::now() + kConnectPatience;
  while (sessions_of(site.postmaster()).size() < static_cast<std::size_t>(load.callers)) {
    if (child.ended() || Clock::now() > patience) throw std::runtime_error("pgbench: " + slurp(output));
    std::this_thread::sleep_for(5ms);
  }
  const auto warm_up = std::chrono::duration<double>(load.warm_up_seconds) + kWarmUpOfEach * load.callers;
  std::this_thread::sleep_for(warm_up);
  Window window;
  Meter meter(site.postmaster(), child.pid());
  window.begin = std::chrono::system_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(load.seconds));
  window.end = std::chrono::system_clock::now();
  meter.stop();
  kill(child.pid(), SIGALRM);
  if (!child.wait()) throw std::runtime_error("pgbench: " + slurp(output));

  Latencies latencies = read_logs(folder.path(), window);
  Sample sample = meter.sample(static_cast<double>(latencies.count()) * kLoggedOneOf);
  sample.p50 = latencies.quantile(0.5);
  sample.p99 = latencies.quantile(0.99);
  sample.p999 = latencies.quantile(0.999);
  return sample;
}

}  // namespace lane_bench
