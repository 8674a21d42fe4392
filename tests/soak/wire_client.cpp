#include "wire_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kProtocol30 = 196608;
constexpr std::uint32_t kCancelRequest = 80877102;
constexpr std::size_t kHeader = 5;
/// Longer than every time limit on the way; a misfortune lasts half a second.
constexpr int kPatienceMs = 60'000;

template <class T>
void append(std::string& out, T value) {
  for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xff));
  }
}

template <class T>
T take(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) throw Wrong("a message that is too short");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

std::string_view take_text(std::string_view& bytes) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos) throw Wrong("a text without its end");
  const std::string_view text = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return text;
}

std::string field(std::string_view body, char wanted) {
  while (!body.empty() && body.front() != '\0') {
    const char type = body.front();
    body.remove_prefix(1);
    const std::string_view value = take_text(body);
    if (type == wanted) return std::string(value);
  }
  return {};
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw Lost("", "path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string why = std::strerror(errno);
    if (socket >= 0) ::close(socket);
    throw Lost("", "connect: " + why);
  }
  return socket;
}

/// False: nothing came in time.
bool wait_to_read(int socket) {
  pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, kPatienceMs) > 0;
}

/// May come between any two messages.
bool is_asynchronous(char type) { return type == 'A' || type == 'N' || type == 'S'; }

std::vector<WireValue> read_row(std::string_view body) {
  std::vector<WireValue> row(take<std::uint16_t>(body));
  for (WireValue& value : row) {
    const auto size = take<std::int32_t>(body);
    if (size < 0) continue;
    if (body.size() < static_cast<std::size_t>(size)) throw Wrong("a row that ends too early");
    value = std::string(body.substr(0, static_cast<std::size_t>(size)));
    body.remove_prefix(static_cast<std::size_t>(size));
  }
  if (!body.empty()) throw Wrong("a row with more than its columns");
  return row;
}

}  // namespace

WireClient::WireClient(const WirePlace& place, std::string_view application_name)
    : place_(place), socket_(connect_to(place.path)) {
  try {
    std::string body;
    append(body, kProtocol30);
    for (const std::string_view word :
         {std::string_view("user"), std::string_view(place.user), std::string_view("database"),
          std::string_view(place.database), std::string_view("application_name"), application_name}) {
      body.append(word).push_back('\0');
    }
    body.push_back('\0');
    append(out_, static_cast<std::uint32_t>(body.size() + 4));
    out_ += body;
    send();
    for (;;) {
      const Message message = read();
      if (message.type == 'K') key_ = message.body;
      if (message.type == 'E') throw Lost(last_sqlstate_, "login: " + last_message_);
      if (message.type == 'Z') break;
    }
  } catch (...) {
    ::close(socket_);
    throw;
  }
}

WireClient::~WireClient() { ::close(socket_); }

void WireClient::begin(char type) {
  out_.push_back(type);
  at_ = out_.size();
  append<std::uint32_t>(out_, 0);
}

void WireClient::end() {
  std::string length;
  append(length, static_cast<std::uint32_t>(out_.size() - at_));
  out_.replace(at_, length.size(), length);
}

void WireClient::put(std::string_view text) { out_.append(text).push_back('\0'); }

template <class T>
void WireClient::number(T value) {
  append(out_, value);
}

WireClient& WireClient::query(std::string_view sql) {
  begin('Q');
  put(sql);
  end();
  return *this;
}

WireClient& WireClient::parse(std::string_view name, std::string_view sql) {
  begin('P');
  put(name);
  put(sql);
  number<std::uint16_t>(0);
  end();
  return *this;
}

WireClient& WireClient::bind(std::string_view portal, std::string_view name, std::span<const std::string> values) {
  begin('B');
  put(portal);
  put(name);
  number<std::uint16_t>(0);
  number(static_cast<std::uint16_t>(values.size()));
  for (const std::string& value : values) {
    number(static_cast<std::uint32_t>(value.size()));
    out_ += value;
  }
  number<std::uint16_t>(0);
  end();
  return *this;
}

WireClient& WireClient::describe(char what, std::string_view name) {
  begin('D');
  out_.push_back(what);
  put(name);
  end();
  return *this;
}

WireClient& WireClient::execute(std::string_view portal, std::uint32_t most) {
  begin('E');
  put(portal);
  number(most);
  end();
  return *this;
}

WireClient& WireClient::close(char what, std::string_view name) {
  begin('C');
  out_.push_back(what);
  put(name);
  end();
  return *this;
}

WireClient& WireClient::sync() {
  begin('S');
  end();
  return *this;
}

WireClient& WireClient::flush() {
  begin('H');
  end();
  return *this;
}

WireClient& WireClient::copy_data(std::string_view data) {
  begin('d');
  out_ += data;
  end();
  return *this;
}

WireClient& WireClient::copy_done() {
  begin('c');
  end();
  return *this;
}

WireClient& WireClient::terminate() {
  begin('X');
  end();
  return *this;
}

void WireClient::send(std::size_t most) {
  std::string_view rest(out_);
  rest = rest.substr(0, most);
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    // What the gateway had to say before it left comes first.
    if (sent < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  out_.clear();
}

WireClient::Message WireClient::read() {
  std::array<char, 16384> buffer;
  for (;;) {
    if (in_.size() >= kHeader) {
      std::string_view head(in_);
      head.remove_prefix(1);
      const std::size_t size = 1 + std::size_t{take<std::uint32_t>(head)};
      if (size < kHeader || size > (std::size_t{1} << 28)) throw Wrong("a message with an impossible length");
      if (in_.size() >= size) {
        Message message{in_.front(), in_.substr(kHeader, size - kHeader)};
        in_.erase(0, size);
        note(message);
        return message;
      }
    }
    if (!wait_to_read(socket_)) throw Wrong("no answer within a minute");
    if (slow_) std::this_thread::sleep_for(500us);
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) throw Lost(std::exchange(last_sqlstate_, {}), "the connection has ended: " + last_message_);
    in_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void WireClient::note(const Message& message) {
  std::string_view body(message.body);
  if (message.type == 'E') {
    last_sqlstate_ = field(body, 'C');
    last_message_ = field(body, 'S') + ": " + field(body, 'M');
  } else if (message.type == 'S') {
    const std::string name(take_text(body));
    parameters_[name] = take_text(body);
  } else if (message.type == 'A') {
    (void)take<std::uint32_t>(body);
    std::string channel(take_text(body));
    heard_.push_back({std::move(channel), std::string(take_text(body))});
  }
}

Answer WireClient::receive() {
  Answer answer;
  std::optional<std::size_t> columns;
  last_sqlstate_.clear();
  for (;;) {
    const Message message = read();
    if (is_asynchronous(message.type)) continue;
    answer.order.push_back(message.type);
    std::string_view body(message.body);
    switch (message.type) {
      case 'T': columns = take<std::uint16_t>(body); break;
      case 'D':
        answer.rows.push_back(read_row(body));
        if (columns && answer.rows.back().size() != *columns)
          throw Wrong("a row of another width than its description");
        break;
      case 'C':
        answer.tags.emplace_back(take_text(body));
        columns.reset();
        break;
      case 'd': answer.copied += message.body; break;
      case 'E':
        if (field(body, 'S') == "FATAL") break;  // then the connection ends
        if (!answer.sqlstate.empty())
          throw Wrong("two errors for one group: " + answer.message + " and " + last_message_);
        answer.sqlstate = last_sqlstate_;
        answer.message = last_message_;
        break;
      case 'Z': answer.status = body.empty() ? '?' : body.front(); return answer;
      default: break;
    }
  }
}

Answer WireClient::ask() {
  send();
  return receive();
}

WireNotification WireClient::hear() {
  while (heard_.empty()) {
    const Message message = read();
    if (!is_asynchronous(message.type) && message.type != 'E') throw Wrong("a message nobody asked for");
  }
  WireNotification first = std::move(heard_.front());
  heard_.erase(heard_.begin());
  return first;
}

void WireClient::cancel() const {
  const int socket = connect_to(place_.path);
  std::string body;
  append(body, kCancelRequest);
  body += key_;
  std::string out;
  append(out, static_cast<std::uint32_t>(body.size() + 4));
  out += body;
  if (::send(socket, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size())) {
    char byte = 0;
    if (wait_to_read(socket)) (void)::recv(socket, &byte, 1, 0);
  }
  ::close(socket);
}

}  // namespace soak
