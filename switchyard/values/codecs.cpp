#include <switchyard/values/codec_numbers.hpp>
#include <switchyard/values/codec_text.hpp>
#include <switchyard/values/codec_types.hpp>
#include <switchyard/values/hex.hpp>

namespace switchyard::inline v0::values {
namespace {

template <class Float>
DecodeStatus parse_any_float(ByteView text, Float& value) noexcept {
  if (text == "NaN") {
    value = std::numeric_limits<Float>::quiet_NaN();
  } else if (text == "Infinity") {
    value = std::numeric_limits<Float>::infinity();
  } else if (text == "-Infinity") {
    value = -std::numeric_limits<Float>::infinity();
  } else {
    return parse_number(text, value);
  }
  return DecodeStatus::ok;
}

}  // namespace

DecodeStatus parse_float(ByteView text, float& value) noexcept { return parse_any_float(text, value); }
DecodeStatus parse_float(ByteView text, double& value) noexcept { return parse_any_float(text, value); }

std::string_view cpp_type_for(Oid type) noexcept {
  switch (type) {
    case oids::bool_: return "bool";
    case oids::int2: return "std::int16_t";
    case oids::int4: return "std::int32_t";
    case oids::int8: return "std::int64_t";
    case oids::oid:
    case oids::xid:
    case oids::cid:
    case oids::regclass:
    case oids::regtype: return "std::uint32_t";
    case oids::float4: return "float";
    case oids::float8: return "double";
    case oids::numeric: return "switchyard::Numeric";
    case oids::char_: return "char";
    case oids::bytea: return "switchyard::Bytes";
    case oids::json:
    case oids::jsonb: return "switchyard::Json";
    case oids::uuid: return "switchyard::Uuid";
    case oids::date: return "switchyard::Date";
    case oids::time: return "switchyard::Time";
    case oids::timetz: return "switchyard::TimeTz";
    case oids::timestamp: return "switchyard::Timestamp";
    case oids::timestamptz: return "switchyard::TimestampTz";
    case oids::interval: return "switchyard::Interval";
    case oids::inet:
    case oids::cidr: return "switchyard::Inet";
    case oids::macaddr: return "switchyard::MacAddress";
    case oids::macaddr8: return "switchyard::MacAddress8";
    case oids::pg_lsn: return "switchyard::Lsn";
    case oids::xid8: return "switchyard::Xid8";
    case oids::bit:
    case oids::varbit: return "switchyard::BitString";
    case oids::money: return "switchyard::Money";
    case oids::void_: return "std::monostate";
    default: return is_text(type) && !is_user_type(type) ? "std::string" : "";
  }
}

DecodeStatus decode_bytea_text(ByteView text, std::vector<std::byte>& value) {
  value.clear();
  if (text.starts_with("\\x")) {
    text.remove_prefix(2);
    if (text.size() % 2 != 0) return DecodeStatus::malformed;
    value.resize(text.size() / 2);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
      if (high < 0 || low < 0) return DecodeStatus::malformed;
      value[i] = static_cast<std::byte>(high << 4 | low);
    }
    return DecodeStatus::ok;
  }
  // bytea_output = escape: "\\" is a backslash, "\ooo" a byte in octal.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      value.push_back(static_cast<std::byte>(text[i]));
    } else if (text.substr(i, 2) == "\\\\") {
      value.push_back(std::byte{'\\'});
      ++i;
    } else {
      const ByteView digits = text.substr(i + 1, 3);
      if (digits.size() != 3 || digits[0] > '3' || digits.find_first_not_of("01234567") != ByteView::npos) {
        return DecodeStatus::malformed;
      }
      value.push_back(static_cast<std::byte>((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0')));
      i += 3;
    }
  }
  return DecodeStatus::ok;
}

// inet_send: family, prefix, is it a cidr, number of address bytes, the bytes.
DecodeStatus decode_inet(ByteView bytes, Inet& value) noexcept {
  constexpr std::size_t kHeader = 4;
  if (bytes.size() < kHeader) return DecodeStatus::malformed;
  const auto family = static_cast<std::uint8_t>(bytes[0]);
  if (family != static_cast<std::uint8_t>(Inet::Family::v4) &&
      family != static_cast<std::uint8_t>(Inet::Family::v6)) {
    return DecodeStatus::malformed;
  }
  value.family = static_cast<Inet::Family>(family);
  value.prefix = static_cast<std::uint8_t>(bytes[1]);
  value.is_network = bytes[2] != 0;
  const std::size_t size = value.size();
  if (static_cast<std::uint8_t>(bytes[3]) != size || bytes.size() != kHeader + size || value.prefix > size * 8) {
    return DecodeStatus::malformed;
  }
  value.address = {};
  std::memcpy(value.address.data(), bytes.data() + kHeader, size);
  return DecodeStatus::ok;
}

void encode_inet(base::WriteBuffer& out, const Inet& value) noexcept {
  out.put_u8(static_cast<std::uint8_t>(value.family));
  out.put_u8(value.prefix);
  out.put_u8(value.is_network ? 1 : 0);
  out.put_u8(static_cast<std::uint8_t>(value.size()));
  out.put(ByteView(reinterpret_cast<const char*>(value.address.data()), value.size()));
}

// varbit_send: number of bits, then the bits, the first the highest of its byte.
DecodeStatus decode_bits(ByteView bytes, std::string& bits) {
  if (bytes.size() < 4) return DecodeStatus::malformed;
  const auto count = base::load_be<std::int32_t>(bytes.data());
  bytes.remove_prefix(4);
  if (count < 0 || bytes.size() != (static_cast<std::size_t>(count) + 7) / 8) return DecodeStatus::malformed;
  bits.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = (static_cast<std::uint8_t>(bytes[i / 8]) >> (7 - i % 8) & 1) != 0 ? '1' : '0';
  }
  return DecodeStatus::ok;
}

EncodeStatus encode_bits(base::WriteBuffer& out, std::string_view bits) noexcept {
  if (bits.size() > kMaxValueBytes || bits.find_first_not_of("01") != std::string_view::npos) {
    return EncodeStatus::out_of_range;
  }
  out.put_i32(static_cast<std::int32_t>(bits.size()));
  std::uint8_t byte = 0;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    byte = static_cast<std::uint8_t>(byte << 1 | (bits[i] - '0'));
    if (i % 8 == 7) {
      out.put_u8(byte);
      byte = 0;
    }
  }
  if (bits.size() % 8 != 0) out.put_u8(static_cast<std::uint8_t>(byte << (8 - bits.size() % 8)));
  return EncodeStatus::ok;
}

}  // namespace switchyard::inline v0::values
