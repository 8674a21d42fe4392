#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/manual_loop.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_function.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using runtime::AsyncEvent;
using runtime::ManualLoop;
using runtime::OneShot;

/// Says that it is alive.
struct Witness {
  explicit Witness(int& count) : count_(&count) { ++*count_; }
  Witness(Witness&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (count_ != nullptr) --*count_;
  }
  int* count_;
};

/// Runs a task to its end on the manual loop and keeps what came out.
template <class T>
struct Started {
  explicit Started(Task<T> task) { spawn(drive(std::move(task), *this)); }
  static Task<void> drive(Task<T> task, Started& run) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(task);
        run.value.emplace();
      } else {
        run.value.emplace(co_await std::move(task));
      }
    } catch (...) {
      run.error = std::current_exception();
    }
  }
  [[nodiscard]] std::string thrown() const {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  }
  std::optional<task_detail::Stored<T>> value;
  std::exception_ptr error;
};

Task<int> forty_two() { co_return 42; }
Task<int> fails(std::string why) {
  throw std::runtime_error(why);
  co_return 0;
}
Task<int> after(Duration wait, int value) {
  co_await sleep(wait);
  co_return value;
}
Task<int> holding(AsyncEvent& event, int& alive, int value) {
  const Witness witness(alive);
  co_await event.wait();
  co_return value;
}

TEST(Task, DoesNothingBeforeItIsAwaited) {
  const ManualLoop loop;
  bool ran = false;
  const auto work = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  {
    const Task<void> dropped = work(ran);
  }
  EXPECT_FALSE(ran);
}

TEST(Task, GivesItsValueToTheAwaiter) {
  ManualLoop loop;
  Started<int> run(forty_two());
  loop.run();
  EXPECT_EQ(run.value, 42);
}

TEST(Task, MovesValuesThatCannotBeCopied) {
  ManualLoop loop;
  const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  Started<std::unique_ptr<int>> run(make());
  loop.run();
  ASSERT_TRUE(run.value);
  EXPECT_EQ(**run.value, 7);
}

TEST(Task, AnExceptionIsThrownWhereTheTaskIsAwaited) {
  ManualLoop loop;
  const auto outer = []() -> Task<std::string> {
    try {
      co_await fails("broken");
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing";
  };
  Started<std::string> run(outer());
  loop.run();
  EXPECT_EQ(run.value, "broken");
}

TEST(Task, AsResultCatchesErrorsAndNothingElse) {
  ManualLoop loop;
  const auto late = []() -> Task<int> {
    throw Error(ErrorKind::Deadline, "late");
    co_return 0;
  };
  Started<Result<int>> first(as_result(late()));
  Started<Result<int>> second(as_result(forty_two()));
  Started<Result<int>> third(as_result(fails("other")));
  Started<Result<void>> fourth(as_result(sleep(1ms)));
  loop.run();
  loop.advance(5ms);
  ASSERT_TRUE(first.value);
  EXPECT_EQ(first.value->error().kind(), ErrorKind::Deadline);
  EXPECT_EQ(second.value->value(), 42);
  EXPECT_EQ(third.thrown(), "other");
  EXPECT_TRUE(fourth.value->ok());
}

TEST(Task, AMillionTasksThatNeverSuspendNeedNoStack) {
  ManualLoop loop;
  const auto many = []() -> Task<long> {
    long sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await forty_two();
    co_return sum;
  };
  Started<long> run(many());
  loop.run();
  EXPECT_EQ(run.value, 42'000'000);
}

Task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await nested(depth - 1);
}

TEST(Task, DeepNestingReturnsWithoutRecursion) {
  ManualLoop loop;
  Started<int> run(nested(100'000));
  loop.run();
  EXPECT_EQ(run.value, 100'000);
}

TEST(Task, DroppedWhileItWaitsItDestroysItsFrameAndIsForgotten) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  {
    // Suspended three levels deep.
    const auto outer = [](AsyncEvent& e, int& count) -> Task<int> {
      const Witness witness(count);
      co_return co_await holding(e, count, 1);
    };
    Started<std::variant<int, std::monostate>> run(any(outer(event, alive), sleep(1ms)));
    loop.run();
    EXPECT_EQ(alive, 2);
    loop.advance(10ms);
    EXPECT_EQ(alive, 0);
    ASSERT_TRUE(run.value);
    EXPECT_EQ(run.value->index(), 1U);
  }
  event.set();  // nobody is there any more
  loop.run();
}

TEST(Task, DroppedBetweenWakingAndResumingItIsNotResumed) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  bool resumed = false;
  const auto waiter = [](AsyncEvent& e, int& count, bool& flag) -> Task<void> {
    const Witness witness(count);
    co_await e.wait();
    flag = true;
  };
  Started<std::variant<std::monostate, std::monostate>> run(any(waiter(event, alive, resumed), sleep(1ms)));
  loop.run();
  // The timer's wake-up is queued first, then the event's: the first drops the second.
  const auto drop_first = [](AsyncEvent& e) -> Task<void> {
    co_await sleep(1ms);
    e.set();
  };
  Started<void> other(drop_first(event));
  loop.run();
  loop.advance(10ms);
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(resumed);
}

TEST(Task, AssigningOverARunningTaskDropsIt) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  Task<int> task = holding(event, alive, 1);
  task = forty_two();
  EXPECT_EQ(alive, 0);
  Started<int> run(std::move(task));
  EXPECT_FALSE(task);  // NOLINT: a moved-from task is empty
  loop.run();
  EXPECT_EQ(run.value, 42);
}

TEST(Task, FramesMayBeFreedOnAnotherThread) {
  for (int round = 0; round < 3; ++round) {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 500; ++i) tasks.push_back(forty_two());
    std::thread([moved = std::move(tasks)]() mutable { moved.clear(); }).join();
  }
}

TEST(TaskFunction, HoldsAnyCallableThatReturnsATask) {
  ManualLoop loop;
  TaskFunction<int(int, const std::string&)> function;
  EXPECT_FALSE(function);
  function = [kept = std::make_unique<int>(40)](int more, const std::string& text) -> Task<int> {
    co_await sleep(1ms);
    co_return *kept + more + static_cast<int>(text.size());
  };
  const std::string text = "x";
  Started<int> started(function(1, text));
  loop.run();
  loop.advance(5ms);
  EXPECT_EQ(started.value, 42);
}

TEST(Spawn, AnExceptionGoesToTheHookAndIsCounted) {
  static std::string seen;
  seen.clear();
  const std::uint64_t before = unhandled_exceptions();
  const UnhandledExceptionHook old = set_unhandled_exception_hook([](std::exception_ptr error) noexcept {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      seen = e.what();
    }
  });
  {
    ManualLoop loop;
    const auto bad = []() -> Task<void> { co_await fails("nobody listens"); };
    spawn(bad());
    loop.run();
  }
  set_unhandled_exception_hook(old);
  EXPECT_EQ(seen, "nobody listens");
  EXPECT_EQ(unhandled_exceptions(), before + 1);
}

TEST(Spawn, WhatStillWaitsIsDestroyedWithTheLoop) {
  AsyncEvent event;
  int alive = 0;
  {
    ManualLoop loop;
    const auto wait = [](AsyncEvent& e, int& count) -> Task<void> { co_await holding(e, count, 1); };
    spawn(wait(event, alive));
    loop.run();
    EXPECT_EQ(alive, 1);
    spawn(wait(event, alive));  // this one never starts
  }
  EXPECT_EQ(alive, 0);
}

TEST(All, GivesEveryValueInOrder) {
  ManualLoop loop;
  Started<std::tuple<int, int, std::monostate>> run(all(after(20ms, 1), after(10ms, 2), sleep(5ms)));
  loop.run();
  loop.advance(15ms);
  EXPECT_FALSE(run.value);
  loop.advance(15ms);
  ASSERT_TRUE(run.value);
  EXPECT_EQ(std::get<0>(*run.value), 1);
  EXPECT_EQ(std::get<1>(*run.value), 2);
}

TEST(All, OfAVectorGivesEveryValueInOrder) {
  ManualLoop loop;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(after((10 - i) * 1ms, i));
  Started<std::vector<int>> run(all(std::move(tasks)));
  Started<std::vector<int>> none(all(std::vector<Task<int>>()));
  loop.run();
  EXPECT_TRUE(none.value);
  loop.advance(20ms);
  EXPECT_EQ(run.value, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(All, TheFirstFailureDropsTheOthers) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  const auto late_failure = []() -> Task<int> {
    co_await sleep(1ms);
    co_return co_await fails("first");
  };
  Started<std::tuple<int, int>> run(all(holding(event, alive, 1), late_failure()));
  loop.run();
  EXPECT_EQ(alive, 1);
  loop.advance(5ms);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(run.thrown(), "first");
}

TEST(Any, TheFirstToEndWinsAndTheOthersAreDropped) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  Started<std::variant<int, int>> run(any(holding(event, alive, 1), after(3ms, 2)));
  loop.run();
  loop.advance(10ms);
  ASSERT_TRUE(run.value);
  EXPECT_EQ(run.value->index(), 1U);
  EXPECT_EQ(std::get<1>(*run.value), 2);
  EXPECT_EQ(alive, 0);
}

TEST(Any, ATaskThatEndsAtOnceKeepsTheLaterOnesFromStarting) {
  ManualLoop loop;
  bool ran = false;
  const auto second = [](bool& flag) -> Task<int> {
    flag = true;
    co_return 2;
  };
  Started<std::variant<int, int>> run(any(forty_two(), second(ran)));
  loop.run();
  ASSERT_TRUE(run.value);
  EXPECT_EQ(run.value->index(), 0U);
  EXPECT_FALSE(ran);
}

TEST(Any, OfAVectorTellsWhichOne) {
  ManualLoop loop;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(after((4 - i) * 5ms, i * 10));
  Started<AnyResult<int>> run(any(std::move(tasks)));
  loop.run();
  loop.advance(30ms);
  ASSERT_TRUE(run.value);
  EXPECT_EQ(run.value->index, 3U);
  EXPECT_EQ(run.value->value, 30);
}

TEST(WithTimeout, ThrowsDeadlineAndDropsTheTask) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  Started<Result<int>> run(as_result(with_timeout(holding(event, alive, 1), 10ms)));
  loop.run();
  EXPECT_EQ(alive, 1);
  loop.advance(9ms);
  EXPECT_EQ(alive, 1);
  loop.advance(5ms);
  EXPECT_EQ(alive, 0);
  ASSERT_TRUE(run.value);
  EXPECT_EQ(run.value->error().kind(), ErrorKind::Deadline);
  EXPECT_NE(run.value->error().message().find("10ms"), std::string_view::npos);
}

TEST(WithTimeout, GivesTheValueOfATaskThatIsInTime) {
  ManualLoop loop;
  Started<int> run(with_timeout(after(5ms, 9), 10ms));
  Started<int> immediate(with_timeout(forty_two(), 10ms));
  loop.run();
  EXPECT_EQ(immediate.value, 42);
  loop.advance(30ms);
  EXPECT_EQ(run.value, 9);
}

TEST(WithTimeout, DroppedFromOutsideItLeavesNoTimer) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  Started<std::variant<int, std::monostate>> run(any(with_timeout(holding(event, alive, 1), 1h), sleep(1ms)));
  loop.run();
  loop.advance(5ms);
  EXPECT_EQ(alive, 0);
  loop.advance(2h);
}

TEST(AsyncEvent, WakesAllWhoWaitAndLetsLaterOnesThrough) {
  ManualLoop loop;
  AsyncEvent event;
  int alive = 0;
  Started<int> a(holding(event, alive, 1));
  Started<int> b(holding(event, alive, 2));
  loop.run();
  EXPECT_EQ(alive, 2);
  event.set();
  loop.run();
  Started<int> c(holding(event, alive, 3));
  loop.run();
  EXPECT_EQ(a.value, 1);
  EXPECT_EQ(b.value, 2);
  EXPECT_EQ(c.value, 3);
}

TEST(OneShot, TheFirstValueCountsWhetherItComesBeforeOrAfterTheWaiter) {
  ManualLoop loop;
  OneShot<int> early;
  OneShot<int> late;
  const auto wait = [](OneShot<int>& shot) -> Task<int> { co_return co_await shot.wait(); };
  early.set(1);
  early.set(2);
  Started<int> a(wait(early));
  Started<int> b(wait(late));
  loop.run();
  EXPECT_EQ(a.value, 1);
  EXPECT_FALSE(b.value);
  late.set(3);
  loop.run();
  EXPECT_EQ(b.value, 3);
}

TEST(OneShot, AWaiterThatWentAwayIsNotResumed) {
  ManualLoop loop;
  OneShot<int> shot;
  const auto wait = [](OneShot<int>& s) -> Task<int> { co_return co_await s.wait(); };
  Started<std::variant<int, std::monostate>> run(any(wait(shot), sleep(1ms)));
  loop.run();
  loop.advance(5ms);
  shot.set(1);
  loop.run();
  ASSERT_TRUE(run.value);
  EXPECT_EQ(run.value->index(), 1U);
}

}  // namespace
}  // namespace switchyard
