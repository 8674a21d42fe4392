// The shared table: two openings of one file are two processes to each other.
#include <switchyard/fleet/budget_permits.hpp>
#include <switchyard/fleet/budget_registry.hpp>
#include <switchyard/pool/permits.hpp>

#include <tests/support/temp_folder.hpp>
#include <tests/support/wait_until.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::fleet {
namespace {

using pool::PermitCounter;
using pool::PermitPurpose;
using switchyard::testing::TempFolder;
using switchyard::testing::wait_until;
using ::testing::HasSubstr;

/// One process as the table sees it: an opening, a pool's permits, and an account.
struct Process {
  explicit Process(const std::string& file)
      : registry(BudgetRegistry::open(file).value_or_throw()), permits(std::make_unique<PermitCounter>(100)) {
    auto source = std::make_unique<BudgetPermits>(
        registry,
        BudgetTerms{.address = "h:5432", .role = "app", .database = "main", .fleet = "f", .application_names = {}},
        *permits);
    budget = source.get();
    permits->set_source(std::move(source));
    member = permits->join();
    permits->set_wake(*member, [](void* self) noexcept { ++static_cast<Process*>(self)->wakes; }, this);
  }
  ~Process() {
    for (; held > 0; --held) permits->give_back(*member);
    permits->leave(*member);
  }
  bool take() {
    if (!permits->try_take()) return false;
    ++held;
    return true;
  }
  void give() {
    --held;
    permits->give_back(*member);
  }
  void learn(std::int32_t allowed) {
    registry->with([&](BudgetLedger& ledger, BudgetTime now) {
      const BudgetLook look = ledger.begin_look(budget->account(), now);
      ServerSight sight;
      sight.identity = 1;
      sight.max_connections = allowed + 3;
      sight.reserved = 3;
      sight.sessions = held;
      ledger.end_look(budget->account(), look, sight, "h:5432", now);
    });
  }

  std::shared_ptr<BudgetRegistry> registry;
  std::unique_ptr<PermitCounter> permits;
  BudgetPermits* budget = nullptr;
  PermitCounter::Member* member = nullptr;
  int held = 0;
  std::atomic<int> wakes{0};
};

class BudgetFile : public ::testing::Test {
 protected:
  TempFolder folder;
  std::string file = folder.file("budget");
};

TEST_F(BudgetFile, WhatOneProcessHoldsTheOtherCanNotTake) {
  Process one(file);
  Process two(file);
  EXPECT_NE(one.registry->process(), two.registry->process());
  ASSERT_TRUE(one.take());
  one.learn(3);
  EXPECT_TRUE(one.take() && two.take());
  EXPECT_FALSE(one.take());
  EXPECT_FALSE(two.take());
  EXPECT_TRUE(two.permits->refused());
  EXPECT_THAT(two.permits->source()->describe(), HasSubstr("this process holds 1, 1 other 2"));
  one.give();
  EXPECT_TRUE(two.take());
}

TEST_F(BudgetFile, AProcessThatLeavesFreesWhatItHeld) {
  auto one = std::make_unique<Process>(file);
  Process two(file);
  ASSERT_TRUE(one->take());
  one->learn(2);
  ASSERT_TRUE(one->take());
  EXPECT_FALSE(two.take());
  one.reset();
  EXPECT_TRUE(two.take());
}

TEST_F(BudgetFile, TheLastProcessRemovesTheFileAndTheNextMakesANewOne) {
  auto first = std::make_unique<Process>(file);
  auto second = std::make_unique<Process>(file);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(file));
  second.reset();
  EXPECT_FALSE(std::filesystem::exists(file));
  Process next(file);
  EXPECT_TRUE(next.registry->shared());
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(BudgetFile, OneThatWaitsMakesTheOtherOweAndIsWokenWhenItPays) {
  Process one(file);
  Process two(file);
  ASSERT_TRUE(one.take());
  one.learn(2);
  ASSERT_TRUE(one.take());
  ASSERT_FALSE(two.take());
  two.permits->set_starving(*two.member, true);
  EXPECT_TRUE(wait_until([&] { return one.permits->owes() && one.wakes > 0; }));
  EXPECT_TRUE(one.permits->take_owed());
  EXPECT_FALSE(one.permits->take_owed()) << "one is enough";
  two.wakes = 0;
  one.give();
  EXPECT_TRUE(wait_until([&] { return two.wakes > 0; }));
  EXPECT_TRUE(two.take());
  two.permits->set_starving(*two.member, false);
}

TEST_F(BudgetFile, ATableOfAnotherVersionOrOfEverybodyIsNotUsed) {
  folder.write("budget", "something else");
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(BudgetRegistry::open(file).error().what(), HasSubstr("another version"));
  std::filesystem::permissions(file, std::filesystem::perms::all);
  EXPECT_THAT(BudgetRegistry::open(file).error().what(), HasSubstr("not a private file"));
  EXPECT_THAT(BudgetRegistry::open(folder.file("missing/budget")).error().what(), HasSubstr("can't open"));
}

TEST_F(BudgetFile, WithoutAFileAProcessCountsForItself) {
  const auto alone = BudgetRegistry::alone();
  EXPECT_FALSE(alone->shared());
  EXPECT_TRUE(BudgetRegistry::open(file).value_or_throw()->shared());
}

TEST(BudgetMachine, AllFleetsOfAProcessUseOneOpening) {
  const auto held = BudgetRegistry::of_machine();
  EXPECT_EQ(BudgetRegistry::of_machine(), held);
}

}  // namespace
}  // namespace switchyard::fleet
