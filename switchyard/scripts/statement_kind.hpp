// Whether a statement of a script may run inside a transaction, by its first words.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

enum class StatementKind : std::uint8_t {
  ordinary,      ///< inside a transaction, or alone
  alone,         ///< PostgreSQL refuses it inside a transaction: VACUUM, CREATE DATABASE ...
  create_index,  ///< CREATE INDEX CONCURRENTLY
  drop_index,    ///< DROP INDEX CONCURRENTLY
  reindex,       ///< REINDEX ... CONCURRENTLY, and REINDEX DATABASE, SCHEMA, SYSTEM
  detach,        ///< ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY
  begin,         ///< BEGIN, START TRANSACTION
  commit,        ///< COMMIT, END
  rollback,      ///< ROLLBACK, ABORT (not TO a savepoint)
};

/// `server_version` as server_version_num: ALTER TYPE ... ADD VALUE may run inside a transaction since 12.
[[nodiscard]] SWITCHYARD_API StatementKind kind_of(std::string_view sql, int server_version = 150000);

[[nodiscard]] constexpr bool runs_outside(StatementKind kind) noexcept {
  return kind == StatementKind::alone || kind == StatementKind::create_index || kind == StatementKind::drop_index ||
         kind == StatementKind::reindex || kind == StatementKind::detach;
}
[[nodiscard]] constexpr bool controls_transaction(StatementKind kind) noexcept {
  return kind == StatementKind::begin || kind == StatementKind::commit || kind == StatementKind::rollback;
}

/// The index of CREATE, DROP or REINDEX INDEX CONCURRENTLY as it is written, possibly with its schema; empty when
/// it is not named. Of several in one DROP the first.
[[nodiscard]] SWITCHYARD_API std::string index_of(std::string_view sql);
/// The partition of ALTER TABLE ... DETACH PARTITION as it is written; else empty.
[[nodiscard]] SWITCHYARD_API std::string detached_partition(std::string_view sql);
/// The table of ALTER TABLE as it is written; else empty.
[[nodiscard]] SWITCHYARD_API std::string altered_table(std::string_view sql);
/// The table of CREATE INDEX as it is written.
[[nodiscard]] SWITCHYARD_API std::string indexed_table(std::string_view sql);

}  // namespace switchyard::inline v0::scripts
