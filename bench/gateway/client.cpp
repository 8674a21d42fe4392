#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gateway_bench {
namespace {

constexpr std::uint32_t kProtocol30 = 196608;
constexpr std::size_t kHeader = 5;  // type and length
constexpr std::size_t kReadSize = std::size_t{64} << 10;
constexpr std::string_view kName = "point";
constexpr std::string_view kText = "SELECT aid, abalance FROM pgbench_accounts WHERE aid = ";

template <class T>
void put(std::string& out, T value) {
  for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xff));
  }
}

std::uint32_t get32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

void put_text(std::string& out, std::string_view text) {
  out.append(text);
  out.push_back('\0');
}

/// Writes a message whose body `write` appends.
template <class Write>
void message(std::string& out, char type, Write write) {
  out.push_back(type);
  const std::size_t at = out.size();
  put<std::uint32_t>(out, 0);
  write();
  std::string length;
  put(length, static_cast<std::uint32_t>(out.size() - at));
  out.replace(at, length.size(), length);
}

/// The value of a field of an ErrorResponse, or empty.
std::string_view field(std::string_view body, char wanted) {
  while (!body.empty() && body.front() != '\0') {
    const char type = body.front();
    const std::size_t end = body.find('\0', 1);
    if (end == std::string_view::npos) break;
    if (type == wanted) return body.substr(1, end - 1);
    body.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      state_(other.state_),
      protocol_(other.protocol_),
      connected_(other.connected_),
      failed_(other.failed_),
      parsed_(other.parsed_),
      answered_(other.answered_),
      asked_(other.asked_),
      out_(std::move(other.out_)),
      in_(std::move(other.in_)),
      startup_(std::move(other.startup_)),
      error_(std::move(other.error_)) {}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

void Client::connect(const Login& login, Protocol protocol) {
  protocol_ = protocol;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return break_off(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(login.port);
  if (::inet_pton(AF_INET, login.host.c_str(), &address.sin_addr) != 1) return break_off("not an IPv4 address");
  state_ = State::logging_in;
  std::string body;
  put(body, kProtocol30);
  for (const std::string_view word : {std::string_view("user"), std::string_view(login.user),
                                      std::string_view("database"), std::string_view(login.database)}) {
    put_text(body, word);
  }
  body.push_back('\0');
  put(out_, static_cast<std::uint32_t>(body.size() + 4));
  out_ += body;
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    break_off(std::string("connect: ") + std::strerror(errno));
  }
}

void Client::ask(std::int32_t id) {
  state_ = State::busy;
  failed_ = answered_ = false;
  asked_ = id;
  write_statement(id);
  flush();
}

void Client::ask(std::string_view sql) {
  state_ = State::busy;
  failed_ = false;
  asked_ = 0;
  message(out_, 'Q', [&] { put_text(out_, sql); });
  flush();
}

void Client::write_statement(std::int32_t id) {
  const std::string number = std::to_string(id);
  if (protocol_ == Protocol::simple) {
    message(out_, 'Q', [&] {
      out_ += kText;
      put_text(out_, number + ";");
    });
    return;
  }
  const std::string_view name = protocol_ == Protocol::prepared ? kName : std::string_view();
  if (protocol_ == Protocol::extended || !parsed_) {
    message(out_, 'P', [&] {
      put_text(out_, name);
      out_ += kText;
      put_text(out_, "$1");
      put<std::uint16_t>(out_, 0);
    });
    parsed_ = true;
  }
  message(out_, 'B', [&] {
    put_text(out_, "");
    put_text(out_, name);
    put<std::uint16_t>(out_, 0);  // parameters as text
    put<std::uint16_t>(out_, 1);
    put(out_, static_cast<std::uint32_t>(number.size()));
    out_ += number;
    put<std::uint16_t>(out_, 0);  // results as text
  });
  message(out_, 'D', [&] {
    out_.push_back('P');
    put_text(out_, "");
  });
  message(out_, 'E', [&] {
    put_text(out_, "");
    put<std::uint32_t>(out_, 0);
  });
  message(out_, 'S', [] {});
}

void Client::on_ready(bool writable) {
  if (writable && !connected_) {
    int failure = 0;
    socklen_t size = sizeof(failure);
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) return break_off(std::string("connect: ") + std::strerror(failure));
    connected_ = true;
  }
  if (!connected_) return;
  if (!out_.empty()) flush();
  read();
}

void Client::flush() {
  while (!out_.empty() && state_ != State::broken) {
    const ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) break_off(std::string("send: ") + std::strerror(errno));
      return;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  // Idle clients keep no memory for it.
  if (out_.empty() && out_.capacity() > kReadSize) std::string().swap(out_);
}

void Client::read() {
  static std::array<char, kReadSize> buffer;  // one thread
  while (state_ != State::broken) {
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got == 0) return break_off("the connection was closed" + (error_.empty() ? "" : ": " + error_));
    if (got < 0) {
      if (errno != EAGAIN) break_off(std::string("recv: ") + std::strerror(errno));
      return;
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    std::string joined;
    if (!in_.empty()) {
      joined = std::exchange(in_, {});
      joined += bytes;
      bytes = joined;
    }
    while (bytes.size() >= kHeader && state_ != State::broken) {
      const std::size_t size = std::size_t{1} + get32(bytes.substr(1));
      if (size < kHeader) return break_off("a message without length");
      if (bytes.size() < size) break;
      take(bytes.front(), bytes.substr(kHeader, size - kHeader));
      bytes.remove_prefix(size);
    }
    in_ = bytes;
    if (static_cast<std::size_t>(got) < buffer.size()) return;
  }
}

void Client::take(char type, std::string_view body) {
  switch (type) {
    case 'R':
      if (body.size() < 4 || get32(body) != 0) break_off("a password is asked for; only trust is understood");
      return;
    case 'D': return check_row(body);
    case 'E':
      failed_ = true;
      parsed_ = false;
      error_ = std::string(field(body, 'C')) + " " + std::string(field(body, 'M'));
      return;
    case 'Z':
      if (state_ == State::busy && asked_ != 0 && !failed_ && !answered_) return break_off("WRONG: no row");
      state_ = State::idle;
      return;
    default: return;
  }
}

void Client::check_row(std::string_view body) {
  if (asked_ == 0) return;
  const std::string wanted = std::to_string(asked_);
  // Number of columns, length of the first, the first.
  constexpr std::size_t kBefore = 6;
  if (answered_ || state_ != State::busy || body.size() < kBefore + wanted.size() ||
      get32(body.substr(2)) != wanted.size() || body.substr(kBefore, wanted.size()) != wanted) {
    return break_off("WRONG: asked for " + wanted + ", got another row");
  }
  answered_ = true;
}

void Client::break_off(std::string why) {
  error_ = std::move(why);
  state_ = State::broken;
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

}  // namespace gateway_bench
