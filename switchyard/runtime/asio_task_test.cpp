#include <switchyard/runtime/asio_bridge.hpp>
#include <switchyard/runtime/asio_task.hpp>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

Task<int> later(int value) {
  co_await sleep(1ms);
  if (value < 0) throw Error(ErrorKind::Usage, "negative");
  co_return value;
}

TEST(AsioTask, ATaskRunsOnTheProgramsOwnLoop) {
  asio::io_context io;
  auto shard = runtime::make_shard(io.get_executor());
  int got = 0;
  async_run(*shard, later(42), [&](std::exception_ptr failure, int value) {
    EXPECT_EQ(failure, nullptr);
    got = value;
  });
  auto future = async_run(*shard, later(7), asio::use_future);
  io.run_for(5s);
  EXPECT_EQ(got, 42);
  EXPECT_EQ(future.get(), 7);
}

TEST(AsioTask, AnExceptionReachesTheHandler) {
  asio::io_context io;
  auto shard = runtime::make_shard(io.get_executor());
  auto future = async_run(*shard, later(-1), asio::use_future);
  io.run_for(5s);
  EXPECT_THROW(future.get(), Error);
}

TEST(AsioTask, CancellationDropsTheTask) {
  asio::io_context io;
  auto shard = runtime::make_shard(io.get_executor());
  asio::cancellation_signal signal;
  bool called = false;
  async_run(*shard, sleep(1h), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr failure) {
    called = true;
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Cancelled);
    }
    io.stop();
  }));
  asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
  io.run_for(5s);
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace switchyard
