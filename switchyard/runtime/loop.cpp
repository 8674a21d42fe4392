#include <switchyard/runtime/loop.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/runtime/ambient.hpp>

namespace switchyard::inline v0::runtime {
namespace {
constinit thread_local Loop* t_current = nullptr;
}

Loop* Loop::current_or_null() noexcept { return t_current; }

Loop& Loop::current() noexcept {
  SY_ASSERT(t_current != nullptr);
  return *t_current;
}

Loop::Scope::Scope(Loop& loop) noexcept : loop_(loop), previous_(t_current) {
  t_current = &loop;
  if (!loop.window_open_) loop.refresh_now();
}

Loop::Scope::~Scope() {
  t_current = previous_;
  // Without a turn to come nobody else would close the window, and the time would stand still.
  if (previous_ != &loop_ && !loop_.turn_requested_) loop_.window_open_ = false;
}

Loop::NoScope::NoScope() noexcept : previous_(t_current) { t_current = nullptr; }
Loop::NoScope::~NoScope() { t_current = previous_; }

void Loop::run_turn() noexcept {
  turn_requested_ = false;
  in_turn_ = true;
  wheel_.advance(now_);
  for (std::size_t resumed = 0; resumed < kResumedPerTurn; ++resumed) {
    Link* link = ready_.pop_front();
    if (link == nullptr) break;
    auto* node = static_cast<ReadyNode*>(link);
    if (Ambient::used()) Ambient::enter(*node);
    node->who_.resume();
    if (Ambient::used()) Ambient::leave();
  }
  LinkList due;  // what is scheduled meanwhile belongs to the next turn
  due.splice(turn_ends_);
  while (Link* link = due.pop_front()) {
    auto* end = static_cast<TurnEnd*>(link);
    end->fn_(end->context_);
  }
  in_turn_ = false;
  window_open_ = false;
  if (!ready_.empty() || !turn_ends_.empty() || wheel_.overdue()) request_turn();
}

void Loop::on_wake() noexcept {
  wake_ = kNever;
  wheel_.advance(now_);
  const TimePoint next = wheel_.next();
  if (next < wake_) {
    wake_ = next;
    wake_at(next);
  }
}

void Loop::arm(Timer& timer, TimePoint deadline) noexcept {
  const TimePoint moment = wheel_.insert(timer, deadline, now());
  if (wheel_.overdue()) {
    request_turn();
  } else if (moment < wake_) {
    wake_ = moment;
    wake_at(moment);
  }
}

void Loop::end() noexcept {
  SY_ASSERT(!in_turn_);
  const Scope scope(*this);
  while (Link* link = detached_.pop_front()) static_cast<Detached*>(link)->destroy();
  while (Link* link = resources_.pop_front()) static_cast<Resource*>(link)->loop_ends();
  ready_.clear();
  turn_ends_.clear();
}

void ReadyNode::schedule(std::coroutine_handle<> who) noexcept {
  who_ = who;
  if (linked()) return;
  Loop& loop = Loop::current();
  loop.ready_.push_back(*this);
  loop.request_turn();
}

void TurnEnd::schedule() noexcept {
  if (linked()) return;
  Loop& loop = Loop::current();
  loop.turn_ends_.push_back(*this);
  loop.request_turn();
}

void Timer::arm(TimePoint deadline) noexcept {
  if (deadline == kNever) {
    disarm();
    return;
  }
  Loop::current().arm(*this, deadline);
}

void Timer::remove() noexcept { wheel_->remove(*this); }

}  // namespace switchyard::inline v0::runtime
