#include <switchyard/runtime/poller.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

/// One end of a pipe that counts what it is told.
struct End final : Watch {
  int fd = -1;
  int told = 0;
  std::uint32_t last = 0;
  std::function<void()> then;
  void on_ready(std::uint32_t events) noexcept override {
    ++told;
    last = events;
    if (then) then();
  }
};
struct Pipe {
  End reader, writer;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) std::abort();
    reader.fd = ends[0];
    writer.fd = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(reader.fd);
    hang_up();
  }
  void write() const { ASSERT_EQ(::write(writer.fd, "x", 1), 1); }
  void read() const {
    char byte = 0;
    ASSERT_EQ(::read(reader.fd, &byte, 1), 1);
  }
  void hang_up() {
    if (writer.fd >= 0) ::close(std::exchange(writer.fd, -1));
  }
};

int pass(Poller& poller, Duration patience = Duration::zero()) {
  int told = 0;
  poller.wait(patience);
  while (poller.next()) ++told;
  return told;
}

TEST(Poller, TellsAsLongAsSomethingIsThere) {
  Poller poller;
  Pipe pipe;
  ASSERT_EQ(poller.watch(pipe.reader, pipe.reader.fd, EPOLLIN), 0);
  EXPECT_EQ(poller.size(), 1U);
  EXPECT_EQ(pass(poller), 0);
  pipe.write();
  EXPECT_EQ(pass(poller, Poller::kForever), 1);
  EXPECT_EQ(pass(poller, 1h), 1);
  pipe.read();
  EXPECT_EQ(pass(poller, 1ms), 0);
  poller.forget(pipe.reader, pipe.reader.fd);
  pipe.write();
  EXPECT_EQ(pass(poller), 0);
  EXPECT_EQ(poller.size(), 0U);
}

TEST(Poller, WhatIsWatchedForCanChange) {
  Poller poller;
  Pipe pipe;
  ASSERT_EQ(poller.watch(pipe.writer, pipe.writer.fd, EPOLLOUT), 0);
  EXPECT_EQ(pass(poller), 1);
  EXPECT_EQ(pipe.writer.last, std::uint32_t{EPOLLOUT});
  ASSERT_EQ(poller.watch(pipe.writer, pipe.writer.fd, EPOLLIN), 0);
  EXPECT_EQ(pass(poller), 0);
  ASSERT_EQ(poller.watch(pipe.writer, pipe.writer.fd, 0), 0);
  EXPECT_EQ(poller.size(), 0U);
}

TEST(Poller, AWatchThatLeavesInAnothersCallIsNotTold) {
  Poller poller;
  Pipe one, two;
  for (Pipe* pipe : {&one, &two}) {
    ASSERT_EQ(poller.watch(pipe->reader, pipe->reader.fd, EPOLLIN), 0);
    pipe->write();
  }
  one.reader.then = [&] { poller.forget(two.reader, two.reader.fd); };
  two.reader.then = [&] { poller.forget(one.reader, one.reader.fd); };
  EXPECT_EQ(pass(poller), 1);
  EXPECT_EQ(one.reader.told + two.reader.told, 1);
  EXPECT_EQ(poller.size(), 1U);
  for (Pipe* pipe : {&one, &two}) poller.forget(pipe->reader, pipe->reader.fd);
}

TEST(Poller, TheEndOfThePeerIsToldWhetherAskedForOrNot) {
  Poller poller;
  Pipe pipe;
  ASSERT_EQ(poller.watch(pipe.reader, pipe.reader.fd, EPOLLPRI), 0);
  pipe.hang_up();
  EXPECT_EQ(pass(poller, Poller::kForever), 1);
  EXPECT_NE(pipe.reader.last & EPOLLHUP, 0U);
  poller.forget(pipe.reader, pipe.reader.fd);
}

TEST(Poller, ADescriptorThatCannotBeWatchedIsAnErrno) {
  Poller poller;
  End nothing;
  EXPECT_EQ(poller.watch(nothing, -1, EPOLLIN), EBADF);
  EXPECT_EQ(poller.size(), 0U);
}

}  // namespace
}  // namespace switchyard::runtime
