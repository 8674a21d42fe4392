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

}  // namespace
}  // namespace switchyard::runtime
