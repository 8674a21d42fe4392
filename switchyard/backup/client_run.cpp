#include <switchyard/backup/client_run.hpp>

#include <fcntl.h>
#include <poll.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::size_t kPiece = 128 << 10;
constexpr std::size_t kKeptErrors = 8 << 10;
constexpr int kStopLookMs = 100;  // how soon a stop is seen
constexpr auto kGentleEnd = std::chrono::seconds(5);

/// Both ends of a pipe; closed with it.
struct Pipe {
  int read_end = -1, write_end = -1;

  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  Result<void> open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      return Error(ErrorKind::Unavailable, "no pipe: " + std::generic_category().message(errno));
    }
    read_end = ends[0];
    write_end = ends[1];
    return {};
  }
  void close_read() {
    if (read_end >= 0) ::close(std::exchange(read_end, -1));
  }
  void close_write() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
};

/// Ends a program that is not wanted any more: as Ctrl-C does, then by force.
class Ending {
 public:
  explicit Ending(embedded::Process process) : process_(process) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  ~Ending() {
    if (!process_.running()) return;
    process_.signal(SIGINT);
    if (process_.wait_until(Clock::now() + kGentleEnd)) return;
    process_.signal(SIGKILL);
    static_cast<void>(process_.wait_until(kNever));
  }
  embedded::Process& operator*() noexcept { return process_; }

 private:
  embedded::Process process_;
};

/// Reads what is there; false at the end.
bool drain(int descriptor, std::string& into) {
  std::array<char, 4096> piece;
  const ssize_t got = ::read(descriptor, piece.data(), piece.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  into.append(piece.data(), static_cast<std::size_t>(got));
  if (into.size() > 2 * kKeptErrors) into.erase(0, into.size() - kKeptErrors);
  return true;
}

std::string name_of(const embedded::LaunchSpec& spec) {
  return std::filesystem::path(spec.program).filename().string();
}

Error stopped(const embedded::LaunchSpec& spec) { return {ErrorKind::Cancelled, name_of(spec) + " was stopped"}; }

Error failed(const embedded::LaunchSpec& spec, int code, std::string errors) {
  while (!errors.empty() && (errors.back() == '\n' || errors.back() == ' ')) errors.pop_back();
  const std::string what = name_of(spec) + " failed (exit status " + std::to_string(code) + ")";
  return {ErrorKind::Unavailable, errors.empty() ? what : what + ": " + errors};
}

}  // namespace

Result<void> run_and_consume(embedded::LaunchSpec spec, const Consumer& consumer, std::stop_token stop) {
  Pipe output, errors;
  SY_TRY(output.open());
  SY_TRY(errors.open());
  spec.output = output.write_end;
  spec.errors = errors.write_end;
  auto started = embedded::launch(spec);
  if (!started.ok()) return started.error();
  Ending process(*started);
  output.close_write();
  errors.close_write();
  std::string buffer(kPiece, '\0'), said;
  while (output.read_end >= 0 || errors.read_end >= 0) {
    if (stop.stop_requested()) return stopped(spec);
    std::array<pollfd, 2> watched{{{.fd = output.read_end, .events = POLLIN, .revents = 0},
                                   {.fd = errors.read_end, .events = POLLIN, .revents = 0}}};
    if (::poll(watched.data(), watched.size(), kStopLookMs) <= 0) continue;
    if (watched[1].revents != 0 && !drain(errors.read_end, said)) errors.close_read();
    if (watched[0].revents == 0) continue;
    const ssize_t got = ::read(output.read_end, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      output.close_read();
      continue;
    }
    SY_TRY(consumer(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
  static_cast<void>((*process).wait_until(kNever));
  if ((*process).exit_code() != 0) return failed(spec, (*process).exit_code(), std::move(said));
  return {};
}

Result<std::string> run_and_feed(embedded::LaunchSpec spec, const Producer& producer, std::stop_token stop) {
  Pipe input, errors;
  SY_TRY(input.open());
  SY_TRY(errors.open());
  spec.input = input.read_end;
  spec.errors = errors.write_end;
  auto started = embedded::launch(spec);
  if (!started.ok()) return started.error();
  Ending process(*started);
  input.close_read();
  errors.close_write();
  ::fcntl(input.write_end, F_SETFL, O_NONBLOCK);
  std::string pending, said;
  std::size_t written = 0;
  bool whole = false;
  while (errors.read_end >= 0 || input.write_end >= 0) {
    if (stop.stop_requested()) return stopped(spec);
    if (input.write_end >= 0 && written == pending.size()) {
      pending.clear();
      written = 0;
      if (!whole) SY_TRY(producer(pending));
      whole = pending.empty();
      if (whole) input.close_write();
      if (whole && errors.read_end < 0) break;
    }
    std::array<pollfd, 2> watched{{{.fd = input.write_end, .events = POLLOUT, .revents = 0},
                                   {.fd = errors.read_end, .events = POLLIN, .revents = 0}}};
    if (::poll(watched.data(), watched.size(), kStopLookMs) <= 0) continue;
    if (watched[1].revents != 0 && !drain(errors.read_end, said)) errors.close_read();
    if (watched[0].revents == 0 || input.write_end < 0) continue;
    const ssize_t put = ::write(input.write_end, pending.data() + written, pending.size() - written);
    if (put >= 0) {
      written += static_cast<std::size_t>(put);
    } else if (errno != EINTR && errno != EAGAIN) {
      input.close_write();  // it has ended: its exit status says why
      written = pending.size();
      whole = true;
    }
  }
  static_cast<void>((*process).wait_until(kNever));
  if ((*process).exit_code() != 0) return failed(spec, (*process).exit_code(), std::move(said));
  return said;
}

}  // namespace switchyard::inline v0::backup
