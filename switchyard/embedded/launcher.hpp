// Starts programs that must not outlive this process, under another account if need be.
//
// PR_SET_PDEATHSIG is sent when the *thread* that forked ends, so every fork happens on one launcher thread that
// lives as long as the process. When the process ends, however it ends, the kernel sends SIGINT to everything
// started here; for `postgres` that is a fast shutdown.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/account.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::embedded {

/// What to start. The program gets this environment and these descriptors and nothing else.
struct LaunchSpec {
  std::string program;                   ///< absolute path
  std::vector<std::string> arguments;    ///< without argv[0]
  std::vector<std::string> environment;  ///< "NAME=value"; see clean_environment()
  std::string working_folder = "/";
  std::optional<Account> account;  ///< nothing: as the caller
  int output = -1;                 ///< becomes stdout and stderr, stays the caller's; -1: /dev/null
  int errors = -1;                 ///< becomes stderr instead; -1: as output
  int input = -1;                  ///< becomes stdin; -1: /dev/null
};

/// PATH, HOME and locale, and none of the caller's PG* variables: libpq inside a server (replication) and
/// pg_basebackup would obey those, and look for certificates under HOME.
[[nodiscard]] std::vector<std::string> clean_environment(const std::string& home);

/// A child process. Owns its exit status, not its life: destroying this neither signals nor waits.
class Process {
 public:
  Process() = default;
  explicit Process(pid_t pid) noexcept : pid_(pid) {}

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Collects the exit status if the process has ended.
  [[nodiscard]] bool running() noexcept;
  /// True once it has ended, false if it still runs at the deadline.
  [[nodiscard]] bool wait_until(TimePoint deadline) noexcept;
  void signal(int number) noexcept;
  /// Zero, as a shell counts: exit code, or 128 + signal. Meaningful when it has ended.
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = 0;
};

/// Forks on the launcher thread and returns once the program has been executed (not: has finished). An error names
/// the step that failed (account, folder, exec).
[[nodiscard]] Result<Process> launch(const LaunchSpec& spec);

/// Runs a program to its end and returns what it printed (the last 256 kB). An exit code other than 0, or a
/// deadline (then it is killed), is an error that carries the output.
[[nodiscard]] Result<std::string> run_program(LaunchSpec spec, TimePoint deadline);

}  // namespace switchyard::inline v0::embedded
