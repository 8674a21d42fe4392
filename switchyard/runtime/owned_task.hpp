// A task that runs beside its owner and is dropped with it.
#pragma once

#include <switchyard/runtime/ready.hpp>
#include <switchyard/runtime/task.hpp>

#include <coroutine>
#include <exception>
#include <utility>

namespace switchyard::inline v0::runtime {

/// Belongs to the shard it is started on. Dropping it from inside the task itself is not allowed.
class OwnedTask {
 public:
  OwnedTask() noexcept = default;
  OwnedTask(const OwnedTask&) = delete;
  OwnedTask& operator=(const OwnedTask&) = delete;

  /// Starts the task from the ready list; one that ran before is dropped. An exception that leaves it ends the
  /// program: the task handles its own.
  void start(Task<void> task) {
    reset();
    frame_ = run(std::move(task));
    node_.schedule(frame_.handle);
  }
  [[nodiscard]] bool running() const noexcept { return frame_.handle && !frame_.handle.done(); }
  void reset() noexcept {
    node_.cancel();
    frame_ = {};
  }

 private:
  struct Frame {
    struct promise_type {
      Frame get_return_object() noexcept { return Frame(std::coroutine_handle<promise_type>::from_promise(*this)); }
      [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
      [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::terminate(); }
    };
    Frame() noexcept = default;
    explicit Frame(std::coroutine_handle<promise_type> coroutine) noexcept : handle(coroutine) {}
    Frame(Frame&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    Frame& operator=(Frame&& other) noexcept {
      if (const auto old = std::exchange(handle, std::exchange(other.handle, nullptr))) old.destroy();
      return *this;
    }
    ~Frame() {
      if (handle) handle.destroy();
    }
    std::coroutine_handle<promise_type> handle = nullptr;
  };
  static Frame run(Task<void> task) { co_await std::move(task); }

  Frame frame_;
  runtime::ReadyNode node_;
};

}  // namespace switchyard::inline v0::runtime
