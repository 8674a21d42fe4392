#include <switchyard/protocol/messages/extended.hpp>

#include <switchyard/protocol/messages/values.hpp>

namespace switchyard::inline v0::protocol {
namespace {

template <class T>
WireList<T> read_counted(BodyReader& reader) noexcept {
  const std::size_t count = reader.integer<std::uint16_t>();
  return WireList<T>::from_wire(reader.bytes(count * sizeof(T)));
}

/// As PostgreSQL: none, one for all, or one for each.
bool formats_match(const FormatList& formats, std::size_t count) noexcept {
  return formats.size() <= 1 || formats.size() == count;
}

template <class Message>
Result<Message> decode_target(ByteView body) {
  BodyReader reader(body);
  Message message;
  message.target = static_cast<Target>(reader.byte());
  message.name = reader.cstring();
  if (!reader.finished() || (message.target != Target::statement && message.target != Target::portal)) {
    return malformed_message(Message::kName);
  }
  return message;
}

}  // namespace

Result<Parse> Parse::decode(ByteView body) {
  BodyReader reader(body);
  Parse message;
  message.name = reader.cstring();
  message.sql = reader.cstring();
  message.types = read_counted<Oid>(reader);
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const Parse& message) noexcept {
  return MessageWriter(out, Parse::kType)
      .cstring(message.name)
      .cstring(message.sql)
      .counted(message.types)
      .finish();
}

Result<Bind> Bind::decode(ByteView body) {
  BodyReader reader(body);
  Bind message;
  message.portal = reader.cstring();
  message.statement = reader.cstring();
  message.formats = read_counted<std::int16_t>(reader);
  message.count = reader.integer<std::uint16_t>();
  message.values = read_values(reader, message.count);
  message.result_formats = read_counted<std::int16_t>(reader);
  if (!reader.finished() || !formats_match(message.formats, message.count)) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const Bind& message) noexcept {
  if (message.count > kMaxParameters || !formats_match(message.formats, message.count) ||
      !values_fit(message.values, message.count)) {
    return false;
  }
  return MessageWriter(out, Bind::kType)
      .cstring(message.portal)
      .cstring(message.statement)
      .counted(message.formats)
      .u16(static_cast<std::uint16_t>(message.count))
      .bytes(message.values)
      .counted(message.result_formats)
      .finish();
}

Result<Describe> Describe::decode(ByteView body) { return decode_target<Describe>(body); }
bool encode(base::WriteBuffer& out, const Describe& message) noexcept {
  return MessageWriter(out, Describe::kType)
      .u8(static_cast<std::uint8_t>(message.target))
      .cstring(message.name)
      .finish();
}

Result<Close> Close::decode(ByteView body) { return decode_target<Close>(body); }
bool encode(base::WriteBuffer& out, const Close& message) noexcept {
  return MessageWriter(out, Close::kType)
      .u8(static_cast<std::uint8_t>(message.target))
      .cstring(message.name)
      .finish();
}

Result<Execute> Execute::decode(ByteView body) {
  BodyReader reader(body);
  Execute message;
  message.portal = reader.cstring();
  message.max_rows = reader.integer<std::int32_t>();
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const Execute& message) noexcept {
  return MessageWriter(out, Execute::kType).cstring(message.portal).i32(message.max_rows).finish();
}

Result<ParameterDescription> ParameterDescription::decode(ByteView body) {
  BodyReader reader(body);
  ParameterDescription message{read_counted<Oid>(reader)};
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const ParameterDescription& message) noexcept {
  return MessageWriter(out, ParameterDescription::kType).counted(message.types).finish();
}

}  // namespace switchyard::inline v0::protocol
