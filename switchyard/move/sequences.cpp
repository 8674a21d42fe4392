#include <switchyard/move/sequences.hpp>

#include <switchyard/move/fence.hpp>

#include <optional>
#include <string>
#include <tuple>

namespace switchyard::inline v0::move {

Task<std::vector<SequenceValue>> read_sequences(Querier& db, const MovePlan& plan) {
  std::vector<SequenceValue> values;
  for (const TablePlan& table : plan.tables) {
    for (const SequencePlan& sequence : table.sequences) {
      const std::string aside = quote_name(holding_schema(plan, table.schema)) + "." + quote_name(sequence.name);
      const bool went = co_await db.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", aside);
      const auto [last, called] = co_await db.query_one<std::tuple<std::int64_t, bool>>(
          "SELECT last_value, is_called FROM " + (went ? aside : sequence.qualified()));
      values.push_back({sequence, last, called});
    }
  }
  co_return values;
}

Task<void> set_sequences(Querier& db, const std::vector<SequenceValue>& values) {
  for (const SequenceValue& one : values) {
    co_await db.query_value<std::optional<std::int64_t>>("SELECT setval(to_regclass($1), $2, $3)",
                                                         one.sequence.qualified(), one.last, one.called);
  }
}

Task<void> advance_sequences(Querier& db, const std::vector<SequenceValue>& values) {
  for (const SequenceValue& one : values) {
    co_await db.query_optional<std::int64_t>(
        "SELECT setval(to_regclass($1), $2, $3) FROM pg_sequence p, " + one.sequence.qualified() +
            " s WHERE p.seqrelid = to_regclass($1) AND NOT p.seqcycle AND CASE WHEN p.seqincrement > 0"
            " THEN ($2::bigint, $3::bool) > (s.last_value, s.is_called) ELSE $2::bigint < s.last_value"
            " OR $2::bigint = s.last_value AND $3::bool AND NOT s.is_called END",
        one.sequence.qualified(), one.last, one.called);
  }
}

}  // namespace switchyard::inline v0::move
