// The loop of a shard: a Loop with descriptors. One that blocks in its own epoll set (native_loop.hpp), or one that
// is called by a loop of the user's (asio_loop.hpp).
#pragma once

#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/poller.hpp>
#include <switchyard/runtime/spare_buffers.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace switchyard::inline v0::runtime {

class ShardLoop : public Loop, public std::enable_shared_from_this<ShardLoop> {
 public:
  /// The current loop; asserted to be a shard's.
  [[nodiscard]] static ShardLoop& current() noexcept;

  /// Poller::watch() of this loop's set. 0 or an errno.
  [[nodiscard]] int watch(Watch& watch, int fd, std::uint32_t events) noexcept {
    const int error = poller_.watch(watch, fd, events);
    if (error == 0) watched();
    return error;
  }
  void forget(Watch& watch, int fd) noexcept {
    poller_.forget(watch, fd);
    watched();
  }
  /// A watch has read so much. After kBytesPerTurn those who got it go on before anything else is read: their next
  /// requests keep the servers busy meanwhile.
  void note_received(std::size_t bytes) noexcept { received_ += bytes; }
  static constexpr std::size_t kBytesPerTurn = 16 * 1024;
  [[nodiscard]] SpareBuffers& spare() noexcept { return spare_; }

  using Loop::set_shard;
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Any thread.
  virtual void post(std::function<void()> fn) = 0;
  virtual void run() = 0;
  virtual void run_until(const bool& done) = 0;
  /// Any thread.
  virtual void stop() noexcept = 0;
  /// Ends the loop; what is still queued is thrown away.
  virtual void close() noexcept = 0;

 protected:
  explicit ShardLoop(Shard* shard) : Loop(Clock::now(), shard) {}
  ~ShardLoop() = default;

  /// Waits at most so long, hands out what is ready, and runs the turn that this, or somebody before, asked for.
  void pass(Duration patience) noexcept;
  /// The set may have become empty, or may not be empty any more.
  virtual void watched() noexcept {}
  /// Throws when this thread runs a loop already.
  void refuse_nested_run() const;

  Poller poller_;
  bool closed_ = false;

 private:
  TimePoint read_clock() noexcept override { return Clock::now(); }
  std::size_t received_ = 0;  // since the last turn
  SpareBuffers spare_;
};

}  // namespace switchyard::inline v0::runtime
