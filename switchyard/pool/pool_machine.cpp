#include <switchyard/base/assert.hpp>
#include <switchyard/pool/pool_machine.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::pool {
namespace {

using namespace std::chrono_literals;

// Two connection errors within this time slow new attempts down; without an error for so long they are not any
// more.
constexpr Duration kErrorWindow = 15s;
// Time between attempts while slowed down: from the first to the second value, doubling, the upper half random.
constexpr Duration kBackoffFirst = 100ms;
constexpr Duration kBackoffMost = 2s;
// Share of max_lifetime by which a session may start to look for its replacement earlier.
constexpr double kLifetimeJitter = 0.1;

Duration or_forever(Duration value) noexcept { return value == Duration::zero() ? Duration::max() : value; }

// Trying again with the same settings can't help: the server knows us and says no (class 28: authorization, 3D000:
// no such database), or the settings themselves are wrong.
bool is_permanent(const Error& error) noexcept {
  const std::string_view state = error.sqlstate();
  return error.kind() == ErrorKind::Config || state.substr(0, 2) == "28" || state == "3D000";
}

}  // namespace

PoolMachine::PoolMachine(PoolSettings settings, PermitCounter& permits, Random random)
    : slots_(settings.max),
      ping_after_idle_(settings.ping_after_idle),
      idle_timeout_(or_forever(settings.idle_timeout)),
      leak_threshold_(or_forever(settings.leak_threshold)),
      permits_(permits),
      member_(permits.join()),
      alarm_above_(static_cast<std::uint32_t>(static_cast<double>(permits.max()) * settings.exhaustion_share)),
      settings_(std::move(settings)),
      random_(random) {
  if (!member_) throw Error(ErrorKind::Usage, "more shards share a pool than PermitCounter::kMaxMembers");
  settings_.min = std::min(settings_.min, settings_.max);
  for (SlotIndex i = settings_.max; i-- > 0;) {
    slots_[i].below = unused_;
    unused_ = i;
  }
}

PoolMachine::~PoolMachine() {
  SY_ASSERT(waiters_.empty());
  for (std::uint32_t held = total(); held > 0; --held) permits_.give_back(*member_);
  permits_.leave(*member_);
}

void PoolMachine::set_wake(PermitCounter::Wake wake, void* context) noexcept {
  permits_.set_wake(*member_, wake, context);
}

void PoolMachine::start(TimePoint now, Actions& actions) noexcept { pump(now, actions); }

// ---- callers -------------------------------------------------------------------------------------------------

void PoolMachine::acquire(Waiter& waiter, TimePoint now, Actions& actions) noexcept {
  SY_ASSERT(!waiter.queued());
  waiter.since_ = now;
  waiter.limit_ = std::min(waiter.deadline, deadline_after(now, settings_.acquire_timeout));
  if (mode_ == Mode::draining) {
    actions.emplace_back(Fail{&waiter, make_closed_error(settings_)});
    return;
  }
  if (waiters_.size() >= settings_.max_waiters || settings_.max == 0) {
    ++counters_.rejected;
    const Limit limit = settings_.max == 0 ? Limit::max : Limit::max_waiters;
    actions.emplace_back(Fail{&waiter, make_acquire_error(settings_, describe(waiter, limit, now))});
    return;
  }
  if (waiter.goes_first) {
    waiters_.push_front(waiter);
  } else {
    waiters_.push_back(waiter);
  }
  pump(now, actions);
  if (!waiter.queued()) return;
  ++counters_.waited;
  if (waiter.limit_ <= now) {
    expire_waiters(now, actions);
  } else {
    arm_by(waiter.limit_, actions);
  }
}

void PoolMachine::abandon(Waiter& waiter, TimePoint now, Actions& actions) noexcept {
  if (!waiter.queued()) return;
  remove_waiter(waiter);
  pump(now, actions);
}

void PoolMachine::remove_waiter(Waiter& waiter) noexcept {
  waiters_.remove(waiter);
  if (waiters_.empty()) set_starving(false);
}

void PoolMachine::grant(Slot& slot, TimePoint now, Actions& actions) noexcept {
  Waiter& waiter = *waiters_.front();
  remove_waiter(waiter);
  begin_lease(slot, waiter.site, now, actions);
  actions.emplace_back(Grant{&waiter, ref(index_of(slot)), now - waiter.since_});
}

void PoolMachine::fail(Waiter& waiter, Error error, Actions& actions) noexcept {
  remove_waiter(waiter);
  actions.emplace_back(Fail{&waiter, std::move(error)});
}

void PoolMachine::fail_all(const Error& error, Actions& actions) noexcept {
  while (Waiter* waiter = waiters_.front()) fail(*waiter, error, actions);
}

void PoolMachine::expire_waiters(TimePoint now, Actions& actions) noexcept {
  for (Waiter* waiter = waiters_.front(); waiter;) {
    Waiter* following = WaiterQueue::next(*waiter);
    if (waiter->limit_ <= now) {
      ++counters_.timeouts;
      fail(*waiter, make_acquire_error(settings_, describe(*waiter, current_limit(), now)), actions);
    }
    waiter = following;
  }
}

// ---- sessions come back --------------------------------------------------------------------------------------

void PoolMachine::release_slowly(Slot& slot, Disposition disposition, TimePoint now, Actions& actions) noexcept {
  if (disposition == Disposition::close) {
    close_slot(slot, slot.lost ? CloseReason::lost : CloseReason::released, actions);
    pump(now, actions);
    return;
  }
  const bool worth_a_reset = !slot.lost && !slot.outdated && mode_ == Mode::running && now < slot.hard_expiry;
  if (disposition == Disposition::dirty && worth_a_reset) {
    slot.state = State::resetting;
    ++resetting_;
    actions.emplace_back(Reset{ref(index_of(slot))});
    return;
  }
  settle(slot, Came::back, now, actions);
}

void PoolMachine::settle(Slot& slot, Came came, TimePoint now, Actions& actions) noexcept {
  const bool at_max = !room();
  const bool change_under_way = connecting_ > 0 || closing_ > 0 || slowed_;
  std::optional<CloseReason> reason;
  if (slot.lost) {
    reason = CloseReason::lost;
  } else if (slot.outdated) {
    reason = CloseReason::renewed;
  } else if (mode_ == Mode::paused) {
    reason = CloseReason::paused;
  } else if (mode_ == Mode::draining) {
    reason = CloseReason::shutdown;
  } else if (now >= slot.hard_expiry) {
    reason = CloseReason::lifetime;
  } else if (now >= slot.soft_expiry && at_max && !change_under_way) {
    // No room to open the replacement first: one session less for a moment, one at a time.
    reason = CloseReason::lifetime;
  } else if ((waiters_.empty() && others_starve()) ||
             ((came == Came::back || waiters_.empty()) && permits_.take_owed())) {
    reason = CloseReason::given_away;
  }
  if (reason) {
    close_slot(slot, *reason, actions);
  } else {
    push_idle(slot, now, actions);
    retiring_ = retiring_ || now >= slot.soft_expiry;
  }
  pump(now, actions);
}

void PoolMachine::ping_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::pinging);
  if (!found) return;
  --pinging_;
  found->state = State::leased;
  settle(*found, Came::back, now, actions);
}

void PoolMachine::ping_failed(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::pinging);
  if (!found) return;
  close_slot(*found, CloseReason::ping_failed, actions);
  pump(now, actions);
}

void PoolMachine::reset_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::resetting);
  if (!found) return;
  --resetting_;
  found->state = State::leased;
  settle(*found, Came::back, now, actions);
}

void PoolMachine::reset_failed(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::resetting);
  if (!found) return;
  close_slot(*found, CloseReason::reset_failed, actions);
  pump(now, actions);
}

void PoolMachine::session_lost(SlotIndex index, TimePoint now, Actions& actions) noexcept {
  if (index >= slots_.size()) return;
  Slot& slot = slots_[index];
  switch (slot.state) {
    case State::idle: close_slot(slot, CloseReason::lost, actions); break;
    case State::leased:
    case State::pinging:
    case State::resetting:
      // Whoever has it will notice; it must not get past settle().
      slot.lost = true;
      slot.soft_expiry = TimePoint{};
      break;
    case State::unused:
    case State::connecting:
    case State::closing: return;
  }
  pump(now, actions);
}

// ---- sessions open and close ---------------------------------------------------------------------------------

bool PoolMachine::connect_succeeded(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::connecting);
  if (!found) return false;
  --connecting_;
  ++counters_.opened;
  const Duration took = now - found->since;
  usual_connect_ += usual_connect_ == Duration::zero() ? took : (took - usual_connect_) / 4;
  slowed_ = false;
  last_connect_error_.reset();
  backoff_step_ = 0;
  found->state = State::leased;
  found->lost = false;
  found->soft_expiry = found->hard_expiry = kNever;
  if (settings_.max_lifetime > Duration::zero()) {
    const auto most = Duration(static_cast<std::int64_t>(
        static_cast<double>(std::min(settings_.max_lifetime, kNever - now).count()) * kLifetimeJitter));
    found->hard_expiry = deadline_after(now, settings_.max_lifetime);
    found->soft_expiry = found->hard_expiry - random_.below(most);
  }
  settle(*found, Came::opened, now, actions);
  if (idle_ > 0 && idle_timeout_ != kForever && open_sessions() > settings_.min) {
    // The others were not above `min` before and had no reason to end.
    arm_by(std::max(now, slots_[idle_bottom_].since + idle_timeout_), actions);
  }
  return true;
}

void PoolMachine::connect_failed(SlotRef slot, const Error& error, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::connecting);
  if (!found) return;
  ++counters_.connect_errors;
  slow_down(found->since, now);
  last_connect_error_ = error;
  --connecting_;
  free_slot(*found);
  const bool nothing_open = leased_ + idle_ + pinging_ + resetting_ == 0;
  if (nothing_open) fail_for_connect_error(error, actions);
  pump(now, actions);
}

void PoolMachine::fail_for_connect_error(const Error& error, Actions& actions) noexcept {
  const bool permanent = is_permanent(error);
  for (Waiter* waiter = waiters_.front(); waiter;) {
    Waiter* following = WaiterQueue::next(*waiter);
    if (permanent || waiter->on_connect_error == OnConnectError::fail) {
      fail(*waiter, make_connect_error(settings_, error), actions);
    }
    waiter = following;
  }
}

void PoolMachine::slow_down(TimePoint started, TimePoint now) noexcept {
  const bool again = last_connect_error_ && now - last_error_at_ <= kErrorWindow;
  last_error_at_ = now;
  if (!again) return;
  // Attempts that were under way when the pool slowed down tell nothing new.
  if (slowed_ && started <= slowed_at_) return;
  const Duration wait = std::min(kBackoffFirst * (1U << std::min(backoff_step_, 10U)), kBackoffMost);
  ++backoff_step_;
  slowed_ = true;
  slowed_at_ = now;
  next_connect_ = now + wait / 2 + random_.below(wait / 2);
}

void PoolMachine::closed(SlotRef slot, TimePoint now, Actions& actions) noexcept {
  Slot* found = find(slot, State::closing);
  if (!found) return;
  --closing_;
  free_slot(*found);
  pump(now, actions);
  check_drained(actions);
}

void PoolMachine::close_slot(Slot& slot, CloseReason reason, Actions& actions) noexcept {
  switch (slot.state) {
    case State::idle: remove_idle(slot); break;
    case State::connecting: --connecting_; break;
    case State::pinging: --pinging_; break;
    case State::resetting: --resetting_; break;
    case State::leased:  // counted off by end_lease() or settle()'s callers
    case State::unused:
    case State::closing: break;
  }
  SY_ASSERT(slot.state != State::unused && slot.state != State::closing);
  if (slot.state != State::connecting) ++counters_.closed[static_cast<std::size_t>(reason)];
  if (std::exchange(slot.outdated, false)) --outdated_;
  slot.state = State::closing;
  ++slot.generation;
  ++closing_;
  actions.emplace_back(Close{ref(index_of(slot)), reason});
}

void PoolMachine::free_slot(Slot& slot) noexcept {
  slot.state = State::unused;
  ++slot.generation;
  slot.below = unused_;
  unused_ = index_of(slot);
  permits_.give_back(*member_);
}

void PoolMachine::close_all_idle(CloseReason reason, Actions& actions) noexcept {
  while (idle_bottom_ != kNoSlot) close_slot(slots_[idle_bottom_], reason, actions);
}

void PoolMachine::close_surplus(TimePoint now, Actions& actions) noexcept {
  while (idle_bottom_ != kNoSlot && now - slots_[idle_bottom_].since >= idle_timeout_ &&
         open_sessions() > settings_.min) {
    close_slot(slots_[idle_bottom_], CloseReason::idle_timeout, actions);
  }
}

// ---- serving and growing -------------------------------------------------------------------------------------

void PoolMachine::pump(TimePoint now, Actions& actions) noexcept {
  if (mode_ != Mode::running) return;
  serve(now, actions);
  if (retiring_) retire_idle(now, actions);
  grow(now, actions);
}

void PoolMachine::serve(TimePoint now, Actions& actions) noexcept {
  while (!waiters_.empty() && idle_top_ != kNoSlot) {
    Slot& slot = slots_[idle_top_];
    if (now >= slot.hard_expiry) {
      close_slot(slot, CloseReason::lifetime, actions);
    } else if (now - slot.since > ping_after_idle_) {
      // Whatever session is ready first serves the queue: a ping is bound to no caller.
      if (pinging_ >= waiters_.size()) return;
      remove_idle(slot);
      slot.state = State::pinging;
      ++pinging_;
      actions.emplace_back(Ping{ref(index_of(slot))});
    } else {
      remove_idle(slot);
      grant(slot, now, actions);
    }
  }
}

void PoolMachine::grow(TimePoint now, Actions& actions) noexcept {
  if (slowed_ && now - last_error_at_ > kErrorWindow) {
    slowed_ = false;
    backoff_step_ = 0;
  }
  while (wants_connect(now, actions)) {
    if (connecting_ >= std::max(settings_.max_concurrent_connects, 1U) || unused_ == kNoSlot) return;
    if (slowed_ && connecting_ > 0) return;
    if (slowed_ && now < next_connect_) {
      arm_by(next_connect_, actions);
      return;
    }
    const PermitPurpose purpose = waiters_.empty() ? PermitPurpose::reserve : PermitPurpose::caller;
    if (!permits_.try_take(purpose)) {
      if (waiters_.empty()) return;
      set_starving(true);
      if (!permits_.try_take(purpose)) return;
    }
    set_starving(false);
    Slot& slot = slots_[unused_];
    unused_ = slot.below;
    slot.state = State::connecting;
    slot.since = now;
    ++connecting_;
    actions.emplace_back(Connect{ref(index_of(slot))});
  }
}

bool PoolMachine::wants_connect(TimePoint now, Actions& actions) noexcept {
  // A pool with callers comes before another pool's reserve.
  const bool others_need_it = permits_.starving() > (starving_ ? 1U : 0U);
  if (permits_.taken() - closing_ < settings_.min && !others_need_it) return true;
  const std::uint32_t coming = pinging_ + resetting_;
  std::uint32_t demand = waiters_.size() > coming ? waiters_.size() - coming : 0;
  if (demand > 1 && connecting_ > 0 && !queue_outlasts_a_connect(now)) {
    demand = 1;
    arm_by(waiters_.front()->since_ + usual_connect_, actions);
  }
  return connecting_ < demand || (replacement_wanted_ && connecting_ == 0 && !others_need_it);
}

// A session that is ready only after the queue is gone helped nobody and costs the server a process.
bool PoolMachine::queue_outlasts_a_connect(TimePoint now) const noexcept {
  const std::uint32_t serving = leased_ + pinging_ + resetting_;
  if (usual_connect_ == Duration::zero() || serving == 0) return true;
  if (now - waiters_.front()->since_ >= usual_connect_) return true;
  const std::uint32_t rounds = (waiters_.size() + serving - 1) / serving;
  return usual_lease_ > usual_connect_ / rounds;
}

void PoolMachine::set_starving(bool starving) noexcept {
  // With all permits in this pool nobody else can help.
  if (starving && (unused_ == kNoSlot || total() >= permits_.max())) return;
  if (starving_ == starving) return;
  starving_ = starving;
  permits_.set_starving(*member_, starving);
}

void PoolMachine::retire_idle(TimePoint now, Actions& actions) noexcept {
  retiring_ = false;
  replacement_wanted_ = false;
  for (SlotIndex index = idle_bottom_; index != kNoSlot;) {
    Slot& slot = slots_[index];
    index = slot.above;
    if (now < slot.soft_expiry) continue;
    const bool missed_by_nobody = idle_ > 1 || now - slot.since > 1s;
    const bool spare = open_sessions() > settings_.min && missed_by_nobody;
    const bool change_under_way = connecting_ > 0 || closing_ > 0 || slowed_;
    if (now >= slot.hard_expiry || spare || (!room() && !change_under_way)) {
      close_slot(slot, CloseReason::lifetime, actions);
      continue;
    }
    retiring_ = true;
    replacement_wanted_ = replacement_wanted_ || room();
  }
}

// ---- time and the other shards -------------------------------------------------------------------------------

void PoolMachine::on_timer(TimePoint now, Actions& actions) noexcept {
  armed_ = kNever;
  expire_waiters(now, actions);
  if (leak_threshold_ != kForever) report_leaks(now, actions);
  close_surplus(now, actions);
  retiring_ = idle_ > 0;
  pump(now, actions);
  rearm(now, actions);
}

void PoolMachine::on_permits_changed(TimePoint now, Actions& actions) noexcept {
  while (mode_ == Mode::running && idle_bottom_ != kNoSlot && permits_.take_owed()) {
    close_slot(slots_[idle_bottom_], CloseReason::given_away, actions);
  }
  if (mode_ == Mode::running && waiters_.empty() && idle_bottom_ != kNoSlot && others_starve()) {
    close_slot(slots_[idle_bottom_], CloseReason::given_away, actions);
  }
  pump(now, actions);
}

void PoolMachine::arm(TimePoint when, Actions& actions) noexcept {
  armed_ = when;
  actions.emplace_back(ArmTimer{when});
}

// Everything that will be due by itself. grow() has armed what it waits for.
void PoolMachine::rearm(TimePoint now, Actions& actions) noexcept {
  TimePoint due = kNever;
  for (Waiter* waiter = waiters_.front(); waiter; waiter = WaiterQueue::next(*waiter)) {
    due = std::min(due, waiter->limit_);
  }
  if (idle_ > 0 && idle_timeout_ != kForever && open_sessions() > settings_.min) {
    due = std::min(due, slots_[idle_bottom_].since + idle_timeout_);
  }
  for (SlotIndex index = idle_bottom_; index != kNoSlot; index = slots_[index].above) {
    const Slot& slot = slots_[index];
    due = std::min(due, now < slot.soft_expiry ? slot.soft_expiry : slot.hard_expiry);
  }
  if (leak_threshold_ != kForever && leased_ > 0) {
    for (const Slot& slot : slots_) {
      if (slot.state == State::leased && !slot.leak_reported && slot.site != kLaneSite)
        due = std::min(due, slot.since + leak_threshold_);
    }
  }
  arm_by(due, actions);
}

void PoolMachine::report_leaks(TimePoint now, Actions& actions) noexcept {
  if (leased_ == 0) return;
  for (Slot& slot : slots_) {
    if (slot.state != State::leased || slot.leak_reported || now - slot.since < leak_threshold_) continue;
    if (slot.site == kLaneSite) continue;
    slot.leak_reported = true;
    ++counters_.leaks_suspected;
    actions.emplace_back(LeakSuspected{ref(index_of(slot)), slot.site, now - slot.since});
  }
}

void PoolMachine::note_utilisation(TimePoint now, Actions& actions) noexcept {
  const std::uint32_t in_use = permits_.in_use();
  if (in_use == permits_.max()) ++counters_.exhausted;
  if (in_use <= alarm_above_ || now < next_exhaustion_report_) return;
  next_exhaustion_report_ = deadline_after(now, settings_.exhaustion_report_interval);
  actions.emplace_back(NearExhaustion{in_use, permits_.max()});
}

// ---- pause and shutdown --------------------------------------------------------------------------------------

void PoolMachine::pause(TimePoint, Actions& actions) noexcept {
  if (mode_ != Mode::running) return;
  mode_ = Mode::paused;
  set_starving(false);
  close_all_idle(CloseReason::paused, actions);
}

void PoolMachine::resume(TimePoint now, Actions& actions) noexcept {
  if (mode_ != Mode::paused) return;
  mode_ = Mode::running;
  pump(now, actions);
}

void PoolMachine::renew(TimePoint now, Actions& actions) noexcept {
  close_all_idle(CloseReason::renewed, actions);
  for (Slot& slot : slots_) {
    switch (slot.state) {
      case State::connecting: close_slot(slot, CloseReason::renewed, actions); break;
      case State::leased:
      case State::pinging:
      case State::resetting:
        if (std::exchange(slot.outdated, true)) break;
        ++outdated_;
        slot.soft_expiry = TimePoint{};  // release() looks twice
        break;
      case State::unused:
      case State::idle:
      case State::closing: break;
    }
  }
  pump(now, actions);
}

void PoolMachine::begin_drain(TimePoint, Actions& actions) noexcept {
  if (mode_ != Mode::draining) {
    mode_ = Mode::draining;
    fail_all(make_closed_error(settings_), actions);
    for (Slot& slot : slots_) {
      if (slot.state == State::idle || slot.state == State::connecting || slot.state == State::pinging ||
          slot.state == State::resetting) {
        close_slot(slot, CloseReason::shutdown, actions);
      }
    }
  }
  check_drained(actions);
}

void PoolMachine::close(TimePoint now, Actions& actions) noexcept {
  begin_drain(now, actions);
  for (Slot& slot : slots_) {
    if (slot.state != State::leased) continue;
    end_lease(slot, now);
    close_slot(slot, CloseReason::shutdown, actions);
  }
}

void PoolMachine::check_drained(Actions& actions) noexcept {
  if (mode_ != Mode::draining || drained_ || total() > 0) return;
  drained_ = true;
  actions.emplace_back(Drained{});
}

// ---- what it looks like --------------------------------------------------------------------------------------

PoolStats PoolMachine::stats() const noexcept {
  PoolStats stats = counters_;
  stats.total = total();
  stats.active = leased_ + pinging_ + resetting_;
  stats.tested = pinging_ + resetting_;
  stats.outdated = outdated_;
  stats.idle = idle_;
  stats.connecting = connecting_;
  stats.closing = closing_;
  stats.waiting = waiters_.size();
  for (const Waiter* waiter = waiters_.front(); waiter; waiter = WaiterQueue::next(*waiter)) {
    stats.waiting_since = waiter->since();
    if (!waiter->goes_first) break;
  }
  stats.min = settings_.min;
  stats.max = settings_.max;
  stats.connects_slowed = slowed_;
  stats.paused = mode_ == Mode::paused;
  stats.acquired = acquired_;
  return stats;
}

Limit PoolMachine::current_limit() const noexcept {
  if (mode_ == Mode::paused) return Limit::paused;
  if (leased_ == settings_.max) return Limit::max;
  if (permits_.taken() >= permits_.max() && total() < permits_.max() && connecting_ == 0) return Limit::elsewhere;
  if (permits_.refused()) return Limit::budget;
  if (slowed_) return Limit::connects_slowed;
  if (connecting_ >= settings_.max_concurrent_connects) return Limit::concurrent_connects;
  if (total() == settings_.max && connecting_ + pinging_ + resetting_ + closing_ < leased_) return Limit::max;
  return Limit::connecting;
}

AcquireFailure PoolMachine::describe(const Waiter& waiter, Limit limit, TimePoint now) const {
  AcquireFailure failure;
  failure.limit = limit;
  failure.stats = stats();
  failure.elsewhere = permits_.taken() - total();
  failure.process_max = permits_.max();
  if (limit == Limit::budget) {
    failure.budget = permits_.source()->describe();
    failure.budget_advice = permits_.source()->advice();
  }
  failure.waited = now - waiter.since_;
  failure.by_deadline = waiter.deadline < deadline_after(waiter.since_, settings_.acquire_timeout);
  if (last_connect_error_) {
    failure.last_connect_error = last_connect_error_;
    failure.since_connect_error = now - last_error_at_;
  }
  for (const Slot& slot : slots_) {
    if (slot.state != State::leased || now - slot.since <= failure.oldest_lease) continue;
    failure.oldest_lease = now - slot.since;
    failure.oldest_lease_site = slot.site;
  }
  return failure;
}

}  // namespace switchyard::inline v0::pool
