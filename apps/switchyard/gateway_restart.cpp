#include "commands.hpp"
#include "fleet_choice.hpp"
#include "gateway_successor.hpp"

#include <switchyard/base/units.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

namespace switchyard::cli {

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(20);
/// The new process has to be there so soon.
constexpr Duration kPatience = std::chrono::seconds(30);

/// What is at a path now, and since when: numbers of inodes are used again.
struct Presence {
  ino_t inode = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  friend bool operator==(const Presence&, const Presence&) = default;
};
std::optional<Presence> presence_at(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return Presence{found.st_ino, found.st_ctim.tv_sec, found.st_ctim.tv_nsec};
}

}  // namespace

ExitCode restart_gateway(const GlobalOptions& global, const Console& console) {
  auto running = choose_running_fleet(global);
  if (!running.ok()) return fail(console, running.error());
  if (!*running) {
    console.complain("no gateway runs", "switchyard gateway starts one");
    return ExitCode::failed;
  }
  const RunningFleet& fleet = **running;
  const auto path = handover_path(fleet.application);
  if (!path.ok()) return fail(console, path.error());
  const std::optional<Presence> before = presence_at(*path);
  if (!before) {
    console.complain(
        "'" + fleet.application + "' (pid " + std::to_string(fleet.pid) + ") can't hand its clients over",
        "only what `switchyard gateway` has started can; switchyard down ends it");
    return ExitCode::failed;
  }
  // A mistake is better found by whom it can be told.
  if (!fleet.config_file.empty()) {
    if (const auto config = load_configuration(fleet, global); !config.ok()) return fail(console, config.error());
  }
  if (::kill(fleet.pid, SIGUSR2) != 0) {
    console.complain("can't reach pid " + std::to_string(fleet.pid) + ": " + std::strerror(errno));
    return ExitCode::failed;
  }
  const TimePoint deadline = deadline_after(Clock::now(), kPatience);
  for (auto now = before; !now || now == before; now = presence_at(*path)) {
    if (Clock::now() >= deadline) {
      console.complain("no process has taken over from pid " + std::to_string(fleet.pid) + " within " +
                           format_duration(kPatience),
                       "it goes on as before; its log says why the new one did not start");
      return ExitCode::failed;
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  console.note("A new process has taken over '" + fleet.application + "'; pid " + std::to_string(fleet.pid) +
               " ends when its last client has gone.");
  return ExitCode::ok;
}

}  // namespace switchyard::cli
