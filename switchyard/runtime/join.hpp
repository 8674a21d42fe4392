// The machinery below all(), any() and with_timeout(): a coroutine that waits for some of several branches.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/frame.hpp>
#include <switchyard/runtime/ready.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/timer.hpp>

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0::task_detail {

/// What a branch leaves behind; a task without a value leaves std::monostate.
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
struct Outcome {
  std::optional<Stored<T>> value;
};

/// Who waits, and for how many more branches.
class Join {
 public:
  explicit Join(std::size_t needed) noexcept : needed_(needed) {}
  Join(const Join&) = delete;
  Join& operator=(const Join&) = delete;

  /// Called at the end of a branch: answers the coroutine to go on with.
  std::coroutine_handle<> arrive() noexcept {
    if (done_) return std::noop_coroutine();
    if (error_ || --needed_ == 0) return finish();
    return std::noop_coroutine();
  }
  /// Ends the waiting without a branch.
  void give_up() noexcept {
    if (done_) return;
    const std::coroutine_handle<> parent = finish();
    if (parent_) node_.schedule(parent);
  }
  void fail(std::exception_ptr error) noexcept {
    if (!done_) error_ = std::move(error);
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }
  [[nodiscard]] bool done() const noexcept { return done_; }

  /// Starts branches one after the other until enough have ended; false if that is already so.
  template <class Start>
  bool start(std::coroutine_handle<> parent, Start&& branches) noexcept {
    if (needed_ == 0) done_ = true;
    branches([this](std::coroutine_handle<> frame) {
      if (!done_) frame.resume();
    });
    if (done_) return false;
    parent_ = parent;
    return true;
  }

 private:
  std::coroutine_handle<> finish() noexcept {
    done_ = true;
    return parent_ ? parent_ : std::noop_coroutine();  // null while start() runs
  }

  std::size_t needed_;
  bool done_ = false;
  std::coroutine_handle<> parent_;
  std::exception_ptr error_;
  runtime::ReadyNode node_;
};

/// A coroutine that runs one task for a Join.
class Branch {
 public:
  struct promise_type {
    template <class... Args>
    explicit promise_type(Join& j, Args&&...) noexcept : join(j) {}
    static void* operator new(std::size_t size) { return runtime::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { runtime::release_frame(frame, size); }

    Branch get_return_object() noexcept { return Branch(std::coroutine_handle<promise_type>::from_promise(*this)); }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Final {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
        return self.promise().join.arrive();
      }
      void await_resume() const noexcept {}
    };
    [[nodiscard]] Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { join.fail(std::current_exception()); }

    Join& join;
  };

  Branch(Branch&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Branch& operator=(Branch&&) = delete;
  Branch(const Branch&) = delete;
  Branch& operator=(const Branch&) = delete;
  ~Branch() {
    if (frame_) frame_.destroy();
  }
  [[nodiscard]] std::coroutine_handle<> frame() const noexcept { return frame_; }

 private:
  explicit Branch(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Branch branch(Join&, Task<T> task, Outcome<T>& outcome) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
    outcome.value.emplace();
  } else {
    outcome.value.emplace(co_await std::move(task));
  }
}

/// Awaits a fixed number of branches, which it owns.
template <std::size_t N>
class JoinAll {
 public:
  template <class... Branches>
  explicit JoinAll(Join& join, Branches... branches) noexcept : join_(join), branches_{std::move(branches)...} {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) noexcept {
    return join_.start(parent, [this](auto run) {
      for (const Branch& one : branches_) run(one.frame());
    });
  }
  void await_resume() const noexcept {}

 private:
  Join& join_;
  std::array<Branch, N> branches_;
};
template <class... Branches>
JoinAll(Join&, Branches...) -> JoinAll<sizeof...(Branches)>;

/// Awaits branches owned by the caller.
class JoinRange {
 public:
  JoinRange(Join& join, const std::vector<Branch>& branches) noexcept : join_(join), branches_(branches) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) noexcept {
    return join_.start(parent, [this](auto run) {
      for (const Branch& one : branches_) run(one.frame());
    });
  }
  void await_resume() const noexcept {}

 private:
  Join& join_;
  const std::vector<Branch>& branches_;
};

/// Awaits one branch owned by the caller.
class JoinOne {
 public:
  JoinOne(Join& join, const Branch& one) noexcept : join_(join), branch_(one) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) noexcept {
    return join_.start(parent, [this](auto run) { run(branch_.frame()); });
  }
  void await_resume() const noexcept {}

 private:
  Join& join_;
  const Branch& branch_;
};

/// Makes a Join give up after a while.
class JoinDeadline {
 public:
  JoinDeadline(Join& join, Duration limit) noexcept
      : timer_([](void* context) noexcept { static_cast<Join*>(context)->give_up(); }, &join) {
    timer_.arm(deadline(limit));
  }

 private:
  SWITCHYARD_API static TimePoint deadline(Duration limit) noexcept;
  runtime::Timer timer_;
};

/// The value of the branch that was first, at its place in the variant.
template <class Variant, class Outcomes, std::size_t... I>
Variant first_value(Outcomes& outcomes, std::index_sequence<I...>) {
  std::optional<Variant> first;
  ((!first && std::get<I>(outcomes).value
        ? static_cast<void>(first.emplace(std::in_place_index<I>, std::move(*std::get<I>(outcomes).value)))
        : static_cast<void>(0)),
   ...);
  return std::move(*first);
}

}  // namespace switchyard::inline v0::task_detail
