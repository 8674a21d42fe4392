#include "http_client.hpp"

#include <switchyard/runtime/address.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace switchyard::cli {

namespace {

/// Our own documents are far smaller; whatever else answers there may not fill the memory.
constexpr std::size_t kLargestAnswer = 64 << 20;

class Socket {
 public:
  explicit Socket(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool wait(short events, TimePoint deadline) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{.fd = fd_, .events = events, .revents = 0};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) == 1;
  }

 private:
  int fd_;
};

Error unreachable(const std::string& address, const std::string& why) {
  return Error(ErrorKind::Unavailable, "the HTTP door at " + address + " does not answer: " + why);
}

Result<runtime::SocketAddress> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string::npos) return Error(ErrorKind::Config, "'" + text + "' is no address");
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  // A door that is open to all is reached from here as well.
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return runtime::SocketAddress::ip(host, port);
}

Result<std::string> exchange(const Socket& socket, const std::string& address, std::string_view request,
                             TimePoint deadline) {
  while (!request.empty()) {
    const ssize_t sent = ::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      request.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || !socket.wait(POLLOUT, deadline)) {
      return unreachable(address, errno == EAGAIN ? "time-out" : std::strerror(errno));
    }
  }
  std::string answer;
  std::array<char, 16384> buffer;
  while (answer.size() < kLargestAnswer) {
    const ssize_t got = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (got == 0) return answer;
    if (got > 0) {
      answer.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (errno != EAGAIN || !socket.wait(POLLIN, deadline)) {
      return unreachable(address, errno == EAGAIN ? "time-out" : std::strerror(errno));
    }
  }
  return unreachable(address, "the answer is too long");
}

Result<HttpAnswer> ask(const std::string& address, std::string_view method, std::string_view target,
                       std::string_view headers, Duration timeout) {
  const TimePoint deadline = deadline_after(Clock::now(), timeout);
  auto place = parse_address(address);
  if (!place.ok()) return place.error();
  const Socket socket(place->family());
  if (::connect(socket.fd(), place->data(), place->size()) != 0) {
    if (errno != EINPROGRESS || !socket.wait(POLLOUT, deadline)) return unreachable(address, std::strerror(errno));
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return unreachable(address, std::strerror(error));
  }
  std::string request(method);
  request += ' ';
  request += target;
  request += " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n";
  request += headers;
  request += "\r\n";
  auto text = exchange(socket, address, request, deadline);
  if (!text.ok()) return text.error();
  HttpAnswer answer;
  const std::size_t body = text->find("\r\n\r\n");
  if (!text->starts_with("HTTP/1.1 ") || body == std::string::npos) {
    return unreachable(address, "somebody else listens there");
  }
  std::from_chars(text->data() + 9, text->data() + text->size(), answer.status);
  answer.body = text->substr(body + 4);
  return answer;
}

}  // namespace

Result<HttpAnswer> http_get(const std::string& address, std::string_view target, Duration timeout) {
  return ask(address, "GET", target, "", timeout);
}

Result<HttpAnswer> http_command(const std::string& address, std::string_view target, Duration timeout) {
  return ask(address, "POST", target, "Content-Length: 0\r\nSwitchyard-Operator: switchyard\r\n", timeout);
}

}  // namespace switchyard::cli
