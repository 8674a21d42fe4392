// What the loop itself costs. Rivals and ceilings: malloc for frames, a bare recv() loop for received bytes, a bare
// send()/recv() pair for a round trip. Not measured: the network, and a server's time.
#include <switchyard/runtime/manual_loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace switchyard;
using namespace switchyard::runtime;

Task<int> immediate() { co_return 1; }

void await_a_task(benchmark::State& state) {
  ManualLoop loop;
  const auto body = [](benchmark::State& s) -> Task<void> {
    for (auto _ : s) benchmark::DoNotOptimize(co_await immediate());
  };
  spawn(body(state));
  loop.run();
}
BENCHMARK(await_a_task);

void malloc_and_free(benchmark::State& state) {
  for (auto _ : state) {
    void* memory = std::malloc(128);
    benchmark::DoNotOptimize(memory);
    std::free(memory);
  }
}
BENCHMARK(malloc_and_free);

void resume_from_the_ready_list(benchmark::State& state) {
  Shard shard;
  const auto body = [](benchmark::State& s) -> Task<void> {
    for (auto _ : s) co_await yield();
  };
  shard.run_until_complete(body(state));
}
BENCHMARK(resume_from_the_ready_list);

void arm_and_disarm_a_timer(benchmark::State& state) {
  ManualLoop loop;
  Timer timer([](void*) noexcept {}, nullptr);
  const TimePoint deadline = now() + std::chrono::seconds(30);
  for (auto _ : state) {
    timer.arm(deadline);
    timer.disarm();
  }
}
BENCHMARK(arm_and_disarm_a_timer);

void arm_among_ten_thousand(benchmark::State& state) {
  ManualLoop loop;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 10'000; ++i) {
    timers.push_back(std::make_unique<Timer>([](void*) noexcept {}, nullptr));
    timers.back()->arm(now() + std::chrono::milliseconds(10 + i));
  }
  std::size_t at = 0;
  for (auto _ : state) {
    timers[at]->arm(now() + std::chrono::milliseconds(20 + at));
    at = at == 9'999 ? 0 : at + 1;
  }
}
BENCHMARK(arm_among_ten_thousand);

struct Sockets {
  std::array<int, 2> fds{};
  Sockets() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
  }
};

/// Answers every message of `size` bytes with one.
void echo(int fd, std::size_t size) {
  std::string buffer(size, '\0');
  while (::recv(fd, buffer.data(), size, 0) > 0) {
    if (::send(fd, buffer.data(), size, MSG_NOSIGNAL) < 0) break;
  }
  ::close(fd);
}

struct Client final : Stream::Handler {
  std::size_t bytes = 0;
  ReadyNode node;
  std::coroutine_handle<> waiter;
  void on_data(base::ReadBuffer& in) noexcept override {
    bytes += in.size();
    in.consume(in.size());
    if (waiter) node.schedule(std::exchange(waiter, nullptr));
  }
  void on_closed(const Error&) noexcept override {
    if (waiter) node.schedule(std::exchange(waiter, nullptr));
  }
  struct Awaiter {
    Client& client;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) const noexcept { client.waiter = self; }
    void await_resume() const noexcept {}
  };
  Awaiter next() { return {*this}; }
};

void round_trip_of_a_stream(benchmark::State& state) {
  Sockets sockets;
  std::thread server(echo, sockets.fds[1], 64);
  Shard shard;
  const auto body = [](benchmark::State& s, int fd) -> Task<void> {
    auto stream = std::move(*Stream::adopt(fd));
    Client client;
    stream->start(&client);
    const std::string message(64, 'x');
    for (auto _ : s) {
      stream->out().put(message);
      stream->flush_soon();
      co_await client.next();
    }
  };
  shard.run_until_complete(body(state, sockets.fds[0]));
  server.join();
}
BENCHMARK(round_trip_of_a_stream)->UseRealTime();

void round_trip_of_bare_sockets(benchmark::State& state) {
  Sockets sockets;
  std::thread server(echo, sockets.fds[1], 64);
  std::string buffer(64, 'x');
  for (auto _ : state) {
    if (::send(sockets.fds[0], buffer.data(), buffer.size(), 0) < 0) std::abort();
    if (::recv(sockets.fds[0], buffer.data(), buffer.size(), 0) < 0) std::abort();
  }
  ::close(sockets.fds[0]);
  server.join();
}
BENCHMARK(round_trip_of_bare_sockets)->UseRealTime();

constexpr std::size_t kBulk = 64UL << 20;

/// Sends kBulk bytes as fast as they are taken.
void pour(int fd) {
  const std::string block(128 * 1024, 'x');
  for (std::size_t sent = 0; sent < kBulk;) {
    const ssize_t n = ::send(fd, block.data(), std::min(block.size(), kBulk - sent), MSG_NOSIGNAL);
    if (n < 0) break;
    sent += static_cast<std::size_t>(n);
  }
  ::close(fd);
}

void receive_64_MB_by_a_stream(benchmark::State& state) {
  for (auto _ : state) {
    Sockets sockets;
    std::thread server(pour, sockets.fds[1]);
    Shard shard;
    const auto body = [](int fd) -> Task<void> {
      auto stream = std::move(*Stream::adopt(fd));
      Client client;
      stream->start(&client);
      while (client.bytes < kBulk) co_await client.next();
    };
    shard.run_until_complete(body(sockets.fds[0]));
    server.join();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBulk));
}
BENCHMARK(receive_64_MB_by_a_stream)->UseRealTime();

void receive_64_MB_by_bare_recv(benchmark::State& state) {
  std::vector<char> buffer(128 * 1024);
  for (auto _ : state) {
    Sockets sockets;
    std::thread server(pour, sockets.fds[1]);
    while (::recv(sockets.fds[0], buffer.data(), buffer.size(), 0) > 0) {
    }
    ::close(sockets.fds[0]);
    server.join();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBulk));
}
BENCHMARK(receive_64_MB_by_bare_recv)->UseRealTime();

}  // namespace
