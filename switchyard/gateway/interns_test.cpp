// What is kept beside the statements that clients have names for is bounded, whatever it hangs on.
#include <switchyard/gateway/interns.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::gateway {
namespace {

ClientText read_nothing(std::string_view /*sql*/) {
  ClientText text;
  text.judged = true;
  return text;
}

std::string body_of(int number) { return "SELECT " + std::to_string(number) + std::string("\0\0\0", 3); }

TEST(InternsTest, SettingsThatTextsWereReadUnderCount) {
  constexpr std::size_t kValue = 64 << 10;
  Interns interns("p");
  std::vector<std::weak_ptr<const Settings>> made;
  for (int i = 0; i < 1000; ++i) {
    const auto settings =
        std::make_shared<const Settings>(Settings{{"app.tenant", std::to_string(i) + std::string(kValue, 'x')}});
    made.push_back(settings);
    ASSERT_TRUE(interns.find_or_add(body_of(1), settings, read_nothing));
  }
  std::size_t alive = 0;
  for (const auto& one : made) alive += one.expired() ? 0 : 1;
  EXPECT_LE(alive, Interns::kMaxBytes / kValue);
  EXPECT_GE(alive, 1U);
  EXPECT_EQ(interns.size(), alive);
}

TEST(InternsTest, ColumnsCount) {
  constexpr std::size_t kColumns = 64 << 10;
  Interns interns("p");
  std::vector<std::weak_ptr<Intern>> made;
  for (int i = 0; i < 1000; ++i) {
    const InternRef intern = interns.find_or_add(body_of(i), nullptr, read_nothing);
    interns.set_columns(*intern, std::string(kColumns, 'c'));
    made.push_back(intern);
  }
  std::size_t alive = 0;
  for (const auto& one : made) alive += one.expired() ? 0 : 1;
  EXPECT_LE(alive, Interns::kMaxBytes / kColumns + 1);
  interns.begin_epoch();
  EXPECT_EQ(interns.bytes(), 0U);
}

TEST(InternsTest, AStatementThatSomebodyHasANameForIsKeptThoughItIsNotFoundAnyMore) {
  Interns interns("p");
  const InternRef held = interns.find_or_add(body_of(-1), nullptr, read_nothing);
  for (int i = 0; i < 1000; ++i) {
    (void)interns.find_or_add(body_of(i) + std::string(64 << 10, ' '), nullptr, read_nothing);
  }
  EXPECT_LE(interns.bytes(), Interns::kMaxBytes + (128 << 10));
  EXPECT_EQ(held->sql(), "SELECT -1");
  interns.set_columns(*held, "columns");
  EXPECT_NE(interns.find_or_add(body_of(-1), nullptr, read_nothing), held);
}

}  // namespace
}  // namespace switchyard::gateway
