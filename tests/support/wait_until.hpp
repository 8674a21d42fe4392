// Waiting for something that another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace switchyard::testing {

/// Asks `condition` every few milliseconds until it is true. False if it still is not after `limit`, which is long:
/// it ends a failed test, it decides none.
template <class Condition>
[[nodiscard]] bool wait_until(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace switchyard::testing
