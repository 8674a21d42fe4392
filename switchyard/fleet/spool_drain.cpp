#include <switchyard/fleet/spool_drain.hpp>

#include <algorithm>

namespace switchyard::inline v0::fleet {

DrainAction SpoolDrain::next(TimePoint now) noexcept {
  if (step_ == DrainStep::rest) {
    if (now < rest_until_) return {.step = DrainStep::rest, .until = rest_until_};
    go(DrainStep::lease);
  }
  return {.step = step_, .limit = one_by_one_ > 0 ? 1 : kBatch};
}

void SpoolDrain::poke() noexcept {
  if (step_ == DrainStep::rest && !failing_) rest_until_ = {};
}

void SpoolDrain::rest(TimePoint until) noexcept {
  step_ = DrainStep::rest;
  rest_until_ = until;
}

void SpoolDrain::back_off(TimePoint now) noexcept {
  failing_ = true;
  rest(deadline_after(now, pause_));
  pause_ = std::min(pause_ * 2, times_.drain_pause_most);
}

void SpoolDrain::give_up(TimePoint now) noexcept {
  back_off(now);
  rest_after_release_ = rest_until_;
  go(DrainStep::release);
}

void SpoolDrain::answer(DrainOutcome outcome, std::size_t count, TimePoint now) noexcept {
  const bool done = outcome == DrainOutcome::done;
  if (outcome == DrainOutcome::fenced && step_ != DrainStep::release) return back_off(now);
  switch (step_) {
    case DrainStep::rest: return;
    case DrainStep::lease: return done ? go(DrainStep::resume) : back_off(now);
    case DrainStep::resume:
      if (!done) return give_up(now);
      return go(count > 0 ? DrainStep::forget : DrainStep::read);
    case DrainStep::forget:
    case DrainStep::bury:
      if (!done) return give_up(now);
      if (step_ == DrainStep::bury) unprepared_ = 0;
      return go(DrainStep::read);
    case DrainStep::read:
      if (!done) return give_up(now);
      read_ = count;
      return go(count > 0 ? DrainStep::apply : DrainStep::close);
    case DrainStep::apply: return after_apply(outcome, now);
    case DrainStep::close:
      if (done) {
        failing_ = false;
        pause_ = times_.drain_pause;
        rest_after_release_ = kNever;
        return go(DrainStep::release);
      }
      // Writers whose transactions are open hold it open: look again a little later, without giving way.
      return outcome == DrainOutcome::left && count > 0 ? go(DrainStep::read) : give_up(now);
    case DrainStep::release: return rest(rest_after_release_);
  }
}

void SpoolDrain::after_apply(DrainOutcome outcome, TimePoint now) noexcept {
  switch (outcome) {
    case DrainOutcome::done:
      failing_ = false;
      pause_ = times_.drain_pause;
      unprepared_ = 0;
      if (one_by_one_ > 0) --one_by_one_;
      return go(DrainStep::forget);
    case DrainOutcome::in_doubt: return give_up(now);  // the next lease resumes, which resolves it
    case DrainOutcome::refused:
    case DrainOutcome::unprepared:
      if (read_ > 1) {
        // One of them: those before it are applied alone, then it shows.
        one_by_one_ = read_;
        return go(DrainStep::read);
      }
      if (outcome == DrainOutcome::unprepared && ++unprepared_ < kUnpreparedPatience) return give_up(now);
      if (one_by_one_ > 0) --one_by_one_;
      return go(DrainStep::bury);
    default: return give_up(now);
  }
}

}  // namespace switchyard::inline v0::fleet
