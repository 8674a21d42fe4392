#include <switchyard/schema/statement_runner.hpp>

#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

constexpr Duration kLook = std::chrono::seconds(1);

struct Sight {
  std::optional<std::string> blocker, progress;
};

/// The line of a file that the server's position is in: positions count characters from 1.
std::size_t line_in(const scripts::ScriptStatement& statement, const Error& error) {
  if (error.server() == nullptr || error.server()->position.empty()) return statement.line;
  const std::size_t at = std::strtoull(error.server()->position.c_str(), nullptr, 10);
  std::size_t line = statement.line, characters = 0;
  for (std::size_t i = 0; i < statement.sql.size() && characters + 1 < at; ++i) {
    if ((static_cast<unsigned char>(statement.sql[i]) & 0xC0) != 0x80) ++characters;
    if (statement.sql[i] == '\n') ++line;
  }
  return line;
}

}  // namespace

Task<void> StatementRunner::execute(Querier& on, scripts::ScriptStatement statement) {
  if (!statement.copy_data) {
    co_await on.script(statement.sql);
    co_return;
  }
  CopyIn copy = on.copy_in(statement.sql);
  constexpr std::size_t kPiece = 32 << 10;
  for (std::string_view rest = *statement.copy_data; !rest.empty();) {
    const std::string_view piece = rest.substr(0, kPiece);
    co_await copy.write(piece);
    rest.remove_prefix(piece.size());
  }
  co_await copy.finish();
}

Task<std::string> StatementRunner::look() {
  const auto seen = co_await handle_
                        .query<Sight>(
                            R"(SELECT (SELECT string_agg(format('waits for %s (%s, %s%s): %s', a.pid,
       coalesce(nullif(a.application_name, ''), coalesce(a.usename::text, a.backend_type)), a.state,
       CASE WHEN a.xact_start IS NULL THEN '' ELSE format(' for %s s', round(extract(epoch FROM now() - a.xact_start))) END,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 80)), '; ')
   FROM unnest(pg_blocking_pids($1)) AS b(pid) JOIN pg_stat_activity a ON a.pid = b.pid) AS blocker,
 (SELECT format('%s, %s %%', phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total ELSE 0 END)
   FROM pg_stat_progress_create_index WHERE pid = $1) AS progress)",
                            server_pid_)
                        .result();
  if (!seen.ok() || seen->empty()) co_return {};
  co_return seen->front().blocker.value_or(seen->front().progress.value_or(""));
}

Task<void> StatementRunner::watch(scripts::ScriptStatement statement, StatementPlace place) {
  const TimePoint begun = runtime::Shard::current().now();
  for (;;) {
    co_await sleep(kLook);
    std::string text;
    if (server_pid_ != 0) text = co_await look();
    if (text.empty()) text = scripts::leading_words(statement.sql, 5);
    const std::string number = std::to_string(place.number) + "/" + std::to_string(place.count) + " ";
    sink_({StepKind::statement, database_, place.file->script, number + text,
           runtime::Shard::current().now() - begun});
  }
}

Task<void> StatementRunner::run(Querier& on, scripts::ScriptStatement statement, StatementPlace place) {
  try {
    if (sink_) {
      co_await any(execute(on, statement), watch(statement, place));
    } else {
      co_await execute(on, statement);
    }
  } catch (const Error& error) {
    throw error.with_context(place.file->path + ":" + std::to_string(line_in(statement, error)));
  }
}

}  // namespace switchyard::inline v0::schema
