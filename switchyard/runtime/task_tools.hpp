// Putting tasks together: side by side, against each other, against the clock, or on their own.
//
//   auto [a, b] = co_await sy::all(load_a(), load_b());          // both; the first failure cancels the other
//   auto winner = co_await sy::any(primary(), replica());        // a std::variant; index() tells which was first
//   int n = co_await sy::with_timeout(count(), 2s);              // throws an Error of kind Deadline
//   sy::spawn(refresh());                                        // nobody waits for it
//
// Dropping any of these (except what was spawned) drops the tasks inside.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/join.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0 {

/// Runs the task on this shard without anybody waiting for it. It starts from the ready list and is dropped when
/// the shard ends. An exception that leaves it goes to the hook below.
SWITCHYARD_API void spawn(Task<void> task);

/// Called with what left a spawned task. The hook must not throw.
using UnhandledExceptionHook = void (*)(std::exception_ptr error) noexcept;
/// Sets the hook of the process and returns the one before; null (the default) only counts.
SWITCHYARD_API UnhandledExceptionHook set_unhandled_exception_hook(UnhandledExceptionHook hook) noexcept;
/// How many exceptions have left spawned tasks since the process started.
[[nodiscard]] SWITCHYARD_API std::uint64_t unhandled_exceptions() noexcept;

/// Waits; at least `wait`, about a millisecond more at most when the loop has time.
[[nodiscard]] SWITCHYARD_API Task<void> sleep(Duration wait);
/// Waits until `moment`; at once if it has passed, never with kNever.
[[nodiscard]] SWITCHYARD_API Task<void> sleep_until(TimePoint moment);
/// Lets the others of this turn go first.
[[nodiscard]] SWITCHYARD_API Task<void> yield();

/// The values of all tasks as a tuple (std::monostate where the task has none). The first exception drops the
/// others and is thrown.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
Task<std::tuple<task_detail::Stored<Ts>...>> all(Task<Ts>... tasks) {
  std::tuple<task_detail::Outcome<Ts>...> outcomes;
  task_detail::Join join(sizeof...(Ts));
  co_await std::apply(
      [&](auto&... outcome) {
        return task_detail::JoinAll(join, task_detail::branch(join, std::move(tasks), outcome)...);
      },
      outcomes);
  join.rethrow();
  co_return std::apply(
      [](auto&... outcome) { return std::tuple<task_detail::Stored<Ts>...>(std::move(*outcome.value)...); },
      outcomes);
}

/// The same for any number of tasks of one type, in their order.
template <class T>
  requires(!std::is_void_v<T>)
Task<std::vector<T>> all(std::vector<Task<T>> tasks) {
  std::vector<task_detail::Outcome<T>> outcomes(tasks.size());
  task_detail::Join join(tasks.size());
  std::vector<task_detail::Branch> branches;
  branches.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    branches.push_back(task_detail::branch(join, std::move(tasks[i]), outcomes[i]));
  }
  co_await task_detail::JoinRange(join, branches);
  join.rethrow();
  std::vector<T> values;
  values.reserve(outcomes.size());
  for (auto& outcome : outcomes) values.push_back(std::move(*outcome.value));
  co_return values;
}
SWITCHYARD_API Task<void> all(std::vector<Task<void>> tasks);

/// The first task to end decides: its value (std::monostate for none) at its place in the variant, or its
/// exception. The others are dropped.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
Task<std::variant<task_detail::Stored<Ts>...>> any(Task<Ts>... tasks) {
  std::tuple<task_detail::Outcome<Ts>...> outcomes;
  task_detail::Join join(1);
  co_await std::apply(
      [&](auto&... outcome) {
        return task_detail::JoinAll(join, task_detail::branch(join, std::move(tasks), outcome)...);
      },
      outcomes);
  join.rethrow();
  co_return task_detail::first_value<std::variant<task_detail::Stored<Ts>...>>(outcomes,
                                                                               std::index_sequence_for<Ts...>());
}

/// Which task of a vector was first, and its value.
template <class T>
struct AnyResult {
  std::size_t index = 0;
  task_detail::Stored<T> value;
};

/// The same for any number of tasks (at least one) of one type.
template <class T>
Task<AnyResult<T>> any(std::vector<Task<T>> tasks) {
  if (tasks.empty()) throw Error(ErrorKind::Usage, "any() needs at least one task");
  std::vector<task_detail::Outcome<T>> outcomes(tasks.size());
  task_detail::Join join(1);
  std::vector<task_detail::Branch> branches;
  branches.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    branches.push_back(task_detail::branch(join, std::move(tasks[i]), outcomes[i]));
  }
  co_await task_detail::JoinRange(join, branches);
  join.rethrow();
  std::size_t index = 0;
  while (!outcomes[index].value) ++index;
  co_return AnyResult<T>{index, std::move(*outcomes[index].value)};
}

namespace task_detail {
[[noreturn]] SWITCHYARD_API void throw_timeout(Duration limit);
}

/// Gives the task at most `limit`, then drops it and throws an Error of kind Deadline that names the limit.
template <class T>
Task<T> with_timeout(Task<T> task, Duration limit) {
  task_detail::Outcome<T> outcome;
  task_detail::Join join(1);
  {
    const task_detail::Branch branch = task_detail::branch(join, std::move(task), outcome);
    task_detail::JoinDeadline deadline(join, limit);
    co_await task_detail::JoinOne(join, branch);
  }
  join.rethrow();
  if (!outcome.value) task_detail::throw_timeout(limit);
  if constexpr (!std::is_void_v<T>) co_return std::move(*outcome.value);
}

}  // namespace switchyard::inline v0
