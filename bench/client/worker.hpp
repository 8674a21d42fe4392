// What every client program of the benchmark does around its library. ./run starts it with a connection string,
// reads "ready LIBRARY VERSION", then sends slices "QUERY SESSIONS SECONDS", one a line; each is answered with
// "STATEMENTS ROWS SECONDS CPU_SECONDS", or "unsupported". The CPU time is that of the whole process during the
// slice, user and system; connecting and preparing are not part of a slice.
#pragma once

#include "workload.hpp"

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace worker {

using Clock = std::chrono::steady_clock;

struct Count {
  std::uint64_t statements = 0;
  std::uint64_t rows = 0;
};

inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& value) {
    return static_cast<double>(value.tv_sec) + 1e-6 * static_cast<double>(value.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The clock of one slice: started once everything is connected and prepared.
class Slice {
 public:
  explicit Slice(double seconds)
      : cpu_(cpu_seconds()),
        start_(Clock::now()),
        end_(start_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}
  [[nodiscard]] bool running() const { return Clock::now() < end_; }
  void report(const Count& count) const {
    const double cpu = cpu_seconds() - cpu_;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    std::printf("%llu %llu %.6f %.6f\n", static_cast<unsigned long long>(count.statements),
                static_cast<unsigned long long>(count.rows), seconds, cpu);
    std::fflush(stdout);
  }

 private:
  double cpu_;
  Clock::time_point start_;
  Clock::time_point end_;
};

struct Request {
  workload::Query query;
  int sessions;
  double seconds;
};

inline void say_ready(std::string_view what) { std::cout << "ready " << what << std::endl; }
inline void say_unsupported() { std::cout << "unsupported" << std::endl; }

/// The next slice; nothing at the end of the input.
inline std::optional<Request> next_request() {
  std::string name;
  Request request{};
  if (!(std::cin >> name >> request.sessions >> request.seconds)) return std::nullopt;
  for (const workload::QueryName& known : workload::kQueries) {
    if (known.name == name) request.query = known.query;
  }
  return request;
}

}  // namespace worker
