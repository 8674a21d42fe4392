#include <switchyard/move/log_reader.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {

Task<LogBatch> read_log(Querier& from, const MovePlan& plan, Position position,
                        const std::map<std::int32_t, std::string>* copied, std::uint32_t most) {
  std::vector<std::int32_t> numbers;
  std::vector<std::string> snapshots;
  for (const TablePlan& table : plan.tables) {
    numbers.push_back(table.number);
    const auto found = copied == nullptr ? decltype(copied->begin()){} : copied->find(table.number);
    snapshots.push_back(copied != nullptr && found != copied->end() ? found->second : "1:1:");
  }
  using Row =
      std::tuple<std::int64_t, std::int32_t, std::string, std::optional<std::string>, std::optional<std::string>>;
  const std::string sql = "SELECT l.seq, l.tab, l.op, l.before, l.after FROM " + plan.object("log") +
                          " l JOIN unnest($5::int[], $6::text[]) c(tab, snapshot) ON c.tab = l.tab"
                          " WHERE l.seq > $1 AND pg_visible_in_snapshot(l.txid, $2::text::pg_snapshot)"
                          " AND NOT pg_visible_in_snapshot(l.txid, $3::text::pg_snapshot)"
                          " AND NOT pg_visible_in_snapshot(l.txid, c.snapshot::pg_snapshot)"
                          " ORDER BY l.seq LIMIT $4";
  LogBatch batch;
  for (auto& [seq, table, operation, before, after] :
       co_await from.query<Row>(sql, position.seq, position.window, position.done, static_cast<std::int32_t>(most),
                                numbers, snapshots)) {
    batch.seqs.push_back(seq);
    batch.tables.push_back(table);
    batch.operations.push_back(std::move(operation));
    batch.befores.push_back(std::move(before));
    batch.afters.push_back(std::move(after));
    batch.last_seq = seq;
  }
  co_return batch;
}

}  // namespace switchyard::inline v0::move
