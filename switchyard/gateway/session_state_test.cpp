#include <switchyard/gateway/session_state.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace switchyard::gateway {
namespace {

using ::testing::UnorderedElementsAre;

InternRef intern(std::uint32_t number) {
  auto made = std::make_shared<Intern>();
  made->number = number;
  made->server_name = "sw_" + std::to_string(number);
  return made;
}

TEST(SessionState, StatementsThatWereForgottenGoWithTheOthersForTheyMayBeThere) {
  SessionState state;
  state.add(intern(1));
  state.forget_statements();
  state.add(intern(2));
  EXPECT_THAT(state.take_statements(), UnorderedElementsAre("sw_1", "sw_2_1"));
  EXPECT_EQ(state.prepared(), 0U);
  EXPECT_TRUE(state.take_statements().empty());
}

}  // namespace
}  // namespace switchyard::gateway
