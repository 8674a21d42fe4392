// The helpers themselves: a gate that does not do what a test asks of it would make that test worthless.
#include <switchyard/base/bytes.hpp>
#include <tests/support/gate.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/message_counter.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

namespace {

using namespace switchyard::testing;

/// A blocking socket; reads end after 20 s.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  Peer(Peer&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    if (socket_ >= 0) close(socket_);
  }
  void say(std::string_view text) const { (void)!send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  /// What comes, up to `size` bytes; less when the stream ends.
  [[nodiscard]] std::string hear(std::size_t size) {
    std::string out;
    while (out.size() < size) {
      char chunk[4096];
      const ssize_t got = recv(socket_, chunk, std::min(sizeof chunk, size - out.size()), 0);
      if (got <= 0) {
        last_error_ = got == 0 ? 0 : errno;
        ended_ = true;
        break;
      }
      out.append(chunk, static_cast<std::size_t>(got));
    }
    return out;
  }
  /// True if bytes or an end are there to be read now.
  [[nodiscard]] bool readable() const {
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    return poll(&ready, 1, 0) > 0;
  }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] int last_error() const { return last_error_; }
  void finish_sending() const { shutdown(socket_, SHUT_WR); }

 private:
  int socket_;
  bool ended_ = false;
  int last_error_ = 0;
};

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
  const int error = errno;
  close(socket);
  errno = error;
  return -1;
}

/// A listening socket that hands out its accepted peers.
class Server {
 public:
  Server() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(socket_, 16) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no listening socket");
    }
    port = ntohs(address.sin_port);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() { close(socket_); }
  [[nodiscard]] Peer accept() const { return Peer(accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)); }
  std::uint16_t port = 0;

 private:
  int socket_;
};

struct GateTest : testing::Test {
  Server behind;
  Gate gate{GateTarget::tcp(behind.port)};

  std::pair<Peer, Peer> pair() {
    Peer client(connect_to(gate.port()));
    return {std::move(client), behind.accept()};
  }
};

std::string message(char type, std::string_view body) {
  char length[4];
  switchyard::base::store_be(length, static_cast<std::uint32_t>(body.size() + 4));
  return std::string(1, type) + std::string(length, 4) + std::string(body);
}

std::string untyped(std::uint32_t code, std::string_view body) {
  char words[8];
  switchyard::base::store_be(words, static_cast<std::uint32_t>(body.size() + 8));
  switchyard::base::store_be(words + 4, code);
  return std::string(words, 8) + std::string(body);
}

TEST_F(GateTest, PassesBytesBothWaysAndTheEnd) {
  auto [client, server] = pair();
  client.say("question");
  EXPECT_EQ(server.hear(8), "question");
  server.say("answer");
  EXPECT_EQ(client.hear(6), "answer");
  client.finish_sending();
  EXPECT_EQ(server.hear(1), "");
  EXPECT_TRUE(server.ended());
  server.say("still open this way");
  EXPECT_EQ(client.hear(19), "still open this way");
  EXPECT_EQ(gate.bytes(GateDirection::to_server), 8U);
  EXPECT_EQ(gate.bytes(GateDirection::to_client), 25U);
}

TEST_F(GateTest, PassesMoreThanItsBuffers) {
  auto [client, server] = pair();
  const std::string much(8UL * 1024 * 1024, 'x');
  std::thread sender([&answerer = server, &much] { answerer.say(much); });
  EXPECT_TRUE(client.hear(much.size()) == much);
  sender.join();
}

TEST_F(GateTest, ResetsAtTheByteItWasToldTo) {
  gate.at_byte(GateDirection::to_client, 3, GateFault::cut(GateCut::reset));
  auto [client, server] = pair();
  server.say("abcdef");
  EXPECT_EQ(client.hear(6), "abc");
  EXPECT_EQ(client.last_error(), ECONNRESET);
  EXPECT_EQ(gate.fired(), 1U);
  // Once only: the next connection is whole.
  auto [second, second_server] = pair();
  second_server.say("abcdef");
  EXPECT_EQ(second.hear(6), "abcdef");
}

TEST_F(GateTest, ClosesEveryConnectionWhenToldSo) {
  gate.at_byte(GateDirection::to_client, 2, GateFault::cut(GateCut::close), GateScope::every);
  for (int i = 0; i < 2; ++i) {
    auto [client, server] = pair();
    client.say("unread by anybody");
    server.say("abcdef");
    EXPECT_EQ(client.hear(6), "ab");
    EXPECT_EQ(client.last_error(), 0) << "an orderly end, not a reset";
  }
  EXPECT_EQ(gate.fired(), 2U);
}

TEST_F(GateTest, FlipsOneByte) {
  gate.at_byte(GateDirection::to_server, 4, GateFault::corrupt(0x20));
  auto [client, server] = pair();
  client.say("aaaa");
  EXPECT_EQ(server.hear(4), "aaaa");
  client.say("aaaa");
  EXPECT_EQ(server.hear(4), "Aaaa");
}

TEST_F(GateTest, StallsAtAPlaceUntilItResumes) {
  gate.at_byte(GateDirection::to_client, 3, GateFault::stall());
  auto [client, server] = pair();
  server.say("abcdef");
  EXPECT_EQ(client.hear(3), "abc");
  EXPECT_TRUE(wait_until([this] { return gate.fired() == 1; }));
  EXPECT_FALSE(client.readable());
  gate.resume();
  EXPECT_EQ(client.hear(3), "def");
}

TEST_F(GateTest, StallsOneDirectionOnCommand) {
  auto [client, server] = pair();
  client.say("x");
  EXPECT_EQ(server.hear(1), "x");
  gate.stall(GateDirection::to_client);
  server.say("answer");
  client.say("more");
  EXPECT_EQ(server.hear(4), "more") << "the other direction goes on";
  EXPECT_FALSE(client.readable());
  gate.resume();
  EXPECT_EQ(client.hear(6), "answer");
}

TEST_F(GateTest, DelaysBytes) {
  gate.set_delay(GateDirection::to_client, std::chrono::milliseconds(30));
  auto [client, server] = pair();
  const auto before = std::chrono::steady_clock::now();
  server.say("late");
  EXPECT_EQ(client.hear(4), "late");
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(30));
}

TEST_F(GateTest, LimitsBandwidth) {
  gate.set_bandwidth(GateDirection::to_client, 100'000);
  auto [client, server] = pair();
  const auto before = std::chrono::steady_clock::now();
  server.say(std::string(10'000, 'x'));
  EXPECT_EQ(client.hear(10'000).size(), 10'000U);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(80)) << "10 kB at 100 kB/s";
}

TEST_F(GateTest, WritesInSmallPieces) {
  gate.set_largest_write(GateDirection::to_client, 1);
  auto [client, server] = pair();
  server.say("abcdef");
  EXPECT_EQ(client.hear(6), "abcdef");
}

TEST_F(GateTest, CutsAllOnCommand) {
  auto [client, server] = pair();
  client.say("x");
  EXPECT_EQ(server.hear(1), "x");
  gate.cut_all(GateCut::reset);
  EXPECT_EQ(client.hear(1), "");
  EXPECT_EQ(client.last_error(), ECONNRESET);
  EXPECT_EQ(server.hear(1), "");
  EXPECT_EQ(gate.open_connections(), 0U);
}

TEST_F(GateTest, HasADoor) {
  gate.set_door(GateDoor::refused);
  EXPECT_EQ(connect_to(gate.port()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);

  gate.set_door(GateDoor::reset);
  Peer reset(connect_to(gate.port()));
  EXPECT_EQ(reset.hear(1), "");

  gate.set_door(GateDoor::silent);
  Peer silent(connect_to(gate.port()));
  silent.say("hello?");
  EXPECT_TRUE(wait_until([this] { return gate.accepted() == 2; }));
  EXPECT_FALSE(silent.readable());
  EXPECT_EQ(gate.bytes(GateDirection::to_server), 0U);

  gate.set_door(GateDoor::open);
  auto [client, server] = pair();
  client.say("x");
  EXPECT_EQ(server.hear(1), "x");
}

TEST_F(GateTest, CutsAfterAMessage) {
  gate.after_messages(GateDirection::to_client, 2, GateFault::cut(GateCut::close));
  auto [client, server] = pair();
  const std::string first = message('R', "auth") + message('D', std::string(1000, 'd'));
  server.say(first + message('C', "never"));
  EXPECT_EQ(client.hear(10'000), first);
}

TEST_F(GateTest, CutsInsideAMessage) {
  gate.after_messages(GateDirection::to_server, 1, GateFault::cut(GateCut::close), GateScope::first, 7);
  auto [client, server] = pair();
  const std::string startup = untyped(3U << 16, "user");
  const std::string query = message('Q', "SELECT 1");
  client.say(startup + query);
  EXPECT_EQ(server.hear(10'000), startup + query.substr(0, 7));
}

TEST_F(GateTest, CountsTheAnswerToAnSslRequest) {
  gate.after_messages(GateDirection::to_client, 2, GateFault::cut(GateCut::close));
  auto [client, server] = pair();
  client.say(untyped(80877103, ""));
  EXPECT_EQ(server.hear(8).size(), 8U);
  server.say("N");
  EXPECT_EQ(client.hear(1), "N");
  client.say(untyped(3U << 16, "user"));
  EXPECT_EQ(server.hear(12).size(), 12U);
  const std::string answer = message('R', "1234");
  server.say(answer + message('Z', "I"));
  EXPECT_EQ(client.hear(10'000), answer);
  EXPECT_EQ(gate.messages(GateDirection::to_server), 2U);
}

TEST_F(GateTest, SpeaksOverAUnixSocket) {
  TempFolder folder;
  Gate local(GateTarget::tcp(behind.port), folder.path().string(), 5432);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder.file(".s.PGSQL.5432");
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  Peer client(socket);
  Peer server = behind.accept();
  client.say("x");
  EXPECT_EQ(server.hear(1), "x");
}

TEST(MessageCounter, FindsMessageEndsHoweverTheBytesAreSplit) {
  const std::string stream =
      untyped(80877103, "") + untyped(3U << 16, "user") + message('Q', "SELECT") + message('X', "");
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    MessageCounter counter = MessageCounter::of_client();
    for (std::size_t at = 0; at < stream.size();) {
      std::string_view next = std::string_view(stream).substr(at, piece);
      next = next.substr(0, counter.until_end(next));
      counter.take(next);
      at += next.size();
    }
    EXPECT_EQ(counter.count(), 4U) << "in pieces of " << piece;
  }
}

TEST(TempFolder, GoesWithEverythingInIt) {
  std::filesystem::path path;
  {
    TempFolder folder;
    path = folder.path();
    folder.write("a/b/c.txt", "text");
    EXPECT_EQ(folder.read("a/b/c.txt"), "text");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TlsFiles, MakesKeysThatNobodyElseReads) {
  TlsFiles files;
  for (const CertificateFiles& made : {files.server, files.client, files.client_encrypted}) {
    struct stat status{};
    ASSERT_EQ(stat(made.key.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
  }
  std::ifstream in(files.client_encrypted.key);
  std::string first;
  std::getline(in, first);
  EXPECT_EQ(first, "-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

TEST(Libpq, ParsesConnectionStrings) {
  const PqParsed good = pq_parse("host=a port=5433");
  ASSERT_EQ(good.options.size(), 2U);
  EXPECT_EQ(good.options[1].keyword, "port");
  EXPECT_FALSE(pq_parse("no=such").error.empty());
}

}  // namespace
