#include "interrupt.hpp"

#include "exit_code.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>

namespace switchyard::cli {

namespace {

constexpr auto kLook = std::chrono::milliseconds(50);
std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void note_signal(int) {
  if (received.fetch_add(1) > 0) std::_Exit(static_cast<int>(ExitCode::interrupted));
}

}  // namespace

InterruptWatch::InterruptWatch() {
  received = 0;
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
  thread_ = std::jthread([this](const std::stop_token& over) {
    while (!over.stop_requested()) {
      if (received > 0) {
        stop_.request_stop();
        return;
      }
      std::this_thread::sleep_for(kLook);
    }
  });
}

InterruptWatch::~InterruptWatch() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace switchyard::cli
