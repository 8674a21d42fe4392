// Codecs of bool, integers, floats and numeric. Integers and floats widen, they never narrow: a column of int8 does
// not fit std::int32_t, whatever values it holds today.
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/numeric.hpp>

#include <bit>
#include <charconv>
#include <limits>

namespace switchyard::inline v0 {

namespace values {

/// Whole text as a number.
template <class T>
[[nodiscard]] DecodeStatus parse_number(ByteView text, T& value) noexcept {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec == std::errc::result_out_of_range) return DecodeStatus::out_of_range;
  return parsed.ec == std::errc() && parsed.ptr == end ? DecodeStatus::ok : DecodeStatus::malformed;
}

/// As float8out writes: digits, "NaN", "Infinity", "-Infinity".
[[nodiscard]] SWITCHYARD_API DecodeStatus parse_float(ByteView text, float& value) noexcept;
[[nodiscard]] SWITCHYARD_API DecodeStatus parse_float(ByteView text, double& value) noexcept;

/// short, int, long, long long: every spelling of a signed integer of 2, 4 or 8 bytes.
template <class T>
concept SignedInteger = std::signed_integral<T> && sizeof(T) >= 2 && !std::same_as<T, wchar_t>;

/// unsigned int, and unsigned long where that has 4 bytes.
template <class T>
concept Unsigned32 =
    std::unsigned_integral<T> && sizeof(T) == 4 && !std::same_as<T, char32_t> && !std::same_as<T, wchar_t>;

}  // namespace values

template <>
struct Codec<bool> {
  static constexpr Oid oid = oids::bool_;
  static constexpr Oid array_oid = 1000;
  static std::string_view cpp_name() { return "bool"; }
  static bool accepts(Oid type) noexcept { return type == oids::bool_; }
  static EncodeStatus encode(base::WriteBuffer& out, bool value) noexcept {
    out.put_u8(value ? 1 : 0);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, bool& value) noexcept {
    if (bytes.size() != 1) return DecodeStatus::malformed;
    value = bytes[0] != 0;
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, bool& value) noexcept {
    value = text == "t";
    return value || text == "f" ? DecodeStatus::ok : DecodeStatus::malformed;
  }
};

template <values::SignedInteger T>
struct Codec<T> {
  static constexpr Oid oid = sizeof(T) == 2 ? oids::int2 : sizeof(T) == 4 ? oids::int4 : oids::int8;
  static constexpr Oid array_oid = sizeof(T) == 2 ? 1005 : sizeof(T) == 4 ? 1007 : 1016;
  static std::string_view cpp_name() {
    return sizeof(T) == 2 ? "std::int16_t" : sizeof(T) == 4 ? "std::int32_t" : "std::int64_t";
  }
  static bool accepts(Oid type) noexcept {
    switch (type) {
      case oids::int2: return true;
      case oids::int4: return sizeof(T) >= 4;
      case oids::int8:
      case oids::oid: return sizeof(T) >= 8;
      default: return false;
    }
  }
  static EncodeStatus encode(base::WriteBuffer& out, T value) noexcept {
    if (char* at = out.append(sizeof(T))) base::store_be(at, value);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid type, T& value) noexcept {
    if (bytes.size() == sizeof(T)) [[likely]] {
      value = base::load_be<T>(bytes.data());
      return DecodeStatus::ok;
    }
    if (sizeof(T) > 4 && bytes.size() == 4) {
      value = type == oids::oid ? static_cast<T>(base::load_be<std::uint32_t>(bytes.data()))
                                : static_cast<T>(base::load_be<std::int32_t>(bytes.data()));
      return DecodeStatus::ok;
    }
    if (sizeof(T) > 2 && bytes.size() == 2) {
      value = base::load_be<std::int16_t>(bytes.data());
      return DecodeStatus::ok;
    }
    return DecodeStatus::malformed;
  }
  static DecodeStatus decode_text(ByteView text, Oid, T& value) noexcept {
    return values::parse_number(text, value);
  }
};

/// Object and transaction identifiers, the only unsigned types of PostgreSQL. Counts and sizes are signed there:
/// convert them to std::int64_t.
template <values::Unsigned32 T>
struct Codec<T> {
  static constexpr Oid oid = oids::oid;
  static constexpr Oid array_oid = 1028;
  static std::string_view cpp_name() { return "std::uint32_t"; }
  static bool accepts(Oid type) noexcept {
    switch (type) {
      case oids::oid:
      case oids::xid:
      case oids::cid:
      case oids::regproc:
      case oids::regprocedure:
      case oids::regoper:
      case oids::regoperator:
      case oids::regclass:
      case oids::regtype:
      case oids::regconfig:
      case oids::regdictionary:
      case oids::regnamespace:
      case oids::regrole:
      case oids::regcollation: return true;
      default: return false;
    }
  }
  static EncodeStatus encode(base::WriteBuffer& out, T value) noexcept {
    out.put_u32(static_cast<std::uint32_t>(value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, T& value) noexcept {
    if (bytes.size() != 4) return DecodeStatus::malformed;
    value = base::load_be<T>(bytes.data());
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, T& value) noexcept {
    return values::parse_number(text, value);
  }
};

template <>
struct Codec<float> {
  static constexpr Oid oid = oids::float4;
  static constexpr Oid array_oid = 1021;
  static std::string_view cpp_name() { return "float"; }
  static bool accepts(Oid type) noexcept { return type == oids::float4 || type == oids::int2; }
  static EncodeStatus encode(base::WriteBuffer& out, float value) noexcept {
    out.put_u32(std::bit_cast<std::uint32_t>(value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, float& value) noexcept {
    if (bytes.size() == 4) {
      value = std::bit_cast<float>(base::load_be<std::uint32_t>(bytes.data()));
    } else if (bytes.size() == 2) {
      value = base::load_be<std::int16_t>(bytes.data());
    } else {
      return DecodeStatus::malformed;
    }
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, float& value) noexcept {
    return values::parse_float(text, value);
  }
};

template <>
struct Codec<double> {
  static constexpr Oid oid = oids::float8;
  static constexpr Oid array_oid = 1022;
  static std::string_view cpp_name() { return "double"; }
  static bool accepts(Oid type) noexcept {
    return type == oids::float8 || type == oids::float4 || type == oids::int2 || type == oids::int4;
  }
  static EncodeStatus encode(base::WriteBuffer& out, double value) noexcept {
    out.put_i64(std::bit_cast<std::int64_t>(value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid type, double& value) noexcept {
    if (bytes.size() == 8) [[likely]] {
      value = std::bit_cast<double>(base::load_be<std::uint64_t>(bytes.data()));
    } else if (bytes.size() == 4) {
      value = type == oids::int4 ? static_cast<double>(base::load_be<std::int32_t>(bytes.data()))
                                 : std::bit_cast<float>(base::load_be<std::uint32_t>(bytes.data()));
    } else if (bytes.size() == 2) {
      value = base::load_be<std::int16_t>(bytes.data());
    } else {
      return DecodeStatus::malformed;
    }
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid type, double& value) noexcept {
    if (type != oids::float4) return values::parse_float(text, value);
    // The digits of a float4 identify a float: read through a double they would be another number.
    float single = 0;
    const DecodeStatus status = values::parse_float(text, single);
    value = single;
    return status;
  }
};

template <>
struct Codec<Numeric> {
  static constexpr Oid oid = oids::numeric;
  static constexpr Oid array_oid = 1231;
  static std::string_view cpp_name() { return "switchyard::Numeric"; }
  static bool accepts(Oid type) noexcept {
    return type == oids::numeric || type == oids::int2 || type == oids::int4 || type == oids::int8;
  }
  static EncodeStatus encode(base::WriteBuffer& out, const Numeric& value) noexcept {
    value.encode(out);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid type, Numeric& value) {
    if (type != oids::int2 && type != oids::int4 && type != oids::int8) return Numeric::decode(bytes, value);
    std::int64_t integer = 0;
    const DecodeStatus status = Codec<std::int64_t>::decode(bytes, type, integer);
    value = Numeric(integer);
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Numeric& value) {
    Result<Numeric> parsed = Numeric::parse(text);
    if (!parsed) return DecodeStatus::malformed;
    value = *std::move(parsed);
    return DecodeStatus::ok;
  }
};

}  // namespace switchyard::inline v0
