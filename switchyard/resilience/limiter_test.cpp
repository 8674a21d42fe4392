#include <switchyard/base/random.hpp>
#include <switchyard/resilience/limiter.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace switchyard {
namespace {

using namespace resilience;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

/// A server that works at `width` calls at once, each for `each`; what is beyond waits its turn.
struct Server {
  Limiter& limiter;
  Duration each;
  std::uint32_t width;
  TimePoint now = kStart;

  /// As many callers as the limiter lets in, for `rounds` rounds; answers the number in flight of the last.
  std::uint32_t saturate(int rounds) {
    std::uint32_t entered = 0;
    for (int round = 0; round < rounds; ++round) {
      entered = 0;
      while (entered < 10'000 && limiter.try_enter()) ++entered;
      const std::uint32_t waves = (entered + width - 1) / width;
      for (std::uint32_t i = 0; i < entered; ++i) limiter.measure(each * (i / width + 1), now + each * waves);
      for (std::uint32_t i = 0; i < entered; ++i) limiter.leave();
      now += each * waves;
    }
    return entered;
  }
};

TEST(Limiter, WhenNotEnabledLetsEveryoneInAndOnlyCounts) {
  Limiter limiter({.enabled = false, .initial = 1, .min = 1, .max = 1}, kStart);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter.try_enter());
  EXPECT_EQ(limiter.in_flight(), 100u);
  for (int i = 0; i < 100; ++i) limiter.leave();
  EXPECT_EQ(limiter.in_flight(), 0u);
  EXPECT_EQ(limiter.refused(), 0u);
}

TEST(Limiter, LetsInAsManyAsItsLimit) {
  Limiter limiter({.enabled = true, .initial = 3, .min = 1, .max = 10}, kStart);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.try_enter());
  EXPECT_FALSE(limiter.try_enter());
  limiter.leave();
  EXPECT_TRUE(limiter.try_enter());
  EXPECT_EQ(limiter.refused(), 1u);
}

TEST(Limiter, GrowsWhileCallsTakeNoLonger) {
  Limiter limiter({.enabled = true, .initial = 4, .min = 4, .max = 64}, kStart);
  Server server{limiter, 5ms, 1000};
  server.saturate(6000);
  EXPECT_EQ(limiter.limit(), 64u);
}

TEST(Limiter, SettlesNearWhatTheServerDoesAtOnce) {
  Limiter limiter({.enabled = true, .initial = 8, .min = 4, .max = 500}, kStart);
  Server server{limiter, 5ms, 16};
  server.saturate(3000);
  EXPECT_GE(limiter.limit(), 12u);
  EXPECT_LE(limiter.limit(), 64u);
}

TEST(Limiter, ShrinksWhenTheServerBecomesSlowAndRecovers) {
  Limiter limiter({.enabled = true, .initial = 32, .min = 4, .max = 40}, kStart);
  Server server{limiter, 5ms, 1000};
  server.saturate(2000);
  ASSERT_EQ(limiter.limit(), 40u);
  server.each = 500ms;
  server.saturate(30);
  EXPECT_LE(limiter.limit(), 8u);
  server.each = 5ms;
  server.saturate(4000);
  EXPECT_EQ(limiter.limit(), 40u);
}

TEST(Limiter, LearnsThatCallsTakeLongerForGood) {
  Limiter limiter({.enabled = true, .initial = 32, .min = 4, .max = 40}, kStart);
  Server server{limiter, 5ms, 1000};
  server.saturate(2000);
  server.each = 50ms;
  server.saturate(3000);
  EXPECT_EQ(limiter.limit(), 40u);
}

TEST(Limiter, IdleTimesDoNotMoveIt) {
  Limiter limiter({.enabled = true, .initial = 32, .min = 4, .max = 100}, kStart);
  TimePoint now = kStart;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(limiter.try_enter());
    now += 5ms;
    limiter.measure(i % 2 == 0 ? Duration(1ms) : Duration(100ms), now);
    limiter.leave();
  }
  EXPECT_EQ(limiter.limit(), 32u);
}

TEST(Limiter, StaysWithinItsBoundsWhateverComes) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Limiter limiter({.enabled = true, .initial = 10, .min = 3, .max = 30}, kStart);
    TimePoint now = kStart;
    std::uint32_t in_flight = 0;
    for (int step = 0; step < 5000; ++step) {
      now += random.below(20ms);
      if (random.next() % 2 == 0) {
        const bool entered = limiter.try_enter();
        ASSERT_EQ(entered, in_flight < limiter.limit());
        if (entered) ++in_flight;
      } else if (in_flight > 0) {
        --in_flight;
        if (random.next() % 8 != 0)
          limiter.measure(random.below(Duration(std::int64_t{1} << (random.next() % 40))), now);
        limiter.leave();
      }
      ASSERT_EQ(limiter.in_flight(), in_flight);
      ASSERT_GE(limiter.limit(), 3u);
      ASSERT_LE(limiter.limit(), 30u);
    }
  }
}

}  // namespace
}  // namespace switchyard
