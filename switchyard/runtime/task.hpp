// Task<T>: a piece of asynchronous work.
//
//   sy::Task<int> answer() { co_return 42; }
//   sy::Task<void> user() { int n = co_await answer(); }
//
// A task is lazy: nothing runs before it is awaited (or handed to spawn, all, any, with_timeout, or a shard).
// It is awaited once, as an rvalue. An exception that leaves the coroutine is thrown where the task is awaited.
// Dropping a task at any time cancels it: its frame and everything below it is destroyed, and whatever it waited
// for forgets it. The only place where a task may not be dropped is inside itself, while it runs.
//
// A task keeps references to its arguments. Clang warns when a temporary is bound to a task that outlives it;
// `co_await f(temporary)` is fine.
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/frame.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#if defined(__clang__) && defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_return_type) && __has_cpp_attribute(clang::coro_lifetimebound)
#define SWITCHYARD_COROUTINE_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define SWITCHYARD_COROUTINE_WRAPPER [[clang::coro_wrapper, clang::coro_disable_lifetimebound]]
#endif
#endif
#ifndef SWITCHYARD_COROUTINE_TYPE
/// Marks a coroutine's return type so that the compiler checks the lifetimes of the arguments.
#define SWITCHYARD_COROUTINE_TYPE
/// Marks a function that returns a Task without being a coroutine itself. The lifetimes of its arguments are its
/// own business then.
#define SWITCHYARD_COROUTINE_WRAPPER
#endif

namespace switchyard::inline v0 {

template <class T = void>
class Task;

namespace task_detail {

/// What all promises share: recycled frames, a lazy start, and the coroutine to go on with at the end.
class PromiseBase {
 public:
  static void* operator new(std::size_t size) { return runtime::allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { runtime::release_frame(frame, size); }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      const std::coroutine_handle<> next = self.promise().continuation_;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  void set_continuation(std::coroutine_handle<> next) noexcept { continuation_ = next; }

 private:
  std::coroutine_handle<> continuation_;
};

template <class T>
class Promise final : public PromiseBase {
 public:
  Promise() noexcept {}  // NOLINT: the union starts empty
  ~Promise() {
    if (state_ == State::value) std::destroy_at(std::addressof(value_));
    if (state_ == State::error) std::destroy_at(std::addressof(error_));
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  Task<T> get_return_object() noexcept;

  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    std::construct_at(std::addressof(value_), std::forward<U>(value));
    state_ = State::value;
  }
  void unhandled_exception() noexcept {
    std::construct_at(std::addressof(error_), std::current_exception());
    state_ = State::error;
  }
  T take() {
    if (state_ == State::error) std::rethrow_exception(error_);
    SY_ASSERT(state_ == State::value);
    return std::move(value_);
  }

 private:
  enum class State : std::uint8_t { running, value, error };
  union {
    T value_;
    std::exception_ptr error_;
  };
  State state_ = State::running;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  void take() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

}  // namespace task_detail

template <class T>
class [[nodiscard]] SWITCHYARD_COROUTINE_TYPE Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using value_type = T;

  /// No work: awaiting it is a mistake. For members that are filled later.
  Task() noexcept = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { reset(); }

  /// True if there is work that nobody awaits yet.
  explicit operator bool() const noexcept { return frame_ != nullptr; }
  /// Drops the work.
  void reset() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(Task task) noexcept : task_(std::move(task)) { SY_ASSERT(task_.frame_); }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) const noexcept {
      task_.frame_.promise().set_continuation(parent);
      return task_.frame_;
    }
    T await_resume() { return task_.frame_.promise().take(); }

   private:
    Task task_;
  };
  /// `co_await std::move(task)`: runs it here and gives its value.
  Awaiter operator co_await() && noexcept { return Awaiter(std::move(*this)); }

 private:
  friend promise_type;
  using Frame = std::coroutine_handle<promise_type>;
  explicit Task(Frame frame) noexcept : frame_(frame) {}
  Frame frame_ = nullptr;
};

namespace task_detail {

template <class T>
SWITCHYARD_COROUTINE_WRAPPER inline Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
SWITCHYARD_COROUTINE_WRAPPER inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace task_detail

/// The same work, with an Error as a value instead of an exception. Other exceptions still propagate.
template <class T>
Task<Result<T>> as_result(Task<T> task) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      co_return Result<void>();
    } else {
      co_return Result<T>(co_await std::move(task));
    }
  } catch (const Error& error) {
    co_return error;
  }
}

}  // namespace switchyard::inline v0
