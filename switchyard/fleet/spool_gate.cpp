#include <switchyard/fleet/spool_gate.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {

SpoolGate::Choice SpoolGate::choose(TimePoint now) const noexcept {
  if (state_ == State::opening) return {.way = Way::wait};
  if (state_ == State::spooling) return {.way = Way::spool};
  if (down_ || maintenance_) return {.way = Way::open_first};
  const bool may_look = now >= look_again_;
  const Duration age = now - known_at_;
  if (!knows_ || age > times_.freshness) {
    if (!may_look) return {.way = Way::direct};
    return {.way = looking_ ? Way::wait : Way::look_first};
  }
  return {.way = Way::direct, .look = age > times_.freshness / 2 && !looking_ && may_look};
}

bool SpoolGate::become(State state) noexcept { return std::exchange(state_, state) != state; }

void SpoolGate::down() noexcept {
  if (state_ == State::direct) down_ = true;
}

bool SpoolGate::looked(const GateSight& sight, TimePoint sent) noexcept {
  looking_ = false;
  look_again_ = {};
  if (knows_ && sent <= known_at_) return false;  // older than what is known
  knows_ = true;
  known_at_ = sent;
  maintenance_ = sight.maintenance;
  usage_ = sight.usage;
  if (state_ == State::opening) return false;  // whoever opens it knows better
  if (sight.open) {
    down_ = false;
    return become(State::spooling);
  }
  return become(State::direct);
}

void SpoolGate::look_failed(TimePoint now) noexcept {
  looking_ = false;
  look_again_ = deadline_after(now, times_.freshness);
}

bool SpoolGate::opened(TimePoint now) noexcept {
  down_ = false;
  knows_ = true;
  known_at_ = now;
  return become(State::spooling);
}

void SpoolGate::open_failed() noexcept {
  down_ = false;
  state_ = State::direct;
}

bool SpoolGate::found_closed(TimePoint now) noexcept {
  knows_ = true;
  known_at_ = now;
  usage_ = {};
  return state_ == State::spooling && become(State::direct);
}

void SpoolGate::kept(std::uint64_t bytes) noexcept {
  ++usage_.entries;
  usage_.bytes += bytes;
}

SpoolGate::Limit SpoolGate::broken_by(std::uint64_t bytes, TimePoint now) const noexcept {
  if (limits_.max_bytes != 0 && usage_.bytes + bytes > limits_.max_bytes) return Limit::bytes;
  if (limits_.max_entries != 0 && usage_.entries + 1 > limits_.max_entries) return Limit::entries;
  if (limits_.max_age > Duration::zero() && usage_.entries > 0 && knows_ &&
      usage_.age + (now - known_at_) > limits_.max_age) {
    return Limit::age;
  }
  return Limit::none;
}

}  // namespace switchyard::inline v0::fleet
