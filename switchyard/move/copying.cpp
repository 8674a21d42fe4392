#include <switchyard/move/copying.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/fence.hpp>
#include <switchyard/move/schema_rest.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

/// Progress is shown after so many bytes.
constexpr std::size_t kCopyReport = 1 << 20;

Task<void> copy_table(Run& run, const TablePlan& table, std::uint64_t before, std::uint64_t total) {
  const std::string columns = column_list(table.columns);
  std::string snapshot;
  co_await run.source().transaction(
      {.isolation = Isolation::repeatable_read, .access = Access::read_only},
      [&](Transaction& reader) -> Task<void> {
        snapshot = co_await reader.query_value<std::string>("SELECT pg_current_snapshot()::text");
        co_await run.target().transaction([&](Transaction& writer) -> Task<void> {
          co_await as_mover(writer, run.plan());
          // A copy that was cut short has left nothing; a table that is there may not have rows.
          CopyOut out = reader.copy_out("COPY (SELECT " + columns + " FROM " + table.qualified() + ") TO STDOUT");
          CopyIn in = writer.copy_in("COPY " + table.qualified() + " (" + columns + ") FROM STDIN");
          std::uint64_t rows = 0;
          std::size_t bytes = 0;
          for (;;) {
            const auto line = co_await out.next();
            if (!line) break;
            co_await in.write(*line);
            ++rows;
            bytes += line->size();
            if (bytes >= kCopyReport) {
              bytes = 0;
              run.show({.step = "copy", .what = table.shown(), .done = before + rows, .total = total});
            }
          }
          co_await in.finish();
          co_await set_copied(writer, run.plan().tag, table.number, snapshot);
          run.show({.step = "copy",
                    .what = table.shown(),
                    .done = before + rows,
                    .total = std::max(total, before + rows)});
        });
      });
  run.copy->copied[table.number] = snapshot;
}

}  // namespace

Task<std::optional<Error>> make_in_passes(Transaction& tx, std::vector<std::string> statements) {
  while (!statements.empty()) {
    std::vector<std::string> left;
    std::optional<Error> problem;
    for (const std::string& statement : statements) {
      const auto made = co_await as_result(in_savepoint(tx, statement));
      if (made.ok() || made.error().sqlstate() == "42723" || made.error().sqlstate() == "42710") continue;
      if (!problem) problem = made.error();
      left.push_back(statement);
    }
    if (left.size() == statements.size()) co_return problem;
    statements = std::move(left);
  }
  co_return std::nullopt;
}

Task<Structure> structure_of(Run& run) {
  Structure structure;
  co_await run.source().transaction([&](Transaction& tx) -> Task<void> {
    structure = co_await read_structure(tx, run.plan());
    if (run.options.schema.empty()) co_return;
    structure.first.push_back("CREATE SCHEMA IF NOT EXISTS " + quote_name(run.options.schema));
    for (std::string& type : co_await read_schema_types(tx, run.options.schema)) {
      structure.first.push_back(std::move(type));
    }
    for (std::string& function : co_await read_schema_functions(tx, run.options.schema)) {
      structure.first.push_back(std::move(function));
    }
  });
  co_return structure;
}

Task<void> copy_tables(Run& run) {
  std::uint64_t total = 0;
  for (const TablePlan& table : run.plan().tables) total += static_cast<std::uint64_t>(table.rows);
  std::uint64_t before = 0;
  for (const TablePlan& table : run.plan().tables) {
    if (table.holds_rows() && !run.copy->copied.contains(table.number)) {
      co_await copy_table(run, table, before, total);
      run.step("copied");
    }
    before += static_cast<std::uint64_t>(table.rows);
  }
}

Task<void> make_indexes(Run& run) {
  const Structure structure = co_await structure_of(run);
  std::vector<std::string> rest;
  if (!run.options.schema.empty()) {
    co_await run.source().transaction(
        [&](Transaction& tx) -> Task<void> { rest = co_await read_schema_rest(tx, run.options.schema); });
  }
  run.show({.step = "index", .what = "keys and indexes"});
  co_await run.target().transaction([&](Transaction& tx) -> Task<void> {
    if (run.copy->made_tables) {
      co_await tx.script("SET LOCAL check_function_bodies = off");
      co_await as_mover(tx, run.plan());
      co_await run_all(tx, structure.after_copy);
      if (const auto problem = co_await make_in_passes(tx, rest)) throw *problem;
      co_await run_all(tx, triggers_off(run.plan()));
    }
    co_await run_all(tx, capture_statements(run.plan()));
    co_await tx.script(apply_function(run.plan(), Standing::in_place));
    co_await set_phase(tx, run.plan().tag, CopyPhase::indexed);
  });
  run.copy->phase = CopyPhase::indexed;
  run.step("indexed");
}

Task<void> tie(Run& run) {
  const Structure structure = co_await structure_of(run);
  run.show({.step = "index", .what = "foreign keys"});
  co_await run.target().transaction([&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, structure.foreign_keys);
    co_await set_phase(tx, run.plan().tag, CopyPhase::tied);
  });
  run.copy->phase = CopyPhase::tied;
  run.step("tied");
}

}  // namespace switchyard::inline v0::move
