#include <switchyard/sql/facts_cache.hpp>

#include <switchyard/sql/analyse.hpp>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace switchyard::sql {
namespace {

/// Keeps the parser's thread busy until released.
class Busy {
 public:
  explicit Busy(Parser& parser) {
    EXPECT_TRUE(parser.analyse(
        "SELECT 1", [released = release_.get_future().share(), started = started_](const StatementFacts&) {
          started->set_value();
          released.wait();
        }));
    started_->get_future().wait();
  }
  ~Busy() { release_.set_value(); }

 private:
  std::promise<void> release_;
  std::shared_ptr<std::promise<void>> started_ = std::make_shared<std::promise<void>>();
};

TEST(FactsCache, ATextIsUnknownUntilItWasWantedAndAnalysed) {
  Parser parser;
  FactsCache cache(parser);
  EXPECT_EQ(cache.find("SELECT f()"), nullptr);
  cache.want("SELECT f()");
  (void)parser.analyse_now("SELECT 1");  // goes first; the wanted one may still be under way
  (void)cache.analyse_now("SELECT f()");
  const auto facts = cache.find("SELECT f()");
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->functions, std::vector<Name>({{"", "f"}}));
  EXPECT_EQ(cache.find("SELECT f() "), nullptr);
  EXPECT_EQ(cache.find("SELECT F()"), nullptr);
}

TEST(FactsCache, ATextThatWaitsIsWantedOnce) {
  Parser parser;
  FactsCache cache(parser);
  {
    const Busy busy(parser);
    cache.want("SELECT 1");
    cache.want("SELECT 1");
    cache.want("SELECT 2");
    EXPECT_EQ(cache.usage().waiting, 2u);
    EXPECT_EQ(cache.find("SELECT 1"), nullptr);
  }
  (void)cache.analyse_now("SELECT 3");
  // Answers of the background come in order: the last of them is known when this one is.
  std::promise<void> passed;
  ASSERT_TRUE(parser.analyse("", [&](const StatementFacts&) { passed.set_value(); }));
  passed.get_future().wait();
  EXPECT_EQ(cache.usage().waiting, 0u);
  EXPECT_EQ(cache.usage().entries, 3u);
  cache.want("SELECT 1");
  EXPECT_EQ(cache.usage().waiting, 0u);
}

TEST(FactsCache, TheEntryThatWasNotAskedForTheLongestLeaves) {
  Parser parser;
  FactsCache cache(parser, {.max_entries = 2});
  (void)cache.analyse_now("SELECT 1");
  (void)cache.analyse_now("SELECT 2");
  EXPECT_NE(cache.find("SELECT 1"), nullptr);
  const auto kept = cache.analyse_now("SELECT 3");
  EXPECT_NE(cache.find("SELECT 1"), nullptr);
  EXPECT_EQ(cache.find("SELECT 2"), nullptr);
  EXPECT_EQ(cache.find("SELECT 3"), kept);
  EXPECT_EQ(cache.usage().entries, 2u);
}

TEST(FactsCache, BytesAreBounded) {
  Parser parser;
  FactsCache cache(parser, {.max_bytes = 32 << 10});
  const auto text = [](int number) {
    return "SELECT '" + std::to_string(number) + std::string(8 << 10, 'x') + "'";
  };
  for (int number = 0; number < 10; ++number) (void)cache.analyse_now(text(number));
  EXPECT_LE(cache.usage().bytes, 32u << 10);
  EXPECT_EQ(cache.usage().entries, 3u);
  EXPECT_NE(cache.find(text(9)), nullptr);
  EXPECT_EQ(cache.find(text(6)), nullptr);

  const std::string larger = "SELECT '" + std::string(40 << 10, 'x') + "'";
  EXPECT_EQ(cache.analyse_now(larger)->kind, StatementKind::select);
  EXPECT_EQ(cache.find(larger), nullptr);
  EXPECT_EQ(cache.usage().entries, 3u);
}

TEST(FactsCache, ATextThatIsTooLongIsKnownAtOnce) {
  Parser parser;
  FactsCache cache(parser);
  const std::string text(kMaxAnalysedText + 1, ' ');
  const auto facts = cache.find(text);
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->kind, StatementKind::unknown);
  cache.want(text);
  EXPECT_EQ(cache.analyse_now(text), facts);
  EXPECT_EQ(cache.usage().entries, 0u);
}

TEST(FactsCache, MayGoWhileATextIsAnalysed) {
  Parser parser;
  auto cache = std::make_unique<FactsCache>(parser);
  {
    const Busy busy(parser);
    cache->want("SELECT 1");
    cache.reset();
  }
  EXPECT_EQ(parser.analyse_now("SELECT 1").kind, StatementKind::select);
}

TEST(FactsCache, WhatDoesNotFitIntoTheQueueMayBeWantedAgain) {
  Parser parser;
  FactsCache cache(parser);
  {
    const Busy busy(parser);
    for (std::size_t i = 0; i < Parser::kMaxWaitingTexts + 10; ++i) cache.want("SELECT " + std::to_string(i));
    EXPECT_EQ(cache.usage().waiting, Parser::kMaxWaitingTexts);
  }
  EXPECT_NE(cache.analyse_now("SELECT " + std::to_string(Parser::kMaxWaitingTexts + 1)), nullptr);
}

TEST(FactsCache, IsSharedByThreads) {
  Parser parser;
  FactsCache cache(parser, {.max_entries = 8});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&cache, thread] {
      for (int i = 0; i < 200; ++i) {
        const std::string text = "SELECT " + std::to_string((i + thread) % 16);
        cache.want(text);
        if (const auto facts = cache.find(text)) EXPECT_EQ(facts->kind, StatementKind::select);
        if (i % 50 == 0) EXPECT_EQ(cache.analyse_now(text)->kind, StatementKind::select);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.usage().entries, 8u);
}

TEST(Parser, RefusesWhatWouldWaitTooLong) {
  Parser parser;
  const Busy busy(parser);
  const std::string large(kMaxAnalysedText, ' ');
  std::size_t accepted = 0;
  while (parser.analyse(large, [](const StatementFacts&) {})) ++accepted;
  EXPECT_EQ(accepted, Parser::kMaxWaitingBytes / large.size());
}

TEST(Parser, DropsWhatWaitsWhenItStops) {
  auto called = std::make_shared<bool>(false);
  const auto parser = std::make_unique<Parser>();
  std::promise<void> started;
  std::promise<void> release;
  ASSERT_TRUE(parser->analyse("SELECT 1", [&](const StatementFacts&) {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(parser->analyse("SELECT 2", [called](const StatementFacts&) { *called = true; }));
  auto waits = std::async(std::launch::async, [&] { return parser->analyse_now("SELECT 3"); });
  std::thread stopping([&] { parser->stop(); });
  while (called.use_count() > 1) std::this_thread::yield();  // until it was dropped
  release.set_value();
  stopping.join();
  EXPECT_EQ(waits.get().kind, StatementKind::unknown);  // dropped, or refused
  EXPECT_FALSE(*called);
  EXPECT_EQ(parser->analyse_now("SELECT 5").why_unknown, "there is no thread to analyse it");
}

TEST(Parser, ThatWasNeverAskedHasNoThreadToEnd) {
  Parser parser;
  parser.stop();
  EXPECT_FALSE(parser.analyse("SELECT 1", [](const StatementFacts&) {}));
}

}  // namespace
}  // namespace switchyard::sql
