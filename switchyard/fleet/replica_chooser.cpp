#include <switchyard/fleet/position_query.hpp>
#include <switchyard/fleet/replica_chooser.hpp>
#include <switchyard/fleet/request_context.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// A waiting operation asks again after this long though nothing was seen.
constexpr Duration kAskAgain = std::chrono::milliseconds(100);

constexpr std::string_view kReadOnlyTransaction = "25006";

constexpr std::string_view kWaitsForPosition = "waits to learn how far this request wrote";
constexpr std::string_view kPositionUnknown =
    "primary: this request wrote, and how far was not to be learnt in time";

/// Does the error say that a server, or the way to it, has changed?
bool is_trouble(const Error& error) noexcept {
  if (!error.session_alive() || error.sqlstate() == kReadOnlyTransaction) return true;
  return error.kind() == ErrorKind::Unavailable || error.kind() == ErrorKind::InDoubt;
}

bool seen_every_candidate(const TopologySnapshot& snapshot) noexcept {
  for (std::size_t i = 0; i < snapshot.health.size(); ++i) {
    if ((*snapshot.places)[i].candidate && snapshot.health[i].reach == Reach::unknown) return false;
  }
  return true;
}

/// Is there somebody who could be promoted?
bool may_be_replaced(const TopologySnapshot& snapshot) noexcept {
  for (std::size_t i = 0; i < snapshot.health.size(); ++i) {
    if (i != *snapshot.primary && (*snapshot.places)[i].candidate && snapshot.health[i].reach == Reach::reachable) {
      return true;
    }
  }
  return false;
}

/// Raises the request's token by the answer that came with a write, or notes that there is none.
void note_write(Places& places, const ChoiceEnd& end) {
  if (end.context == nullptr || end.access != RouteAccess::write) return;
  const session::OperationState& operation = end.operation;
  const std::string& database = end.endpoint.settings().database;
  if (auto token = decode_position(operation.follow_up_answer)) {
    if (token->system_identifier != 0) end.endpoint.system_identifier = token->system_identifier;
    token->system_identifier = end.endpoint.system_identifier;
    token->database = database;
    const TopologySnapshot* const known = places.snapshot();
    const auto place = places.place_of(end.endpoint);
    const std::uint64_t segment = known != nullptr && place ? known->health[*place].segment_size : 0;
    token->lsn = replayable_position(token->lsn, segment);
    end.context->tokens.raise(*token);
    return;
  }
  // Inside a transaction the COMMIT decides. A refusal by a healthy session has written nothing.
  if (operation.in_transaction || operation.granted == TimePoint{}) return;
  const Error* const error = operation.error() ? &*operation.error() : nullptr;
  const bool may_have_written = error == nullptr ? !operation.undecided || operation.affected > 0
                                                 : error->kind() == ErrorKind::InDoubt || !error->session_alive();
  if (may_have_written) end.context->tokens.lost(database);
}

}  // namespace

// ---- PrimaryChooser ----

PrimaryChooser::PrimaryChooser(Places& places, PrimaryUse use, std::string reason)
    : places_(places),
      use_(use),
      reason_(std::move(reason)),
      waits_for_look_("waits for the first look at the places of " + places.config().name),
      waits_for_primary_(places.config().name + " has no primary, waits for one to be promoted") {}

Choice PrimaryChooser::choose(const ChoiceInput& input) noexcept {
  places_.touch();
  std::string_view reason = reason_;
  if (const TopologySnapshot* const known = places_.snapshot()) {
    if (!known->primary || !seen_every_candidate(*known)) {
      const bool several_hosts = places_.config().primary.connection.hosts.size() > 1;
      const bool knows_little = !known->primary && (several_hosts || places_.follows_patroni());
      const TimePoint until = places_.touched() + (knows_little ? kFirstLook : kFirstWriteLook);
      const bool looks = !seen_every_candidate(*known) || (!known->primary && places_.expects_members());
      if (input.now < until && looks) return Choice::later(until - input.now, waits_for_look_);
      if (!known->primary_answers() && places_.awaits_leader() &&
          input.now < places_.touched() + *places_.config().failover_wait) {
        return Choice::later(kAskAgain, waits_for_primary_);
      }
    } else if (!known->primary_answers() && may_be_replaced(*known) &&
               input.now < known->health[*known->primary].asked + *places_.config().failover_wait) {
      return Choice::later(kAskAgain, waits_for_primary_);
    }
    if (known->primary && (*known->places)[*known->primary].replica) {
      std::string& text = elsewhere_[*known->primary];
      if (text.empty())
        text = reason_ + ", at the place of replica '" + (*known->places)[*known->primary].name + "'";
      reason = text;
    }
  }
  return Choice::go(endpoint(), reason);
}

Endpoint& PrimaryChooser::endpoint() const noexcept {
  switch (use_) {
    case PrimaryUse::autocommit: return *places_.primary();
    case PrimaryUse::writes: return *places_.writer();
    case PrimaryUse::reads: return *places_.reader();
  }
  return *places_.primary();
}

void PrimaryChooser::ended(const ChoiceEnd& end) noexcept {
  note_write(places_, end);
  if (end.operation.error() && is_trouble(*end.operation.error())) places_.poke();
}

// ---- ReplicaChooser ----

ReplicaChooser::ReplicaChooser(Places& places, ReadLimits limits) : places_(places), limits_(std::move(limits)) {}

bool ReplicaChooser::place_writes(RequestContext& context) noexcept {
  const DatabaseConfig& config = places_.config();
  const std::optional<TimePoint> wrote = context.unplaced(config.name);
  if (!wrote) return true;
  const TopologySnapshot& known = *places_.snapshot();
  if (!known.primary_answers()) return false;
  const EndpointHealth& primary = known.health[*known.primary];
  if (primary.asked <= *wrote) return false;
  context.tokens.raise({.database = config.name,
                        .system_identifier = primary.system_identifier,
                        .timeline = primary.timeline,
                        .lsn = replayable_position(primary.written, primary.segment_size)});
  context.placed(config.name);
  return true;
}

ReadWish ReplicaChooser::wish(const RequestContext* context, TimePoint now, Duration may_wait) const noexcept {
  const DatabaseConfig& config = places_.config();
  ReadWish out;
  out.max_lag = limits_.max_lag.value_or(*config.max_lag);
  out.strict = limits_.max_lag.has_value();
  out.max_lag_bytes = *config.max_lag_bytes;
  out.replica = limits_.replica;
  out.region = places_.region();
  if (context != nullptr) {
    out.token = context->tokens.find(config.name);
    out.sticky = context->sticky(config.name);
  }
  out.may_wait = std::max(may_wait, Duration::zero());
  out.now = now;
  out.turn = turn_;
  return out;
}

Choice ReplicaChooser::choose(const ChoiceInput& input) noexcept {
  places_.touch();
  const TopologySnapshot& known = *places_.snapshot();
  const DatabaseConfig& config = places_.config();
  // Patience for a token counts from the read's start, that for the first look from the watch's.
  const TimePoint until = std::max(input.started + *config.replica_wait, places_.touched() + kFirstLook);
  ReadWish asked = wish(input.context, input.now, until - input.now);
  if (input.now >= places_.touched() + kFirstLook) {
    asked.may_wait = std::max(input.started + *config.replica_wait - input.now, Duration::zero());
  }
  ++turn_;
  if (input.context != nullptr && !place_writes(*input.context)) {
    if (asked.may_wait > Duration::zero()) {
      // One look that begins now is enough: of the primary, and of those who may show it by then.
      for (std::size_t place = 0; place < known.health.size(); ++place) places_.hurry(place, input.now);
      return Choice::later(asked.may_wait, kWaitsForPosition);
    }
    if (Endpoint* const reader = places_.reader()) {
      if (known.primary) input.context->note_read(config.name, *known.primary, input.now);
      return Choice::go(*reader, kPositionUnknown);
    }
  }
  // With the tokens as they are now.
  asked.token = input.context != nullptr ? input.context->tokens.find(config.name) : nullptr;
  std::array<PlaceLoad, kMostPlaces> loads{};
  for (std::size_t place = 0; place < known.health.size(); ++place) {
    Endpoint* const endpoint = places_.replica_at(place);
    if (endpoint == nullptr) continue;
    loads[place].outstanding = endpoint->outstanding();
    // After a round over all of them it is the primary's turn.
    loads[place].available = endpoint->available(RouteAccess::read, input.now);
    if (endpoint == input.failed || input.attempt >= known.health.size()) asked.avoid |= 1ULL << place;
  }
  const ReadChoice choice = choose_read(known, asked, std::span<const PlaceLoad>(loads).first(known.health.size()));
  switch (choice.kind) {
    case ReadChoice::Kind::wait:
      places_.hurry(choice.place, input.now + asked.may_wait);
      // What the former place can have shown is known when the primary has been looked at once more.
      if (choice.obstacle == Verdict::behind_former && known.primary) places_.hurry(*known.primary, input.now);
      return Choice::later(asked.may_wait, reason(choice));
    case ReadChoice::Kind::replica: {
      if (input.context != nullptr) input.context->note_read(config.name, choice.place, input.now);
      Choice out = Choice::go(*places_.replica_at(choice.place), reason(choice));
      out.has_alternative = places_.reader() != nullptr || input.attempt + 1 < known.health.size();
      return out;
    }
    case ReadChoice::Kind::primary: break;
  }
  Endpoint* const reader = places_.reader();
  if (reader == nullptr) {
    return Choice::refuse(
        Error(ErrorKind::Unavailable, std::string(reason(choice)) + ", and no primary is configured")
            .with_database(config.name));
  }
  if (input.context != nullptr && known.primary) input.context->note_read(config.name, *known.primary, input.now);
  return Choice::go(*reader, reason(choice));
}

void ReplicaChooser::ended(const ChoiceEnd& end) noexcept {
  if (end.context != nullptr) {
    if (const auto place = places_.place_of(end.endpoint)) {
      end.context->note_read(places_.config().name, *place, end.now);
    }
  }
  if (end.operation.error() && is_trouble(*end.operation.error())) places_.poke();
}

void ReplicaChooser::relayed(const RelayEnd& end) noexcept {
  if (end.context != nullptr) {
    if (const auto place = places_.place_of(end.endpoint)) {
      end.context->note_read(places_.config().name, *place, end.now);
    }
  }
}

void ReplicaChooser::relay_lost() noexcept { places_.poke(); }

std::string_view ReplicaChooser::reason(const ReadChoice& choice) {
  const auto key = static_cast<std::uint32_t>(choice.kind) << 24 | static_cast<std::uint32_t>(choice.why) << 16 |
                   static_cast<std::uint32_t>(choice.obstacle) << 8 | static_cast<std::uint32_t>(choice.place);
  std::string& text = reasons_[key];
  if (text.empty()) text = describe(choice, *places_.snapshot(), limits_.replica);
  return text;
}

std::string describe(const ReadChoice& choice, const TopologySnapshot& snapshot, std::string_view wanted) {
  using Why = ReadChoice::Why;
  const std::string& name = (*snapshot.places)[choice.place].name;
  const std::string asked_for = wanted.empty() ? std::string() : " for '" + std::string(wanted) + "'";
  const std::string obstacle(to_string(choice.obstacle));
  switch (choice.why) {
    case Why::nearest: return "replica '" + name + "'";
    case Why::again: return "replica '" + name + "', where this request has read before";
    case Why::other_purpose: return "replica '" + name + "'" + asked_for + ", which " + obstacle;
    case Why::token: return "primary: this request wrote, and how far is not known";
    case Why::no_replica: return "primary, no replica is configured";
    case Why::none_fits: return "primary: no replica" + asked_for + " serves, the closest " + obstacle;
    case Why::waits: return "waits for replica '" + name + "', which " + obstacle;
  }
  return "primary";
}

}  // namespace switchyard::inline v0::fleet
