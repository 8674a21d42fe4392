// Time, processor time and sessions of a slice, client and server apart.
#pragma once

#include "sample.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>

namespace lane_bench {

using Clock = std::chrono::steady_clock;

/// Nanoseconds that all threads of a process have run.
[[nodiscard]] std::int64_t cpu_of_process(pid_t pid);
/// Of this process, user and system.
[[nodiscard]] std::int64_t cpu_of_self();
/// Of a postmaster and all its children, those that have ended included: what is alive by the scheduler's own
/// account, what has ended by what the postmaster collected when it waited for it.
[[nodiscard]] std::int64_t cpu_of_server(pid_t postmaster);
/// Server processes of the benchmark's role, and for how long each has run.
[[nodiscard]] std::map<pid_t, std::int64_t> sessions_of(pid_t postmaster);

/// Runs from construction to stop(). `client` is 0 for this process.
class Meter {
 public:
  Meter(pid_t postmaster, pid_t client);
  void stop();
  [[nodiscard]] double seconds() const;
  /// Throughput and CPU of so many statements.
  [[nodiscard]] Sample sample(double statements) const;

 private:
  [[nodiscard]] std::int64_t client_cpu() const;
  pid_t postmaster_;
  pid_t client_;
  std::map<pid_t, std::int64_t> sessions_;  ///< in the beginning
  int used_ = 0;
  std::int64_t client_cpu_;
  std::int64_t server_cpu_;
  Clock::time_point begun_;
  Clock::duration took_{};
};

}  // namespace lane_bench
