#include <switchyard/values/row_mapper.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using testing::describe_columns;
using testing::RowBytes;

struct CustomsOffice {
  std::string code;
  std::optional<std::string> short_name, address;
  std::int64_t id = 0;
};

std::string failure(const auto& mapper) {
  EXPECT_FALSE(mapper.ok());
  return mapper.ok() ? "no failure" : mapper.error().what();
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(RowMapper, AStructIsFilledByTheNamesOfItsMembersInWhateverOrder) {
  const auto mapper = RowMapper<CustomsOffice>::make(describe_columns({{"address", oids::text},
                                                                       {"extra", oids::point},
                                                                       {"id", oids::int4},
                                                                       {"code", oids::varchar},
                                                                       {"short_name", oids::text}}));
  ASSERT_TRUE(mapper.ok()) << mapper.error().what();
  RowBytes row;
  row.null().raw("whatever").value(std::int32_t{-7}).raw("10702070").raw("Владивосток");
  CustomsOffice office{"old", "old", "old", 99};
  MapError problem;
  ASSERT_TRUE(mapper->decode(row.view(), office, problem));
  EXPECT_EQ(office.code, "10702070");
  EXPECT_EQ(office.short_name, "Владивосток");
  EXPECT_EQ(office.address, std::nullopt);
  EXPECT_EQ(office.id, -7);
}

TEST(RowMapper, AMissingColumnNamesTheMemberTheColumnsAndTheNearestName) {
  const std::string text = failure(RowMapper<CustomsOffice>::make(describe_columns(
      {{"code", oids::text}, {"shortname", oids::text}, {"address", oids::text}, {"id", oids::int8}})));
  EXPECT_TRUE(contains(text, "no column 'short_name' for member 'short_name' of switchyard::CustomsOffice"))
      << text;
  EXPECT_TRUE(contains(text, "std::optional<std::string>")) << text;
  EXPECT_TRUE(contains(text, "code (text), shortname (text), address (text), id (int8)")) << text;
  EXPECT_TRUE(contains(text, "did you mean 'shortname'?")) << text;
}

TEST(RowMapper, ATypeThatDoesNotFitNamesColumnBothTypesAndWhatWouldFit) {
  struct Order {
    std::int32_t id;
  };
  const std::string text = failure(RowMapper<Order>::make(describe_columns({{"id", oids::int8}})));
  EXPECT_TRUE(contains(text, "column 'id' is int8, but member 'id' of")) << text;
  EXPECT_TRUE(contains(text, "Order is std::int32_t")) << text;
  EXPECT_TRUE(contains(text, "use std::int64_t, or cast the column: id::int4")) << text;
}

TEST(RowMapper, AColumnThatOccursTwiceIsAnErrorOnlyIfAMemberAsksForIt) {
  struct Order {
    std::int64_t id;
  };
  const auto asked =
      RowMapper<Order>::make(describe_columns({{"id", oids::int8}, {"x", oids::int8}, {"id", oids::int8}}));
  EXPECT_TRUE(contains(failure(asked), "columns 1 and 3 of the result are both named 'id'"));
  EXPECT_TRUE(contains(failure(asked), "AS"));
  const auto other =
      RowMapper<Order>::make(describe_columns({{"id", oids::int8}, {"x", oids::int8}, {"x", oids::int8}}));
  EXPECT_TRUE(other.ok());
}

TEST(RowMapper, NullIntoAMemberThatIsNotOptionalNamesRowAndColumn) {
  const auto mapper = RowMapper<CustomsOffice>::make(describe_columns(
      {{"code", oids::text}, {"short_name", oids::text}, {"address", oids::text}, {"id", oids::int8}}));
  RowBytes row;
  row.null().null().null().value(std::int64_t{1});
  CustomsOffice office;
  MapError problem;
  ASSERT_FALSE(mapper->decode(row.view(), office, problem));
  const Error error = mapper->error(problem, 7);
  EXPECT_EQ(error.kind(), ErrorKind::Mapping);
  EXPECT_EQ(std::string(error.what()),
            "row 7: column 'code' (text) is NULL, but member 'code' of switchyard::CustomsOffice is std::string "
            "(hint: use std::optional<std::string>, or COALESCE)");
}

TEST(RowMapper, TuplesAreFilledByPositionAndNeedAsManyColumns) {
  using Pair = std::tuple<std::int32_t, std::optional<std::string>>;
  const auto mapper = RowMapper<Pair>::make(describe_columns({{"?column?", oids::int4}, {"?column?", oids::text}}));
  ASSERT_TRUE(mapper.ok());
  RowBytes row;
  row.value(std::int32_t{5}).raw("five");
  Pair pair;
  MapError problem;
  ASSERT_TRUE(mapper->decode(row.view(), pair, problem));
  EXPECT_EQ(pair, Pair(5, "five"));
  EXPECT_TRUE(
      contains(failure(RowMapper<Pair>::make(describe_columns({{"a", oids::int4}}))), "the result has 1 column, "));
  EXPECT_TRUE(contains(
      failure(RowMapper<std::pair<int, int>>::make(describe_columns({{"a", oids::int4}, {"b", oids::bool_}}))),
      "column 'b' is bool, but element 2 of"));
}

TEST(RowMapper, ASingleValueIsTheOnlyColumn) {
  const auto mapper = RowMapper<std::optional<std::int64_t>>::make(describe_columns({{"max", oids::int8}}));
  ASSERT_TRUE(mapper.ok());
  std::optional<std::int64_t> value = 3;
  MapError problem;
  RowBytes null;
  ASSERT_TRUE(mapper->decode(null.null().view(), value, problem));
  EXPECT_EQ(value, std::nullopt);
  RowBytes nine;
  ASSERT_TRUE(mapper->decode(nine.value(std::int64_t{9}).view(), value, problem));
  EXPECT_EQ(value, 9);
  EXPECT_TRUE(contains(failure(RowMapper<int>::make(describe_columns({{"a", oids::int4}, {"b", oids::int4}}))),
                       "the result has 2 columns, std::int32_t wants 1"));
}

TEST(RowMapper, FieldsThatArriveAsTextAreReadAsText) {
  struct Mixed {
    std::int32_t number;
    bool flag;
    Timestamp at;
  };
  const auto mapper = RowMapper<Mixed>::make(describe_columns({{"number", oids::int4, Format::text},
                                                               {"flag", oids::bool_, Format::binary},
                                                               {"at", oids::timestamp, Format::text}}));
  ASSERT_TRUE(mapper.ok());
  RowBytes row;
  row.raw("-12").value(true).raw("2000-01-01 00:00:01.5");
  Mixed mixed{};
  MapError problem;
  ASSERT_TRUE(mapper->decode(row.view(), mixed, problem));
  EXPECT_EQ(mixed.number, -12);
  EXPECT_TRUE(mixed.flag);
  EXPECT_EQ(mixed.at.microseconds_since_2000(), 1'500'000);
}

TEST(RowMapper, AFormatGivenExplicitlyOverridesTheDescription) {
  const auto mapper =
      RowMapper<std::int32_t>::make(describe_columns({{"n", oids::int4, Format::text}}), Format::binary);
  std::int32_t n = 0;
  MapError problem;
  RowBytes row;
  ASSERT_TRUE(mapper->decode(row.value(std::int32_t{77}).view(), n, problem));
  EXPECT_EQ(n, 77);
}

TEST(RowMapper, ARowThatIsTooShortOrTornIsMalformedNotRead) {
  using Three = std::tuple<int, int, int>;
  const auto mapper =
      RowMapper<Three>::make(describe_columns({{"a", oids::int4}, {"b", oids::int4}, {"c", oids::int4}}));
  Three three;
  MapError problem;
  RowBytes two;
  EXPECT_FALSE(mapper->decode(two.value(1).value(2).view(), three, problem));
  EXPECT_EQ(problem.status, DecodeStatus::malformed);
  RowBytes whole;
  const auto bytes = whole.value(1).value(2).value(3).view().bytes();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(mapper->decode(protocol::RowView(bytes.substr(0, n), 3), three, problem)) << n;
  }
}

TEST(RowMapper, PlainMembersAreReadInTheirOwnWidthAndInNarrowerOnes) {
  struct Plain {
    std::int16_t a;
    std::int32_t b;
    std::int64_t c;
    float d;
    double e;
    std::uint32_t f;
    bool g;
    char h;
  };
  const auto own = RowMapper<Plain>::make(describe_columns({{"a", oids::int2},
                                                            {"b", oids::int4},
                                                            {"c", oids::int8},
                                                            {"d", oids::float4},
                                                            {"e", oids::float8},
                                                            {"f", oids::oid},
                                                            {"g", oids::bool_},
                                                            {"h", oids::char_}}));
  ASSERT_TRUE(own.ok()) << own.error().what();
  RowBytes row;
  row.value(std::int16_t{-2}).value(std::int32_t{-3}).value(std::int64_t{-4}).value(1.5F).value(-2.5);
  row.value(std::uint32_t{4'000'000'000}).value(true).value('x');
  Plain plain{};
  MapError problem;
  ASSERT_TRUE(own->decode(row.view(), plain, problem));
  EXPECT_EQ(std::tie(plain.a, plain.b, plain.c, plain.d, plain.e, plain.f, plain.g, plain.h),
            std::tuple(std::int16_t{-2}, -3, std::int64_t{-4}, 1.5F, -2.5, 4'000'000'000U, true, 'x'));
  EXPECT_FALSE(own->decode(protocol::RowView(row.view().bytes().substr(0, 40), 8), plain, problem));
  EXPECT_EQ(problem.status, DecodeStatus::malformed);
  const std::string longer = std::string(row.view().bytes()) + "x";
  EXPECT_FALSE(own->decode(protocol::RowView(longer, 8), plain, problem));
  EXPECT_EQ(problem.status, DecodeStatus::malformed);

  using Wide = std::tuple<std::int64_t, double, bool>;
  const auto wide =
      RowMapper<Wide>::make(describe_columns({{"a", oids::int4}, {"b", oids::int2}, {"c", oids::bool_}}));
  Wide values;
  RowBytes narrow;
  ASSERT_TRUE(
      wide->decode(narrow.value(std::int32_t{-7}).value(std::int16_t{8}).value(false).view(), values, problem));
  EXPECT_EQ(values, Wide(-7, 8.0, false));
  RowBytes with_null;
  EXPECT_FALSE(
      wide->decode(with_null.value(std::int32_t{1}).value(std::int16_t{8}).null().view(), values, problem));
  EXPECT_EQ(problem.status, DecodeStatus::null_value);
  EXPECT_EQ(problem.column, 2);
}

TEST(RowMapper, AUserTypeIsReadAsTextUnlessItShowsToBeNone) {
  const auto mapper = RowMapper<std::string>::make(describe_columns({{"mood", 16400}}));
  ASSERT_TRUE(mapper.ok());
  std::string mood;
  MapError problem;
  RowBytes enumerator;
  EXPECT_TRUE(mapper->decode(enumerator.raw("happy").view(), mood, problem));
  EXPECT_EQ(mood, "happy");
  RowBytes composite;
  EXPECT_FALSE(mapper->decode(composite.raw(std::string_view("\0\0\0\0", 4)).view(), mood, problem));
  EXPECT_TRUE(contains(mapper->error(problem, 1).what(), "mood::text"));
}

struct Renamed {
  std::int32_t class_;
};

}  // namespace

template <>
struct ColumnNames<Renamed> {
  static constexpr std::array<std::string_view, 1> names{"class"};
};

namespace {

TEST(RowMapper, ColumnNamesCanDifferFromMembers) {
  const auto mapper = RowMapper<Renamed>::make(describe_columns({{"class", oids::int4}}));
  EXPECT_TRUE(mapper.ok());
}

TEST(RowMapper, StructsOfUpTo64MembersAreMapped) {
  struct Wide {
    int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6,
        c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3,
        f4, f5, f6, f7, f8, f9, g0, g1, g2, g3;
  };
  std::vector<testing::Column> columns;
  RowBytes row;
  for (int i = 0; std::string_view name : values::kColumnNames<Wide>) {
    columns.push_back({name, oids::int4});
    row.value(i++);
  }
  ASSERT_EQ(columns.size(), 64U);
  const auto mapper = RowMapper<Wide>::make(describe_columns(columns));
  Wide wide{};
  MapError problem;
  ASSERT_TRUE(mapper->decode(row.view(), wide, problem));
  EXPECT_EQ(wide.a0, 0);
  EXPECT_EQ(wide.e5, 45);
  EXPECT_EQ(wide.g3, 63);
}

TEST(RowMapper, ViewsAreSeenThroughContainersAndStructs) {
  struct View {
    int a;
    std::vector<std::optional<std::string_view>> b;
  };
  struct Owner {
    int a;
    std::vector<std::string> b;
  };
  static_assert(values::HoldsViews<View>::value);
  static_assert(!values::HoldsViews<Owner>::value);
  static_assert(values::HoldsViews<std::tuple<int, std::string_view>>::value);
  require_owning<Owner>();
}

}  // namespace
}  // namespace switchyard
