#include "commands.hpp"
#include "fleet_choice.hpp"

#include <switchyard/base/units.hpp>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace switchyard::cli {

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(20);

/// A zombie, which its parent has not looked at yet, has ended.
bool has_ended(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t name_end = text.rfind(')');  // "123 (name) S ..."
  return name_end == std::string::npos || text.substr(name_end + 2, 1) == "Z";
}

/// True once the process has given up its claim and ended.
bool wait_until_gone(const RunningFleet& fleet, Duration timeout) {
  const TimePoint deadline = deadline_after(Clock::now(), timeout);
  while (is_claimed(fleet.application) || !has_ended(fleet.pid)) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

}  // namespace

ExitCode run_down(const GlobalOptions& global, const DownOptions& options, const Console& console) {
  auto running = choose_running_fleet(global);
  if (!running.ok()) {
    // Asked by name for something that does not run: as stopped as it can be.
    if (global.application && running.error().kind() == ErrorKind::Unavailable) {
      console.note("'" + *global.application + "' does not run.");
      return ExitCode::ok;
    }
    return fail(console, running.error());
  }
  if (!*running) {
    console.note("No fleet runs.");
    return ExitCode::ok;
  }
  const RunningFleet& fleet = **running;
  if (::kill(fleet.pid, SIGTERM) != 0 && errno != ESRCH) {
    console.complain("can't stop pid " + std::to_string(fleet.pid) + ": " + std::strerror(errno));
    return ExitCode::failed;
  }
  if (!wait_until_gone(fleet, options.timeout)) {
    console.complain("'" + fleet.application + "' (pid " + std::to_string(fleet.pid) + ") has not ended within " +
                         format_duration(options.timeout),
                     "kill -TERM " + std::to_string(fleet.pid) + " once more ends it at once");
    return ExitCode::failed;
  }
  console.note("'" + fleet.application + "' stopped.");
  return ExitCode::ok;
}

}  // namespace switchyard::cli
