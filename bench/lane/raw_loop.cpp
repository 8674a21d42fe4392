// The ceiling: sockets and bytes, nothing else. Answers are walked message by message and only counted.
#include "contenders.hpp"
#include "meter.hpp"

#include <switchyard/base/bytes.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <random>

namespace lane_bench {
namespace {

using switchyard::base::load_be;
using switchyard::base::store_be;

constexpr std::size_t kHeader = 5;  // type and length
constexpr std::size_t kReadAtOnce = 256 << 10;

void put_int(std::string& out, std::int32_t value) {
  char bytes[4];
  store_be(bytes, value);
  out.append(bytes, sizeof bytes);
}
void put_short(std::string& out, std::int16_t value) {
  char bytes[2];
  store_be(bytes, value);
  out.append(bytes, sizeof bytes);
}
void put_text(std::string& out, const std::string& text) { out.append(text.c_str(), text.size() + 1); }
std::string message(char type, const std::string& body) {
  std::string out(1, type);
  put_int(out, static_cast<std::int32_t>(body.size() + 4));
  return out + body;
}

std::string parse(const std::string& name, const char* sql) {
  std::string body;
  put_text(body, name);
  put_text(body, sql);
  put_short(body, 1);
  put_int(body, 23);  // int4
  return message('P', body);
}

/// Bind and Execute of a prepared statement with one int4, in binary both ways; the value is at kValueAt.
std::string bind_execute(const std::string& name) {
  std::string body;
  put_text(body, "");
  put_text(body, name);
  put_short(body, 1);
  put_short(body, 1);
  put_short(body, 1);
  put_int(body, 4);
  put_int(body, 0);
  put_short(body, 1);
  put_short(body, 1);
  std::string execute;
  put_text(execute, "");
  put_int(execute, 0);
  return message('B', body) + message('E', execute);
}
/// Behind the header: portal "", statement "r", one format, one length.
constexpr std::size_t kValueAt = kHeader + 1 + 2 + 2 + 2 + 2 + 4;

const std::string kRead = bind_execute("r");
const std::string kUpdate = bind_execute("u");
const std::string kSync = message('S', "");

int open_socket(const Site& site, Transport transport) {
  sockaddr_storage address{};
  socklen_t size = 0;
  if (transport == Transport::tcp) {
    sockaddr_in tcp{};
    tcp.sin_family = AF_INET;
    tcp.sin_port = htons(site.port(transport));
    inet_pton(AF_INET, "127.0.0.1", &tcp.sin_addr);
    std::memcpy(&address, &tcp, size = sizeof tcp);
  } else {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    const std::string path = site.host(transport) + "/.s.PGSQL." + std::to_string(site.port(transport));
    path.copy(local.sun_path, sizeof local.sun_path - 1);
    std::memcpy(&address, &local, size = sizeof local);
  }
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    throw std::runtime_error("raw loop: the server can't be reached");
  }
  if (const int on = 1; transport == Transport::tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class RawSession {
 public:
  RawSession(const Site& site, Transport transport, std::size_t callers, std::size_t per_sync)
      : fd_(open_socket(site, transport)), callers_(callers), per_sync_(per_sync), in_(kReadAtOnce, '\0') {
    std::string startup;
    put_int(startup, 3 << 16);
    for (const char* word : {"user", kRole, "database", kDatabase}) put_text(startup, word);
    startup += '\0';
    put_int(out_, static_cast<std::int32_t>(startup.size() + 4));
    out_ += startup;
    wait_ready();
    out_ = parse("r", kReadSql) + parse("u", kUpdateSql) + kSync;
    wait_ready();
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  RawSession(const RawSession&) = delete;
  RawSession& operator=(const RawSession&) = delete;
  ~RawSession() { close(fd_); }

  [[nodiscard]] pollfd waiting() const {
    return {.fd = fd_, .events = static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), .revents = 0};
  }

  /// A statement for every caller without one, in groups of at most `per_sync` reads; one write.
  void send(Mix mix, std::minstd_rand& random, Clock::time_point now) {
    std::size_t in_group = 0;
    const auto end_group = [&] {
      if (in_group != 0) out_ += kSync;
      in_group = 0;
    };
    while (sent_.size() < callers_) {
      const bool update = mix == Mix::reads_and_updates && random() % 100 < kUpdatePercent;
      if (update) end_group();
      const std::size_t at = out_.size();
      out_ += update ? kUpdate : kRead;
      store_be(out_.data() + at + kValueAt, static_cast<std::int32_t>(1 + random() % kRows));
      sent_.push_back(now);
      ++in_group;
      if (update || in_group == per_sync_) end_group();
    }
    end_group();
    flush();
  }

  /// Takes what is there.
  void receive(Clock::time_point now, Latencies* latencies) {
    const ssize_t size = recv(fd_, in_.data() + filled_, in_.size() - filled_, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) throw std::runtime_error("raw loop: the server hung up");
    filled_ += static_cast<std::size_t>(size);
    walk([&](char type) {
      if (type != 'C') return;
      if (latencies != nullptr) latencies->add((now - sent_.front()).count());
      sent_.pop_front();
    });
  }
  void flush() {
    if (out_.empty()) return;
    const ssize_t size = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN) throw std::runtime_error("raw loop: the server does not listen");
    if (size > 0) out_.erase(0, static_cast<std::size_t>(size));
  }

 private:
  /// Calls `on_message` with the type of each whole message and keeps the rest.
  template <class F>
  void walk(F&& on_message) {
    std::size_t at = 0;
    while (filled_ - at >= kHeader) {
      const std::size_t size = 1 + static_cast<std::size_t>(load_be<std::int32_t>(in_.data() + at + 1));
      if (filled_ - at < size) break;
      const char type = in_[at];
      if (type == 'E') throw std::runtime_error("raw loop: " + in_.substr(at + kHeader, size - kHeader));
      on_message(type);
      at += size;
    }
    std::memmove(in_.data(), in_.data() + at, filled_ - at);
    filled_ -= at;
  }
  void wait_ready() {
    flush();
    for (bool ready = false; !ready;) {
      const ssize_t size = recv(fd_, in_.data() + filled_, in_.size() - filled_, 0);
      if (size <= 0) throw std::runtime_error("raw loop: the server hung up");
      filled_ += static_cast<std::size_t>(size);
      walk([&](char type) { ready = ready || type == 'Z'; });
    }
  }

  int fd_;
  std::size_t callers_;
  std::size_t per_sync_;
  std::deque<Clock::time_point> sent_;
  std::string out_;
  std::string in_;
  std::size_t filled_ = 0;
};

}  // namespace

std::vector<RawShape> raw_shapes(int callers) {
  std::vector<RawShape> shapes;
  for (const int sessions : {1, 2, 4}) {
    for (const std::size_t per_sync : {1, 8, 64}) {
      const auto share = static_cast<std::size_t>(callers / sessions);
      if (share == 0 || (per_sync > 1 && per_sync / 8 >= share)) continue;
      shapes.push_back({.sessions = sessions, .per_sync = per_sync});
    }
  }
  return shapes;
}

Sample run_raw_loop(const Site& site, const Load& load, RawShape shape) {
  std::vector<std::unique_ptr<RawSession>> sessions;
  std::minstd_rand random(load.seed);
  for (int i = 0; i < shape.sessions; ++i) {
    const int callers = load.callers / shape.sessions + (i < load.callers % shape.sessions ? 1 : 0);
    sessions.push_back(
        std::make_unique<RawSession>(site, load.transport, static_cast<std::size_t>(callers), shape.per_sync));
  }
  std::vector<pollfd> waiting(sessions.size());
  const auto turn = [&](Latencies* latencies) {
    for (std::size_t i = 0; i < sessions.size(); ++i) waiting[i] = sessions[i]->waiting();
    if (poll(waiting.data(), waiting.size(), 5000) == 0) throw std::runtime_error("raw loop: no answer within 5 s");
    const auto now = Clock::now();
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if ((waiting[i].revents & POLLOUT) != 0) sessions[i]->flush();
      if ((waiting[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      sessions[i]->receive(now, latencies);
      sessions[i]->send(load.mix, random, now);
    }
    return now;
  };

  for (auto& session : sessions) session->send(load.mix, random, Clock::now());
  const auto warm = Clock::now() + std::chrono::duration<double>(load.warm_up_seconds);
  while (turn(nullptr) < warm) {
  }
  Latencies latencies;
  Meter meter(site.postmaster(), 0);
  const auto end = Clock::now() + std::chrono::duration<double>(load.seconds);
  while (turn(&latencies) < end) {
  }
  meter.stop();
  Sample sample = meter.sample(static_cast<double>(latencies.count()));
  sample.p50 = latencies.quantile(0.5);
  sample.p99 = latencies.quantile(0.99);
  sample.p999 = latencies.quantile(0.999);
  const auto share = static_cast<std::size_t>(load.callers / shape.sessions);
  sample.note = std::to_string(shape.sessions) + (shape.sessions == 1 ? " session" : " sessions") +
                ", a Sync for " + std::to_string(std::min(shape.per_sync, share));
  return sample;
}

}  // namespace lane_bench
