// A table that the console shows: PgBouncer's columns and types, so that what reads them there reads them here.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/gateway/console_command.hpp>
#include <switchyard/protocol/wire_list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

enum class ConsoleType : std::uint8_t { text, int4, int8, numeric };

struct ConsoleColumn {
  std::string_view name;
  ConsoleType type = ConsoleType::text;
};

/// The columns of SHOW; none for HELP, which answers with a notice. A `setting` has one column of its own name.
[[nodiscard]] SWITCHYARD_API std::span<const ConsoleColumn> console_columns(ConsoleTable table) noexcept;

/// Values as text, or SQL's NULL.
class ConsoleRow {
 public:
  ConsoleRow& add(std::string_view text) {
    values_.emplace_back(text);
    return *this;
  }
  ConsoleRow& add(const char* text) { return add(std::string_view(text)); }
  ConsoleRow& add(std::integral auto number) {
    values_.emplace_back(std::to_string(number));
    return *this;
  }
  ConsoleRow& add_null() {
    values_.emplace_back(std::nullopt);
    return *this;
  }
  [[nodiscard]] const std::vector<std::optional<std::string>>& values() const noexcept { return values_; }

 private:
  std::vector<std::optional<std::string>> values_;
};

/// What a command answers: rows of a table, or nothing but its tag.
struct ConsoleAnswer {
  std::string tag;  ///< "SHOW", "PAUSE", "SET x=1"
  ConsoleTable table = ConsoleTable::none;
  std::vector<ConsoleRow> rows;
  std::string notice;  ///< sent first, if not empty
  std::string notice_detail;

  ConsoleRow& add_row() { return rows.emplace_back(); }
};

/// May a value of this type be asked for in binary, and does `formats` of a Bind fit? "" or what is wrong.
[[nodiscard]] SWITCHYARD_API std::string_view check_formats(std::size_t columns,
                                                            const protocol::FormatList& formats) noexcept;

/// Appends a RowDescription. `setting` names the column of SHOW of a setting. `formats` as in Bind.
SWITCHYARD_API void encode_columns(base::WriteBuffer& out, ConsoleTable table, std::string_view setting,
                                   std::span<const std::int16_t> formats);
/// Appends a DataRow; integers and numerics in binary where `formats` say so.
SWITCHYARD_API void encode_row(base::WriteBuffer& out, ConsoleTable table, const ConsoleRow& row,
                               std::span<const std::int16_t> formats);

}  // namespace switchyard::inline v0::gateway
