#include <switchyard/gateway/kept_passwords.hpp>

#include <tests/support/temp_folder.hpp>

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace switchyard::gateway {
namespace {

class Kept : public ::testing::Test {
 protected:
  void keep(const std::string& name, const std::string& password) {
    folder.write(name, password + "\n");
    ASSERT_EQ(::chmod(folder.file(name).c_str(), 0600), 0);
  }
  [[nodiscard]] std::size_t right(KeptPasswords& passwords, const std::string& user) {
    const auto found = passwords.find(user);
    if (!found) return 0;
    return 1 + std::get<protocol::ScramLogin>(found->method).others.size();
  }
  switchyard::testing::TempFolder folder;
};

TEST_F(Kept, AreThoseOfTheFileAndItsNeighbours) {
  KeptPasswords passwords(folder.path().string(), "postgres", std::chrono::minutes(5));
  EXPECT_EQ(right(passwords, "app"), 0U);
  keep("app", "first");
  EXPECT_EQ(right(passwords, "app"), 1U);
  EXPECT_EQ(passwords.find("app"), passwords.find("app"));  // the verifier is made once
  keep("app.next", "second");
  EXPECT_EQ(right(passwords, "app"), 2U);
  keep("app.previous", "first");
  keep("app", "second");
  EXPECT_EQ(right(passwords, "app"), 2U);
  EXPECT_EQ(passwords.find("app")->stored.reveal(), "second");
  KeptPasswords strict(folder.path().string(), "postgres", -std::chrono::seconds(1));
  EXPECT_EQ(right(strict, "app"), 1U);
}

TEST_F(Kept, AreNobodyElses) {
  KeptPasswords passwords(folder.path().string(), "postgres", std::chrono::minutes(5));
  keep("postgres", "x");
  keep("app.next", "x");
  folder.write("open", "x\n");
  ASSERT_EQ(::chmod(folder.file("open").c_str(), 0644), 0);
  for (const char* user : {"postgres", "app.next", "open", "../app", ".", ""}) {
    EXPECT_EQ(passwords.find(user), nullptr) << user;
  }
}

}  // namespace
}  // namespace switchyard::gateway
