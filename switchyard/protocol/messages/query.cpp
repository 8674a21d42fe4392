#include <switchyard/protocol/messages/query.hpp>

#include <switchyard/protocol/messages/values.hpp>

namespace switchyard::inline v0::protocol {

Result<Query> Query::decode(ByteView body) {
  BodyReader reader(body);
  const Query message{reader.cstring()};
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const Query& message) noexcept {
  return MessageWriter(out, Query::kType).cstring(message.sql).finish();
}

Result<CommandComplete> CommandComplete::decode(ByteView body) {
  BodyReader reader(body);
  const CommandComplete message{reader.cstring()};
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const CommandComplete& message) noexcept {
  return MessageWriter(out, CommandComplete::kType).cstring(message.tag).finish();
}

Result<ReadyForQuery> ReadyForQuery::decode(ByteView body) {
  if (body.size() != 1 || (body[0] != 'I' && body[0] != 'T' && body[0] != 'E')) return malformed_message(kName);
  return ReadyForQuery{body[0]};
}
bool encode(base::WriteBuffer& out, const ReadyForQuery& message) noexcept {
  return MessageWriter(out, ReadyForQuery::kType).u8(static_cast<std::uint8_t>(message.status)).finish();
}

Result<FunctionCall> FunctionCall::decode(ByteView body) {
  BodyReader reader(body);
  FunctionCall message;
  message.function = reader.integer<Oid>();
  message.formats = FormatList::from_wire(reader.bytes(std::size_t{reader.integer<std::uint16_t>()} * 2));
  message.argument_count = reader.integer<std::uint16_t>();
  message.arguments = read_values(reader, message.argument_count);
  message.result_format = reader.integer<std::int16_t>();
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const FunctionCall& message) noexcept {
  if (message.argument_count > kMaxParameters || !values_fit(message.arguments, message.argument_count))
    return false;
  return MessageWriter(out, FunctionCall::kType)
      .u32(message.function)
      .counted(message.formats)
      .u16(static_cast<std::uint16_t>(message.argument_count))
      .bytes(message.arguments)
      .i16(message.result_format)
      .finish();
}

Result<FunctionCallResponse> FunctionCallResponse::decode(ByteView body) {
  BodyReader reader(body);
  const auto length = reader.integer<std::int32_t>();
  FunctionCallResponse message;
  if (length < -1) reader.reject();
  if (length >= 0) message.value = reader.bytes(static_cast<std::size_t>(length));
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const FunctionCallResponse& message) noexcept {
  MessageWriter writer(out, FunctionCallResponse::kType);
  if (!message.value) return writer.i32(-1).finish();
  if (message.value->size() > kMaxMessageSize) return writer.bytes(*message.value).finish();
  return writer.i32(static_cast<std::int32_t>(message.value->size())).bytes(*message.value).finish();
}

}  // namespace switchyard::inline v0::protocol
