#include <switchyard/values/numeric.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using testing::decoded;
using testing::encoded;

TEST(Numeric, TextKeepsEveryDigitAndTheScale) {
  for (const char* text :
       {"0", "0.00", "1", "-1", "10000", "9999", "100000000", "0.0001", "0.00001", "-12345.678900", "1.50",
        "123456789012345678901234567890.123456789", "NaN", "Infinity", "-Infinity"}) {
    const auto parsed = Numeric::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->to_string(), text);
    const auto back = decoded<Numeric>(encoded(*parsed), oids::numeric);
    ASSERT_TRUE(back.has_value()) << text;
    EXPECT_EQ(back->to_string(), text);
  }
  EXPECT_EQ(Numeric::parse("1e3")->to_string(), "1000");
  EXPECT_EQ(Numeric::parse("1.25e-3")->to_string(), "0.00125");
  EXPECT_EQ(Numeric::parse("+.5")->to_string(), "0.5");
  EXPECT_EQ(Numeric::parse("-0.00")->to_string(), "0.00");
  EXPECT_EQ(Numeric::parse("000012")->to_string(), "12");
}

TEST(Numeric, TenThousandDigitsSurvive) {
  std::string text = "7";
  for (int i = 1; i < 10'000; ++i) text += static_cast<char>('0' + i * 7 % 10);
  text += ".";
  for (int i = 0; i < 9'999; ++i) text += static_cast<char>('0' + i * 3 % 10);
  const auto parsed = Numeric::parse(text);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(decoded<Numeric>(encoded(*parsed), oids::numeric)->to_string(), text);
}

TEST(Numeric, TheLimitsOfPostgresAreTheLimits) {
  EXPECT_TRUE(Numeric::parse(std::string(131072, '9')).ok());
  EXPECT_FALSE(Numeric::parse(std::string(131073, '9')).ok());
  EXPECT_TRUE(Numeric::parse("0." + std::string(16383, '1')).ok());
  EXPECT_FALSE(Numeric::parse("0." + std::string(16384, '1')).ok());
  EXPECT_FALSE(Numeric::parse("1e999999999").ok());
}

TEST(Numeric, WhatIsNoNumberIsRefused) {
  for (const char* wrong :
       {"", ".", "-", "1.2.3", "1e", "1e+", "abc", "1 ", " 1", "0x10", "--1", "-NaN", "1_000"}) {
    EXPECT_FALSE(Numeric::parse(wrong).ok()) << wrong;
  }
}

TEST(Numeric, IntegersConvertExactlyOrNotAtAll) {
  for (std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                             std::int64_t{0}, std::int64_t{-10000}, std::int64_t{99999}}) {
    EXPECT_EQ(Numeric(value).to_string(), std::to_string(value));
    EXPECT_EQ(*Numeric(value).to_int64(), value);
  }
  EXPECT_EQ(*Numeric::parse("5.00")->to_int64(), 5);
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "0.5", "5.01", "NaN", "Infinity"}) {
    EXPECT_FALSE(Numeric::parse(text)->to_int64().ok()) << text;
  }
}

TEST(Numeric, DoublesConvertToTheNearest) {
  EXPECT_EQ(Numeric::from_double(0.1).to_string(), "0.1");
  EXPECT_EQ(Numeric::from_double(1e22).to_string(), "10000000000000000000000");
  EXPECT_TRUE(Numeric::from_double(std::nan("")).is_nan());
  EXPECT_EQ(Numeric::from_double(-HUGE_VAL).to_string(), "-Infinity");
  EXPECT_EQ(Numeric::parse("0.1")->to_double(), 0.1);
  EXPECT_EQ(Numeric::parse("1e400")->to_double(), HUGE_VAL);
  EXPECT_EQ(Numeric::parse("-1e-400")->to_double(), 0.0);
  EXPECT_TRUE(std::isnan(Numeric::nan().to_double()));
}

TEST(Numeric, ComparesByValueAsPostgresDoes) {
  const auto n = [](const char* text) { return *Numeric::parse(text); };
  EXPECT_EQ(n("1.5"), n("1.50"));
  EXPECT_LT(n("-2"), n("-1"));
  EXPECT_LT(n("-1"), n("0"));
  EXPECT_LT(n("0.0001"), n("0.001"));
  EXPECT_LT(n("9999"), n("10000"));
  EXPECT_LT(n("10000"), n("10000.1"));
  EXPECT_LT(n("-Infinity"), n("-1e100"));
  EXPECT_LT(n("1e100"), n("Infinity"));
  EXPECT_LT(n("Infinity"), n("NaN"));
  EXPECT_EQ(n("NaN"), n("NaN"));
}

TEST(Numeric, TornOrWrongBytesAreMalformed) {
  const std::string good = encoded(*Numeric::parse("12345.678"));
  Numeric value;
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(Numeric::decode(good.substr(0, n), value), DecodeStatus::malformed) << n;
  }
  std::string digit_too_large = good;
  digit_too_large[8] = 0x27;
  digit_too_large[9] = 0x10;  // 10000
  EXPECT_EQ(Numeric::decode(digit_too_large, value), DecodeStatus::malformed);
  std::string wrong_sign = good;
  wrong_sign[4] = 0x12;
  EXPECT_EQ(Numeric::decode(wrong_sign, value), DecodeStatus::malformed);
}

}  // namespace
}  // namespace switchyard
