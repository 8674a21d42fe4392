// PostgreSQL's date and time types with their full range: infinity, years BC, microseconds since 2000-01-01
// (manual chapter 8.5). Conversion to std::chrono is checked, because chrono's types hold less.
//
// parse() reads ISO 8601 as the server writes it with DateStyle ISO; to_string() writes the same, timestamptz in
// UTC.
#pragma once

#include <switchyard/base/result.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// 2000-01-01, where PostgreSQL counts from.
inline constexpr std::chrono::sys_days kPostgresEpoch =
    std::chrono::sys_days(std::chrono::year(2000) / std::chrono::January / 1);

/// date: days since 2000-01-01; 4713 BC to 5874897 AD, or infinite.
class Date {
 public:
  constexpr Date() noexcept = default;
  /// Any number of days; the two extremes are the infinities.
  static constexpr Date from_days(std::int32_t days_since_2000) noexcept { return Date(days_since_2000); }
  static constexpr Date infinity() noexcept { return Date(std::numeric_limits<std::int32_t>::max()); }
  static constexpr Date negative_infinity() noexcept { return Date(std::numeric_limits<std::int32_t>::min()); }
  /// Every chrono date is within PostgreSQL's range unless it lies before 4713 BC.
  [[nodiscard]] SWITCHYARD_API static Result<Date> from(std::chrono::sys_days days);
  /// Refuses dates that don't exist, such as February 30.
  [[nodiscard]] SWITCHYARD_API static Result<Date> from(std::chrono::year_month_day date);
  [[nodiscard]] SWITCHYARD_API static Result<Date> parse(std::string_view text);

  [[nodiscard]] constexpr std::int32_t days_since_2000() const noexcept { return days_; }
  [[nodiscard]] constexpr bool is_finite() const noexcept {
    return days_ != infinity().days_ && days_ != negative_infinity().days_;
  }
  /// Fails for the infinities.
  [[nodiscard]] SWITCHYARD_API Result<std::chrono::sys_days> to_sys_days() const;
  /// Fails for the infinities and beyond the year 32767, where std::chrono::year ends.
  [[nodiscard]] SWITCHYARD_API Result<std::chrono::year_month_day> to_year_month_day() const;
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  constexpr auto operator<=>(const Date&) const noexcept = default;

 private:
  constexpr explicit Date(std::int32_t days) noexcept : days_(days) {}
  std::int32_t days_ = 0;
};

/// time: microseconds since midnight, 00:00:00 to 24:00:00.
class Time {
 public:
  constexpr Time() noexcept = default;
  static constexpr Time from_microseconds(std::int64_t since_midnight) noexcept { return Time(since_midnight); }
  /// Fails below zero and above 24 hours.
  [[nodiscard]] SWITCHYARD_API static Result<Time> from(std::chrono::microseconds since_midnight);
  [[nodiscard]] SWITCHYARD_API static Result<Time> parse(std::string_view text);

  [[nodiscard]] constexpr std::int64_t microseconds() const noexcept { return micros_; }
  [[nodiscard]] constexpr std::chrono::microseconds since_midnight() const noexcept {
    return std::chrono::microseconds(micros_);
  }
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  constexpr auto operator<=>(const Time&) const noexcept = default;

 private:
  constexpr explicit Time(std::int64_t micros) noexcept : micros_(micros) {}
  std::int64_t micros_ = 0;
};

/// timetz: a time of day and its offset from UTC (east is positive, as in text; the wire has it the other way).
class TimeTz {
 public:
  constexpr TimeTz() noexcept = default;
  constexpr TimeTz(Time time, std::chrono::seconds offset) noexcept
      : time_(time), offset_(static_cast<std::int32_t>(offset.count())) {}
  [[nodiscard]] SWITCHYARD_API static Result<TimeTz> parse(std::string_view text);

  [[nodiscard]] constexpr Time time() const noexcept { return time_; }
  [[nodiscard]] constexpr std::chrono::seconds offset() const noexcept { return std::chrono::seconds(offset_); }
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  /// Same time at the same offset; not the order that PostgreSQL sorts by.
  constexpr bool operator==(const TimeTz&) const noexcept = default;

 private:
  Time time_;
  std::int32_t offset_ = 0;
};

enum class TimestampKind : std::uint8_t { without_zone, with_zone };

/// timestamp and timestamptz: microseconds since 2000-01-01 00:00 (UTC for timestamptz); 4713 BC to 294276 AD, or
/// infinite.
template <TimestampKind kKind>
class BasicTimestamp {
 public:
  /// timestamptz is a sys_time, timestamp a local_time.
  using ChronoClock =
      std::conditional_t<kKind == TimestampKind::with_zone, std::chrono::system_clock, std::chrono::local_t>;
  template <class D>
  using TimePointOf = std::chrono::time_point<ChronoClock, D>;

  constexpr BasicTimestamp() noexcept = default;
  static constexpr BasicTimestamp from_microseconds(std::int64_t since_2000) noexcept {
    return BasicTimestamp(since_2000);
  }
  static constexpr BasicTimestamp infinity() noexcept {
    return BasicTimestamp(std::numeric_limits<std::int64_t>::max());
  }
  static constexpr BasicTimestamp negative_infinity() noexcept {
    return BasicTimestamp(std::numeric_limits<std::int64_t>::min());
  }
  /// Rounds down to microseconds. Fails outside 4713 BC to 294276 AD.
  [[nodiscard]] SWITCHYARD_API static Result<BasicTimestamp> from(TimePointOf<std::chrono::microseconds> time);
  template <class D>
  [[nodiscard]] static Result<BasicTimestamp> from(std::chrono::time_point<ChronoClock, D> time) {
    if constexpr (std::ratio_greater_v<typename D::period, std::micro>) {
      constexpr auto kLimit = std::chrono::floor<D>(std::chrono::microseconds::max());
      if (time.time_since_epoch() > kLimit || time.time_since_epoch() < -kLimit) {
        return from(TimePointOf<std::chrono::microseconds>::max());
      }
    }
    return from(std::chrono::floor<std::chrono::microseconds>(time));
  }
  [[nodiscard]] SWITCHYARD_API static Result<BasicTimestamp> parse(std::string_view text);

  [[nodiscard]] constexpr std::int64_t microseconds_since_2000() const noexcept { return micros_; }
  [[nodiscard]] constexpr bool is_finite() const noexcept {
    return micros_ != infinity().micros_ && micros_ != negative_infinity().micros_;
  }
  /// Fails for the infinities (and for the last years of PostgreSQL's range, which overflow chrono's epoch of
  /// 1970).
  [[nodiscard]] SWITCHYARD_API Result<TimePointOf<std::chrono::microseconds>> to_time_point() const;
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  constexpr auto operator<=>(const BasicTimestamp&) const noexcept = default;

 private:
  constexpr explicit BasicTimestamp(std::int64_t micros) noexcept : micros_(micros) {}
  std::int64_t micros_ = 0;
};

using Timestamp = BasicTimestamp<TimestampKind::without_zone>;
using TimestampTz = BasicTimestamp<TimestampKind::with_zone>;

extern template class BasicTimestamp<TimestampKind::without_zone>;
extern template class BasicTimestamp<TimestampKind::with_zone>;

/// interval: months, days and microseconds, which PostgreSQL keeps apart because months and days vary in length.
struct Interval {
  std::int32_t months = 0;
  std::int32_t days = 0;
  std::int64_t microseconds = 0;

  /// Microseconds only; fails if the duration does not fit.
  template <class Rep, class Period>
  [[nodiscard]] static Result<Interval> from(std::chrono::duration<Rep, Period> duration);
  /// Reads what the server writes with IntervalStyle postgres: "1 year 2 mons -3 days +04:05:06.7".
  [[nodiscard]] SWITCHYARD_API static Result<Interval> parse(std::string_view text);

  /// All fields at their maximum: infinity from PostgreSQL 17 on (all at their minimum: -infinity).
  [[nodiscard]] constexpr bool is_finite() const noexcept {
    return *this != infinity() && *this != negative_infinity();
  }
  static constexpr Interval infinity() noexcept {
    return {std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::max(),
            std::numeric_limits<std::int64_t>::max()};
  }
  static constexpr Interval negative_infinity() noexcept {
    return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min(),
            std::numeric_limits<std::int64_t>::min()};
  }
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  /// Field by field; PostgreSQL's `=` counts a month as 30 days and a day as 24 hours.
  constexpr bool operator==(const Interval&) const noexcept = default;
};

namespace values {
[[nodiscard]] SWITCHYARD_API Error out_of_range_error(std::string_view what);

void append_date(std::string& out, Date value);
void append_time(std::string& out, std::int64_t micros);
void append_zone(std::string& out, std::int32_t east_seconds);
void append_time_tz(std::string& out, TimeTz value);
void append_interval(std::string& out, Interval value);

/// How a timestamp is written: as the server's text output, or as to_json() does (ISO 8601 with a T).
enum class TimestampStyle : std::uint8_t { server, json };
void append_timestamp(std::string& out, std::int64_t micros, TimestampKind kind, TimestampStyle style);

/// Converts between durations of the same sign with a check: false if the result does not fit.
template <class To, class Rep, class Period>
[[nodiscard]] constexpr bool checked_duration(std::chrono::duration<Rep, Period> from, To& to) noexcept {
  using Ratio = std::ratio_divide<Period, typename To::period>;
  if constexpr (std::is_floating_point_v<typename To::rep>) {
    to = std::chrono::duration_cast<To>(from);
    return true;
  } else if constexpr (std::is_floating_point_v<Rep>) {
    const double ticks = static_cast<double>(from.count()) * (static_cast<double>(Ratio::num) / Ratio::den);
    if (!(ticks > -9.2e18 && ticks < 9.2e18)) return false;
    to = To(static_cast<typename To::rep>(ticks));
    return true;
  } else {
    typename To::rep scaled{};
    if (__builtin_mul_overflow(from.count(), static_cast<std::int64_t>(Ratio::num), &scaled)) return false;
    to = To(scaled / static_cast<typename To::rep>(Ratio::den));
    return true;
  }
}
}  // namespace values

template <class Rep, class Period>
Result<Interval> Interval::from(std::chrono::duration<Rep, Period> duration) {
  std::chrono::duration<std::int64_t, std::micro> micros{};
  if (!values::checked_duration(duration, micros)) return values::out_of_range_error("interval");
  return Interval{0, 0, micros.count()};
}

}  // namespace switchyard::inline v0
