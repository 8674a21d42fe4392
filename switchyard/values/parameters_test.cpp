#include <switchyard/values/parameters.hpp>

#include <gtest/gtest.h>

#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using namespace std::string_literals;

TEST(Parameters, NumbersGoInBinaryUnderTheirTypeAndStringsAsTextOfUnspecifiedType) {
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(std::int32_t{7}, "seven", std::string("x"), true).ok());
  EXPECT_EQ(parameters.size(), 4U);
  EXPECT_EQ(std::vector<Oid>(parameters.types().begin(), parameters.types().end()),
            (std::vector<Oid>{oids::int4, 0, 0, oids::bool_}));
  const std::string expected = "\0\4\0\1\0\0\0\0\0\1"s +  // formats
                               "\0\4"s +                  // parameters
                               "\0\0\0\4\0\0\0\7"s + "\0\0\0\5seven"s + "\0\0\0\1x"s + "\0\0\0\1\1"s;
  EXPECT_EQ(std::string(parameters.bind_section()), expected);
}

TEST(Parameters, OneFormatCodeStandsForAllWhenTheyAgree) {
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(std::int16_t{1}, std::int16_t{2}).ok());
  EXPECT_EQ(std::string(parameters.bind_section()), "\0\1\0\1\0\2\0\0\0\2\0\1\0\0\0\2\0\2"s);
  EXPECT_EQ(parameters.formats().size(), 2U);
}

TEST(Parameters, TheValuesBeginBehindTheFormatsThatAreSent) {
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(std::int16_t{1}, true).ok());
  EXPECT_EQ(std::string(parameters.value_bytes()), "\0\0\0\2\0\1\0\0\0\1\1"s);
  ASSERT_TRUE(parameters.encode(std::int16_t{1}, "x").ok());
  EXPECT_EQ(std::string(parameters.value_bytes()), "\0\0\0\2\0\1\0\0\0\1x"s);
  ASSERT_TRUE(parameters.encode().ok());
  EXPECT_EQ(parameters.value_bytes(), ByteView());
}

TEST(Parameters, NoParametersAreFourZeroBytes) {
  Parameters parameters;
  EXPECT_EQ(std::string(parameters.bind_section()), "\0\0\0\0"s);
  ASSERT_TRUE(parameters.encode().ok());
  EXPECT_EQ(std::string(parameters.bind_section()), "\0\0\0\0"s);
}

TEST(Parameters, NullHasTheTypeOfItsOptionalOrNone) {
  Parameters parameters;
  const char* nothing = nullptr;
  ASSERT_TRUE(parameters.encode(nullptr, std::nullopt, std::optional<std::int64_t>(), nothing).ok());
  EXPECT_EQ(std::vector<Oid>(parameters.types().begin(), parameters.types().end()),
            (std::vector<Oid>{0, 0, oids::int8, 0}));
  const std::string null = "\xFF\xFF\xFF\xFF"s;
  EXPECT_TRUE(parameters.bind_section().ends_with(null + null + null + null));
}

TEST(Parameters, TextWithAZeroByteNamesTheParameter) {
  Parameters parameters;
  const Result<void> result = parameters.encode(1, "fine", std::string("a\0b", 3));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::Usage);
  EXPECT_EQ(std::string(result.error().what()),
            "parameter $3 contains a zero byte, which PostgreSQL's text can't hold");
  EXPECT_EQ(parameters.size(), 0U);
  EXPECT_TRUE(parameters.encode(1).ok());
}

TEST(Parameters, AValueBeyondThePostgresRangeNamesTheParameter) {
  Parameters parameters;
  const auto late = std::chrono::sys_days(std::chrono::days(2'000'000'000));
  const Result<void> result = parameters.encode("x", std::chrono::sys_time<std::chrono::days>::min());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(std::string(result.error().what()), "parameter $2 is out of the range of its PostgreSQL type");
  EXPECT_TRUE(parameters.encode(late).ok());
}

TEST(Parameters, TooManyTextsAreRefusedWithTheLimit) {
  Parameters parameters;
  std::vector<std::optional<std::string_view>> texts(65536, "x");
  const Result<void> result = parameters.encode_texts(texts);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(std::string(result.error().what()).find("65535"), std::string::npos);
  texts.resize(65535);
  texts[1] = std::nullopt;
  ASSERT_TRUE(parameters.encode_texts(texts).ok());
  EXPECT_EQ(parameters.size(), 65535U);
  EXPECT_TRUE(parameters.bind_section().starts_with("\0\1\0\0\xFF\xFF\0\0\0\1x\xFF\xFF\xFF\xFF"s));
}

TEST(Parameters, ReuseKeepsTheMemory) {
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(std::string(10000, 'x')).ok());
  const std::size_t capacity = parameters.capacity();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(parameters.encode(std::string(9000, 'y'), i).ok());
  EXPECT_EQ(parameters.capacity(), capacity);
  parameters.shrink(100);
  EXPECT_EQ(parameters.capacity(), 0U);
}

TEST(Parameters, AMovedOneKeepsItsContent) {
  Parameters first;
  const std::optional<std::string_view> texts[] = {"a", std::nullopt};
  ASSERT_TRUE(first.encode_texts(texts).ok());
  const std::string bytes(first.bind_section());
  const Parameters second = std::move(first);
  EXPECT_EQ(second.bind_section(), bytes);
  EXPECT_EQ(second.types().size(), 2U);
}

struct Line {
  std::int32_t quantity;
  std::optional<std::string> note;
};

TEST(Parameters, StructsAndTuplesSpreadIntoOneParameterAMember) {
  Parameters from_struct, from_tuple;
  ASSERT_TRUE(from_struct.encode_row(Line{3, "n"}).ok());
  ASSERT_TRUE(from_tuple.encode_row(std::tuple(std::int32_t{3}, std::optional<std::string>("n"))).ok());
  EXPECT_EQ(from_struct.bind_section(), from_tuple.bind_section());
  EXPECT_EQ(from_struct.size(), 2U);
}

TEST(Parameters, AStructAsOneParameterIsACompositeLiteral) {
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(Line{3, "a \"b\""}, std::vector<Line>{{1, std::nullopt}, {2, ""}}).ok());
  const std::string bytes(parameters.bind_section());
  EXPECT_NE(bytes.find("(3,\"a \"\"b\"\"\")"), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("{\"(1,)\",\"(2,\\\"\\\")\"}"), std::string::npos) << bytes;
}

}  // namespace
}  // namespace switchyard
