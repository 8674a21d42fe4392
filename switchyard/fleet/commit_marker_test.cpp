#include <switchyard/fleet/commit_marker.hpp>

#include <gtest/gtest.h>

#include <string>

namespace switchyard {
namespace {

using fleet::judge_marker;
using fleet::MarkerAnswer;
using fleet::MarkerFinding;

CommitMarker marker() {
  return {.database = "main",
          .id = "7ce2a1f0-0000-4000-8000-00000000002a",
          .xid = "742",
          .system = "7391234567890123456",
          .timeline = 3,
          .process = 31337,
          .written_at = 1'700'000'000};
}

MarkerAnswer answer() {
  return {.in_recovery = false, .system = marker().system, .timeline = 3, .now = 1'700'000'010};
}

TEST(CommitMarker, IsTheSameAfterItWasKeptAsText) {
  EXPECT_EQ(marker().to_string(),
            "main:7ce2a1f0-0000-4000-8000-00000000002a:742:7391234567890123456:3:31337:1700000000");
  EXPECT_EQ(CommitMarker::parse(marker().to_string()).value_or_throw(), marker());
}

TEST(CommitMarker, EveryCutAndEveryStrangeCharacterIsRefused) {
  const std::string text = marker().to_string();
  for (std::size_t length = 0; length < text.rfind(':') + 2; ++length) {
    EXPECT_FALSE(CommitMarker::parse(text.substr(0, length)).ok()) << text.substr(0, length);
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'\'', ' ', '\0', ';'}) {
      std::string wrong = text;
      wrong[at] = c;
      EXPECT_FALSE(CommitMarker::parse(wrong).ok()) << wrong;
    }
  }
  EXPECT_FALSE(CommitMarker::parse(text + ":1").ok());
}

TEST(CommitMarker, RowOnThePrimaryMeansCommitted) {
  MarkerAnswer found = answer();
  found.row = true;
  EXPECT_EQ(judge_marker(marker(), found), MarkerFinding::committed);
  found.timeline = 4;
  EXPECT_EQ(judge_marker(marker(), found), MarkerFinding::committed);
}

TEST(CommitMarker, NoRowMeansRolledBackOnceTheTransactionHasEnded) {
  MarkerAnswer found = answer();
  EXPECT_EQ(judge_marker(marker(), found), MarkerFinding::rolled_back);
  found.under_way = true;
  EXPECT_EQ(judge_marker(marker(), found), MarkerFinding::under_way);
  found.timeline = 4;  // its number belongs to another transaction by now
  EXPECT_EQ(judge_marker(marker(), found), MarkerFinding::rolled_back);
}

TEST(CommitMarker, StandbyAndReplacedPrimaryAreNotBelieved) {
  for (const bool row : {false, true}) {
    MarkerAnswer standby = answer();
    standby.row = row;
    standby.in_recovery = true;
    EXPECT_EQ(judge_marker(marker(), standby), MarkerFinding::not_primary);
    MarkerAnswer former = answer();
    former.row = row;
    former.timeline = 2;
    EXPECT_EQ(judge_marker(marker(), former), MarkerFinding::not_primary);
  }
}

TEST(CommitMarker, AnotherClusterCannotTell) {
  MarkerAnswer other = answer();
  other.system = "1";
  other.row = true;
  EXPECT_EQ(judge_marker(marker(), other), MarkerFinding::unknown);
}

TEST(CommitMarker, RowThatMayHaveBeenRemovedTellsNothingByItsAbsence) {
  MarkerAnswer late = answer();
  late.now = marker().written_at + 24 * 3600 - 1;
  EXPECT_EQ(judge_marker(marker(), late), MarkerFinding::rolled_back);
  late.now += 1;
  EXPECT_EQ(judge_marker(marker(), late), MarkerFinding::unknown);
  late.row = true;
  EXPECT_EQ(judge_marker(marker(), late), MarkerFinding::committed);
}

}  // namespace
}  // namespace switchyard
