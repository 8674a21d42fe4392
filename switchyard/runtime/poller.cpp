#include <switchyard/runtime/poller.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include <unistd.h>

namespace switchyard::inline v0::runtime {
namespace {

/// epoll_wait() counts milliseconds; never too early.
int milliseconds(Duration patience) noexcept {
  constexpr std::int64_t kLongest = 3'600'000;  // longer waits are repeated
  return static_cast<int>(
      std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(patience).count(), kLongest));
}

/// As precise as the kernel can: a millisecond more or less is much for a timer of a few.
int wait_precisely(int fd, epoll_event* events, int size, Duration patience) noexcept {
  if (patience <= Duration::zero()) return ::epoll_wait(fd, events, size, 0);
  if (patience == Poller::kForever) return ::epoll_wait(fd, events, size, -1);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  const timespec time{.tv_sec = seconds.count(), .tv_nsec = (patience - seconds).count()};
  const int count = ::epoll_pwait2(fd, events, size, &time, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  return ::epoll_wait(fd, events, size, milliseconds(patience));
}

}  // namespace

Poller::Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_ < 0) {
    throw Error(ErrorKind::Unavailable, "could not make an epoll set: " + std::generic_category().message(errno));
  }
}

Poller::~Poller() { ::close(fd_); }

int Poller::watch(Watch& watch, int fd, std::uint32_t events) noexcept {
  if (watch.events_ == events) return 0;
  if (events == 0) {
    forget(watch, fd);
    return 0;
  }
  epoll_event wanted{.events = events, .data = {.ptr = &watch}};
  if (::epoll_ctl(fd_, watch.events_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &wanted) != 0) return errno;
  if (watch.events_ == 0) ++size_;
  watch.events_ = events;
  return 0;
}

void Poller::forget(Watch& watch, int fd) noexcept {
  if (watch.events_ == 0) return;
  ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
  watch.events_ = 0;
  --size_;
  for (std::size_t i = at_; i < count_; ++i) {
    if (ready_[i].data.ptr == &watch) ready_[i].data.ptr = nullptr;
  }
}

void Poller::wait(Duration patience) noexcept {
  SY_ASSERT(at_ == count_);
  at_ = count_ = 0;
  const int count = wait_precisely(fd_, ready_.data(), static_cast<int>(ready_.size()), patience);
  if (count > 0) count_ = static_cast<std::size_t>(count);
}

bool Poller::next() noexcept {
  while (at_ < count_) {
    const epoll_event event = ready_[at_++];
    if (event.data.ptr == nullptr) continue;
    static_cast<Watch*>(event.data.ptr)->on_ready(event.events);
    return true;
  }
  return false;
}

}  // namespace switchyard::inline v0::runtime
