// switchyard maintenance begin|end: a database is taken out of service on purpose.
#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/fleet/spool_admin.hpp>

#include <string>
#include <utility>

namespace switchyard::cli {

namespace {

std::string_view meanwhile(const DatabaseConfig& database) {
  switch (*database.when_down) {
    case WhenDown::fail: return "its operations fail";
    case WhenDown::read_fallback: return "reads are answered elsewhere, writes fail";
    case WhenDown::spool: return "reads are answered elsewhere, writes are kept";
  }
  return "";
}

Task<ExitCode> work(Fleet& fleet, const MaintenanceOptions& options, const DatabaseConfig& database,
                    const Console& console) {
  if (options.begin) {
    co_await begin_maintenance(fleet, database.name, options.length);
    console.note(database.name + " is in maintenance" +
                 (options.length ? " for " + format_duration(*options.length) : std::string()) + ": " +
                 std::string(meanwhile(database)) + ". It ends with: switchyard maintenance end --on " +
                 database.name);
    co_return ExitCode::ok;
  }
  const bool ended = co_await end_maintenance(fleet, database.name);
  console.note(ended ? "the maintenance of " + database.name + " is over"
                     : database.name + " was not in maintenance");
  co_return ExitCode::ok;
}

}  // namespace

ExitCode run_maintenance(const GlobalOptions& global, const MaintenanceOptions& options, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const auto resolved = choice->config.resolve(options.on);
  if (!resolved.ok()) return fail(console, resolved.error().with_kind(ErrorKind::Usage));
  const DatabaseConfig database = *resolved->database;
  open_lazily(choice->config);
  const auto run = [&](Fleet& fleet) -> Task<ExitCode> {
    co_return co_await work(fleet, options, database, console);
  };
  auto done = with_fleet(std::move(choice->config), run);
  return done.ok() ? *done : fail(console, done.error());
}

}  // namespace switchyard::cli
