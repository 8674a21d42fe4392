#include <switchyard/fleet/lane_set.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

void add(pool::LaneStats& to, const pool::LaneStats& more) {
  to.sessions += more.sessions;
  to.outstanding += more.outstanding;
  to.queued += more.queued;
  to.statements += more.statements;
  to.syncs += more.syncs;
  to.twins += more.twins;
  to.reissued += more.reissued;
  to.cancels += more.cancels;
  to.canaries += more.canaries;
  to.alarms += more.alarms;
  for (std::size_t i = 0; i < to.exits.size(); ++i) to.exits[i] += more.exits[i];
  for (const pool::LaneStats::Refusal& refusal : more.refusals) {
    const auto known = std::ranges::find(to.refusals, refusal.why, &pool::LaneStats::Refusal::why);
    if (known != to.refusals.end()) {
      known->count += refusal.count;
    } else {
      to.refusals.push_back(refusal);
    }
  }
}

}  // namespace

LaneSet::LaneSet(const pool::LaneSettings& settings, pool::Pool& pool, pool::LaneGuard& guard,
                 pool::LaneObserver* observer)
    : settings_(settings),
      pool_(pool),
      guard_(guard),
      observer_(observer),
      plain_(std::make_unique<pool::Lane>(settings, pool, guard, observer)) {}

LaneSet::Keyed* LaneSet::find_keyed(std::string_view setup) noexcept {
  const auto found = std::ranges::find(keyed_, setup, &Keyed::setup);
  return found == keyed_.end() ? nullptr : &*found;
}

pool::Lane* LaneSet::find(std::string_view setup) noexcept {
  if (setup.empty()) return plain_.get();
  Keyed* const known = find_keyed(setup);
  return known != nullptr ? known->lane.get() : nullptr;
}

pool::Lane* LaneSet::of(const LaneKey& key, TimePoint now) {
  if (key.setup.empty()) return plain_.get();
  if (Keyed* const known = find_keyed(key.setup)) {
    known->used = now;
    return known->lane.get();
  }
  if (key.callers < kEarnsFrom) return nullptr;
  pool::LaneSettings settings = settings_;
  settings.setup_sql = key.setup;
  settings.limits.sessions = std::min(settings.limits.sessions, kKeyedSessions);
  if (keyed_.size() == kMostKeyed) {
    const auto idle = std::ranges::find_if(
        keyed_, [&](const Keyed& one) { return now - one.used >= kKeyedKept && one.lane->load().sessions == 0; });
    if (idle == keyed_.end()) return nullptr;
    pool::LaneStats stats = idle->lane->stats();
    add(gone_, stats);
    keyed_.erase(idle);
  }
  keyed_.reserve(kMostKeyed);
  keyed_.push_back({std::string(key.setup), now, std::make_unique<pool::Lane>(settings, pool_, guard_, observer_)});
  return keyed_.back().lane.get();
}

void LaneSet::retire() noexcept {
  plain_->retire();
  for (Keyed& one : keyed_) one.lane->retire();
}

pool::Lane::Load LaneSet::load() const noexcept {
  pool::Lane::Load all = plain_->load();
  for (const Keyed& one : keyed_) {
    const pool::Lane::Load load = one.lane->load();
    all.sessions += load.sessions;
    all.statements += load.statements;
  }
  return all;
}

pool::LaneStats LaneSet::stats() const {
  pool::LaneStats all = plain_->stats();
  add(all, gone_);
  for (const Keyed& one : keyed_) add(all, one.lane->stats());
  return all;
}

}  // namespace switchyard::inline v0::fleet
