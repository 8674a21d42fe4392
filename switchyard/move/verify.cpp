#include <switchyard/move/verify.hpp>

#include <algorithm>
#include <tuple>

namespace switchyard::inline v0::move {

Task<TableSum> sum_table(Transaction& tx, const TablePlan& table) {
  const std::string key = column_list(table.key, "t.");
  const std::string row = column_list(table.columns, "t.");
  TableSum out;
  for (const auto& [part, rows, sum] : co_await tx.query<std::tuple<std::int32_t, std::int64_t, std::string>>(
           "SELECT (hashtextextended(ROW(" + key +
           ")::text, 0) & 63)::int AS part, count(*), sum(hashtextextended(ROW(" + row +
           ")::text, 0)::numeric)::text FROM " + table.qualified() + " t GROUP BY 1 ORDER BY 1")) {
    out.rows += static_cast<std::uint64_t>(rows);
    out.parts.push_back({part, rows, sum});
  }
  co_return out;
}

Error difference(const TablePlan& table, const TableSum& source, const TableSum& target) {
  std::size_t wrong = 0;
  for (const TableSum::Part& part : source.parts) {
    if (std::ranges::find(target.parts, part) == target.parts.end()) ++wrong;
  }
  return Error(ErrorKind::Server, table.shown() + " and its copy differ: " + std::to_string(source.rows) +
                                      " rows here, " + std::to_string(target.rows) + " there, " +
                                      std::to_string(wrong) + " of 64 parts unequal")
      .with_hint(
          "switchyard move abort, and begin again; a type whose text depends on the server is the likeliest cause");
}

}  // namespace switchyard::inline v0::move
