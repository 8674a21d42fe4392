// One thread a session, for the blocking libraries.
#pragma once

#include "worker.hpp"

#include <exception>
#include <thread>
#include <vector>

namespace worker {

/// `run_once` runs the request's query on one session and gives its number of rows. Each session has run it once
/// before the clock starts.
template <class Session, class RunOnce>
void run_slice(std::vector<Session>& sessions, const Request& request, RunOnce run_once) {
  const auto count_of = static_cast<std::size_t>(request.sessions);
  for (std::size_t i = 0; i < count_of; ++i) run_once(sessions[i], request.query);
  std::vector<Count> counts(count_of);
  std::vector<std::exception_ptr> failures(count_of);
  const Slice slice(request.seconds);
  const auto loop = [&](std::size_t index) {
    Count count;  // not shared: no cache line goes back and forth
    try {
      while (slice.running()) {
        count.rows += run_once(sessions[index], request.query);
        ++count.statements;
      }
    } catch (...) {
      failures[index] = std::current_exception();
    }
    counts[index] = count;
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < count_of; ++i) threads.emplace_back(loop, i);
  loop(0);
  for (std::thread& thread : threads) thread.join();
  Count sum;
  for (std::size_t i = 0; i < count_of; ++i) {
    if (failures[i]) std::rethrow_exception(failures[i]);
    sum.statements += counts[i].statements;
    sum.rows += counts[i].rows;
  }
  slice.report(sum);
}

}  // namespace worker
