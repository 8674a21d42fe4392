// Codecs of text: std::string, std::string_view, C strings, char, Json.
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/wrappers.hpp>

#include <cstring>

namespace switchyard::inline v0 {

namespace values {

/// Types whose binary form is their text: text, varchar, bpchar, name, "char", json, xml, unknown, refcursor, ...;
/// jsonb and jsonpath too, behind one byte. User types (enum, citext, ...) are accepted as well, since the server
/// does not say what they are; read_text() refuses the values that show to be something else.
[[nodiscard]] inline bool is_text(Oid type) noexcept {
  switch (type) {
    case oids::text:
    case oids::varchar:
    case oids::bpchar:
    case oids::name:
    case oids::char_:
    case oids::json:
    case oids::jsonb:
    case oids::jsonpath:
    case oids::xml:
    case oids::unknown:
    case oids::cstring:
    case oids::refcursor:
    case oids::pg_node_tree: return true;
    default: return is_user_type(type);
  }
}

/// Cuts the binary form of an is_text() type down to its text. Composites, arrays and ranges of user types always
/// hold zero bytes (their counts), text never does.
[[nodiscard]] inline DecodeStatus read_text(Oid type, ByteView& bytes) noexcept {
  if (type == oids::text || type == oids::varchar || type == oids::name) [[likely]]
    return DecodeStatus::ok;
  if (type == oids::jsonb || type == oids::jsonpath) {
    if (bytes.empty() || bytes.front() != 1) return DecodeStatus::malformed;
    bytes.remove_prefix(1);
  } else if (is_user_type(type) && bytes.find('\0') != ByteView::npos) {
    return DecodeStatus::not_text;
  }
  return DecodeStatus::ok;
}

/// A library call costs more than looking at a short text.
inline bool holds_nul(std::string_view text) noexcept {
  constexpr std::size_t kShort = 64;
  const char* at = text.data();
  std::size_t left = text.size();
  if (left > kShort) return std::memchr(at, 0, left) != nullptr;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, at, sizeof(eight));
    if (((eight - 0x0101010101010101ULL) & ~eight & 0x8080808080808080ULL) != 0) return true;
  }
  for (; left != 0; --left, ++at) {
    if (*at == '\0') return true;
  }
  return false;
}

inline EncodeStatus encode_text(base::WriteBuffer& out, std::string_view text) noexcept {
  if (holds_nul(text)) return EncodeStatus::contains_nul;
  out.put(text);
  return EncodeStatus::ok;
}

}  // namespace values

template <>
struct Codec<std::string> {
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string_view cpp_name() { return "std::string"; }
  static bool accepts(Oid type) noexcept { return values::is_text(type); }
  static EncodeStatus encode(base::WriteBuffer& out, const std::string& value) noexcept {
    return values::encode_text(out, value);
  }
  static DecodeStatus decode(ByteView bytes, Oid type, std::string& value) {
    const DecodeStatus status = values::read_text(type, bytes);
    value.assign(bytes.data(), bytes.size());
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, std::string& value) {
    value.assign(text.data(), text.size());
    return DecodeStatus::ok;
  }
};

/// A view into the row: valid as long as the row is, hence refused by query<T>, which returns after the row has
/// gone.
template <>
struct Codec<std::string_view> {
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string_view cpp_name() { return "std::string_view"; }
  static bool accepts(Oid type) noexcept { return values::is_text(type); }
  static EncodeStatus encode(base::WriteBuffer& out, std::string_view value) noexcept {
    return values::encode_text(out, value);
  }
  static DecodeStatus decode(ByteView bytes, Oid type, std::string_view& value) noexcept {
    const DecodeStatus status = values::read_text(type, bytes);
    value = bytes;
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, std::string_view& value) noexcept {
    value = text;
    return DecodeStatus::ok;
  }
};

/// A parameter only. A null pointer is NULL.
template <>
struct Codec<const char*> {
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string_view cpp_name() { return "const char*"; }
  static EncodeStatus encode(base::WriteBuffer& out, const char* value) noexcept {
    out.put(value);
    return EncodeStatus::ok;
  }
};

/// The one-byte type "char" of the system catalogues (pg_type.typtype and the like), not char(n).
template <>
struct Codec<char> {
  static constexpr Oid oid = oids::char_;
  static constexpr Oid array_oid = 1002;
  static std::string_view cpp_name() { return "char"; }
  static bool accepts(Oid type) noexcept { return type == oids::char_; }
  static EncodeStatus encode(base::WriteBuffer& out, char value) noexcept {
    out.put_u8(static_cast<std::uint8_t>(value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, char& value) noexcept {
    if (bytes.size() != 1) return DecodeStatus::malformed;
    value = bytes[0];
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, char& value) noexcept {
    // charout: nothing for a zero byte, "\ooo" for a byte above 127 (from version 16 on).
    if (text.empty()) {
      value = '\0';
    } else if (text.size() == 1) {
      value = text[0];
    } else if (text.size() == 4 && text[0] == '\\') {
      int byte = 0;
      for (char digit : text.substr(1)) {
        if (digit < '0' || digit > '7') return DecodeStatus::malformed;
        byte = byte * 8 + (digit - '0');
      }
      value = static_cast<char>(byte);
    } else {
      return DecodeStatus::malformed;
    }
    return DecodeStatus::ok;
  }
};

template <>
struct Codec<Json> {
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string_view cpp_name() { return "switchyard::Json"; }
  static bool accepts(Oid type) noexcept { return type == oids::json || type == oids::jsonb; }
  static EncodeStatus encode(base::WriteBuffer& out, const Json& value) noexcept {
    return values::encode_text(out, value.text);
  }
  static DecodeStatus decode(ByteView bytes, Oid type, Json& value) {
    return Codec<std::string>::decode(bytes, type, value.text);
  }
  static DecodeStatus decode_text(ByteView text, Oid type, Json& value) {
    return Codec<std::string>::decode_text(text, type, value.text);
  }
};

}  // namespace switchyard::inline v0
