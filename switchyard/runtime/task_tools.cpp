#include <switchyard/runtime/task_tools.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/runtime/loop.hpp>

#include <atomic>

namespace switchyard::inline v0 {
namespace {

std::atomic<UnhandledExceptionHook> g_hook{nullptr};
std::atomic<std::uint64_t> g_unhandled{0};

/// The frame of a spawned task. It belongs to the loop until it has run to its end, and frees itself then.
class Spawned {
 public:
  struct promise_type final : runtime::Detached {
    static void* operator new(std::size_t size) { return runtime::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { runtime::release_frame(frame, size); }

    Spawned get_return_object() noexcept { return Spawned{*this}; }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {
      g_unhandled.fetch_add(1, std::memory_order_relaxed);
      if (const UnhandledExceptionHook hook = g_hook.load()) hook(std::current_exception());
    }
    void destroy() noexcept override { handle().destroy(); }
    std::coroutine_handle<promise_type> handle() noexcept {
      return std::coroutine_handle<promise_type>::from_promise(*this);
    }
    runtime::ReadyNode start;
  };
  promise_type& promise;
};

Spawned run_detached(Task<void> task) { co_await std::move(task); }

/// Suspends until the moment has come.
class SleepAwaiter {
 public:
  explicit SleepAwaiter(TimePoint moment) noexcept : moment_(moment) {}
  [[nodiscard]] bool await_ready() const noexcept { return moment_ <= runtime::now(); }
  void await_suspend(std::coroutine_handle<> self) noexcept {
    self_ = self;
    timer_.arm(moment_);
  }
  void await_resume() const noexcept {}

 private:
  static void on_timer(void* context) noexcept {
    auto* me = static_cast<SleepAwaiter*>(context);
    me->node_.schedule(me->self_);
  }
  TimePoint moment_;
  std::coroutine_handle<> self_;
  runtime::Timer timer_{&on_timer, this};
  runtime::ReadyNode node_;
};

/// Goes to the end of the ready list.
class YieldAwaiter {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) noexcept { node_.schedule(self); }
  void await_resume() const noexcept {}

 private:
  runtime::ReadyNode node_;
};

}  // namespace

void spawn(Task<void> task) {
  runtime::Loop& loop = runtime::Loop::current();
  Spawned spawned = run_detached(std::move(task));
  loop.adopt(spawned.promise);
  spawned.promise.start.schedule(spawned.promise.handle());
}

UnhandledExceptionHook set_unhandled_exception_hook(UnhandledExceptionHook hook) noexcept {
  return g_hook.exchange(hook);
}

std::uint64_t unhandled_exceptions() noexcept { return g_unhandled.load(std::memory_order_relaxed); }

Task<void> sleep(Duration wait) { co_await SleepAwaiter(deadline_after(runtime::now(), wait)); }
Task<void> sleep_until(TimePoint moment) { co_await SleepAwaiter(moment); }
Task<void> yield() { co_await YieldAwaiter(); }

Task<void> all(std::vector<Task<void>> tasks) {
  std::vector<task_detail::Outcome<void>> outcomes(tasks.size());
  task_detail::Join join(tasks.size());
  std::vector<task_detail::Branch> branches;
  branches.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    branches.push_back(task_detail::branch(join, std::move(tasks[i]), outcomes[i]));
  }
  co_await task_detail::JoinRange(join, branches);
  join.rethrow();
}

namespace task_detail {

void throw_timeout(Duration limit) {
  throw Error(ErrorKind::Deadline, "the time limit of " + format_duration(limit) + " passed");
}

TimePoint JoinDeadline::deadline(Duration limit) noexcept { return deadline_after(runtime::now(), limit); }

}  // namespace task_detail
}  // namespace switchyard::inline v0
