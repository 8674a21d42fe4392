#include <switchyard/move/repeating.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/log_reader.hpp>
#include <switchyard/move/sequences.hpp>

#include <utility>

namespace switchyard::inline v0::move {
namespace {

/// While nothing is written the log is cleared once in so many looks.
constexpr unsigned kPruneEvery = 20;

Task<void> apply(Run& run, Transaction& tx, const LogBatch& batch) {
  co_await tx.query_value<std::string>(
      "SELECT coalesce(" + run.plan().object("apply") + "($1, $2, $3, $4)::text, '')", batch.tables,
      batch.operations, batch.befores, batch.afters);
}

/// What has been repeated durably is not needed any more.
Task<void> prune(Run& run, Querier& from, const Position& position) {
  co_await from.execute(
      "DELETE FROM " + run.plan().object("log") + " WHERE pg_visible_in_snapshot(txid, $1::text::pg_snapshot)",
      position.done);
}

Task<bool> holds_changes(Run& run, Querier& db) {
  co_return co_await db.query_value<bool>("SELECT EXISTS (SELECT FROM " + run.plan().object("log") + ")");
}

void note_strays(Run& run, std::uint64_t changes) {
  if (changes == 0) return;
  run.report.notes.push_back(
      std::to_string(changes) +
      " changes were written on the side that did not own the tables; they were brought over");
}

}  // namespace

Task<std::string> current_snapshot(Querier& db) {
  co_return co_await db.query_value<std::string>("SELECT pg_current_snapshot()::text");
}

Task<std::uint64_t> repeat(Run& run, Querier& from, Lease& to, Position& position,
                           const std::map<std::int32_t, std::string>* copied, std::string until) {
  std::uint64_t all = 0;
  if (position.window.empty()) {
    position.window = until.empty() ? co_await current_snapshot(from) : until;
    position.seq = 0;
  }
  for (;;) {
    const LogBatch batch = co_await read_log(from, run.plan(), position, copied, run.options.batch);
    const bool last = batch.size() < run.options.batch;
    Position next = position;
    next.seq = batch.empty() ? position.seq : batch.last_seq;
    if (last) next = {.done = position.window, .window = "", .seq = 0};
    if (!batch.empty()) {
      co_await to.transaction([&](Transaction& tx) -> Task<void> {
        co_await tx.script("SET CONSTRAINTS ALL DEFERRED");
        co_await apply(run, tx, batch);
        co_await set_position(tx, run.plan().tag, next);
      });
      run.step("repeated");
    }
    position = next;
    all += batch.size();
    run.report.repeated += batch.size();
    run.show(
        {.step = "catch up", .what = {}, .done = run.report.repeated, .total = 0, .lag = last ? 0 : batch.size()});
    if (last) break;
  }
  if (all != 0 || ++run.idle_looks % kPruneEvery == 0) co_await prune(run, from, position);
  co_return all;
}

Task<void> catch_up(Run& run, std::uint64_t few) {
  for (;;) {
    const std::uint64_t repeated =
        co_await repeat(run, run.source(), run.target(), run.copy->position, &run.copy->copied, {});
    if (repeated <= few) co_return;
  }
}

Task<void> catch_up_back(Run& run, std::uint64_t few) {
  for (;;) {
    const std::uint64_t repeated = co_await repeat(run, run.target(), run.source(), run.record->back, nullptr, {});
    if (repeated <= few) co_return;
  }
}

Task<void> take_strays_of_target(Run& run) {
  const bool strays = co_await holds_changes(run, run.target());
  if (!strays) co_return;
  co_await run.source().script(apply_function(run.plan(), Standing::in_place));
  const auto changes = co_await repeat(run, run.target(), run.source(), run.record->back, nullptr, {});
  co_await advance_sequences(run.source(), co_await read_sequences(run.target(), run.plan()));
  note_strays(run, changes);
}

Task<void> take_strays_of_source(Run& run) {
  const bool strays = co_await holds_changes(run, run.source());
  if (!strays || !run.copy) co_return;
  const auto changes = co_await repeat(run, run.source(), run.target(), run.copy->position, &run.copy->copied, {});
  co_await advance_sequences(run.target(), co_await read_sequences(run.source(), run.plan()));
  note_strays(run, changes);
}

Task<std::uint64_t> lag(Run& run) {
  if (!run.record || run.record->phase == Phase::confirmed || !run.copy) co_return 0;
  const bool back = run.record->phase == Phase::switched;
  Lease& where = back ? run.target() : run.source();
  const bool there =
      co_await where.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", run.plan().object("log"));
  if (!there) co_return 0;
  co_return static_cast<std::uint64_t>(
      co_await where.query_value<std::int64_t>("SELECT count(*) FROM " + run.plan().object("log")));
}

}  // namespace switchyard::inline v0::move
