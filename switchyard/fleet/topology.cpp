#include <switchyard/base/assert.hpp>
#include <switchyard/fleet/topology.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Samples closer than this overwrite each other.
constexpr Duration kSampleDistance = std::chrono::milliseconds(100);
/// With one sample a second: a quarter of an hour. What lags further is measured by its last replayed commit.
constexpr std::size_t kMostSamples = 1024;
/// A timeline has one fork to the next; more are the history of an old cluster.
constexpr std::size_t kMostForks = 256;

}  // namespace

bool PlaceDescription::serves(std::string_view name_or_purpose) const noexcept {
  return name == name_or_purpose || std::ranges::find(purposes, name_or_purpose) != purposes.end();
}

std::string_view to_string(PlaceRole role) noexcept {
  switch (role) {
    case PlaceRole::unknown: return "unknown";
    case PlaceRole::primary: return "primary";
    case PlaceRole::standby: return "standby";
    case PlaceRole::logical: return "logical";
    case PlaceRole::demoted: return "demoted";
  }
  return "unknown";
}

const TimelineFork* TopologySnapshot::fork_of(std::uint32_t left) const noexcept {
  for (const TimelineFork& fork : forks) {
    if (fork.timeline == left) return &fork;
  }
  return nullptr;
}

Topology::Topology(std::vector<PlaceDescription> places) {
  SY_ASSERT(places.size() <= kMostPlaces);
  state_.health.resize(places.size());
  state_.places = std::make_shared<const std::vector<PlaceDescription>>(std::move(places));
  publish();
}

void Topology::add_place(PlaceDescription place) {
  SY_ASSERT(state_.health.size() < kMostPlaces);
  auto places = std::make_shared<std::vector<PlaceDescription>>(*state_.places);
  places->push_back(std::move(place));
  state_.places = std::move(places);
  state_.health.emplace_back();
  publish();
}

void Topology::publish() {
  ++state_.version;
  snapshot_ = std::make_shared<const TopologySnapshot>(state_);
}

bool Topology::takes_over(std::size_t place, const ProbeAnswer& answer) const noexcept {
  const PlaceDescription& description = (*state_.places)[place];
  if (answer.in_recovery || !description.candidate) return false;
  if (state_.primary == place) return answer.timeline >= state_.timeline;
  const bool known_cluster = state_.system_identifier != 0;
  if (known_cluster && answer.system_identifier != state_.system_identifier) {
    // The place that the configuration calls the primary holds another cluster now, and the old one is gone.
    return description.configured && !state_.primary_answers();
  }
  if (!description.replica) {
    return !state_.primary || answer.timeline > state_.timeline ||
           (answer.timeline == state_.timeline && !state_.primary_answers());
  }
  // Nothing tells a promoted replica from a logical one but its timeline: the first is never that of a new cluster.
  constexpr std::uint32_t kFirstTimeline = 1;
  return answer.timeline > std::max(state_.timeline, kFirstTimeline) && (known_cluster || !answer.subscribes);
}

TopologyChange Topology::answered(std::size_t place, const ProbeAnswer& answer, TimePoint asked, TimePoint now) {
  EndpointHealth& health = state_.health[place];
  const Reach reach_before = health.reach;
  const PlaceRole role_before = health.role;
  const auto primary_before = state_.primary;

  if (takes_over(place, answer)) {
    if (answer.system_identifier != state_.system_identifier) {
      // Positions of another cluster mean nothing here.
      samples_.clear();
      state_.forks.clear();
      state_.system_identifier = answer.system_identifier;
    }
    if (state_.primary && *state_.primary != place) {
      EndpointHealth& former = state_.health[*state_.primary];
      if (former.role == PlaceRole::primary) former.role = PlaceRole::demoted;
    }
    state_.primary = place;
    state_.timeline = answer.timeline;
    health.role = PlaceRole::primary;
  } else if (answer.in_recovery) {
    // Of a standby's cluster only another member can say that it is the wrong one.
    if (state_.system_identifier == 0 && (*state_.places)[place].candidate) {
      state_.system_identifier = answer.system_identifier;
    }
    health.role = answer.system_identifier == state_.system_identifier || state_.system_identifier == 0
                      ? PlaceRole::standby
                      : PlaceRole::unknown;
  } else {
    const bool was_ours = (*state_.places)[place].candidate &&
                          answer.system_identifier == state_.system_identifier && answer.timeline < state_.timeline;
    health.role = was_ours ? PlaceRole::demoted : PlaceRole::logical;
  }

  if (role_before == PlaceRole::standby && health.observed() && health.timeline_exact &&
      answer.timeline > health.timeline && health.system_identifier == answer.system_identifier) {
    note_fork(health.timeline, health.replayed);
  }
  health.reach = Reach::reachable;
  health.late = false;
  health.error.clear();
  health.system_identifier = answer.system_identifier;
  health.timeline = answer.timeline;
  health.timeline_exact = answer.timeline_exact;
  health.written = replayable_position(answer.written, answer.segment_size);
  health.flushed = answer.flushed;
  health.received = answer.received;
  health.replayed = answer.replayed;
  health.streaming = answer.in_recovery && answer.receiver;
  health.synchronous_commit = answer.synchronous_commit;
  health.segment_size = answer.segment_size;
  health.asked = asked;
  health.rtt = now - asked;

  if (health.role == PlaceRole::primary) {
    note_sample(asked, health.flushed, health.timeline);
  } else if (health.role == PlaceRole::standby && !state_.primary_answers()) {
    // Nobody says how far the primary has come: the freshest standby is what the others are compared with.
    note_sample(asked, std::max(health.received, health.replayed), health.timeline);
  }
  health.covers = covered_until(health, answer, asked);
  health.lag_bytes.reset();
  if (health.role == PlaceRole::standby && !samples_.empty()) {
    health.lag_bytes = samples_.back().lsn.bytes_after(health.replayed);
  }
  publish();
  return {.primary = state_.primary != primary_before,
          .failover = primary_before && state_.primary != primary_before,
          .reach = health.reach != reach_before || health.role != role_before};
}

TopologyChange Topology::failed(std::size_t place, std::string error, TimePoint /*now*/) {
  EndpointHealth& health = state_.health[place];
  const bool changed = health.reach != Reach::unreachable;
  health.reach = Reach::unreachable;
  health.late = false;
  health.error = std::move(error);
  publish();
  return {.reach = changed};
}

void Topology::late(std::size_t place) {
  state_.health[place].late = true;
  publish();
}

void Topology::note_sample(TimePoint asked, WalPosition lsn, std::uint32_t timeline) {
  if (!lsn.known()) return;
  if (!samples_.empty()) {
    const Sample& last = samples_.back();
    // The freshest counts; one that knows less, or something older, says nothing new.
    if (asked < last.at || timeline < last.timeline || (timeline == last.timeline && lsn < last.lsn)) return;
  }
  const std::size_t count = samples_.size();
  if (count >= 2 && asked - samples_[count - 2].at < kSampleDistance) {
    samples_.back() = {asked, lsn, timeline};
    return;
  }
  if (count == kMostSamples) samples_.pop_front();
  samples_.push_back({asked, lsn, timeline});
}

TimePoint Topology::covered_until(const EndpointHealth& health, const ProbeAnswer& answer, TimePoint asked) const {
  switch (health.role) {
    case PlaceRole::primary: return kNever;
    case PlaceRole::logical:
      // Written to on its own; what subscriptions say is the best there is.
      return answer.subscribes && answer.subscription_age ? asked - *answer.subscription_age : TimePoint::min();
    case PlaceRole::standby: break;
    case PlaceRole::unknown:
    case PlaceRole::demoted: return TimePoint::min();
  }
  TimePoint covers = TimePoint::min();
  if (answer.replay_age) covers = asked - *answer.replay_age;
  for (auto sample = samples_.rbegin(); sample != samples_.rend() && sample->at > covers; ++sample) {
    if (sample->timeline > health.timeline || sample->lsn > health.replayed) continue;
    covers = sample->at;
    break;
  }
  return covers;
}

void Topology::note_fork(std::uint32_t timeline, WalPosition at) {
  if (!at.known()) return;
  for (TimelineFork& fork : state_.forks) {
    if (fork.timeline != timeline) continue;
    if (!fork.exact) fork.at = std::max(fork.at, at);
    return;
  }
  if (state_.forks.size() == kMostForks) state_.forks.erase(state_.forks.begin());
  state_.forks.push_back({.timeline = timeline, .at = at, .exact = false});
}

void Topology::learn_forks(std::vector<TimelineFork> forks) {
  for (const TimelineFork& fork : forks) {
    std::erase_if(state_.forks, [&](const TimelineFork& known) { return known.timeline == fork.timeline; });
    if (state_.forks.size() < kMostForks) state_.forks.push_back(fork);
  }
  publish();
}

}  // namespace switchyard::inline v0::fleet
