#include <switchyard/fleet/explain_route.hpp>
#include <switchyard/fleet/replica_chooser.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

std::string verdict_on_write(const TopologySnapshot& known, std::size_t place) {
  const EndpointHealth& health = known.health[place];
  if (known.primary == place)
    return known.primary_answers() ? "is the primary" : "is the primary, and does not answer";
  if (health.reach == Reach::unreachable) return std::string(to_string(Verdict::unreachable));
  if (!health.observed()) return std::string(to_string(Verdict::not_observed));
  if (health.role == PlaceRole::demoted) return std::string(to_string(Verdict::demoted));
  return "is a " + std::string(to_string(health.role));
}

std::string verdict_on_read(const TopologySnapshot& known, std::size_t place, const ReadWish& wish, bool serves,
                            const PlaceLoad& load) {
  const Verdict verdict = judge(known, place, wish, load);
  if (verdict == Verdict::not_a_replica) {
    return known.primary == place ? "is the primary, for reads that no replica serves"
                                  : verdict_on_write(known, place);
  }
  if (!serves) return "does not serve '" + std::string(wish.replica) + "', and " + std::string(to_string(verdict));
  return std::string(to_string(verdict));
}

/// The text and the catalogue are looked at in the background: this waits for them.
Task<std::string> explain_lane(Endpoint& endpoint, std::string sql, TimePoint deadline) {
  for (;;) {
    pool::Lane* const lane = endpoint.lane();
    if (lane == nullptr) co_return "leased: nothing is shared there";
    const std::string_view reason = lane->explain(sql, runtime::now());
    if (reason != pool::kBeingLookedAt || runtime::now() >= deadline) co_return std::string(reason);
    co_await sleep(std::chrono::milliseconds(5));
  }
}

}  // namespace

Task<Result<RouteExplanation>> explain_route(Places& places, RouteQuestion question, TimePoint deadline) {
  const DatabaseConfig& config = places.config();
  RequestContext context;
  if (!question.min_lsn.empty()) {
    auto token = parse_causal_position(question.min_lsn);
    if (!token.ok()) co_return token.error();
    token->database = config.name;
    context.tokens.raise(*token);
  }
  co_await places.first_look(deadline);

  RouteExplanation out;
  out.database = config.name;
  // Nobody waits here: what a read would get after its patience.
  const TimePoint now = std::max(runtime::now(), places.touched() + kFirstLook);
  const ChoiceInput input{.context = &context,
                          .access = question.read ? RouteAccess::read : RouteAccess::write,
                          .started = now - *config.replica_wait,
                          .now = now};
  const bool chooses = question.read && places.has_replicas() && places.watched();
  ReplicaChooser reads(places, {.max_lag = question.max_lag, .replica = question.replica});
  PrimaryChooser primary(places, question.read ? PrimaryUse::reads : PrimaryUse::writes,
                         question.read ? "primary, no replica is configured" : "primary");
  Choice choice;
  if (chooses || config.configured()) {
    Chooser& chooser = chooses ? static_cast<Chooser&>(reads) : primary;
    choice = chooser.choose(input);
  } else {
    choice = Choice::refuse(Error(ErrorKind::Config, config.missing_dsn_message));
  }
  out.reason = choice.refusal ? std::string(choice.refusal->message()) : std::string(choice.reason);
  std::optional<std::size_t> chosen;
  if (choice.endpoint != nullptr) {
    out.location = choice.endpoint->location();
    chosen = places.place_of(*choice.endpoint);
    if (!question.sql.empty()) out.lane = co_await explain_lane(*choice.endpoint, question.sql, deadline);
  }

  const TopologySnapshot* const known = places.snapshot();
  if (known == nullptr) {
    if (choice.endpoint != nullptr) {
      out.candidates.push_back({.name = "primary",
                                .location = out.location,
                                .chosen = true,
                                .verdict = "is the only place",
                                .seen = {}});
    }
    co_return out;
  }
  RequestContext fresh;  // the choice above has left its mark on the other one
  fresh.tokens = context.tokens;
  const ReadWish wish = reads.wish(&fresh, now, Duration::zero());
  for (std::size_t place = 0; place < known->health.size(); ++place) {
    const PlaceDescription& description = (*known->places)[place];
    RouteCandidate& candidate = out.candidates.emplace_back();
    candidate.name = description.name;
    candidate.location = description.location;
    candidate.chosen = chosen == place;
    PlaceLoad load;
    if (Endpoint* const endpoint = places.replica_at(place))
      load.available = endpoint->available(RouteAccess::read, now);
    const bool serves = question.replica.empty() || description.serves(question.replica);
    candidate.verdict =
        question.read ? verdict_on_read(*known, place, wish, serves, load) : verdict_on_write(*known, place);
    candidate.seen = places.replication(place);
  }
  co_return out;
}

}  // namespace switchyard::inline v0::fleet
