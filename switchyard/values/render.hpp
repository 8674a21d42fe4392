// Values as text and as JSON, from either wire format, without knowing a C++ type: what an untyped Row, the command
// line and the HTTP door show.
//
// append_text() writes what the server's own text output would be with its default settings (DateStyle ISO,
// IntervalStyle postgres, extra_float_digits 1, bytea_output hex) and TimeZone UTC.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/values/codec.hpp>
#include <switchyard/values/literal.hpp>
#include <switchyard/values/status.hpp>
#include <switchyard/values/type_info.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// Appends the text of a binary value. False, with nothing appended, if the bytes are malformed or the type is one
/// for which result_format_for() says text. User types whose bytes look like text are taken as text.
[[nodiscard]] SWITCHYARD_API bool append_text(std::string& out, Oid type, ByteView binary);

/// Appends the value as JSON, always valid: numbers for integers, floats, numeric and oid (NaN and infinities as
/// strings), true and false, json and jsonb as they are, arrays nested, composites as {"f1": ...}, timestamps in
/// ISO 8601, everything else as a string of its text. Bytes that are not UTF-8 become U+FFFD.
SWITCHYARD_API void append_json(std::string& out, Oid type, Format format, ByteView value);

/// Appends text in quotes, escaped.
SWITCHYARD_API void append_json_string(std::string& out, std::string_view text);

/// Whether the bytes are UTF-8 as PostgreSQL accepts it: no overlong forms, no surrogates, up to U+10FFFF.
[[nodiscard]] SWITCHYARD_API bool is_valid_utf8(std::string_view text) noexcept;

/// Whether the text is one JSON value (RFC 8259) in valid UTF-8.
[[nodiscard]] SWITCHYARD_API bool is_valid_json(std::string_view text);

namespace values {

/// The shortest decimal that reads back as the same number, spelled as float8out does: "1e+15", "0.1", "-0", "NaN".
SWITCHYARD_API void append_float(std::string& out, double value);
SWITCHYARD_API void append_float(std::string& out, float value);

/// Appends the text of a C++ value, as a literal of its type has it.
template <class T>
EncodeStatus append_value_text(std::string& out, const T& value) {
  static_assert(Encodable<T>, "no Codec encodes this type: see switchyard/values/codec.hpp");
  base::WriteBuffer bytes;
  const EncodeStatus status = Codec<T>::encode(bytes, value);
  if (status != EncodeStatus::ok) return status;
  if constexpr (Codec<T>::oid == oids::unspecified) {
    out += bytes.view();
    return EncodeStatus::ok;
  } else {
    return append_text(out, Codec<T>::oid, bytes.view()) ? EncodeStatus::ok : EncodeStatus::out_of_range;
  }
}

/// Appends a member of a struct as a field of a composite literal: NULL is nothing.
template <class T>
EncodeStatus append_record_field(std::string& out, const T& value) {
  if constexpr (is_optional<T>) {
    return value ? append_record_field(out, *value) : EncodeStatus::ok;
  } else {
    std::string text;
    const EncodeStatus status = append_value_text(text, value);
    if (status == EncodeStatus::ok) append_record_field_text(out, text);
    return status;
  }
}

}  // namespace values
}  // namespace switchyard::inline v0
