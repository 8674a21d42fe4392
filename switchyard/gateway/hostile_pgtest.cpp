// Bad input costs others nothing: connections that send nonsense, half of something, or nothing, by the thousand,
// while a healthy client goes on. SWITCHYARD_HOSTILE=1000000 makes it a million; what the healthy client waited is
// printed.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/configure.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <random>
#include <string>
#include <thread>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::wait_until;

constexpr int kPort = 6433;
constexpr long kAttacks = 10'000;
/// Connections that an attacker keeps open, saying nothing more.
constexpr std::size_t kHeld = 200;
constexpr int kAttackers = 2;

/// How attackers come.
enum class Way : std::uint8_t {
  local,    ///< by a Unix-domain path
  tcp_tls,  ///< by TCP, where TLS is offered
};

class Door {
 public:
  Door(const TestDatabase& database, Way way) : way_(way) {
    std::promise<void> opened;
    auto ready = opened.get_future();
    thread_ = std::thread([this, &database, &opened] { shard_.run_until_complete(serve(database, opened)); });
    ready.get();
  }
  ~Door() {
    shard_.post([this] { stop_ = true; });
    thread_.join();
  }
  [[nodiscard]] const runtime::SocketAddress& address() const { return address_; }
  [[nodiscard]] std::string as(const std::string& user) const {
    const bool local = way_ == Way::local;
    return "host=" + (local ? folder_.path().string() : std::string("127.0.0.1")) +
           " port=" + std::to_string(local ? kPort : address_.port()) + " dbname=main user=" + user;
  }
  GatewayStatus status() {
    std::promise<GatewayStatus> asked;
    shard_.post([&] { asked.set_value(gateway_->status()); });
    return asked.get_future().get();
  }

 private:
  Task<void> serve(const TestDatabase& database, std::promise<void>& opened) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[database.main]\ndsn = \"" + database.endpoint().uri() +
                        "\"\npool = { min = 1, max = 4 }\n[gateway]\nlisten = [\"127.0.0.1:0\"]\n"
                        "unix_socket = \"" +
                        folder_.path().string() +
                        "\"\n"
                        "hba = [\"local all postgres trust\", \"local all all scram-sha-256\", "
                        "\"host all postgres all trust\", \"host all all all scram-sha-256\"]\n"
                        "login_timeout = \"5s\"\ncancel_rate = 1000000\nmax_logins = 100\n"
                        "tls_certificate = \"" +
                        files_.server.certificate + "\"\ntls_key = \"" + files_.server.key + "\"\n";
    const FleetConfig config = load_config(sources).value_or_throw();
    auto fleet = Fleet::open(config).value_or_throw();
    GatewaySettings settings = gateway_settings(config).value_or_throw();
    settings.listen.erase(way_ == Way::local ? settings.listen.begin() : settings.listen.begin() + 1);
    gateway_ = Gateway::open(*fleet, std::move(settings)).value_or_throw();
    address_ = gateway_->addresses().front();
    opened.set_value();
    while (!stop_) co_await sleep(5ms);
    gateway_.reset();
    co_await fleet->close();
  }

  Way way_;
  TempFolder folder_;
  switchyard::testing::TlsFiles files_;
  runtime::SocketAddress address_;
  runtime::Shard shard_;
  std::unique_ptr<Gateway> gateway_;
  bool stop_ = false;
  std::thread thread_;
};

std::string be32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}
std::string packet(const std::string& body) { return be32(static_cast<std::uint32_t>(body.size() + 4)) + body; }
std::string message(char type, const std::string& body) { return type + packet(body); }
std::string startup(const std::string& user) {
  using namespace std::string_literals;
  return packet(be32(3U << 16) + "user\0"s + user + "\0database\0main\0\0"s);
}

/// One connection of an attacker.
class Attacker {
 public:
  Attacker(const Door& door, unsigned seed) : address_(door.address()), random_(seed) {}
  ~Attacker() {
    for (const int fd : held_) ::close(fd);
  }

  void attack() {
    using namespace std::string_literals;
    switch (pick(14)) {
      case 0: return say(noise(pick(300)));
      case 1: return say(be32(random_()) + noise(pick(40)));
      case 2: return say(packet(be32(3U << 16) + noise(pick(200))));
      case 3: return upgrade();
      case 4: return say(packet(be32(80877104)) + packet(be32(80877104)));                  // GSSENCRequest, twice
      case 5: return say(packet(be32(80877102) + be32(random_()) + noise(4 + pick(300))));  // CancelRequest
      case 6: return say("\x16\x03\x01"s + noise(2 + pick(100)));                           // direct TLS
      case 7: return say(startup("nobody") + message('p', "SCRAM-SHA-256\0"s + be32(random_()) + noise(pick(80))));
      case 8:
        return say(startup("nobody") + message('p', "SCRAM-SHA-256\0"s + be32(26) + "n,,n=,r=abcdefghijklmnopqr") +
                   message('p', "c=biws,r=abc,p=" + noise(pick(60))));
      case 9: return say(startup("nobody") + 'p' + be32(0x7fffffff) + noise(pick(2000)));
      case 10: return say(startup("postgres") + noise(pick(200)));
      case 11: return say(startup("postgres") + "QPBDEHSCdcfpFX"s[pick(14)] + be32(random_()) + noise(pick(100)));
      case 12: return say(mutated());
      default: return hold();
    }
  }

  /// A connection that says nothing.
  void hold_open() {
    const int fd = open();
    if (fd >= 0) keep(fd);
  }

 private:
  std::size_t pick(std::size_t below) { return below == 0 ? 0 : random_() % below; }
  std::string noise(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  /// An SSLRequest, then something that is no handshake, or only the beginning of one.
  void upgrade() {
    using namespace std::string_literals;
    const std::string request = packet(be32(80877103));
    if (pick(2) == 0) return say(request + noise(pick(60)));
    const int fd = open();
    if (fd < 0) return;
    (void)!::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char answer = 0;
    if (::read(fd, &answer, 1) == 1) {
      // A record of type handshake with a length that fits, sometimes with the head of a ClientHello in it.
      std::string record = noise(pick(400));
      if (pick(2) == 0) record = "\x01\x00"s + noise(2) + "\x03\x03"s + record;
      std::string bytes = "\x16\x03\x01"s + be32(static_cast<std::uint32_t>(record.size())).substr(2) + record;
      if (pick(4) == 0) bytes = bytes.substr(0, pick(bytes.size()));
      (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    if (pick(10) == 0) return keep(fd);
    ::close(fd);
  }
  /// A whole conversation, with some bytes that are others.
  std::string mutated() {
    using namespace std::string_literals;
    std::string all = startup("postgres") + message('Q', "SELECT 1\0"s) + message('P', "s\0SELECT $1::int\0\0\0"s) +
                      message('B', "\0s\0\0\0\0\1\0\0\0\1"s + "1" + "\0\0"s) + message('D', "P\0"s) +
                      message('E', "\0\0\0\0\0"s) + message('S', "") + message('X', "");
    for (std::size_t i = 0, changes = 1 + pick(6); i < changes; ++i) {
      all[pick(all.size())] = static_cast<char>(random_());
    }
    return all.substr(0, 1 + pick(all.size()));
  }

  [[nodiscard]] int open() const {
    const int fd = ::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A close is a reset: ports that wait for their last packets would run out.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (!address_.is_unix()) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (::connect(fd, address_.data(), address_.size()) == 0) return fd;
    ::close(fd);
    return -1;
  }

  /// In one piece or several; then sometimes waits for an answer.
  void say(const std::string& bytes) {
    const int fd = open();
    if (fd < 0) return;
    std::size_t at = 0;
    const std::size_t pieces = 1 + pick(3);
    for (std::size_t i = 1; i <= pieces; ++i) {
      const std::size_t end = bytes.size() * i / pieces;
      if (::send(fd, bytes.data() + at, end - at, MSG_NOSIGNAL) < 0) break;
      at = end;
    }
    if (pick(4) == 0) {
      pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
      char answer[512];
      if (::poll(&wait, 1, 2) == 1) (void)!::read(fd, answer, sizeof(answer));
    }
    if (pick(20) == 0) {
      keep(fd);
    } else {
      ::close(fd);
    }
  }

  /// Half a startup packet, a byte now and then, or nothing at all.
  void hold() {
    if (!held_.empty() && pick(2) == 0) {
      const std::string byte(1, '\0');
      (void)!::send(held_[pick(held_.size())], byte.data(), 1, MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    const int fd = open();
    if (fd < 0) return;
    const std::string half = startup("postgres").substr(0, pick(20));
    (void)!::send(fd, half.data(), half.size(), MSG_NOSIGNAL);
    keep(fd);
  }
  void keep(int fd) {
    held_.push_back(fd);
    if (held_.size() <= kHeld) return;
    ::close(held_.front());
    held_.pop_front();
  }

  runtime::SocketAddress address_;
  std::minstd_rand random_;
  std::deque<int> held_;
};

class Hostile : public ::testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, Hostile, ::testing::Values(Way::local, Way::tcp_tls),
                         [](const auto& way) { return way.param == Way::local ? "Local" : "TcpAndTls"; });

TEST_P(Hostile, NonsenseByTheThousandDisturbsNoHealthyClient) {
  TestDatabase database;
  Door door(database, GetParam());
  const char* wanted = std::getenv("SWITCHYARD_HOSTILE");
  const long attacks = wanted != nullptr ? std::strtol(wanted, nullptr, 10) : kAttacks;

  PqSession healthy(door.as("postgres"));
  ASSERT_TRUE(healthy.connected()) << healthy.error();
  std::atomic<long> left = attacks;
  std::vector<std::thread> threads;
  for (int i = 0; i < kAttackers; ++i) {
    threads.emplace_back([&, i] {
      Attacker attacker(door, 4711U + static_cast<unsigned>(i));
      while (left.fetch_sub(1) > 0) attacker.attack();
    });
  }
  std::chrono::steady_clock::duration longest{};
  long asked = 0;
  for (; left > 0; ++asked) {
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_EQ(healthy.value("SELECT " + std::to_string(asked)), std::to_string(asked));
    if (asked % 50 == 0) {
      PqSession another(door.as("postgres"));  // logins go on as well
      ASSERT_TRUE(another.connected()) << another.error();
      ASSERT_EQ(another.value("SELECT 'x'"), "x");
    }
    longest = std::max(longest, std::chrono::steady_clock::now() - begun);
  }
  for (std::thread& thread : threads) thread.join();
  const double worst = std::chrono::duration<double, std::milli>(longest).count();
  std::printf("%ld attacks, %ld statements beside them, the longest took %.1f ms\n", attacks, asked, worst);
  RecordProperty("longest_ms", static_cast<int>(worst));
  EXPECT_EQ(healthy.value("SELECT 1"), "1");
  // Whoever had been let in as postgres and sent nonsense is gone, and nobody's login is left over.
  EXPECT_TRUE(wait_until([&] { return door.status().clients == 1; })) << door.status().clients;
}

TEST_P(Hostile, ConnectionsThatSayNothingKeepNobodyOut) {
  TestDatabase database;
  Door door(database, GetParam());
  Attacker attacker(door, 1);
  for (int i = 0; i < 3 * static_cast<int>(kHeld); ++i) attacker.hold_open();
  PqSession healthy(door.as("postgres"));
  ASSERT_TRUE(healthy.connected()) << healthy.error();
  EXPECT_EQ(healthy.value("SELECT 1"), "1");
  EXPECT_LE(door.status().logins, 101u);
}

}  // namespace
}  // namespace switchyard::gateway
