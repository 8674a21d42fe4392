#include <switchyard/protocol/messages/session.hpp>

namespace switchyard::inline v0::protocol {

Result<ParameterStatus> ParameterStatus::decode(ByteView body) {
  BodyReader reader(body);
  ParameterStatus message;
  message.name = reader.cstring();
  message.value = reader.cstring();
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const ParameterStatus& message) noexcept {
  return MessageWriter(out, ParameterStatus::kType).cstring(message.name).cstring(message.value).finish();
}

Result<BackendKeyData> BackendKeyData::decode(ByteView body) {
  BodyReader reader(body);
  BackendKeyData message;
  message.process_id = reader.integer<std::int32_t>();
  message.secret = reader.rest();
  if (reader.failed() || message.secret.size() < kMinCancelKeySize || message.secret.size() > kMaxCancelKeySize) {
    return malformed_message(kName);
  }
  return message;
}
bool encode(base::WriteBuffer& out, const BackendKeyData& message) noexcept {
  if (message.secret.size() < kMinCancelKeySize || message.secret.size() > kMaxCancelKeySize) return false;
  return MessageWriter(out, BackendKeyData::kType).i32(message.process_id).bytes(message.secret).finish();
}

Result<NotificationResponse> NotificationResponse::decode(ByteView body) {
  BodyReader reader(body);
  NotificationResponse message;
  message.process_id = reader.integer<std::int32_t>();
  message.channel = reader.cstring();
  message.payload = reader.cstring();
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const NotificationResponse& message) noexcept {
  return MessageWriter(out, NotificationResponse::kType)
      .i32(message.process_id)
      .cstring(message.channel)
      .cstring(message.payload)
      .finish();
}

Result<NegotiateProtocolVersion> NegotiateProtocolVersion::decode(ByteView body) {
  BodyReader reader(body);
  NegotiateProtocolVersion message;
  message.version = reader.integer<std::uint32_t>();
  const auto count = reader.integer<std::int32_t>();
  // Every name takes at least its zero byte.
  if (reader.failed() || count < 0 || static_cast<std::size_t>(count) > reader.remaining()) {
    return malformed_message(kName);
  }
  message.unsupported.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count && !reader.failed(); ++i) message.unsupported.push_back(reader.cstring());
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const NegotiateProtocolVersion& message) noexcept {
  if (message.unsupported.size() > kMaxMessageSize) return false;
  MessageWriter writer(out, NegotiateProtocolVersion::kType);
  writer.u32(message.version).i32(static_cast<std::int32_t>(message.unsupported.size()));
  for (const std::string_view name : message.unsupported) writer.cstring(name);
  return writer.finish();
}

}  // namespace switchyard::inline v0::protocol
