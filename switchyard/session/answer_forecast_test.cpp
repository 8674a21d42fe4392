#include <switchyard/session/answer_forecast.hpp>

#include <gtest/gtest.h>

namespace switchyard::session {
namespace {

using namespace std::chrono_literals;

AnswerForecast after(std::initializer_list<std::size_t> answers) {
  AnswerForecast forecast;
  for (const std::size_t bytes : answers) forecast.note(bytes, 5ms, 0);
  return forecast;
}

TEST(AnswerForecast, NothingIsGuessedFromOneAnswer) {
  EXPECT_EQ(AnswerForecast().bytes(), 0U);
  EXPECT_EQ(after({50'000}).bytes(), 0U);
}

TEST(AnswerForecast, EqualAnswersAreExpectedToRepeat) { EXPECT_EQ(after({50'000, 50'000}).bytes(), 50'000U); }

TEST(AnswerForecast, OfUnequalAnswersLessThanTheSmallerIsExpected) {
  EXPECT_EQ(after({80'000, 40'000}).bytes(), 35'000U);
  EXPECT_EQ(after({40'000, 80'000}).bytes(), 35'000U);
}

TEST(AnswerForecast, SmallAnswersAreNotWorthIt) {
  EXPECT_EQ(after({8'000, 8'000}).bytes(), 0U);
  EXPECT_EQ(after({80'000, 8'000}).bytes(), 0U);
}

TEST(AnswerForecast, AWrongGuessIsFollowedByRunsWithoutGuessTwiceAsManyEachTime) {
  AnswerForecast forecast = after({50'000, 50'000});
  for (std::uint32_t penalty : {AnswerForecast::kFirstPenalty, 2 * AnswerForecast::kFirstPenalty}) {
    forecast.note(49'999, 5ms, 50'000);
    for (std::uint32_t run = 0; run < penalty; ++run) {
      ASSERT_EQ(forecast.bytes(), 0U) << run;
      forecast.note(50'000, 5ms, 0);
    }
    EXPECT_EQ(forecast.bytes(), 50'000U);
  }
}

TEST(AnswerForecast, PatienceIsTwiceWhatTheStatementTookWithinBounds) {
  AnswerForecast forecast;
  forecast.note(50'000, 10us, 0);
  EXPECT_EQ(forecast.patience(), AnswerForecast::kShortestPatience);
  forecast.note(50'000, 5ms, 0);
  EXPECT_EQ(forecast.patience(), 10ms);
  forecast.note(50'000, 5s, 0);
  EXPECT_EQ(forecast.patience(), AnswerForecast::kLongestPatience);
}

}  // namespace
}  // namespace switchyard::session
