// Connection strings: everything psql takes, read by a parser of our own.
//
//   postgresql://user:password@host1:5432,[::1]:5433/dbname?sslmode=verify-full     (also postgres://)
//   host=/var/run/postgresql dbname=wellwon user='well won'
//   jdbc:postgresql://host/dbname?currentSchema=commerce_schema&user=x&ssl=true
//   postgresql+asyncpg://host/dbname                                                (the driver is ignored)
//
// Precedence is libpq's: the string, then the service file, then PG* variables, then defaults. Differences from
// libpq, all on purpose:
//   - `currentSchema` is understood in every URI and becomes search_path;
//   - a host that contains '@' is refused: it is the rest of a password whose '@' was not written as %40;
//   - GSSAPI encryption is not spoken, gssencmode=require is refused.
// No error message holds a password, not even of a malformed string: values are quoted only for options whose
// values are public, and everything else is named by its position.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/connection_options.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

/// What surrounds a connection string. Passed in, never read from the process here. An empty one means: no
/// environment, no files, no defaults that depend on the machine.
struct ConnectionEnvironment {
  std::map<std::string, std::string, std::less<>> variables;  ///< PGHOST, PGPASSFILE, PGSYSCONFDIR, ...
  std::string home_directory;    ///< for ~/.pgpass, ~/.pg_service.conf and ~/.postgresql; empty = none
  std::string os_user;           ///< default user name
  std::string socket_directory;  ///< default host; empty = /var/run/postgresql
};

/// The environment of this process: its variables, the home folder and name of its user, and the default socket
/// folder (/var/run/postgresql, or /tmp where that does not exist).
[[nodiscard]] SWITCHYARD_API ConnectionEnvironment process_connection_environment();

/// Parses, completes and validates.
[[nodiscard]] SWITCHYARD_API Result<ConnectionOptions> parse_connection_string(
    std::string_view text, const ConnectionEnvironment& environment = {});

/// The text with every secret replaced by ********. Safe for any input: what can't be parsed is masked generously.
[[nodiscard]] SWITCHYARD_API std::string redact_connection_string(std::string_view text);

namespace config {

/// One option as written, before completion: what libpq's PQconninfoParse answers.
struct ConnectionKeyword {
  std::string keyword;
  std::string value;
  std::size_t position = 0;  ///< 1-based, of the option in the text; 0 = not from a text
};

/// The grammar alone: options in libpq's names, each at most once (the last one written wins).
[[nodiscard]] SWITCHYARD_API Result<std::vector<ConnectionKeyword>> parse_connection_keywords(
    std::string_view text);

/// Completion and validation of options that were collected elsewhere.
[[nodiscard]] SWITCHYARD_API Result<ConnectionOptions> complete_connection_options(
    std::vector<ConnectionKeyword> keywords, const ConnectionEnvironment& environment);

/// All option names, as libpq of PostgreSQL 18 has them.
[[nodiscard]] SWITCHYARD_API const std::vector<std::string_view>& connection_keywords();

/// Is the value of this option a secret?
[[nodiscard]] SWITCHYARD_API bool is_secret_keyword(std::string_view keyword) noexcept;

}  // namespace config
}  // namespace switchyard::inline v0
