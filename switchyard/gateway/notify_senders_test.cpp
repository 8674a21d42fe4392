#include <switchyard/gateway/notify_senders.hpp>

#include <gtest/gtest.h>

namespace switchyard::gateway {
namespace {

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));

TEST(NotifySenders, AProcessIsItsClientsUntilALittleAfterItHasLeft) {
  NotifySenders senders;
  EXPECT_FALSE(senders.sender(100, kStart));
  senders.sends(100, 7);
  EXPECT_EQ(senders.sender(100, kStart + std::chrono::hours(1)), 7u);
  senders.left(100, 7, kStart);
  EXPECT_EQ(senders.sender(100, kStart + NotifySenders::kLate), 7u);
  EXPECT_FALSE(senders.sender(100, kStart + NotifySenders::kLate + Duration(1)));
}

TEST(NotifySenders, TheLastWhoSentIsMeant) {
  NotifySenders senders;
  senders.sends(100, 7);
  senders.sends(100, 8);
  senders.left(100, 7, kStart);
  EXPECT_EQ(senders.sender(100, kStart + std::chrono::hours(1)), 8u);
}

TEST(NotifySenders, TheirNumberIsBounded) {
  NotifySenders senders;
  for (std::int32_t pid = 1; pid <= static_cast<std::int32_t>(NotifySenders::kMost) + 1; ++pid)
    senders.sends(pid, 7);
  EXPECT_FALSE(senders.sender(1, kStart));
  EXPECT_TRUE(senders.sender(static_cast<std::int32_t>(NotifySenders::kMost) + 1, kStart));
}

}  // namespace
}  // namespace switchyard::gateway
