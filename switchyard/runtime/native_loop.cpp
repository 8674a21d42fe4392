#include <switchyard/runtime/native_loop.hpp>

#include <switchyard/base/error.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {

NativeLoop::Doorbell::Doorbell(NativeLoop& loop) : loop_(loop), fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  const int error = fd_ < 0 ? errno : loop.poller_.watch(*this, fd_, EPOLLIN);
  if (error == 0) return;
  if (fd_ >= 0) ::close(fd_);
  throw Error(ErrorKind::Unavailable, "could not make an eventfd: " + std::generic_category().message(error));
}

NativeLoop::Doorbell::~Doorbell() {
  loop_.poller_.forget(*this, fd_);
  ::close(fd_);
}

void NativeLoop::Doorbell::ring() noexcept {
  const std::uint64_t one = 1;
  // It can only fail because it is ringing already.
  [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof(one));
}

void NativeLoop::Doorbell::on_ready(std::uint32_t /*events*/) noexcept {
  std::uint64_t rings;
  [[maybe_unused]] const ssize_t read = ::read(fd_, &rings, sizeof(rings));
  loop_.run_posted();
}

NativeLoop::NativeLoop(Shard* shard) : ShardLoop(shard) {}
NativeLoop::~NativeLoop() = default;

void NativeLoop::post(std::function<void()> fn) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(fn));
  }
  if (first) doorbell_.ring();
}

void NativeLoop::run_posted() noexcept {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (std::function<void()>& fn : running_) fn();
  running_.clear();
}

void NativeLoop::step() noexcept {
  if (turn_requested()) return pass(Duration::zero());
  const TimePoint next = next_timer();
  pass(next == kNever ? Poller::kForever : next - Clock::now());
}

void NativeLoop::run() {
  refuse_nested_run();
  const NoScope none;
  while (!stopped_.exchange(false, std::memory_order_acquire)) step();
}

void NativeLoop::run_until(const bool& done) {
  refuse_nested_run();
  const NoScope none;
  while (!done) {
    if (stopped_.exchange(false, std::memory_order_acquire)) {
      throw Error(ErrorKind::Closed, "the shard was stopped before the task was done");
    }
    step();
  }
}

void NativeLoop::stop() noexcept {
  stopped_.store(true, std::memory_order_release);
  doorbell_.ring();
}

void NativeLoop::close() noexcept {
  end();
  closed_ = true;
  std::vector<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(posted_);
  }
  const Scope scope(*this);  // what dies with them may have to schedule something
  dropped.clear();
}

}  // namespace switchyard::inline v0::runtime
