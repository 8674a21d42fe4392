// The history table, byte for byte as Flyway 10 makes it, so that either tool goes on where the other stopped.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/schema/history_row.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::schema {

/// A name between double quotes.
[[nodiscard]] SWITCHYARD_API std::string quote_name(std::string_view name);

class SWITCHYARD_API History {
 public:
  History(std::string schema, std::string table) : schema_(std::move(schema)), table_(std::move(table)) {}

  [[nodiscard]] const std::string& schema() const noexcept { return schema_; }
  [[nodiscard]] const std::string& table() const noexcept { return table_; }
  /// "schema"."table"
  [[nodiscard]] std::string qualified() const { return quote_name(schema_) + "." + quote_name(table_); }
  /// Of the advisory lock that Flyway takes: its number plus Java's hash of qualified().
  [[nodiscard]] std::int64_t lock_key() const noexcept;
  /// The statements that make table, primary key and index.
  [[nodiscard]] std::string ddl() const;

  /// By installed_rank. The table must be there.
  [[nodiscard]] Task<std::vector<HistoryRow>> read(Querier& querier) const;
  /// installed_on is the server's now().
  [[nodiscard]] Task<void> add(Querier& querier, HistoryRow row) const;
  /// Of a row with this rank: how far it is.
  [[nodiscard]] Task<void> progress(Querier& querier, std::int32_t rank, std::int32_t execution_time,
                                    bool success) const;

 private:
  std::string schema_, table_;
};

}  // namespace switchyard::inline v0::schema
