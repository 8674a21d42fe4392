#include <switchyard/runtime/descriptor_channel.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

std::pair<Descriptor, Descriptor> socket_pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

struct Recorder final : DescriptorChannel::Handler {
  void on_message(ByteView message, Descriptor descriptor) noexcept override {
    messages.emplace_back(message);
    descriptors.push_back(std::move(descriptor));
    changed.notify();
  }
  void on_closed() noexcept override {
    closed = true;
    changed.notify();
  }
  void on_drained() noexcept override { drained = true; }
  std::vector<std::string> messages;
  std::vector<Descriptor> descriptors;
  bool closed = false;
  bool drained = false;
  AsyncEvent changed;
};

template <class F>
void on_shard(F test) {
  Shard shard;
  shard.run_until_complete([](F body) -> Task<void> { co_await body(); }(std::move(test)));
}

TEST(DescriptorChannel, MessagesComeWholeAndInOrderEachWithItsDescriptor) {
  on_shard([]() -> Task<void> {
    auto [left, right] = socket_pair();
    Recorder here, there;
    auto sender = DescriptorChannel::adopt(std::move(left), here).value_or_throw();
    auto receiver = DescriptorChannel::adopt(std::move(right), there).value_or_throw();
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const std::string large(5'000'000, 'x');
    sender->send("one", pipe[1]);
    sender->send(large);
    sender->send("");
    for (int i = 0; i < 200; ++i) sender->send(std::to_string(i), pipe[1]);
    ::close(pipe[1]);
    EXPECT_GT(sender->unsent(), 0U);
    while (there.messages.size() < 203) co_await there.changed.wait();
    EXPECT_TRUE(here.drained);
    EXPECT_EQ(there.messages[0], "one");
    EXPECT_EQ(there.messages[1], large);
    EXPECT_EQ(there.messages[2], "");
    EXPECT_EQ(there.messages[202], "199");
    EXPECT_FALSE(there.descriptors[1]);
    // What came is the pipe: written there, read here.
    EXPECT_EQ(::write(there.descriptors[0].get(), "a", 1), 1);
    EXPECT_EQ(::write(there.descriptors[202].get(), "b", 1), 1);
    there.descriptors.clear();
    std::array<char, 8> read{};
    EXPECT_EQ(::read(pipe[0], read.data(), read.size()), 2);
    EXPECT_EQ(::read(pipe[0], read.data(), read.size()), 0) << "nobody has the other end any more";
    ::close(pipe[0]);
    sender.reset();
    while (!there.closed) co_await there.changed.wait();
  });
}

TEST(DescriptorChannel, WhatIsNoMessageEndsIt) {
  on_shard([]() -> Task<void> {
    for (const std::string& bytes :
         {std::string("\xff\xff\xff\xff\0", 5), std::string("\0\0\0\1\2x", 6), std::string("\0\0\0\1\1x", 6)}) {
      auto [left, right] = socket_pair();
      Recorder there;
      auto receiver = DescriptorChannel::adopt(std::move(right), there).value_or_throw();
      EXPECT_EQ(::write(left.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
      while (!there.closed) co_await there.changed.wait();
      EXPECT_TRUE(there.messages.empty());
      EXPECT_FALSE(receiver->is_open());
    }
  });
}

TEST(DescriptorChannel, ItsFirstMessagesCanBeWaitedFor) {
  on_shard([]() -> Task<void> {
    auto [left, right] = socket_pair();
    Recorder here, there;
    auto sender = DescriptorChannel::adopt(std::move(left), here).value_or_throw();
    sender->send("first", right.get());
    sender->send("second");
    auto first = DescriptorChannel::receive(right, 5s).value_or_throw();
    EXPECT_EQ(first.bytes, "first");
    EXPECT_TRUE(first.descriptor);
    first.descriptor.reset();
    auto receiver = DescriptorChannel::adopt(std::move(right), there).value_or_throw();
    while (there.messages.empty()) co_await there.changed.wait();
    EXPECT_EQ(there.messages[0], "second");
    co_return;
  });
  auto [left, right] = socket_pair();
  EXPECT_FALSE(DescriptorChannel::receive(right, 1ms).ok());
  left.reset();
  EXPECT_FALSE(DescriptorChannel::receive(right, 5s).ok());
  EXPECT_FALSE(DescriptorChannel::connect("/nonexistent/path").ok());
}

TEST(Listener, AnotherOneGoesOnWithItsSocket) {
  on_shard([]() -> Task<void> {
    auto first = Listener::open(SocketAddress::ip("127.0.0.1", 0).value_or_throw()).value_or_throw();
    const SocketAddress address = first->address();
    auto second = Listener::adopt(Descriptor::duplicate(first->native_handle())).value_or_throw();
    EXPECT_EQ(second->address(), address);
    const TimePoint limit = deadline_after(now(), 10s);
    auto early = (co_await Stream::connect(address, {}, limit)).value_or_throw();  // waits in the queue
    first->abandon();
    EXPECT_TRUE((co_await second->accept()).ok());
    auto [accepted, connected] = co_await all(second->accept(), Stream::connect(address, {}, limit));
    EXPECT_TRUE(accepted.ok());
    EXPECT_TRUE(connected.ok());
    EXPECT_FALSE(Listener::adopt(Descriptor(::socket(AF_UNIX, SOCK_STREAM, 0))).ok());
  });
}

TEST(Stream, OfAnotherProcessGoesOnWithItsBytes) {
  on_shard([]() -> Task<void> {
    auto [left, right] = socket_pair();
    struct Handler final : Stream::Handler {
      void on_data(base::ReadBuffer& in) noexcept override {
        got.append(in.readable());
        in.consume(in.size());
        changed.notify();
      }
      void on_closed(const Error&) noexcept override {}
      std::string got;
      AsyncEvent changed;
    } handler;
    EXPECT_EQ(::write(left.get(), "two", 3), 3);
    auto stream = Stream::adopt(right.release(), "one ", "answer").value_or_throw();
    stream->start(&handler);
    while (handler.got != "one two") co_await handler.changed.wait();
    std::array<char, 16> read{};
    EXPECT_EQ(::read(left.get(), read.data(), read.size()), 6);
    EXPECT_EQ(std::string(read.data(), 6), "answer");
  });
}

}  // namespace
}  // namespace switchyard::runtime
