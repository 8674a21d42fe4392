#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <csignal>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

TEST(SignalWatch, TheFirstSignalIsAnEventAndTheSecondACall) {
  Shard shard;
  int second = 0;
  AsyncEvent called;
  SignalWatch watch(shard, [&](int number) {
    second = number;
    called.set();
  });
  const auto body = [](SignalWatch& at, AsyncEvent& end) -> Task<void> {
    ::raise(SIGTERM);
    co_await at.first().wait();
    EXPECT_EQ(at.signal(), SIGTERM);
    EXPECT_FALSE(end.is_set());
    ::raise(SIGINT);
    co_await end.wait();
  };
  shard.run_until_complete(with_timeout(body(watch, called), 10s));
  EXPECT_EQ(second, SIGINT);
}

TEST(SignalWatch, EachHangupIsACallOfTheWatchThatWantsItAndEndsNothing) {
  static volatile std::sig_atomic_t s_own = 0;
  const auto before = std::signal(SIGHUP, [](int) { s_own = s_own + 1; });
  {
    Shard shard;
    int hangups = 0;
    AsyncEvent twice;
    SignalWatch other(shard, {});
    SignalWatch watch(shard, {}, [&] {
      if (++hangups == 2) twice.set();
    });
    const auto body = [](AsyncEvent& at) -> Task<void> {
      ::raise(SIGHUP);
      ::raise(SIGHUP);
      co_await at.wait();
    };
    shard.run_until_complete(with_timeout(body(twice), 10s));
    EXPECT_EQ(hangups, 2);
    EXPECT_EQ(watch.signal(), 0);
    EXPECT_EQ(other.signal(), 0);
    EXPECT_EQ(s_own, 0);
  }
  ::raise(SIGHUP);
  EXPECT_EQ(s_own, 1);
  std::signal(SIGHUP, before);
}

TEST(SignalWatch, EveryWatchIsToldAndTheProgramsOwnHandlerComesBack) {
  static volatile std::sig_atomic_t s_own = 0;
  const auto before = std::signal(SIGTERM, [](int number) { s_own = number; });
  {
    Shard shard;
    SignalWatch one(shard, {});
    SignalWatch two(shard, {});
    const auto body = [](SignalWatch& a, SignalWatch& b) -> Task<void> {
      ::raise(SIGTERM);
      co_await a.first().wait();
      co_await b.first().wait();
    };
    shard.run_until_complete(with_timeout(body(one, two), 10s));
    EXPECT_EQ(s_own, 0);
  }
  ::raise(SIGTERM);
  EXPECT_EQ(s_own, SIGTERM);
  {
    // What came between two watches is not told to the second.
    Shard shard;
    SignalWatch later(shard, {});
    shard.run_until_complete(sleep(1ms));
    EXPECT_EQ(later.signal(), 0);
  }
  std::signal(SIGTERM, before);
}

}  // namespace
}  // namespace switchyard::runtime
