// One row of the history table: what was run, as Flyway writes it down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace switchyard::inline v0::schema {

struct HistoryRow {
  std::int32_t installed_rank = 0;
  std::optional<std::string> version;  ///< nothing: repeatable, or the making of the schema
  std::string description;
  std::string type;  ///< SQL, BASELINE, SQL_BASELINE, SCHEMA, DELETE, or one of Flyway's others (JDBC ...)
  std::string script;
  std::optional<std::int32_t> checksum;
  std::string installed_by;
  std::string installed_on;
  std::int32_t execution_time = 0;  ///< ms; see unfinished()
  bool success = true;

  /// A script of statements that can't run inside a transaction has begun and not ended: the row says failed, as
  /// Flyway's would, and below zero how many statements are done (-1: none). The next run goes on there.
  [[nodiscard]] bool unfinished() const noexcept { return !success && execution_time < 0; }
  [[nodiscard]] std::size_t statements_done() const noexcept {
    return unfinished() ? static_cast<std::size_t>(-(execution_time + 1)) : 0;
  }
};

}  // namespace switchyard::inline v0::schema
