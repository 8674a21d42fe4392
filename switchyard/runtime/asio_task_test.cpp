#include <switchyard/runtime/asio_bridge.hpp>
#include <switchyard/runtime/asio_task.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task_tools.hpp>

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

/// Says back what it hears.
struct Echo final : runtime::Stream::Handler {
  runtime::Stream* stream = nullptr;
  runtime::AsyncEvent ended;
  void on_data(base::ReadBuffer& in) noexcept override {
    stream->out().put(in.readable());
    in.consume(in.size());
    stream->flush_soon();
  }
  void on_closed(const Error& /*error*/) noexcept override { ended.set(); }
};
struct Counter final : runtime::Stream::Handler {
  std::size_t bytes = 0;
  runtime::AsyncEvent changed;
  void on_data(base::ReadBuffer& in) noexcept override {
    bytes += in.size();
    in.consume(in.size());
    changed.notify();
  }
  void on_closed(const Error& /*error*/) noexcept override { changed.set(); }
};

TEST(AsioTask, StreamsRunOnTheProgramsLoop) {
  constexpr std::size_t kBytes = 3'000'000;  // more than the sockets hold: writers wait
  asio::io_context io;
  auto shard = runtime::make_shard(io.get_executor());
  const auto talk = []() -> Task<std::size_t> {
    auto listener = runtime::Listener::open(*runtime::SocketAddress::ip("127.0.0.1", 0)).value_or_throw();
    const TimePoint deadline = deadline_after(runtime::now(), 20s);
    auto [connected, accepted] =
        co_await all(runtime::Stream::connect(listener->address(), {}, deadline), listener->accept());
    auto client = std::move(connected).value_or_throw();
    auto server = std::move(accepted).value_or_throw();
    Echo echo;
    echo.stream = server.get();
    server->start(&echo);
    Counter counter;
    client->start(&counter);
    client->out().put(std::string(kBytes, 'x'));
    client->flush_soon();
    while (counter.bytes < kBytes) co_await counter.changed.wait();
    client.reset();
    co_await echo.ended.wait();
    co_return counter.bytes;
  };
  std::size_t echoed = 0;
  async_run(*shard, talk(), [&](std::exception_ptr failure, std::size_t bytes) {
    EXPECT_EQ(failure, nullptr);
    echoed = bytes;
    io.stop();
  });
  io.run_for(30s);
  EXPECT_EQ(echoed, kBytes);
}

}  // namespace
}  // namespace switchyard
