#include <switchyard/values/render.hpp>

#include <switchyard/values/codec_numbers.hpp>
#include <switchyard/values/codec_text.hpp>
#include <switchyard/values/codec_types.hpp>
#include <switchyard/values/hex.hpp>
#include <switchyard/values/text_scan.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace switchyard::inline v0 {
namespace {

using values::append_float;
using values::append_int;
using values::ElementReader;

/// Composites and arrays may nest; a server's do a few levels, hostile bytes millions.
constexpr int kMaxNesting = 64;

// --- floats
// ---------------------------------------------------------------------------------------------------------

/// A decimal in scientific form: digits without point, and the exponent of the first.
struct Decimal {
  char digits[24];
  int count = 0;
  int exponent = 0;
};

/// Reads "d.ddde[+-]dd" as to_chars writes it.
Decimal to_decimal(const char* at, const char* end) {
  Decimal out;
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') out.digits[out.count++] = *at;
  }
  if (at != end) {
    ++at;
    if (at != end && *at == '+') ++at;
    (void)std::from_chars(at, end, out.exponent);
  }
  while (out.count > 1 && out.digits[out.count - 1] == '0') --out.count;
  return out;
}

/// Whether the decimal lies exactly half-way between the number and a neighbour. Reading it back gives the number
/// only because ties go to even; the server does not print such decimals (its Ryu excludes the bounds of the
/// interval).
template <class Float>
bool is_tie(const Decimal& decimal, Float value) {
  constexpr int kMantissa = std::numeric_limits<Float>::digits;
  int binary_exponent = 0;
  (void)std::frexp(value, &binary_exponent);
  // Subnormal numbers all have the same distance.
  const int shift = std::max(binary_exponent, std::numeric_limits<Float>::min_exponent) - kMantissa;
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(value, -shift));
  // |value| = mantissa * 2^shift. The points half-way to its neighbours are (2 mantissa +- 1) * 2^(shift - 1);
  // below a power of two numbers are twice as dense, there it is (4 mantissa - 1) * 2^(shift - 2). All are odd
  // numbers times a power of two, so compare odd parts: digits * 10^power = odd * 2^twos.
  unsigned __int128 odd = 0;
  for (int i = 0; i < decimal.count; ++i) odd = odd * 10 + static_cast<unsigned>(decimal.digits[i] - '0');
  if (odd == 0) return false;
  int twos = 0;
  while (odd % 2 == 0) {
    odd /= 2;
    ++twos;
  }
  const int power = decimal.exponent - (decimal.count - 1);
  twos += power;
  constexpr int kFivesInRange = 27;  // 5^27 < 2^63
  for (int i = 0; i < power; ++i) {
    if (i == kFivesInRange) return false;
    odd *= 5;
  }
  for (int i = 0; i < -power; ++i) {
    if (odd % 5 != 0) return false;
    odd /= 5;
  }
  const auto exact = static_cast<unsigned __int128>(mantissa);
  const bool dense_below = mantissa == std::uint64_t{1} << (kMantissa - 1);
  const bool above = twos == shift - 1 && odd == 2 * exact + 1;
  const bool below =
      dense_below ? twos == shift - 2 && odd == 4 * exact - 1 : twos == shift - 1 && odd == 2 * exact - 1;
  return above || below;
}

/// The shortest digits that identify the number and are no tie.
template <class Float>
Decimal shortest(Float value) {
  char text[48];
  auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
  Decimal decimal = to_decimal(text, end.ptr);
  for (int precision = decimal.count; is_tie(decimal, value); ++precision) {
    end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific, precision);
    decimal = to_decimal(text, end.ptr);
  }
  return decimal;
}

template <class Float>
void append_any_float(std::string& out, Float value) {
  // FLT_DIG and DBL_DIG: from that exponent on the server writes scientific form.
  constexpr int kPlainDigits = std::numeric_limits<Float>::digits10;
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::signbit(value)) {
    out += '-';
    value = -value;
  }
  if (std::isinf(value)) {
    out += "Infinity";
    return;
  }
  if (value == 0) {
    out += '0';
    return;
  }
  const Decimal decimal = shortest(value);
  const std::string_view digits(decimal.digits, static_cast<std::size_t>(decimal.count));
  if (decimal.exponent < -4 || decimal.exponent >= kPlainDigits) {
    out += digits.front();
    if (digits.size() > 1) {
      out += '.';
      out += digits.substr(1);
    }
    out += 'e';
    out += decimal.exponent < 0 ? '-' : '+';
    values::append_padded(out, std::abs(decimal.exponent), 2);
  } else if (decimal.exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-decimal.exponent - 1), '0');
    out += digits;
  } else {
    const auto whole = static_cast<std::size_t>(decimal.exponent) + 1;
    if (digits.size() <= whole) {
      out += digits;
      out.append(whole - digits.size(), '0');
    } else {
      out += digits.substr(0, whole);
      out += '.';
      out += digits.substr(whole);
    }
  }
}

// --- text
// -----------------------------------------------------------------------------------------------------------

bool append_any(std::string& out, Oid type, ByteView bytes, int depth);

template <class T>
bool decoded(Oid type, ByteView bytes, T& value) {
  return Codec<T>::decode(bytes, type, value) == DecodeStatus::ok;
}

/// Floats that follow one another in the binary form of a geometric type.
class FloatReader {
 public:
  explicit FloatReader(ByteView bytes) : rest_(bytes) {}
  void append_next(std::string& out) {
    append_float(out, std::bit_cast<double>(base::load_be<std::uint64_t>(rest_.data())));
    rest_.remove_prefix(sizeof(double));
  }
  void append_point(std::string& out) {
    out += '(';
    append_next(out);
    out += ',';
    append_next(out);
    out += ')';
  }

 private:
  ByteView rest_;
};

constexpr std::size_t kPoint = 2 * sizeof(double);

bool append_points(std::string& out, ByteView bytes, char open, char close) {
  if (bytes.size() < 4) return false;
  const auto count = base::load_be<std::int32_t>(bytes.data());
  bytes.remove_prefix(4);
  if (count < 0 || bytes.size() % kPoint != 0 || bytes.size() / kPoint != static_cast<std::size_t>(count))
    return false;
  FloatReader reader(bytes);
  out += open;
  for (std::int32_t i = 0; i < count; ++i) {
    if (i != 0) out += ',';
    reader.append_point(out);
  }
  out += close;
  return true;
}

bool append_geometry(std::string& out, Oid type, ByteView bytes) {
  FloatReader reader(bytes);
  switch (type) {
    case oids::point:
      if (bytes.size() != kPoint) return false;
      reader.append_point(out);
      return true;
    case oids::lseg:
    case oids::box:
      if (bytes.size() != 2 * kPoint) return false;
      if (type == oids::lseg) out += '[';
      reader.append_point(out);
      out += ',';
      reader.append_point(out);
      if (type == oids::lseg) out += ']';
      return true;
    case oids::line:
      if (bytes.size() != 3 * sizeof(double)) return false;
      out += '{';
      reader.append_next(out);
      out += ',';
      reader.append_next(out);
      out += ',';
      reader.append_next(out);
      out += '}';
      return true;
    case oids::circle:
      if (bytes.size() != 3 * sizeof(double)) return false;
      out += '<';
      reader.append_point(out);
      out += ',';
      reader.append_next(out);
      out += '>';
      return true;
    case oids::polygon: return append_points(out, bytes, '(', ')');
    default: {  // path: whether it is closed, then its points
      if (bytes.empty()) return false;
      const bool closed = bytes.front() != 0;
      return append_points(out, bytes.substr(1), closed ? '(' : '[', closed ? ')' : ']');
    }
  }
}

/// Number of running transactions, xmin, xmax, the running ones.
bool append_snapshot(std::string& out, ByteView bytes) {
  constexpr std::size_t kHead = 20, kXid = 8;
  if (bytes.size() < kHead || (bytes.size() - kHead) % kXid != 0) return false;
  const auto count = base::load_be<std::int32_t>(bytes.data());
  if (count < 0 || static_cast<std::size_t>(count) != (bytes.size() - kHead) / kXid) return false;
  append_int(out, base::load_be<std::uint64_t>(bytes.data() + 4));
  out += ':';
  append_int(out, base::load_be<std::uint64_t>(bytes.data() + 12));
  out += ':';
  for (std::size_t at = kHead; at < bytes.size(); at += kXid) {
    if (at != kHead) out += ',';
    append_int(out, base::load_be<std::uint64_t>(bytes.data() + at));
  }
  return true;
}

struct ArrayPrinter {
  std::string& out;
  const values::ArrayHeader& header;
  ElementReader reader;
  char delimiter;
  int depth;

  bool element() {
    const char* data = nullptr;
    std::int32_t size = 0;
    if (!reader.next(data, size)) return false;
    if (size < 0) {
      out += "NULL";
      return true;
    }
    std::string text;
    if (!append_any(text, header.element, ByteView(data, static_cast<std::size_t>(size)), depth + 1)) return false;
    values::append_array_element(out, text, delimiter);
    return true;
  }
  bool dimension(int i) {
    out += '{';
    for (std::int32_t n = 0; n < header.extent[static_cast<std::size_t>(i)]; ++n) {
      if (n != 0) out += delimiter;
      if (!(i + 1 < header.dimensions ? dimension(i + 1) : element())) return false;
    }
    out += '}';
    return true;
  }
};

bool append_array(std::string& out, ByteView bytes, int depth) {
  values::ArrayHeader header;
  if (values::read_array_header(bytes, header) != DecodeStatus::ok) return false;
  if (header.count == 0) {
    out += "{}";
    return header.elements.empty();
  }
  bool bounds = false;
  const auto dimensions = static_cast<std::size_t>(header.dimensions);
  for (std::size_t i = 0; i < dimensions; ++i) bounds = bounds || header.lower[i] != 1;
  for (std::size_t i = 0; bounds && i < dimensions; ++i) {
    out += '[';
    append_int(out, header.lower[i]);
    out += ':';
    append_int(out, static_cast<std::int64_t>(header.lower[i]) + header.extent[i] - 1);
    out += ']';
  }
  if (bounds) out += '=';
  // Boxes have commas inside: the only type whose arrays use another delimiter (pg_type.typdelim).
  ArrayPrinter printer{out, header, ElementReader(header.elements), header.element == oids::box ? ';' : ',', depth};
  return printer.dimension(0) && printer.reader.done();
}

bool append_spaced_vector(std::string& out, ByteView bytes, int depth) {
  values::ArrayHeader header;
  if (values::read_array_header(bytes, header) != DecodeStatus::ok) return false;
  ElementReader reader(header.elements);
  for (std::int32_t i = 0; i < header.count; ++i) {
    const char* data = nullptr;
    std::int32_t size = 0;
    if (!reader.next(data, size) || size < 0) return false;
    if (i != 0) out += ' ';
    if (!append_any(out, header.element, ByteView(data, static_cast<std::size_t>(size)), depth + 1)) return false;
  }
  return reader.done();
}

bool append_record(std::string& out, ByteView bytes, int depth) {
  values::RecordReader reader(bytes);
  if (reader.fields() < 0) return false;
  out += '(';
  for (std::int32_t i = 0; i < reader.fields(); ++i) {
    Oid type = 0;
    ByteView field;
    std::int32_t size = 0;
    if (!reader.next(type, field, size)) return false;
    if (i != 0) out += ',';
    if (size < 0) continue;
    std::string text;
    if (!append_any(text, type, field, depth + 1)) return false;
    values::append_record_field_text(out, text);
  }
  out += ')';
  return reader.done();
}

bool append_range(std::string& out, Oid subtype, ByteView bytes, int depth) {
  values::RangeParts range;
  if (values::read_range(bytes, range) != DecodeStatus::ok) return false;
  if (range.empty) {
    out += "empty";
    return true;
  }
  const auto bound = [&](ByteView value) {
    std::string text;
    if (!append_any(text, subtype, value, depth + 1)) return false;
    values::append_range_bound(out, text);
    return true;
  };
  out += range.lower_inclusive ? '[' : '(';
  if (range.has_lower && !bound(range.lower)) return false;
  out += ',';
  if (range.has_upper && !bound(range.upper)) return false;
  out += range.upper_inclusive ? ']' : ')';
  return true;
}

bool append_multirange(std::string& out, Oid range, ByteView bytes, int depth) {
  if (bytes.size() < 4) return false;
  const auto count = base::load_be<std::int32_t>(bytes.data());
  ElementReader reader(bytes.substr(4));
  out += '{';
  for (std::int32_t i = 0; i < count; ++i) {
    const char* data = nullptr;
    std::int32_t size = 0;
    if (!reader.next(data, size) || size < 0) return false;
    if (i != 0) out += ',';
    if (!append_any(out, range, ByteView(data, static_cast<std::size_t>(size)), depth + 1)) return false;
  }
  out += '}';
  return count >= 0 && reader.done();
}

/// Text of a binary value; may leave a part behind when it fails.
bool append_any(std::string& out, Oid type, ByteView bytes, int depth) {
  if (depth > kMaxNesting) return false;
  switch (type) {
    case oids::bool_: {
      bool value = false;
      if (!decoded(type, bytes, value)) return false;
      out += value ? 't' : 'f';
      return true;
    }
    case oids::bytea:
      out += "\\x";
      values::append_hex(out, bytes);
      return true;
    case oids::char_: {
      if (bytes.size() != 1) return false;
      const auto byte = static_cast<std::uint8_t>(bytes.front());
      if (byte >= 0x80) {  // as charout from version 16 on
        out += '\\';
        out += static_cast<char>('0' + (byte >> 6));
        out += static_cast<char>('0' + (byte >> 3 & 7));
        out += static_cast<char>('0' + (byte & 7));
      } else if (byte != 0) {
        out += bytes.front();
      }
      return true;
    }
    case oids::int2: {
      std::int16_t value = 0;
      if (!decoded(type, bytes, value)) return false;
      append_int(out, value);
      return true;
    }
    case oids::int4: {
      std::int32_t value = 0;
      if (bytes.size() != 4 || !decoded(type, bytes, value)) return false;
      append_int(out, value);
      return true;
    }
    case oids::int8: {
      std::int64_t value = 0;
      if (bytes.size() != 8 || !decoded(type, bytes, value)) return false;
      append_int(out, value);
      return true;
    }
    case oids::oid:
    case oids::xid:
    case oids::cid: {
      std::uint32_t value = 0;
      if (!decoded(type, bytes, value)) return false;
      append_int(out, value);
      return true;
    }
    case oids::xid8: {
      Xid8 value;
      if (!decoded(type, bytes, value)) return false;
      append_int(out, value.value);
      return true;
    }
    case oids::tid:  // block and index
      if (bytes.size() != 6) return false;
      out += '(';
      append_int(out, base::load_be<std::uint32_t>(bytes.data()));
      out += ',';
      append_int(out, base::load_be<std::uint16_t>(bytes.data() + 4));
      out += ')';
      return true;
    case oids::float4: {
      float value = 0;
      if (bytes.size() != 4 || !decoded(type, bytes, value)) return false;
      append_float(out, value);
      return true;
    }
    case oids::float8: {
      double value = 0;
      if (bytes.size() != 8 || !decoded(type, bytes, value)) return false;
      append_float(out, value);
      return true;
    }
    case oids::numeric: {
      Numeric value;
      if (Numeric::decode(bytes, value) != DecodeStatus::ok) return false;
      value.append_to(out);
      return true;
    }
    case oids::uuid: {
      Uuid value;
      if (!decoded(type, bytes, value)) return false;
      value.append_to(out);
      return true;
    }
    case oids::date: {
      Date value;
      if (!decoded(type, bytes, value)) return false;
      values::append_date(out, value);
      return true;
    }
    case oids::time: {
      Time value;
      if (!decoded(type, bytes, value)) return false;
      values::append_time(out, value.microseconds());
      return true;
    }
    case oids::timetz: {
      TimeTz value;
      if (!decoded(type, bytes, value)) return false;
      values::append_time_tz(out, value);
      return true;
    }
    case oids::timestamp:
    case oids::timestamptz: {
      std::int64_t micros = 0;
      if (values::decode_int(bytes, micros) != DecodeStatus::ok) return false;
      values::append_timestamp(out, micros,
                               type == oids::timestamp ? TimestampKind::without_zone : TimestampKind::with_zone,
                               values::TimestampStyle::server);
      return true;
    }
    case oids::interval: {
      Interval value;
      if (!decoded(type, bytes, value)) return false;
      values::append_interval(out, value);
      return true;
    }
    case oids::inet:
    case oids::cidr: {
      Inet value;
      if (!decoded(type, bytes, value)) return false;
      value.append_to(out);
      return true;
    }
    case oids::macaddr: {
      MacAddress value;
      if (!decoded(type, bytes, value)) return false;
      out += value.to_string();
      return true;
    }
    case oids::macaddr8: {
      MacAddress8 value;
      if (!decoded(type, bytes, value)) return false;
      out += value.to_string();
      return true;
    }
    case oids::pg_lsn: {
      Lsn value;
      if (!decoded(type, bytes, value)) return false;
      out += value.to_string();
      return true;
    }
    case oids::bit:
    case oids::varbit: {
      BitString value;
      if (!decoded(type, bytes, value)) return false;
      out += value.bits;
      return true;
    }
    case oids::void_: return bytes.empty();
    case oids::point:
    case oids::lseg:
    case oids::path:
    case oids::box:
    case oids::polygon:
    case oids::line:
    case oids::circle: return append_geometry(out, type, bytes);
    case oids::txid_snapshot:
    case oids::pg_snapshot: return append_snapshot(out, bytes);
    case oids::int2vector:
    case oids::oidvector: return append_spaced_vector(out, bytes, depth);
    case oids::record: return append_record(out, bytes, depth);
    default: break;
  }
  if (values::is_text(type)) {
    if (values::read_text(type, bytes) != DecodeStatus::ok) return false;
    out += bytes;
    return true;
  }
  const TypeInfo* info = find_type(type);
  if (info == nullptr) return false;
  switch (info->kind) {
    case TypeKind::array: return append_array(out, bytes, depth);
    case TypeKind::range: return append_range(out, info->element, bytes, depth);
    case TypeKind::multirange: return append_multirange(out, info->element, bytes, depth);
    case TypeKind::base:
    case TypeKind::composite: return false;
  }
  return false;
}

// --- JSON
// -----------------------------------------------------------------------------------------------------------

void append_json_any(std::string& out, Oid type, Format format, ByteView value, int depth);

/// A number's text as it is if JSON has such numbers, else as a string (NaN, infinities).
void append_json_number(std::string& out, std::string_view text) {
  if (is_valid_json(text)) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

/// "2024-01-02 03:04:05+00" becomes "2024-01-02T03:04:05+00:00"; what looks otherwise stays.
void append_json_timestamp(std::string& out, std::string_view text, bool zoned) {
  constexpr std::string_view kBc = " BC";
  std::string iso(text);
  std::string era;
  if (iso.ends_with(kBc)) {
    era = kBc;
    iso.resize(iso.size() - kBc.size());
  }
  const std::size_t space = iso.find(' ');
  if (space != std::string::npos && !iso.empty() && values::Scanner::is_digit(iso.front())) {
    iso[space] = 'T';
    const std::size_t zone = iso.find_last_of("+-");
    if (zoned && zone != std::string::npos && zone > space && iso.size() - zone == 3) iso += ":00";
  }
  append_json_string(out, iso + era);
}

void append_json_literal_array(std::string& out, Oid element, ByteView text, int depth) {
  using Step = values::ArrayLiteral::Step;
  values::ArrayLiteral literal(text, element == oids::box ? ';' : ',');
  std::string array;
  bool first = true;
  for (;;) {
    const Step step = literal.next();
    if (step == Step::end) break;
    if (step == Step::malformed) {
      append_json_string(out, text);
      return;
    }
    if (step != Step::close && !first) array += ',';
    first = step == Step::open;
    switch (step) {
      case Step::open: array += '['; break;
      case Step::close: array += ']'; break;
      case Step::null: array += "null"; break;
      default: append_json_any(array, element, Format::text, literal.element(), depth + 1);
    }
  }
  out += array;
}

/// int2vector and oidvector in text: "1 2 3".
void append_json_spaced_vector(std::string& out, ByteView text) {
  std::string array = "[";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (array.size() > 1) array += ',';
    append_json_number(array, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += array + "]";
}

struct JsonArrayPrinter {
  std::string& out;
  const values::ArrayHeader& header;
  ElementReader reader;
  int depth;

  bool dimension(int i) {
    out += '[';
    for (std::int32_t n = 0; n < header.extent[static_cast<std::size_t>(i)]; ++n) {
      if (n != 0) out += ',';
      if (i + 1 < header.dimensions) {
        if (!dimension(i + 1)) return false;
        continue;
      }
      const char* data = nullptr;
      std::int32_t size = 0;
      if (!reader.next(data, size)) return false;
      if (size < 0) {
        out += "null";
      } else {
        append_json_any(out, header.element, Format::binary, ByteView(data, static_cast<std::size_t>(size)),
                        depth + 1);
      }
    }
    out += ']';
    return true;
  }
};

bool append_json_binary_array(std::string& out, ByteView bytes, int depth) {
  values::ArrayHeader header;
  if (values::read_array_header(bytes, header) != DecodeStatus::ok) return false;
  if (header.count == 0) {
    out += "[]";
    return true;
  }
  JsonArrayPrinter printer{out, header, ElementReader(header.elements), depth};
  return printer.dimension(0) && printer.reader.done();
}

bool append_json_record(std::string& out, ByteView bytes, int depth) {
  values::RecordReader reader(bytes);
  if (reader.fields() < 0) return false;
  out += '{';
  for (std::int32_t i = 0; i < reader.fields(); ++i) {
    Oid type = 0;
    ByteView field;
    std::int32_t size = 0;
    if (!reader.next(type, field, size)) return false;
    out += i == 0 ? "\"f" : ",\"f";
    append_int(out, i + 1);
    out += "\":";
    if (size < 0) {
      out += "null";
    } else {
      append_json_any(out, type, Format::binary, field, depth + 1);
    }
  }
  out += '}';
  return reader.done();
}

/// Text that append_text() has not, made of the bytes themselves: valid text as it is, else in hexadecimal.
void append_json_unknown(std::string& out, ByteView bytes) {
  if (is_valid_utf8(bytes) && bytes.find('\0') == ByteView::npos) {
    append_json_string(out, bytes);
    return;
  }
  out += "\"\\\\x";
  values::append_hex(out, bytes);
  out += '"';
}

void append_json_any(std::string& out, Oid type, Format format, ByteView value, int depth) {
  if (depth > kMaxNesting) {
    append_json_unknown(out, value);
    return;
  }
  if (type == oids::json || type == oids::jsonb) {
    const bool whole = format == Format::text || values::read_text(type, value) == DecodeStatus::ok;
    if (whole && is_valid_json(value)) {
      out += value;
    } else {
      append_json_unknown(out, value);
    }
    return;
  }
  const TypeInfo* info = find_type(type);
  const bool spaced = type == oids::int2vector || type == oids::oidvector;
  const std::size_t before = out.size();
  if (format == Format::binary) {
    bool done = false;
    if (info != nullptr && info->kind == TypeKind::array) {
      done = append_json_binary_array(out, value, depth);
    } else if (type == oids::record) {
      done = append_json_record(out, value, depth);
    }
    if (done) return;
    out.resize(before);
  } else if (spaced) {
    append_json_spaced_vector(out, value);
    return;
  } else if (info != nullptr && info->kind == TypeKind::array) {
    append_json_literal_array(out, info->element, value, depth);
    return;
  }
  std::string text;
  if (format == Format::text) {
    text = value;
  } else if (!append_any(text, type, value, depth)) {
    append_json_unknown(out, value);
    return;
  }
  switch (type) {
    case oids::bool_:
      if (text == "t" || text == "f") {
        out += text == "t" ? "true" : "false";
      } else {
        append_json_string(out, text);
      }
      return;
    case oids::int2:
    case oids::int4:
    case oids::int8:
    case oids::oid:
    case oids::float4:
    case oids::float8:
    case oids::numeric: append_json_number(out, text); return;
    case oids::timestamp: append_json_timestamp(out, text, false); return;
    case oids::timestamptz: append_json_timestamp(out, text, true); return;
    default: append_json_string(out, text);
  }
}

}  // namespace

namespace values {
void append_float(std::string& out, double value) { append_any_float(out, value); }
void append_float(std::string& out, float value) { append_any_float(out, value); }
}  // namespace values

bool append_text(std::string& out, Oid type, ByteView binary) {
  const std::size_t before = out.size();
  if (append_any(out, type, binary, 0)) return true;
  out.resize(before);
  return false;
}

void append_json(std::string& out, Oid type, Format format, ByteView value) {
  append_json_any(out, type, format, value, 0);
}

}  // namespace switchyard::inline v0
