#include <switchyard/fleet/topology_watch.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

std::vector<PlaceDescription> descriptions(const std::vector<WatchedPlace>& places) {
  std::vector<PlaceDescription> out;
  for (const WatchedPlace& place : places) out.push_back(place.description);
  return out;
}

}  // namespace

TopologyWatch::TopologyWatch(std::string database, std::vector<WatchedPlace> places, ProbeSettings settings,
                             Observer& observer)
    : database_(std::move(database)),
      places_(std::move(places)),
      settings_(settings),
      observer_(observer),
      topology_(descriptions(places_)) {}

TopologyWatch::~TopologyWatch() = default;

void TopologyWatch::start() {
  if (running()) return;
  for (std::size_t i = 0; i < places_.size(); ++i) add_prober(i);
}

void TopologyWatch::add_prober(std::size_t place) {
  std::random_device random;
  const std::uint64_t seed = static_cast<std::uint64_t>(random()) << 32 | random();
  probers_.push_back(std::make_unique<Prober>(place, make_probe_plan(places_[place].connection, settings_),
                                              settings_, seed, static_cast<Prober::Listener&>(*this)));
  probers_.back()->start();
}

void TopologyWatch::add(WatchedPlace place) {
  topology_.add_place(place.description);
  places_.push_back(std::move(place));
  if (running()) add_prober(places_.size() - 1);
}

void TopologyWatch::stop() noexcept { probers_.clear(); }

void TopologyWatch::poke() noexcept {
  for (const auto& prober : probers_) prober->poke();
}

void TopologyWatch::hurry(std::size_t place, TimePoint until) noexcept {
  if (place < probers_.size()) probers_[place]->hurry(until);
}

bool TopologyWatch::seen_all() const noexcept {
  return std::ranges::none_of(topology_.snapshot()->health,
                              [](const EndpointHealth& health) { return health.reach == Reach::unknown; });
}

Task<void> TopologyWatch::first_look(TimePoint deadline) {
  start();
  while (!seen_all() && runtime::now() < deadline) {
    co_await any(sleep_until(deadline),
                 [](runtime::AsyncEvent& seen) -> Task<void> { co_await seen.wait(); }(seen_));
  }
}

void TopologyWatch::on_answer(std::size_t place, const ProbeAnswer& answer, TimePoint asked,
                              TimePoint now) noexcept {
  tell(place, topology_.answered(place, answer, asked, now));
}

void TopologyWatch::on_history(std::size_t place, std::vector<TimelineFork> forks) noexcept {
  if (topology_.snapshot()->primary != place) return;
  topology_.learn_forks(std::move(forks));
  observer_.on_observed({});
}

void TopologyWatch::on_failure(std::size_t place, const Error& error, TimePoint now) noexcept {
  tell(place, topology_.failed(place, std::string(error.message()), now));
}

void TopologyWatch::on_late(std::size_t place) noexcept {
  topology_.late(place);
  observer_.on_observed({});
}

void TopologyWatch::tell(std::size_t place, TopologyChange change) noexcept {
  const TopologySnapshot& snapshot = *topology_.snapshot();
  const bool urgent = !snapshot.primary_answers();
  for (const auto& prober : probers_) prober->set_urgent(urgent);
  const bool configured = (*snapshot.places)[place].configured;
  if (change.failover || (change.primary && !configured)) {
    log::warning("fleet", "primary_changed",
                 [&] {
                   return "[FAILOVER] " + database_ + " primary is " + (*snapshot.places)[place].location +
                          ", timeline " + std::to_string(snapshot.timeline);
                 },
                 {{"database", std::string_view(database_)},
                  {"location", std::string_view((*snapshot.places)[place].location)}});
  } else if (change.reach) {
    const EndpointHealth& health = snapshot.health[place];
    log::info(
        "fleet", "place_changed",
        [&] {
          return database_ + " " + (*snapshot.places)[place].name + ": " +
                 (health.reach == Reach::reachable ? std::string(to_string(health.role))
                                                   : "unreachable: " + health.error);
        },
        {{"database", std::string_view(database_)}, {"place", std::string_view((*snapshot.places)[place].name)}});
  }
  seen_.notify();
  observer_.on_observed(change);
}

}  // namespace switchyard::inline v0::fleet
