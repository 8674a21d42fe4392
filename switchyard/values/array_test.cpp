#include <switchyard/values/array.hpp>

#include <gtest/gtest.h>

#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using namespace std::string_literals;
using testing::decoded;
using testing::decoded_text;
using testing::encoded;

constexpr Oid kInt2Array = 1005, kInt4Array = 1007, kInt8Array = 1016, kTextArray = 1009, kBoolArray = 1000,
              kFloat8Array = 1022;

TEST(Arrays, NumbersGoThroughTheFastPath) {
  std::vector<std::int32_t> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(i * 7919 - 500);
  EXPECT_EQ(decoded<std::vector<std::int32_t>>(encoded(numbers), kInt4Array), numbers);
  EXPECT_EQ(decoded<std::vector<std::int64_t>>(encoded(numbers), kInt4Array),
            std::vector<std::int64_t>(numbers.begin(), numbers.end()));
  const std::vector<double> doubles{0.5, -1e300, 0};
  EXPECT_EQ(decoded<std::vector<double>>(encoded(doubles), kFloat8Array), doubles);
  const std::vector<std::int16_t> shorts{1, -2, 3};
  EXPECT_EQ(decoded<std::vector<std::int16_t>>(encoded(shorts), kInt2Array), shorts);
  EXPECT_FALSE(Codec<std::vector<std::int32_t>>::accepts(kInt8Array));
  EXPECT_FALSE(Codec<std::vector<std::int32_t>>::accepts(oids::int4));
}

TEST(Arrays, ANullNeedsAnOptionalElement) {
  const std::vector<std::optional<std::int32_t>> numbers{1, std::nullopt, 3};
  const std::string bytes = encoded(numbers);
  EXPECT_EQ(decoded<std::vector<std::optional<std::int32_t>>>(bytes, kInt4Array), numbers);
  std::vector<std::int32_t> plain;
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode(bytes, kInt4Array, plain), DecodeStatus::null_element);
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode_text("{1,NULL,3}", kInt4Array, plain),
            DecodeStatus::null_element);
  EXPECT_EQ(decoded_text<std::vector<std::optional<std::int32_t>>>("{1,NULL,3}", kInt4Array), numbers);
}

TEST(Arrays, EmptyOnesHaveNoDimensions) {
  EXPECT_EQ(encoded(std::vector<std::int32_t>()), "\0\0\0\0\0\0\0\0\0\0\0\x17"s);
  EXPECT_EQ(decoded<std::vector<std::int32_t>>(encoded(std::vector<std::int32_t>()), kInt4Array)->size(), 0U);
  EXPECT_EQ(decoded_text<std::vector<std::string>>("{}", kTextArray)->size(), 0U);
  EXPECT_EQ(encoded(std::vector<std::string>()), "{}");
  EXPECT_EQ(decoded_text<Array<std::int32_t>>("{}", kInt4Array), Array<std::int32_t>());
}

TEST(Arrays, TextElementsAreQuotedWhereTheyMustBe) {
  const std::vector<std::string> texts{"plain", "",      "NULL",        "nUlL", "a b", "{x}",
                                       "c,d",   "\"q\"", "back\\slash", "\t",   "é"};
  const std::string literal = encoded(texts);
  EXPECT_EQ(literal,
            "{plain,\"\",\"NULL\",\"nUlL\",\"a b\",\"{x}\",\"c,d\",\"\\\"q\\\"\",\"back\\\\slash\",\"\t\",é}");
  EXPECT_EQ(decoded_text<std::vector<std::string>>(literal, kTextArray), texts);
}

TEST(Arrays, BoolsAndBytesWork) {
  const std::vector<bool> flags{true, false, true};
  EXPECT_EQ(decoded<std::vector<bool>>(encoded(flags), kBoolArray), flags);
  EXPECT_EQ(decoded_text<std::vector<bool>>("{t,f,t}", kBoolArray), flags);
  const std::vector<Bytes> bytes{Bytes(ByteView("a")), Bytes()};
  EXPECT_EQ(decoded<std::vector<Bytes>>(encoded(bytes), 1001), bytes);
}

TEST(Arrays, SeveralDimensionsAndLowerBoundsNeedArray) {
  Array<std::int32_t> square;
  square.dimensions = {{2, 1}, {3, -1}};
  square.elements = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(decoded<Array<std::int32_t>>(encoded(square), kInt4Array), square);
  EXPECT_EQ(decoded_text<Array<std::int32_t>>("[1:2][-1:1]={{1,2,3},{4,5,6}}", kInt4Array), square);
  std::vector<std::int32_t> flat;
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode(encoded(square), kInt4Array, flat), DecodeStatus::dimensions);
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode_text("{{1}}", kInt4Array, flat), DecodeStatus::dimensions);
  Array<std::string> texts;
  texts.dimensions = {{2, 0}, {1, 1}};
  texts.elements = {"a b", "c"};
  EXPECT_EQ(encoded(texts), "[0:1][1:1]={{\"a b\"},{c}}");
  square.elements.pop_back();
  base::WriteBuffer out;
  EXPECT_EQ(Codec<Array<std::int32_t>>::encode(out, square), EncodeStatus::not_rectangular);
}

TEST(Arrays, WhatIsNoLiteralIsRefused) {
  for (const char* wrong : {"", "{", "}", "{1", "{1,}", "{,1}", "{1}}", "{{1},{2,3}}", "{{1},2}", "{1} x", "1",
                            "{\"1}", "[1:2={1}", "[x:2]={1,2}", "{{{{{{{1}}}}}}}", "{1\\", "{a{b}"}) {
    EXPECT_EQ(decoded_text<Array<std::string>>(wrong, kTextArray), std::nullopt) << wrong;
  }
}

TEST(Arrays, ForgedCountsDoNotAllocate) {
  // One dimension of 2^31-1 elements, and no bytes for them; six of 65535 whose product overflows.
  std::vector<std::int32_t> numbers;
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode("\0\0\0\1\0\0\0\0\0\0\0\x17\x7F\xFF\xFF\xFF\0\0\0\1"s,
                                                     kInt4Array, numbers),
            DecodeStatus::malformed);
  std::string six = "\0\0\0\6\0\0\0\0\0\0\0\x17"s;
  for (int i = 0; i < 6; ++i) six += "\0\0\xFF\xFF\0\0\0\1"s;
  EXPECT_EQ(Codec<std::vector<std::int32_t>>::decode(six, kInt4Array, numbers), DecodeStatus::malformed);
  EXPECT_EQ(numbers.capacity(), 0U);
}

TEST(Arrays, TornBytesAreMalformed) {
  const std::string good = encoded(std::vector<std::int64_t>{1, 2, 3});
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(decoded<std::vector<std::int64_t>>(good.substr(0, n), kInt8Array), std::nullopt) << n;
  }
}

TEST(Arrays, CatalogueVectorsAreReadToo) {
  EXPECT_EQ(decoded_text<std::vector<std::int16_t>>("1 2 3", oids::int2vector),
            (std::vector<std::int16_t>{1, 2, 3}));
  EXPECT_EQ(decoded_text<std::vector<std::uint32_t>>("", oids::oidvector), std::vector<std::uint32_t>());
}

TEST(Ranges, EveryShapeSurvivesBothFormats) {
  const std::pair<Range<std::int32_t>, const char*> cases[] = {
      {Range<std::int32_t>::half_open(1, 5), "[1,5)"},
      {Range<std::int32_t>::closed(-3, 7), "[-3,7]"},
      {Range<std::int32_t>::empty(), "empty"},
      {Range<std::int32_t>{std::nullopt, 5, false, false, false}, "(,5)"},
      {Range<std::int32_t>{5, std::nullopt, true, false, false}, "[5,)"},
      {Range<std::int32_t>{std::nullopt, std::nullopt, false, false, false}, "(,)"}};
  for (const auto& [range, text] : cases) {
    EXPECT_EQ(decoded<Range<std::int32_t>>(encoded(range), oids::int4range), range) << text;
    EXPECT_EQ(decoded_text<Range<std::int32_t>>(text, oids::int4range), range) << text;
    EXPECT_EQ(testing::text_of(oids::int4range, encoded(range)), text);
  }
  const auto days = Range<Timestamp>::half_open(*Timestamp::parse("2024-01-01 00:00:00"), Timestamp::infinity());
  EXPECT_EQ(testing::text_of(oids::tsrange, encoded(days)), "[\"2024-01-01 00:00:00\",infinity)");
  EXPECT_EQ(decoded_text<Range<Timestamp>>("[\"2024-01-01 00:00:00\",infinity)", oids::tsrange), days);
  EXPECT_FALSE(Codec<Range<std::int32_t>>::accepts(oids::int8range));
  EXPECT_TRUE(Codec<Range<std::int64_t>>::accepts(oids::int4range));
  for (const char* wrong : {"", "[1", "[1,2", "1,2)", "[1,2)x", "[1;2)", "[x,2)"}) {
    EXPECT_EQ(decoded_text<Range<std::int32_t>>(wrong, oids::int4range), std::nullopt) << wrong;
  }
}

TEST(Ranges, MultirangesAreListsOfRanges) {
  const Multirange<std::int64_t> multi{
      {Range<std::int64_t>::half_open(1, 3), Range<std::int64_t>{7, std::nullopt, true, false, false}}};
  EXPECT_EQ(decoded<Multirange<std::int64_t>>(encoded(multi), oids::int8multirange), multi);
  EXPECT_EQ(testing::text_of(oids::int8multirange, encoded(multi)), "{[1,3),[7,)}");
  EXPECT_EQ(decoded_text<Multirange<std::int64_t>>("{[1,3),[7,)}", oids::int8multirange), multi);
  EXPECT_EQ(decoded_text<Multirange<std::int64_t>>("{}", oids::int8multirange), Multirange<std::int64_t>());
  for (const char* wrong : {"", "{", "{[1,3)", "{[1,3),}", "{[1,3)[4,5)}"}) {
    EXPECT_EQ(decoded_text<Multirange<std::int64_t>>(wrong, oids::int8multirange), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace switchyard
