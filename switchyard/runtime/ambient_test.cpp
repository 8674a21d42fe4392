#include <switchyard/runtime/ambient.hpp>
#include <switchyard/runtime/manual_loop.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/ready.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;
using Value = std::shared_ptr<void>;

/// An operation as far as this is about it: who awaits it goes on when it is finished.
struct Awaited {
  ReadyNode node;
  std::coroutine_handle<> waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> who) noexcept {
    waiter = who;
    Ambient::remember(node);
  }
  void await_resume() const noexcept {}
  void finish() { node.schedule(waiter); }
};

Task<void> await_under(Value mine, Awaited& operation, std::optional<Value>& seen) {
  Ambient::set(std::move(mine));
  co_await operation;
  seen = Ambient::current();
}

class AmbientTest : public testing::Test {
 protected:
  ~AmbientTest() override { Ambient::set(nullptr); }

  ManualLoop loop_;
  const Value first_ = std::make_shared<int>(1);
  const Value second_ = std::make_shared<int>(2);
};

TEST_F(AmbientTest, IsThereAgainWhenTheOperationEnds) {
  Awaited one, other;
  std::optional<Value> seen_by_one, seen_by_other;
  OwnedTask task, other_task;
  task.start(await_under(first_, one, seen_by_one));
  other_task.start(await_under(second_, other, seen_by_other));
  loop_.run();
  other.finish();
  one.finish();
  loop_.run();
  EXPECT_EQ(seen_by_one, first_);
  EXPECT_EQ(seen_by_other, second_);
}

TEST_F(AmbientTest, WhatWasRememberedForANodeThatWasNotResumedIsForgottenWithItsNextUse) {
  Awaited operation;
  Ambient::set(first_);
  Ambient::remember(operation.node);
  std::optional<Value> seen;
  OwnedTask task;
  task.start(await_under(nullptr, operation, seen));
  loop_.run();
  operation.finish();
  loop_.run();
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(*seen, nullptr);
}

TEST_F(AmbientTest, IsNobodysInACallbackBehindACoroutine) {
  struct Callback {
    static void run(void* self) noexcept { static_cast<Callback*>(self)->seen = Ambient::current(); }
    std::optional<Value> seen;
  };
  Callback at_end, later;
  TurnEnd end(&Callback::run, &at_end);
  Timer timer(&Callback::run, &later);
  Awaited operation;
  std::optional<Value> seen;
  OwnedTask task;
  task.start(await_under(first_, operation, seen));
  loop_.run();
  timer.arm(now() + 5ms);
  end.schedule();
  operation.finish();
  loop_.advance(20ms);
  EXPECT_EQ(seen, first_);
  ASSERT_TRUE(at_end.seen.has_value());
  EXPECT_EQ(*at_end.seen, nullptr);
  ASSERT_TRUE(later.seen.has_value());
  EXPECT_EQ(*later.seen, nullptr);
}

}  // namespace
}  // namespace switchyard::runtime
