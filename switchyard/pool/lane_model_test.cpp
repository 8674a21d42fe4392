// Every order of events up to a bound, and long random ones: a server that answers in order, fails, stalls and
// dies, callers that come and go. Whatever happens, each caller's statement ends once and only with its own answer.
#include <switchyard/base/random.hpp>
#include <switchyard/pool/lane_machine.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace switchyard::pool {
namespace {

using namespace std::chrono_literals;

constexpr int kSlots = 2;

struct Caller {
  LaneEntry* entry = nullptr;
  bool submitted = false;
  bool withdrawn = false;
  int ends = 0;
  bool given_away = false;  // bytes that can't be taken back
};

/// What stands on a session's wire, as the server sees it.
struct Sent {
  LaneEntry* entry;
  bool sync;
};

class World {
 public:
  explicit World(bool replayable) : replayable_(replayable) {
    LaneLimits limits;
    limits.sessions = kSlots;
    limits.least_depth = limits.most_depth = 4;
    machine_.emplace(limits);
    for (int i = 0; i < kSlots; ++i) (void)machine_->add(now_);
  }

  static constexpr int kEvents = 3 + kSlots * 9 + 3 + 1;

  /// False: it can't happen now.
  bool step(int event) {
    trace_ += " " + std::to_string(event);
    if (event < 3) return submit(event);
    event -= 3;
    if (event < kSlots * 9) return server(static_cast<LaneSlot>(event % kSlots), event / kSlots);
    event -= kSlots * 9;
    if (event < 3) return withdraw(event);
    now_ += 11ms;
    machine_->tick(now_, actions_);
    perform();
    return true;
  }

  /// The server answers everything, sessions come back: everybody must have ended.
  void drain() {
    for (int round = 0; round < 200; ++round) {
      for (LaneSlot slot = 0; slot < kSlots; ++slot) {
        if (!alive_[slot]) server(slot, 7);
        if (cancelling_[slot]) server(slot, 6);
        server(slot, 0);
      }
      perform();
    }
    EXPECT_EQ(machine_->outstanding(), 0U) << trace_;
    EXPECT_EQ(machine_->queued(), 0U) << trace_;
    for (const Caller& caller : callers_) {
      EXPECT_EQ(caller.ends, caller.submitted ? 1 : 0) << trace_;
    }
  }

 private:
  LaneEntry& fresh(int caller, bool sure) {
    LaneEntry& made = entries_.emplace_back();
    made.shares_sync = sure;
    made.replayable = replayable_;
    made.budget = 10ms;
    made.expected = 10us;
    owner_[&made] = caller;
    callers_[caller].entry = &made;
    return made;
  }

  bool submit(int who) {
    Caller& caller = callers_[who];
    if (caller.submitted) return false;
    caller.submitted = true;
    machine_->submit(fresh(who, who != 1));
    machine_->plan(now_, actions_);
    perform();
    return true;
  }

  bool withdraw(int who) {
    Caller& caller = callers_[who];
    if (!caller.submitted || caller.ends > 0) return false;
    caller.withdrawn = true;
    ++caller.ends;
    (void)machine_->withdraw(*caller.entry);
    return true;
  }

  void end(LaneEntry& entry, bool with_answer, LaneEntry* answered) {
    const int who = owner_.at(&entry);
    Caller& caller = callers_[who];
    EXPECT_EQ(caller.entry, &entry) << "an answer to a statement that had moved" << trace_;
    EXPECT_FALSE(caller.withdrawn) << trace_;
    if (with_answer) EXPECT_EQ(answered, &entry) << trace_;
    ++caller.ends;
    EXPECT_EQ(caller.ends, 1) << trace_;
  }

  void settle(LaneEntry& entry, LaneAnswer answer) {
    switch (answer) {
      case LaneAnswer::deliver: end(entry, true, &entry); break;
      case LaneAnswer::discard: break;
      case LaneAnswer::lease:
        EXPECT_FALSE(callers_[owner_.at(&entry)].given_away) << "run again after bytes were given away" << trace_;
        end(entry, false, nullptr);
        break;
      case LaneAnswer::broken: end(entry, false, nullptr); break;
      case LaneAnswer::again: {
        const int who = owner_.at(&entry);
        EXPECT_FALSE(callers_[who].given_away) << trace_;
        machine_->submit_again(fresh(who, false), entry);
        break;
      }
    }
  }

  bool server(LaneSlot slot, int what) {
    std::deque<Sent>& wire = wires_[slot];
    switch (what) {
      case 6:
        if (!cancelling_[slot]) return false;
        cancelling_[slot] = false;
        machine_->cancel_settled(slot, now_, actions_);
        perform();
        return true;
      case 7: {
        if (alive_[slot]) return false;
        const std::optional<LaneSlot> place = machine_->add(now_);
        EXPECT_TRUE(place && !alive_[*place]) << trace_;
        if (place) alive_[*place] = true;
        machine_->plan(now_, actions_);
        perform();
        return true;
      }
      case 8:
        if (!alive_[slot]) return false;
        machine_->retire(slot, actions_);
        perform();
        return true;
      default: break;
    }
    if (!alive_[slot]) return false;
    if (what == 4 || what == 5) {
      lose(slot, what == 4 ? LaneLoss::unexplained : LaneLoss::clean);
      return true;
    }
    if (wire.empty()) return false;
    LaneEntry& head = *wire.front().entry;
    EXPECT_EQ(machine_->head(slot), &head) << trace_;
    if (what == 3) {
      const bool may = machine_->rows(slot, 20 << 10);
      Caller& caller = callers_[owner_.at(&head)];
      EXPECT_EQ(may, caller.entry == &head && caller.ends == 0) << trace_;
      if (may && !replayable_) caller.given_away = true;
      return true;
    }
    bool sync = wire.front().sync;
    wire.pop_front();
    if (what == 0) {
      settle(head, machine_->completed(slot, now_));
    } else {
      settle(head, machine_->failed(slot, what == 1 ? LaneFault::statement : LaneFault::lane, now_));
      while (!sync) {
        LaneEntry& skipped = *wire.front().entry;
        sync = wire.front().sync;
        wire.pop_front();
        settle(skipped, machine_->skipped(slot));
      }
    }
    if (sync) machine_->synced(slot, now_, now_, actions_);
    machine_->plan(now_, actions_);
    perform();
    return true;
  }

  void lose(LaneSlot slot, LaneLoss loss) {
    alive_[slot] = cancelling_[slot] = false;
    wires_[slot].clear();
    machine_->lost(slot, loss);
    for (;;) {
      const auto lost = machine_->lose_next(slot);
      if (lost.entry == nullptr) break;
      settle(*lost.entry, lost.answer);
    }
    machine_->plan(now_, actions_);
    perform();
  }

  void perform() {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      const LaneAction action = actions_[i];
      switch (action.kind) {
        case LaneAction::Kind::send:
          EXPECT_TRUE(alive_[action.slot] && !cancelling_[action.slot]) << trace_;
          wires_[action.slot].push_back({action.entry, action.sync});
          break;
        case LaneAction::Kind::reissue: {
          const int who = owner_.at(action.entry);
          EXPECT_FALSE(callers_[who].given_away) << trace_;
          if (action.entry->moves() > 0) {
            end(*action.entry, false, nullptr);
          } else {
            machine_->submit_again(fresh(who, false), *action.entry);
            machine_->plan(now_, actions_);
          }
          break;
        }
        case LaneAction::Kind::slow:
          if (action.sync) EXPECT_EQ(wires_[action.slot].front().entry, action.entry) << trace_;
          break;
        case LaneAction::Kind::cancel:
          for (const Sent& sent : wires_[action.slot]) {
            const Caller& caller = callers_[owner_.at(sent.entry)];
            EXPECT_FALSE(caller.entry == sent.entry && caller.ends == 0)
                << "a cancel request that may hit a statement somebody waits for" << trace_;
          }
          cancelling_[action.slot] = true;
          break;
        case LaneAction::Kind::close:
          if (!alive_[action.slot]) break;
          for (const Sent& sent : wires_[action.slot]) {
            const Caller& caller = callers_[owner_.at(sent.entry)];
            EXPECT_FALSE(caller.entry == sent.entry && caller.ends == 0) << "closed under a caller" << trace_;
          }
          lose(action.slot, LaneLoss::clean);
          break;
      }
    }
    actions_.clear();
  }

  bool replayable_;
  std::optional<LaneMachine> machine_;
  std::deque<LaneEntry> entries_;
  std::map<const LaneEntry*, int> owner_;
  Caller callers_[3];
  std::deque<Sent> wires_[kSlots];
  bool alive_[kSlots] = {true, true};
  bool cancelling_[kSlots] = {};
  LaneActions actions_;
  TimePoint now_{1s};
  std::string trace_;
};

void explore(std::vector<int>& events, std::size_t depth, bool replayable, std::uint64_t& worlds) {
  for (int event = 0; event < World::kEvents; ++event) {
    World world(replayable);
    for (const int before : events) world.step(before);
    if (!world.step(event)) continue;
    ++worlds;
    events.push_back(event);
    if (events.size() < depth) {
      explore(events, depth, replayable, worlds);
    } else {
      world.drain();
    }
    events.pop_back();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(LaneModel, EveryOrderOfAFewEventsEndsEachStatementOnceAndWithItsOwnAnswer) {
  for (const bool replayable : {false, true}) {
    std::uint64_t worlds = 0;
    std::vector<int> events;
    explore(events, 5, replayable, worlds);
    EXPECT_GT(worlds, 10'000U);
  }
}

TEST(LaneModel, LongRandomOrdersDoToo) {
  Random random(7);
  for (int run = 0; run < 20'000 && !testing::Test::HasFailure(); ++run) {
    World world(run % 2 == 0);
    for (int i = 0; i < 40; ++i) {
      (void)world.step(static_cast<int>(random.next() % static_cast<std::uint64_t>(World::kEvents)));
    }
    world.drain();
  }
}

}  // namespace
}  // namespace switchyard::pool
