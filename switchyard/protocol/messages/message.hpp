// How messages look in code: one struct each, with
//   kType    the type byte (none in the startup phase)
//   kName    its name in the manual (chapter 55.7)
//   decode   a total function from the body of one message, without type and length, to the struct
//   encode   appends the whole message; false, and nothing is appended, if a text holds a zero byte, the message
//            would be larger than PostgreSQL allows, or memory ran out
// Structs hold views: of the decoded body, or of what the caller wants to send.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/protocol/body_reader.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/protocol/message_writer.hpp>
#include <switchyard/protocol/wire_list.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// A message without a body.
template <char Type, class Name>
struct BodylessMessage {
  static constexpr char kType = Type;
  static constexpr std::string_view kName = Name::text;
  [[nodiscard]] static Result<BodylessMessage> decode(ByteView body) {
    if (!body.empty()) return malformed_message(kName);
    return BodylessMessage();
  }
  friend bool operator==(const BodylessMessage&, const BodylessMessage&) = default;
};
template <char Type, class Name>
[[nodiscard]] bool encode(base::WriteBuffer& out, const BodylessMessage<Type, Name>&) noexcept {
  return MessageWriter(out, Type).finish();
}

}  // namespace switchyard::inline v0::protocol
