// Every type against a real server: random values and extremes are made by the server, read through libpq, and held
// against what this room makes of their bytes.
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/values/parameters.hpp>
#include <switchyard/values/row.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <tests/support/libpq.hpp>
#include <tests/support/row_bytes.hpp>

namespace switchyard {
namespace {

using embedded::TestDatabase;
using testing::PqFormat;
using testing::PqResult;
using testing::PqSession;
using testing::RowBytes;

constexpr std::string_view kSetup = R"(
CREATE TYPE mood AS ENUM ('sad', 'so so', 'a "quoted", one');
CREATE TYPE price AS (amount numeric, currency text, at timestamptz, tags int[]);
CREATE TYPE pair AS (id int, inner_price price);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE floatrange AS RANGE (subtype = float8);
)";

/// SWITCHYARD_TEST_SEED repeats a run with other values.
std::uint64_t seed() {
  const char* given = std::getenv("SWITCHYARD_TEST_SEED");
  return given == nullptr ? 20240229 : std::strtoull(given, nullptr, 10);
}

/// One database for all tests of this file, in UTC.
struct Server {
  Server() : database(TestDatabase::with(kSetup)), session(database.endpoint().keywords()) {
    run("SET TimeZone = 'UTC'");
    run("SET client_min_messages = warning");
    run("SELECT setseed(" + std::to_string(static_cast<double>(seed() % 2000) / 1000.0 - 1.0) + ")");
    std::cout << "SWITCHYARD_TEST_SEED=" << seed() << '\n';
  }
  PqResult run(const std::string& sql) {
    PqResult result = session.execute(sql);
    if (!result.ok()) throw std::runtime_error(sql.substr(0, 300) + ": " + result.error());
    return result;
  }
  PqResult binary(const std::string& sql) {
    PqResult result = session.query(sql, {}, PqFormat::binary);
    if (!result.ok()) throw std::runtime_error(sql.substr(0, 300) + ": " + result.error());
    return result;
  }
  [[nodiscard]] bool has_xml() { return session.execute("SELECT '<a/>'::xml").ok(); }
  static Server& get() {
    static Server* const server = new Server();
    return *server;
  }
  /// The database has to go before the cluster does.
  static void end() { delete &get(); }

  TestDatabase database;
  PqSession session;
};

class ServerEnvironment : public ::testing::Environment {
 public:
  void TearDown() override { Server::end(); }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new ServerEnvironment());

/// What one C++ type makes of one value.
struct RoundTrip {
  std::string problem;  // empty if both formats were read, and to the same value
  Oid oid = 0;
  std::string encoded;
};

template <class T>
RoundTrip round_trip(Oid type, const std::string& binary, const std::string& text) {
  RoundTrip out;
  out.oid = Codec<T>::oid;
  if (!Codec<T>::accepts(type)) {
    out.problem = values::cpp_name<T>() + " does not accept " + type_name(type);
    return out;
  }
  const auto encode = [&out](const T& value) {
    base::WriteBuffer bytes;
    const EncodeStatus status = Codec<T>::encode(bytes, value);
    if (status != EncodeStatus::ok) out.problem = "encode: " + std::string(describe(status));
    return std::string(bytes.view());
  };
  T value{};
  if (const DecodeStatus status = Codec<T>::decode(binary, type, value); status != DecodeStatus::ok) {
    out.problem = "decode: the value " + std::string(describe(status));
    return out;
  }
  out.encoded = encode(value);
  if constexpr (!std::is_same_v<T, Money>) {
    T from_text{};
    if (const DecodeStatus status = Codec<T>::decode_text(text, type, from_text); status != DecodeStatus::ok) {
      out.problem = "decode_text: the value " + std::string(describe(status));
    } else if (encode(from_text) != out.encoded) {
      out.problem = "text and binary differ";
    }
  }
  return out;
}

struct TypeCase {
  std::string name;                   // of the column's type
  std::string random;                 // an SQL expression, different for each row
  std::vector<std::string> extremes;  // literals
  RoundTrip (*round_trip)(Oid, const std::string&, const std::string&) = nullptr;
  bool json_as_server = true;          // to_json() of the server gives the same text
  bool text_from_binary = true;        // append_text() knows the type
  std::string parameter_as_text = {};  // where "($1)::type::text" is not possible
};

std::ostream& operator<<(std::ostream& out, const TypeCase& type) { return out << type.name; }

std::string quote(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

/// Any text, controls and non-ASCII included, with the characters that literals must quote more often.
const std::string kRandomText =
    "(SELECT string_agg(CASE WHEN random() < 0.3 THEN substr('{}()[],;\"''\\ NULL', 1 + (random() * 16)::int, 1) "
    "WHEN random() < 0.1 THEN chr(1 + (random() * 31)::int) ELSE chr(32 + (random() * 1500)::int) END, '') "
    "FROM generate_series(1, 1 + (n * 7 + 3) % 13))";
const std::string kRandomTimestamp =
    "(timestamp '2000-01-01' + (random() * 4e11 - 2.05e11) * interval '1 second' + random() * interval '1 second')";
const std::string kRandomInterval =
    "make_interval(months => (random() * 4000 - 2000)::int, days => (random() * 4000 - 2000)::int, "
    "secs => random() * 1e7 - 5e6) * (n % 3 - 1) + make_interval(secs => random())";
const std::string kRandomNumeric =
    "(round((random() * 2 - 1)::numeric * 10::numeric ^ (random() * 30)::int, (random() * 20)::int))";

std::string range_of(const std::string& range, const std::string& bound, const std::string& step) {
  return "(SELECT CASE WHEN random() < 0.1 THEN 'empty'::" + range + " ELSE " + range +
         "(CASE WHEN random() < 0.9 THEN b END, CASE WHEN random() < 0.9 THEN b + " + step +
         " END, (array['[)','[]','(]','()'])[1 + (random() * 3)::int]) END FROM (SELECT " + bound + " AS b) x)";
}

std::vector<TypeCase> all_types() {
  const std::vector<std::string> timestamps{"infinity",
                                            "-infinity",
                                            "4714-11-24 00:00:00 BC",
                                            "294276-12-31 23:59:59.999999",
                                            "0001-12-31 23:59:59 BC",
                                            "1999-12-31 23:59:59.999999"};
  const std::vector<std::string> numerics{"0",
                                          "0.000",
                                          "NaN",
                                          "Infinity",
                                          "-Infinity",
                                          std::string(10000, '9'),
                                          "-0." + std::string(9999, '0') + "1",
                                          "1" + std::string(131071, '0'),
                                          "0." + std::string(16382, '0') + "1",
                                          "10000",
                                          "9999.9999",
                                          "0.0001"};
  const std::vector<std::string> texts{"",  "NULL", "null", "\"", "\\",         "{",  "}",
                                       "(", ")",    ",",    " ",  "\t\n\r\f\v", "é€𝄞"};
  const std::string ip6 =
      "regexp_replace(translate(md5(random()::text), '3456789abcd', '00000000000'), '(....)(?=.)', '\\1:', 'g')";
  return {
      {"bool", "random() < 0.5", {"t", "f"}, &round_trip<bool>},
      {"int2", "(random() * 65535 - 32768)::int::int2", {"-32768", "32767"}, &round_trip<std::int16_t>},
      {"int4",
       "('x' || md5(random()::text))::bit(32)::int",
       {"-2147483648", "2147483647"},
       &round_trip<std::int32_t>},
      {"int8",
       "('x' || md5(random()::text))::bit(64)::int8",
       {"-9223372036854775808", "9223372036854775807"},
       &round_trip<std::int64_t>},
      {"oid", "(random() * 4294967295)::int8::oid", {"0", "4294967295"}, &round_trip<std::uint32_t>, false},
      {"xid",
       "(random() * 2147483647)::int::text::xid",
       {"4294967295"},
       &round_trip<std::uint32_t>,
       true,
       true,
       "($1)::text"},
      {"cid",
       "(random() * 2147483647)::int::text::cid",
       {"4294967295"},
       &round_trip<std::uint32_t>,
       true,
       true,
       "($1)::text"},
      {"xid8", "(random() * 1e18)::int8::text::xid8", {"18446744073709551615"}, &round_trip<Xid8>},
      {"float4",
       "((random() - 0.5) * 10 ^ (random() * 60 - 30))::float4",
       {"NaN", "Infinity", "-Infinity", "-0", "1e-45", "3.4028235e38", "1e6", "999999", "0.0001", "0.00001",
        "16777216"},
       &round_trip<float>},
      {"float8",
       "(random() - 0.5) * 10 ^ (random() * 600 - 300)",
       {"NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "1e15", "1e14", "999999999999999",
        "1e23", "9007199254740993", "2e-308", "4.35", "123456789012345678"},
       &round_trip<double>},
      {"numeric", kRandomNumeric, numerics, &round_trip<Numeric>},
      {"numeric(20,5)", "((random() - 0.5) * 1e14)::numeric", {"0"}, &round_trip<Numeric>},
      {"text", kRandomText, texts, &round_trip<std::string>},
      {"varchar(30)", kRandomText, texts, &round_trip<std::string>},
      {"char(20)", "md5(random()::text)::char(5)", {"", "é"}, &round_trip<std::string>},
      {"name", "md5(random()::text)::name", {""}, &round_trip<std::string>},
      {"\"char\"", "chr(1 + (random() * 126)::int)::\"char\"", {"", "\\", "\""}, &round_trip<char>},
      {"bytea", "decode(md5(random()::text), 'hex')", {"", "\\x00", "\\x5c", "\\xff00"}, &round_trip<Bytes>},
      {"uuid", "md5(random()::text)::uuid", {"00000000-0000-0000-0000-000000000000"}, &round_trip<Uuid>},
      {"json",
       "json_build_object('a', random(), " + kRandomText + ", array[1, null])",
       {"null", "\"x\"", " [1 ,2] "},
       &round_trip<Json>},
      {"jsonb",
       "jsonb_build_object('a', random(), " + kRandomText + ", array[1, null])",
       {"null", "{}", "-1.50"},
       &round_trip<Json>,
       false},
      {"jsonpath", "'$.a[*]'::jsonpath", {"$"}, &round_trip<std::string>},
      {"xml", "'<a>é</a>'::xml", {"<?xml version=\"1.0\"?><a/>"}, nullptr, true, false},
      {"date",
       "date '2000-01-01' + (random() * 4e6 - 2e6)::int",
       {"infinity", "-infinity", "4714-11-24 BC", "5874897-12-31", "0001-01-01", "0001-12-31 BC", "2000-02-29"},
       &round_trip<Date>},
      {"time",
       "time '00:00' + random() * interval '24 hours'",
       {"00:00", "24:00", "23:59:59.999999"},
       &round_trip<Time>},
      {"timetz",
       "((time '00:00' + random() * interval '1 day')::text || (CASE WHEN random() < 0.5 THEN '+' ELSE '-' END) || "
       "(random() * 14)::int || ':' || (random() * 59)::int || ':' || (n % 2))::timetz",
       {"00:00+00", "24:00-15:59", "12:00+05:30"},
       &round_trip<TimeTz>},
      {"timestamp", kRandomTimestamp, timestamps, &round_trip<Timestamp>},
      {"timestamp(0)", kRandomTimestamp, {"infinity"}, &round_trip<Timestamp>},
      {"timestamptz", kRandomTimestamp + " AT TIME ZONE 'UTC'", timestamps, &round_trip<TimestampTz>},
      {"interval",
       kRandomInterval,
       {"0", "1 year", "-1 year", "1 mon -1 day", "-1 day +1 sec", "-0.000001 sec", "178000000 years",
        "-178000000 years", "2147483647 days", "-2147483648 days", "2562047788:00:54.775807"},
       &round_trip<Interval>},
      {"inet",
       "((random() * 255)::int || '.' || (random() * 255)::int || '.0.' || (random() * 255)::int || '/' || "
       "(random() * 32)::int)::inet",
       {"0.0.0.0/0", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "::2",
        "1::", "1:0:0:2:0:0:0:3/64"},
       &round_trip<Inet>},
      {"inet", ip6 + "::inet", {"::/0"}, &round_trip<Inet>},
      {"cidr",
       "network(((random() * 255)::int || '.' || (random() * 255)::int || '.7.1/' || (random() * 32)::int)::inet)",
       {"0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32", "1.2.3.4"},
       &round_trip<Inet>},
      {"macaddr", "substr(md5(random()::text), 1, 12)::macaddr", {"00:00:00:00:00:00"}, &round_trip<MacAddress>},
      {"macaddr8",
       "substr(md5(random()::text), 1, 16)::macaddr8",
       {"ff:ff:ff:ff:ff:ff:ff:ff"},
       &round_trip<MacAddress8>},
      {"pg_lsn", "'0/0'::pg_lsn + (random() * 1e18)::numeric", {"0/0", "FFFFFFFF/FFFFFFFF"}, &round_trip<Lsn>},
      {"bit(13)", "('x' || md5(random()::text))::bit(13)", {"0000000000000"}, &round_trip<BitString>},
      {"varbit",
       "substring(('x' || md5(random()::text))::varbit, 1, (random() * 40)::int)",
       {"", "1", "10101010"},
       &round_trip<BitString>},
      {"money", "((random() - 0.5) * 1e9)::numeric::money", {"0"}, &round_trip<Money>, true, false},
      {"int4range",
       range_of("int4range", "(random() * 1e6)::int", "(random() * 100)::int"),
       {"empty", "(,)", "[,5)"},
       &round_trip<Range<std::int32_t>>},
      {"int8range",
       range_of("int8range", "(random() * 1e15)::int8", "(random() * 100)::int8"),
       {"(,)"},
       &round_trip<Range<std::int64_t>>},
      {"numrange",
       range_of("numrange", kRandomNumeric, "random()::numeric"),
       {"[1.50,1.5]", "(,Infinity]"},
       &round_trip<Range<Numeric>>},
      {"daterange",
       range_of("daterange", "date '2000-01-01' + (random() * 1e5)::int", "(random() * 100)::int"),
       {"[-infinity,infinity]"},
       &round_trip<Range<Date>>},
      {"tsrange",
       range_of("tsrange", kRandomTimestamp, "interval '1 hour'"),
       {"[-infinity,infinity]"},
       &round_trip<Range<Timestamp>>},
      {"tstzrange",
       range_of("tstzrange", kRandomTimestamp + " AT TIME ZONE 'UTC'", "interval '1 hour'"),
       {"(,)"},
       &round_trip<Range<TimestampTz>>},
      {"floatrange",
       range_of("floatrange", "random()", "random()"),
       {"[1e300,Infinity]"},
       &round_trip<Range<double>>,
       true,
       false},
      {"int4multirange",
       "int4multirange(" + range_of("int4range", "(random() * 1e6)::int", "3") + ", int4range(7, 9))",
       {"{}", "{(,)}"},
       &round_trip<Multirange<std::int32_t>>},
      {"tsmultirange",
       "tsmultirange(" + range_of("tsrange", kRandomTimestamp, "interval '1 hour'") + ")",
       {"{}"},
       &round_trip<Multirange<Timestamp>>},
      {"nummultirange",
       "nummultirange(" + range_of("numrange", kRandomNumeric, "1.50") + ")",
       {"{}"},
       &round_trip<Multirange<Numeric>>},
      {"int4[]",
       "(SELECT array_agg((random() * 1e9)::int) FROM generate_series(1, n % 20))",
       {"{}", "{1,-2}"},
       &round_trip<std::vector<std::int32_t>>},
      {"int4[]",
       "array[array[n, null], array[1, 2]]",
       {"{}", "[-1:0]={NULL,5}", "{{{1}}}", "[5:5][0:1]={{1,2}}"},
       &round_trip<Array<std::optional<std::int32_t>>>},
      {"int8[]", "array[n, (random() * 1e18)::int8]", {"{}"}, &round_trip<std::vector<std::int64_t>>},
      {"float8[]", "array[random(), null]", {"{NaN,-Infinity}"}, &round_trip<std::vector<std::optional<double>>>},
      {"bool[]", "array[random() < 0.5, n % 2 = 0]", {"{}"}, &round_trip<std::vector<bool>>},
      {"numeric[]",
       "array[" + kRandomNumeric + "]",
       {"{NaN,NULL}"},
       &round_trip<std::vector<std::optional<Numeric>>>},
      {"text[]",
       "array[" + kRandomText + ", null, " + kRandomText + "]",
       {"{}", "{\"\",NULL,\"NULL\"}"},
       &round_trip<std::vector<std::optional<std::string>>>},
      {"text[]", "array[array[" + kRandomText + "], array['x']]", {"[0:0]={a}"}, &round_trip<Array<std::string>>},
      {"timestamptz[]",
       "array[" + kRandomTimestamp + " AT TIME ZONE 'UTC']",
       {"{infinity}"},
       &round_trip<std::vector<TimestampTz>>},
      {"interval[]", "array[" + kRandomInterval + "]", {"{}"}, &round_trip<std::vector<Interval>>},
      {"uuid[]", "array[md5(random()::text)::uuid]", {"{}"}, &round_trip<std::vector<Uuid>>},
      {"bytea[]", "array[decode(md5(random()::text), 'hex')]", {"{}"}, &round_trip<std::vector<Bytes>>},
      {"jsonb[]",
       "array[jsonb_build_object('k', " + kRandomText + ")]",
       {"{}"},
       &round_trip<std::vector<Json>>,
       false},
      {"int4range[]",
       "array[int4range(1, n + 1), int4range(null, 3)]",
       {"{}"},
       &round_trip<std::vector<Range<std::int32_t>>>},
      {"inet[]", "array[inet '10.1.2.3/8']", {"{}"}, &round_trip<std::vector<Inet>>},
      {"mood[]",
       "array['sad', 'a \"quoted\", one']::mood[]",
       {"{}"},
       &round_trip<std::vector<std::string>>,
       false,
       false},
      {"mood", "'so so'::mood", {"sad", "a \"quoted\", one"}, &round_trip<std::string>},
      {"positive", "n", {"1"}, &round_trip<std::int32_t>},
      {"int2vector",
       "(n || ' 2 3')::int2vector",
       {"", "1"},
       &round_trip<std::vector<std::int16_t>>,
       true,
       true,
       "array_to_string($1, ' ')"},
      {"oidvector",
       "(n || ' 2 3')::oidvector",
       {"", "1"},
       &round_trip<std::vector<std::uint32_t>>,
       false,
       true,
       "array_to_string($1, ' ')"},
      {"point", "point(random() * 1e6, -random())", {"(NaN,Infinity)"}},
      {"lseg", "lseg(point(random(), n), point(2, 1e20))", {"[(0,0),(1,1)]"}},
      {"box", "box(point(random(), n), point(2, 1e-20))", {"(1,1),(0,0)"}},
      {"box[]", "array[box(point(random(), n), point(2, 3)), null]", {"{}"}},
      {"path", "path(polygon(box(point(random(), n), point(2, 3))))", {"[(1,2),(3,4)]", "((1,2),(3,4))"}},
      {"polygon", "polygon(box(point(random(), n), point(2, 3)))", {"((0,0))"}},
      {"line", "line(point(random(), n), point(2, 1e5))", {"{1,2,3}"}},
      {"circle", "circle(point(random(), n), random())", {"<(0,0),0>"}},
      {"tid", "('(' || n || ',5)')::tid", {"(4294967295,65535)"}},
      {"pg_snapshot", "pg_current_snapshot()", {"10:20:10,14,15", "1:1:"}},
      {"txid_snapshot", "txid_current_snapshot()", {"10:20:10,14,15"}},
      {"regclass", "'pg_class'::regclass", {"pg_type"}, nullptr, true, false},
      {"tsvector", "to_tsvector('simple', md5(random()::text))", {"a:1"}, nullptr, true, false},
  };
}

class EveryType : public ::testing::TestWithParam<TypeCase> {};

constexpr int kRandomRows = 60;

TEST_P(EveryType, IsReadWrittenAndShownAsTheServerDoes) {
  const TypeCase& type = GetParam();
  Server& server = Server::get();
  if (type.name == "xml" && !server.has_xml()) GTEST_SKIP() << "the server was built without libxml";
  server.run("DROP TABLE IF EXISTS t; CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v " + type.name + ")");
  for (const std::string& extreme : type.extremes) server.run("INSERT INTO t (v) VALUES (" + quote(extreme) + ")");
  server.run("INSERT INTO t (v) SELECT " + type.random + " FROM generate_series(1, " + std::to_string(kRandomRows) +
             ") n");
  const PqResult binary = server.binary("SELECT v FROM t ORDER BY id");
  const PqResult text = server.run("SELECT v, to_json(v) FROM t ORDER BY id");
  const Oid oid = binary.column_type(0);
  ASSERT_EQ(binary.rows(), static_cast<int>(type.extremes.size()) + kRandomRows);
  int failures = 0;
  for (int row = 0; row < binary.rows() && failures < 3; ++row) {
    const auto bytes = binary.value(row, 0);
    const auto shown = text.value(row, 0);
    ASSERT_EQ(bytes.has_value(), shown.has_value());
    if (!bytes) continue;
    const std::string what = type.name + " " + shown->substr(0, 200);
    if (type.text_from_binary) {
      EXPECT_EQ(testing::text_of(oid, *bytes), *shown) << what << (++failures, "");
    }
    for (Format format : {Format::binary, Format::text}) {
      std::string json;
      append_json(json, oid, format, format == Format::binary ? *bytes : *shown);
      EXPECT_TRUE(is_valid_json(json)) << what << (++failures, "");
      // Types that are asked for as text have no JSON of their own in binary.
      if (type.json_as_server && (format == Format::text || type.text_from_binary) && is_user_type(oid) == false) {
        EXPECT_EQ(json, text.value(row, 1)) << what;
      }
    }
    if (type.round_trip == nullptr) continue;
    const RoundTrip back = type.round_trip(oid, *bytes, *shown);
    EXPECT_EQ(back.problem, "") << what;
    const std::string sql =
        "SELECT v::text = " +
        (type.parameter_as_text.empty() ? "($1)::" + type.name + "::text" : type.parameter_as_text) +
        " FROM t WHERE id = " + std::to_string(row + 1);
    const PqResult same = back.oid == 0
                              ? server.session.query(sql, {back.encoded})
                              : server.session.query_binary(sql, {back.oid}, {back.encoded}, PqFormat::text);
    if (!back.problem.empty() || !same.ok() || same.value(0, 0) != "t") ++failures;
    ASSERT_TRUE(same.ok()) << what << ": " << same.error();
    EXPECT_EQ(same.value(0, 0), "t") << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Values, EveryType, ::testing::ValuesIn(all_types()), [](const auto& info) {
  std::string name = std::to_string(info.index) + "_";
  for (char c : info.param.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST(Floats, RandomBitPatternsAndHalfWayDecimalsAreSpelledAsTheServerSpellsThem) {
  Server& server = Server::get();
  std::mt19937_64 random(seed());
  std::vector<double> doubles;
  for (int i = 0; i < 2000; ++i) doubles.push_back(std::bit_cast<double>(random()));
  for (int i = 0; i < 2000; ++i)
    doubles.push_back(std::ldexp(static_cast<double>(random() >> 40), static_cast<int>(random() % 120)));
  for (int i = 0; i < 1000; ++i) doubles.push_back(std::ldexp(1.0, static_cast<int>(random() % 2098) - 1074));
  for (int i = 0; i < 2000; ++i) {
    doubles.push_back(
        std::strtod((std::to_string(random() % 1000 + 1) + "e" + std::to_string(random() % 40)).c_str(), nullptr));
  }
  std::erase_if(doubles, [](double value) { return std::isnan(value); });
  std::vector<float> floats;
  for (double value : doubles) {
    floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    if (std::isnan(floats.back())) floats.back() = static_cast<float>(value);
  }
  const auto compare = [&](const auto& numbers, const std::string& type) {
    using Number = typename std::decay_t<decltype(numbers)>::value_type;
    const PqResult shown =
        server.session.query_binary("SELECT unnest($1::" + type + "[])::text", {Codec<std::vector<Number>>::oid},
                                    {testing::encoded(numbers)}, PqFormat::text);
    ASSERT_TRUE(shown.ok()) << shown.error();
    int failures = 0;
    for (int i = 0; i < shown.rows() && failures < 5; ++i) {
      std::string out;
      values::append_float(out, numbers[static_cast<std::size_t>(i)]);
      if (out != shown.value(i, 0)) ++failures;
      EXPECT_EQ(out, shown.value(i, 0)) << type;
    }
  };
  compare(doubles, "float8");
  compare(floats, "float4");
}

struct Price {
  Numeric amount;
  std::optional<std::string> currency;
  std::optional<TimestampTz> at;
  std::vector<std::int32_t> tags;
};
struct Pair {
  std::int32_t id = 0;
  Price inner_price;
};
enum class Mood { sad, soso, quoted };

}  // namespace

template <>
struct EnumLabels<Mood> {
  static constexpr std::pair<Mood, std::string_view> labels[] = {
      {Mood::sad, "sad"}, {Mood::soso, "so so"}, {Mood::quoted, "a \"quoted\", one"}};
};

namespace {

/// Runs a statement with our parameters through libpq, all as text or all in binary.
PqResult run_with(const std::string& sql, const Parameters& parameters, PqFormat results) {
  std::vector<testing::PqParameter> bytes;
  std::vector<unsigned> types(parameters.types().begin(), parameters.types().end());
  const bool binary = !parameters.formats().empty() && parameters.formats()[0] == 1;
  for (std::int16_t format : parameters.formats()) EXPECT_EQ(format == 1, binary) << "one format a call, please";
  const ByteView section = parameters.bind_section();
  const std::size_t head = 2 + 2 + 2;  // one format code stands for all
  bool malformed = false;
  protocol::FieldCursor cursor(section.data() + head, section.data() + section.size(),
                               static_cast<int>(parameters.size()), &malformed);
  while (cursor.remaining() > 0) {
    const protocol::FieldView field = cursor.next();
    if (field.is_null()) {
      bytes.push_back(std::nullopt);
    } else {
      bytes.emplace_back(std::string(field.bytes()));
    }
  }
  EXPECT_FALSE(malformed);
  PqSession& session = Server::get().session;
  return binary ? session.query_binary(sql, types, bytes, results) : session.query(sql, bytes, results);
}

TEST(Composites, StructsGoToTheServerAndComeBackInBothFormats) {
  Pair pair;
  pair.id = 7;
  pair.inner_price = {
      *Numeric::parse("12.50"), "€ \"x\", (y) \\", *TimestampTz::parse("2024-02-29 12:00:00+00"), {1, 2}};
  Parameters parameters;
  ASSERT_TRUE(parameters.encode(pair).ok());
  for (PqFormat format : {PqFormat::binary, PqFormat::text}) {
    const PqResult result = run_with("SELECT $1::pair, ($1::pair).inner_price.tags[2]::text", parameters, format);
    ASSERT_TRUE(result.ok()) << result.error();
    EXPECT_EQ(result.value(0, 1), "2");
    Pair back;
    const Oid type = result.column_type(0);
    ASSERT_TRUE(Codec<Pair>::accepts(type));
    const std::string bytes = *result.value(0, 0);
    EXPECT_EQ(format == PqFormat::binary ? Codec<Pair>::decode(bytes, type, back)
                                         : Codec<Pair>::decode_text(bytes, type, back),
              DecodeStatus::ok);
    EXPECT_EQ(back.id, 7);
    EXPECT_EQ(back.inner_price.amount.to_string(), "12.50");
    EXPECT_EQ(back.inner_price.currency, pair.inner_price.currency);
    EXPECT_EQ(back.inner_price.at, pair.inner_price.at);
    EXPECT_EQ(back.inner_price.tags, pair.inner_price.tags);
  }
}

TEST(Composites, ArraysOfStructsAndEnumsFitTheColumnsOfTheirTypes) {
  Server& server = Server::get();
  server.run("DROP TABLE IF EXISTS basket; CREATE TABLE basket (moods mood[], prices price[], mood mood)");
  Parameters parameters;
  ASSERT_TRUE(parameters
                  .encode(std::vector<Mood>{Mood::quoted, Mood::sad},
                          std::vector<Price>{{*Numeric::parse("1"), std::nullopt, std::nullopt, {}}}, Mood::soso)
                  .ok());
  const PqResult inserted = run_with("INSERT INTO basket VALUES ($1, $2, $3)", parameters, PqFormat::text);
  ASSERT_TRUE(inserted.ok()) << inserted.error();
  const PqResult result = server.binary("SELECT moods, prices, mood FROM basket");
  std::vector<Mood> moods;
  EXPECT_EQ(Codec<std::vector<Mood>>::decode(*result.value(0, 0), result.column_type(0), moods), DecodeStatus::ok);
  EXPECT_EQ(moods, (std::vector<Mood>{Mood::quoted, Mood::sad}));
  std::vector<Price> prices;
  EXPECT_EQ(Codec<std::vector<Price>>::decode(*result.value(0, 1), result.column_type(1), prices),
            DecodeStatus::ok);
  ASSERT_EQ(prices.size(), 1U);
  EXPECT_EQ(prices[0].currency, std::nullopt);
  Mood mood{};
  EXPECT_EQ(Codec<Mood>::decode(*result.value(0, 2), result.column_type(2), mood), DecodeStatus::ok);
  EXPECT_EQ(mood, Mood::soso);
  // In binary neither the array nor the composite can be taken for text.
  std::string text;
  EXPECT_EQ(Codec<std::string>::decode(*result.value(0, 0), result.column_type(0), text), DecodeStatus::not_text);
  EXPECT_EQ(Codec<std::string>::decode(*result.value(0, 1), result.column_type(1), text), DecodeStatus::not_text);
}

TEST(Parameters, StringsFitColumnsOfAnyTypeAndNumbersMix) {
  Server& server = Server::get();
  server.run("DROP TABLE IF EXISTS t; CREATE TABLE t (a date, b mood, c jsonb, d uuid, e numeric, f int8, g inet)");
  Parameters strings;
  ASSERT_TRUE(strings
                  .encode("2024-01-02", "sad", Json{"{\"k\": 1}"},
                          std::string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "1.50", "77",
                          std::string_view("10.0.0.1"))
                  .ok());
  const PqResult inserted = run_with("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)", strings, PqFormat::text);
  ASSERT_TRUE(inserted.ok()) << inserted.error();
  Parameters numbers;
  ASSERT_TRUE(numbers
                  .encode(std::int32_t{77}, Numeric(1), *Date::from(std::chrono::year(2024) / 1 / 2),
                          std::optional<Uuid>(), true)
                  .ok());
  const PqResult found =
      run_with("SELECT f FROM t WHERE f = $1 AND e > $2 AND a = $3 AND ($4 IS NULL) = $5", numbers, PqFormat::text);
  ASSERT_TRUE(found.ok()) << found.error();
  EXPECT_EQ(found.value(0, 0), "77");
}

TEST(Rows, RandomSchemasBecomeTheJsonThatTheServerMakesOfThem) {
  Server& server = Server::get();
  std::mt19937_64 random(seed());
  std::vector<TypeCase> types = all_types();
  const bool xml = server.has_xml();
  std::erase_if(types, [&](const TypeCase& type) { return !type.json_as_server || (type.name == "xml" && !xml); });
  for (int schema = 0; schema < 12; ++schema) {
    const std::size_t columns = 1 + random() % 20;
    std::string create, select, json;
    for (std::size_t i = 0; i < columns; ++i) {
      const TypeCase& type = types[random() % types.size()];
      const std::string column = "c" + std::to_string(i);
      create += (i == 0 ? "" : ", ") + column + " " + type.name;
      const bool nullable = random() % 3 == 0;
      select += i == 0 ? "" : ", ";
      select += nullable ? "CASE WHEN random() < 0.3 THEN NULL ELSE " + type.random + " END" : type.random;
    }
    server.run("DROP TABLE IF EXISTS t; CREATE TABLE t (" + create + ")");
    server.run("INSERT INTO t SELECT " + select + " FROM generate_series(1, 20) n");
    const PqResult binary = server.binary("SELECT * FROM t");
    const PqResult text = server.run("SELECT * FROM t");
    const PqResult expected = server.run("SELECT row_to_json(t) FROM t");
    std::vector<std::string> names(columns);
    std::vector<testing::Column> described;
    for (std::size_t i = 0; i < columns; ++i) {
      names[i] = binary.column_name(static_cast<int>(i));
      const Oid type = binary.column_type(static_cast<int>(i));
      described.push_back({names[i], type, result_format_for(type)});
    }
    const auto description = testing::describe_columns(described);
    for (int row = 0; row < binary.rows(); ++row) {
      RowBytes bytes;
      for (std::size_t i = 0; i < columns; ++i) {
        const PqResult& source = described[i].format == Format::binary ? binary : text;
        const auto value = source.value(row, static_cast<int>(i));
        if (value) {
          bytes.raw(*value);
        } else {
          bytes.null();
        }
      }
      const Row untyped(description, bytes.view());
      EXPECT_EQ(untyped.to_json(), expected.value(row, 0)) << create;
      for (std::size_t i = 0; i < columns; ++i) {
        EXPECT_EQ(untyped.text(i), text.value(row, static_cast<int>(i))) << described[i].name << " of " << create;
      }
      if (HasFailure()) return;
    }
  }
}

struct PgType {
  std::uint32_t oid;
  std::string typname;
  std::uint32_t typnamespace, typowner;
  std::int16_t typlen;
  bool typbyval;
  char typtype;
  bool typispreferred;
  std::string_view typdelim_view;
};

TEST(Rows, TheCatalogueOfTypesIsReadIntoAStructAndOurNamesAgreeWithIt) {
  const PqResult types = Server::get().binary(
      "SELECT oid, typname, typnamespace, typowner, typlen, typbyval, typtype, typispreferred, "
      "typdelim::text AS typdelim_view FROM pg_type WHERE oid < 16384");
  ASSERT_GT(types.rows(), 300);
  std::vector<std::string> names;
  std::vector<testing::Column> columns;
  for (int i = 0; i < types.columns(); ++i) names.push_back(types.column_name(i));
  for (int i = 0; i < types.columns(); ++i)
    columns.push_back({names[static_cast<std::size_t>(i)], types.column_type(i)});
  const auto mapper = RowMapper<PgType>::make(testing::describe_columns(columns));
  ASSERT_TRUE(mapper.ok()) << mapper.error().what();
  int known = 0;
  for (int row = 0; row < types.rows(); ++row) {
    RowBytes bytes;
    for (int i = 0; i < types.columns(); ++i) bytes.raw(*types.value(row, i));
    PgType type{};
    MapError problem;
    ASSERT_TRUE(mapper->decode(bytes.view(), type, problem)) << mapper->error(problem, 1).what();
    const TypeInfo* info = find_type(type.oid);
    if (info == nullptr || info->kind == TypeKind::array || type.oid == oids::char_) continue;
    EXPECT_EQ(info->name, type.typname) << type.oid;
    ++known;
  }
  EXPECT_GT(known, 70);
}

}  // namespace
}  // namespace switchyard
