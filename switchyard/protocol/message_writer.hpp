// Appends one message: type byte, length, body. A message that grows too large, or for which memory runs out, is
// taken back as a whole.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/protocol/wire_list.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::protocol {

class MessageWriter {
 public:
  /// A message with a type byte.
  MessageWriter(base::WriteBuffer& out, char type) noexcept : out_(out), begin_(out.mark()) {
    out_.put_u8(static_cast<std::uint8_t>(type));
    length_at_ = out_.mark();
    out_.put_i32(0);
  }
  /// A message of the startup phase, which has none.
  explicit MessageWriter(base::WriteBuffer& out) noexcept : out_(out), begin_(out.mark()), length_at_(begin_) {
    out_.put_i32(0);
  }

  MessageWriter& u8(std::uint8_t value) noexcept { return out_.put_u8(value), *this; }
  MessageWriter& i16(std::int16_t value) noexcept { return out_.put_i16(value), *this; }
  MessageWriter& u16(std::uint16_t value) noexcept { return out_.put_u16(value), *this; }
  MessageWriter& i32(std::int32_t value) noexcept { return out_.put_i32(value), *this; }
  MessageWriter& u32(std::uint32_t value) noexcept { return out_.put_u32(value), *this; }
  MessageWriter& bytes(ByteView value) noexcept {
    if (too_large(value.size())) return *this;
    return out_.put(value), *this;
  }
  /// Text that holds a zero byte fails the message.
  MessageWriter& cstring(std::string_view text) noexcept {
    if (text.find('\0') != std::string_view::npos) failed_ = true;
    if (failed_ || too_large(text.size())) return *this;
    return out_.put_cstring(text), *this;
  }
  template <class T>
  MessageWriter& list(const WireList<T>& values) noexcept {
    if (too_large(values.bytes())) return *this;
    if (char* at = out_.append(values.bytes())) values.store(at);
    return *this;
  }
  /// The count in 16 unsigned bits, then the integers.
  template <class T>
  MessageWriter& counted(const WireList<T>& values) noexcept {
    if (values.size() > kMaxParameters) failed_ = true;
    return failed_ ? *this : u16(static_cast<std::uint16_t>(values.size())).list(values);
  }

  /// Writes the length. False, and the message is taken back, if it is not allowed or memory ran out.
  [[nodiscard]] bool finish() noexcept {
    if (out_.failed()) return false;
    const std::size_t length = out_.mark() - length_at_;
    if (failed_ || length > kMaxMessageSize) {
      out_.truncate(begin_);
      return false;
    }
    out_.patch_i32(length_at_, static_cast<std::int32_t>(length));
    return true;
  }

 private:
  bool too_large(std::size_t more) noexcept {
    if (more > kMaxMessageSize || out_.mark() - begin_ > kMaxMessageSize) failed_ = true;
    return failed_;
  }
  base::WriteBuffer& out_;
  std::size_t begin_;
  std::size_t length_at_ = 0;
  bool failed_ = false;
};

}  // namespace switchyard::inline v0::protocol
