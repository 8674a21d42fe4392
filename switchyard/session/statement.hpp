// A statement as a caller writes it: text, and options where they are needed.
#pragma once

#include <switchyard/base/time.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0 {

/// The first argument of every verb. A plain string is a statement without options:
///
///     co_await db.query<User>("SELECT id, name FROM users WHERE id = $1", id);
///     co_await db.query<User>({.sql = "SELECT ...", .name = "users-by-id", .timeout = 200ms}, id);
struct Statement {
  /// One SQL statement with parameters $1, $2 ...; it is copied by the verb.
  std::string_view sql;
  /// Keys metrics and traces; empty = not named.
  std::string_view name = {};
  /// Limit for this statement; the smaller of it, the request's deadline and the database's limit applies.
  std::optional<Duration> timeout = {};
  /// Doing it twice does no harm: it may be retried when its outcome is unknown.
  bool idempotent = false;
};

namespace session {

/// What a verb takes: a Statement, or anything a string_view can be made of.
class StatementArgument {
 public:
  StatementArgument(Statement statement) : statement_(statement) {}  // NOLINT: implicit
  template <class Text>
    requires std::is_convertible_v<const Text&, std::string_view>
  StatementArgument(const Text& sql) : statement_{.sql = sql} {}  // NOLINT: implicit
  [[nodiscard]] const Statement& get() const noexcept { return statement_; }

 private:
  Statement statement_;
};

}  // namespace session
}  // namespace switchyard::inline v0
