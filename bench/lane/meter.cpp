#include "meter.hpp"

#include "site.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lane_bench {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> numbers_in(const std::string& folder) {
  std::vector<pid_t> found;
  DIR* const opened = opendir(folder.c_str());
  if (opened == nullptr) return found;
  while (const dirent* entry = readdir(opened)) {
    if (const int number = std::atoi(entry->d_name); number > 0) found.push_back(number);
  }
  closedir(opened);
  return found;
}

/// A session that ran for longer than this did more than answer a ping.
constexpr std::int64_t kWorked = 1'000'000;

/// The fields of /proc/PID/stat behind the name, which may hold spaces: state, ppid, ...
struct Stat {
  pid_t parent = 0;
  std::int64_t collected_ticks = 0;  ///< of children that it has waited for
};
Stat stat_of(pid_t pid) {
  const std::string text = slurp("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  Stat out;
  fields >> skipped >> out.parent;
  constexpr int kBetween = 11;  // pgrp to stime
  for (int i = 0; i < kBetween; ++i) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> user >> system;
  out.collected_ticks = user + system;
  return out;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const pid_t pid : numbers_in("/proc")) {
    if (stat_of(pid).parent == parent) found.push_back(pid);
  }
  return found;
}

}  // namespace

std::int64_t cpu_of_process(pid_t pid) {
  std::int64_t sum = 0;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const pid_t thread : numbers_in(tasks)) {
    sum += std::atoll(slurp(tasks + "/" + std::to_string(thread) + "/schedstat").c_str());
  }
  return sum;
}

std::int64_t cpu_of_self() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto nanoseconds = [](const timeval& value) {
    return value.tv_sec * std::int64_t{1'000'000'000} + value.tv_usec * std::int64_t{1000};
  };
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

std::int64_t cpu_of_server(pid_t postmaster) {
  static const std::int64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  std::int64_t sum = cpu_of_process(postmaster) + stat_of(postmaster).collected_ticks * tick;
  for (const pid_t child : children_of(postmaster)) sum += cpu_of_process(child);
  return sum;
}

std::map<pid_t, std::int64_t> sessions_of(pid_t postmaster) {
  std::map<pid_t, std::int64_t> found;
  for (const pid_t child : children_of(postmaster)) {
    // "postgres: CLUSTER: ROLE DATABASE ...", as the process title says
    const std::string title = slurp("/proc/" + std::to_string(child) + "/cmdline");
    if (title.find(std::string(" ") + kRole + " ") != std::string::npos) found[child] = cpu_of_process(child);
  }
  return found;
}

Meter::Meter(pid_t postmaster, pid_t client) : postmaster_(postmaster), client_(client) {
  sessions_ = sessions_of(postmaster_);
  server_cpu_ = cpu_of_server(postmaster_);
  client_cpu_ = client_cpu();
  begun_ = Clock::now();
}

std::int64_t Meter::client_cpu() const { return client_ == 0 ? cpu_of_self() : cpu_of_process(client_); }

void Meter::stop() {
  took_ = Clock::now() - begun_;
  client_cpu_ = client_cpu() - client_cpu_;
  server_cpu_ = cpu_of_server(postmaster_) - server_cpu_;
  for (const auto& [session, cpu] : sessions_of(postmaster_)) {
    const auto before = sessions_.find(session);
    if (cpu - (before == sessions_.end() ? 0 : before->second) > kWorked) ++used_;
  }
}

double Meter::seconds() const { return std::chrono::duration<double>(took_).count(); }

Sample Meter::sample(double statements) const {
  Sample out;
  out.sessions = used_;
  if (statements <= 0) return out;
  out.per_second = statements / seconds();
  out.client_cpu = 1e-3 * static_cast<double>(client_cpu_) / statements;
  out.server_cpu = 1e-3 * static_cast<double>(server_cpu_) / statements;
  return out;
}

}  // namespace lane_bench
