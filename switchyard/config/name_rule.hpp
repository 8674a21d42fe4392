// What a logical database name looks like, once for every place that meets one: the fleet file, environment
// variables, the command line and sy::Database<"..."> in code (where a malformed name does not compile).
//
//   main, reference, order_items      a database: [a-z][a-z0-9_]*, at most 63 bytes (PostgreSQL's NAMEDATALEN - 1)
//   main_replica, mainReplica         the read view of that database, wherever a database name may stand
//   readReplica                       the read view of main
//   reference_replica_api             the read view for one purpose
//
// In environment variables the name is written in upper case: order_items <-> ORDER_ITEMS.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

inline constexpr std::size_t kLongestDatabaseName = 63;

namespace config {

constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// [a-z][a-z0-9_]*, 1 to 63 bytes.
constexpr bool is_plain_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kLongestDatabaseName || !is_lower(name[0])) return false;
  for (char c : name) {
    if (!is_lower(c) && !is_digit(c) && c != '_') return false;
  }
  return true;
}

}  // namespace config

/// A name as code uses it, taken apart: which database, and whether its read view is meant.
struct NameParts {
  std::string_view database;  ///< empty if the name is malformed
  bool read_view = false;     ///< main_replica, readReplica: reads may go to a replica
  std::string_view purpose;   ///< "api" of reference_replica_api, else empty
  constexpr bool ok() const noexcept { return !database.empty(); }
};

/// Takes `name` apart; !ok() if it is no name at all. Does not know which databases exist.
constexpr NameParts parse_database_name(std::string_view name) noexcept {
  constexpr std::string_view kReplica = "_replica";
  constexpr std::string_view kCamelReplica = "Replica";
  if (name == "readReplica" || name == "read_replica") return {"main", true, {}};
  if (name.size() > kCamelReplica.size() && name.substr(name.size() - kCamelReplica.size()) == kCamelReplica) {
    const std::string_view database = name.substr(0, name.size() - kCamelReplica.size());
    return config::is_plain_name(database) ? NameParts{database, true, {}} : NameParts{};
  }
  if (!config::is_plain_name(name)) return {};
  const std::size_t at = name.find(kReplica);
  if (at == std::string_view::npos || at == 0) return {name, false, {}};
  const std::string_view rest = name.substr(at + kReplica.size());
  if (rest.empty()) return {name.substr(0, at), true, {}};
  if (rest[0] == '_' && rest.size() > 1) return {name.substr(0, at), true, rest.substr(1)};
  return {name, false, {}};
}

/// May a database be declared under this name? Names of read views are taken, and so is what would be ambiguous in
/// environment variables.
constexpr bool is_declarable_name(std::string_view name) noexcept {
  const NameParts parts = parse_database_name(name);
  return parts.ok() && !parts.read_view && name != "replica" && name != "read";
}

/// May this name be used in code (a database or a read view)?
constexpr bool is_usable_name(std::string_view name) noexcept { return parse_database_name(name).ok(); }

/// order_items -> ORDER_ITEMS.
inline std::string variable_part(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (config::is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace switchyard::inline v0
