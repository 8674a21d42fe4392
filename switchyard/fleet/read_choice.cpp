#include <switchyard/fleet/read_choice.hpp>

#include <algorithm>

namespace switchyard::inline v0::fleet {
namespace {

/// Places whose round trips differ by less are equally near.
constexpr Duration kSameDistance = std::chrono::microseconds(500);

bool has_bit(std::uint64_t bits, std::size_t place) noexcept { return (bits >> place & 1) != 0; }

/// Does a place that stands here show what the token asks for?
Verdict judge_token(const TopologySnapshot& snapshot, const EndpointHealth& health,
                    const CausalToken& token) noexcept {
  if (!token.lsn.known()) return Verdict::fits;
  if (token.system_identifier != 0 && token.system_identifier != health.system_identifier) {
    return Verdict::token_unreachable;
  }
  const bool replayed = health.replayed >= token.lsn;
  if (token.timeline == 0 || token.timeline == health.timeline)
    return replayed ? Verdict::fits : Verdict::behind_token;
  if (token.timeline > health.timeline) return Verdict::behind_token;
  // Written on a timeline that this place has left: it is there if it lies before the place where it left.
  const TimelineFork* const fork = snapshot.fork_of(token.timeline);
  if (fork == nullptr || token.lsn > fork->at) return Verdict::token_unreachable;
  return replayed ? Verdict::fits : Verdict::behind_token;
}

/// Has the place replayed whatever the former place of this request can have shown?
bool shows_as_much(const TopologySnapshot& snapshot, const EndpointHealth& health,
                   const StickyRead& sticky) noexcept {
  if (health.role != PlaceRole::standby || sticky.place >= snapshot.health.size()) return false;
  const EndpointHealth& former = snapshot.health[sticky.place];
  const auto covers = [&](const EndpointHealth& bound, WalPosition shown) {
    return bound.asked >= sticky.used && bound.timeline <= health.timeline && health.replayed >= shown;
  };
  if (former.role == PlaceRole::standby && covers(former, former.replayed)) return true;
  // What any place of the cluster can have shown, the primary had written.
  if (!snapshot.primary_answers()) return false;
  const EndpointHealth& primary = snapshot.health[*snapshot.primary];
  return covers(primary, replayable_position(primary.written, primary.segment_size));
}

/// It may do within moments what it does not do now.
bool passing(Verdict verdict) noexcept {
  return verdict == Verdict::not_observed || verdict == Verdict::behind_token || verdict == Verdict::behind_former;
}

/// How close a place came: what it lacks is told for the one that lacks least.
int closeness(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::fits: return 6;
    case Verdict::behind_token:
    case Verdict::behind_former: return 5;
    case Verdict::lag:
    case Verdict::lag_bytes:
    case Verdict::lag_unknown: return 4;
    case Verdict::unavailable:
    case Verdict::failed:
    case Verdict::late: return 3;
    case Verdict::not_observed: return 2;
    default: return 1;
  }
}

/// What distinguishes places that all fit; smaller is better.
struct Merit {
  bool primary;  ///< a promoted one: it has the writes to do
  bool foreign_region;
  std::int64_t distance;  ///< in steps of kSameDistance
  std::uint32_t outstanding;
  std::size_t turn;  ///< position in this round
  friend auto operator<=>(const Merit&, const Merit&) = default;
};

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::fits: return "fits";
    case Verdict::not_a_replica: return "is not a replica";
    case Verdict::not_observed: return "has not been observed yet";
    case Verdict::unreachable: return "is unreachable";
    case Verdict::late: return "does not answer in time";
    case Verdict::unavailable: return "is behind an open breaker";
    case Verdict::failed: return "has just failed this read";
    case Verdict::demoted: return "is a demoted primary";
    case Verdict::other_cluster: return "belongs to another cluster";
    case Verdict::diverged: return "follows an abandoned timeline";
    case Verdict::lag: return "lags by more than max_lag";
    case Verdict::lag_unknown: return "does not tell how far it lags";
    case Verdict::lag_bytes: return "lags by more than max_lag_bytes";
    case Verdict::behind_token: return "has not replayed what this request wrote";
    case Verdict::token_unreachable: return "can't show what this request wrote";
    case Verdict::behind_former: return "may show less than this request has read";
  }
  return "fits";
}

Verdict judge(const TopologySnapshot& snapshot, std::size_t place, const ReadWish& wish,
              const PlaceLoad& load) noexcept {
  const PlaceDescription& description = (*snapshot.places)[place];
  const EndpointHealth& health = snapshot.health[place];
  if (!description.replica) return Verdict::not_a_replica;
  if (has_bit(wish.avoid, place)) return Verdict::failed;
  if (!load.available) return Verdict::unavailable;
  if (health.reach == Reach::unreachable) return Verdict::unreachable;
  if (!health.observed()) return Verdict::not_observed;
  if (health.role == PlaceRole::demoted) return Verdict::demoted;
  if (health.role == PlaceRole::unknown) return Verdict::other_cluster;
  if (health.late) return Verdict::late;
  // Promoted: it shows everything there is.
  if (health.role == PlaceRole::primary) return Verdict::fits;

  const bool logical = health.role == PlaceRole::logical;
  if (!logical && health.timeline < snapshot.timeline) {
    const TimelineFork* const fork = snapshot.fork_of(health.timeline);
    if (fork == nullptr || health.replayed > fork->at) return Verdict::diverged;
  }
  const Duration limit =
      !wish.strict && description.max_lag > Duration::zero() ? description.max_lag : wish.max_lag;
  if (const auto age = health.staleness(wish.now)) {
    if (*age > limit) return Verdict::lag;
  } else if (!logical || wish.strict) {
    return Verdict::lag_unknown;
  }
  if (wish.max_lag_bytes != 0 && health.lag_bytes && *health.lag_bytes > wish.max_lag_bytes)
    return Verdict::lag_bytes;
  if (wish.token != nullptr) {
    if (wish.token->primary_only) return Verdict::token_unreachable;
    if (logical && wish.token->token.lsn.known()) return Verdict::token_unreachable;
    if (const Verdict verdict = judge_token(snapshot, health, wish.token->token); verdict != Verdict::fits) {
      return verdict;
    }
  }
  if (wish.sticky != nullptr && wish.sticky->place != place && !shows_as_much(snapshot, health, *wish.sticky)) {
    return Verdict::behind_former;
  }
  return Verdict::fits;
}

ReadChoice choose_read(const TopologySnapshot& snapshot, const ReadWish& wish,
                       std::span<const PlaceLoad> loads) noexcept {
  const std::vector<PlaceDescription>& places = *snapshot.places;
  if (wish.token != nullptr && wish.token->primary_only) {
    return {.kind = ReadChoice::Kind::primary, .why = ReadChoice::Why::token};
  }
  const auto wanted = [&](std::size_t place) { return wish.replica.empty() || places[place].serves(wish.replica); };
  if (wish.sticky != nullptr && wish.sticky->place < places.size() && wanted(wish.sticky->place) &&
      judge(snapshot, wish.sticky->place, wish, loads[wish.sticky->place]) == Verdict::fits) {
    return {.kind = ReadChoice::Kind::replica, .why = ReadChoice::Why::again, .place = wish.sticky->place};
  }

  Duration shortest = Duration::max();
  std::optional<Merit> best_wanted;
  std::optional<Merit> best_other;
  std::size_t wanted_place = 0;
  std::size_t other_place = 0;
  std::optional<std::size_t> hopeful;
  ReadChoice to_primary;
  bool replicas = false;
  for (std::size_t place = 0; place < places.size(); ++place) {
    const EndpointHealth& health = snapshot.health[place];
    if (places[place].replica && health.observed()) shortest = std::min(shortest, health.rtt);
  }
  for (std::size_t place = 0; place < places.size(); ++place) {
    if (!places[place].replica) continue;
    replicas = true;
    const EndpointHealth& health = snapshot.health[place];
    const Verdict verdict = judge(snapshot, place, wish, loads[place]);
    if (wanted(place) &&
        (to_primary.obstacle == Verdict::fits || closeness(verdict) > closeness(to_primary.obstacle))) {
      to_primary.obstacle = verdict;
    }
    if (verdict != Verdict::fits) {
      if (wanted(place) && passing(verdict) && !health.late) hopeful = place;
      continue;
    }
    const Merit merit{.primary = health.role == PlaceRole::primary,
                      .foreign_region = !wish.region.empty() && places[place].region != wish.region,
                      .distance = (health.rtt - shortest) / kSameDistance,
                      .outstanding = loads[place].outstanding,
                      .turn = (place + wish.turn) % places.size()};
    auto& best = wanted(place) ? best_wanted : best_other;
    if (best && *best < merit) continue;
    best = merit;
    (wanted(place) ? wanted_place : other_place) = place;
  }
  if (best_wanted) {
    return {.kind = ReadChoice::Kind::replica, .why = ReadChoice::Why::nearest, .place = wanted_place};
  }
  if (hopeful && wish.may_wait > Duration::zero()) {
    return {.kind = ReadChoice::Kind::wait,
            .why = ReadChoice::Why::waits,
            .place = *hopeful,
            .obstacle = to_primary.obstacle};
  }
  if (best_other) {
    return {.kind = ReadChoice::Kind::replica,
            .why = ReadChoice::Why::other_purpose,
            .place = other_place,
            .obstacle = to_primary.obstacle};
  }
  to_primary.why = replicas ? ReadChoice::Why::none_fits : ReadChoice::Why::no_replica;
  return to_primary;
}

}  // namespace switchyard::inline v0::fleet
