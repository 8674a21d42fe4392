#include <switchyard/fleet/budget_ledger.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace switchyard::inline v0::fleet {
namespace {

/// Below this a server is too small to keep a connection free for newcomers.
constexpr std::int32_t kSmallServer = 20;
/// Where several machines use a server, the larger ones leave this part of it free.
constexpr std::int32_t kFreePart = 16;
/// Sessions that nobody waits for are opened while at least this part of the server is free.
constexpr std::int32_t kReservePart = 4;
/// A look is made often when less than this part of the server is free.
constexpr std::int32_t kTightPart = 4;

constexpr std::int32_t kPlenty = std::numeric_limits<std::int32_t>::max();

/// FNV-1a; 0 means "nothing".
std::uint64_t key_of(std::string_view text, std::uint64_t seed = 0) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ seed;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3ULL;
  }
  return hash == 0 ? 1 : hash;
}

void write_name(std::array<char, kBudgetNameSize>& to, std::string_view text) noexcept {
  const std::size_t size = std::min(text.size(), to.size() - 1);
  std::memcpy(to.data(), text.data(), size);
  to[size] = '\0';
}

std::string_view name_of(const BudgetGroup& group) noexcept {
  return {group.name.data(), strnlen(group.name.data(), group.name.size())};
}

constexpr std::size_t at(BudgetKind kind) noexcept { return static_cast<std::size_t>(kind); }

/// Who comes first of two that wait.
bool before(const BudgetAccount& one, const BudgetAccount& other) noexcept {
  if (one.claimed != other.claimed) return one.claimed < other.claimed;
  return one.wanting_since < other.wanting_since;
}

std::string counted(std::int64_t count, const char* one, const char* many) {
  return std::to_string(count) + (count == 1 ? one : many);
}

}  // namespace

// ---- accounts ------------------------------------------------------------------------------------------------

BudgetIndex BudgetLedger::open_account(const BudgetApplicant& applicant, BudgetTime now) noexcept {
  const auto free = std::ranges::find(table_.accounts, 0U, &BudgetAccount::used);
  if (free == table_.accounts.end()) return kNoBudgetIndex;
  const auto index = static_cast<BudgetIndex>(free - table_.accounts.begin());
  table_.accounts_used = std::max(table_.accounts_used, std::uint32_t{index} + 1);
  BudgetAccount& account = *free;
  account = BudgetAccount{};
  account.used = 1;
  account.process = applicant.process;
  account.role = key_of(applicant.role);
  account.database = key_of(applicant.database);
  account.address = find_address(key_of(applicant.address), now);
  const std::uint64_t fleet = key_of(applicant.fleet);
  if (applicant.fleet_limit >= 0) {
    const BudgetIndex group = make_group(fleet, BudgetKind::fleet, "fleet", now);
    account.groups[at(BudgetKind::fleet)] = group;
    if (valid_group(group)) table_.groups[group].limit = applicant.fleet_limit;
  }
  // The presence is known by the fleet's key until the server is known.
  if (account.address != kNoBudgetIndex) settle_at(table_.addresses[account.address].server, account, now);
  return index;
}

void BudgetLedger::close_account(BudgetIndex index, BudgetTime now) noexcept {
  table_.accounts[index] = BudgetAccount{};
  while (table_.accounts_used > 0 && table_.accounts[table_.accounts_used - 1].used == 0) --table_.accounts_used;
  something_changed(now);
}

void BudgetLedger::bury(BudgetIndex process, BudgetTime now) noexcept {
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    BudgetAccount& account = table_.accounts[i];
    if (account.used == 0 || account.process != process) continue;
    for (const BudgetIndex group : account.groups) {
      if (!valid_group(group) || account.claimed == 0) continue;
      table_.groups[group].ghosts += account.claimed;
      table_.groups[group].ghosts_until = now + kGhostPatience.count();
    }
    if (account.connecting > 0 && account.address < kMaxBudgetAddresses) {
      table_.addresses[account.address].contact_since = 0;
    }
    account = BudgetAccount{};
  }
  while (table_.accounts_used > 0 && table_.accounts[table_.accounts_used - 1].used == 0) --table_.accounts_used;
  something_changed(now);
}

BudgetVerdict BudgetLedger::claim(BudgetIndex index, pool::PermitPurpose purpose, BudgetTime now) noexcept {
  Tally counts;
  tally(counts, now);
  const BudgetVerdict verdict = judge(index, purpose, counts, now);
  if (verdict != BudgetVerdict::granted) return verdict;
  BudgetAccount& account = table_.accounts[index];
  ++account.claimed;
  account.held_since = now;
  account.wanting_since = now;  // behind its equals for the next one
  if (!valid_group(account.groups[at(BudgetKind::server)]) && account.address < kMaxBudgetAddresses) {
    table_.addresses[account.address].contact_since = now;
  }
  return verdict;
}

BudgetVerdict BudgetLedger::judge(BudgetIndex index, pool::PermitPurpose purpose, const Tally& counts,
                                  BudgetTime now) const noexcept {
  const BudgetAccount& account = table_.accounts[index];
  if (!valid_group(account.groups[at(BudgetKind::server)]) && account.address < kMaxBudgetAddresses) {
    const BudgetAddress& address = table_.addresses[account.address];
    const bool under_way = address.contact_since != 0 && now - address.contact_since < kContactPatience.count();
    if (under_way && now >= address.failed_until) return BudgetVerdict::contact;
  }
  if (!has_room(account, counts)) return BudgetVerdict::full;
  for (const BudgetIndex group : account.groups) {
    if (!valid_group(group) || counts.free[group] == kPlenty) continue;
    std::int32_t ahead = 0;
    for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
      const BudgetAccount& other = table_.accounts[i];
      if (i == index || other.used == 0 || other.wanting == 0) continue;
      if (std::ranges::find(other.groups, group) == other.groups.end() || !has_room(other, counts)) continue;
      if (purpose == pool::PermitPurpose::reserve) return BudgetVerdict::behind;
      const bool comes_first = account.wanting != 0 ? before(other, account) : other.claimed <= account.claimed;
      if (comes_first) ++ahead;
    }
    if (ahead >= counts.free[group]) return BudgetVerdict::behind;
    const bool reserve = purpose == pool::PermitPurpose::reserve && account.claimed > 0;
    if (reserve && counts.free[group] <= table_.groups[group].limit / kReservePart) return BudgetVerdict::full;
  }
  return BudgetVerdict::granted;
}

void BudgetLedger::give_back(BudgetIndex index, BudgetTime now) noexcept {
  BudgetAccount& account = table_.accounts[index];
  if (account.claimed > 0) --account.claimed;
  if (account.paying > 0) {
    --account.paying;
  } else if (account.owed > account.claimed) {
    account.owed = account.claimed;
  }
  something_changed(now);
}

void BudgetLedger::set_wanting(BudgetIndex index, bool wanting, BudgetTime now) noexcept {
  BudgetAccount& account = table_.accounts[index];
  if ((account.wanting != 0) == wanting) return;
  account.wanting = wanting ? 1 : 0;
  account.wanting_since = now;
  if (wanting) {
    rebalance(now);
    poke(account.process);  // it has to wake up by itself from now on
  } else {
    something_changed(now);
  }
}

bool BudgetLedger::take_owed(BudgetIndex index) noexcept {
  BudgetAccount& account = table_.accounts[index];
  if (account.owed <= 0) return false;
  --account.owed;
  ++account.paying;
  return true;
}

// ---- contact with the server ---------------------------------------------------------------------------------

void BudgetLedger::connecting(BudgetIndex index, std::int32_t change) noexcept {
  BudgetAccount& account = table_.accounts[index];
  account.connecting = std::max(account.connecting + change, 0);
}

void BudgetLedger::refused(BudgetIndex index, BudgetKind by, double jitter, BudgetTime now) noexcept {
  const BudgetAccount& account = table_.accounts[index];
  BudgetIndex at_fault = account.groups[at(by)];
  if (!valid_group(at_fault)) at_fault = account.groups[at(BudgetKind::server)];
  if (!valid_group(at_fault)) {
    contact_failed(index, now);
    return;
  }
  BudgetGroup& group = table_.groups[at_fault];
  if (now < group.refused_until) return;
  const Duration pause = std::min(kRefusalFirst * (1U << std::min(group.refusals, 10U)), kRefusalMost);
  ++group.refusals;
  group.refused_until =
      now + pause.count() / 2 + static_cast<BudgetTime>(jitter * static_cast<double>(pause.count() / 2));
}

void BudgetLedger::contact_failed(BudgetIndex index, BudgetTime now) noexcept {
  const BudgetAccount& account = table_.accounts[index];
  if (account.address >= kMaxBudgetAddresses) return;
  BudgetAddress& address = table_.addresses[account.address];
  if (address.contact_since == 0) return;
  address.contact_since = 0;
  address.failed_until = now + kContactMemory.count();
  something_changed(now);
}

bool BudgetLedger::opened(BudgetIndex index, BudgetTime now) noexcept {
  BudgetAccount& account = table_.accounts[index];
  account.held_since = now;
  for (const BudgetIndex at_group : account.groups) {
    if (!valid_group(at_group) || table_.groups[at_group].refusals == 0) continue;
    table_.groups[at_group].refusals = 0;
    table_.groups[at_group].refused_until = 0;
    table_.groups[at_group].observed_at = 0;  // it was not as we thought: look soon
    something_changed(now);
  }
  const BudgetGroup* server = group(index, BudgetKind::server);
  // A server that did not answer is not asked by every session.
  if (server == nullptr && account.address < kMaxBudgetAddresses) {
    return now >= table_.addresses[account.address].failed_until;
  }
  if (server == nullptr || server->observed_at == 0) return true;
  // The first of this machine, after a while without: another server may have taken the place.
  return claimed_in(index, BudgetKind::server) <= 1 && now - server->observed_at >= kLookOften.count();
}

bool BudgetLedger::look_due(BudgetIndex index, BudgetTime now) noexcept {
  const BudgetAccount& account = table_.accounts[index];
  const BudgetIndex server = account.groups[at(BudgetKind::server)];
  if (!valid_group(server)) return false;
  BudgetGroup& group = table_.groups[server];
  if (group.looking_since != 0 && now - group.looking_since < 2 * kLookOften.count()) return false;
  Tally counts;
  tally(counts, now);
  const bool tight = counts.free[server] <= group.limit / kTightPart || group.ghosts > 0 || group.refusals > 0 ||
                     group.machines > 1 || anybody_waits();
  if (now - group.observed_at < (tight ? kLookOften : kLookSeldom).count()) return false;
  group.looking_since = now;
  return true;
}

BudgetLook BudgetLedger::begin_look(BudgetIndex index, BudgetTime now) noexcept {
  BudgetLook look;
  look.begun = now;
  const BudgetAccount& mine = table_.accounts[index];
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    const BudgetAccount& account = table_.accounts[i];
    if (account.used == 0) continue;
    const auto count = [&](BudgetLook::Counts& counts) {
      counts.claimed += account.claimed;
      counts.connecting += account.connecting;
    };
    const bool same_server =
        account.address == mine.address || (valid_group(mine.groups[0]) && account.groups[0] == mine.groups[0]);
    if (!same_server) continue;
    count(look.counts[at(BudgetKind::server)]);
    if (account.role == mine.role) count(look.counts[at(BudgetKind::role)]);
    if (account.database == mine.database) count(look.counts[at(BudgetKind::database)]);
    if (account.groups[at(BudgetKind::fleet)] == mine.groups[at(BudgetKind::fleet)]) {
      count(look.counts[at(BudgetKind::presence)]);
    }
  }
  return look;
}

void BudgetLedger::abandon_look(BudgetIndex index) noexcept {
  const BudgetIndex server = table_.accounts[index].groups[at(BudgetKind::server)];
  if (valid_group(server)) table_.groups[server].looking_since = 0;
}

// Between the number that was seen and the number that was held lie connections on their way. The estimate of what
// is held elsewhere moves no more than these leave certain.
void BudgetLedger::see(BudgetIndex index, std::int32_t limit, std::int32_t seen, BudgetLook::Counts held,
                       std::int32_t machines, BudgetTime begun, BudgetTime now) noexcept {
  if (!valid_group(index)) return;
  BudgetGroup& group = table_.groups[index];
  const std::int32_t least = std::max(0, seen - held.claimed);
  const std::int32_t most = std::max(least, seen - (held.claimed - held.connecting));
  group.outside = std::clamp(group.outside, least, most);
  group.limit = limit;
  group.machines = std::max(1, machines);
  if (begun > group.ghosts_until - kGhostPatience.count()) group.ghosts = 0;
  group.observed_at = now;
  group.looking_since = 0;
  group.touched = now;
}

void BudgetLedger::end_look(BudgetIndex index, const BudgetLook& look, const ServerSight& sight,
                            std::string_view location, BudgetTime now) noexcept {
  BudgetAccount& account = table_.accounts[index];
  const std::uint64_t identity = sight.identity == 0 ? 1 : sight.identity;
  const BudgetIndex server = make_group(identity, BudgetKind::server, location, now);
  if (account.address < kMaxBudgetAddresses) {
    BudgetAddress& address = table_.addresses[account.address];
    address.contact_since = 0;
    address.failed_until = 0;
    address.touched = now;
    address.server = server;
  }
  const auto key = [&](std::uint64_t of) { return key_of({}, identity ^ of); };
  if (sight.role_limit >= 0) (void)make_group(key(account.role), BudgetKind::role, {}, now);
  if (sight.database_limit >= 0) (void)make_group(key(account.database), BudgetKind::database, {}, now);
  if (valid_group(account.groups[at(BudgetKind::fleet)])) {
    const BudgetIndex fleet = account.groups[at(BudgetKind::fleet)];
    const BudgetIndex presence = make_group(key(table_.groups[fleet].key), BudgetKind::presence, location, now);
    if (valid_group(presence)) table_.groups[presence].parent = fleet;
    if (valid_group(presence)) table_.groups[fleet].machines = std::max(1, sight.machines);
    table_.groups[fleet].observed_at = now;
  }
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    BudgetAccount& other = table_.accounts[i];
    if (other.used != 0 && (i == index || other.address == account.address)) settle_at(server, other, now);
  }
  // Behind a pooler the server's connections are the pooler's: what it lets through is not ours to count.
  if (valid_group(server)) {
    table_.groups[server].max_connections = sight.max_connections;
    table_.groups[server].reserved = sight.reserved;
  }
  const auto counts = [&](BudgetKind kind) { return look.counts[at(kind)]; };
  const bool known = !sight.pooled;
  see(server, known ? sight.allowed() : -1, known ? sight.sessions : 0, counts(BudgetKind::server), sight.machines,
      look.begun, now);
  see(account.groups[at(BudgetKind::role)], known ? sight.role_limit : -1, sight.role_sessions,
      counts(BudgetKind::role), 1, look.begun, now);
  see(account.groups[at(BudgetKind::database)], known ? sight.database_limit : -1, sight.database_sessions,
      counts(BudgetKind::database), 1, look.begun, now);
  see(account.groups[at(BudgetKind::presence)], -1, known ? sight.fleet_sessions : 0, counts(BudgetKind::presence),
      sight.machines, look.begun, now);
  rebalance(now);
  something_changed(now);
}

// ---- who gives, who gets -------------------------------------------------------------------------------------

std::int32_t BudgetLedger::margin(const BudgetGroup& group, std::int32_t used) const noexcept {
  const bool shared = group.machines > 1 && used > group.limit / group.machines;
  if (shared) return std::max(1, group.limit / kFreePart);
  // A process of another machine must be able to come in and be seen.
  return group.kind == BudgetKind::server && group.limit >= kSmallServer ? 1 : 0;
}

void BudgetLedger::tally(Tally& out, BudgetTime now) const noexcept {
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    const BudgetAccount& account = table_.accounts[i];
    if (account.used == 0) continue;
    for (const BudgetIndex group : account.groups) {
      if (!valid_group(group)) continue;
      out.used[group] += account.claimed;
      out.connecting[group] += account.connecting;
    }
  }
  for (std::size_t i = 0; i < kMaxBudgetGroups; ++i) {
    const BudgetGroup& group = table_.groups[i];
    if (group.key != 0 && valid_group(group.parent)) out.outside[group.parent] += group.outside;
  }
  for (std::size_t i = 0; i < kMaxBudgetGroups; ++i) {
    if (table_.groups[i].key != 0) out.free[i] = free_in(static_cast<BudgetIndex>(i), out, now);
  }
}

std::int32_t BudgetLedger::free_in(BudgetIndex index, const Tally& counts, BudgetTime now) const noexcept {
  const BudgetGroup& group = table_.groups[index];
  const bool pausing = now < group.refused_until;
  if (group.limit < 0) return pausing ? 0 : kPlenty;
  const std::int32_t ghosts = now < group.ghosts_until ? group.ghosts : 0;
  const std::int32_t used = counts.used[index];
  std::int32_t free = group.limit - margin(group, used) - used - ghosts - group.outside - counts.outside[index];
  if (pausing) return std::min(free, 0);
  // Where the last thing known is that it was full, and nobody is inside to look, one tries.
  const bool stale = used == 0 && now - group.observed_at >= kLookOften.count();
  if ((group.refusals > 0 || stale) && counts.connecting[index] == 0 && used + ghosts < group.limit) {
    free = std::max(free, 1);
  } else if (group.refusals > 0) {
    free = std::min(free, 0);
  }
  return free;
}

bool BudgetLedger::has_room(const BudgetAccount& account, const Tally& counts) const noexcept {
  return blocking_group(account, counts) == kNoBudgetIndex;
}

BudgetIndex BudgetLedger::blocking_group(const BudgetAccount& account, const Tally& counts) const noexcept {
  for (const BudgetIndex group : account.groups) {
    if (valid_group(group) && counts.free[group] <= 0) return group;
  }
  return kNoBudgetIndex;
}

/// `other` counts in every group that is in the way of `one`.
bool BudgetLedger::share_a_group(const BudgetAccount& one, const BudgetAccount& other,
                                 const Tally& counts) const noexcept {
  return std::ranges::all_of(one.groups, [&](BudgetIndex group) {
    return !valid_group(group) || counts.free[group] > 0 ||
           std::ranges::find(other.groups, group) != other.groups.end();
  });
}

void BudgetLedger::rebalance(BudgetTime now) noexcept {
  table_.rebalanced_at = now;
  Tally counts;
  tally(counts, now);
  std::array<std::int32_t, kMaxBudgetAccounts> old_owed;  // NOLINT: filled below as far as it is read
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    BudgetAccount& account = table_.accounts[i];
    old_owed[i] = account.owed;
    account.owed = 0;
    // What is being closed already will be free.
    for (const BudgetIndex group : account.groups) {
      if (valid_group(group) && counts.free[group] != kPlenty) counts.free[group] += account.paying;
    }
  }
  const auto kept = [](const BudgetAccount& account) { return account.claimed - account.paying - account.owed; };
  const auto owe = [&](BudgetAccount& account) {
    ++account.owed;
    for (const BudgetIndex group : account.groups) {
      if (valid_group(group) && counts.free[group] != kPlenty) ++counts.free[group];
    }
  };
  const auto largest = [&](auto&& suits) {
    BudgetAccount* found = nullptr;
    for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
      BudgetAccount& account = table_.accounts[i];
      if (account.used == 0 || kept(account) <= 0 || !suits(account)) continue;
      const bool more = found == nullptr || kept(account) > kept(*found) ||
                        (kept(account) == kept(*found) && account.held_since < found->held_since);
      if (more) found = &account;
    }
    return found;
  };
  // A limit that shrank: the largest give first. Connections of others are not worth a session of ours.
  for (BudgetIndex group = 0; group < kMaxBudgetGroups; ++group) {
    if (table_.groups[group].key == 0 || now < table_.groups[group].refused_until) continue;
    while (counts.free[group] < 0) {
      BudgetAccount* giver = largest([&](const BudgetAccount& account) {
        return kept(account) > 1 && std::ranges::find(account.groups, group) != account.groups.end();
      });
      if (giver == nullptr) break;
      owe(*giver);
    }
  }
  // Each that waits gets one more in its turn.
  for (const BudgetIndex index : in_line()) {
    BudgetAccount& account = table_.accounts[index];
    if (!has_room(account, counts)) {
      BudgetAccount* giver = largest([&](const BudgetAccount& other) {
        if (&other == &account || !share_a_group(account, other, counts)) return false;
        const std::int32_t more = kept(other) - kept(account);
        const bool had_its_turn = other.claimed > other.connecting && now - other.held_since >= kBudgetTurn.count();
        return more >= 2 || (kept(account) == 0 && more == 1 && had_its_turn);
      });
      if (giver == nullptr) continue;
      owe(*giver);
    }
    take_from(account, counts);  // spoken for
  }
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    if (table_.accounts[i].used != 0 && table_.accounts[i].owed != old_owed[i]) poke(table_.accounts[i].process);
  }
}

bool BudgetLedger::could_claim(BudgetIndex index, BudgetTime now) noexcept {
  if (table_.accounts[index].wanting == 0) return false;
  Tally counts;
  tally(counts, now);
  return judge(index, pool::PermitPurpose::caller, counts, now) == BudgetVerdict::granted;
}

bool BudgetLedger::anybody_waits() const noexcept {
  return std::any_of(table_.accounts.begin(), table_.accounts.begin() + table_.accounts_used,
                     [](const BudgetAccount& account) { return account.used != 0 && account.wanting != 0; });
}

void BudgetLedger::something_changed(BudgetTime now) noexcept {
  table_.changes.fetch_add(1, std::memory_order_relaxed);
  if (!anybody_waits()) return;
  Tally counts;
  tally(counts, now);
  for (const BudgetIndex index : in_line()) {
    const BudgetAccount& account = table_.accounts[index];
    if (!has_room(account, counts)) continue;
    take_from(account, counts);
    poke(account.process);
  }
}

std::vector<BudgetIndex> BudgetLedger::in_line() const {
  std::vector<BudgetIndex> waiting;
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    if (table_.accounts[i].used != 0 && table_.accounts[i].wanting != 0)
      waiting.push_back(static_cast<BudgetIndex>(i));
  }
  std::ranges::sort(waiting, [&](BudgetIndex one, BudgetIndex other) {
    return before(table_.accounts[one], table_.accounts[other]);
  });
  return waiting;
}

void BudgetLedger::take_from(const BudgetAccount& account, Tally& counts) const noexcept {
  for (const BudgetIndex group : account.groups) {
    if (valid_group(group) && counts.free[group] != kPlenty) --counts.free[group];
  }
}

// ---- groups --------------------------------------------------------------------------------------------------

void BudgetLedger::settle_at(BudgetIndex server, BudgetAccount& account, BudgetTime now) noexcept {
  account.groups[at(BudgetKind::server)] = server;
  for (const BudgetKind kind : {BudgetKind::role, BudgetKind::database, BudgetKind::presence}) {
    account.groups[at(kind)] = kNoBudgetIndex;
  }
  if (!valid_group(server)) return;
  table_.groups[server].touched = now;
  const std::uint64_t identity = table_.groups[server].key;
  account.groups[at(BudgetKind::role)] = find_group(key_of({}, identity ^ account.role), BudgetKind::role);
  account.groups[at(BudgetKind::database)] =
      find_group(key_of({}, identity ^ account.database), BudgetKind::database);
  const BudgetIndex fleet = account.groups[at(BudgetKind::fleet)];
  if (valid_group(fleet)) {
    account.groups[at(BudgetKind::presence)] =
        find_group(key_of({}, identity ^ table_.groups[fleet].key), BudgetKind::presence);
  }
}

BudgetIndex BudgetLedger::find_group(std::uint64_t key, BudgetKind kind) const noexcept {
  for (std::size_t i = 0; i < kMaxBudgetGroups; ++i) {
    if (table_.groups[i].key == key && table_.groups[i].kind == kind) return static_cast<BudgetIndex>(i);
  }
  return kNoBudgetIndex;
}

BudgetIndex BudgetLedger::make_group(std::uint64_t key, BudgetKind kind, std::string_view name,
                                     BudgetTime now) noexcept {
  BudgetIndex index = find_group(key, kind);
  if (index == kNoBudgetIndex) {
    // An unused place, else the one that was not needed for longest.
    std::bitset<kMaxBudgetGroups> needed;
    for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
      for (const BudgetIndex group : table_.accounts[i].groups) {
        if (table_.accounts[i].used != 0 && group < kMaxBudgetGroups) needed.set(group);
      }
    }
    BudgetTime oldest = std::numeric_limits<BudgetTime>::max();
    for (std::size_t i = 0; i < kMaxBudgetGroups; ++i) {
      const BudgetTime touched = table_.groups[i].key == 0 ? -1 : table_.groups[i].touched;
      if (needed.test(i) || touched >= oldest) continue;
      oldest = touched;
      index = static_cast<BudgetIndex>(i);
    }
    if (index == kNoBudgetIndex) return index;
    for (BudgetAddress& address : table_.addresses) {
      if (address.server == index) address = BudgetAddress{};
    }
    for (BudgetGroup& group : table_.groups) {
      if (group.parent == index) group.parent = kNoBudgetIndex;
    }
    table_.groups[index] = BudgetGroup{};
    table_.groups[index].key = key;
    table_.groups[index].kind = kind;
  }
  table_.groups[index].touched = now;
  if (!name.empty()) write_name(table_.groups[index].name, name);
  return index;
}

BudgetIndex BudgetLedger::find_address(std::uint64_t key, BudgetTime now) noexcept {
  std::bitset<kMaxBudgetAddresses> needed;
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    const BudgetIndex address = table_.accounts[i].address;
    if (table_.accounts[i].used != 0 && address < kMaxBudgetAddresses) needed.set(address);
  }
  BudgetIndex best = kNoBudgetIndex;
  BudgetTime oldest = std::numeric_limits<BudgetTime>::max();
  for (std::size_t i = 0; i < kMaxBudgetAddresses; ++i) {
    BudgetAddress& address = table_.addresses[i];
    if (address.key == key) {
      address.touched = now;
      return static_cast<BudgetIndex>(i);
    }
    const BudgetTime touched = address.key == 0 ? -1 : address.touched;
    if (needed.test(i) || touched >= oldest) continue;
    oldest = touched;
    best = static_cast<BudgetIndex>(i);
  }
  if (best == kNoBudgetIndex) return best;
  table_.addresses[best] = BudgetAddress{};
  table_.addresses[best].key = key;
  table_.addresses[best].touched = now;
  return best;
}

const BudgetGroup* BudgetLedger::group(BudgetIndex index, BudgetKind kind) const noexcept {
  const BudgetIndex group = table_.accounts[index].groups[at(kind)];
  return valid_group(group) ? &table_.groups[group] : nullptr;
}

std::int32_t BudgetLedger::claimed_in(BudgetIndex index, BudgetKind kind) const noexcept {
  const BudgetIndex group = table_.accounts[index].groups[at(kind)];
  if (!valid_group(group)) return table_.accounts[index].claimed;
  std::int32_t claimed = 0;
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    if (table_.accounts[i].used != 0 && table_.accounts[i].groups[at(kind)] == group) {
      claimed += table_.accounts[i].claimed;
    }
  }
  return claimed;
}

// ---- what to say ---------------------------------------------------------------------------------------------

std::string BudgetLedger::describe(BudgetIndex index, BudgetTime now) {
  Tally counts;
  tally(counts, now);
  const BudgetAccount& account = table_.accounts[index];
  BudgetIndex blocking = blocking_group(account, counts);
  if (blocking == kNoBudgetIndex) {
    if (!valid_group(account.groups[at(BudgetKind::server)])) {
      return "another process makes the first contact with the server";
    }
    blocking = valid_group(account.groups[at(BudgetKind::fleet)]) ? account.groups[at(BudgetKind::fleet)]
                                                                  : account.groups[at(BudgetKind::server)];
  }
  const BudgetGroup& group = table_.groups[blocking];
  const std::string server =
      group.kind == BudgetKind::server || !valid_group(account.groups[at(BudgetKind::server)])
          ? std::string(name_of(group))
          : std::string(name_of(table_.groups[account.groups[at(BudgetKind::server)]]));
  std::string out;
  switch (group.kind) {
    case BudgetKind::server:
      out = "connection budget of server " + server + " (" + std::to_string(group.limit) + " = max_connections " +
            std::to_string(group.max_connections) + " - " + std::to_string(group.reserved) + " reserved)";
      break;
    case BudgetKind::role:
      out = "connection limit of the role at " + server + " (" + std::to_string(group.limit) + ")";
      break;
    case BudgetKind::database:
      out = "connection limit of the database at " + server + " (" + std::to_string(group.limit) + ")";
      break;
    case BudgetKind::fleet:
    case BudgetKind::presence:
      out = "connection budget of the fleet (" + std::to_string(group.limit) + ", fleet.connection_budget)";
      break;
  }
  std::int32_t own = 0;
  std::int32_t theirs = 0;
  std::bitset<kMaxBudgetProcesses> others;
  for (std::uint32_t i = 0; i < table_.accounts_used; ++i) {
    const BudgetAccount& other = table_.accounts[i];
    if (other.used == 0 || std::ranges::find(other.groups, blocking) == other.groups.end()) continue;
    if (other.process == account.process) {
      own += other.claimed;
    } else if (other.process < kMaxBudgetProcesses) {
      theirs += other.claimed;
      others.set(other.process);
    }
  }
  out += " is used up: this process holds " + std::to_string(own);
  if (others.any())
    out += ", " + std::to_string(others.count()) + (others.count() == 1 ? " other " : " others ") +
           std::to_string(theirs);
  const std::int32_t outside = group.outside + counts.outside[blocking];
  if (outside > 0) out += ", " + std::to_string(outside) + " held by other applications or machines";
  if (group.ghosts > 0 && now < group.ghosts_until) {
    out += ", " + counted(group.ghosts, " of a process that died", " of processes that died");
  }
  if (const std::int32_t kept = margin(group, counts.used[blocking]); kept > 0) {
    out += ", " + std::to_string(kept) + " kept free for newcomers";
  }
  if (now < group.refused_until) out += "; the server refused the last connection";
  return out;
}

std::string BudgetLedger::advice(BudgetIndex index, BudgetTime now) {
  Tally counts;
  tally(counts, now);
  const BudgetIndex blocking = blocking_group(table_.accounts[index], counts);
  const BudgetKind kind = blocking == kNoBudgetIndex ? BudgetKind::server : table_.groups[blocking].kind;
  switch (kind) {
    case BudgetKind::role: return "ALTER ROLE ... CONNECTION LIMIT with a larger number, or use fewer processes";
    case BudgetKind::database:
      return "ALTER DATABASE ... CONNECTION LIMIT with a larger number, or use fewer processes";
    case BudgetKind::fleet:
    case BudgetKind::presence: return "raise fleet.connection_budget, or use fewer processes";
    case BudgetKind::server: break;
  }
  const std::int32_t now_allowed = blocking == kNoBudgetIndex ? 0 : table_.groups[blocking].max_connections;
  return (now_allowed > 0
              ? "ALTER SYSTEM SET max_connections = " + std::to_string(2 * now_allowed) + " and restart the server"
              : std::string("raise max_connections")) +
         ", or use fewer processes (switchyard doctor shows who holds what)";
}

// ---- pokes ---------------------------------------------------------------------------------------------------

void BudgetLedger::poke(BudgetIndex process) noexcept {
  if (process < kMaxBudgetProcesses) pokes_.set(process);
}

std::bitset<kMaxBudgetProcesses> BudgetLedger::take_pokes() noexcept {
  std::bitset<kMaxBudgetProcesses> out;
  std::swap(out, pokes_);
  return out;
}

}  // namespace switchyard::inline v0::fleet
