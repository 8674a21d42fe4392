#include <switchyard/base/assert.hpp>
#include <switchyard/fleet/probe_machine.hpp>

#include <algorithm>

namespace switchyard::inline v0::fleet {

ProbeMachine::Step ProbeMachine::step(TimePoint now) noexcept {
  const bool free = state_ == State::away || state_ == State::ready;
  if (!free) {
    due_ = kNever;
    return Step::rest;
  }
  if (now < due_) return Step::rest;
  begun_ = now;
  poked_ = false;
  state_ = state_ == State::away ? State::connecting : State::asking;
  return state_ == State::connecting ? Step::connect : Step::ask;
}

Duration ProbeMachine::pause(TimePoint now) noexcept {
  // A place that can't be reached is not asked more often because somebody waits for it.
  if (now < eager_until_ && state_ == State::ready) return kEagerProbe;
  const Duration length = urgent_ ? std::min(kUrgentProbe, settings_.interval) : settings_.interval;
  const double spread = static_cast<double>(length.count()) * kProbeJitter;
  return length + Duration(static_cast<std::int64_t>(spread * (2 * random_.unit() - 1)));
}

void ProbeMachine::rest(TimePoint now) noexcept {
  due_ = now + pause(now);
  if (poked_) due_ = std::min(due_, std::max(now, begun_ + kPokedProbe));
  poked_ = false;
}

void ProbeMachine::connected(TimePoint now) noexcept {
  SY_ASSERT(state_ == State::connecting);
  state_ = State::ready;
  due_ = now;
}

void ProbeMachine::answered(TimePoint now) noexcept {
  SY_ASSERT(state_ == State::asking);
  state_ = State::ready;
  rest(now);
}

void ProbeMachine::failed(TimePoint now) noexcept {
  state_ = State::away;
  rest(now);
}

void ProbeMachine::poke(TimePoint now) noexcept {
  if (state_ == State::connecting || state_ == State::asking) {
    poked_ = true;
  } else if (begun_ != TimePoint::min()) {
    due_ = std::min(due_, std::max(now, begun_ + kPokedProbe));
  }
}

void ProbeMachine::hurry(TimePoint now, TimePoint until) noexcept {
  eager_until_ = std::max(eager_until_, until);
  if (state_ == State::ready) due_ = std::min(due_, std::max(now, begun_ + kEagerProbe));
}

void ProbeMachine::set_urgent(TimePoint now, bool urgent) noexcept {
  if (urgent == urgent_) return;
  urgent_ = urgent;
  const bool free = state_ == State::away || state_ == State::ready;
  if (urgent && free) due_ = std::min(due_, now + pause(now));
}

}  // namespace switchyard::inline v0::fleet
