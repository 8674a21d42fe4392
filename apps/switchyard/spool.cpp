// switchyard spool: what databases that were away have left behind, and what they did not take.
#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"
#include "status_view.hpp"
#include "text_table.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/fleet/spool_admin.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

/// Entries shown of each kind.
constexpr std::int64_t kShown = 1000;

std::string age_text(Duration age) { return format_duration(std::chrono::round<std::chrono::seconds>(age)); }

/// The databases that may have a spool: those that are configured to, or one by name.
Result<std::vector<std::string>> chosen(const FleetConfig& config, const std::optional<std::string>& on) {
  std::vector<std::string> names;
  if (on) {
    const auto home = spool_home(config, *on);
    if (!home.ok()) return home.error();
    names.push_back(config.resolve(*on)->database->name);
    return names;
  }
  for (const DatabaseConfig& database : config.databases) {
    if (database.configured() && database.when_down == WhenDown::spool) names.push_back(database.name);
  }
  return names;
}

std::string show(const std::vector<SpoolSummary>& summaries, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    http::JsonWriter json;
    json.begin_object().key("spools").begin_array();
    for (const SpoolSummary& one : summaries) {
      json.begin_object()
          .member("database", one.database)
          .member("fallback", one.fallback)
          .member("state", one.open ? "spooling" : "direct")
          .member("reason", one.reason)
          .member("maintenance", one.maintenance)
          .member("entries", one.entries)
          .member("bytes", one.bytes)
          .member("age_seconds", std::chrono::duration<double>(one.age).count())
          .member("refused", one.refused)
          .end_object();
    }
    json.end_array().end_object();
    return json.take() + "\n";
  }
  if (summaries.empty()) return "no database of this fleet spools (when_down = \"spool\")\n";
  TextTable table({{"database"},
                   {"kept in"},
                   {"state"},
                   {"entries", Align::right},
                   {"bytes", Align::right},
                   {"oldest", Align::right},
                   {"refused", Align::right}});
  for (const SpoolSummary& one : summaries) {
    const std::string state = one.maintenance ? "maintenance" : one.open ? "spooling" : "direct";
    table.add({one.database, one.fallback, Cell(state, one.open || one.maintenance ? Tone::warn : Tone::good),
               std::to_string(one.entries), std::to_string(one.bytes), one.entries > 0 ? age_text(one.age) : "",
               Cell(std::to_string(one.refused), one.refused > 0 ? Tone::bad : Tone::plain)});
  }
  return table.text(console.out());
}

std::string show(const std::vector<SpoolItem>& items, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    http::JsonWriter json;
    json.begin_object().key("entries").begin_array();
    for (const SpoolItem& one : items) {
      json.begin_object()
          .member("entry", one.entry)
          .member("position", one.position)
          .member("state", one.refused ? "refused" : "waiting")
          .member("statement", one.summary)
          .member("label", one.label)
          .member("bytes", one.bytes)
          .member("age_seconds", std::chrono::duration<double>(one.age).count())
          .member("sqlstate", one.sqlstate)
          .member("error", one.error)
          .end_object();
    }
    json.end_array().end_object();
    return json.take() + "\n";
  }
  if (items.empty()) return "nothing is kept\n";
  TextTable table({{"entry"}, {"state"}, {"age", Align::right}, {"bytes", Align::right}, {"statement"}});
  for (const SpoolItem& one : items) {
    table.add({one.entry, Cell(one.refused ? "refused" : "waiting", one.refused ? Tone::bad : Tone::plain),
               age_text(one.age), std::to_string(one.bytes),
               one.refused ? one.summary + "  -- " + one.error : one.summary});
  }
  return table.text(console.out());
}

Task<ExitCode> work(Fleet& fleet, const GlobalOptions& global, const SpoolOptions& options,
                    std::vector<std::string> databases, const Console& console) {
  if (options.action == SpoolAction::show) {
    std::vector<SpoolSummary> summaries;
    for (const std::string& name : databases) summaries.push_back(co_await summarise_spool(fleet, name));
    console.print(show(summaries, global, console));
    co_return ExitCode::ok;
  }
  for (const std::string& name : databases) {
    switch (options.action) {
      case SpoolAction::list:
        if (databases.size() > 1 && !global.json) console.note(name + ":");
        console.print(show(co_await list_spool(fleet, name, kShown), global, console));
        break;
      case SpoolAction::retry: {
        const auto moved = co_await retry_refused(fleet, name, options.entry);
        console.note(std::to_string(moved) + (moved == 1 ? " entry" : " entries") + " of " + name +
                     " back in line");
        break;
      }
      case SpoolAction::drop:
        co_await drop_refused(fleet, name, *options.entry);
        console.note("entry " + *options.entry + " of " + name + " is gone");
        break;
      case SpoolAction::drain:
        co_await fleet.drain_spool(name, options.timeout);
        console.note("the spool of " + name + " is empty, writes go direct");
        break;
      case SpoolAction::show:
      case SpoolAction::ddl: break;
    }
  }
  co_return ExitCode::ok;
}

}  // namespace

ExitCode run_spool(const GlobalOptions& global, const SpoolOptions& options, const Console& console) {
  if (options.action == SpoolAction::ddl) {
    console.print(spool_ddl());
    return ExitCode::ok;
  }
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  auto databases = chosen(choice->config, options.on);
  if (!databases.ok()) return fail(console, databases.error());
  if (options.action == SpoolAction::drop && options.confirm != databases->front()) {
    console.complain("dropping an entry loses a write for good", "repeat with --confirm=" + databases->front());
    return ExitCode::usage;
  }
  open_lazily(choice->config);
  const auto run = [&](Fleet& fleet) -> Task<ExitCode> {
    co_return co_await work(fleet, global, options, *databases, console);
  };
  auto done = with_fleet(std::move(choice->config), run);
  return done.ok() ? *done : fail(console, done.error());
}

}  // namespace switchyard::cli
