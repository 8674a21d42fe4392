// A row without a C++ type: its bytes and the description of its columns.
//
//   for (const sy::Row& row : rows) {
//     auto code = row.get<std::string>("code");                        // throws Error Mapping if it does not fit
//     auto name = row.get<std::optional<std::string>>("short_name");
//     std::cout << row.to_json() << '\n';
//   }
//
// A Row owns its bytes and shares the description. Fields may have come in either format; ask the server for
// result_formats_for() so that text() and to_json() know every type.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/values/codec.hpp>
#include <switchyard/values/row_mapper.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

class SWITCHYARD_API Row {
 public:
  /// No columns.
  Row() noexcept = default;
  /// Copies the fields. The formats are those of the description: see with_formats().
  Row(std::shared_ptr<const protocol::RowDescription> columns, protocol::RowView row);
  Row(const Row& other);
  Row(Row&&) noexcept = default;
  Row& operator=(const Row& other);
  Row& operator=(Row&&) noexcept = default;
  ~Row() = default;

  /// Replaces the content without throwing: what a row callback does. False if the row is malformed or memory ran
  /// out.
  [[nodiscard]] bool assign(const std::shared_ptr<const protocol::RowDescription>& columns, protocol::RowView row,
                            MapError& error) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] const std::shared_ptr<const protocol::RowDescription>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::string_view name(std::size_t column) const noexcept { return (*columns_)[column].name; }
  [[nodiscard]] Oid type(std::size_t column) const noexcept { return (*columns_)[column].type; }
  [[nodiscard]] Format format(std::size_t column) const noexcept {
    return static_cast<Format>((*columns_)[column].format);
  }
  /// The first column of that name.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept;

  /// The field as it came; not checked against size().
  [[nodiscard]] protocol::FieldView field(std::size_t column) const noexcept {
    const Place& place = places()[column];
    return {block_.get() + place.offset, place.size};
  }
  [[nodiscard]] bool is_null(std::size_t column) const noexcept { return places()[column].size < 0; }

  /// The value of a column, by index from 0 or by name. Throws Error (Mapping) with the column, its type and T if
  /// the column does not exist, is named twice, does not fit T, or is NULL and T is not std::optional.
  template <class T>
  [[nodiscard]] T get(std::size_t column) const {
    return try_get<T>(column).value_or_throw();
  }
  template <class T>
  [[nodiscard]] T get(std::string_view column) const {
    return try_get<T>(column).value_or_throw();
  }
  /// The same without throwing.
  template <class T>
  [[nodiscard]] Result<T> try_get(std::size_t column) const {
    static const values::MemberPlan plan = values::make_member_plan<T>({}, 0);
    T value{};
    if (Result<void> read_result = read(column, plan, &value); !read_result) return read_result.error();
    return value;
  }
  template <class T>
  [[nodiscard]] Result<T> try_get(std::string_view column) const {
    const Result<std::size_t> index = column_named(column);
    if (!index) return index.error();
    return try_get<T>(*index);
  }

  /// The field as psql would show it, nothing for NULL. Types whose binary form is not known show their bytes in
  /// hexadecimal.
  [[nodiscard]] std::optional<std::string> text(std::size_t column) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view column) const;

  /// {"column": value, ...} in the order of the columns: see append_json().
  [[nodiscard]] std::string to_json() const;
  void append_json_to(std::string& out) const;

 private:
  struct Place {
    std::uint32_t offset;  // in the block
    std::int32_t size;     // -1 is NULL
  };
  [[nodiscard]] const Place* places() const noexcept { return reinterpret_cast<const Place*>(block_.get()); }
  [[nodiscard]] Result<std::size_t> column_named(std::string_view name) const;
  [[nodiscard]] Result<void> read(std::size_t column, const values::MemberPlan& plan, void* value) const;

  std::shared_ptr<const protocol::RowDescription> columns_;
  std::unique_ptr<char[]> block_;  // the places, then the bytes of the fields
  std::size_t count_ = 0;
  std::size_t block_size_ = 0;
};

using Rows = std::vector<Row>;

/// The formats to ask for when the rows are to be Row: result_format_for() of each column.
[[nodiscard]] SWITCHYARD_API std::vector<std::int16_t> result_formats_for(const protocol::RowDescription& columns);

/// The same columns in other formats: one for each, or one for all. The description of a statement always says
/// text; rows need to know what was asked for.
[[nodiscard]] SWITCHYARD_API std::shared_ptr<const protocol::RowDescription> with_formats(
    const protocol::RowDescription& columns, std::span<const std::int16_t> formats);

}  // namespace switchyard::inline v0
