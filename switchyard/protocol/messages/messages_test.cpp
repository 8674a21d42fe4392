#include <switchyard/protocol/cancel.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::protocol {
namespace {

using namespace testing;  // NOLINT

constexpr std::array<std::int16_t, 2> kFormats{0, 1};
constexpr std::array<Oid, 2> kTypes{23, 4'000'000'000};
const std::string kNul("a\0b", 3);
/// "abc", NULL, "".
const std::string_view kValues("\0\0\0\3abc\xff\xff\xff\xff\0\0\0\0", 15);

/// A message decodes to what was encoded; cut at any byte or with a byte more it is refused.
template <class Message, class Decode>
void expect_round_trip(const Message& message, const FrameLimits& limits, Decode&& decode) {
  const std::string bytes = encoded(message);
  const Frame frame = next_frame(bytes, limits);
  ASSERT_EQ(frame.status, FrameStatus::complete);
  ASSERT_EQ(frame.total, bytes.size());
  const auto decoded = decode(frame.body);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what();
  EXPECT_TRUE(*decoded == message);
  EXPECT_EQ(encoded(*decoded), bytes);
  for (std::size_t size = 0; size < frame.body.size(); ++size) {
    EXPECT_FALSE(decode(frame.body.substr(0, size)).ok()) << "cut to " << size;
  }
  EXPECT_FALSE(decode(std::string(frame.body) + '\0').ok()) << "with a byte more";
}
template <class Message>
void from_client(const Message& message) {
  expect_round_trip(message, frontend_limits(), [](ByteView body) { return Message::decode(body); });
}
template <class Message>
void from_server(const Message& message) {
  expect_round_trip(message, backend_limits(), [](ByteView body) { return Message::decode(body); });
}

TEST(Messages, OfTheClientRoundTrip) {
  from_client(Query{"SELECT 1"});
  from_client(Query{""});
  from_client(Parse{"s", "SELECT $1", std::span<const Oid>(kTypes)});
  from_client(Bind{"p", "s", std::span<const std::int16_t>(), 3, kValues, std::span<const std::int16_t>(kFormats)});
  from_client(Bind{"", "", std::span<const std::int16_t>(kFormats).first(1), 0, "", {}});
  from_client(Describe{Target::statement, "s"});
  from_client(Describe{Target::portal, ""});
  from_client(Close{Target::portal, "p"});
  from_client(Execute{"p", 100});
  from_client(CopyFail{"why"});
  from_client(PasswordMessage{"secret"});
  from_client(SASLInitialResponse{"SCRAM-SHA-256", "n,,n=,r=x"});
  from_client(SASLInitialResponse{"SCRAM-SHA-256", std::nullopt});
  from_client(FunctionCall{1598, std::span<const std::int16_t>(kFormats), 3, kValues, 1});
  from_client(Sync());
  from_client(Flush());
  from_client(Terminate());
  from_client(CopyDone());
}

TEST(Messages, OfTheServerRoundTrip) {
  from_server(CommandComplete{"INSERT 0 1"});
  from_server(ReadyForQuery{'T'});
  from_server(FunctionCallResponse{"value"});
  from_server(FunctionCallResponse{std::nullopt});
  from_server(ParameterDescription{std::span<const Oid>(kTypes)});
  from_server(ParameterStatus{"TimeZone", "UTC"});
  from_server(NotificationResponse{42, "channel", "payload"});
  from_server(NegotiateProtocolVersion{3U << 16, {"_pq_.a", "_pq_.b"}});
  from_server(DataRow{RowView(kValues, 3)});
  from_server(DataRow{RowView("", 0)});
  from_server(ParseComplete());
  from_server(BindComplete());
  from_server(CloseComplete());
  from_server(NoData());
  from_server(PortalSuspended());
  from_server(EmptyQueryResponse());
  for (const char type : {'G', 'H', 'W'}) {
    expect_round_trip(CopyResponse{type, true, std::span<const std::int16_t>(kFormats)}, backend_limits(),
                      [type](ByteView body) { return CopyResponse::decode(type, body); });
  }
}

TEST(Messages, WithAVariableEndRoundTrip) {
  for (const std::string_view data : {"", "x", "a longer piece"}) {
    EXPECT_EQ(CopyData::decode(ByteView(encoded(CopyData{data})).substr(5))->data, data);
    EXPECT_EQ(SASLResponse::decode(ByteView(encoded(SASLResponse{data})).substr(5))->data, data);
  }
  const std::string key(32, 'k');
  const std::string bytes = encoded(BackendKeyData{7, key});
  EXPECT_TRUE(*BackendKeyData::decode(ByteView(bytes).substr(5)) == (BackendKeyData{7, key}));
  EXPECT_FALSE(BackendKeyData::decode(ByteView(bytes).substr(5, 7)).ok()) << "a key of 3 bytes";
  EXPECT_FALSE(BackendKeyData::decode(std::string(4 + 257, 'k')).ok()) << "a key of 257 bytes";
  const std::string salted = encoded(Authentication{Authentication::MD5Password, "salt"});
  EXPECT_EQ(Authentication::decode(ByteView(salted).substr(5))->data, "salt");
  EXPECT_FALSE(Authentication::decode(ByteView(salted).substr(5, 7)).ok());
  EXPECT_FALSE(Authentication::decode(std::string("\0\0\0\0x", 5)).ok()) << "Ok with data";
  const std::string mechanisms = sasl({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"});
  const auto decoded = Authentication::decode(ByteView(mechanisms).substr(5));
  EXPECT_EQ(*decoded->mechanisms(), (std::vector<std::string_view>{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}));
  EXPECT_FALSE((Authentication{Authentication::SASL, "SCRAM"}.mechanisms().ok()));
}

TEST(Messages, OfTheStartupRoundTrip) {
  const auto decode = [](const std::string& bytes) {
    EXPECT_EQ(*startup_packet_size(bytes), bytes.size());
    return decode_startup_packet(ByteView(bytes).substr(4));
  };
  const StartupMessage startup{3U << 16 | 2, {{"user", "ann"}, {"database", ""}}};
  EXPECT_TRUE(std::get<StartupMessage>(*decode(encoded(startup))) == startup);
  EXPECT_TRUE(std::holds_alternative<SslRequest>(*decode(encoded(SslRequest()))));
  EXPECT_TRUE(std::holds_alternative<GssEncRequest>(*decode(encoded(GssEncRequest()))));
  const CancelRequest cancel{42, "abcdefgh"};
  EXPECT_TRUE(std::get<CancelRequest>(*decode(encoded(cancel))) == cancel);

  const std::string bytes = encoded(startup);
  for (std::size_t size = 4; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_startup_packet(ByteView(bytes).substr(4, size - 4)).ok()) << size;
  }
  EXPECT_FALSE(decode_startup_packet(bytes.substr(4) + "x").ok());
  EXPECT_EQ(decode_startup_packet(std::string("\0\2\0\0\0", 5)).error().message(),
            "unsupported protocol version 2.0, 3.0 to 3.2 are supported");
}

TEST(Messages, StartupPacketsAreBounded) {
  EXPECT_EQ(*startup_packet_size("abc"), 0U);
  EXPECT_FALSE(startup_packet_size(std::string("\0\0\0\7", 4)).ok());
  EXPECT_FALSE(startup_packet_size("\x7f\xff\xff\xff").ok());
  EXPECT_EQ(startup_packet_size(std::string("\0\0\x27\x11", 4)).error().message(),
            "startup packet has length 10001, allowed are 8 to 10000");
}

TEST(Messages, CancelRequestHasTheLengthOfItsKey) {
  base::WriteBuffer out;
  ASSERT_TRUE(encode_cancel_request(out, {.process_id = 1, .secret = "abcd"}));
  EXPECT_EQ(out.view(), std::string_view("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1abcd", 16));
  out.clear();
  ASSERT_TRUE(encode_cancel_request(out, {.process_id = 1, .secret = std::string(256, 'k')}));
  EXPECT_EQ(out.size(), 12U + 256U);
  EXPECT_FALSE(encode_cancel_request(out, {.process_id = 1, .secret = "abc"}));
  EXPECT_FALSE(encode_cancel_request(out, {.process_id = 1, .secret = std::string(257, 'k')}));
  EXPECT_EQ(out.size(), 12U + 256U);
}

TEST(Messages, ThatCantBeEncodedAppendNothing) {
  base::WriteBuffer out;
  out.put("before");
  const std::vector<Oid> many(65'536, 0);
  EXPECT_FALSE(encode(out, Query{kNul}));
  EXPECT_FALSE(encode(out, Parse{"", "", std::span<const Oid>(many)}));
  EXPECT_FALSE(encode(out, Parse{kNul, "", {}}));
  EXPECT_FALSE(encode(out, Bind{"", "", {}, 2, kValues, {}})) << "three values";
  EXPECT_FALSE(encode(out, Bind{"", "", std::span<const std::int16_t>(kFormats), 3, kValues, {}})) << "two formats";
  EXPECT_FALSE(encode(out, DataRow{RowView(kValues, 2)}));
  EXPECT_FALSE(encode(out, StartupMessage{3U << 16, {{"options", std::string(10'000, 'x')}}}));
  EXPECT_EQ(out.view(), "before");
}

TEST(Messages, CountsThatCantFitAreRefusedBeforeAnythingIsAllocated) {
  EXPECT_FALSE(NegotiateProtocolVersion::decode(std::string("\0\3\0\0\x7f\xff\xff\xff", 8)).ok());
  EXPECT_FALSE(ParameterDescription::decode("\xff\xff").ok());
  EXPECT_FALSE(RowDescription::decode(std::string("\x7f\xff\0", 3)).ok());
  EXPECT_FALSE(RowDescription::decode("\xff\xff").ok()) << "a negative count";
  EXPECT_FALSE(Bind::decode(std::string("\0\0\0\0\xff\xff", 6)).ok());
  EXPECT_FALSE(FunctionCallResponse::decode("\xff\xff\xff\xfe").ok()) << "a length of -2";
}

// ---- Frames ---------------------------------------------------------------------------------------------------

TEST(Frames, AreLimitedByType) {
  const auto status = [](char type, std::uint32_t length, const FrameLimits& limits) {
    std::string bytes(5, type);
    base::store_be(bytes.data() + 1, length);
    return next_frame(bytes, limits).status;
  };
  using enum FrameStatus;
  EXPECT_EQ(status('D', kMaxMessageSize, backend_limits()), incomplete);
  EXPECT_EQ(status('D', kMaxMessageSize + 1, backend_limits()), too_large);
  EXPECT_EQ(status('C', 30'000, backend_limits()), incomplete);
  EXPECT_EQ(status('C', 30'001, backend_limits()), too_large);
  EXPECT_EQ(status('t', 6 + 4 * 65'535, backend_limits()), incomplete);
  EXPECT_EQ(status('t', 7 + 4 * 65'535, backend_limits()), too_large);
  EXPECT_EQ(status('Q', kMaxMessageSize, frontend_limits()), incomplete);
  EXPECT_EQ(status('S', 10'001, frontend_limits()), too_large);
  EXPECT_EQ(status('p', 65'536, frontend_limits()), too_large);
  EXPECT_EQ(status('Q', 4, backend_limits()), unknown_type);
  EXPECT_EQ(status('T', 4, frontend_limits()), unknown_type);
  EXPECT_EQ(status('Z', 0xffffffff, backend_limits()), too_large);
  EXPECT_EQ(status('Z', 3, backend_limits()), bad_length);
}

TEST(Frames, SayHowMuchTheyStillNeed) {
  const std::string bytes = ready();
  const std::size_t need[] = {5, 4, 3, 2, 1, 1};
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(next_frame(ByteView(bytes).substr(0, size), backend_limits()).need, need[size]) << size;
  }
}

// ---- Rows -----------------------------------------------------------------------------------------------------

TEST(Rows, AreReadForwardAndByPosition) {
  bool malformed = false;
  const RowView row(kValues, 3, &malformed);
  FieldCursor cursor = row.fields();
  EXPECT_EQ(cursor.next().bytes(), "abc");
  EXPECT_TRUE(cursor.next().is_null());
  EXPECT_EQ(cursor.remaining(), 1);
  const FieldView last = cursor.next();
  EXPECT_FALSE(last.is_null());
  EXPECT_EQ(last.bytes(), "");
  EXPECT_EQ(cursor.remaining(), 0);
  EXPECT_EQ(row[0].bytes(), "abc");
  EXPECT_TRUE(row[1].is_null());
  EXPECT_FALSE(row[2].is_null());
  EXPECT_TRUE(row[3].is_null());
  EXPECT_TRUE(row[-1].is_null());
  EXPECT_TRUE(row.well_formed());
  EXPECT_FALSE(malformed);
}

TEST(Rows, WhoseLengthsDontFitAreFlaggedAndNeverReadBeyondTheirEnd) {
  const std::vector<std::pair<std::string, int>> bad{
      {std::string(kValues), 2},                // bytes left over
      {std::string(kValues), 4},                // a field too few
      {std::string(kValues.substr(0, 14)), 3},  // cut
      {std::string("\0\0\0\4abc", 7), 1},       // longer than the row
      {std::string("\x7f\xff\xff\xff"
                   "abc",
                   7),
       1},                                      // much longer
      {std::string("\xff\xff\xff\xfe", 4), 1},  // -2
      {std::string("\0\0\0", 3), 1},            // not even a length
      {"x", 0},                                 // bytes without a field
  };
  for (const auto& [bytes, count] : bad) {
    bool malformed = false;
    const RowView row(bytes, count, &malformed);
    FieldCursor cursor = row.fields();
    while (cursor.remaining() > 0) cursor.next();
    EXPECT_TRUE(cursor.failed());
    EXPECT_TRUE(malformed);
    EXPECT_FALSE(row.well_formed());
    EXPECT_FALSE(DataRow::decode(std::string("\0", 1) + static_cast<char>(count) + bytes).ok());
  }
}

TEST(Rows, DescriptionsOwnTheirNames) {
  std::vector<FieldDescription> fields(2);
  fields[0] = {"id", 16384, 1, 23, 4, -1, kBinaryFormat};
  fields[1] = {"a longer name", 0, 0, 25, -1, 20, kTextFormat};
  base::WriteBuffer out;
  ASSERT_TRUE(encode_row_description(out, fields));
  std::string body(out.view().substr(5));
  const auto decoded = RowDescription::decode(body);
  ASSERT_TRUE(decoded.ok());
  body.assign(body.size(), 'x');
  const auto check = [&](const RowDescription& description) {
    ASSERT_EQ(description.size(), 2U);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(description[i].name, fields[i].name);
      EXPECT_EQ(description[i].table_oid, fields[i].table_oid);
      EXPECT_EQ(description[i].column, fields[i].column);
      EXPECT_EQ(description[i].type, fields[i].type);
      EXPECT_EQ(description[i].type_size, fields[i].type_size);
      EXPECT_EQ(description[i].type_modifier, fields[i].type_modifier);
      EXPECT_EQ(description[i].format, fields[i].format);
    }
  };
  check(**decoded);
  check(*RowDescription::make(fields));
  EXPECT_TRUE(RowDescription::make({})->empty());
}

TEST(Rows, DescriptionsThatAreCutOrLongerAreRefused) {
  const std::string message = row_description({"a", "", "bcd"});
  const ByteView body = ByteView(message).substr(5);
  ASSERT_TRUE(RowDescription::decode(body).ok());
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(RowDescription::decode(body.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(RowDescription::decode(std::string(body) + "x").ok());
}

// ---- Errors ---------------------------------------------------------------------------------------------------

TEST(ErrorFields, EveryFieldRoundTrips) {
  ServerFields fields;
  fields.severity = "ERROR";
  fields.severity_localized = "FEHLER";
  fields.sqlstate = "23505";
  fields.message = "message";
  fields.detail = "detail";
  fields.hint = "hint";
  fields.position = "1";
  fields.internal_position = "2";
  fields.internal_query = "query";
  fields.where = "where";
  fields.schema = "schema";
  fields.table = "table";
  fields.column = "column";
  fields.data_type = "type";
  fields.constraint = "constraint";
  fields.file = "file";
  fields.line = "3";
  fields.routine = "routine";
  base::WriteBuffer out;
  encode_error_response(out, fields);
  ASSERT_EQ(out.view().front(), 'E');
  const auto decoded = decode_error_fields(out.view().substr(5));
  ASSERT_TRUE(decoded.ok());
  base::WriteBuffer again;
  encode_error_response(again, *decoded);
  EXPECT_EQ(again.view(), out.view());
  EXPECT_EQ(decoded->severity, "ERROR");
  EXPECT_EQ(decoded->severity_localized, "FEHLER");
  EXPECT_EQ(decoded->constraint, "constraint");
  EXPECT_EQ(decoded->routine, "routine");
  for (std::size_t size = 0; size + 5 < out.size(); ++size) {
    EXPECT_FALSE(decode_error_fields(out.view().substr(5, size)).ok()) << size;
  }
  EXPECT_FALSE(decode_error_fields(std::string(out.view().substr(5)) + "x").ok());
}

TEST(ErrorFields, UnknownCodesAreIgnoredAndOldServersHaveOneSeverity) {
  const auto fields = decode_error_fields(std::string("SFATAL\0?new\0C57P01\0\0", 20));
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->severity, "FATAL");
  EXPECT_EQ(fields->sqlstate, "57P01");
  EXPECT_TRUE(ends_session(*fields));
  EXPECT_FALSE(decode_error_fields("").ok());
  EXPECT_TRUE(decode_error_fields(std::string(1, '\0')).ok()) << "no field at all";
}

}  // namespace
}  // namespace switchyard::inline v0::protocol
