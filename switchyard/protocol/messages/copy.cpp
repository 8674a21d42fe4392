#include <switchyard/protocol/messages/copy.hpp>

#include <limits>

namespace switchyard::inline v0::protocol {

Result<CopyData> CopyData::decode(ByteView body) { return CopyData{body}; }
bool encode(base::WriteBuffer& out, const CopyData& message) noexcept {
  return MessageWriter(out, CopyData::kType).bytes(message.data).finish();
}

Result<CopyFail> CopyFail::decode(ByteView body) {
  BodyReader reader(body);
  const CopyFail message{reader.cstring()};
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const CopyFail& message) noexcept {
  return MessageWriter(out, CopyFail::kType).cstring(message.reason).finish();
}

Result<CopyResponse> CopyResponse::decode(char type, ByteView body) {
  const std::string_view name = type == kIn    ? "CopyInResponse"
                                : type == kOut ? "CopyOutResponse"
                                               : "CopyBothResponse";
  BodyReader reader(body);
  const std::uint8_t format = reader.byte();
  const auto count = reader.integer<std::int16_t>();
  if (reader.failed() || format > 1 || count < 0) return malformed_message(name);
  CopyResponse message{type, format == 1, FormatList::from_wire(reader.bytes(static_cast<std::size_t>(count) * 2))};
  if (!reader.finished()) return malformed_message(name);
  return message;
}
bool encode(base::WriteBuffer& out, const CopyResponse& message) noexcept {
  if (message.columns.size() > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) return false;
  return MessageWriter(out, message.type)
      .u8(message.binary ? 1 : 0)
      .i16(static_cast<std::int16_t>(message.columns.size()))
      .list(message.columns)
      .finish();
}

}  // namespace switchyard::inline v0::protocol
