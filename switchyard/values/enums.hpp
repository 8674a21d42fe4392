// Enums by their labels: see EnumLabels in codec.hpp.
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/codec_text.hpp>

#include <string_view>

namespace switchyard::inline v0 {

/// Read from enum types of the database and from text; sent as text of unspecified type, which fits both.
template <class T>
  requires values::HasEnumLabels<T>
struct Codec<T> {
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;

  static bool accepts(Oid type) noexcept { return values::is_text(type); }

  static EncodeStatus encode(base::WriteBuffer& out, T value) noexcept {
    for (const auto& [enumerator, label] : EnumLabels<T>::labels) {
      if (enumerator == value) return values::encode_text(out, label);
    }
    return EncodeStatus::unknown_label;
  }
  static DecodeStatus decode(ByteView bytes, Oid type, T& value) noexcept {
    const DecodeStatus status = values::read_text(type, bytes);
    return status == DecodeStatus::ok ? decode_text(bytes, type, value) : status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, T& value) noexcept {
    for (const auto& [enumerator, label] : EnumLabels<T>::labels) {
      if (std::string_view(label) == text) {
        value = enumerator;
        return DecodeStatus::ok;
      }
    }
    return DecodeStatus::unknown_label;
  }
};

}  // namespace switchyard::inline v0
