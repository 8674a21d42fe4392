// A pool machine under test: a virtual clock, a list of what was asked, and a second, simpler bookkeeping that
// checks every action against the pool's promises the moment it is given.
#pragma once

#include <gtest/gtest.h>
#include <switchyard/pool/pool_machine.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::pool::testing {

using namespace std::chrono_literals;

enum class Phase { connecting, idle, pinging, resetting, leased, closing };

struct Session {
  Phase phase;
  SlotRef slot;
  TimePoint idle_since{};
};

struct Caller : Waiter {
  explicit Caller(std::string called) : name(std::move(called)) {}
  std::string name;
  SlotRef granted;
  std::optional<Error> failed;
};

class MachineTester {
 public:
  explicit MachineTester(PoolSettings settings, std::uint64_t seed = 1)
      : own_permits_(std::make_unique<PermitCounter>(settings.max)),
        permits(*own_permits_),
        machine(std::move(settings), permits, Random(seed)) {}
  MachineTester(PoolSettings settings, PermitCounter& shared, std::uint64_t seed = 1)
      : permits(shared), machine(std::move(settings), permits, Random(seed)) {}

  ~MachineTester() {
    for (auto& caller : callers) machine.abandon(*caller, now, actions_);
  }

 private:
  std::unique_ptr<PermitCounter> own_permits_;

 public:
  PermitCounter& permits;
  PoolMachine machine;
  TimePoint now{std::chrono::hours(1)};
  TimePoint armed = kNever;
  std::map<SlotIndex, Session> sessions;
  std::deque<Caller*> queue;
  std::vector<std::unique_ptr<Caller>> callers;
  /// Everything asked since the last take(), as text: "connect 0", "grant a 0", "fail a", "close 0 lifetime" ...
  std::vector<std::string> log;
  /// The NearExhaustion events.
  std::vector<std::string> alarms;
  bool drained = false;

  // ---- events ----
  void start() {
    run([&](Actions& out) { machine.start(now, out); });
  }
  Caller& acquire(std::string name, TimePoint deadline = kNever, OnConnectError policy = OnConnectError::wait,
                  const char* site = nullptr, bool goes_first = false) {
    Caller& caller = *callers.emplace_back(std::make_unique<Caller>(std::move(name)));
    caller.deadline = deadline;
    caller.on_connect_error = policy;
    caller.site = site;
    caller.goes_first = goes_first;
    queue.insert(goes_first ? queue.begin() : queue.end(), &caller);
    run([&](Actions& out) { machine.acquire(caller, now, out); });
    return caller;
  }
  SlotRef try_acquire(const char* site = nullptr) {
    SlotRef slot;
    const bool somebody_waits = !queue.empty();
    run([&](Actions& out) {
      slot = machine.try_acquire(now, site, out);
      if (slot) {
        EXPECT_FALSE(somebody_waits) << "a waiting caller was overtaken";
        lend(slot);
      }
    });
    return slot;
  }
  void abandon(Caller& caller) {
    std::erase(queue, &caller);
    run([&](Actions& out) { machine.abandon(caller, now, out); });
  }
  void release(SlotRef slot, Disposition disposition = Disposition::reusable) {
    auto found = sessions.find(slot.index);
    if (found != sessions.end() && found->second.phase == Phase::leased && found->second.slot == slot) {
      become_idle(found->second);
    }
    run([&](Actions& out) { machine.release(slot, disposition, now, out); });
  }
  void connected(SlotIndex index) {
    Session& session = expect(index, Phase::connecting);
    become_idle(session);
    run([&](Actions& out) { EXPECT_TRUE(machine.connect_succeeded(session.slot, now, out)); });
  }
  void connect_failed(SlotIndex index, const Error& error = Error(ErrorKind::Unavailable, "connection refused")) {
    const SlotRef slot = expect(index, Phase::connecting).slot;
    sessions.erase(index);
    run([&](Actions& out) { machine.connect_failed(slot, error, now, out); });
  }
  void ping_answered(SlotIndex index, bool alive) {
    Session& session = expect(index, Phase::pinging);
    const SlotRef slot = session.slot;
    if (alive) become_idle(session);
    run([&](Actions& out) {
      alive ? machine.ping_succeeded(slot, now, out) : machine.ping_failed(slot, now, out);
    });
  }
  void reset_answered(SlotIndex index, bool clean) {
    Session& session = expect(index, Phase::resetting);
    const SlotRef slot = session.slot;
    if (clean) become_idle(session);
    run([&](Actions& out) {
      clean ? machine.reset_succeeded(slot, now, out) : machine.reset_failed(slot, now, out);
    });
  }
  void closed(SlotIndex index) {
    const SlotRef slot = expect(index, Phase::closing).slot;
    sessions.erase(index);
    run([&](Actions& out) { machine.closed(slot, now, out); });
  }
  void lost(SlotIndex index) {
    run([&](Actions& out) { machine.session_lost(index, now, out); });
  }
  void pause() {
    run([&](Actions& out) { machine.pause(now, out); });
  }
  void resume() {
    run([&](Actions& out) { machine.resume(now, out); });
  }
  void renew() {
    run([&](Actions& out) { machine.renew(now, out); });
  }
  void drain() {
    run([&](Actions& out) { machine.begin_drain(now, out); });
  }
  void close() {
    run([&](Actions& out) { machine.close(now, out); });
  }
  void permits_changed() {
    run([&](Actions& out) { machine.on_permits_changed(now, out); });
  }
  /// Moves the clock, firing the timer at its times.
  void advance(Duration by) {
    const TimePoint until = now + by;
    for (int firings = 0; armed <= until; ++firings) {
      ASSERT_LT(firings, 10'000) << "the timer fires without end";
      now = std::max(now, armed);
      armed = kNever;
      run([&](Actions& out) { machine.on_timer(now, out); });
    }
    now = until;
  }

  // ---- helpers ----
  std::vector<SlotIndex> in(Phase phase) const {
    std::vector<SlotIndex> found;
    for (const auto& [index, session] : sessions) {
      if (session.phase == phase) found.push_back(index);
    }
    return found;
  }
  void connect_all() {
    for (auto pending = in(Phase::connecting); !pending.empty(); pending = in(Phase::connecting)) {
      for (SlotIndex index : pending) connected(index);
    }
  }
  void close_all() {
    for (SlotIndex index : in(Phase::closing)) closed(index);
  }
  std::vector<std::string> take() { return std::exchange(log, {}); }
  SlotRef slot(SlotIndex index) const { return sessions.at(index).slot; }

  /// Promises that hold between events.
  void check() {
    const PoolStats stats = machine.stats();
    ASSERT_LE(permits.taken(), permits.max()) << "more sessions than max";
    ASSERT_EQ(stats.total, sessions.size());
    ASSERT_EQ(stats.idle, in(Phase::idle).size());
    ASSERT_EQ(stats.connecting, in(Phase::connecting).size());
    ASSERT_EQ(stats.closing, in(Phase::closing).size());
    ASSERT_EQ(stats.active, in(Phase::leased).size() + in(Phase::pinging).size() + in(Phase::resetting).size());
    ASSERT_EQ(stats.waiting, queue.size());
    const PoolSettings& settings = machine.settings();
    for (Caller* caller : queue) {
      ASSERT_TRUE(caller->queued()) << caller->name << " waits for nothing";
      ASSERT_LE(armed, caller->deadline) << caller->name << " would miss its deadline";
    }
    if (!queue.empty() && settings.acquire_timeout < 1h) {
      ASSERT_NE(armed, kNever) << "callers wait and no timer is armed";
    }
    if (!queue.empty() && !stats.paused && !drained) {
      for (SlotIndex index : in(Phase::idle)) {
        const bool fresh = now - sessions.at(index).idle_since <= settings.ping_after_idle;
        ASSERT_FALSE(fresh) << "session " << index << " idles while callers wait";
      }
      const bool something_comes =
          stats.total > 0 || stats.connects_slowed || permits.taken() == permits.max() || permits.refused();
      ASSERT_TRUE(something_comes) << "callers wait and nothing is under way";
    }
    if (settings.idle_timeout > 0s && !stats.paused && stats.idle > 0 &&
        permits.taken() - stats.connecting - stats.closing > settings.min) {
      TimePoint oldest = kNever;
      for (SlotIndex index : in(Phase::idle)) oldest = std::min(oldest, sessions.at(index).idle_since);
      ASSERT_LE(armed, std::max(now, oldest + settings.idle_timeout))
          << "an idle session above min would never close";
    }
  }

 private:
  template <class Event>
  void run(Event event) {
    actions_.clear();
    event(actions_);
    for (Action& action : actions_) std::visit([&](auto& one) { apply(one); }, action);
    check();
  }

  Session& expect(SlotIndex index, Phase phase) {
    auto found = sessions.find(index);
    if (found == sessions.end() || found->second.phase != phase) {
      throw std::logic_error("the script expects slot " + std::to_string(index) + " in another phase");
    }
    return found->second;
  }
  void become_idle(Session& session) {
    session.phase = Phase::idle;
    session.idle_since = now;
  }
  void lend(SlotRef slot) {
    auto found = sessions.find(slot.index);
    ASSERT_NE(found, sessions.end()) << "an unopened session was lent";
    ASSERT_EQ(found->second.phase, Phase::idle) << "session " << slot.index << " was lent while in use";
    found->second.phase = Phase::leased;
    found->second.slot = slot;
  }

  void apply(Connect& action) {
    ASSERT_FALSE(sessions.contains(action.slot.index)) << "connect on a slot in use";
    sessions[action.slot.index] = Session{Phase::connecting, action.slot};
    const std::size_t pending = in(Phase::connecting).size();
    const std::size_t others = permits.taken() - pending - in(Phase::closing).size();
    const std::size_t min = machine.settings().min;
    const std::size_t refill = min > others ? min - others : 0;
    ASSERT_LE(pending, std::max(queue.size() + refill, std::size_t{1})) << "more attempts than anybody asked for";
    ASSERT_LE(pending, machine.settings().max_concurrent_connects);
    log.push_back("connect " + std::to_string(action.slot.index));
  }
  void apply(Close& action) {
    auto found = sessions.find(action.slot.index);
    ASSERT_NE(found, sessions.end());
    ASSERT_NE(found->second.phase, Phase::closing) << "closed twice";
    found->second.phase = Phase::closing;
    found->second.slot = action.slot;
    log.push_back("close " + std::to_string(action.slot.index) + " " + to_string(action.reason));
  }
  void apply(Ping& action) {
    Session& session = expect(action.slot.index, Phase::idle);
    session.phase = Phase::pinging;
    session.slot = action.slot;
    ASSERT_LE(in(Phase::pinging).size(), queue.size()) << "more pings than callers";
    log.push_back("ping " + std::to_string(action.slot.index));
  }
  void apply(Reset& action) {
    Session& session = expect(action.slot.index, Phase::idle);
    session.phase = Phase::resetting;
    session.slot = action.slot;
    log.push_back("reset " + std::to_string(action.slot.index));
  }
  void apply(Grant& action) {
    Caller& caller = static_cast<Caller&>(*action.waiter);
    ASSERT_FALSE(queue.empty());
    ASSERT_EQ(queue.front(), &caller) << caller.name << " overtook " << queue.front()->name;
    queue.pop_front();
    ASSERT_FALSE(caller.granted) << "granted twice";
    lend(action.slot);
    caller.granted = action.slot;
    log.push_back("grant " + caller.name + " " + std::to_string(action.slot.index));
  }
  void apply(Fail& action) {
    Caller& caller = static_cast<Caller&>(*action.waiter);
    ASSERT_EQ(std::erase(queue, &caller), 1U) << "failed somebody who does not wait";
    caller.failed = action.error;
    log.push_back("fail " + caller.name);
  }
  void apply(ArmTimer& action) { armed = action.when; }
  void apply(LeakSuspected& action) {
    log.push_back("leak " + std::to_string(action.slot.index) + " " + (action.site ? action.site : "?"));
  }
  void apply(NearExhaustion& action) {
    alarms.push_back("near exhaustion " + std::to_string(action.in_use) + "/" + std::to_string(action.max));
  }
  void apply(Drained&) {
    ASSERT_TRUE(sessions.empty());
    ASSERT_FALSE(drained) << "drained twice";
    drained = true;
    log.push_back("drained");
  }

  Actions actions_;
};

}  // namespace switchyard::pool::testing
