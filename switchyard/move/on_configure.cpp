#include <switchyard/move/on_configure.hpp>

#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <chrono>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

constexpr Duration kClose = std::chrono::seconds(1);

/// What stands in the place of a table that was moved is a view.
Task<bool> holds_rows(Fleet& fleet, const std::string& database, const std::vector<std::string>& tables) {
  DatabaseHandle handle = fleet.database(database).value_or_throw();
  for (const std::string& name : co_await handle.query<std::string>(
           "SELECT format('%I.%I', n.nspname, c.relname) FROM unnest($1::text[]) t JOIN pg_class c ON c.oid ="
           " to_regclass(t) JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')",
           tables)) {
    const bool rows = co_await handle.query_value<bool>("SELECT EXISTS (SELECT FROM " + name + ")");
    if (rows) co_return true;
  }
  co_return false;
}

Task<std::optional<MoveReport>> work(Fleet& fleet, const ConfiguredMove& move, const MoveOptions& options,
                                     const std::vector<std::string>& tables) {
  Mover mover(fleet, move.from, move.to, options);
  const auto begun = co_await mover.status();
  const bool unfinished = begun && (begun->phase == Phase::captured || begun->phase == Phase::verified);
  // Once it was switched it is for people to say what becomes of it: confirm, or go back.
  if (begun && !unfinished) co_return std::nullopt;
  const bool left = unfinished || co_await holds_rows(fleet, move.from, tables);
  if (!left) co_return std::nullopt;
  co_return co_await mover.run();
}

}  // namespace

std::vector<ConfiguredMove> moves_on_configure(const FleetConfig& fleet) {
  std::vector<ConfiguredMove> out;
  for (const DatabaseConfig& database : fleet.databases) {
    if (!*database.move_on_configure || !database.configured() || !database.has_stand_in()) continue;
    const DatabaseConfig* from = fleet.find(*database.when_unconfigured);
    if (from == nullptr || !from->configured() || database.tables->empty()) continue;
    out.push_back({from->name, database.name});
  }
  return out;
}

Task<std::optional<MoveReport>> move_what_is_left(FleetConfig fleet, ConfiguredMove move, MoveOptions options) {
  const std::vector<std::string> tables = *fleet.find(move.to)->tables;
  options.tables.clear();
  options.stands_in = true;
  auto open = Fleet::open(move_config(fleet, move.from, move.to).value_or_throw()).value_or_throw();
  auto done = co_await as_result(work(*open, move, options, tables));
  co_await open->close(kClose);
  co_return std::move(done).value_or_throw();
}

}  // namespace switchyard::inline v0::move
