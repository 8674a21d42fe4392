#include <switchyard/gateway/session_state.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
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

Step execute() {
  Step step;
  step.kind = Step::Kind::execute;
  return step;
}

TEST(SessionState, AnswersThatHaveComeAreForgottenThoughOneIsAlwaysDue) {
  SessionState state;
  constexpr std::size_t kDue = 3;
  for (std::size_t i = 0; i < kDue; ++i) state.expect(execute());
  for (int i = 0; i < 100'000; ++i) {
    state.expect(execute());
    state.pop();
    ASSERT_EQ(state.due(), kDue);
    ASSERT_LE(state.kept(), 2 * kDue + SessionState::kKeptSteps) << "after " << i << " answers";
  }
}

TEST(SessionState, ForgettingAnswersChangesNoNumberOfThoseThatAreDue) {
  SessionState state;
  const auto first = std::make_shared<Intern>();
  for (int i = 0; i < 1000; ++i) state.expect(execute());
  state.expect({.kind = Step::Kind::parse, .intern = first});
  state.set_unnamed(first);
  state.expect({.kind = Step::Kind::sync});
  state.expect(execute());
  const std::uint64_t next = state.next_step();
  const std::uint64_t boundary = state.last_boundary();
  for (int i = 0; i < 1000; ++i) state.pop();
  EXPECT_LT(state.kept(), 1000U);
  EXPECT_EQ(state.next_step(), next);
  EXPECT_EQ(state.last_boundary(), boundary);
  EXPECT_EQ(state.boundaries(), 1U);
  EXPECT_EQ(state.head().intern, first);
  EXPECT_EQ(state.unnamed_setter(), &state.head());
  EXPECT_TRUE(state.unnamed_uncertain());
}

}  // namespace
}  // namespace switchyard::gateway
