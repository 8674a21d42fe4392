#include <switchyard/move/former_home.hpp>

#include <switchyard/move/dependents.hpp>
#include <switchyard/move/fence.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace switchyard::inline v0::move {
namespace {

bool holds(const MovePlan& plan, const TablePlan& table) {
  return std::ranges::any_of(
      plan.tables, [&](const TablePlan& one) { return one.schema == table.schema && one.name == table.name; });
}

/// Earlier moves away from here, with those of their tables that this one brings back.
Task<std::vector<MovePlan>> earlier_moves(const Run& run, Transaction& tx) {
  std::vector<MovePlan> out;
  for (SourceRecord& record : co_await read_sources(tx)) {
    if (record.phase != Phase::confirmed) continue;
    std::erase_if(record.plan.tables, [&](const TablePlan& table) { return !holds(run.plan(), table); });
    if (!record.plan.tables.empty()) out.push_back(std::move(record.plan));
  }
  co_return out;
}

/// Somebody may have put something else there.
Task<bool> refuses(Transaction& tx, const MovePlan& earlier, const TablePlan& table) {
  co_return co_await tx.query_value<bool>(
      "SELECT EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid"
      " WHERE r.ev_class = to_regclass($1) AND d.refobjid = to_regprocedure($2))",
      table.qualified(), earlier.object("moved") + "()");
}

}  // namespace

Task<void> clear_former_home(const Run& run, Transaction& tx) {
  for (MovePlan& earlier : co_await earlier_moves(run, tx)) {
    std::vector<TablePlan> refusing;
    for (const TablePlan& table : earlier.tables) {
      const bool ours = co_await refuses(tx, earlier, table);
      if (ours) refusing.push_back(table);
    }
    earlier.tables = std::move(refusing);
    if (!earlier.tables.empty()) co_await run_all(tx, drop_aside(earlier));
  }
}

Task<void> drop_or_refuse_again(const Run& run, Transaction& tx) {
  const std::vector<MovePlan> moves = co_await earlier_moves(run, tx);
  MovePlan strangers = run.plan();
  for (const MovePlan& earlier : moves) {
    std::erase_if(strangers.tables, [&](const TablePlan& table) { return holds(earlier, table); });
  }
  if (moves.empty()) co_await run_all(tx, drop_dependents_in_place(run.plan()));
  if (!strangers.tables.empty()) co_await tx.script("DROP TABLE IF EXISTS " + strangers.name_list());
  for (const MovePlan& earlier : moves) {
    co_await tx.script("TRUNCATE " + earlier.name_list());
    co_await run_all(tx, stand_aside(earlier));
  }
}

Task<void> forget_former_home(const Run& run, Transaction& tx) {
  for (const MovePlan& earlier : co_await earlier_moves(run, tx)) {
    std::vector<std::int32_t> numbers;
    for (const TablePlan& table : earlier.tables) numbers.push_back(table.number);
    co_await tx.execute("DELETE FROM switchyard.move_tables WHERE tag = $1 AND number = ANY ($2)", earlier.tag,
                        numbers);
    const bool more = co_await tx.query_value<bool>(
        "SELECT EXISTS (SELECT FROM switchyard.move_tables WHERE tag = $1)", earlier.tag);
    if (more) continue;
    co_await run_all(tx, drop_all_functions(earlier));
    co_await remove_records(tx, earlier.tag);
  }
}

}  // namespace switchyard::inline v0::move
