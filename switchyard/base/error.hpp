// The one error type of Switchyard. Inside the library it travels in a Result; at the coroutine API it is the
// one exception that is thrown.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// What went wrong, by who has to act.
enum class ErrorKind : std::uint8_t {
  Config,         ///< the configuration is wrong: fix the file, the variable or the option it names
  Usage,          ///< the program uses the library wrongly (wrong thread, concurrent use, wrong database)
  Unavailable,    ///< the database can't be reached or refuses: connect failure, breaker, budget, paused
  PoolExhausted,  ///< no session became free in time
  Deadline,       ///< the time limit passed
  Cancelled,      ///< the caller gave up
  Server,         ///< PostgreSQL answered with an error: see server()
  Protocol,       ///< the peer broke the protocol; the session was closed
  Mapping,        ///< a row or value does not fit the C++ type
  InDoubt,        ///< a commit (or autocommit write) was sent and its outcome is unknown
  Closed,         ///< the fleet, pool or session has been closed
};

/// How far the operation had come.
enum class ErrorStage : std::uint8_t {
  queued,       ///< nothing was sent
  connecting,   ///< nothing was sent; the session was being opened
  sent,         ///< the statement was sent, no COMMIT was
  commit_sent,  ///< COMMIT (or an autocommit write) was sent
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(ErrorKind kind) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ErrorStage stage) noexcept;

/// Every field of PostgreSQL's ErrorResponse and NoticeResponse (manual chapter 55.8). Absent fields are empty.
struct ServerFields {
  std::string severity;            ///< V if sent (never translated), else S
  std::string severity_localized;  ///< S
  std::string sqlstate;            ///< C, five characters
  std::string message;             ///< M
  std::string detail;              ///< D
  std::string hint;                ///< H
  std::string position;            ///< P, 1-based character index into the statement
  std::string internal_position;   ///< p
  std::string internal_query;      ///< q
  std::string where;               ///< W
  std::string schema;              ///< s
  std::string table;               ///< t
  std::string column;              ///< c
  std::string data_type;           ///< d
  std::string constraint;          ///< n
  std::string file;                ///< F
  std::string line;                ///< L
  std::string routine;             ///< R
};

/// An error: kind, stage, one clear message, and whatever else is known. Cheap to move and to copy (shared,
/// immutable details). Never holds a secret.
class SWITCHYARD_API Error final : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, ErrorStage stage = ErrorStage::queued);
  /// A server error: the message is the server's, with its severity and SQLSTATE.
  Error(ServerFields fields, ErrorStage stage);
  Error(const Error&) noexcept;
  Error(Error&&) noexcept;
  Error& operator=(const Error&) noexcept;
  Error& operator=(Error&&) noexcept;
  ~Error() override;

  [[nodiscard]] ErrorKind kind() const noexcept;
  [[nodiscard]] ErrorStage stage() const noexcept;
  /// The message without the context that what() puts in front.
  [[nodiscard]] std::string_view message() const noexcept;
  /// The next step for the reader, or empty.
  [[nodiscard]] std::string_view hint() const noexcept;
  /// Logical name of the database, or empty.
  [[nodiscard]] std::string_view database() const noexcept;
  /// Where the operation went and why (route, endpoint), or empty.
  [[nodiscard]] std::string_view route() const noexcept;
  /// Five characters for errors of the server, else empty.
  [[nodiscard]] std::string_view sqlstate() const noexcept;
  /// All fields of the server's answer, or null when the server did not speak.
  [[nodiscard]] const ServerFields* server() const noexcept;
  /// True if doing the whole unit of work again is safe: the server refused it, nothing was sent, or what was sent
  /// is rolled back.
  [[nodiscard]] bool retryable() const noexcept;
  /// False if the session was lost with it.
  [[nodiscard]] bool session_alive() const noexcept;
  /// "database 'main': message (hint)"; a static text if memory ran out.
  [[nodiscard]] const char* what() const noexcept override;

  // Builders: each returns a changed copy.
  [[nodiscard]] Error with_hint(std::string hint) const;
  [[nodiscard]] Error with_database(std::string database) const;
  [[nodiscard]] Error with_route(std::string route) const;
  [[nodiscard]] Error with_stage(ErrorStage stage) const;
  [[nodiscard]] Error with_kind(ErrorKind kind) const;
  [[nodiscard]] Error with_session_lost() const;
  /// "context: message".
  [[nodiscard]] Error with_context(std::string_view context) const;

 private:
  struct Details;
  explicit Error(std::shared_ptr<const Details> details) noexcept;
  std::shared_ptr<const Details> details_;
};

}  // namespace switchyard::inline v0
