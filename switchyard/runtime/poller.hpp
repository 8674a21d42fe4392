// The descriptors that a loop watches, in one level-triggered epoll set (epoll(7)).
#pragma once

#include <switchyard/base/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include <sys/epoll.h>

namespace switchyard::inline v0::runtime {

/// One descriptor in a poller's set; must have left it when it is destroyed.
class Watch {
 public:
  Watch() noexcept = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// `events` of epoll_ctl(2). EPOLLERR and EPOLLHUP come whether asked for or not, until the watch leaves the set.
  virtual void on_ready(std::uint32_t events) noexcept = 0;

 protected:
  ~Watch() = default;

 private:
  friend class Poller;
  std::uint32_t events_ = 0;  // 0: not in the set
};

class Poller {
 public:
  /// Throws an Error of kind Unavailable when the system has no descriptor left.
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// From now on `watch` is told when one of `events` is there; no events: it leaves the set. 0 or an errno.
  [[nodiscard]] int watch(Watch& watch, int fd, std::uint32_t events) noexcept;
  /// Leaves the set, and what was reported but not handed out yet is forgotten. Before `fd` is closed.
  void forget(Watch& watch, int fd) noexcept;
  [[nodiscard]] static std::uint32_t events(const Watch& watch) noexcept { return watch.events_; }
  /// How many are in the set.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Waits until something is ready or `patience` has passed; kForever waits as long as it takes. What is ready is
  /// handed out by next().
  void wait(Duration patience) noexcept;
  static constexpr Duration kForever = Duration::max();
  /// Tells the next watch that is ready; false when there is none left.
  bool next() noexcept;

  /// Readable while something is ready: for a loop that watches this one.
  [[nodiscard]] int native_handle() const noexcept { return fd_; }

 private:
  int fd_;
  std::size_t size_ = 0;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  std::array<epoll_event, 128> ready_;
};

}  // namespace switchyard::inline v0::runtime
