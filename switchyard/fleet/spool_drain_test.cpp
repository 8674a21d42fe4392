// Draining by script, with every outcome at every step; and against a model that crashes anywhere.
#include <switchyard/base/random.hpp>
#include <switchyard/fleet/spool_drain.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using Step = DrainStep;
using Outcome = DrainOutcome;

class SpoolDrainTest : public ::testing::Test {
 protected:
  [[nodiscard]] Step step() { return drain.next(now).step; }
  void answer(Outcome outcome, std::size_t count = 0) { drain.answer(outcome, count, now); }
  /// Brings a fresh machine to `wanted` with a batch of `batch` entries read.
  void bring_to(Step wanted, std::size_t batch = 3) {
    drain.poke();
    const std::vector<std::pair<Step, std::size_t>> way = {
        {Step::lease, 0}, {Step::resume, 0}, {Step::read, batch}, {Step::apply, 0}, {Step::forget, 0}};
    for (const auto& [at, count] : way) {
      ASSERT_EQ(step(), at);
      if (at == wanted) return;
      answer(Outcome::done, count);
    }
    ASSERT_EQ(step(), Step::read);
    answer(Outcome::done, 0);
    ASSERT_EQ(step(), Step::close);
    if (wanted == Step::close) return;
    answer(Outcome::done);
    ASSERT_EQ(step(), wanted);
  }
  TimePoint now = TimePoint{} + 1h;
  SpoolTimes times;
  SpoolDrain drain{times};
};

TEST_F(SpoolDrainTest, RestsUntilPoked) {
  EXPECT_EQ(step(), Step::rest);
  EXPECT_TRUE(drain.finished());
  drain.poke();
  EXPECT_FALSE(drain.finished());
  EXPECT_EQ(step(), Step::lease);
}

TEST_F(SpoolDrainTest, EmptiesClosesAndRests) {
  bring_to(Step::release);
  answer(Outcome::done);
  EXPECT_TRUE(drain.finished());
}

TEST_F(SpoolDrainTest, DeletesFirstWhatItsPredecessorHadApplied) {
  bring_to(Step::resume);
  answer(Outcome::done, 2);
  EXPECT_EQ(step(), Step::forget);
  answer(Outcome::done);
  EXPECT_EQ(step(), Step::read);
}

TEST_F(SpoolDrainTest, GivesWayToAnotherDrainer) {
  bring_to(Step::lease);
  answer(Outcome::held);
  EXPECT_EQ(step(), Step::rest);
  now += times.drain_pause;
  EXPECT_EQ(step(), Step::lease);
}

TEST_F(SpoolDrainTest, AFenceEndsItWhereverItStands) {
  for (const Step at : {Step::resume, Step::read, Step::apply, Step::forget, Step::close}) {
    drain = SpoolDrain(times);
    bring_to(at);
    answer(Outcome::fenced);
    EXPECT_EQ(step(), Step::rest) << static_cast<int>(at);
  }
}

TEST_F(SpoolDrainTest, AFailureAnywhereGivesTheLeaseBackAndComesAgainLater) {
  for (const Step at : {Step::resume, Step::read, Step::apply, Step::forget, Step::close}) {
    drain = SpoolDrain(times);
    bring_to(at);
    answer(Outcome::failed);
    EXPECT_EQ(step(), Step::release) << static_cast<int>(at);
    answer(Outcome::failed);
    EXPECT_EQ(step(), Step::rest);
    EXPECT_FALSE(drain.finished());
    drain.poke();  // does not hurry a failing one
    EXPECT_EQ(step(), Step::rest);
    now += times.drain_pause;
    EXPECT_EQ(step(), Step::lease);
  }
}

TEST_F(SpoolDrainTest, PausesDoubleUpToTheLongest) {
  drain.poke();
  Duration expected = times.drain_pause;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(step(), Step::lease);
    answer(Outcome::failed);
    const DrainAction action = drain.next(now);
    EXPECT_EQ(action.until - now, expected);
    now = action.until;
    expected = std::min(expected * 2, times.drain_pause_most);
  }
}

TEST_F(SpoolDrainTest, ADoubtIsResolvedByTheProgressRow) {
  bring_to(Step::apply);
  answer(Outcome::in_doubt);
  EXPECT_EQ(step(), Step::release);
  answer(Outcome::done);
  now += times.drain_pause;
  EXPECT_EQ(step(), Step::lease);
  answer(Outcome::done);
  EXPECT_EQ(step(), Step::resume);
  answer(Outcome::done, 3);  // it had been applied
  EXPECT_EQ(step(), Step::forget);
}

TEST_F(SpoolDrainTest, ARefusedEntryIsFoundAloneAndBuried) {
  bring_to(Step::apply, 3);
  answer(Outcome::refused);
  EXPECT_EQ(step(), Step::read);
  EXPECT_EQ(drain.next(now).limit, 1U);
  answer(Outcome::done, 1);
  EXPECT_EQ(step(), Step::apply);
  answer(Outcome::done);
  EXPECT_EQ(step(), Step::forget);
  answer(Outcome::done);
  EXPECT_EQ(drain.next(now).limit, 1U);
  answer(Outcome::done, 1);
  answer(Outcome::refused);
  EXPECT_EQ(step(), Step::bury);
  answer(Outcome::done);
  EXPECT_EQ(step(), Step::read);
  EXPECT_EQ(drain.next(now).limit, 1U);  // the third of the batch
  answer(Outcome::done, 1);
  answer(Outcome::done);
  answer(Outcome::done);
  EXPECT_EQ(drain.next(now).limit, SpoolDrain::kBatch);
}

TEST_F(SpoolDrainTest, AMissingTableIsWaitedForButNotForEver) {
  bring_to(Step::apply, 1);
  for (unsigned tries = 1; tries < SpoolDrain::kUnpreparedPatience; ++tries) {
    ASSERT_EQ(step(), Step::apply);
    answer(Outcome::unprepared);
    ASSERT_EQ(step(), Step::release) << tries;
    answer(Outcome::done);
    now += times.drain_pause_most;
    for (const std::size_t count : {0, 0, 1}) answer((void(step()), Outcome::done), count);
  }
  ASSERT_EQ(step(), Step::apply);
  answer(Outcome::unprepared);
  EXPECT_EQ(step(), Step::bury);
}

TEST_F(SpoolDrainTest, WhatComesWhileItClosesIsDrainedAsWell) {
  bring_to(Step::close);
  answer(Outcome::left, 1);
  EXPECT_EQ(step(), Step::read);
  answer(Outcome::done, 0);
  EXPECT_EQ(step(), Step::close);
  answer(Outcome::left, 0);  // a writer's transaction is open
  EXPECT_EQ(step(), Step::release);
  answer(Outcome::done);
  EXPECT_EQ(step(), Step::rest);
  EXPECT_FALSE(drain.finished());
}

/// A fallback, a database and drainers that stop between any two steps, or go on although somebody took over.
class Model {
 public:
  std::deque<int> spool;
  std::vector<int> target;
  std::vector<int> progress;
  std::vector<int> buried;
  std::uint64_t lease_token = 0;
  std::uint64_t target_token = 0;
  bool open = true;

  struct Drainer {
    SpoolDrain machine{SpoolTimes{}};
    std::uint64_t token = 0;
    std::vector<int> names;  ///< what forget deletes
    std::vector<int> batch;
  };

  /// One step; `answer_lost` tells the machine that it failed although it has happened.
  void step(Drainer& drainer, TimePoint now, bool answer_lost) {
    const DrainAction action = drainer.machine.next(now);
    Outcome outcome = Outcome::done;
    std::size_t count = 0;
    switch (action.step) {
      case Step::rest: return;
      case Step::lease: drainer.token = ++lease_token; break;  // leases have run out whenever somebody asks
      case Step::resume:
        if (drainer.token <= target_token) {
          outcome = Outcome::fenced;
          break;
        }
        target_token = drainer.token;
        drainer.names = progress;
        count = progress.size();
        break;
      case Step::forget:
        if (drainer.token != lease_token) {
          outcome = Outcome::fenced;
          break;
        }
        std::erase_if(spool, [&](int e) { return std::ranges::count(drainer.names, e) > 0; });
        break;
      case Step::read:
        drainer.batch.assign(spool.begin(),
                             spool.begin() + static_cast<std::ptrdiff_t>(std::min(action.limit, spool.size())));
        count = drainer.batch.size();
        break;
      case Step::apply:
        if (drainer.token != target_token) {
          outcome = Outcome::fenced;
        } else if (std::ranges::any_of(drainer.batch, refused)) {
          outcome = Outcome::refused;
        } else {
          target.insert(target.end(), drainer.batch.begin(), drainer.batch.end());
          progress = drainer.batch;
          drainer.names = drainer.batch;
          if (answer_lost) outcome = Outcome::in_doubt;
        }
        drainer.machine.answer(outcome, 0, now);
        return;
      case Step::bury:
        if (drainer.token != lease_token) {
          outcome = Outcome::fenced;
          break;
        }
        if (std::erase(spool, drainer.batch.front()) > 0) buried.push_back(drainer.batch.front());
        break;
      case Step::close:
        if (drainer.token != lease_token) {
          outcome = Outcome::fenced;
        } else if (spool.empty()) {
          open = false;
        } else {
          outcome = Outcome::left;
          count = 1;
        }
        break;
      case Step::release: break;
    }
    if (answer_lost && outcome == Outcome::done) outcome = Outcome::failed;
    drainer.machine.answer(outcome, count, now);
  }
  static bool refused(int entry) { return entry % 17 == 3; }
};

TEST(SpoolDrainModel, NothingIsLostOrDoubledOrOutOfOrderWhateverStops) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Model model;
    const int entries = 50;
    for (int i = 1; i <= entries; ++i) model.spool.push_back(i);
    std::array<Model::Drainer, 3> drainers;
    TimePoint now = TimePoint{} + 1h;
    for (auto& drainer : drainers) drainer.machine.poke();
    int steps = 0;
    while (model.open && ++steps < 200'000) {
      now += 1ms * (random.next() % 300);
      Model::Drainer& drainer = drainers[random.next() % drainers.size()];
      if (random.next() % 20 == 0) {
        drainer = Model::Drainer();  // killed, and another process starts
        drainer.machine.poke();
      } else {
        model.step(drainer, now, random.next() % 10 == 0);
      }
    }
    ASSERT_FALSE(model.open) << "seed " << seed;
    ASSERT_TRUE(model.spool.empty()) << "seed " << seed;
    std::vector<int> expected;
    std::vector<int> refused;
    for (int i = 1; i <= entries; ++i) (Model::refused(i) ? refused : expected).push_back(i);
    ASSERT_EQ(model.target, expected) << "seed " << seed;
    std::ranges::sort(model.buried);
    ASSERT_EQ(model.buried, refused) << "seed " << seed;
  }
}

}  // namespace
}  // namespace switchyard::fleet
