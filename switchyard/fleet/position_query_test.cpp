#include <switchyard/fleet/position_query.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

TEST(PositionQuery, TheAnswerIsAToken) {
  const auto token = decode_position("0/402A018 000000020000000000000004 7301022340561832001");
  ASSERT_TRUE(token);
  EXPECT_EQ(to_string(*token), "7301022340561832001/2/0/402A018");
  EXPECT_EQ(decode_position("0/402A018 0000000A0000000000000004")->timeline, 10U);
}

TEST(PositionQuery, AnythingElseIsNoAnswer) {
  for (const char* text :
       {"", "0/1", "0/1 ", "0/1 00000001", "x 000000020000000000000004", "0/1 G00000020000000000000004",
        "0/1 000000020000000000000004 x", "0/1 000000020000000000000004 1 2"}) {
    EXPECT_FALSE(decode_position(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::fleet
