// Codecs of bytea, uuid, network addresses, identifiers, bit strings, dates and times, and std::chrono.
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/date_time.hpp>
#include <switchyard/values/inet.hpp>
#include <switchyard/values/uuid.hpp>
#include <switchyard/values/wrappers.hpp>

#include <algorithm>
#include <chrono>
#include <span>
#include <variant>
#include <vector>

namespace switchyard::inline v0 {

namespace values {

/// Fixed-width integers behind a wrapper: the whole payload, or malformed.
template <class Int>
[[nodiscard]] DecodeStatus decode_int(ByteView bytes, Int& value) noexcept {
  if (bytes.size() != sizeof(Int)) return DecodeStatus::malformed;
  value = base::load_be<Int>(bytes.data());
  return DecodeStatus::ok;
}

/// The value of a parse(), or malformed.
template <class T>
[[nodiscard]] DecodeStatus take(Result<T> parsed, T& value) {
  if (!parsed) return DecodeStatus::malformed;
  value = *std::move(parsed);
  return DecodeStatus::ok;
}

/// "\x0aff" and the old escape format.
[[nodiscard]] SWITCHYARD_API DecodeStatus decode_bytea_text(ByteView text, std::vector<std::byte>& value);
[[nodiscard]] SWITCHYARD_API DecodeStatus decode_inet(ByteView bytes, Inet& value) noexcept;
SWITCHYARD_API void encode_inet(base::WriteBuffer& out, const Inet& value) noexcept;
[[nodiscard]] SWITCHYARD_API DecodeStatus decode_bits(ByteView bytes, std::string& bits);
[[nodiscard]] SWITCHYARD_API EncodeStatus encode_bits(base::WriteBuffer& out, std::string_view bits) noexcept;

}  // namespace values

template <>
struct Codec<Bytes> {
  static constexpr Oid oid = oids::bytea;
  static constexpr Oid array_oid = 1001;
  static std::string_view cpp_name() { return "switchyard::Bytes"; }
  static bool accepts(Oid type) noexcept { return type == oids::bytea; }
  static EncodeStatus encode(base::WriteBuffer& out, const Bytes& value) noexcept {
    out.put(value.view());
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Bytes& value) {
    value.assign(bytes);
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Bytes& value) {
    return values::decode_bytea_text(text, value.vector());
  }
};

/// The same as Bytes.
template <>
struct Codec<std::vector<std::byte>> {
  static constexpr Oid oid = oids::bytea;
  static constexpr Oid array_oid = 1001;
  static std::string_view cpp_name() { return "std::vector<std::byte>"; }
  static bool accepts(Oid type) noexcept { return type == oids::bytea; }
  static EncodeStatus encode(base::WriteBuffer& out, const std::vector<std::byte>& value) noexcept {
    out.put(ByteView(reinterpret_cast<const char*>(value.data()), value.size()));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, std::vector<std::byte>& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    value.assign(begin, begin + bytes.size());
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, std::vector<std::byte>& value) {
    return values::decode_bytea_text(text, value);
  }
};

/// A view: as a parameter, or into a row that is still there (binary format only).
template <>
struct Codec<std::span<const std::byte>> {
  static constexpr Oid oid = oids::bytea;
  static constexpr Oid array_oid = 1001;
  static std::string_view cpp_name() { return "std::span<const std::byte>"; }
  static bool accepts(Oid type) noexcept { return type == oids::bytea; }
  static EncodeStatus encode(base::WriteBuffer& out, std::span<const std::byte> value) noexcept {
    out.put(ByteView(reinterpret_cast<const char*>(value.data()), value.size()));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, std::span<const std::byte>& value) noexcept {
    value = {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView, Oid, std::span<const std::byte>&) noexcept {
    return DecodeStatus::format;
  }
};

template <>
struct Codec<Uuid> {
  static constexpr Oid oid = oids::uuid;
  static constexpr Oid array_oid = 2951;
  static std::string_view cpp_name() { return "switchyard::Uuid"; }
  static bool accepts(Oid type) noexcept { return type == oids::uuid; }
  static EncodeStatus encode(base::WriteBuffer& out, const Uuid& value) noexcept {
    if (char* at = out.append(value.bytes.size())) std::memcpy(at, value.bytes.data(), value.bytes.size());
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Uuid& value) noexcept {
    if (bytes.size() != value.bytes.size()) return DecodeStatus::malformed;
    std::memcpy(value.bytes.data(), bytes.data(), value.bytes.size());
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Uuid& value) {
    return values::take(Uuid::parse(text), value);
  }
};

template <>
struct Codec<Inet> {
  static constexpr Oid oid = oids::inet;
  static constexpr Oid array_oid = 1041;
  static std::string_view cpp_name() { return "switchyard::Inet"; }
  static bool accepts(Oid type) noexcept { return type == oids::inet || type == oids::cidr; }
  static EncodeStatus encode(base::WriteBuffer& out, const Inet& value) noexcept {
    if (value.prefix > value.size() * 8) return EncodeStatus::out_of_range;
    values::encode_inet(out, value);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Inet& value) noexcept {
    return values::decode_inet(bytes, value);
  }
  static DecodeStatus decode_text(ByteView text, Oid type, Inet& value) {
    const DecodeStatus status = values::take(Inet::parse(text), value);
    value.is_network = type == oids::cidr;
    return status;
  }
};

template <std::size_t kBytes>
struct Codec<BasicMacAddress<kBytes>> {
  static constexpr Oid oid = kBytes == 6 ? oids::macaddr : oids::macaddr8;
  static constexpr Oid array_oid = kBytes == 6 ? 1040 : 775;
  static std::string_view cpp_name() { return kBytes == 6 ? "switchyard::MacAddress" : "switchyard::MacAddress8"; }
  static bool accepts(Oid type) noexcept { return type == oid; }
  static EncodeStatus encode(base::WriteBuffer& out, const BasicMacAddress<kBytes>& value) noexcept {
    if (char* at = out.append(kBytes)) std::memcpy(at, value.bytes.data(), kBytes);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, BasicMacAddress<kBytes>& value) noexcept {
    if (bytes.size() != kBytes) return DecodeStatus::malformed;
    std::memcpy(value.bytes.data(), bytes.data(), kBytes);
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, BasicMacAddress<kBytes>& value) {
    return values::take(BasicMacAddress<kBytes>::parse(text), value);
  }
};

template <>
struct Codec<Lsn> {
  static constexpr Oid oid = oids::pg_lsn;
  static constexpr Oid array_oid = 3221;
  static std::string_view cpp_name() { return "switchyard::Lsn"; }
  static bool accepts(Oid type) noexcept { return type == oids::pg_lsn; }
  static EncodeStatus encode(base::WriteBuffer& out, Lsn value) noexcept {
    out.put_i64(static_cast<std::int64_t>(value.value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Lsn& value) noexcept {
    return values::decode_int(bytes, value.value);
  }
  static DecodeStatus decode_text(ByteView text, Oid, Lsn& value) { return values::take(Lsn::parse(text), value); }
};

template <>
struct Codec<Xid8> {
  static constexpr Oid oid = oids::xid8;
  static constexpr Oid array_oid = 271;
  static std::string_view cpp_name() { return "switchyard::Xid8"; }
  static bool accepts(Oid type) noexcept { return type == oids::xid8; }
  static EncodeStatus encode(base::WriteBuffer& out, Xid8 value) noexcept {
    out.put_i64(static_cast<std::int64_t>(value.value));
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Xid8& value) noexcept {
    return values::decode_int(bytes, value.value);
  }
  static DecodeStatus decode_text(ByteView text, Oid, Xid8& value) noexcept {
    std::uint64_t number = 0;
    if (text.empty() || text.size() > 20) return DecodeStatus::malformed;
    for (char c : text) {
      if (c < '0' || c > '9' || __builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
          __builtin_add_overflow(number, static_cast<std::uint64_t>(c - '0'), &number)) {
        return DecodeStatus::malformed;
      }
    }
    value.value = number;
    return DecodeStatus::ok;
  }
};

template <>
struct Codec<BitString> {
  static constexpr Oid oid = oids::varbit;
  static constexpr Oid array_oid = 1563;
  static std::string_view cpp_name() { return "switchyard::BitString"; }
  static bool accepts(Oid type) noexcept { return type == oids::bit || type == oids::varbit; }
  static EncodeStatus encode(base::WriteBuffer& out, const BitString& value) noexcept {
    return values::encode_bits(out, value.bits);
  }
  static DecodeStatus decode(ByteView bytes, Oid, BitString& value) {
    return values::decode_bits(bytes, value.bits);
  }
  static DecodeStatus decode_text(ByteView text, Oid, BitString& value) {
    value.bits.assign(text.data(), text.size());
    return text.find_first_not_of("01") == ByteView::npos ? DecodeStatus::ok : DecodeStatus::malformed;
  }
};

template <>
struct Codec<Money> {
  static constexpr Oid oid = oids::money;
  static constexpr Oid array_oid = 791;
  static std::string_view cpp_name() { return "switchyard::Money"; }
  static bool accepts(Oid type) noexcept { return type == oids::money; }
  static EncodeStatus encode(base::WriteBuffer& out, Money value) noexcept {
    out.put_i64(value.units);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Money& value) noexcept {
    return values::decode_int(bytes, value.units);
  }
  static DecodeStatus decode_text(ByteView, Oid, Money&) noexcept { return DecodeStatus::format; }
};

/// void: the result of a function that returns nothing.
template <>
struct Codec<std::monostate> {
  static std::string_view cpp_name() { return "std::monostate"; }
  static bool accepts(Oid type) noexcept { return type == oids::void_; }
  static DecodeStatus decode(ByteView, Oid, std::monostate&) noexcept { return DecodeStatus::ok; }
  static DecodeStatus decode_text(ByteView, Oid, std::monostate&) noexcept { return DecodeStatus::ok; }
};

template <>
struct Codec<Date> {
  static constexpr Oid oid = oids::date;
  static constexpr Oid array_oid = 1182;
  static std::string_view cpp_name() { return "switchyard::Date"; }
  static bool accepts(Oid type) noexcept { return type == oids::date; }
  static EncodeStatus encode(base::WriteBuffer& out, Date value) noexcept {
    out.put_i32(value.days_since_2000());
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Date& value) noexcept {
    std::int32_t days = 0;
    const DecodeStatus status = values::decode_int(bytes, days);
    value = Date::from_days(days);
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Date& value) {
    return values::take(Date::parse(text), value);
  }
};

template <>
struct Codec<Time> {
  static constexpr Oid oid = oids::time;
  static constexpr Oid array_oid = 1183;
  static std::string_view cpp_name() { return "switchyard::Time"; }
  static bool accepts(Oid type) noexcept { return type == oids::time; }
  static EncodeStatus encode(base::WriteBuffer& out, Time value) noexcept {
    out.put_i64(value.microseconds());
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Time& value) noexcept {
    std::int64_t micros = 0;
    if (const DecodeStatus status = values::decode_int(bytes, micros); status != DecodeStatus::ok) return status;
    constexpr std::int64_t kDay = 86'400'000'000;
    if (micros < 0 || micros > kDay) return DecodeStatus::malformed;
    value = Time::from_microseconds(micros);
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Time& value) {
    return values::take(Time::parse(text), value);
  }
};

template <>
struct Codec<TimeTz> {
  static constexpr Oid oid = oids::timetz;
  static constexpr Oid array_oid = 1270;
  static std::string_view cpp_name() { return "switchyard::TimeTz"; }
  static bool accepts(Oid type) noexcept { return type == oids::timetz; }
  static EncodeStatus encode(base::WriteBuffer& out, TimeTz value) noexcept {
    out.put_i64(value.time().microseconds());
    out.put_i32(-static_cast<std::int32_t>(value.offset().count()));  // the wire counts to the west
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, TimeTz& value) noexcept {
    if (bytes.size() != 12) return DecodeStatus::malformed;
    Time time;
    const DecodeStatus status = Codec<Time>::decode(bytes.substr(0, 8), oids::time, time);
    if (status != DecodeStatus::ok) return status;
    constexpr std::int32_t kZoneLimit = 16 * 3600;  // TZDISP_LIMIT
    const auto west = base::load_be<std::int32_t>(bytes.data() + 8);
    if (west <= -kZoneLimit || west >= kZoneLimit) return DecodeStatus::malformed;
    value = TimeTz(time, std::chrono::seconds(-west));
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, TimeTz& value) {
    return values::take(TimeTz::parse(text), value);
  }
};

template <TimestampKind kKind>
struct Codec<BasicTimestamp<kKind>> {
  static constexpr bool kZoned = kKind == TimestampKind::with_zone;
  static constexpr Oid oid = kZoned ? oids::timestamptz : oids::timestamp;
  static constexpr Oid array_oid = kZoned ? 1185 : 1115;
  static std::string_view cpp_name() { return kZoned ? "switchyard::TimestampTz" : "switchyard::Timestamp"; }
  static bool accepts(Oid type) noexcept { return type == oid; }
  static EncodeStatus encode(base::WriteBuffer& out, BasicTimestamp<kKind> value) noexcept {
    out.put_i64(value.microseconds_since_2000());
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, BasicTimestamp<kKind>& value) noexcept {
    std::int64_t micros = 0;
    const DecodeStatus status = values::decode_int(bytes, micros);
    value = BasicTimestamp<kKind>::from_microseconds(micros);
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid, BasicTimestamp<kKind>& value) {
    return values::take(BasicTimestamp<kKind>::parse(text), value);
  }
};

template <>
struct Codec<Interval> {
  static constexpr Oid oid = oids::interval;
  static constexpr Oid array_oid = 1187;
  static std::string_view cpp_name() { return "switchyard::Interval"; }
  static bool accepts(Oid type) noexcept { return type == oids::interval; }
  static EncodeStatus encode(base::WriteBuffer& out, const Interval& value) noexcept {
    out.put_i64(value.microseconds);
    out.put_i32(value.days);
    out.put_i32(value.months);
    return EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid, Interval& value) noexcept {
    if (bytes.size() != 16) return DecodeStatus::malformed;
    value.microseconds = base::load_be<std::int64_t>(bytes.data());
    value.days = base::load_be<std::int32_t>(bytes.data() + 8);
    value.months = base::load_be<std::int32_t>(bytes.data() + 12);
    return DecodeStatus::ok;
  }
  static DecodeStatus decode_text(ByteView text, Oid, Interval& value) {
    return values::take(Interval::parse(text), value);
  }
};

namespace values {

/// A chrono type travels as one of the types above, when its value has a place in both.
template <class T, class Wire>
struct ChronoCodec {
  static constexpr Oid oid = Codec<Wire>::oid;
  static constexpr Oid array_oid = Codec<Wire>::array_oid;
  static bool accepts(Oid type) noexcept { return Codec<Wire>::accepts(type); }
  static DecodeStatus decode(ByteView bytes, Oid type, T& value) {
    Wire wire;
    const DecodeStatus status = Codec<Wire>::decode(bytes, type, wire);
    return status == DecodeStatus::ok ? Codec<T>::from_wire(wire, value) : status;
  }
  static DecodeStatus decode_text(ByteView text, Oid type, T& value) {
    Wire wire;
    const DecodeStatus status = Codec<Wire>::decode_text(text, type, wire);
    return status == DecodeStatus::ok ? Codec<T>::from_wire(wire, value) : status;
  }

 protected:
  static EncodeStatus encode_wire(base::WriteBuffer& out, const Result<Wire>& wire) {
    return wire ? Codec<Wire>::encode(out, *wire) : EncodeStatus::out_of_range;
  }
};

/// sys_time as timestamptz, local_time as timestamp. Durations finer than a microsecond are rounded down on the way
/// out; a coarser one takes only values without a rest.
template <class T, TimestampKind kKind>
struct TimePointCodec : ChronoCodec<T, BasicTimestamp<kKind>> {
  using Wire = BasicTimestamp<kKind>;
  static EncodeStatus encode(base::WriteBuffer& out, const T& value) {
    return ChronoCodec<T, Wire>::encode_wire(out, Wire::from(value));
  }
  static DecodeStatus from_wire(Wire wire, T& value) {
    if (!wire.is_finite()) return DecodeStatus::infinite;
    const auto point = wire.to_time_point();
    if (!point) return DecodeStatus::out_of_range;
    typename T::duration since{};
    if (!checked_duration(point->time_since_epoch(), since) ||
        std::chrono::duration_cast<std::chrono::microseconds>(since) != point->time_since_epoch()) {
      return DecodeStatus::out_of_range;
    }
    value = T(since);
    return DecodeStatus::ok;
  }
};

}  // namespace values

template <class D>
struct Codec<std::chrono::sys_time<D>>
    : values::TimePointCodec<std::chrono::sys_time<D>, TimestampKind::with_zone> {};

template <class D>
struct Codec<std::chrono::local_time<D>>
    : values::TimePointCodec<std::chrono::local_time<D>, TimestampKind::without_zone> {};

/// Whole days are dates.
template <>
struct Codec<std::chrono::sys_days> : values::ChronoCodec<std::chrono::sys_days, Date> {
  static std::string_view cpp_name() { return "std::chrono::sys_days"; }
  static EncodeStatus encode(base::WriteBuffer& out, std::chrono::sys_days value) {
    return encode_wire(out, Date::from(value));
  }
  static DecodeStatus from_wire(Date wire, std::chrono::sys_days& value) {
    if (!wire.is_finite()) return DecodeStatus::infinite;
    const auto days = wire.to_sys_days();
    if (!days) return DecodeStatus::out_of_range;
    value = *days;
    return DecodeStatus::ok;
  }
};

template <>
struct Codec<std::chrono::year_month_day> : values::ChronoCodec<std::chrono::year_month_day, Date> {
  static std::string_view cpp_name() { return "std::chrono::year_month_day"; }
  static EncodeStatus encode(base::WriteBuffer& out, std::chrono::year_month_day value) {
    return encode_wire(out, Date::from(value));
  }
  static DecodeStatus from_wire(Date wire, std::chrono::year_month_day& value) {
    if (!wire.is_finite()) return DecodeStatus::infinite;
    const auto date = wire.to_year_month_day();
    if (!date) return DecodeStatus::out_of_range;
    value = *date;
    return DecodeStatus::ok;
  }
};

/// A duration is an interval of microseconds. On the way in a day counts as 24 hours; months are refused.
template <class Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>>
    : values::ChronoCodec<std::chrono::duration<Rep, Period>, Interval> {
  using Duration = std::chrono::duration<Rep, Period>;
  static EncodeStatus encode(base::WriteBuffer& out, const Duration& value) {
    return values::ChronoCodec<Duration, Interval>::encode_wire(out, Interval::from(value));
  }
  static DecodeStatus from_wire(const Interval& wire, Duration& value) {
    if (!wire.is_finite()) return DecodeStatus::infinite;
    if (wire.months != 0) return DecodeStatus::calendar_units;
    constexpr std::int64_t kDay = 86'400'000'000;
    std::int64_t micros = 0;
    if (__builtin_mul_overflow(std::int64_t{wire.days}, kDay, &micros) ||
        __builtin_add_overflow(wire.microseconds, micros, &micros)) {
      return DecodeStatus::out_of_range;
    }
    const std::chrono::duration<std::int64_t, std::micro> total(micros);
    if (!values::checked_duration(total, value)) return DecodeStatus::out_of_range;
    if constexpr (!std::is_floating_point_v<Rep>) {
      if (std::chrono::duration_cast<std::chrono::microseconds>(value) != total) return DecodeStatus::out_of_range;
    }
    return DecodeStatus::ok;
  }
};

}  // namespace switchyard::inline v0
