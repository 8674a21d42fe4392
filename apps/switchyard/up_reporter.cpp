#include "up_reporter.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

namespace switchyard::cli {

namespace {

constexpr std::array<std::string_view, 10> kTurning{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};

void write_err(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void TerminalReporter::clear() {
  if (std::exchange(line_shown_, false)) write_err("\r\033[K");
}

void TerminalReporter::step(std::string_view text) {
  clear();
  console_.note(console_.err()(Tone::good, "• ") + std::string(text));
}

void TerminalReporter::busy(std::string_view text) {
  if (!console_.err_is_terminal() || console_.quiet()) return;
  turn_ = (turn_ + 1) % kTurning.size();
  write_err("\r\033[K" + console_.err()(Tone::quiet, std::string(kTurning[turn_]) + " " + std::string(text)));
  line_shown_ = true;
}

void TerminalReporter::ready(std::string_view screen) {
  clear();
  console_.print(screen);
}

void TerminalReporter::failed(const Error& error) {
  clear();
  console_.complain(error);
}

PipeReporter::~PipeReporter() { end(); }

void PipeReporter::end() {
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
}

/// Kind, length, text. A parent that has gone away does not matter.
void PipeReporter::send(char kind, std::string_view text) {
  if (pipe_ < 0) return;
  const auto length = static_cast<std::uint32_t>(text.size());
  std::string message(1, kind);
  message.append(reinterpret_cast<const char*>(&length), sizeof(length));
  message += text;
  std::string_view left = message;
  while (!left.empty()) {
    const ssize_t written = ::write(pipe_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return end();
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

void PipeReporter::ready(std::string_view screen) {
  send('R', screen);
  end();
}

void PipeReporter::failed(const Error& error) {
  std::string text = std::to_string(static_cast<int>(exit_code_of(error))) + '\n' + std::string(error.message());
  text += '\n' + std::string(error.hint());
  send('F', text);
  end();
}

ExitCode follow_detached(int pipe, int pid, const std::string& log_file, const Console& console) {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);

  TerminalReporter terminal(console);
  std::string bytes;
  std::array<char, 4096> buffer;
  for (;;) {
    while (bytes.size() >= 5) {
      std::uint32_t length = 0;
      std::memcpy(&length, bytes.data() + 1, sizeof(length));
      if (bytes.size() < 5 + length) break;
      const char kind = bytes[0];
      const std::string text = bytes.substr(5, length);
      bytes.erase(0, 5 + length);
      if (kind == 'S') terminal.step(text);
      if (kind == 'B') terminal.busy(text);
      if (kind == 'R') {
        terminal.ready(text);
        return ExitCode::ok;
      }
      if (kind == 'F') {
        int code = 1;
        const std::size_t first = text.find('\n');
        const std::size_t last = text.rfind('\n');
        std::from_chars(text.data(), text.data() + first, code);
        terminal.failed(
            Error(ErrorKind::Usage, text.substr(first + 1, last - first - 1)).with_hint(text.substr(last + 1)));
        return static_cast<ExitCode>(code);
      }
    }
    const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
    if (interrupted != 0) {
      ::kill(pid, SIGTERM);
      ::waitpid(pid, nullptr, 0);
      return ExitCode::interrupted;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
  terminal.failed(Error(ErrorKind::Unavailable, "the background process ended before it was ready")
                      .with_hint("its log: " + log_file));
  return ExitCode::failed;
}

}  // namespace switchyard::cli
