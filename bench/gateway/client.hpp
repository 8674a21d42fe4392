// One client of the load generator: a connection to a server or to a pooler that speaks PostgreSQL's protocol, as
// cheap as one can be, so that ten thousand fit into a process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gateway_bench {

enum class Protocol : std::uint8_t { simple, extended, prepared };

struct Login {
  std::string host;  ///< an IPv4 address
  std::uint16_t port = 0;
  std::string user;
  std::string database;
};

//  logging_in ─ReadyForQuery─► idle ◄─ReadyForQuery─ busy      any ─closed, unexpected─► broken
class Client {
 public:
  enum class State : std::uint8_t { logging_in, idle, busy, broken };

  Client() = default;
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  /// Connects without waiting and sends the startup packet when that is possible. Only trust is understood.
  void connect(const Login& login, Protocol protocol);
  /// The point read of `id`. The answer's first column has to be `id`. Call when idle.
  void ask(std::int32_t id);
  /// Any text, by the simple protocol; its rows are not looked at.
  void ask(std::string_view sql);
  /// The socket can be read or written: goes on as far as it can.
  void on_ready(bool writable);

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] State state() const { return state_; }
  /// The last statement ended with an ErrorResponse.
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool wants_to_write() const { return !out_.empty(); }
  /// What went wrong, or what the last ErrorResponse said.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void flush();
  void read();
  void take(char type, std::string_view body);
  void check_row(std::string_view body);
  void break_off(std::string why);
  void write_statement(std::int32_t id);

  int socket_ = -1;
  State state_ = State::broken;
  Protocol protocol_ = Protocol::simple;
  bool connected_ = false;
  bool failed_ = false;
  bool parsed_ = false;  ///< the named statement is there
  bool answered_ = false;
  std::int32_t asked_ = 0;  ///< 0: rows are not checked
  std::string out_;
  std::string in_;  ///< the beginning of a message whose rest is still to come
  std::string startup_;
  std::string error_;
};

}  // namespace gateway_bench
