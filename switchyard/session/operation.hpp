// Operation<T>: what a verb returns. Awaiting it runs it and gives the T or throws sy::Error; `result()` gives a
// Result instead. It owns everything it needs, so it may be stored and awaited later; one that is dropped while it
// runs is cancelled. An operation that is never awaited is never sent.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/session/operation_state.hpp>

#include <coroutine>
#include <utility>

namespace switchyard::inline v0 {

namespace session {

/// A state that ends with a T.
template <class T>
class ResultState : public OperationState {
 public:
  /// The result; call once, when finished without error.
  virtual T take() = 0;

 protected:
  ~ResultState() override = default;
};

}  // namespace session

/// The same operation, awaited for a Result<T>: nothing is thrown.
template <class T>
class [[nodiscard]] ResultOperation {
 public:
  explicit ResultOperation(session::OperationPtr<session::ResultState<T>> state) noexcept
      : state_(std::move(state)) {}
  ResultOperation(ResultOperation&&) noexcept = default;
  ResultOperation& operator=(ResultOperation&&) = delete;
  ~ResultOperation() {
    if (state_) state_->drop();
  }

  [[nodiscard]] bool await_ready() const noexcept { return state_->finished(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { state_->begin(waiter); }
  Result<T> await_resume() {
    if (state_->error()) return *state_->error();
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return state_->take();
    }
  }

 private:
  session::OperationPtr<session::ResultState<T>> state_;
};

template <class T>
class [[nodiscard]] Operation {
 public:
  explicit Operation(session::OperationPtr<session::ResultState<T>> state) noexcept : state_(std::move(state)) {}
  Operation(Operation&&) noexcept = default;
  Operation& operator=(Operation&&) = delete;
  ~Operation() {
    if (state_) state_->drop();
  }

  /// Await this instead to get a Result<T>. The operation is moved from.
  ResultOperation<T> result() { return ResultOperation<T>(std::move(state_)); }

  [[nodiscard]] bool await_ready() const noexcept { return state_->finished(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { state_->begin(waiter); }
  T await_resume() {
    if (state_->error()) throw *state_->error();
    if constexpr (!std::is_void_v<T>) return state_->take();
  }

 private:
  session::OperationPtr<session::ResultState<T>> state_;
};

}  // namespace switchyard::inline v0
