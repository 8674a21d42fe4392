#include <switchyard/base/ascii.hpp>
#include <switchyard/base/buffer.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/base/units.hpp>

#include <gtest/gtest.h>

#include <array>

namespace switchyard {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsAreReadAsPeopleWriteThem) {
  EXPECT_EQ(*parse_duration("30s"), 30s);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("0.1s"), 100ms);
  EXPECT_EQ(*parse_duration("0"), 0s);
  EXPECT_EQ(*parse_seconds("2.5"), 2500ms);
}

TEST(Units, AWrongDurationNamesTheValueAndTheFix) {
  for (const char* wrong : {"", "30", "s", "1.2.3s", "5 m", "10weeks", "99999999999d", "-1s"}) {
    const auto result = parse_duration(wrong);
    ASSERT_FALSE(result.ok()) << wrong;
    EXPECT_NE(std::string(result.error().what()).find("250ms"), std::string::npos) << result.error().what();
  }
  EXPECT_FALSE(parse_seconds("30s").ok());
  EXPECT_FALSE(parse_seconds("").ok());
}

TEST(Units, FormattingIsTheInverseOfParsing) {
  for (Duration value : {Duration(0), Duration(1), Duration(90min), Duration(1500ms), Duration(25h)}) {
    EXPECT_EQ(*parse_duration(format_duration(value)), value) << format_duration(value);
  }
  EXPECT_EQ(format_size(*parse_size("256MB")), "256MB");
  EXPECT_EQ(*parse_size("16kB"), 16384U);
  EXPECT_FALSE(parse_size("16KiB").ok());
  EXPECT_FALSE(parse_size("99999999999999GB").ok());
}

TEST(Ascii, LettersAreFoldedAndOtherBytesStay) {
  EXPECT_EQ(base::lowered("ABZ az [@`{ 09 \xC3\x84"), "abz az [@`{ 09 \xC3\x84");
  EXPECT_TRUE(base::equal_ignoring_case("Search_Path", "sEARCH_pATH"));
  EXPECT_FALSE(base::equal_ignoring_case("@", "`"));
  EXPECT_FALSE(base::equal_ignoring_case("now", "nowhere"));
  EXPECT_TRUE(base::is_space('\v') && base::is_space('\f'));
  EXPECT_FALSE(base::is_space('\0') || base::is_space('\x08') || base::is_letter('[') || base::is_digit(':'));
}

TEST(Suggest, FindsNearMissesOnly) {
  constexpr std::array<std::string_view, 3> names{"main", "reference", "analytics"};
  EXPECT_EQ(closest("refrence", names), "reference");
  EXPECT_EQ(closest("mian", names), "main");
  EXPECT_EQ(closest("zebra", names), "");
  EXPECT_EQ(did_you_mean("analitics", names), "did you mean 'analytics'?");
}

TEST(Error, AServerErrorOnALiveSessionThatDidNothingIsRetryable) {
  ServerFields fields;
  fields.severity = "ERROR";
  fields.sqlstate = "40001";
  fields.message = "could not serialize access";
  const Error error = Error(fields, ErrorStage::sent).with_database("main");
  EXPECT_TRUE(error.retryable());
  EXPECT_TRUE(error.session_alive());
  EXPECT_EQ(std::string(error.what()), "database 'main': ERROR 40001: could not serialize access");
  fields.severity = "FATAL";
  fields.sqlstate = "57P01";
  EXPECT_FALSE(Error(fields, ErrorStage::sent).retryable());
  EXPECT_FALSE(Error(fields, ErrorStage::sent).session_alive());
}

TEST(Error, AMovedFromErrorCanStillBeRead) {
  Error first(ErrorKind::Deadline, "too late");
  Error second(std::move(first));
  EXPECT_EQ(first.message(), second.message());  // NOLINT: that is the promise
}

TEST(Buffers, ReadBufferKeepsBytesAcrossGrowth) {
  base::ReadBuffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    char* at = buffer.prepare(piece.size());
    ASSERT_NE(at, nullptr);
    std::memcpy(at, piece.data(), piece.size());
    buffer.commit(piece.size());
    expected += piece;
    if (i % 7 == 6) {
      buffer.consume(3);
      expected.erase(0, 3);
    }
  }
  EXPECT_EQ(buffer.readable(), expected);
}

TEST(Buffers, WriteBufferPatchesLengthsAfterGrowth) {
  base::WriteBuffer out;
  out.put_u8('Q');
  const std::size_t mark = out.mark();
  out.put_i32(0);
  out.put_cstring(std::string(5000, 'x'));
  out.patch_i32(mark, static_cast<std::int32_t>(out.size() - mark));
  EXPECT_EQ(base::load_be<std::int32_t>(out.view().data() + 1), 5005);
}

TEST(Secret, IsMaskedAndMovedOutOf) {
  Secret first("hunter2");
  EXPECT_EQ(first.masked(), "********");
  Secret second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT: that is the promise
  EXPECT_EQ(second.reveal(), "hunter2");
}

}  // namespace
}  // namespace switchyard
