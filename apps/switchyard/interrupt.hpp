// Ctrl-C for commands that block: the first asks for an orderly end, the second ends at once.
#pragma once

#include <stop_token>
#include <thread>

namespace switchyard::cli {

/// One at a time in a process. SIGINT and SIGTERM are as before when it is gone.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] std::stop_token token() const noexcept { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread thread_;
};

}  // namespace switchyard::cli
