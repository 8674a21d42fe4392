// Writes and transactions. A caller's pieces are in the table all or not at all, and it sees its own last write.
#include "caller.hpp"

#include <switchyard/runtime/task_tools.hpp>

#include <array>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr const char* kUpdate = "UPDATE counters SET tag = $1, n = n + 1 WHERE id = $2 RETURNING tag";
constexpr const char* kRead = "SELECT $1::text, tag FROM counters WHERE id = $2";
constexpr const char* kInsert = "INSERT INTO pieces VALUES ($1, $2, $3)";

using TagAndSeen = std::tuple<std::string, std::string>;

sy::Task<void> update_own(Caller& me) {
  const std::string tag = me.tag();
  me.writing(tag);
  me.require_tag(co_await me.db().query_value<std::string>(me.statement(kUpdate), tag, me.id()));
  me.wrote(tag);
  if (me.percent(50)) {
    const auto [own, seen] = co_await me.db().query_one<TagAndSeen>(kRead, tag, me.id());
    me.require_tag(own);
    me.require_own(seen);
  }
}

sy::Task<void> read_own(Caller& me) {
  const auto [own, seen] = co_await me.db().query_one<TagAndSeen>(me.statement(kRead), me.tag(), me.id());
  me.require_tag(own);
  me.require_own(seen);
}

/// A request sees its own writes wherever it reads.
sy::Task<void> request_reads_own(Caller& me) {
  const std::string tag = me.tag();
  me.limit();
  sy::Request request = me.fleet().request({.timeout = 20s, .label = "soak"});
  sy::DatabaseHandle db = request.database("main").value_or_throw();
  me.writing(tag);
  me.require_tag(co_await db.query_value<std::string>(kUpdate, tag, me.id()));
  me.wrote(tag);
  const auto [own, seen] = co_await db.read().query_one<TagAndSeen>(kRead, tag, me.id());
  me.require_tag(own);
  me.require_own(seen);
}

struct GaveUp : std::runtime_error {
  GaveUp() : std::runtime_error("rolled back on purpose") {}
};

sy::Task<void> transaction(Caller& me) {
  const std::string tag = me.tag();
  const bool commit = me.percent(70);
  const int total = 1 + me.below(4);
  me.limit();
  if (commit) me.writing(tag);
  const bool nested = me.percent(20);
  bool gave_up = false;
  try {
    co_await me.db().transaction(
        {.timeout = 20s}, [&me, tag, commit, total, nested](sy::Transaction& tx) -> sy::Task<void> {
          me.require_tag(co_await tx.query_value<std::string>(kUpdate, tag, me.id()));
          for (int i = 1; i < total; ++i) co_await tx.execute(kInsert, tag, i, total);
          if (nested) {
            const auto undone =
                co_await sy::as_result(tx.transaction([tag](sy::Transaction& inner) -> sy::Task<void> {
                  co_await inner.execute(kInsert, tag, 99, 1);
                  co_await inner.execute("SELECT 1 / 0");
                }));
            me.require(!undone.ok(), "a savepoint that failed went well");
            if (undone.error().sqlstate() != "22012") throw undone.error();
          }
          const auto [own, seen] = co_await tx.query_one<TagAndSeen>(kRead, tag, me.id());
          me.require_tag(own);
          me.require(seen == tag, "a transaction does not see its own write", seen);
          co_await tx.execute(kInsert, tag, total, total);
          if (!commit) throw GaveUp();
        });
  } catch (const GaveUp&) {
    gave_up = true;
  }
  me.require(gave_up != commit, "a transaction did not end as it was told");
  if (!commit) co_return;
  me.wrote(tag);
  me.common().kept.push_back(tag);
}

sy::Task<void> pieces_by_batch(Caller& me) {
  const int total = 1 + me.below(30);
  sy::Batch batch;
  for (int i = 1; i <= total; ++i) batch.add(kInsert, me.tag(), i, total);
  const std::string tag = me.tag();
  co_await me.db().run(std::move(batch));
  me.common().kept.push_back(tag);
}

sy::Task<void> pieces_by_execute_many(Caller& me) {
  const int total = 1 + me.below(200);
  std::vector<std::tuple<std::string, int, int>> rows;
  for (int i = 1; i <= total; ++i) rows.emplace_back(me.tag(), i, total);
  const std::string tag = me.tag();
  const auto count = co_await me.db().execute_many(kInsert, rows);
  me.require(count == static_cast<std::uint64_t>(total), "another number of rows", std::to_string(count));
  me.common().kept.push_back(tag);
}

/// Half of them go away before they are finished.
sy::Task<void> pieces_by_copy(Caller& me) {
  const int total = 1 + me.below(3000);
  const int stop_at = me.percent(50) ? me.below(total) : total;
  const std::string tag = me.tag();
  auto copy = me.db().copy_in("COPY pieces FROM STDIN (FORMAT binary)");
  for (int i = 1; i <= stop_at; ++i) co_await copy.row(tag, i, total);
  if (stop_at != total) co_return;
  const auto count = co_await copy.finish();
  me.require(count == static_cast<std::uint64_t>(total), "another number of rows", std::to_string(count));
  me.common().kept.push_back(tag);
}

sy::Task<void> copy_out(Caller& me) {
  const int total = me.below(2000);
  auto copy = me.db().copy_out("COPY (SELECT '" + me.tag() + "', g FROM generate_series(1, " +
                               std::to_string(total) + ") g) TO STDOUT");
  const int stop_at = me.percent(30) ? me.below(total + 1) : total;
  for (int i = 1; i <= stop_at; ++i) {
    const auto line = co_await copy.next();
    me.require(line.has_value(), "COPY ended early", std::to_string(i));
    me.require(*line == me.tag() + "\t" + std::to_string(i) + "\n", "another line than its own", *line);
  }
}

sy::Task<void> script(Caller& me) {
  const std::string tag = me.tag();
  co_await me.db().script("INSERT INTO pieces VALUES ('" + tag + "', 1, 2); INSERT INTO pieces VALUES ('" + tag +
                          "', 2, 2)");
  me.common().kept.push_back(tag);
}

constexpr std::array<Shape, 9> kShapes{{{"update own", 30, update_own},
                                        {"read own", 60, read_own},
                                        {"request reads own", 10, request_reads_own},
                                        {"transaction", 15, transaction},
                                        {"pieces by batch", 5, pieces_by_batch},
                                        {"pieces by many", 5, pieces_by_execute_many},
                                        {"pieces by copy", 3, pieces_by_copy},
                                        {"copy out", 4, copy_out},
                                        {"script", 5, script}}};

}  // namespace

std::span<const Shape> writing_shapes() { return kShapes; }

}  // namespace soak
