#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace switchyard::cli {

namespace {

constexpr std::size_t kDefaultWidth = 80;

/// NO_COLOR counts when it is not empty; a terminal without abilities says TERM=dumb.
bool colours_wanted(const GlobalOptions& options) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return !options.no_color && (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      // `switchyard query ... | head`: nobody reads on, which is no mistake.
      if (errno == EPIPE) std::_Exit(0);
      std::_Exit(static_cast<int>(ExitCode::failed));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string Paint::operator()(Tone tone, std::string_view text) const {
  if (!on_ || tone == Tone::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (tone) {
    case Tone::strong: code = "\033[1m"; break;
    case Tone::good: code = "\033[32m"; break;
    case Tone::bad: code = "\033[31m"; break;
    case Tone::warn: code = "\033[33m"; break;
    case Tone::quiet: code = "\033[2m"; break;
    case Tone::plain: break;
  }
  return code + std::string(text) + "\033[0m";
}

Console::Console(const GlobalOptions& options)
    : out_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_terminal_(::isatty(STDERR_FILENO) == 1),
      quiet_(options.quiet),
      verbose_(options.verbose),
      out_(out_terminal_ && colours_wanted(options)),
      err_(err_terminal_ && colours_wanted(options)) {}

std::size_t Console::width() const noexcept {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) return size.ws_col;
  return kDefaultWidth;
}

void Console::print(std::string_view text) const { write_all(STDOUT_FILENO, text); }

void Console::note(std::string_view text) const {
  if (!quiet_) write_all(STDERR_FILENO, std::string(text) + '\n');
}

void Console::warn(std::string_view message) const {
  if (!quiet_) write_all(STDERR_FILENO, err_(Tone::warn, "warning: ") + std::string(message) + '\n');
}

void Console::complain(std::string_view message, std::string_view hint) const {
  std::string text = err_(Tone::bad, "error: ") + std::string(message) + '\n';
  if (!hint.empty()) text += err_(Tone::quiet, "hint:  ") + std::string(hint) + '\n';
  write_all(STDERR_FILENO, text);
}

void Console::complain(const Error& error) const {
  std::string message;
  if (!error.database().empty()) message = "database '" + std::string(error.database()) + "': ";
  message += error.message();
  const ServerFields* server = error.server();
  std::string text = err_(Tone::bad, "error: ") + message + '\n';
  const auto line = [&](const char* label, std::string_view value) {
    if (!value.empty()) text += err_(Tone::quiet, label) + std::string(value) + '\n';
  };
  if (server != nullptr) {
    line("detail:  ", server->detail);
    line("context: ", server->where);
  }
  line("hint:  ", error.hint());
  if (verbose_) line("route: ", error.route());
  write_all(STDERR_FILENO, text);
}

}  // namespace switchyard::cli
