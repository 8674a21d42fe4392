#include <switchyard/config/dotenv.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using config::DotenvEntry;
using config::parse_dotenv;

std::string value_of(std::string_view text, std::string_view name = "A") {
  const auto entries = parse_dotenv(text, ".env");
  if (!entries.ok()) return std::string("error: ") + entries.error().what();
  for (const DotenvEntry& entry : *entries) {
    if (entry.name == name) return entry.value;
  }
  return "(none)";
}

std::string error_of(std::string_view text) {
  const auto entries = parse_dotenv(text, ".env");
  return entries.ok() ? "(accepted)" : entries.error().what();
}

TEST(Dotenv, ReadsNamesAndValues) {
  EXPECT_EQ(value_of("A=1"), "1");
  EXPECT_EQ(value_of("A = 1 \r\nB=2\r\n"), "1");
  EXPECT_EQ(value_of("A=1\r\nB=2\r\n", "B"), "2");
  EXPECT_EQ(value_of("export A=1"), "1");
  EXPECT_EQ(value_of("exported=1", "exported"), "1");
  EXPECT_EQ(value_of("A="), "");
  EXPECT_EQ(value_of("\xEF\xBB\xBF"
                     "A=1"),
            "1");
  EXPECT_EQ(value_of("A=a=b"), "a=b");
}

TEST(Dotenv, KnowsComments) {
  EXPECT_EQ(value_of("# A=0\n  # more\nA=1 # one"), "1");
  EXPECT_EQ(value_of("A=#nothing"), "");
  EXPECT_EQ(value_of("A='1' # one"), "1");
  // A password may hold a '#'.
  EXPECT_EQ(value_of("A=postgresql://u:p#w@h/d"), "postgresql://u:p#w@h/d");
}

TEST(Dotenv, QuotesKeepSpacesAndLines) {
  EXPECT_EQ(value_of("A='  x # y  '"), "  x # y  ");
  EXPECT_EQ(value_of("A='a\\n'"), "a\\n");
  EXPECT_EQ(value_of("A=\"a\\n\\t\\\"\\\\\\$\\x\""), "a\n\t\"\\$\\x");
  EXPECT_EQ(value_of("A=\"one\ntwo\"\nB=2"), "one\ntwo");
  EXPECT_EQ(value_of("A=\"one\ntwo\"\nB=2", "B"), "2");
}

TEST(Dotenv, InterpolatesNothing) { EXPECT_EQ(value_of("A=${B}-$C"), "${B}-$C"); }

TEST(Dotenv, RemembersLines) {
  const auto entries = parse_dotenv("A=1\n\nB=\"x\ny\"\nC=3\n", ".env");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].line, 1);
  EXPECT_EQ((*entries)[1].line, 3);
  EXPECT_EQ((*entries)[2].line, 5);
}

TEST(Dotenv, NamesTheLineOfEveryMistakeAndQuotesNoValue) {
  EXPECT_NE(error_of("A=1\nnonsense hunter2\n").find(".env:2: "), std::string::npos);
  EXPECT_NE(error_of("A=\"hunter2").find(".env:1: a quoted value has no closing quote"), std::string::npos);
  EXPECT_NE(error_of("A='x' hunter2").find(".env:1: there is text behind the closing quote"), std::string::npos);
  EXPECT_NE(error_of("2A=hunter2").find(".env:1: "), std::string::npos);
  EXPECT_NE(error_of(std::string_view("A=1\nB=\0", 7)).find(".env:2: a zero byte"), std::string::npos);
  const std::string both = error_of("hunter2\nA=1\nB hunter2");
  EXPECT_NE(both.find(".env:1: "), std::string::npos);
  EXPECT_NE(both.find(".env:3: "), std::string::npos);
  EXPECT_EQ(both.find("hunter2"), std::string::npos);
}

TEST(Dotenv, TheSameNameWithAnotherValueIsAMistake) {
  EXPECT_EQ(value_of("A=1\nA=1"), "1");
  EXPECT_EQ(error_of("A=1\nB=1\nA=2"),
            ".env:3: A was already given another value on line 1 (keep one of the two lines)");
}

}  // namespace
}  // namespace switchyard
