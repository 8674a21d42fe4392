// Ranges and multiranges (manual chapter 8.17).
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/codec_numbers.hpp>
#include <switchyard/values/codec_types.hpp>
#include <switchyard/values/literal.hpp>
#include <switchyard/values/render.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// A range over T: int4range, int8range, numrange, daterange, tsrange, tstzrange, or a range type of the database.
/// An absent bound is unbounded. The server turns discrete ranges (integers, dates) into the form [lower, upper).
template <class T>
struct Range {
  std::optional<T> lower;
  std::optional<T> upper;
  bool lower_inclusive = true;   ///< of no meaning without a lower bound
  bool upper_inclusive = false;  ///< of no meaning without an upper bound
  bool is_empty = false;         ///< holds nothing; the bounds are absent then

  /// [lower, upper)
  static Range half_open(T lower_bound, T upper_bound) {
    return {std::move(lower_bound), std::move(upper_bound), true, false, false};
  }
  /// [lower, upper]
  static Range closed(T lower_bound, T upper_bound) {
    return {std::move(lower_bound), std::move(upper_bound), true, true, false};
  }
  static Range empty() { return {std::nullopt, std::nullopt, false, false, true}; }

  bool operator==(const Range&) const = default;
};

/// Ranges without overlaps, in order, as the server keeps them.
template <class T>
struct Multirange {
  std::vector<Range<T>> ranges;

  bool operator==(const Multirange&) const = default;
};

namespace values {

/// The range types over a subtype; zeros for subtypes that have no range type of PostgreSQL's own.
struct RangeOids {
  Oid range = 0;
  Oid range_array = 0;
  Oid multirange = 0;
  Oid multirange_array = 0;
};

[[nodiscard]] constexpr RangeOids range_oids(Oid subtype) noexcept {
  switch (subtype) {
    case oids::int4: return {oids::int4range, 3905, oids::int4multirange, 6150};
    case oids::int8: return {oids::int8range, 3927, oids::int8multirange, 6157};
    case oids::numeric: return {oids::numrange, 3907, oids::nummultirange, 6151};
    case oids::date: return {oids::daterange, 3913, oids::datemultirange, 6155};
    case oids::timestamp: return {oids::tsrange, 3909, oids::tsmultirange, 6152};
    case oids::timestamptz: return {oids::tstzrange, 3911, oids::tstzmultirange, 6153};
    default: return {};
  }
}

template <class T>
EncodeStatus append_bound(std::string& out, const std::optional<T>& bound) {
  if (!bound) return EncodeStatus::ok;
  std::string text;
  const EncodeStatus status = append_value_text(text, *bound);
  if (status == EncodeStatus::ok) append_range_bound(out, text);
  return status;
}

template <class T>
EncodeStatus append_range_literal(std::string& out, const Range<T>& value) {
  if (value.is_empty) {
    out += "empty";
    return EncodeStatus::ok;
  }
  out += value.lower && value.lower_inclusive ? '[' : '(';
  EncodeStatus status = append_bound(out, value.lower);
  out += ',';
  if (status == EncodeStatus::ok) status = append_bound(out, value.upper);
  out += value.upper && value.upper_inclusive ? ']' : ')';
  return status;
}

template <class T>
DecodeStatus read_range_literal(std::string_view& text, Oid subtype, Range<T>& value) {
  RangeLiteral literal;
  if (!literal.read(text)) return DecodeStatus::malformed;
  value = Range<T>{std::nullopt, std::nullopt, literal.lower_inclusive, literal.upper_inclusive, literal.empty};
  DecodeStatus status = DecodeStatus::ok;
  if (literal.has_lower) status = Codec<T>::decode_text(literal.lower, subtype, value.lower.emplace());
  if (literal.has_upper && status == DecodeStatus::ok) {
    status = Codec<T>::decode_text(literal.upper, subtype, value.upper.emplace());
  }
  return status;
}

}  // namespace values

template <class T>
struct Codec<Range<T>> {
  static_assert(!values::is_optional<T>, "the bounds of a Range are optional already");
  static constexpr Oid oid = values::range_oids(Codec<T>::oid).range;
  static constexpr Oid array_oid = values::range_oids(Codec<T>::oid).range_array;
  static std::string cpp_name() { return "switchyard::Range<" + values::cpp_name<T>() + ">"; }

  /// The subtype of a range type; T's own for range types of the database, whose bounds show nothing.
  static Oid subtype_of(Oid type) noexcept {
    if (is_user_type(type)) return Codec<T>::oid;
    const TypeInfo* info = find_type(type);
    return info != nullptr && info->kind == TypeKind::range ? info->element : 0;
  }
  /// Bounds of range types of the database are trusted to be of T's own type.
  static bool accepts(Oid type) noexcept {
    const Oid subtype = subtype_of(type);
    return is_user_type(type) || (subtype != 0 && Codec<T>::accepts(subtype));
  }

  static EncodeStatus encode(base::WriteBuffer& out, const Range<T>& value) {
    if constexpr (oid == oids::unspecified) {
      std::string literal;
      const EncodeStatus status = values::append_range_literal(literal, value);
      out.put(literal);
      return status;
    } else {
      std::uint8_t flags = 0;
      if (value.is_empty) {
        out.put_u8(values::kRangeEmpty);
        return EncodeStatus::ok;
      }
      if (!value.lower) {
        flags |= values::kRangeLowerInfinite;
      } else if (value.lower_inclusive) {
        flags |= values::kRangeLowerInclusive;
      }
      if (!value.upper) {
        flags |= values::kRangeUpperInfinite;
      } else if (value.upper_inclusive) {
        flags |= values::kRangeUpperInclusive;
      }
      out.put_u8(flags);
      for (const std::optional<T>* bound : {&value.lower, &value.upper}) {
        if (!*bound) continue;
        const std::size_t mark = out.mark();
        out.put_i32(0);
        const EncodeStatus status = Codec<T>::encode(out, **bound);
        if (status != EncodeStatus::ok) return status;
        out.patch_i32(mark, static_cast<std::int32_t>(out.mark() - mark - 4));
      }
      return EncodeStatus::ok;
    }
  }

  static DecodeStatus decode(ByteView bytes, Oid type, Range<T>& value) {
    values::RangeParts parts;
    DecodeStatus status = values::read_range(bytes, parts);
    if (status != DecodeStatus::ok) return status;
    const Oid subtype = subtype_of(type);
    value = Range<T>{std::nullopt, std::nullopt, parts.lower_inclusive, parts.upper_inclusive, parts.empty};
    if (parts.has_lower) status = Codec<T>::decode(parts.lower, subtype, value.lower.emplace());
    if (parts.has_upper && status == DecodeStatus::ok) {
      status = Codec<T>::decode(parts.upper, subtype, value.upper.emplace());
    }
    return status;
  }

  static DecodeStatus decode_text(ByteView text, Oid type, Range<T>& value) {
    const DecodeStatus status = values::read_range_literal(text, subtype_of(type), value);
    return status == DecodeStatus::ok && !text.empty() ? DecodeStatus::malformed : status;
  }
};

template <class T>
struct Codec<Multirange<T>> {
  static constexpr Oid oid = values::range_oids(Codec<T>::oid).multirange;
  static constexpr Oid array_oid = values::range_oids(Codec<T>::oid).multirange_array;
  static std::string cpp_name() { return "switchyard::Multirange<" + values::cpp_name<T>() + ">"; }

  static Oid range_of(Oid type) noexcept {
    if (is_user_type(type)) return type;
    const TypeInfo* info = find_type(type);
    return info != nullptr && info->kind == TypeKind::multirange ? info->element : 0;
  }
  static bool accepts(Oid type) noexcept {
    const Oid range = range_of(type);
    return range != 0 && Codec<Range<T>>::accepts(range);
  }

  static EncodeStatus encode(base::WriteBuffer& out, const Multirange<T>& value) {
    if (value.ranges.size() > kMaxValueBytes / 4) return EncodeStatus::out_of_range;
    if constexpr (oid == oids::unspecified) {
      std::string literal = "{";
      for (const Range<T>& range : value.ranges) {
        if (literal.size() > 1) literal += ',';
        const EncodeStatus status = values::append_range_literal(literal, range);
        if (status != EncodeStatus::ok) return status;
      }
      literal += '}';
      out.put(literal);
    } else {
      out.put_i32(static_cast<std::int32_t>(value.ranges.size()));
      for (const Range<T>& range : value.ranges) {
        const std::size_t mark = out.mark();
        out.put_i32(0);
        const EncodeStatus status = Codec<Range<T>>::encode(out, range);
        if (status != EncodeStatus::ok) return status;
        out.patch_i32(mark, static_cast<std::int32_t>(out.mark() - mark - 4));
      }
    }
    return EncodeStatus::ok;
  }

  static DecodeStatus decode(ByteView bytes, Oid type, Multirange<T>& value) {
    if (bytes.size() < 4) return DecodeStatus::malformed;
    const auto count = base::load_be<std::int32_t>(bytes.data());
    constexpr std::size_t kSmallestRange = 5;
    if (count < 0 || static_cast<std::size_t>(count) > (bytes.size() - 4) / kSmallestRange) {
      return DecodeStatus::malformed;
    }
    const Oid range = range_of(type);
    value.ranges.clear();
    value.ranges.reserve(static_cast<std::size_t>(count));
    values::ElementReader reader(bytes.substr(4));
    for (std::int32_t i = 0; i < count; ++i) {
      const char* data = nullptr;
      std::int32_t size = 0;
      if (!reader.next(data, size) || size < 0) return DecodeStatus::malformed;
      const DecodeStatus status = Codec<Range<T>>::decode(ByteView(data, static_cast<std::size_t>(size)), range,
                                                          value.ranges.emplace_back());
      if (status != DecodeStatus::ok) return status;
    }
    return reader.done() ? DecodeStatus::ok : DecodeStatus::malformed;
  }

  static DecodeStatus decode_text(ByteView text, Oid type, Multirange<T>& value) {
    value.ranges.clear();
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return DecodeStatus::malformed;
    text = text.substr(1, text.size() - 2);
    const Oid subtype = Codec<Range<T>>::subtype_of(range_of(type));
    while (!text.empty()) {
      const DecodeStatus status = values::read_range_literal(text, subtype, value.ranges.emplace_back());
      if (status != DecodeStatus::ok) return status;
      if (text.empty()) break;
      if (text.front() != ',' || text.size() == 1) return DecodeStatus::malformed;
      text.remove_prefix(1);
    }
    return DecodeStatus::ok;
  }
};

}  // namespace switchyard::inline v0
