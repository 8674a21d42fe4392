// The adaptive limiter of one endpoint on this shard, with the queue of those who wait to be let in: first come,
// first served, before they ask the pool. Not enabled (the default), it is not asked at all.
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/resilience/limiter.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace switchyard::inline v0::fleet {

class EndpointLimiter;

/// One of the calls in flight. Moves; when it goes, the next in the queue is let in. Keeps its limiter alive.
class [[nodiscard]] LimiterPlace {
 public:
  LimiterPlace() = default;
  LimiterPlace(LimiterPlace&& other) noexcept : limiter_(std::move(other.limiter_)) {}
  LimiterPlace& operator=(LimiterPlace&& other) noexcept {
    if (this != &other) {
      leave();
      limiter_ = std::move(other.limiter_);
    }
    return *this;
  }
  ~LimiterPlace() { leave(); }
  explicit operator bool() const noexcept { return limiter_ != nullptr; }
  [[nodiscard]] const EndpointLimiter* limiter() const noexcept { return limiter_.get(); }

 private:
  friend class EndpointLimiter;
  explicit LimiterPlace(std::shared_ptr<EndpointLimiter> limiter) noexcept : limiter_(std::move(limiter)) {}
  inline void leave() noexcept;
  std::shared_ptr<EndpointLimiter> limiter_;
};

/// Who waits for a place: a link of the queue, owned by the caller, taken out when it goes.
class LimiterWaiter {
 public:
  LimiterWaiter() = default;
  LimiterWaiter(const LimiterWaiter&) = delete;
  LimiterWaiter& operator=(const LimiterWaiter&) = delete;
  [[nodiscard]] bool waits() const noexcept { return queue_ != nullptr; }
  inline void stop_waiting() noexcept;
  /// It is its turn. Only notes it: the caller goes on in a later turn of the loop.
  virtual void on_place(LimiterPlace place) noexcept = 0;

 protected:
  ~LimiterWaiter() { stop_waiting(); }

 private:
  friend class EndpointLimiter;
  EndpointLimiter* queue_ = nullptr;
  LimiterWaiter* previous_ = nullptr;
  LimiterWaiter* next_ = nullptr;
};

/// Owned by a shared pointer.
class EndpointLimiter : public std::enable_shared_from_this<EndpointLimiter> {
 public:
  EndpointLimiter(resilience::LimiterSettings settings, TimePoint now) noexcept : limiter_(settings, now) {}
  EndpointLimiter(const EndpointLimiter&) = delete;
  EndpointLimiter& operator=(const EndpointLimiter&) = delete;
  /// Those who wait are forgotten: whoever ends the endpoint tells them.
  ~EndpointLimiter() {
    while (front_ != nullptr) remove(*front_);
  }

  [[nodiscard]] bool enabled() const noexcept { return limiter_.enabled(); }
  [[nodiscard]] const resilience::Limiter& limiter() const noexcept { return limiter_; }
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }

  /// Empty when the limit is reached, or others wait.
  [[nodiscard]] LimiterPlace try_enter() noexcept {
    if (front_ != nullptr || !limiter_.try_enter()) return {};
    return LimiterPlace(shared_from_this());
  }
  void wait(LimiterWaiter& waiter) noexcept {
    SY_ASSERT(!waiter.waits());
    waiter.queue_ = this;
    waiter.previous_ = back_;
    waiter.next_ = nullptr;
    (back_ != nullptr ? back_->next_ : front_) = &waiter;
    back_ = &waiter;
    ++waiting_;
  }
  /// The endpoint answered a call that took so long.
  void measure(Duration took, TimePoint now) noexcept {
    if (enabled()) limiter_.measure(took, now);
  }

 private:
  friend class LimiterPlace;
  friend class LimiterWaiter;
  void leave() noexcept {
    limiter_.leave();
    // The limit may have grown meanwhile: several may go.
    while (front_ != nullptr && limiter_.try_enter()) {
      LimiterWaiter& next = *front_;
      remove(next);
      next.on_place(LimiterPlace(shared_from_this()));
    }
  }
  void remove(LimiterWaiter& waiter) noexcept {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : front_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : back_) = waiter.previous_;
    waiter.queue_ = nullptr;
    --waiting_;
  }

  resilience::Limiter limiter_;
  LimiterWaiter* front_ = nullptr;
  LimiterWaiter* back_ = nullptr;
  std::uint32_t waiting_ = 0;
};

inline void LimiterPlace::leave() noexcept {
  if (const auto limiter = std::move(limiter_)) limiter->leave();
}

inline void LimiterWaiter::stop_waiting() noexcept {
  if (queue_ != nullptr) queue_->remove(*this);
}

}  // namespace switchyard::inline v0::fleet
