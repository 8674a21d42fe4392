#include <switchyard/fleet/wal_position.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

constexpr std::uint64_t kSegment = 16 << 20;

TEST(WalPosition, ReadsAndPrintsWhatPostgresqlPrints) {
  for (const char* text : {"0/0", "0/402A018", "16/B374D848", "FFFFFFFF/FFFFFFFF", "1/A"}) {
    const auto lsn = WalPosition::parse(text);
    ASSERT_TRUE(lsn) << text;
    EXPECT_EQ(lsn->to_string(), text);
  }
  EXPECT_EQ(WalPosition::parse("16/b374d848")->value(), 0x16B374D848U);
  EXPECT_EQ(WalPosition::parse("00000001/0000000A")->to_string(), "1/A");
}

TEST(WalPosition, RefusesEverythingElse) {
  for (const char* text : {"", "/", "0/", "/0", "0", "0/0/0", " 0/0", "0/0 ", "0x1/0", "-1/0", "+1/0",
                           "000000001/0", "0/000000001", "G/0", "0/1."}) {
    EXPECT_FALSE(WalPosition::parse(text)) << text;
  }
}

TEST(WalPosition, IsOrderedAndMeasuresBytes) {
  EXPECT_LT(*WalPosition::parse("0/FFFFFFFF"), *WalPosition::parse("1/0"));
  EXPECT_EQ(WalPosition::parse("1/0")->bytes_after(*WalPosition::parse("0/FFFFFFFF")), 1U);
  EXPECT_EQ(WalPosition(5).bytes_after(WalPosition(9)), 0U);
  EXPECT_FALSE(WalPosition().known());
}

TEST(ReplayablePosition, IsTheStartOfThePageJustBehindItsHeader) {
  EXPECT_EQ(fleet::replayable_position(*WalPosition::parse("0/402A018"), kSegment).to_string(), "0/402A000");
  EXPECT_EQ(fleet::replayable_position(*WalPosition::parse("0/5000028"), kSegment).to_string(), "0/5000000");
}

TEST(ReplayablePosition, LeavesPlacesThatARecordMayEndAtAlone) {
  for (const char* text : {"0/402A000", "0/402A020", "0/402A028", "0/402BFF8", "0/5000018", "0/5000030"}) {
    EXPECT_EQ(fleet::replayable_position(*WalPosition::parse(text), kSegment).to_string(), text);
  }
  // Whether this is the first page of a segment is not known: a token must never become weaker.
  EXPECT_EQ(fleet::replayable_position(*WalPosition::parse("0/5000028"), 0).to_string(), "0/5000028");
}

}  // namespace
}  // namespace switchyard
