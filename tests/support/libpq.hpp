// libpq, PostgreSQL's own client library, as the oracle of our tests. The library itself never links it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace switchyard::testing {

enum class PqFormat { text = 0, binary = 1 };

/// What a statement returned. Errors are values too: look at ok().
class PqResult {
 public:
  explicit PqResult(pg_result* result) : result_(result, &clear) {}

  [[nodiscard]] bool ok() const;
  [[nodiscard]] std::string sqlstate() const;
  [[nodiscard]] std::string error() const;
  /// One field of the error: PG_DIAG_MESSAGE_DETAIL is 'D'.
  [[nodiscard]] std::string error_field(char code) const;
  [[nodiscard]] std::string command_tag() const;
  [[nodiscard]] int rows() const;
  [[nodiscard]] int columns() const;
  [[nodiscard]] std::string column_name(int column) const;
  [[nodiscard]] unsigned column_type(int column) const;
  /// Nothing is NULL. In binary format these are the bytes of the wire.
  [[nodiscard]] std::optional<std::string> value(int row, int column) const;
  [[nodiscard]] pg_result* handle() const noexcept { return result_.get(); }

 private:
  static void clear(pg_result* result);
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

/// A parameter: text, or nothing for NULL.
using PqParameter = std::optional<std::string>;

/// One session. Connecting never throws: look at connected() and error().
class PqSession {
 public:
  explicit PqSession(const std::string& connection_string);
  explicit PqSession(pg_conn* connection) : connection_(connection, &finish) {}

  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::string error() const;
  [[nodiscard]] int backend_pid() const;
  [[nodiscard]] bool uses_tls() const;
  [[nodiscard]] std::string parameter_status(const std::string& name) const;

  /// The simple query protocol; several statements are allowed.
  PqResult execute(const std::string& sql);
  /// The extended query protocol with parameters as text (types inferred by the server).
  PqResult query(const std::string& sql, const std::vector<PqParameter>& parameters = {},
                 PqFormat results = PqFormat::text);
  /// Parameters in binary, with their types.
  PqResult query_binary(const std::string& sql, const std::vector<unsigned>& types,
                        const std::vector<PqParameter>& parameters, PqFormat results = PqFormat::binary);
  /// The only value of a statement. Throws std::runtime_error with libpq's message otherwise.
  std::string value(const std::string& sql);
  [[nodiscard]] pg_conn* handle() const noexcept { return connection_.get(); }

 private:
  static void finish(pg_conn* connection);
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
};

/// One option of a connection string as libpq understands it.
struct PqOption {
  std::string keyword;
  std::optional<std::string> value;
};

/// PQconninfoParse: the options given, or the error's text in `error`.
struct PqParsed {
  std::vector<PqOption> options;
  std::string error;
};
[[nodiscard]] PqParsed pq_parse(const std::string& connection_string);

/// The version of libpq, as 150020.
[[nodiscard]] int pq_version();

}  // namespace switchyard::testing
