#include <switchyard/values/date_time.hpp>

#include <gtest/gtest.h>

#include <tests/support/row_bytes.hpp>

#include <cstdint>
#include <limits>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;
using testing::decoded;
using testing::encoded;

TEST(Date, IsWrittenAndReadAsTheServerDoes) {
  const std::pair<std::int32_t, const char*> cases[] = {{0, "2000-01-01"},
                                                        {59, "2000-02-29"},
                                                        {-1, "1999-12-31"},
                                                        {-730119, "0001-01-01"},
                                                        {-730120, "0001-12-31 BC"},
                                                        {-2451545, "4714-11-24 BC"},
                                                        {2145031948, "5874897-12-31"},
                                                        {8819, "2024-02-23"}};
  for (const auto& [days, text] : cases) {
    EXPECT_EQ(Date::from_days(days).to_string(), text);
    const auto parsed = Date::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->days_since_2000(), days) << text;
  }
  EXPECT_EQ(Date::infinity().to_string(), "infinity");
  EXPECT_EQ(*Date::parse("-infinity"), Date::negative_infinity());
}

TEST(Date, WhatIsNoDateIsRefused) {
  for (const char* wrong : {"", "2024", "2024-02-30", "2023-02-29", "2024-13-01", "0000-01-01", "2024-01-01 ",
                            "4714-11-23 BC", "5874898-01-01", "99999999-01-01", "2024-1-1", "2024-01-01x"}) {
    EXPECT_FALSE(Date::parse(wrong).ok()) << wrong;
  }
}

TEST(Date, ConversionToChronoIsChecked) {
  const auto leap_day = year(2024) / 2 / 29;
  EXPECT_EQ(Date::from(leap_day)->to_string(), "2024-02-29");
  EXPECT_EQ(*Date::from(leap_day)->to_year_month_day(), leap_day);
  EXPECT_EQ(*Date::from(sys_days(leap_day))->to_sys_days(), sys_days(leap_day));
  EXPECT_FALSE(Date::from(year(2023) / 2 / 29).ok());
  EXPECT_FALSE(Date::infinity().to_sys_days().ok());
  EXPECT_FALSE(Date::parse("40000-01-01")->to_year_month_day().ok());
  EXPECT_TRUE(Date::parse("40000-01-01")->to_sys_days().ok());
  EXPECT_FALSE(Date::from(sys_days(std::chrono::days(-3000000))).ok());
}

TEST(Timestamp, IsWrittenAndReadAsTheServerDoes) {
  const std::pair<std::int64_t, const char*> cases[] = {{0, "2000-01-01 00:00:00"},
                                                        {-1, "1999-12-31 23:59:59.999999"},
                                                        {1'500'000, "2000-01-01 00:00:01.5"},
                                                        {-211813488000000000, "4714-11-24 00:00:00 BC"},
                                                        {9223371331199999999, "294276-12-31 23:59:59.999999"}};
  for (const auto& [micros, text] : cases) {
    EXPECT_EQ(Timestamp::from_microseconds(micros).to_string(), text);
    EXPECT_EQ(Timestamp::parse(text)->microseconds_since_2000(), micros) << text;
  }
  EXPECT_EQ(TimestampTz::from_microseconds(0).to_string(), "2000-01-01 00:00:00+00");
  EXPECT_EQ(TimestampTz::from_microseconds(-211813488000000000).to_string(), "4714-11-24 00:00:00+00 BC");
  EXPECT_EQ(TimestampTz::parse("2000-01-01 05:30:00+05:30")->microseconds_since_2000(), 0);
  EXPECT_EQ(TimestampTz::parse("1999-12-31T19:00:00-05")->microseconds_since_2000(), 0);
  EXPECT_EQ(TimestampTz::parse("2000-01-01 00:00:00Z")->microseconds_since_2000(), 0);
  EXPECT_EQ(*Timestamp::parse("infinity"), Timestamp::infinity());
  EXPECT_EQ(Timestamp::negative_infinity().to_string(), "-infinity");
  // No server has it, but somebody may send it.
  EXPECT_EQ(Timestamp::from_microseconds(std::numeric_limits<std::int64_t>::min() + 50'331'648).to_string(),
            "290279-12-22 19:59:55.55584 BC");
}

TEST(Timestamp, WhatIsNoTimestampIsRefused) {
  for (const char* wrong : {"", "2024-01-01", "2024-01-01 25:00:00", "2024-01-01 00:60:00", "294277-01-01 00:00:00",
                            "2024-01-01 00:00:00.", "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00+00"}) {
    EXPECT_FALSE(Timestamp::parse(wrong).ok()) << wrong;
  }
  EXPECT_FALSE(TimestampTz::parse("2024-01-01 00:00:00").ok()) << "a zone is needed";
}

TEST(Timestamp, ConversionToChronoIsCheckedBothWays) {
  const std::chrono::sys_time<std::chrono::nanoseconds> fine(sys_days(year(2024) / 1 / 1) + 1h + 1us + 999ns);
  EXPECT_EQ(TimestampTz::from(fine)->to_string(), "2024-01-01 01:00:00.000001+00");
  EXPECT_EQ(*TimestampTz::from(fine)->to_time_point(), std::chrono::floor<std::chrono::microseconds>(fine));
  EXPECT_FALSE(TimestampTz::infinity().to_time_point().ok());
  EXPECT_FALSE(TimestampTz::parse("294276-12-31 23:59:59+00")->to_time_point().ok()) << "beyond 2^63 us after 1970";
  EXPECT_FALSE(TimestampTz::from(std::chrono::sys_seconds::max()).ok());
  EXPECT_FALSE(TimestampTz::from(std::chrono::sys_seconds::min()).ok());
  EXPECT_FALSE(TimestampTz::from(std::chrono::sys_time<std::chrono::microseconds>::max()).ok());
  EXPECT_FALSE(TimestampTz::from(std::chrono::sys_time<std::chrono::microseconds>::min()).ok());
  EXPECT_EQ(Timestamp::from(std::chrono::local_days(year(1970) / 1 / 1))->to_string(), "1970-01-01 00:00:00");
}

TEST(Time, GoesFromMidnightToTwentyFour) {
  EXPECT_EQ(Time::from(24h)->to_string(), "24:00:00");
  EXPECT_FALSE(Time::from(24h + 1us).ok());
  EXPECT_FALSE(Time::from(-1us).ok());
  EXPECT_EQ(Time::parse("23:59:59.000001")->microseconds(), 86399000001);
  EXPECT_FALSE(Time::parse("24:00:00.1").ok());
  EXPECT_EQ(TimeTz(*Time::from(90min), -5h - 30min).to_string(), "01:30:00-05:30");
  EXPECT_EQ(*TimeTz::parse("01:30:00-05:30"), TimeTz(*Time::from(90min), -5h - 30min));
  EXPECT_EQ(TimeTz::parse("01:30:00+01:02:03")->to_string(), "01:30:00+01:02:03");
}

TEST(Interval, IsWrittenWithTheSignsOfThePostgresStyle) {
  constexpr std::int64_t kHour = 3'600'000'000;
  const std::pair<Interval, const char*> cases[] = {
      {{}, "00:00:00"},
      {{14, 3, 4 * kHour + 5'000'006}, "1 year 2 mons 3 days 04:00:05.000006"},
      {{-14, 3, -kHour}, "-1 years -2 mons +3 days -01:00:00"},
      {{0, -1, kHour}, "-1 days +01:00:00"},
      {{1, 1, 0}, "1 mon 1 day"},
      {{0, 0, std::numeric_limits<std::int64_t>::min()}, "-2562047788:00:54.775808"},
      {{0, 0, std::numeric_limits<std::int64_t>::max()}, "2562047788:00:54.775807"},
      {{0, 0, -1}, "-00:00:00.000001"}};
  for (const auto& [interval, text] : cases) {
    EXPECT_EQ(interval.to_string(), text);
    const auto parsed = Interval::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, interval) << text;
  }
  EXPECT_EQ(Interval::infinity().to_string(), "infinity");
  for (const char* wrong : {"", "1", "1 week", "1 day 2", "1 day  2 days", "2562047789:00:00", "200000000 years"}) {
    EXPECT_FALSE(Interval::parse(wrong).ok()) << wrong;
  }
}

TEST(Chrono, TypesTravelAsTheNearestPostgresType) {
  using Seconds = std::chrono::sys_seconds;
  static_assert(Codec<Seconds>::oid == oids::timestamptz);
  static_assert(Codec<std::chrono::local_seconds>::oid == oids::timestamp);
  static_assert(Codec<sys_days>::oid == oids::date);
  static_assert(Codec<std::chrono::milliseconds>::oid == oids::interval);
  const Seconds at = sys_days(year(2024) / 5 / 6) + 7h;
  EXPECT_EQ(decoded<Seconds>(encoded(at), oids::timestamptz), at);
  EXPECT_EQ(decoded<sys_days>(encoded(sys_days(year(1815) / 6 / 18)), oids::date), sys_days(year(1815) / 6 / 18));
  EXPECT_EQ(decoded<std::chrono::milliseconds>(encoded(1500ms), oids::interval), 1500ms);
  EXPECT_EQ(decoded<std::chrono::duration<double>>(encoded(1500ms), oids::interval), 1500ms);
  EXPECT_EQ(decoded<std::chrono::hours>(encoded(Interval{0, 2, 0}), oids::interval), 48h);
}

TEST(Chrono, AValueWithoutAPlaceInChronoIsAnErrorNotARounding) {
  std::chrono::sys_seconds at;
  EXPECT_EQ(
      Codec<std::chrono::sys_seconds>::decode(encoded(TimestampTz::from_microseconds(1)), oids::timestamptz, at),
      DecodeStatus::out_of_range);
  EXPECT_EQ(Codec<std::chrono::sys_seconds>::decode(encoded(TimestampTz::infinity()), oids::timestamptz, at),
            DecodeStatus::infinite);
  std::chrono::sys_time<std::chrono::nanoseconds> fine;
  EXPECT_EQ(Codec<decltype(fine)>::decode(encoded(*TimestampTz::parse("2300-01-01 00:00:00+00")), oids::timestamptz,
                                          fine),
            DecodeStatus::out_of_range);
  std::chrono::seconds span{};
  EXPECT_EQ(Codec<std::chrono::seconds>::decode(encoded(Interval{1, 0, 0}), oids::interval, span),
            DecodeStatus::calendar_units);
  EXPECT_EQ(Codec<std::chrono::seconds>::decode(encoded(Interval{0, 2'000'000'000, 0}), oids::interval, span),
            DecodeStatus::out_of_range);
  base::WriteBuffer out;
  EXPECT_EQ(Codec<std::chrono::hours>::encode(out, std::chrono::hours::max()), EncodeStatus::out_of_range);
}

}  // namespace
}  // namespace switchyard
