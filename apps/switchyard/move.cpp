// switchyard move, switchyard split: live tables to another database.
#include "move.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"

#include <switchyard/move/split.hpp>
#include <switchyard/provision/desired_server.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

using move::Mover;
using move::MoveReport;

/// While the new database is followed.
constexpr Duration kFollowEvery = std::chrono::milliseconds(500);

Error usage(std::string what, std::string hint) {
  return Error(ErrorKind::Usage, std::move(what)).with_hint(std::move(hint));
}

/// Where a move goes from and to: as it was said, or the only one that there is.
struct Ends {
  std::string from, to;
};

Result<Ends> ends_of(const FleetConfig& fleet, const MoveCommand& command) {
  Ends ends{command.from.value_or(""), command.to.value_or("")};
  for (std::string* name : {&ends.from, &ends.to}) {
    if (name->empty()) continue;
    auto resolved = fleet.resolve(*name);
    if (!resolved.ok()) return resolved.error();
    *name = resolved->database->name;
  }
  if (ends.from.empty() && !ends.to.empty()) {
    const DatabaseConfig* to = fleet.find(ends.to);
    ends.from = to->has_stand_in() ? *to->when_unconfigured : "main";
  }
  if (ends.from.empty() || ends.to.empty()) {
    return usage("where from, and where to?", "switchyard move events --from main --to analytics");
  }
  if (ends.from == ends.to)
    return usage("'" + ends.from + "' is where the tables are already", "--to another database");
  return ends;
}

/// Pairs of databases between which there may be a move.
std::vector<Ends> pairs(const FleetConfig& fleet, const MoveCommand& command) {
  std::vector<Ends> out;
  for (const DatabaseConfig& from : fleet.databases) {
    for (const DatabaseConfig& to : fleet.databases) {
      const bool wanted = (!command.from || *command.from == from.name) && (!command.to || *command.to == to.name);
      if (&from != &to && from.configured() && to.configured() && wanted) out.push_back({from.name, to.name});
    }
  }
  return out;
}

move::MoveOptions options_of(const FleetConfig& fleet, const Ends& ends, const MoveCommand& command) {
  move::MoveOptions options;
  options.tables = command.tables;
  options.schema = command.schema;
  options.verify = !command.no_verify;
  options.stop_before_switch = command.no_switch;
  options.stands_in = *fleet.find(ends.to)->when_unconfigured == ends.from;
  options.goes_home = *fleet.find(ends.from)->when_unconfigured == ends.to;
  if (command.pause) options.pause = *command.pause;
  if (command.patience) options.switch_patience = *command.patience;
  return options;
}

/// A service's own role makes no schemas: a split is for who provisions, where the fleet file says who that is.
Result<void> log_in_as_administrator(const FleetConfig& fleet, const Ends& ends, FleetConfig& config) {
  for (const std::string& name : {ends.from, ends.to}) {
    const DatabaseConfig& database = *fleet.find(name);
    const auto server = std::ranges::find(fleet.servers, *database.server, &ServerConfig::name);
    const bool said = fleet.provision.admin_user.is_set() || fleet.provision.admin_password.is_set() ||
                      !database.primary.admin_dsn->empty() ||
                      (server != fleet.servers.end() && !server->endpoint.admin_dsn->empty());
    if (!said) continue;
    auto admin = provision::administrator_of(fleet, database);
    if (!admin.ok()) return admin.error();
    ConnectionOptions& login = config.find(name)->primary.connection;
    admin->dbname = login.dbname;
    login = *std::move(admin);
  }
  return {};
}

Task<MoveReport> do_it(Mover& mover, MoveAction action) {
  switch (action) {
    case MoveAction::rollback: co_return co_await mover.rollback();
    case MoveAction::confirm: co_return co_await mover.confirm();
    case MoveAction::abort: co_return co_await mover.abort();
    case MoveAction::follow: {
      for (;;) {
        MoveReport report = co_await mover.follow();
        if (report.phase != move::Phase::switched) co_return report;
        co_await sleep(kFollowEvery);
      }
    }
    case MoveAction::start:
    case MoveAction::status: break;
  }
  co_return co_await mover.run();
}

ExitCode list(const FleetConfig& fleet, const MoveCommand& command, const GlobalOptions& global,
              const Console& console) {
  std::vector<MoveReport> reports;
  for (const DatabaseConfig& database : fleet.databases) {
    if (!database.configured() || (command.from && *command.from != database.name)) continue;
    for (const Ends& ends : pairs(fleet, command)) {
      if (ends.from != database.name) continue;
      auto config = move::move_config(fleet, ends.from, ends.to);
      if (!config.ok()) continue;
      const auto done = with_fleet(std::move(*config), [&](Fleet& open) -> Task<ExitCode> {
        const bool there = co_await move::has_moves(open, ends.from);
        if (!there) co_return ExitCode::ok;
        Mover mover(open, ends.from, ends.to, {});
        if (auto report = co_await mover.status()) reports.push_back(std::move(*report));
        co_return ExitCode::ok;
      });
      if (!done.ok()) {
        console.complain(done.error());
        if (command.to || command.from) return exit_code_of(done.error());
      } else if (*done != ExitCode::ok) {
        return *done;
      }
    }
  }
  if (reports.empty() && !global.json) console.note("no tables are being moved");
  console.print(show_moves(reports, global, console));
  return ExitCode::ok;
}

ExitCode work(const FleetConfig& fleet, const Ends& ends, const MoveCommand& command, const GlobalOptions& global,
              const Console& console, const std::string& again) {
  auto config = move::move_config(fleet, ends.from, ends.to);
  if (!config.ok()) return fail(console, config.error());
  if (!command.schema.empty()) {
    if (auto done = log_in_as_administrator(fleet, ends, *config); !done.ok()) return fail(console, done.error());
  }
  move::MoveOptions options = options_of(fleet, ends, command);
  MoveProgress progress(console);
  options.on_progress = [&](const move::Progress& one) { progress.show(one); };
  const auto done = with_fleet(std::move(*config), [&](Fleet& open) -> Task<ExitCode> {
    if (!command.schema.empty() && command.action == MoveAction::start) {
      co_await move::prepare_split(open, ends.from, ends.to, command.schema);
    }
    Mover mover(open, ends.from, ends.to, options);
    const MoveReport report = co_await do_it(mover, command.action);
    progress.end();
    console.print(show_move(report, global, console));
    co_return ExitCode::ok;
  });
  progress.end();
  if (!done.ok()) return fail(console, done.error());
  if (*done == ExitCode::interrupted) {
    console.note("interrupted: what is done is kept, the databases go on as before; " + again +
                 " goes on from here");
  }
  return *done;
}

}  // namespace

ExitCode run_move(const GlobalOptions& global, const MoveCommand& command, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  FleetConfig& fleet = choice->config;
  if (!command.schema.empty()) {
    auto ends = move::split_ends(fleet, command.schema, command.from.value_or(""), command.to.value_or(""));
    if (!ends.ok()) return fail(console, ends.error());
    const ExitCode code = work(fleet, {ends->from, ends->to}, command, global, console,
                               "switchyard split " + command.schema + " --to " + command.to.value_or(""));
    if (code == ExitCode::ok && !ends->advice.empty() && command.action == MoveAction::start && !global.json) {
      console.note(ends->advice);
    }
    return code;
  }
  if (command.action == MoveAction::status) return list(fleet, command, global, console);
  auto ends = ends_of(fleet, command);
  if (!ends.ok()) return fail(console, ends.error());
  std::string words;
  for (const std::string& table : command.tables) words += " " + table;
  return work(fleet, *ends, command, global, console,
              "switchyard move" + words + " --from " + ends->from + " --to " + ends->to);
}

}  // namespace switchyard::cli
