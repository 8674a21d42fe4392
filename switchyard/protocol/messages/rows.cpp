#include <switchyard/protocol/messages/rows.hpp>

#include <limits>

namespace switchyard::inline v0::protocol {
namespace {
constexpr std::size_t kMaxFields = std::numeric_limits<std::int16_t>::max();
}

bool encode_row_description(base::WriteBuffer& out, std::span<const FieldDescription> fields) noexcept {
  if (fields.size() > kMaxFields) return false;
  MessageWriter writer(out, 'T');
  writer.i16(static_cast<std::int16_t>(fields.size()));
  for (const FieldDescription& field : fields) {
    writer.cstring(field.name)
        .u32(field.table_oid)
        .i16(field.column)
        .u32(field.type)
        .i16(field.type_size)
        .i32(field.type_modifier)
        .i16(field.format);
  }
  return writer.finish();
}

Result<DataRow> DataRow::decode(ByteView body) {
  BodyReader reader(body);
  const auto count = reader.integer<std::int16_t>();
  if (reader.failed() || count < 0) return malformed_message(kName);
  const DataRow message{RowView(reader.rest(), count)};
  if (!message.row.well_formed()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const DataRow& message) noexcept {
  if (!message.row.well_formed()) return false;
  return MessageWriter(out, DataRow::kType)
      .i16(static_cast<std::int16_t>(message.row.count()))
      .bytes(message.row.bytes())
      .finish();
}

bool encode_data_row(base::WriteBuffer& out, std::span<const FieldView> fields) noexcept {
  if (fields.size() > kMaxFields) return false;
  MessageWriter writer(out, DataRow::kType);
  writer.i16(static_cast<std::int16_t>(fields.size()));
  for (const FieldView& field : fields) writer.i32(field.is_null() ? -1 : field.size).bytes(field.bytes());
  return writer.finish();
}

}  // namespace switchyard::inline v0::protocol
