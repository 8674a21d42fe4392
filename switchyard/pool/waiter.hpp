// Callers that wait for a session: links of a queue, owned by the callers.
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>

namespace switchyard::inline v0::pool {

/// What a waiting caller wants when a connection attempt fails and the pool has no open session at all.
enum class OnConnectError : std::uint8_t {
  wait,  ///< go on until the deadline: the server may come back
  fail,  ///< hear of it at once (health checks, command line)
};

/// The site of a lease that lasts as long as it likes: no leak, and no measure for others.
inline constexpr const char kLaneSite[] = "shared lane";

/// One caller in the queue. The caller fills deadline, site and on_connect_error, keeps the object where it is and
/// calls PoolMachine::abandon before it goes away while queued().
class Waiter {
 public:
  Waiter() noexcept = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() { SY_ASSERT(!queued_); }

  /// The caller's own limit; the pool's acquire_timeout applies besides.
  TimePoint deadline = kNever;
  /// Static text that names the operation, for the leak watch. May be null.
  const char* site = nullptr;
  OnConnectError on_connect_error = OnConnectError::wait;
  /// Before all others: the engine's own, without which theirs take longer.
  bool goes_first = false;

  [[nodiscard]] bool queued() const noexcept { return queued_; }
  /// When it was queued.
  [[nodiscard]] TimePoint since() const noexcept { return since_; }

 private:
  friend class WaiterQueue;
  friend class PoolMachine;
  Waiter* previous_ = nullptr;
  Waiter* next_ = nullptr;
  TimePoint since_{};
  TimePoint limit_ = kNever;  // the smaller of deadline and since_ + acquire_timeout
  bool queued_ = false;
};

/// First come, first served, but for those that go first; removal anywhere is O(1).
class WaiterQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return front_ == nullptr; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] Waiter* front() const noexcept { return front_; }
  [[nodiscard]] static Waiter* next(const Waiter& waiter) noexcept { return waiter.next_; }

  void push_back(Waiter& waiter) noexcept {
    waiter.previous_ = back_;
    waiter.next_ = nullptr;
    (back_ ? back_->next_ : front_) = &waiter;
    back_ = &waiter;
    waiter.queued_ = true;
    ++size_;
  }
  void push_front(Waiter& waiter) noexcept {
    waiter.previous_ = nullptr;
    waiter.next_ = front_;
    (front_ ? front_->previous_ : back_) = &waiter;
    front_ = &waiter;
    waiter.queued_ = true;
    ++size_;
  }
  void remove(Waiter& waiter) noexcept {
    SY_ASSERT(waiter.queued_);
    (waiter.previous_ ? waiter.previous_->next_ : front_) = waiter.next_;
    (waiter.next_ ? waiter.next_->previous_ : back_) = waiter.previous_;
    waiter.previous_ = waiter.next_ = nullptr;
    waiter.queued_ = false;
    --size_;
  }

 private:
  Waiter* front_ = nullptr;
  Waiter* back_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace switchyard::inline v0::pool
