#include "progress_line.hpp"

#include "text_table.hpp"

#include <switchyard/base/units.hpp>

#include <cstdio>

namespace switchyard::cli {

namespace {
constexpr Duration kBetweenLines = std::chrono::milliseconds(100);  // on a terminal
constexpr Duration kBetweenMessages = std::chrono::seconds(10);     // elsewhere
}  // namespace

void ProgressLine::busy(const std::string& what, const std::string& how_far) {
  std::lock_guard lock(mutex_);
  going_on_[what] = how_far;
  const TimePoint now = Clock::now();
  const bool terminal = console_.err_is_terminal();
  if (console_.quiet() || now - std::max(shown_, started_) < (terminal ? kBetweenLines : kBetweenMessages)) return;
  shown_ = now;
  std::string text = format_duration(std::chrono::duration_cast<std::chrono::seconds>(now - started_));
  for (const auto& [name, far] : going_on_) text += "  " + name + ' ' + far;
  if (!terminal) {
    console_.note(text);
    return;
  }
  std::fputs(("\r\033[K" + fit(text, console_.width() - 1)).c_str(), stderr);
  std::fflush(stderr);
  visible_ = true;
}

void ProgressLine::done(const std::string& what, const std::string& message) {
  std::lock_guard lock(mutex_);
  going_on_.erase(what);
  clear();
  if (!message.empty()) console_.note(message);
}

void ProgressLine::clear() {
  if (!visible_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  visible_ = false;
}

}  // namespace switchyard::cli
