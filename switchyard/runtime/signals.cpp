#include <switchyard/runtime/signals.hpp>

#include <switchyard/runtime/shard_loop.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {
namespace {

/// One a program is usual.
constexpr std::size_t kMostWatches = 8;

/// A pipe for each watch: the handler writes the signal's number into those in use. They are kept for the next
/// watch and never closed, since a handler may be about to write on another thread.
class Pipes {
 public:
  struct Pipe {
    std::atomic<bool> used{false};
    std::atomic<int> write_end{-1};
    int read_end = -1;
    bool hangup = false;
  };

  /// Throws an Error when there is none left.
  Pipe& take(bool hangup) {
    const std::lock_guard lock(mutex_);
    for (Pipe& pipe : pipes_) {
      if (pipe.used) continue;
      open(pipe);
      pipe.used = true;
      pipe.hangup = hangup;
      if (++in_use_ == 1) install(kSignals);
      if (hangup && ++hangups_ == 1) install(kHangup);
      return pipe;
    }
    throw Error(ErrorKind::Usage, "more than " + std::to_string(kMostWatches) + " watches for signals");
  }
  void give_back(Pipe& pipe) noexcept {
    const std::lock_guard lock(mutex_);
    pipe.used = false;
    if (pipe.hangup && --hangups_ == 0) restore(kHangup);
    if (--in_use_ == 0) restore(kSignals);
  }

  static void on_signal(int number) noexcept;

 private:
  static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
  static constexpr std::array<int, 2> kHangup{SIGHUP, SIGUSR2};

  static void open(Pipe& pipe) {
    if (pipe.read_end >= 0) {
      char stale[64];  // from a signal that came when the last watch went
      while (::read(pipe.read_end, stale, sizeof(stale)) > 0) {
      }
      return;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) {
      throw Error(ErrorKind::Unavailable, "could not make a pipe: " + std::generic_category().message(errno));
    }
    pipe.read_end = ends[0];
    pipe.write_end = ends[1];
  }
  void install(std::span<const int> signals) noexcept {
    struct sigaction action{};
    action.sa_handler = &Pipes::on_signal;
    action.sa_flags = SA_RESTART;
    ::sigfillset(&action.sa_mask);
    for (const int number : signals) ::sigaction(number, &action, &before_[static_cast<std::size_t>(number)]);
  }
  void restore(std::span<const int> signals) noexcept {
    for (const int number : signals) ::sigaction(number, &before_[static_cast<std::size_t>(number)], nullptr);
  }

  std::mutex mutex_;
  std::array<Pipe, kMostWatches> pipes_;
  std::array<struct sigaction, SIGTERM + 1> before_{};  ///< by number; SIGTERM is the highest
  std::size_t in_use_ = 0;
  std::size_t hangups_ = 0;  ///< of them, watch SIGHUP as well
};

constinit Pipes g_pipes;

void Pipes::on_signal(int number) noexcept {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  for (const Pipe& pipe : g_pipes.pipes_) {
    // A pipe that is full has told often enough.
    if (pipe.used) [[maybe_unused]]
      const ssize_t written = ::write(pipe.write_end, &byte, 1);
  }
  errno = saved;
}

}  // namespace

class SignalWatch::Impl final : public Resource, private Watch, public std::enable_shared_from_this<Impl> {
 public:
  Impl(ShardLoop& loop, std::function<void(int)> on_second, std::function<void()> on_hangup,
       std::function<void()> on_user2)
      : loop_(loop),
        on_second_(std::move(on_second)),
        on_hangup_(std::move(on_hangup)),
        on_user2_(std::move(on_user2)),
        pipe_(g_pipes.take(on_hangup_ != nullptr)) {
    loop.adopt(*this);
    if (const int error = loop_.watch(*this, pipe_.read_end, EPOLLIN)) {
      close();
      throw Error(ErrorKind::Unavailable, "could not watch for signals: " + std::generic_category().message(error));
    }
  }
  void loop_ends() noexcept override { close(); }
  void close() noexcept {
    if (std::exchange(closed_, true)) return;
    unlink();
    loop_.forget(*this, pipe_.read_end);
    g_pipes.give_back(pipe_);
  }

  AsyncEvent first_;
  int number_ = 0;

 private:
  void on_ready(std::uint32_t /*events*/) noexcept override {
    const std::shared_ptr<Impl> self = shared_from_this();
    unsigned char number = 0;
    while (!closed_ && ::read(pipe_.read_end, &number, 1) == 1) {
      if (number == SIGHUP) {
        if (on_hangup_) on_hangup_();
      } else if (number == SIGUSR2) {
        if (on_user2_) on_user2_();
      } else if (number_ == 0) {
        number_ = number;
        first_.set();
      } else if (on_second_) {
        on_second_(number);
      }
    }
  }

  ShardLoop& loop_;
  std::function<void(int)> on_second_;
  std::function<void()> on_hangup_;
  std::function<void()> on_user2_;
  Pipes::Pipe& pipe_;
  bool closed_ = false;
};

SignalWatch::SignalWatch(Shard& shard, std::function<void(int)> on_second)
    : SignalWatch(shard, std::move(on_second), {}) {}
SignalWatch::SignalWatch(Shard& shard, std::function<void(int)> on_second, std::function<void()> on_hangup)
    : SignalWatch(shard, std::move(on_second), std::move(on_hangup), {}) {}
SignalWatch::SignalWatch(Shard& shard, std::function<void(int)> on_second, std::function<void()> on_hangup,
                         std::function<void()> on_user2)
    : impl_(std::make_shared<Impl>(static_cast<ShardLoop&>(shard.loop()), std::move(on_second),
                                   std::move(on_hangup), std::move(on_user2))) {}
SignalWatch::~SignalWatch() { impl_->close(); }
AsyncEvent& SignalWatch::first() noexcept { return impl_->first_; }
int SignalWatch::signal() const noexcept { return impl_->number_; }

}  // namespace switchyard::inline v0::runtime
