#include <switchyard/values/render.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <switchyard/values/row.hpp>
#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using namespace std::string_literals;
using testing::describe_columns;
using testing::encoded;
using testing::RowBytes;
using testing::text_of;

template <class Float>
std::string float_text(Float value) {
  std::string out;
  values::append_float(out, value);
  return out;
}

TEST(AppendText, FloatsAreTheShortestThatReadBackAndSpelledAsTheServerDoes) {
  EXPECT_EQ(float_text(0.1), "0.1");
  EXPECT_EQ(float_text(-0.0), "-0");
  EXPECT_EQ(float_text(1e15), "1e+15");
  EXPECT_EQ(float_text(123456789012345.0), "123456789012345");
  EXPECT_EQ(float_text(0.0001), "0.0001");
  EXPECT_EQ(float_text(0.00001), "1e-05");
  EXPECT_EQ(float_text(5e-324), "5e-324");
  EXPECT_EQ(float_text(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(float_text(1e6F), "1e+06");
  EXPECT_EQ(float_text(999999.0F), "999999");
  EXPECT_EQ(float_text(0.1F), "0.1");
  EXPECT_EQ(float_text(std::nan("")), "NaN");
  EXPECT_EQ(float_text(-HUGE_VAL), "-Infinity");
}

TEST(AppendText, ADecimalHalfWayBetweenTwoFloatsIsNotPrinted) {
  EXPECT_EQ(float_text(1e23), "9.999999999999999e+22");
  EXPECT_EQ(float_text(9007199254740993.0), "9.007199254740992e+15");
}

TEST(AppendText, UnknownTypesAndTornBytesAppendNothing) {
  std::string out = "before";
  EXPECT_FALSE(append_text(out, oids::int4, "\0\0"));
  EXPECT_FALSE(append_text(out, oids::money, "12345678"));
  EXPECT_FALSE(append_text(out, 1007, "\0\0\0\1\0\0\0\0"s));
  EXPECT_FALSE(append_text(out, 16500, "\0\0\0\1"s));
  EXPECT_EQ(out, "before");
  EXPECT_TRUE(append_text(out, 16500, " label"));
  EXPECT_EQ(out, "before label");
}

TEST(AppendText, EndlessNestingIsRefused) {
  // A record in a record in a record ...
  std::string record = "\0\0\0\0"s;
  for (int i = 0; i < 10000; ++i) {
    base::WriteBuffer outer;
    outer.put_i32(1);
    outer.put_u32(oids::record);
    outer.put_i32(static_cast<std::int32_t>(record.size()));
    outer.put(record);
    record = std::string(outer.view());
  }
  EXPECT_EQ(text_of(oids::record, record), "(no text)");
  std::string json;
  append_json(json, oids::record, Format::binary, record);
  EXPECT_TRUE(is_valid_json(json));
}

std::string json_of(Oid type, std::string_view bytes, Format format = Format::binary) {
  std::string out;
  append_json(out, type, format, bytes);
  EXPECT_TRUE(is_valid_json(out)) << out;
  return out;
}

TEST(AppendJson, TypesOfJsonAreUsedWhereTheyFit) {
  EXPECT_EQ(json_of(oids::int4, encoded(std::int32_t{-5})), "-5");
  EXPECT_EQ(json_of(oids::bool_, encoded(true)), "true");
  EXPECT_EQ(json_of(oids::float8, encoded(1e300)), "1e+300");
  EXPECT_EQ(json_of(oids::float8, encoded(HUGE_VAL)), "\"Infinity\"");
  EXPECT_EQ(json_of(oids::numeric, encoded(*Numeric::parse("1.50"))), "1.50");
  EXPECT_EQ(json_of(oids::numeric, encoded(Numeric::nan())), "\"NaN\"");
  EXPECT_EQ(json_of(oids::jsonb, "\1{\"a\": [1, null]}"), "{\"a\": [1, null]}");
  EXPECT_EQ(json_of(oids::bytea, "\xFF"), "\"\\\\xff\"");
  EXPECT_EQ(json_of(oids::text, "a\"\\\n\x01é"), "\"a\\\"\\\\\\n\\u0001é\"");
  EXPECT_EQ(json_of(oids::timestamp, encoded(*Timestamp::parse("2024-01-02 03:04:05.5"))),
            "\"2024-01-02T03:04:05.5\"");
  EXPECT_EQ(json_of(oids::timestamptz, encoded(TimestampTz::from_microseconds(0))),
            "\"2000-01-01T00:00:00+00:00\"");
  EXPECT_EQ(json_of(oids::timestamptz, encoded(TimestampTz::infinity())), "\"infinity\"");
  EXPECT_EQ(json_of(1007, encoded(std::vector<std::optional<int>>{1, std::nullopt})), "[1,null]");
  EXPECT_EQ(json_of(1009, "{a,\"b c\",NULL}", Format::text), "[\"a\",\"b c\",null]");
  EXPECT_EQ(json_of(1007, "[0:1][1:2]={{1,2},{3,4}}", Format::text), "[[1,2],[3,4]]");
  EXPECT_EQ(json_of(oids::bool_, "t", Format::text), "true");
  EXPECT_EQ(json_of(oids::timestamptz, "2024-01-02 03:04:05-07", Format::text), "\"2024-01-02T03:04:05-07:00\"");
  EXPECT_EQ(json_of(oids::timestamptz, "0044-03-15 12:00:00+00 BC", Format::text),
            "\"0044-03-15T12:00:00+00:00 BC\"");
  EXPECT_EQ(json_of(oids::int4range, encoded(Range<int>::half_open(1, 5))), "\"[1,5)\"");
}

TEST(AppendJson, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(json_of(oids::text, "a\xFF\xC0\x80z"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
  EXPECT_EQ(json_of(oids::text, "\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_of(oids::json, "{\"a\":\"\xFF\"}"), "\"\\\\x7b2261223a22ff227d\"");
  EXPECT_EQ(json_of(oids::json, "{not json"), "\"{not json\"");
}

TEST(Utf8, WhatPostgresRefusesIsRefused) {
  EXPECT_TRUE(is_valid_utf8("plain text that is longer than eight, é, €, 𝄞"));
  for (const char* wrong : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "12345678\xFF"}) {
    EXPECT_FALSE(is_valid_utf8(wrong));
  }
}

TEST(JsonChecker, KnowsJsonFromWhatIsNearlyJson) {
  for (const char* good :
       {"0", "-1.5e+3", "\"\\u00e9\\n\"", "[]", "{}", " [1, {\"a\": [true, false, null]}] ", "[[[]]]"}) {
    EXPECT_TRUE(is_valid_json(good)) << good;
  }
  for (const char* wrong : {"",        " ",        "01",       "1.",         ".5",          "+1",   "1e",   "NaN",
                            "nul",     "\"",       "\"\x01\"", "\"\\x\"",    "\"\\u12g4\"", "[1,]", "[,1]", "[1 2]",
                            "{\"a\"}", "{\"a\":}", "{a:1}",    "{\"a\":1,}", "[1]]",        "[1",   "{} {}"}) {
    EXPECT_FALSE(is_valid_json(wrong)) << wrong;
  }
  EXPECT_FALSE(is_valid_json(std::string(1'000'000, '[')));
  EXPECT_TRUE(is_valid_json(std::string(100'000, '[') + std::string(100'000, ']')));
}

class UntypedRow : public ::testing::Test {
 protected:
  UntypedRow() {
    RowBytes bytes;
    bytes.value(std::int64_t{42}).null().value(std::vector<std::int32_t>{1, 2}).raw("a").raw("b").raw("12.5");
    row = Row(describe_columns({{"id", oids::int8},
                                {"name", oids::text},
                                {"list", 1007},
                                {"x", oids::text},
                                {"x", oids::text},
                                {"price", oids::numeric, Format::text}}),
              bytes.view());
  }
  Row row;
};

std::string what(const auto& result) { return result.ok() ? "no failure" : result.error().what(); }

TEST_F(UntypedRow, IsReadByNameAndByPosition) {
  EXPECT_EQ(row.get<std::int64_t>("id"), 42);
  EXPECT_EQ(row.get<std::int64_t>(0), 42);
  EXPECT_EQ(row.get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(row.get<std::vector<std::int32_t>>("list"), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(row.get<Numeric>("price").to_string(), "12.5");
  EXPECT_EQ(row.get<std::string>(4), "b");
  EXPECT_TRUE(row.is_null(1));
  EXPECT_EQ(row.text("list"), "{1,2}");
  EXPECT_EQ(row.text("name"), std::nullopt);
}

TEST_F(UntypedRow, MistakesSayWhatIsThere) {
  EXPECT_EQ(what(row.try_get<std::int64_t>("idd")),
            "the row has no column 'idd'; it has: id, name, list, x, x, price (hint: did you mean 'id'?)");
  EXPECT_EQ(what(row.try_get<std::int32_t>("id")),
            "column 'id' is int8, but std::int32_t was asked for (hint: std::int64_t fits)");
  EXPECT_EQ(what(row.try_get<std::string>("name")),
            "column 'name' (text) is NULL, but std::string was asked for (hint: use std::optional<std::string>)");
  EXPECT_EQ(
      what(row.try_get<std::string>("x")),
      "columns 4 and 5 of the row are both named 'x' (hint: read them by position, or name one of them with AS)");
  EXPECT_EQ(what(row.try_get<std::string>(6)), "the row has 6 columns, there is no index 6");
  EXPECT_THROW((void)row.get<std::string>("nothing"), Error);
}

TEST_F(UntypedRow, BecomesJson) {
  EXPECT_EQ(row.to_json(), "{\"id\":42,\"name\":null,\"list\":[1,2],\"x\":\"a\",\"x\":\"b\",\"price\":12.5}");
}

TEST_F(UntypedRow, OwnsItsBytesAndCopies) {
  Row copy = row;
  const Row moved = std::move(row);
  copy = moved;
  EXPECT_EQ(copy.to_json(), moved.to_json());
  EXPECT_EQ(Row().to_json(), "{}");
}

TEST_F(UntypedRow, ATornRowIsRefused) {
  MapError problem;
  const auto columns = describe_columns({{"a", oids::text}, {"b", oids::text}});
  RowBytes one;
  EXPECT_FALSE(row.assign(columns, one.raw("x").view(), problem));
  EXPECT_FALSE(row.assign(columns, protocol::RowView("\0\0\0\1x\0\0\0\5y"s, 2), problem));
  EXPECT_EQ(problem.status, DecodeStatus::malformed);
  EXPECT_EQ(row.get<std::int64_t>("id"), 42) << "what was there before stays";
}

TEST_F(UntypedRow, FormatsAreBinaryWhereTheTextIsKnown) {
  const auto columns = describe_columns({{"a", oids::int4, Format::text}, {"b", oids::regclass, Format::text}});
  const auto formats = result_formats_for(*columns);
  EXPECT_EQ(formats, (std::vector<std::int16_t>{1, 0}));
  const auto asked = with_formats(*columns, formats);
  EXPECT_EQ((*asked)[0].format, 1);
  EXPECT_EQ((*asked)[1].format, 0);
  EXPECT_EQ((*asked)[0].name, "a");
}

}  // namespace
}  // namespace switchyard
