#include <switchyard/gateway/session_shares.hpp>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

std::uint32_t of(const std::map<std::string, std::uint32_t, std::less<>>& counts, std::string_view name) noexcept {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

std::uint32_t missing(std::uint32_t has, std::uint32_t least) noexcept { return least - std::min(least, has); }

}  // namespace

bool SessionShares::Limits::any() const noexcept {
  const auto bounded = [](const auto& named) { return named.second.most != 0 || named.second.least != 0; };
  return most != 0 || user.most != 0 || user.least != 0 || std::ranges::any_of(users, bounded) ||
         std::ranges::any_of(databases, bounded);
}

SessionShares::Limits SessionShares::limits_of(const GatewayConfig& config) {
  Limits limits{.most = *config.max_sessions,
                .user = {.least = *config.user_min_sessions, .most = *config.user_max_sessions},
                .users = {},
                .databases = {}};
  for (const auto& [name, user] : config.users) {
    Bounds bounds = limits.user;
    if (*user.max_sessions != 0) bounds.most = *user.max_sessions;
    if (*user.min_sessions != 0) bounds.least = *user.min_sessions;
    limits.users.emplace(name, bounds);
  }
  for (const auto& [name, database] : config.databases) {
    limits.databases.emplace(name, Bounds{.least = *database.min_sessions, .most = *database.max_sessions});
  }
  return limits;
}

void SessionShares::set_limits(Limits limits) {
  const std::scoped_lock lock(mutex_);
  limits_ = std::move(limits);
  active_.store(limits_.any(), std::memory_order_relaxed);
  grant();
}

std::shared_ptr<SessionShares::Claim> SessionShares::open(std::string user, std::string database,
                                                          std::function<void()> wake) {
  auto claim = std::make_shared<Claim>();
  claim->user_ = std::move(user);
  claim->database_ = std::move(database);
  claim->wake_ = std::move(wake);
  const std::scoped_lock lock(mutex_);
  claims_.push_back(claim);
  return claim;
}

void SessionShares::close(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (!std::exchange(claim.open_, false)) return;
  while (claim.used_ != 0) uncount(claim);
  claim.wanted_ = claim.granted_ = 0;
  std::erase_if(claims_, [&](const std::shared_ptr<Claim>& one) { return one.get() == &claim; });
  grant();
}

bool SessionShares::try_take(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (claim.wanted_ != 0 || !may_take(claim)) return false;
  count(claim);
  return true;
}

bool SessionShares::wait(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (claim.wanted_++ == 0) claim.since_ = ++clock_;
  const std::uint32_t before = claim.granted_;
  if (may_take(claim)) {
    count(claim);
    ++claim.granted_;
    --claim.wanted_;
  }
  return claim.granted_ != before;
}

void SessionShares::withdraw(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (claim.wanted_ != 0) {
    --claim.wanted_;
  } else if (claim.granted_ != 0) {
    --claim.granted_;
    uncount(claim);
    grant();
  }
}

bool SessionShares::take_granted(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (claim.granted_ == 0) return false;
  --claim.granted_;
  return true;
}

bool SessionShares::give_back(Claim& claim) {
  const std::scoped_lock lock(mutex_);
  if (!claim.open_ || claim.used_ == 0) return false;
  uncount(claim);
  return grant(&claim);
}

std::uint32_t SessionShares::granted(const Claim& claim) const {
  const std::scoped_lock lock(mutex_);
  return claim.granted_;
}

std::uint32_t SessionShares::used(std::string_view user) const {
  const std::scoped_lock lock(mutex_);
  return of(users_, user);
}

SessionShares::Bounds SessionShares::user_bounds(std::string_view user) const noexcept {
  const auto found = limits_.users.find(user);
  return found == limits_.users.end() ? limits_.user : found->second;
}

SessionShares::Bounds SessionShares::database_bounds(std::string_view database) const noexcept {
  const auto found = limits_.databases.find(database);
  return found == limits_.databases.end() ? Bounds() : found->second;
}

bool SessionShares::below_minimum(const Claim& claim) const {
  return of(users_, claim.user_) < user_bounds(claim.user_).least ||
         of(databases_, claim.database_) < database_bounds(claim.database_).least;
}

bool SessionShares::may_take(const Claim& claim) const {
  const Bounds user = user_bounds(claim.user_);
  const Bounds database = database_bounds(claim.database_);
  const std::uint32_t of_database = of(databases_, claim.database_);
  if (user.most != 0 && of(users_, claim.user_) >= user.most) return false;
  if (database.most != 0 && of_database >= database.most) return false;
  if (limits_.most != 0 && all_ >= limits_.most) return false;
  const bool guaranteed = below_minimum(claim);
  if (guaranteed || (limits_.most == 0 && database.most == 0)) return true;
  // What others may still ask for is not his.
  std::uint32_t kept = 0;              // of all
  std::uint32_t kept_in_database = 0;  // of this database
  std::set<std::string_view> users, databases;
  for (const std::shared_ptr<Claim>& other : claims_) {
    const bool here = other->database_ == claim.database_;
    if (other->user_ != claim.user_ && users.insert(other->user_).second) {
      kept += missing(of(users_, other->user_), user_bounds(other->user_).least);
    }
    if (!here && databases.insert(other->database_).second) {
      kept += missing(of(databases_, other->database_), database_bounds(other->database_).least);
    }
  }
  if (database.most != 0) {
    users.clear();
    for (const std::shared_ptr<Claim>& other : claims_) {
      if (other->database_ != claim.database_ || other->user_ == claim.user_) continue;
      if (!users.insert(other->user_).second) continue;
      kept_in_database += missing(of(users_, other->user_), user_bounds(other->user_).least);
    }
  }
  return (limits_.most == 0 || all_ + kept < limits_.most) &&
         (database.most == 0 || of_database + kept_in_database < database.most);
}

void SessionShares::count(Claim& claim) {
  ++claim.used_;
  ++users_[claim.user_];
  ++databases_[claim.database_];
  ++all_;
}

void SessionShares::uncount(Claim& claim) {
  --claim.used_;
  --all_;
  if (const auto user = users_.find(claim.user_); --user->second == 0) users_.erase(user);
  if (const auto database = databases_.find(claim.database_); --database->second == 0) databases_.erase(database);
}

bool SessionShares::grant(const Claim* giver) {
  for (bool others = false;;) {
    Claim* next = nullptr;
    const auto rank = [&](const Claim& claim) {
      return std::tuple(below_minimum(claim) ? 0 : 1, of(users_, claim.user_), claim.since_);
    };
    for (const std::shared_ptr<Claim>& claim : claims_) {
      if (claim->wanted_ == 0 || !may_take(*claim)) continue;
      if (next == nullptr || rank(*claim) < rank(*next)) next = claim.get();
    }
    if (next == nullptr) return others;
    others = others || next != giver;
    count(*next);
    ++next->granted_;
    if (--next->wanted_ != 0) next->since_ = ++clock_;
    next->wake_();
  }
}

}  // namespace switchyard::inline v0::gateway
