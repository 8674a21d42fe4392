// Hexadecimal digits. Internal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::values {

inline constexpr char kHexDigits[] = "0123456789abcdef";

/// 0 to 15, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

inline void append_hex_byte(std::string& out, std::uint8_t byte) {
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 15];
}

inline void append_hex(std::string& out, std::string_view bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size() * 2);
  char* to = out.data() + at;
  for (char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    *to++ = kHexDigits[byte >> 4];
    *to++ = kHexDigits[byte & 15];
  }
}

}  // namespace switchyard::inline v0::values
