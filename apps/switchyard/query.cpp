#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"
#include "row_printer.hpp"
#include "sql_text.hpp"
#include "status_view.hpp"

#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

std::string count(std::uint64_t number, const char* what) {
  return std::to_string(number) + ' ' + what + (number == 1 ? "" : "s");
}

/// What one statement did, on standard error: "(3 rows, 1.2 ms)", "INSERT 0 3 (0.8 ms)".
void summarise(const Console& console, bool has_columns, std::uint64_t rows, std::string_view tag, Duration took) {
  const std::string time = short_duration(took);
  std::string text =
      has_columns ? "(" + count(rows, "row") + ", " + time + ")" : std::string(tag) + " (" + time + ")";
  console.note(console.err()(Tone::quiet, text));
}

/// The statement and the place in it, as psql shows an error.
void point_out(const Console& console, std::string_view statement, const Error& error) {
  const ServerFields* server = error.server();
  if (server == nullptr || server->position.empty()) return;
  const std::string picture = point_at(statement, std::strtoull(server->position.c_str(), nullptr, 10));
  if (!picture.empty()) console.note(picture);
}

Task<void> run_statement(Querier& querier, const std::string& sql, const QueryOptions& options,
                         const Console& console) {
  const TimePoint begun = runtime::now();
  const auto printer = make_row_printer(options.format, console);
  auto rows = querier.stream(Statement{.sql = sql, .timeout = options.timeout});
  std::uint64_t number = 0;
  bool described = false;
  const auto describe = [&] {
    if (!described && rows.columns() && rows.columns()->size() > 0) {
      described = true;
      printer->begin(*rows.columns());
    }
  };
  while (const Row* row = co_await rows.next()) {
    describe();
    printer->row(*row);
    ++number;
  }
  describe();
  if (described) printer->end();
  summarise(console, described, number, rows.command_tag(), runtime::now() - begun);
}

/// All statements on one session, so that SET, BEGIN and temporary tables mean what they say.
Task<ExitCode> run_all(Fleet& databases, std::string on, const std::vector<std::string>& statements,
                       const QueryOptions& options, const Console& console) {
  DatabaseHandle handle = databases.database(on).value_or_throw();
  // Somebody sits and waits: a server that is away is told at once.
  constexpr auto kAtOnce = fleet::OnConnectFailure::fail;
  Lease lease = options.read ? co_await handle.read().lease(kAtOnce) : co_await handle.lease(kAtOnce);
  for (const std::string& sql : statements) {
    std::optional<Error> failure;
    try {
      co_await run_statement(lease, sql, options, console);
    } catch (const Error& error) {
      failure = error;
    }
    if (failure) {
      console.complain(*failure);
      point_out(console, sql, *failure);
      co_return exit_code_of(*failure);
    }
  }
  co_return ExitCode::ok;
}

std::string read_standard_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

/// Where to run it: main unless said otherwise, and then this is said.
Result<std::string> choose_database(const FleetConfig& config, const QueryOptions& options,
                                    const Console& console) {
  if (options.on) {
    if (auto known = config.resolve(*options.on); !known.ok()) return known.error().with_kind(ErrorKind::Usage);
    return *options.on;
  }
  if (config.find("main") == nullptr) {
    std::string names;
    for (const DatabaseConfig& database : config.databases) names += (names.empty() ? "" : ", ") + database.name;
    return Error(ErrorKind::Usage, "this fleet has no database 'main'").with_hint("say which: --on " + names);
  }
  if (config.databases.size() > 1) console.note(console.err()(Tone::quiet, "on main (--on chooses another)"));
  return std::string("main");
}

}  // namespace

ExitCode run_query(const GlobalOptions& global, const QueryOptions& options, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  auto database = choose_database(choice->config, options, console);
  if (!database.ok()) return fail(console, database.error());
  const std::vector<std::string> statements =
      split_statements(options.sql == "-" ? read_standard_input() : options.sql);
  if (statements.empty()) {
    console.complain("there is no statement to run");
    return ExitCode::usage;
  }
  open_lazily(choice->config);
  const auto work = [&](Fleet& fleet) -> Task<ExitCode> {
    co_return co_await run_all(fleet, *database, statements, options, console);
  };
  auto done = with_fleet(std::move(choice->config), work);
  if (!done.ok()) return fail(console, done.error());
  if (*done == ExitCode::interrupted) console.note("interrupted; the statement was cancelled");
  return *done;
}

}  // namespace switchyard::cli
