#include <switchyard/values/date_time.hpp>
#include <switchyard/values/text_scan.hpp>

#include <cstdlib>

namespace switchyard::inline v0 {
namespace {

using values::append_int;
using values::append_padded;
using values::Scanner;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerMinute = 60 * kMicrosPerSecond;
constexpr std::int64_t kMicrosPerHour = 60 * kMicrosPerMinute;
constexpr std::int64_t kMicrosPerDay = 24 * kMicrosPerHour;
constexpr std::int64_t kDays1970To2000 = 10957;
constexpr std::int64_t kMicros1970To2000 = kDays1970To2000 * kMicrosPerDay;

// The ends of PostgreSQL's ranges (manual table 8.9): 4714-11-24 BC is Julian day 0.
constexpr std::int64_t kFirstDay = -2451545;
constexpr std::int64_t kEndDateDay = 2145031949;  // 5874898-01-01, exclusive
constexpr std::int64_t kFirstMicros = kFirstDay * kMicrosPerDay;
constexpr std::int64_t kEndMicros = 9'223'371'331'200'000'000;  // 294277-01-01, exclusive

struct Civil {
  std::int64_t year;  // astronomical: 0 is 1 BC
  int month;
  int day;
};

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The proleptic Gregorian calendar repeats every 400 years (146097 days); years start in March here, so that the
// leap day is the last day of its year.
constexpr std::int64_t kDaysPerEra = 146097;
constexpr std::int64_t kMarch0000To2000 = 730425;  // 0000-03-01 to 2000-01-01

constexpr std::int64_t days_from_civil(Civil date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = floor_div(year, 400);
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t month_from_march = (date.month + 9) % 12;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kMarch0000To2000;
}

constexpr Civil civil_from_days(std::int64_t days) {
  days += kMarch0000To2000;
  const std::int64_t era = floor_div(days, kDaysPerEra);
  const std::int64_t day_of_era = days - era * kDaysPerEra;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (kDaysPerEra - 1)) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

static_assert(days_from_civil({2000, 1, 1}) == 0);
static_assert(days_from_civil({1970, 1, 1}) == -kDays1970To2000);
static_assert(days_from_civil({-4713, 11, 24}) == kFirstDay);
static_assert(civil_from_days(kFirstDay).year == -4713);

constexpr bool exists(Civil date) {
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  const Civil back = civil_from_days(days_from_civil(date));
  return back.month == date.month && back.day == date.day;
}

/// "2024-01-02", the year without its era.
void append_civil(std::string& out, Civil date) {
  append_padded(out, date.year > 0 ? date.year : 1 - date.year, 4);
  out += '-';
  append_padded(out, date.month, 2);
  out += '-';
  append_padded(out, date.day, 2);
}

/// "05.25": seconds and as many digits of the fraction as are not zero.
void append_seconds(std::string& out, std::int64_t micros) {
  append_padded(out, micros / kMicrosPerSecond, 2);
  std::int64_t fraction = micros % kMicrosPerSecond;
  if (fraction == 0) return;
  int width = 6;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --width;
  }
  out += '.';
  append_padded(out, fraction, width);
}

struct ScannedDate {
  Civil civil{};
  bool ok = false;
};

ScannedDate scan_date(Scanner& in) {
  std::int64_t year = 0, month = 0, day = 0;
  if (!in.digits(4, 7, year) || !in.eat('-') || !in.digits(2, 2, month) || !in.eat('-') || !in.digits(2, 2, day)) {
    return {};
  }
  return {{year, static_cast<int>(month), static_cast<int>(day)}, true};
}

/// " BC" at the end turns year 44 into -43.
bool scan_era(Scanner& in, Civil& date) {
  if (date.year == 0) return false;
  if (in.eat(" BC")) date.year = 1 - date.year;
  return true;
}

bool scan_time(Scanner& in, std::int64_t& micros) {
  std::int64_t hours = 0, minutes = 0, seconds = 0, fraction = 0;
  if (!in.digits(2, 2, hours) || !in.eat(':') || !in.digits(2, 2, minutes)) return false;
  if (in.eat(':') && !(in.digits(2, 2, seconds) && in.fraction(fraction))) return false;
  if (minutes > 59 || seconds > 60) return false;
  micros = hours * kMicrosPerHour + minutes * kMicrosPerMinute + seconds * kMicrosPerSecond + fraction;
  return micros <= kMicrosPerDay;
}

/// "+02", "-05:30", "+01:23:45", "Z", as seconds to the east.
bool scan_zone(Scanner& in, std::int64_t& east) {
  east = 0;
  if (in.eat('Z')) return true;
  const bool west = in.peek() == '-';
  if (!in.eat('+') && !in.eat('-')) return false;
  std::int64_t hours = 0, minutes = 0, seconds = 0;
  if (!in.digits(2, 2, hours)) return false;
  if (in.eat(':') && !in.digits(2, 2, minutes)) return false;
  if (in.eat(':') && !in.digits(2, 2, seconds)) return false;
  if (hours > 15 || minutes > 59 || seconds > 59) return false;  // MAX_TZDISP_HOUR
  east = hours * 3600 + minutes * 60 + seconds;
  if (west) east = -east;
  return true;
}

Error malformed(std::string_view type, std::string_view text) {
  constexpr std::size_t kShown = 64;
  return Error(ErrorKind::Mapping,
               "'" + std::string(text.substr(0, kShown)) + "' is not a " + std::string(type) + " in ISO format");
}

}  // namespace

namespace values {

Error out_of_range_error(std::string_view what) {
  return Error(ErrorKind::Mapping, "value is out of the range of " + std::string(what));
}

void append_date(std::string& out, Date value) {
  if (!value.is_finite()) {
    out += value == Date::infinity() ? "infinity" : "-infinity";
    return;
  }
  const Civil date = civil_from_days(value.days_since_2000());
  append_civil(out, date);
  if (date.year <= 0) out += " BC";
}

void append_time(std::string& out, std::int64_t micros) {
  append_padded(out, micros / kMicrosPerHour, 2);
  out += ':';
  append_padded(out, micros / kMicrosPerMinute % 60, 2);
  out += ':';
  append_seconds(out, micros % kMicrosPerMinute);
}

void append_zone(std::string& out, std::int32_t east_seconds) {
  out += east_seconds < 0 ? '-' : '+';
  const std::int64_t seconds = std::abs(static_cast<std::int64_t>(east_seconds));
  append_padded(out, seconds / 3600, 2);
  if (seconds % 3600 == 0) return;
  out += ':';
  append_padded(out, seconds / 60 % 60, 2);
  if (seconds % 60 == 0) return;
  out += ':';
  append_padded(out, seconds % 60, 2);
}

void append_time_tz(std::string& out, TimeTz value) {
  append_time(out, value.time().microseconds());
  append_zone(out, static_cast<std::int32_t>(value.offset().count()));
}

void append_timestamp(std::string& out, std::int64_t micros, TimestampKind kind, TimestampStyle style) {
  if (micros == std::numeric_limits<std::int64_t>::max() || micros == std::numeric_limits<std::int64_t>::min()) {
    out += micros > 0 ? "infinity" : "-infinity";
    return;
  }
  const std::int64_t days = floor_div(micros, kMicrosPerDay);
  const Civil date = civil_from_days(days);
  append_civil(out, date);
  out += style == TimestampStyle::json ? 'T' : ' ';
  // Of the first day there is only a part: its beginning does not fit.
  const std::int64_t rest = micros % kMicrosPerDay;
  append_time(out, rest < 0 ? rest + kMicrosPerDay : rest);
  if (kind == TimestampKind::with_zone) out += style == TimestampStyle::json ? "+00:00" : "+00";
  if (date.year <= 0) out += " BC";
}

void append_interval(std::string& out, Interval value) {
  if (!value.is_finite()) {
    out += value == Interval::infinity() ? "infinity" : "-infinity";
    return;
  }
  // Signs as IntervalStyle postgres has them: a positive part behind a negative one shows its plus.
  bool first = true;
  bool after_negative = false;
  const auto unit = [&](std::int32_t n, std::string_view name) {
    if (n == 0) return;
    if (!first) out += ' ';
    if (after_negative && n > 0) out += '+';
    append_int(out, n);
    out += ' ';
    out += name;
    if (n != 1) out += 's';
    after_negative = n < 0;
    first = false;
  };
  unit(value.months / 12, "year");
  unit(value.months % 12, "mon");
  unit(value.days, "day");
  if (!first && value.microseconds == 0) return;
  if (!first) out += ' ';
  if (value.microseconds < 0) {
    out += '-';
  } else if (after_negative) {
    out += '+';
  }
  // Unsigned, because the most negative value has no positive counterpart.
  const auto micros = value.microseconds < 0 ? 0 - static_cast<std::uint64_t>(value.microseconds)
                                             : static_cast<std::uint64_t>(value.microseconds);
  append_padded(out, static_cast<std::int64_t>(micros / kMicrosPerHour), 2);
  out += ':';
  append_padded(out, static_cast<std::int64_t>(micros / kMicrosPerMinute % 60), 2);
  out += ':';
  append_seconds(out, static_cast<std::int64_t>(micros % kMicrosPerMinute));
}

}  // namespace values

Result<Date> Date::from(std::chrono::sys_days days) {
  const auto since_1970 = static_cast<std::int64_t>(days.time_since_epoch().count());
  if (since_1970 < kFirstDay + kDays1970To2000 || since_1970 >= kEndDateDay + kDays1970To2000) {
    return values::out_of_range_error("date");
  }
  return from_days(static_cast<std::int32_t>(since_1970 - kDays1970To2000));
}

Result<Date> Date::from(std::chrono::year_month_day date) {
  if (!date.ok()) return Error(ErrorKind::Mapping, "the calendar date does not exist");
  return from(std::chrono::sys_days(date));
}

Result<Date> Date::parse(std::string_view text) {
  if (text == "infinity") return infinity();
  if (text == "-infinity") return negative_infinity();
  Scanner in(text);
  ScannedDate date = scan_date(in);
  if (!date.ok || !scan_era(in, date.civil) || !in.done() || !exists(date.civil)) return malformed("date", text);
  const std::int64_t days = days_from_civil(date.civil);
  if (days < kFirstDay || days >= kEndDateDay) return values::out_of_range_error("date");
  return from_days(static_cast<std::int32_t>(days));
}

Result<std::chrono::sys_days> Date::to_sys_days() const {
  if (!is_finite()) return Error(ErrorKind::Mapping, "date " + to_string() + " has no place in std::chrono");
  const std::int64_t days = days_ + kDays1970To2000;
  if (days > std::numeric_limits<std::int32_t>::max()) return values::out_of_range_error("std::chrono::sys_days");
  return std::chrono::sys_days(std::chrono::days(static_cast<std::int32_t>(days)));
}

Result<std::chrono::year_month_day> Date::to_year_month_day() const {
  if (!is_finite()) return Error(ErrorKind::Mapping, "date " + to_string() + " has no place in std::chrono");
  const Civil date = civil_from_days(days_);
  if (date.year > static_cast<int>(std::chrono::year::max())) {
    return values::out_of_range_error("std::chrono::year_month_day");
  }
  return std::chrono::year(static_cast<int>(date.year)) / date.month / date.day;
}

std::string Date::to_string() const {
  std::string out;
  values::append_date(out, *this);
  return out;
}

Result<Time> Time::from(std::chrono::microseconds since_midnight) {
  if (since_midnight.count() < 0 || since_midnight.count() > kMicrosPerDay) {
    return values::out_of_range_error("time");
  }
  return from_microseconds(since_midnight.count());
}

Result<Time> Time::parse(std::string_view text) {
  Scanner in(text);
  std::int64_t micros = 0;
  if (!scan_time(in, micros) || !in.done()) return malformed("time", text);
  return from_microseconds(micros);
}

std::string Time::to_string() const {
  std::string out;
  values::append_time(out, micros_);
  return out;
}

Result<TimeTz> TimeTz::parse(std::string_view text) {
  Scanner in(text);
  std::int64_t micros = 0, east = 0;
  if (!scan_time(in, micros) || !scan_zone(in, east) || !in.done()) return malformed("time with time zone", text);
  return TimeTz(Time::from_microseconds(micros), std::chrono::seconds(east));
}

std::string TimeTz::to_string() const {
  std::string out;
  values::append_time_tz(out, *this);
  return out;
}

template <TimestampKind kKind>
Result<BasicTimestamp<kKind>> BasicTimestamp<kKind>::from(TimePointOf<std::chrono::microseconds> time) {
  const std::int64_t since_1970 = time.time_since_epoch().count();
  std::int64_t since_2000 = 0;
  if (__builtin_sub_overflow(since_1970, kMicros1970To2000, &since_2000) || since_2000 < kFirstMicros ||
      since_2000 >= kEndMicros || time == TimePointOf<std::chrono::microseconds>::max()) {
    return values::out_of_range_error("timestamp");
  }
  return from_microseconds(since_2000);
}

template <TimestampKind kKind>
Result<BasicTimestamp<kKind>> BasicTimestamp<kKind>::parse(std::string_view text) {
  constexpr bool kZoned = kKind == TimestampKind::with_zone;
  constexpr std::string_view kName = kZoned ? "timestamp with time zone" : "timestamp";
  if (text == "infinity") return infinity();
  if (text == "-infinity") return negative_infinity();
  Scanner in(text);
  ScannedDate date = scan_date(in);
  std::int64_t micros = 0, east = 0;
  if (!date.ok || !(in.eat(' ') || in.eat('T')) || !scan_time(in, micros)) return malformed(kName, text);
  if (kZoned && !scan_zone(in, east)) return malformed(kName, text);
  if (!scan_era(in, date.civil) || !in.done() || !exists(date.civil)) return malformed(kName, text);
  const std::int64_t days = days_from_civil(date.civil);
  std::int64_t since_2000 = 0;
  if (__builtin_mul_overflow(days, kMicrosPerDay, &since_2000) ||
      __builtin_add_overflow(since_2000, micros - east * kMicrosPerSecond, &since_2000) ||
      since_2000 < kFirstMicros || since_2000 >= kEndMicros) {
    return values::out_of_range_error(kName);
  }
  return from_microseconds(since_2000);
}

template <TimestampKind kKind>
auto BasicTimestamp<kKind>::to_time_point() const -> Result<TimePointOf<std::chrono::microseconds>> {
  using Point = TimePointOf<std::chrono::microseconds>;
  if (!is_finite()) return Error(ErrorKind::Mapping, "timestamp " + to_string() + " has no place in std::chrono");
  std::int64_t since_1970 = 0;
  if (__builtin_add_overflow(micros_, kMicros1970To2000, &since_1970)) {
    return values::out_of_range_error("a std::chrono time point in microseconds");
  }
  return Point(std::chrono::microseconds(since_1970));
}

template <TimestampKind kKind>
std::string BasicTimestamp<kKind>::to_string() const {
  std::string out;
  values::append_timestamp(out, micros_, kKind, values::TimestampStyle::server);
  return out;
}

template class BasicTimestamp<TimestampKind::without_zone>;
template class BasicTimestamp<TimestampKind::with_zone>;

Result<Interval> Interval::parse(std::string_view text) {
  if (text == "infinity") return infinity();
  if (text == "-infinity") return negative_infinity();
  Interval out;
  Scanner in(text);
  bool anything = false;
  std::int64_t months = 0;
  while (!in.done()) {
    if (anything && !in.eat(' ')) return malformed("interval", text);
    const bool negative = in.peek() == '-';
    if (!in.eat('-')) (void)in.eat('+');
    std::int64_t n = 0;
    if (!in.digits(1, 18, n)) return malformed("interval", text);
    anything = true;
    if (in.eat(':')) {
      std::int64_t minutes = 0, seconds = 0, fraction = 0, micros = 0;
      if (!in.digits(2, 2, minutes) || !in.eat(':') || !in.digits(2, 2, seconds) || !in.fraction(fraction) ||
          !in.done() || minutes > 59 || seconds > 59) {
        return malformed("interval", text);
      }
      // Accumulated with its sign, because the most negative value has no positive counterpart.
      const std::int64_t sign = negative ? -1 : 1;
      const std::int64_t below_an_hour = minutes * kMicrosPerMinute + seconds * kMicrosPerSecond + fraction;
      if (__builtin_mul_overflow(n * sign, kMicrosPerHour, &micros) ||
          __builtin_add_overflow(micros, sign * below_an_hour, &out.microseconds)) {
        return values::out_of_range_error("interval");
      }
      break;
    }
    if (negative) n = -n;
    if (!in.eat(' ')) return malformed("interval", text);
    if (in.eat("year")) {
      if (__builtin_mul_overflow(n, std::int64_t{12}, &n)) return values::out_of_range_error("interval");
      months += n;
    } else if (in.eat("mon")) {
      months += n;
    } else if (in.eat("day")) {
      if (n != static_cast<std::int32_t>(n)) return values::out_of_range_error("interval");
      out.days = static_cast<std::int32_t>(n);
    } else {
      return malformed("interval", text);
    }
    (void)in.eat('s');
    if (months != static_cast<std::int32_t>(months)) return values::out_of_range_error("interval");
  }
  if (!anything) return malformed("interval", text);
  out.months = static_cast<std::int32_t>(months);
  return out;
}

std::string Interval::to_string() const {
  std::string out;
  values::append_interval(out, *this);
  return out;
}

}  // namespace switchyard::inline v0
