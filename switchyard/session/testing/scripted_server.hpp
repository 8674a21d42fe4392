// A TCP server on 127.0.0.1 that says what a test tells it to: for peers that speak nonsense.
#pragma once

#include <switchyard/base/bytes.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace switchyard::inline v0::session::testing {

/// One connection, seen from the server.
class Peer {
 public:
  explicit Peer(int fd, const std::atomic<bool>& stopping) noexcept : fd_(fd), stopping_(stopping) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(fd_); }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// What the client sent next; empty when it has gone or the server stops.
  [[nodiscard]] std::string receive() const {
    while (!stopping_) {
      pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      std::string bytes(16 << 10, '\0');
      const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
      bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      return bytes;
    }
    return {};
  }
  /// Says nothing until the client goes.
  void ignore() const {
    while (!receive().empty()) {
    }
  }

 private:
  int fd_;
  const std::atomic<bool>& stopping_;
};

class ScriptedServer {
 public:
  /// `script` is run for each connection, one after the other.
  explicit ScriptedServer(std::function<void(Peer&)> script) : script_(std::move(script)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (listening_ < 0 || ::bind(listening_, generic, size) != 0 || ::listen(listening_, 16) != 0 ||
        ::getsockname(listening_, generic, &size) != 0) {
      throw std::runtime_error("no port for a scripted server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    stopping_ = true;
    thread_.join();
    ::close(listening_);
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int accepted() const noexcept { return accepted_; }
  /// A connection string without TLS; `more` comes behind it.
  [[nodiscard]] std::string keywords(std::string_view more = "") const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " user=u dbname=d sslmode=disable " + std::string(more);
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd ready{.fd = listening_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++accepted_;
      Peer peer(fd, stopping_);
      script_(peer);
    }
  }

  std::function<void(Peer&)> script_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// ---- what servers say ----

/// A message: type, length, body.
inline std::string message(char type, std::string_view body) {
  std::string out(5, type);
  base::store_be(out.data() + 1, static_cast<std::int32_t>(body.size() + 4));
  return out.append(body);
}
inline std::string integer(std::int32_t value) {
  std::string out(4, '\0');
  base::store_be(out.data(), value);
  return out;
}
inline std::string cstring(std::string_view text) { return std::string(text) + '\0'; }
inline std::string setting(std::string_view name, std::string_view value) {
  return message('S', cstring(name) + cstring(value));
}
inline std::string error(std::string_view sqlstate, std::string_view text, std::string_view severity = "ERROR") {
  return message('E', 'S' + cstring(severity) + 'V' + cstring(severity) + 'C' + cstring(sqlstate) + 'M' +
                          cstring(text) + '\0');
}
inline std::string authentication_ok() { return message('R', integer(0)); }
inline std::string ready(char status = 'I') { return message('Z', std::string(1, status)); }
/// Everything from AuthenticationOk to ReadyForQuery.
inline std::string welcome() {
  return authentication_ok() + setting("server_version", "15.1") + message('K', integer(42) + integer(7)) + ready();
}

}  // namespace switchyard::inline v0::session::testing
