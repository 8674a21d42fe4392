// Rows and their description, as a server sends them. Clients read them through RowDescription and RowView.
#pragma once

#include <switchyard/protocol/messages/message.hpp>
#include <switchyard/protocol/row.hpp>

#include <span>

namespace switchyard::inline v0::protocol {

/// Appends a RowDescription ('T').
[[nodiscard]] SWITCHYARD_API bool encode_row_description(base::WriteBuffer& out,
                                                         std::span<const FieldDescription> fields) noexcept;

/// Backend: one row.
struct SWITCHYARD_API DataRow {
  static constexpr char kType = 'D';
  static constexpr std::string_view kName = "DataRow";
  RowView row;
  /// Unlike the client's hot path it checks every length.
  [[nodiscard]] static Result<DataRow> decode(ByteView body);
  friend bool operator==(const DataRow& a, const DataRow& b) noexcept {
    return a.row.count() == b.row.count() && a.row.bytes() == b.row.bytes();
  }
};
/// Fails if the row's lengths don't fit.
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const DataRow& message) noexcept;
/// Appends a DataRow with these fields.
[[nodiscard]] SWITCHYARD_API bool encode_data_row(base::WriteBuffer& out,
                                                  std::span<const FieldView> fields) noexcept;

}  // namespace switchyard::inline v0::protocol
