// One client's huge message where memory is short: it ends that client, and nobody else.
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <string>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace switchyard::gateway {
namespace {

using embedded::TestDatabase;
using protocol::testing::encoded;
using switchyard::testing::Door;
using switchyard::testing::PqSession;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SWITCHYARD_RESERVES_ADDRESSES
#endif
#endif

constexpr std::size_t kMegabyte = 1 << 20;

/// This process may have so much more than it has.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::size_t bytes) {
    ::getrlimit(RLIMIT_AS, &before_);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + bytes;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

/// A connection that sends messages larger than what this process may have.
class Sender {
 public:
  explicit Sender(const Door& door) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = door.folder() + "/.s.PGSQL." + std::to_string(switchyard::testing::kDoorPort);
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    send(encoded(protocol::StartupMessage{protocol::kProtocol30, {{"user", "postgres"}, {"database", "main"}}}));
    (void)end_of_answer();
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { ::close(fd_); }

  void send(const std::string& bytes) const { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  /// A query whose text is `size` bytes of comment and a little more.
  void ask(std::size_t size) const {
    const std::string begin = "SELECT 1 /*";
    const std::string end("*/\0", 3);
    std::string head = "Q";
    const auto length = static_cast<std::uint32_t>(4 + begin.size() + size + end.size());
    for (int shift = 24; shift >= 0; shift -= 8) head += static_cast<char>(length >> shift);
    send(head + begin);
    const std::string piece(kMegabyte, ' ');
    for (std::size_t sent = 0; sent < size; sent += piece.size()) send(piece);
    send(end);
  }
  enum class End { answered, closed, silent };
  [[nodiscard]] End end_of_answer() const {
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
      const ssize_t size = ::recv(fd_, piece.data(), piece.size(), 0);
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return End::silent;
      if (size <= 0) return End::closed;
      all.append(piece.data(), static_cast<std::size_t>(size));
      if (all.size() >= 6 && all[all.size() - 6] == 'Z') return End::answered;
    }
  }

 private:
  int fd_;
};

TEST(GatewayMemory, AHugeMessageEndsItsClientAndNobodyElseWhereMemoryIsShort) {
#ifdef SWITCHYARD_RESERVES_ADDRESSES
  GTEST_SKIP() << "the sanitizer reserves addresses";
#endif
  constexpr std::size_t kText = 32 * kMegabyte;
  TestDatabase database = TestDatabase::with("");
  Door door(database, {.more = "pool = { min = 0, max = 4 }\n"});
  PqSession other(door.local());
  bool ended = false;
  // What is missing first, the room for the message or that for what is sent on, depends on how much there is.
  for (std::size_t more = 16; more <= 192; more += 16) {
    Sender sender(door);
    Sender::End end{};
    {
      const MemoryLimit limit(more * kMegabyte);
      sender.ask(kText);
      end = sender.end_of_answer();
    }
    EXPECT_NE(end, Sender::End::silent) << "with " << more << " MB";
    ended = ended || end == Sender::End::closed;
    EXPECT_EQ(other.value("SELECT 2"), "2") << "with " << more << " MB";
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace switchyard::gateway
