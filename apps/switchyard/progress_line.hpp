// One line on a terminal that shows how far a long piece of work is; elsewhere a message now and then.
#pragma once

#include "console.hpp"

#include <switchyard/base/time.hpp>

#include <map>
#include <mutex>
#include <string>

namespace switchyard::cli {

/// May be used from several threads.
class ProgressLine {
 public:
  explicit ProgressLine(const Console& console) noexcept : console_(console) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// What goes on with one of several things: "12.0 MB of 80.0 MB". Called as often as one likes.
  void busy(const std::string& what, const std::string& how_far);
  /// It is over: a message of its own, for good.
  void done(const std::string& what, const std::string& message);

 private:
  void clear();

  const Console& console_;
  std::mutex mutex_;
  std::map<std::string, std::string> going_on_;
  TimePoint shown_{}, started_ = Clock::now();
  bool visible_ = false;
};

}  // namespace switchyard::cli
