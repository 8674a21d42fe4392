#include <switchyard/fleet/endpoint_limiter.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace switchyard {
namespace {

using fleet::EndpointLimiter;
using fleet::LimiterPlace;
using fleet::LimiterWaiter;

constexpr TimePoint kStart{std::chrono::seconds(1000)};

struct Caller final : LimiterWaiter {
  explicit Caller(std::string& order, char name) : order(order), name(name) {}
  void on_place(LimiterPlace given) noexcept override {
    order += name;
    place = std::move(given);
  }
  std::string& order;
  char name;
  LimiterPlace place;
};

std::shared_ptr<EndpointLimiter> limiter_of(std::uint32_t places) {
  return std::make_shared<EndpointLimiter>(
      resilience::LimiterSettings{.enabled = true, .initial = places, .min = places, .max = places}, kStart);
}

TEST(EndpointLimiter, LetsInAsManyAsTheLimitAndTheOthersInTheOrderTheyCame) {
  const auto owned = limiter_of(2);
  EndpointLimiter& limiter = *owned;
  LimiterPlace one = limiter.try_enter(), two = limiter.try_enter();
  EXPECT_TRUE(one && two);
  EXPECT_FALSE(limiter.try_enter());
  std::string order;
  Caller a(order, 'a'), b(order, 'b'), c(order, 'c');
  for (Caller* caller : {&a, &b, &c}) limiter.wait(*caller);
  one = {};
  EXPECT_EQ(order, "a");
  two = {};
  EXPECT_EQ(order, "ab");
  EXPECT_FALSE(limiter.try_enter()) << "a newcomer overtook";
  a.place = {};
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(limiter.waiting(), 0u);
  EXPECT_EQ(limiter.limiter().in_flight(), 2u);
}

TEST(EndpointLimiter, WhoGivesUpIsPassedOver) {
  const auto owned = limiter_of(1);
  EndpointLimiter& limiter = *owned;
  LimiterPlace one = limiter.try_enter();
  std::string order;
  Caller a(order, 'a'), c(order, 'c');
  {
    Caller b(order, 'b');
    limiter.wait(a);
    limiter.wait(b);
    limiter.wait(c);
    a.stop_waiting();
  }
  one = {};
  EXPECT_EQ(order, "c");
}

TEST(EndpointLimiter, WhoStillWaitsWhenItsOwnerGoesIsForgottenAndAPlaceMayOutliveIt) {
  std::string order;
  Caller a(order, 'a');
  LimiterPlace place;
  {
    auto limiter = limiter_of(1);
    place = limiter->try_enter();
    limiter->wait(a);
    a.stop_waiting();
    EXPECT_FALSE(a.waits());
    limiter->wait(a);
  }
  place = {};
  EXPECT_EQ(order, "a");
  a.place = {};
  EXPECT_FALSE(a.waits());
}

}  // namespace
}  // namespace switchyard
