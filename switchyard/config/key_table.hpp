// Every key of the fleet file and every environment variable, as data. The loader checks against these tables, and
// a test compares them with docs/configuration.md, so that neither can drift.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::config {

enum class ValueKind : std::uint8_t {
  text,
  secret,    ///< never shown
  dsn,       ///< a connection string: shown with its password masked
  flag,      ///< true or false
  count,     ///< whole number within limits
  real,      ///< number within limits
  duration,  ///< "30s"
  size,      ///< "256MB"
  choice,    ///< one of the words in `choices`
  list,      ///< of texts; one text is a list of one
  option,    ///< a connection option of libpq
};

enum class Effect : bool {
  stored,  ///< understood and kept; nothing acts on it in this version, and `config explain` says so
  active,
};

/// One key. `path` has '*' for names: "database.*.pool.max", "database.*.replica.*.max_lag".
struct KeySpec {
  std::string_view path;
  ValueKind kind;
  std::string_view fallback;  ///< the default as text, for people; "profile" where it depends
  std::string_view meaning;
  double min = 0;
  double max = std::numeric_limits<std::uint32_t>::max();
  std::string_view choices = {};  ///< separated by '|'
  Effect effect = Effect::active;
};

[[nodiscard]] SWITCHYARD_API std::span<const KeySpec> key_specs() noexcept;

/// The spec of a concrete path such as "database.main.pool.max"; null if there is none.
[[nodiscard]] SWITCHYARD_API const KeySpec* find_key(std::string_view path);

/// "database.main.pool.max" -> "database.*.pool.max".
[[nodiscard]] SWITCHYARD_API std::string generic_path(std::string_view path);

/// Does any key start with `path` + '.' (as a concrete path)?
[[nodiscard]] SWITCHYARD_API bool is_key_prefix(std::string_view path);

/// One environment variable. `name` has <NAME> for the database in upper case, <PURPOSE> for a replica's purpose.
struct VariableSpec {
  std::string_view name;
  std::string_view key;  ///< what it sets
  std::string_view meaning;
};

[[nodiscard]] SWITCHYARD_API std::span<const VariableSpec> variable_specs() noexcept;

}  // namespace switchyard::inline v0::config
