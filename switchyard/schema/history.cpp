#include <switchyard/schema/history.hpp>

#include <bit>
#include <optional>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

constexpr std::int64_t kFlywaysLock = 77431708279161;

/// java.lang.String.hashCode(): over UTF-16 code units.
std::int32_t java_hash(std::string_view text) noexcept {
  std::uint32_t hash = 0;
  const auto add = [&](std::uint32_t unit) { hash = 31 * hash + unit; };
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (at + length > text.size()) break;
    std::uint32_t point = length == 1 ? first : first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
    }
    if (point >= 0x10000) {
      add(0xD800 + ((point - 0x10000) >> 10));
      add(0xDC00 + ((point - 0x10000) & 0x3FF));
    } else {
      add(point);
    }
    at += length;
  }
  return std::bit_cast<std::int32_t>(hash);
}

}  // namespace

std::string quote_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

std::int64_t History::lock_key() const noexcept { return kFlywaysLock + java_hash(qualified()); }

std::string History::ddl() const {
  const std::string name = qualified();
  return "CREATE TABLE " + name +
         " (\n"
         "    \"installed_rank\" INT NOT NULL,\n"
         "    \"version\" VARCHAR(50),\n"
         "    \"description\" VARCHAR(200) NOT NULL,\n"
         "    \"type\" VARCHAR(20) NOT NULL,\n"
         "    \"script\" VARCHAR(1000) NOT NULL,\n"
         "    \"checksum\" INTEGER,\n"
         "    \"installed_by\" VARCHAR(100) NOT NULL,\n"
         "    \"installed_on\" TIMESTAMP NOT NULL DEFAULT now(),\n"
         "    \"execution_time\" INTEGER NOT NULL,\n"
         "    \"success\" BOOLEAN NOT NULL\n"
         ");\n"
         "ALTER TABLE " +
         name + " ADD CONSTRAINT " + quote_name(table_ + "_pk") + " PRIMARY KEY (\"installed_rank\");\n" +
         "CREATE INDEX " + quote_name(table_ + "_s_idx") + " ON " + name + " (\"success\");\n";
}

Task<std::vector<HistoryRow>> History::read(Querier& querier) const {
  co_return co_await querier.query<HistoryRow>(
      "SELECT installed_rank, version::text, description::text, type::text, script::text, checksum, "
      "installed_by::text, installed_on::text, execution_time, success FROM " +
      qualified() + " ORDER BY installed_rank");
}

Task<void> History::add(Querier& querier, HistoryRow row) const {
  co_await querier.execute("INSERT INTO " + qualified() +
                               " (installed_rank, version, description, type, script, checksum, installed_by, "
                               "execution_time, success) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                           row.installed_rank, row.version, row.description, row.type, row.script, row.checksum,
                           row.installed_by, row.execution_time, row.success);
}

Task<void> History::progress(Querier& querier, std::int32_t rank, std::int32_t execution_time, bool success) const {
  co_await querier.execute(
      "UPDATE " + qualified() + " SET execution_time = $2, success = $3 WHERE installed_rank = $1", rank,
      execution_time, success);
}

}  // namespace switchyard::inline v0::schema
