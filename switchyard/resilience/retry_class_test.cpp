// The table against sqlstates.txt: every SQLSTATE PostgreSQL documents is one test case.
#include <switchyard/base/error.hpp>
#include <switchyard/resilience/retry_class.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace switchyard {
namespace {

using namespace resilience;

struct Expected {
  std::string sqlstate, retry, health, name;
};

std::vector<Expected> expected_classes() {
  std::ifstream file(SWITCHYARD_SOURCE_DIR "/switchyard/resilience/sqlstates.txt");
  std::vector<Expected> out;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    Expected row;
    std::istringstream(line) >> row.sqlstate >> row.retry >> row.health >> row.name;
    out.push_back(row);
  }
  return out;
}

class RetryClassOf : public testing::TestWithParam<Expected> {};

TEST_P(RetryClassOf, IsAsTheTableOfTextSays) {
  const RetryRule& rule = retry_rule(GetParam().sqlstate);
  EXPECT_EQ(to_string(rule.retry), GetParam().retry);
  EXPECT_EQ(to_string(rule.health), GetParam().health);
}

TEST_P(RetryClassOf, AgreesWithWhatTheErrorSaysOfItself) {
  const Error error(ServerFields{.severity = "ERROR", .sqlstate = GetParam().sqlstate}, ErrorStage::sent);
  EXPECT_EQ(error.retryable(), GetParam().retry.starts_with("retry"));
}

INSTANTIATE_TEST_SUITE_P(Sqlstate, RetryClassOf, testing::ValuesIn(expected_classes()),
                         [](const auto& info) { return info.param.sqlstate + "_" + info.param.name; });

TEST(RetryClass, TextTableHoldsEverySqlstateOfTheInstalledServersOnce) {
  std::set<std::string> listed;
  for (const Expected& row : expected_classes()) EXPECT_TRUE(listed.insert(row.sqlstate).second) << row.sqlstate;
  EXPECT_GE(listed.size(), 260u);
  const std::filesystem::path installed = "/usr/share/postgresql/15/errcodes.txt";
  if (!std::filesystem::exists(installed)) GTEST_SKIP() << "no " << installed;
  std::ifstream file(installed);
  for (std::string line; std::getline(file, line);) {
    if (line.size() < 10 || line[0] == '#' || line[5] != ' ' || line.starts_with("Section")) continue;
    EXPECT_TRUE(listed.contains(line.substr(0, 5))) << line;
  }
}

TEST(RetryClass, UnknownAndMalformedCodesAreNeverTriedAgain) {
  for (const char* code : {"", "4", "40", "ZZ999", "4000", "400011"}) {
    const RetryRule& rule = retry_rule(code);
    const bool starts_like_a_known_one = std::string_view(code) == "400011";
    EXPECT_EQ(rule.retry == RetryClass::never, !starts_like_a_known_one) << code;
  }
}

}  // namespace
}  // namespace switchyard
