// What both databases remember of a move, in their schema `switchyard`: so that whoever comes next knows where it
// stands, whatever happened to the process that began it.
//
//   source                                      target
//   ------                                      ------
//   captured    writes are logged               structure  tables are there, closed to everybody else
//      |                                        copied     of each table, with the snapshot it was read in
//      |                                        indexed    keys, indexes, a log of its own
//      v                                        tied       foreign keys: the tables are at one moment
//   verified    the copy was compared           opened     may be written: the last step before the switch
//      |
//      v  one commit in the source: the tables stand aside, the ownership map names the target
//   switched  ---------- confirm ----------->   confirmed  the old copy is empty, nothing is left here
//      |
//      v  rollback: the source is opened, nobody is told
//   returning                                   closed     one commit in the target: the tables stand aside
//      |
//      v  the ownership map names the source
//   returned  ---------- confirm ----------->   nothing is left
//
// How far one side's log has been repeated on the other is remembered there, in the transaction that repeated it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::move {

enum class Phase : std::uint8_t { captured, verified, switched, returning, returned, confirmed };
enum class CopyPhase : std::uint8_t { structure, indexed, tied, opened, closed };

[[nodiscard]] SWITCHYARD_API std::string_view to_string(Phase phase) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(CopyPhase phase) noexcept;

/// How far a log has been repeated: everything visible in `done`; of what became visible between that and `window`,
/// all up to `seq`.
struct Position {
  std::string done = "1:1:";  ///< nothing
  std::string window;         ///< empty: no window is open
  std::int64_t seq = 0;
};

/// In the source.
struct SourceRecord {
  MovePlan plan;
  Phase phase = Phase::captured;
  Position back;  ///< of the target's log, repeated here
  std::string started_at, changed_at;
};
/// In the target.
struct TargetRecord {
  CopyPhase phase = CopyPhase::structure;
  bool made_tables = true;                     ///< false: they were there, empty
  std::map<std::int32_t, std::string> copied;  ///< snapshot each table was read in
  Position position;                           ///< of the source's log
};

/// The tables for it, in either database.
[[nodiscard]] SWITCHYARD_API const std::vector<std::string>& record_ddl();

/// Of a database; those that it is the source of.
[[nodiscard]] SWITCHYARD_API Task<std::vector<SourceRecord>> read_sources(Querier& db);
[[nodiscard]] SWITCHYARD_API Task<std::optional<SourceRecord>> read_source(Querier& db, std::string name);
[[nodiscard]] SWITCHYARD_API Task<std::optional<TargetRecord>> read_target(Querier& db, std::string tag);

[[nodiscard]] SWITCHYARD_API Task<void> insert_source(Transaction& tx, const SourceRecord& record);
[[nodiscard]] SWITCHYARD_API Task<void> set_phase(Querier& tx, const std::string& tag, Phase phase);
[[nodiscard]] SWITCHYARD_API Task<void> insert_target(Transaction& tx, const MovePlan& plan, bool made_tables);
[[nodiscard]] SWITCHYARD_API Task<void> set_phase(Querier& tx, const std::string& tag, CopyPhase phase);
[[nodiscard]] SWITCHYARD_API Task<void> set_copied(Querier& tx, const std::string& tag, std::int32_t table,
                                                   const std::string& snapshot);
/// In the database that repeats.
[[nodiscard]] SWITCHYARD_API Task<void> set_position(Querier& tx, const std::string& tag, const Position& position);
[[nodiscard]] SWITCHYARD_API Task<void> remove_records(Querier& tx, const std::string& tag);

}  // namespace switchyard::inline v0::move
