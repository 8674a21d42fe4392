// How a coroutine waits for something that is not a coroutine. Both kinds of waiting end from the ready list, and a
// waiter that is destroyed is forgotten.
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/runtime/link.hpp>
#include <switchyard/runtime/ready.hpp>

#include <coroutine>
#include <optional>
#include <utility>

namespace switchyard::inline v0::runtime {

/// Something that happens and stays so until reset(). Any number of waiters, all on one shard. It may be destroyed
/// only when nobody waits or together with the waiters.
class AsyncEvent {
 public:
  class Waiter : private Link {
   public:
    explicit Waiter(AsyncEvent& event) noexcept : event_(event) {}
    [[nodiscard]] bool await_ready() const noexcept { return event_.set_; }
    void await_suspend(std::coroutine_handle<> self) noexcept {
      self_ = self;
      event_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    friend class AsyncEvent;
    AsyncEvent& event_;
    std::coroutine_handle<> self_;
    ReadyNode node_;
  };

  /// Wakes every waiter, and lets later ones through.
  void set() noexcept {
    set_ = true;
    notify();
  }
  /// Wakes those who wait now, and nobody else.
  void notify() noexcept {
    while (Link* link = waiters_.pop_front()) {
      auto* waiter = static_cast<Waiter*>(link);
      waiter->node_.schedule(waiter->self_);
    }
  }
  void reset() noexcept { set_ = false; }
  [[nodiscard]] bool is_set() const noexcept { return set_; }
  /// `co_await event.wait()`: at once if it is set.
  [[nodiscard]] Waiter wait() noexcept { return Waiter(*this); }

 private:
  LinkList waiters_;
  bool set_ = false;
};

/// A value that one side provides once and the other awaits once.
template <class T>
class OneShot {
 public:
  class Waiter {
   public:
    explicit Waiter(OneShot& shot) noexcept : shot_(shot) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      if (shot_.waiter_ == this) shot_.waiter_ = nullptr;
    }
    [[nodiscard]] bool await_ready() const noexcept { return shot_.value_.has_value(); }
    void await_suspend(std::coroutine_handle<> self) noexcept {
      SY_ASSERT(shot_.waiter_ == nullptr);
      self_ = self;
      shot_.waiter_ = this;
    }
    T await_resume() {
      shot_.waiter_ = nullptr;
      return std::move(*shot_.value_);
    }

   private:
    friend class OneShot;
    OneShot& shot_;
    std::coroutine_handle<> self_;
    ReadyNode node_;
  };

  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  /// The first value counts, later ones are dropped.
  void set(T value) {
    if (value_) return;
    value_.emplace(std::move(value));
    if (waiter_ != nullptr) waiter_->node_.schedule(waiter_->self_);
  }
  [[nodiscard]] bool is_set() const noexcept { return value_.has_value(); }
  /// `T value = co_await shot.wait()`. The OneShot outlives the waiter.
  [[nodiscard]] Waiter wait() noexcept { return Waiter(*this); }

 private:
  std::optional<T> value_;
  Waiter* waiter_ = nullptr;
};

}  // namespace switchyard::inline v0::runtime
