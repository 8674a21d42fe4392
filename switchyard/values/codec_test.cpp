#include <switchyard/values/codecs.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using namespace std::string_literals;
using testing::decoded;
using testing::decoded_text;
using testing::encoded;

TEST(Integers, WidenButNeverNarrow) {
  EXPECT_EQ(decoded<std::int64_t>(encoded(std::int16_t{-3}), oids::int2), -3);
  EXPECT_EQ(decoded<std::int64_t>(encoded(std::int32_t{-3}), oids::int4), -3);
  EXPECT_EQ(decoded<std::int64_t>(encoded(std::uint32_t{4'000'000'000}), oids::oid), 4'000'000'000);
  EXPECT_EQ(decoded<std::int32_t>(encoded(std::int16_t{-3}), oids::int2), -3);
  EXPECT_FALSE(Codec<std::int32_t>::accepts(oids::int8));
  EXPECT_FALSE(Codec<std::int16_t>::accepts(oids::int4));
  EXPECT_FALSE(Codec<std::int64_t>::accepts(oids::numeric));
  EXPECT_FALSE(Codec<std::int64_t>::accepts(oids::float8));
  EXPECT_FALSE(Codec<std::int32_t>::accepts(oids::bool_));
  EXPECT_FALSE(Codec<std::uint32_t>::accepts(oids::int4));
  EXPECT_FALSE(Codec<float>::accepts(oids::float8));
  EXPECT_FALSE(Codec<float>::accepts(oids::int4));
  EXPECT_FALSE(Codec<double>::accepts(oids::int8));
  EXPECT_FALSE(Codec<double>::accepts(oids::numeric));
}

TEST(Integers, TheirExtremesSurviveBothFormats) {
  for (std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(decoded<std::int64_t>(encoded(value), oids::int8), value);
    EXPECT_EQ(decoded_text<std::int64_t>(std::to_string(value), oids::int8), value);
  }
  EXPECT_EQ(decoded_text<std::int64_t>("9223372036854775808", oids::int8), std::nullopt);
  EXPECT_EQ(decoded_text<std::int16_t>("12x", oids::int2), std::nullopt);
  EXPECT_EQ(decoded<std::int32_t>("\0\0\1"s, oids::int4), std::nullopt);
}

TEST(Floats, AnyBitPatternSurvives) {
  for (double value : {0.0, -0.0, 5e-324, 1.7976931348623157e308, HUGE_VAL, -HUGE_VAL, 0.1}) {
    const auto back = decoded<double>(encoded(value), oids::float8);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*back), std::bit_cast<std::uint64_t>(value));
  }
  EXPECT_TRUE(std::isnan(*decoded<double>(encoded(std::nan("")), oids::float8)));
  EXPECT_TRUE(std::isnan(*decoded_text<double>("NaN", oids::float8)));
  EXPECT_EQ(decoded_text<double>("-Infinity", oids::float8), -HUGE_VAL);
  EXPECT_EQ(decoded<double>(encoded(0.1F), oids::float4), static_cast<double>(0.1F));
  EXPECT_EQ(decoded_text<double>("0.1", oids::float4), static_cast<double>(0.1F));
  EXPECT_EQ(decoded<double>(encoded(std::int32_t{7}), oids::int4), 7.0);
}

TEST(Text, ComesFromEveryTextTypeAndLosesTheVersionOfJsonb) {
  for (Oid type : {oids::text, oids::varchar, oids::bpchar, oids::name, oids::char_, oids::json, oids::unknown}) {
    EXPECT_EQ(decoded<std::string>("é", type), "é") << type_name(type);
  }
  EXPECT_EQ(decoded<std::string>("\1{}", oids::jsonb), "{}");
  EXPECT_EQ(decoded<Json>("\1{\"a\":1}", oids::jsonb), Json{"{\"a\":1}"});
  EXPECT_EQ(decoded<std::string>("\2{}", oids::jsonb), std::nullopt);
  EXPECT_EQ(decoded<std::string>("", oids::jsonb), std::nullopt);
  EXPECT_EQ(decoded<std::string>("a\0b"s, oids::text), "a\0b"s);
  EXPECT_FALSE(Codec<std::string>::accepts(oids::uuid));
  EXPECT_FALSE(Codec<std::string>::accepts(oids::int4));
  EXPECT_FALSE(Codec<Json>::accepts(oids::text));
}

TEST(Text, ViewsPointIntoTheRow) {
  const std::string bytes = "some text";
  EXPECT_EQ(decoded<std::string_view>(bytes, oids::text)->data(), bytes.data());
  EXPECT_EQ(decoded<std::span<const std::byte>>(bytes, oids::bytea)->size(), 9U);
}

TEST(Bytea, IsReadFromBothTextForms) {
  const Bytes bytes(ByteView("\0\xFF\\a", 4));
  EXPECT_EQ(decoded<Bytes>(encoded(bytes), oids::bytea), bytes);
  EXPECT_EQ(decoded_text<Bytes>("\\x00ff5C61", oids::bytea), bytes);
  EXPECT_EQ(decoded_text<Bytes>("\\000\\377\\\\a", oids::bytea), bytes);
  EXPECT_EQ(decoded_text<Bytes>("\\x0", oids::bytea), std::nullopt);
  EXPECT_EQ(decoded_text<Bytes>("\\400", oids::bytea), std::nullopt);
  EXPECT_EQ(decoded_text<Bytes>("\\", oids::bytea), std::nullopt);
}

TEST(Uuids, AreReadInEveryFormTheServerReads) {
  const auto id = Uuid::parse("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->to_string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  for (const char* same : {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
                           "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"}) {
    EXPECT_EQ(*Uuid::parse(same), *id) << same;
  }
  for (const char* wrong : {"", "a0eebc99", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
                            "g0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11-",
                            "-a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a1100"}) {
    EXPECT_FALSE(Uuid::parse(wrong).ok()) << wrong;
  }
  EXPECT_EQ(decoded<Uuid>(encoded(*id), oids::uuid), *id);
}

TEST(Addresses, AreWrittenAsTheServerWritesThem) {
  for (const char* text : {"192.168.0.1", "10.0.0.0/8", "0.0.0.0/0", "::", "::1", "2001:db8::1", "2001:db8::/32",
                           "::ffff:1.2.3.4", "1:0:0:2::3", "fe80::1:2:3:4/64", "::1.2.3.4"}) {
    const auto parsed = Inet::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->to_string(), text);
    EXPECT_EQ(decoded<Inet>(encoded(*parsed), oids::inet), *parsed);
  }
  EXPECT_EQ(decoded_text<Inet>("10.0.0.0/8", oids::cidr)->is_network, true);
  for (const char* wrong : {"", "1.2.3", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/x", "x"}) {
    EXPECT_FALSE(Inet::parse(wrong).ok()) << wrong;
  }
  EXPECT_EQ(MacAddress::parse("08002b-010203")->to_string(), "08:00:2b:01:02:03");
  EXPECT_EQ(MacAddress8::parse("08:00:2b:01:02:03:04:05")->to_string(), "08:00:2b:01:02:03:04:05");
  EXPECT_FALSE(MacAddress::parse("08:00:2b:01:02").ok());
}

TEST(Lsns, AreTwoHexadecimalHalves) {
  EXPECT_EQ(Lsn::parse("16/B374D848")->value, 0x16B374D848ULL);
  EXPECT_EQ(Lsn{0x16B374D848ULL}.to_string(), "16/B374D848");
  EXPECT_EQ(Lsn{}.to_string(), "0/0");
  for (const char* wrong : {"", "16", "16/", "/1", "1/123456789", "1/2/3", "g/1"})
    EXPECT_FALSE(Lsn::parse(wrong).ok());
}

TEST(BitStrings, KeepTheirLength) {
  for (const char* bits : {"", "1", "10110", "10110011", "101100111"}) {
    EXPECT_EQ(decoded<BitString>(encoded(BitString{bits}), oids::varbit)->bits, bits);
  }
  BitString value;
  EXPECT_EQ(Codec<BitString>::decode("\x7F\xFF\xFF\xFF\0"s, oids::bit, value), DecodeStatus::malformed);
  base::WriteBuffer out;
  EXPECT_EQ(Codec<BitString>::encode(out, BitString{"102"}), EncodeStatus::out_of_range);
}

enum class Mood { sad, ok, happy };
struct OrderId {
  std::int64_t number = 0;
  bool operator==(const OrderId&) const = default;
};
enum class Priority : std::int32_t { low = 1, high = 2 };

}  // namespace

template <>
struct EnumLabels<Mood> {
  static constexpr std::pair<Mood, std::string_view> labels[] = {{Mood::sad, "sad"}, {Mood::ok, "ok"}};
};
template <>
struct ValueTrait<OrderId> {
  using Value = std::int64_t;
  static Value to_value(const OrderId& id) { return id.number; }
  static OrderId from_value(Value number) { return {number}; }
};
template <>
struct ValueTrait<Priority> {
  using Value = std::int32_t;
  static Value to_value(Priority priority) { return static_cast<Value>(priority); }
  static Priority from_value(Value number) { return static_cast<Priority>(number); }
};

namespace {

TEST(UserTypes, AnEnumTravelsByItsLabels) {
  EXPECT_EQ(encoded(Mood::ok), "ok");
  EXPECT_EQ(decoded<Mood>("sad", 16500), Mood::sad);
  EXPECT_EQ(decoded<Mood>("sad", oids::text), Mood::sad);
  EXPECT_FALSE(Codec<Mood>::accepts(oids::int4));
  Mood mood;
  EXPECT_EQ(Codec<Mood>::decode("furious", 16500, mood), DecodeStatus::unknown_label);
  base::WriteBuffer out;
  EXPECT_EQ(Codec<Mood>::encode(out, Mood::happy), EncodeStatus::unknown_label);
}

TEST(UserTypes, ATraitMakesATypeTravelAsAnother) {
  static_assert(Codec<OrderId>::oid == oids::int8);
  EXPECT_EQ(decoded<OrderId>(encoded(OrderId{7}), oids::int8), OrderId{7});
  EXPECT_EQ(decoded<OrderId>(encoded(std::int32_t{7}), oids::int4), OrderId{7});
  EXPECT_EQ(decoded_text<Priority>("2", oids::int4), Priority::high);
  EXPECT_EQ((decoded<std::vector<OrderId>>(encoded(std::vector<OrderId>{{1}, {2}}), 1016)),
            (std::vector<OrderId>{{1}, {2}}));
}

struct Price {
  Numeric amount;
  std::optional<std::string> currency;
  bool operator==(const Price&) const = default;
};

TEST(Composites, AStructIsReadByPositionFromBothFormats) {
  base::WriteBuffer record;
  record.put_i32(2);
  const auto put = [&record](Oid type, std::optional<std::string> bytes) {
    record.put_u32(type);
    record.put_i32(bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
    if (bytes) record.put(*bytes);
  };
  put(oids::numeric, encoded(*Numeric::parse("1.50")));
  put(oids::text, std::nullopt);
  EXPECT_EQ(decoded<Price>(record.view(), 16600), (Price{*Numeric::parse("1.50"), std::nullopt}));
  EXPECT_EQ(decoded_text<Price>("(1.50,)", 16600), (Price{*Numeric::parse("1.50"), std::nullopt}));
  EXPECT_EQ(decoded_text<Price>("(1.50,\"a, \"\"b\"\" \\\\c\")", 16600),
            (Price{*Numeric::parse("1.50"), "a, \"b\" \\c"}));
  EXPECT_EQ(decoded_text<Price>("(1.50,\"\")", 16600), (Price{*Numeric::parse("1.50"), ""}));
  for (const char* wrong : {"", "(", "(1.5)", "(1.5,a", "(1.5,a,b)", "1.5,a", "(1.5,a)x", "(1.5,\"a)"}) {
    EXPECT_EQ(decoded_text<Price>(wrong, 16600), std::nullopt) << wrong;
  }
  const std::string whole(record.view());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(decoded<Price>(std::string_view(whole).substr(0, n), 16600), std::nullopt) << n;
  }
}

TEST(Composites, AFieldOfAnotherTypeIsAnError) {
  base::WriteBuffer record;
  record.put_i32(2);
  record.put_u32(oids::float8);
  record.put_i32(8);
  record.put_i64(0);
  record.put_u32(oids::text);
  record.put_i32(-1);
  Price price;
  EXPECT_EQ(Codec<Price>::decode(record.view(), 16600, price), DecodeStatus::element_type);
  EXPECT_EQ(Codec<Price>::decode("\0\0\0\0"s, 16600, price), DecodeStatus::field_count);
}

TEST(Types, NamesAreThoseOfTheCatalogue) {
  EXPECT_EQ(type_name(oids::int4), "int4");
  EXPECT_EQ(type_name(1007), "int4[]");
  EXPECT_EQ(type_name(oids::timestamptz), "timestamptz");
  EXPECT_EQ(type_name(16399), "user type 16399");
  EXPECT_EQ(result_format_for(oids::int4), Format::binary);
  EXPECT_EQ(result_format_for(oids::money), Format::text);
  EXPECT_EQ(result_format_for(oids::regclass), Format::text);
  EXPECT_EQ(result_format_for(16399), Format::text);
}

}  // namespace
}  // namespace switchyard
