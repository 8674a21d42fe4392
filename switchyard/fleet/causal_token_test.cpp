#include <switchyard/fleet/causal_token.hpp>

#include <gtest/gtest.h>

#include <string>

namespace switchyard {
namespace {

CausalToken token(std::string database, std::uint32_t timeline, std::uint64_t lsn, std::uint64_t system = 73) {
  return {
      .database = std::move(database), .system_identifier = system, .timeline = timeline, .lsn = WalPosition(lsn)};
}

TEST(CausalTokens, KeepTheFurthestOfEachDatabase) {
  CausalTokens tokens;
  tokens.raise(token("main", 1, 0x100));
  tokens.raise(token("main", 1, 0x80));
  tokens.raise(token("reference", 1, 0x10));
  EXPECT_EQ(tokens.find("main")->token.lsn, WalPosition(0x100));
  EXPECT_EQ(tokens.find("reference")->token.lsn, WalPosition(0x10));
  EXPECT_EQ(tokens.find("analytics"), nullptr);
}

TEST(CausalTokens, ALaterTimelineReplacesAnEarlierOneWhateverTheLsn) {
  CausalTokens tokens;
  tokens.raise(token("main", 1, 0x500));
  tokens.raise(token("main", 2, 0x200));
  EXPECT_EQ(tokens.find("main")->token, token("main", 2, 0x200));
  tokens.raise(token("main", 1, 0x900));
  EXPECT_EQ(tokens.find("main")->token, token("main", 2, 0x200));
}

TEST(CausalTokens, ALostTokenMeansThePrimaryUntilAFreshOneIsKnown) {
  CausalTokens tokens;
  tokens.raise(token("main", 1, 0x100));
  tokens.lost("main");
  EXPECT_TRUE(tokens.find("main")->primary_only);
  EXPECT_EQ(tokens.header(), "main=primary");
  tokens.raise(token("main", 1, 0x110));
  EXPECT_FALSE(tokens.find("main")->primary_only);
  EXPECT_EQ(tokens.find("main")->token.lsn, WalPosition(0x110));
}

TEST(CausalTokens, TravelAsAHeader) {
  CausalTokens sender;
  sender.raise(token("main", 1, 0x402A018, 7301022340561832001));
  sender.lost("reference");
  EXPECT_EQ(sender.header(), "main=7301022340561832001/1/0/402A018, reference=primary");
  CausalTokens receiver;
  receiver.raise(token("main", 1, 0x10, 7301022340561832001));
  ASSERT_TRUE(receiver.accept(sender.header()).ok());
  EXPECT_EQ(receiver.header(), sender.header());
  ASSERT_TRUE(receiver.accept("").ok());
  EXPECT_EQ(receiver.header(), sender.header());
}

TEST(CausalTokens, TokensOfTwoClustersForOneDatabaseMeanThePrimary) {
  CausalTokens tokens;
  tokens.raise(token("main", 1, 0x100, 1));
  ASSERT_TRUE(tokens.accept("main=2/1/0/200").ok());
  EXPECT_TRUE(tokens.find("main")->primary_only);
}

TEST(CausalTokens, AForeignHeaderNeverSettlesWhatIsInDoubtHere) {
  CausalTokens tokens;
  tokens.lost("main");
  ASSERT_TRUE(tokens.accept("main=73/1/0/200").ok());
  EXPECT_TRUE(tokens.find("main")->primary_only);
}

TEST(CausalTokens, MalformedHeadersAreRefusedWithThePlaceAndChangeNothing) {
  struct Case {
    std::string header;
    std::string expected;
  };
  const Case cases[] = {
      {"main", "'main': there is no '='"},
      {"Main=primary", "no database name"},
      {"main=0/402A018", "there is no system identifier"},
      {"main=x/1/0/1", "'x' is no system identifier"},
      {"main=99999999999999999999/1/0/1", "is no system identifier"},
      {"main=7/4294967296/0/1", "'4294967296' is no timeline"},
      {"main=7/1/0/G", "'0/G' is no LSN"},
      {"main=7/1/0/1/2", "is no LSN"},
      {"main=7/1/0/1,", "nothing follows"},
      {"main=7/1/0/1,,b=primary", "there is no '='"},
      {"main=7/1/0/1; b=primary", "is no LSN"},
      {"main=\x01\xff", "' is no LSN"},
      {std::string(kLongestMinLsnHeader + 1, 'a'), "8193 bytes"},
  };
  for (const Case& one : cases) {
    CausalTokens tokens;
    const auto result = tokens.accept(one.header);
    ASSERT_FALSE(result.ok()) << one.header;
    EXPECT_EQ(result.error().kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(result.error().what()).find(one.expected), std::string::npos) << result.error().what();
    EXPECT_TRUE(tokens.empty());
  }
}

TEST(CausalTokens, TheNumberOfDatabasesIsBounded) {
  std::string header;
  for (std::size_t i = 0; i <= kMostTokens; ++i) header += (i > 0 ? ", d" : "d") + std::to_string(i) + "=primary";
  EXPECT_FALSE(CausalTokens::parse(header).ok());
  CausalTokens tokens;
  for (std::size_t i = 0; i < kMostTokens; ++i) tokens.lost("d" + std::to_string(i));
  EXPECT_EQ(tokens.accept("another=primary").error().kind(), ErrorKind::Usage);
}

TEST(CausalPosition, MayBeABareLsn) {
  const auto bare = parse_causal_position("0/402A018");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->system_identifier, 0U);
  EXPECT_EQ(bare->timeline, 0U);
  EXPECT_EQ(to_string(*parse_causal_position("7/2/A/BC")), "7/2/A/BC");
}

}  // namespace
}  // namespace switchyard
