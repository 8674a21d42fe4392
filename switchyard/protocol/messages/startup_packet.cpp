#include <switchyard/protocol/messages/startup_packet.hpp>

#include <string>

namespace switchyard::inline v0::protocol {

bool encode(base::WriteBuffer& out, const StartupMessage& message) noexcept {
  const std::size_t begin = out.mark();
  MessageWriter writer(out);
  writer.u32(message.version);
  for (const auto& [name, value] : message.parameters) writer.cstring(name).cstring(value);
  if (!writer.u8(0).finish()) return false;
  if (out.mark() - begin > kMaxStartupPacketSize) {
    out.truncate(begin);
    return false;
  }
  return true;
}
bool encode(base::WriteBuffer& out, const SslRequest&) noexcept {
  return MessageWriter(out).u32(kSslRequestCode).finish();
}
bool encode(base::WriteBuffer& out, const GssEncRequest&) noexcept {
  return MessageWriter(out).u32(kGssEncRequestCode).finish();
}
bool encode(base::WriteBuffer& out, const CancelRequest& message) noexcept {
  if (message.secret.size() < kMinCancelKeySize || message.secret.size() > kMaxCancelKeySize) return false;
  return MessageWriter(out).u32(kCancelRequestCode).i32(message.process_id).bytes(message.secret).finish();
}

Result<std::size_t> startup_packet_size(ByteView in) {
  if (in.size() < 4) return std::size_t{0};
  const auto length = base::load_be<std::uint32_t>(in.data());
  if (length < 8 || length > kMaxStartupPacketSize) {
    return Error(ErrorKind::Protocol, "startup packet has length " + std::to_string(length) +
                                          ", allowed are 8 to " + std::to_string(kMaxStartupPacketSize));
  }
  return std::size_t{length};
}

Result<StartupPacket> decode_startup_packet(ByteView body) {
  BodyReader reader(body);
  const auto code = reader.integer<std::uint32_t>();
  if (code == kSslRequestCode || code == kGssEncRequestCode) {
    if (!reader.finished()) return malformed_message(code == kSslRequestCode ? "SSLRequest" : "GSSENCRequest");
    if (code == kSslRequestCode) return StartupPacket(SslRequest());
    return StartupPacket(GssEncRequest());
  }
  if (code == kCancelRequestCode) {
    CancelRequest cancel;
    cancel.process_id = reader.integer<std::int32_t>();
    cancel.secret = reader.rest();
    if (reader.failed() || cancel.secret.size() < kMinCancelKeySize || cancel.secret.size() > kMaxCancelKeySize) {
      return malformed_message(CancelRequest::kName);
    }
    return StartupPacket(cancel);
  }
  if (reader.failed()) return malformed_message(StartupMessage::kName);
  if (code >> 16 != 3) {
    return Error(ErrorKind::Protocol, "unsupported protocol version " + std::to_string(code >> 16) + "." +
                                          std::to_string(code & 0xffff) + ", 3.0 to 3.2 are supported");
  }
  StartupMessage message;
  message.version = code;
  for (;;) {
    const std::string_view name = reader.cstring();
    if (reader.failed()) return malformed_message(StartupMessage::kName);
    if (name.empty()) break;
    const std::string_view value = reader.cstring();
    message.parameters.emplace_back(name, value);
  }
  if (!reader.finished()) return malformed_message(StartupMessage::kName);
  return StartupPacket(std::move(message));
}

}  // namespace switchyard::inline v0::protocol
