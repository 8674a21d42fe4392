// TaskFunction: a callable that returns a Task, with its type erased. std::function can't be used for that with
// clang: its call operator returns a Task without being a coroutine, which the compiler refuses.
//
//   sy::TaskFunction<void(Transaction&)> handler = [](Transaction& tx) -> sy::Task<void> { ... };
//   co_await handler(tx);
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/runtime/task.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace switchyard::inline v0 {

template <class Signature>
class TaskFunction;

/// Owns a callable `Task<T> f(Args...)`; move-only, so that the callable may be. The function outlives the tasks it
/// returns, as a lambda outlives its coroutine.
template <class T, class... Args>
class TaskFunction<T(Args...)> {
 public:
  TaskFunction() noexcept = default;
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskFunction> &&
             std::is_same_v<std::invoke_result_t<std::remove_cvref_t<F>&, Args...>, Task<T>>)
  TaskFunction(F&& callable)  // NOLINT: implicit, as std::function
      : callable_(std::make_unique<Callable<std::remove_cvref_t<F>>>(std::forward<F>(callable))) {}

  explicit operator bool() const noexcept { return callable_ != nullptr; }

  SWITCHYARD_COROUTINE_WRAPPER Task<T> operator()(Args... args) const {
    SY_ASSERT(callable_ != nullptr);
    return callable_->call(std::forward<Args>(args)...);
  }

 private:
  struct Base {
    Base() = default;
    Base(const Base&) = delete;
    Base& operator=(const Base&) = delete;
    virtual ~Base() = default;
    SWITCHYARD_COROUTINE_WRAPPER virtual Task<T> call(Args&&... args) = 0;
  };
  template <class F>
  struct Callable final : Base {
    template <class U>
    explicit Callable(U&& callable) : f(std::forward<U>(callable)) {}
    SWITCHYARD_COROUTINE_WRAPPER Task<T> call(Args&&... args) override { return f(std::forward<Args>(args)...); }
    F f;
  };
  std::unique_ptr<Base> callable_;
};

}  // namespace switchyard::inline v0
