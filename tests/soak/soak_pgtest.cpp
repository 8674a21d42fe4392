// The short runs of ./check. Long ones: build/PRESET/bin/soak.
#include "soak_run.hpp"

#include <gtest/gtest.h>

namespace soak {
namespace {

TEST(Soak, NoRowReachesAnybodyButItsCallerWhileEverythingMovesUnderneath) {
  SoakReport report;
  // Where other work has the processors a lane may not open within the first run.
  for (std::uint64_t seed = 20261121; seed < 20261126; ++seed) {
    report = run_soak({.callers = 300, .seconds = 4, .seed = seed});
    if (!report.failure.empty() || report.score->counted("statements") > 0) break;
  }
  EXPECT_EQ(report.failure, "");
  // It did run, and it was disturbed.
  EXPECT_GT(report.score->total(Outcome::right), 1000U);
  EXPECT_GT(report.score->total(Outcome::dropped), 0U);
  EXPECT_GT(report.score->total(Outcome::timed_out), 0U);
  EXPECT_FALSE(report.misfortunes.empty());
  EXPECT_GT(report.score->counted("statements"), 0U) << "nothing was shared";
}

TEST(Soak, NoRowReachesAnybodyButItsCallerWhileAReplicaTakesOver) {
  const SoakReport report = run_soak({.callers = 200, .seconds = 5, .seed = 15, .replicas = 1});
  EXPECT_EQ(report.failure, "");
  EXPECT_GT(report.score->total(Outcome::right), 1000U);
  EXPECT_EQ(report.misfortunes.at("primary killed, replica promoted"), 1);
}

TEST(Soak, ClientsOverTheWireGetTheirOwnAnswersAndKeepTheirSessions) {
  const SoakReport report = run_soak({.callers = 40, .seconds = 4, .seed = 20261121, .wire = true, .shards = 2});
  EXPECT_EQ(report.failure, "");
  EXPECT_GT(report.score->total(Outcome::right), 500U);
  EXPECT_GT(report.score->total(Outcome::dropped), 0U);
  EXPECT_FALSE(report.misfortunes.empty());
}

TEST(Soak, ClientsOverTheWireGetTheirOwnAnswersWhileAReplicaTakesOver) {
  const SoakReport report = run_soak({.callers = 30, .seconds = 5, .seed = 16, .replicas = 1, .wire = true});
  EXPECT_EQ(report.failure, "");
  EXPECT_GT(report.score->total(Outcome::right), 200U);
  EXPECT_EQ(report.misfortunes.at("primary killed, replica promoted"), 1);
}

}  // namespace
}  // namespace soak
