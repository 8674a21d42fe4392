#include <switchyard/embedded/control_session.hpp>

#include <switchyard/base/bytes.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace switchyard::inline v0::embedded {

namespace {

constexpr std::size_t kLargestMessage = 64UL * 1024 * 1024;
constexpr std::size_t kLargestResult = 256UL * 1024 * 1024;

template <class T>
void append_be(std::string& out, T value) {
  char bytes[sizeof(T)];
  base::store_be(bytes, value);
  out.append(bytes, sizeof(T));
}

std::string message(char type, std::string_view body) {
  std::string out(1, type);
  append_be(out, static_cast<std::uint32_t>(body.size() + 4));
  out += body;
  return out;
}

/// Reads a message body with every length checked against what is there.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}
  template <class T>
  T integer() {
    if (rest_.size() < sizeof(T)) return fail<T>();
    T value = base::load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) return fail<std::string_view>();
    std::string_view out = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return out;
  }
  std::string_view bytes(std::size_t count) {
    if (rest_.size() < count) return fail<std::string_view>();
    std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    rest_ = {};
    return T{};
  }
  std::string_view rest_;
  bool ok_ = true;
};

Error server_error(std::string_view body) {
  ServerFields fields;
  Reader reader(body);
  while (reader.ok() && !reader.empty()) {
    const char field = reader.integer<char>();
    if (field == '\0') break;
    const std::string_view value = reader.text();
    switch (field) {
      case 'V': fields.severity = value; break;
      case 'C': fields.sqlstate = value; break;
      case 'M': fields.message = value; break;
      case 'D': fields.detail = value; break;
      case 'H': fields.hint = value; break;
      case 'P': fields.position = value; break;
      case 'W': fields.where = value; break;
      default: break;
    }
  }
  return Error(std::move(fields), ErrorStage::sent);
}

Error broken(std::string_view what) {
  return Error(ErrorKind::Protocol, "the private server answered with " + std::string(what), ErrorStage::sent)
      .with_session_lost();
}

Error lost(std::string_view what, int error) {
  return Error(ErrorKind::Unavailable, std::string(what) + ": " + std::generic_category().message(error),
               ErrorStage::connecting)
      .with_session_lost();
}

bool wait_for(int socket, short events, TimePoint deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{.fd = socket, .events = events, .revents = 0};
    const int polled = poll(&ready, 1, static_cast<int>(std::clamp<long>(left, 0, 1'000'000)));
    if (polled > 0) return true;
    if (polled == 0 && left <= 0) return false;
  }
}

Error late() {
  return Error(ErrorKind::Deadline, "the private server did not answer in time", ErrorStage::sent)
      .with_session_lost();
}

}  // namespace

ControlSession::ControlSession(ControlSession&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

ControlSession::~ControlSession() {
  if (socket_ < 0) return;
  const std::string terminate = message('X', "");
  (void)send(socket_, terminate.data(), terminate.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  close(socket_);
}

Result<ControlSession> ControlSession::connect(const std::string& socket_file, std::string_view user,
                                               std::string_view database, TimePoint deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_file.size() >= sizeof address.sun_path) {
    return Error(ErrorKind::Config, "socket path is longer than 107 bytes: " + socket_file);
  }
  std::memcpy(address.sun_path, socket_file.data(), socket_file.size());
  ControlSession session(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (session.socket_ < 0) return lost("socket", errno);
  // A Unix socket connects at once or blocks while the backlog is full; the latter counts as refused.
  fcntl(session.socket_, F_SETFL, O_NONBLOCK);
  if (::connect(session.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return lost("connect to " + socket_file, errno);
  }

  std::string body;
  append_be(body, std::uint32_t{3} << 16);
  const std::pair<std::string_view, std::string_view> parameters[] = {{"user", user},
                                                                      {"database", database},
                                                                      {"application_name", "switchyard-embedded"},
                                                                      {"client_encoding", "UTF8"}};
  for (auto [name, value] : parameters) {
    body.append(name).push_back('\0');
    body.append(value).push_back('\0');
  }
  body.push_back('\0');
  std::string startup;
  append_be(startup, static_cast<std::uint32_t>(body.size() + 4));
  SY_TRY(session.send_all(startup + body, deadline));

  for (;;) {
    auto type = session.receive_message(body, deadline);
    if (!type.ok()) return type.error();
    if (*type == 'E') return server_error(body).with_session_lost();
    if (*type == 'R' && Reader(body).integer<std::int32_t>() != 0) {
      return Error(ErrorKind::Config,
                   "the private server asks its superuser for a password: pg_hba.conf must trust "
                   "the Unix socket");
    }
    if (*type == 'Z') return session;
  }
}

Result<SqlResult> ControlSession::execute(std::string_view sql, TimePoint deadline) {
  if (sql.find('\0') != std::string_view::npos) return Error(ErrorKind::Usage, "SQL text contains a NUL byte");
  std::string body(sql);
  body.push_back('\0');
  SY_TRY(send_all(message('Q', body), deadline));

  SqlResult result;
  std::optional<Error> failed;
  std::size_t size = 0;
  for (;;) {
    auto type = receive_message(body, deadline);
    if (!type.ok()) return type.error();
    size += body.size();
    if (size > kLargestResult) return broken("more than 256 MB");
    Reader reader(body);
    switch (*type) {
      case 'T': {
        result.columns.clear();
        result.rows.clear();
        const int count = reader.integer<std::int16_t>();
        for (int i = 0; i < count && reader.ok(); ++i) {
          result.columns.emplace_back(reader.text());
          reader.bytes(18);  // table, column, type, size, modifier, format
        }
        break;
      }
      case 'D': {
        auto& row = result.rows.emplace_back();
        const int count = reader.integer<std::int16_t>();
        for (int i = 0; i < count && reader.ok(); ++i) {
          const auto length = reader.integer<std::int32_t>();
          if (length < 0)
            row.emplace_back();
          else
            row.emplace_back(reader.bytes(static_cast<std::size_t>(length)));
        }
        break;
      }
      case 'C': result.tag = reader.text(); break;
      case 'E': failed = server_error(body); break;
      case 'G':
      case 'W': return broken("COPY, which is not supported here").with_kind(ErrorKind::Usage);
      case 'Z':
        if (failed) return *failed;
        return result;
      default: break;  // notices, parameter status, notifications, COPY out
    }
    if (!reader.ok()) return broken("a malformed message");
  }
}

Result<void> ControlSession::send_all(std::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_, POLLOUT, deadline)) return late();
    } else if (errno != EINTR) {
      return lost("send to the private server", errno);
    }
  }
  return {};
}

Result<void> ControlSession::receive_exactly(std::size_t count, std::string& out, TimePoint deadline) {
  out.resize(count);
  std::size_t have = 0;
  while (have < count) {
    const ssize_t got = recv(socket_, out.data() + have, count - have, 0);
    if (got > 0) {
      have += static_cast<std::size_t>(got);
    } else if (got == 0) {
      return lost("the private server closed the connection", ECONNRESET);
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_, POLLIN, deadline)) return late();
    } else if (errno != EINTR) {
      return lost("receive from the private server", errno);
    }
  }
  return {};
}

Result<char> ControlSession::receive_message(std::string& body, TimePoint deadline) {
  std::string header;
  SY_TRY(receive_exactly(5, header, deadline));
  const auto length = base::load_be<std::uint32_t>(header.data() + 1);
  if (length < 4 || length > kLargestMessage) return broken("a message of " + std::to_string(length) + " bytes");
  SY_TRY(receive_exactly(length - 4, body, deadline));
  return header[0];
}

}  // namespace switchyard::inline v0::embedded
