#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <switchyard/runtime/asio_bridge.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

Task<int> slow_answer() {
  co_await sleep(2ms);
  co_return 42;
}

TEST(Shard, RunsATaskToItsEnd) {
  Shard shard;
  EXPECT_EQ(shard.run_until_complete(slow_answer()), 42);
  EXPECT_EQ(shard.run_until_complete(slow_answer()), 42);
  EXPECT_EQ(Shard::current_or_null(), nullptr);
}

TEST(Shard, ThrowsWhatTheTaskThrew) {
  Shard shard;
  const auto bad = []() -> Task<void> {
    co_await sleep(1ms);
    throw std::runtime_error("broken");
  };
  EXPECT_THROW(shard.run_until_complete(bad()), std::runtime_error);
}

TEST(Shard, IsCurrentInsideItsTasksOnly) {
  Shard shard(3);
  const auto who = []() -> Task<int> { co_return Shard::current().index(); };
  EXPECT_EQ(shard.run_until_complete(who()), 3);
  EXPECT_THROW((void)Shard::current(), Error);
}

TEST(Shard, ABlockingCallInsideALoopIsRefused) {
  Shard outer;
  Shard inner;
  const auto nest = [](Shard& other) -> Task<ErrorKind> {
    try {
      other.run_until_complete(slow_answer());
    } catch (const Error& error) {
      co_return error.kind();
    }
    co_return ErrorKind::Closed;
  };
  EXPECT_EQ(outer.run_until_complete(nest(inner)), ErrorKind::Usage);
  EXPECT_EQ(outer.run_until_complete(nest(outer)), ErrorKind::Usage);
}

TEST(Shard, TimeDoesNotMoveWithinATurnAndDoesBetweenTurns) {
  Shard shard;
  const auto look = []() -> Task<bool> {
    const TimePoint first = now();
    while (Clock::now() < first + 2ms) {
    }
    const bool same = now() == first;
    co_await sleep(1ms);
    co_return same&& now() > first;
  };
  EXPECT_TRUE(shard.run_until_complete(look()));
}

TEST(Shard, PostsFromOtherThreadsRunOnTheShard) {
  Shard shard;
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  int seen = 0;  // no lock: only the shard touches it
  AsyncEvent all_seen;
  const auto wait = [](AsyncEvent& event) -> Task<void> { co_await event.wait(); };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        shard.post([&] {
          if (++seen == kThreads * kEach) all_seen.set();
        });
      }
    });
  }
  shard.run_until_complete(wait(all_seen));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, kThreads * kEach);
}

TEST(Shard, StopFromAnotherThreadEndsRun) {
  Shard shard;
  std::atomic<bool> running{false};
  std::thread other([&] {
    while (!running) std::this_thread::yield();
    shard.stop();
  });
  shard.post([&] { running = true; });
  shard.run();
  other.join();
}

TEST(Shard, AStopBeforeRunIsNotForgotten) {
  Shard shard;
  shard.stop();
  shard.run();
  EXPECT_EQ(shard.run_until_complete(slow_answer()), 42);
}

TEST(Shard, DestructionDropsWhatStillWaits) {
  struct Flag {
    bool* gone;
    ~Flag() { *gone = true; }
  };
  bool gone = false;
  {
    Shard shard;
    const auto forever = [](bool& flag) -> Task<void> {
      const Flag on_exit{&flag};
      co_await sleep_until(kNever);
    };
    const auto start = [&forever](bool& flag) -> Task<void> {
      spawn(forever(flag));
      co_await sleep(1ms);
    };
    shard.run_until_complete(start(gone));
    EXPECT_FALSE(gone);
    shard.post([] {});
  }
  EXPECT_TRUE(gone);
}

TEST(Shard, RunsOnALoopOfTheUsers) {
  boost::asio::io_context context;
  auto shard = make_shard(context.get_executor(), 5);
  int answer = 0;
  EXPECT_THROW(shard->run(), Error);
  {
    const Shard::Scope scope(*shard);
    const auto ask = [](int& out) -> Task<void> { out = co_await slow_answer() + Shard::current().index(); };
    spawn(ask(answer));
  }
  context.run();
  EXPECT_EQ(answer, 47);
  shard.reset();
  context.restart();
  context.run();
}

TEST(Shard, AUsersLoopMayEndBeforeOrAfterTheShardsWork) {
  boost::asio::io_context context;
  auto shard = make_shard(context.get_executor());
  {
    const Shard::Scope scope(*shard);
    const auto forever = []() -> Task<void> { co_await sleep(1h); };
    spawn(forever());
  }
  context.poll();
  shard.reset();  // with a timer and perhaps a turn still queued
  context.restart();
  context.poll();
}

}  // namespace
}  // namespace switchyard::runtime
