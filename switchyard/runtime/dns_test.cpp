#include <switchyard/runtime/dns.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

TimePoint soon() { return deadline_after(now(), 20s); }

/// A name service that answers when it is told to. Shared, because a lookup may outlive its resolver.
struct Service {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Result<std::vector<SocketAddress>>> answers;
  int lookups = 0;

  void answer(const std::string& host, const char* ip) {
    const std::lock_guard lock(mutex);
    answers.insert_or_assign(host, std::vector<SocketAddress>{*SocketAddress::ip(ip, 5432)});
    changed.notify_all();
  }
  void fail(const std::string& host) {
    const std::lock_guard lock(mutex);
    answers.insert_or_assign(host, Error(ErrorKind::Unavailable, "no such host"));
    changed.notify_all();
  }
  void stall(const std::string& host) {
    const std::lock_guard lock(mutex);
    answers.erase(host);
  }
  int count() {
    const std::lock_guard lock(mutex);
    return lookups;
  }
  Result<std::vector<SocketAddress>> look_up(const std::string& host) {
    std::unique_lock lock(mutex);
    ++lookups;
    changed.notify_all();
    changed.wait(lock, [&] { return answers.contains(host); });
    return answers.at(host);
  }
};

Resolver::Options with(const std::shared_ptr<Service>& service) {
  Resolver::Options options;
  options.lookup = [service](const std::string& host, std::uint16_t) { return service->look_up(host); };
  return options;
}

template <class Body>
void on_shard(Body body) {
  Shard shard;
  shard.run_until_complete(with_timeout(body(), 30s));
}

TEST(Resolver, AnswersNumericHostsWithoutAskingAnybody) {
  on_shard([]() -> Task<void> {
    const auto service = std::make_shared<Service>();
    Resolver resolver(with(service));
    auto v4 = co_await resolver.resolve("192.0.2.7", 5432, soon());
    auto v6 = co_await resolver.resolve("::1", 5433, soon());
    EXPECT_EQ(v4->front().text(), "192.0.2.7:5432");
    EXPECT_EQ(v6->front().text(), "[::1]:5433");
    EXPECT_EQ(service->count(), 0);
  });
}

TEST(Resolver, LooksANameUpOnceForAllWhoAskMeanwhile) {
  on_shard([]() -> Task<void> {
    const auto service = std::make_shared<Service>();
    Resolver resolver(with(service));
    const auto answer_later = [](Service& s) -> Task<void> {
      co_await sleep(2ms);
      s.answer("db", "192.0.2.1");
    };
    auto [a, b, c, ignored] =
        co_await all(resolver.resolve("db", 5432, soon()), resolver.resolve("db", 5432, soon()),
                     resolver.resolve("db", 5432, soon()), answer_later(*service));
    for (const auto* one : {&a, &b, &c}) {
      EXPECT_TRUE(one->ok());
      EXPECT_EQ((*one)->front().host(), "192.0.2.1");
    }
    EXPECT_EQ(service->count(), 1);
    EXPECT_TRUE((co_await resolver.resolve("db", 5432, soon())).ok());
    EXPECT_EQ(service->count(), 2);
  });
}

TEST(Resolver, ASlowNameDelaysNoOther) {
  const auto service = std::make_shared<Service>();
  on_shard([&service]() -> Task<void> {
    Resolver resolver(with(service));
    service->answer("fast", "192.0.2.2");
    const auto slow = [](Resolver& r, Service& s) -> Task<void> {
      auto answer = co_await r.resolve("slow", 5432, soon());
      EXPECT_TRUE(answer.ok());
      EXPECT_EQ(s.count(), 2);
    };
    const auto fast = [](Resolver& r, Service& s) -> Task<void> {
      EXPECT_TRUE((co_await r.resolve("fast", 5432, soon())).ok());
      s.answer("slow", "192.0.2.3");
    };
    co_await all(slow(resolver, *service), fast(resolver, *service));
  });
}

TEST(Resolver, TheDeadlineEndsTheWaitingAndNamesTheHost) {
  const auto service = std::make_shared<Service>();
  on_shard([&service]() -> Task<void> {
    Resolver resolver(with(service));
    auto answer = co_await resolver.resolve("stuck", 5432, deadline_after(now(), 5ms));
    EXPECT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().message(), "could not translate host name \"stuck\" to address: timeout expired");
    EXPECT_EQ(answer.error().stage(), ErrorStage::connecting);
  });  // does not wait for the thread, which is still in its lookup
  service->fail("stuck");
}

TEST(Resolver, ItsOwnTimeLimitHoldsWhereTheCallerHasNone) {
  const auto service = std::make_shared<Service>();
  on_shard([&service]() -> Task<void> {
    Resolver::Options options = with(service);
    options.timeout = 5ms;
    Resolver resolver(options);
    EXPECT_FALSE((co_await resolver.resolve("stuck", 5432, kNever)).ok());
  });
  service->fail("stuck");
}

TEST(Resolver, TheLastGoodAnswerServesWhenTheNextLookupFailsOrStalls) {
  const auto service = std::make_shared<Service>();
  on_shard([&service]() -> Task<void> {
    Resolver resolver(with(service));
    service->answer("db", "192.0.2.9");
    EXPECT_TRUE((co_await resolver.resolve("db", 5432, soon())).ok());
    service->fail("db");
    auto after_failure = co_await resolver.resolve("db", 5432, soon());
    EXPECT_TRUE(after_failure.ok());
    service->stall("db");
    auto after_stall = co_await resolver.resolve("db", 5432, deadline_after(now(), 5ms));
    EXPECT_TRUE(after_stall.ok());
    EXPECT_EQ(after_stall->front().host(), "192.0.2.9");
    EXPECT_FALSE((co_await resolver.resolve("db", 5433, deadline_after(now(), 5ms))).ok());
  });
  service->fail("db");
}

TEST(Resolver, TooManyNamesAtOnceIsAnErrorThatNamesTheLimit) {
  const auto service = std::make_shared<Service>();
  on_shard([&service]() -> Task<void> {
    Resolver::Options options = with(service);
    options.threads = 1;
    options.max_waiting_lookups = 1;
    Resolver resolver(options);
    const auto ask = [](Resolver& r, std::string host) -> Task<std::string> {
      auto answer = co_await r.resolve(host, 5432, deadline_after(now(), 200ms));
      co_return answer.ok() ? "" : std::string(answer.error().message());
    };
    const auto later = [&ask](Resolver& r, Service& s) -> Task<std::string> {
      while (s.count() == 0) co_await sleep(1ms);  // the only thread is busy now
      auto [second, third] = co_await all(ask(r, "b"), ask(r, "c"));
      EXPECT_NE(second.find("timeout expired"), std::string::npos) << second;
      co_return third;
    };
    auto [first, third] = co_await all(ask(resolver, "a"), later(resolver, *service));
    EXPECT_NE(third.find("limit 1"), std::string::npos) << third;
  });
  for (const char* name : {"a", "b"}) service->fail(name);
}

TEST(Resolver, WhoIsDroppedWhileWaitingIsForgotten) {
  const auto service = std::make_shared<Service>();
  Resolver resolver(with(service));
  {
    Shard shard;
    const auto give_up = [](Resolver& r) -> Task<void> { co_await any(r.resolve("db", 5432, kNever), sleep(2ms)); };
    shard.run_until_complete(give_up(resolver));
  }
  service->answer("db", "192.0.2.1");  // the shard is gone
}

TEST(Resolver, TheSystemsLookupKnowsLocalhostAndNotNonsense) {
  on_shard([]() -> Task<void> {
    auto local = co_await resolve("localhost", 5432, soon());
    EXPECT_TRUE(local.ok()) << local.error().what();
    EXPECT_EQ(local->front().port(), 5432);
    auto nonsense = co_await resolve("no such host", 5432, soon());
    EXPECT_FALSE(nonsense.ok());
    EXPECT_EQ(nonsense.error().kind(), ErrorKind::Unavailable);
    EXPECT_NE(nonsense.error().message().find("could not translate host name \"no such host\" to address: "),
              std::string_view::npos);
  });
}

}  // namespace
}  // namespace switchyard::runtime
