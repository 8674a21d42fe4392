#include <switchyard/protocol/messages/authentication.hpp>

namespace switchyard::inline v0::protocol {

Result<Authentication> Authentication::decode(ByteView body) {
  BodyReader reader(body);
  Authentication message;
  message.code = reader.integer<std::int32_t>();
  if (reader.failed()) return malformed_message(kName);
  message.data = reader.rest();
  const bool bare = message.code == Ok || message.code == KerberosV5 || message.code == CleartextPassword ||
                    message.code == SCMCredential || message.code == GSS || message.code == SSPI;
  if ((bare && !message.data.empty()) || (message.code == MD5Password && message.data.size() != 4)) {
    return malformed_message(kName);
  }
  return message;
}

Result<std::vector<std::string_view>> Authentication::mechanisms() const {
  std::vector<std::string_view> names;
  BodyReader reader(data);
  for (;;) {
    const std::string_view name = reader.cstring();
    if (reader.failed()) return malformed_message("AuthenticationSASL");
    if (name.empty()) break;
    names.push_back(name);
  }
  if (!reader.finished()) return malformed_message("AuthenticationSASL");
  return names;
}

bool encode(base::WriteBuffer& out, const Authentication& message) noexcept {
  return MessageWriter(out, Authentication::kType).i32(message.code).bytes(message.data).finish();
}
bool encode_sasl_mechanisms(base::WriteBuffer& out, const std::vector<std::string_view>& mechanisms) noexcept {
  MessageWriter writer(out, Authentication::kType);
  writer.i32(Authentication::SASL);
  for (const std::string_view name : mechanisms) writer.cstring(name);
  return writer.u8(0).finish();
}

Result<PasswordMessage> PasswordMessage::decode(ByteView body) {
  BodyReader reader(body);
  const PasswordMessage message{reader.cstring()};
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const PasswordMessage& message) noexcept {
  return MessageWriter(out, PasswordMessage::kType).cstring(message.password).finish();
}

Result<SASLInitialResponse> SASLInitialResponse::decode(ByteView body) {
  BodyReader reader(body);
  SASLInitialResponse message;
  message.mechanism = reader.cstring();
  const auto length = reader.integer<std::int32_t>();
  if (length < -1) reader.reject();
  if (length >= 0) message.data = reader.bytes(static_cast<std::size_t>(length));
  if (!reader.finished()) return malformed_message(kName);
  return message;
}
bool encode(base::WriteBuffer& out, const SASLInitialResponse& message) noexcept {
  MessageWriter writer(out, SASLInitialResponse::kType);
  writer.cstring(message.mechanism);
  if (!message.data) return writer.i32(-1).finish();
  return writer.i32(static_cast<std::int32_t>(message.data->size())).bytes(*message.data).finish();
}

Result<SASLResponse> SASLResponse::decode(ByteView body) { return SASLResponse{body}; }
bool encode(base::WriteBuffer& out, const SASLResponse& message) noexcept {
  return MessageWriter(out, SASLResponse::kType).bytes(message.data).finish();
}

}  // namespace switchyard::inline v0::protocol
