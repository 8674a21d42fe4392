// Which database each table belongs to, as the application means it: from the fleet file (`[database.X] tables`),
// from the migrations of each database, and from the schemas of databases that have one. A plain value: it is asked
// about the facts of a statement and answers, without looking at any server.
//
//   - A table that the fleet file gives to a database belongs to it, whatever migrations say.
//   - Else it belongs to every database whose migrations make it: an outbox in each of them is nothing wrong.
//   - A name with a schema that databases of the fleet have for their own belongs to those.
//   - What nobody claims belongs to nobody in particular and may be used anywhere; so may the server's catalogues
//   and
//     the schema `switchyard`.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

enum class OwnerSource : std::uint8_t {
  fleet_file,  ///< [database.X] tables
  migration,   ///< a script makes it
  schema,      ///< the schema is the database's own
};
[[nodiscard]] SWITCHYARD_API std::string_view to_string(OwnerSource source) noexcept;

/// One word on who owns a table.
struct OwnerClaim {
  sql::Name table;  ///< as the server folds it; the schema is empty where the text gives none
  std::string database;
  OwnerSource source = OwnerSource::migration;
  std::string where;  ///< "migrations/main/V1__users.sql:3", "fleet.toml:12:10"
};

class SWITCHYARD_API OwnerMap {
 public:
  struct Entry {
    sql::Name table;  ///< with the schema it is in, empty for `public`
    std::vector<std::string> owners;
    std::vector<OwnerClaim> claims;  ///< the stronger ones first
    std::string contradiction;       ///< empty: none
  };

  OwnerMap() = default;
  /// `claims` of the migrations; those of the fleet file and of schemas are in `config`.
  OwnerMap(const FleetConfig& config, std::vector<OwnerClaim> claims);

  /// By schema and name.
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty() && schemas_.empty(); }

  /// What a name means in a statement sent to `database`; null: nobody claims it. Valid as long as the map.
  [[nodiscard]] const Entry* find(std::string_view database, const sql::Name& name) const;

  struct Verdict {
    std::string problem;  ///< empty: the statement is where it belongs
    std::string hint;
    /// For people, when there is no problem: "users belongs to main"; empty: nobody claims its tables.
    std::string note;
    [[nodiscard]] bool ok() const noexcept { return problem.empty(); }
  };
  [[nodiscard]] Verdict judge(std::string_view database, const sql::StatementFacts& facts) const;

 private:
  [[nodiscard]] std::string own_schema(std::string_view database) const;

  std::vector<Entry> entries_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_;
  std::map<std::string, Entry, std::less<>> schemas_;  ///< of databases that have one for their own
  std::map<std::string, std::string, std::less<>> schema_of_;
  std::set<std::string, std::less<>> known_schemas_;  ///< that somebody claims tables in
};

/// A name of the fleet file: `events`, `app.events`, `"Events"`.
[[nodiscard]] SWITCHYARD_API sql::Name parse_table_name(std::string_view text);

/// A statement that changes rows or structure of its database, as far as two databases in one transaction matter:
/// locks, settings and tables of the schema `switchyard` do not.
[[nodiscard]] SWITCHYARD_API bool writes_data(const sql::StatementFacts& facts) noexcept;

}  // namespace switchyard::inline v0::fleet
