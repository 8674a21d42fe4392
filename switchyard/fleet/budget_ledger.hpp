// BudgetLedger: the rules by which the processes of a machine share the connections of their servers, without a
// clock, a lock or a socket. It works on a BudgetTable that somebody else maps and locks.
//
// Its promises:
//   - the connections claimed in a group, those held elsewhere and those of dead processes that the server may
//   still
//     have are never more than the group's limit;
//   - a free connection goes to the waiting account that holds least, and among equals to the one that waits
//     longest;
//   - an account that holds at least two more than a waiting one gives one up; where there are fewer connections
//     than accounts that want one, they take turns;
//   - until a server has been asked for its limits, one process at a time makes contact;
//   - where other machines use the server, the one that holds more than its share leaves some free for them.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/budget_table.hpp>
#include <switchyard/fleet/server_sight.hpp>
#include <switchyard/pool/permit_source.hpp>

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Shortest time for which an account keeps its only session while others that have none wait.
inline constexpr Duration kBudgetTurn = std::chrono::milliseconds(250);
/// How long connections of a dead process count, unless a look at the server says more.
inline constexpr Duration kGhostPatience = std::chrono::seconds(2);
/// A first contact that takes longer does not hold up the others.
inline constexpr Duration kContactPatience = std::chrono::seconds(1);
/// How long processes do not wait for each other after a contact has failed.
inline constexpr Duration kContactMemory = std::chrono::seconds(5);
/// From the first to the longest pause after the server refused a connection; doubling.
inline constexpr Duration kRefusalFirst = std::chrono::milliseconds(100);
inline constexpr Duration kRefusalMost = std::chrono::seconds(2);
/// A look at the server is made this often while its connections are nearly used up or somebody waits ...
inline constexpr Duration kLookOften = std::chrono::seconds(1);
/// ... and otherwise.
inline constexpr Duration kLookSeldom = std::chrono::seconds(30);

enum class BudgetVerdict : std::uint8_t {
  granted,
  full,     ///< a group is at its limit
  behind,   ///< there is room, but others come first
  contact,  ///< somebody makes the first contact with this server
};

/// Who opens an account.
struct BudgetApplicant {
  BudgetIndex process = 0;
  std::string_view address;       ///< "localhost:5432", as configured
  std::string_view role;          ///< login role
  std::string_view database;      ///< dbname
  std::string_view fleet;         ///< what is the same in all processes of a fleet, and differs between fleets
  std::int32_t fleet_limit = -1;  ///< connection_budget; -1: none, or not counted (replicas)
};

/// What was in the table when a look began; the answer is judged against it.
struct BudgetLook {
  struct Counts {
    std::int32_t claimed = 0;
    std::int32_t connecting = 0;
  };
  std::array<Counts, kBudgetKinds> counts;
  Counts server_of_address;
  BudgetTime begun = 0;
};

class SWITCHYARD_API BudgetLedger {
 public:
  /// The table must be locked as long as the ledger lives.
  explicit BudgetLedger(BudgetTable& table) noexcept : table_(table) {}

  /// kNoBudgetIndex if kMaxBudgetAccounts are open.
  [[nodiscard]] BudgetIndex open_account(const BudgetApplicant& applicant, BudgetTime now) noexcept;
  void close_account(BudgetIndex account, BudgetTime now) noexcept;
  /// A process is gone, without a farewell: its accounts are closed and their connections become ghosts.
  void bury(BudgetIndex process, BudgetTime now) noexcept;

  [[nodiscard]] BudgetVerdict claim(BudgetIndex account, pool::PermitPurpose purpose, BudgetTime now) noexcept;
  void give_back(BudgetIndex account, BudgetTime now) noexcept;
  void set_wanting(BudgetIndex account, bool wanting, BudgetTime now) noexcept;
  /// The account closes one of the sessions that it owes.
  [[nodiscard]] bool take_owed(BudgetIndex account) noexcept;

  /// A claimed connection is being opened; the attempt ended.
  void connecting(BudgetIndex account, std::int32_t change) noexcept;
  /// The server said 53300: it is full, whatever we think. `jitter` from 0 to 1.
  void refused(BudgetIndex account, BudgetKind by, double jitter, BudgetTime now) noexcept;
  /// No server was reached.
  void contact_failed(BudgetIndex account, BudgetTime now) noexcept;
  /// A session was opened. True: ask the server before it is used (begin_look), since too little is known.
  [[nodiscard]] bool opened(BudgetIndex account, BudgetTime now) noexcept;

  /// It is time to ask the server, and nobody else does.
  [[nodiscard]] bool look_due(BudgetIndex account, BudgetTime now) noexcept;
  [[nodiscard]] BudgetLook begin_look(BudgetIndex account, BudgetTime now) noexcept;
  void end_look(BudgetIndex account, const BudgetLook& look, const ServerSight& sight, std::string_view location,
                BudgetTime now) noexcept;
  void abandon_look(BudgetIndex account) noexcept;

  /// Decides who owes connections to whom. Called when somebody begins to wait and from time to time while somebody
  /// does.
  void rebalance(BudgetTime now) noexcept;

  /// The account waits, and a claim would be granted.
  [[nodiscard]] bool could_claim(BudgetIndex account, BudgetTime now) noexcept;
  [[nodiscard]] bool anybody_waits() const noexcept;
  [[nodiscard]] BudgetTime rebalanced_at() const noexcept { return table_.rebalanced_at; }
  [[nodiscard]] const BudgetAccount& account(BudgetIndex index) const noexcept { return table_.accounts[index]; }
  /// Null: the account is in no group of this kind.
  [[nodiscard]] const BudgetGroup* group(BudgetIndex account, BudgetKind kind) const noexcept;
  /// Claimed in the group by all accounts.
  [[nodiscard]] std::int32_t claimed_in(BudgetIndex account, BudgetKind kind) const noexcept;

  /// "connection budget of server localhost:5432 (97 = max_connections 100 - 3 reserved) is used up: this process
  /// holds 1, 99 others 96", about the group that is in the way.
  [[nodiscard]] std::string describe(BudgetIndex account, BudgetTime now);
  [[nodiscard]] std::string advice(BudgetIndex account, BudgetTime now);

  /// Processes that should look at their accounts, since the last call.
  [[nodiscard]] std::bitset<kMaxBudgetProcesses> take_pokes() noexcept;

 private:
  /// One pass over the accounts.
  struct Tally {
    std::array<std::int32_t, kMaxBudgetGroups> used{};
    std::array<std::int32_t, kMaxBudgetGroups> connecting{};
    std::array<std::int32_t, kMaxBudgetGroups> outside{};  // of presences, for their fleet
    std::array<std::int32_t, kMaxBudgetGroups> free{};
  };
  void tally(Tally& out, BudgetTime now) const noexcept;
  [[nodiscard]] std::int32_t free_in(BudgetIndex group, const Tally& tally, BudgetTime now) const noexcept;
  [[nodiscard]] std::int32_t margin(const BudgetGroup& group, std::int32_t used) const noexcept;
  [[nodiscard]] BudgetVerdict judge(BudgetIndex account, pool::PermitPurpose purpose, const Tally& tally,
                                    BudgetTime now) const noexcept;
  [[nodiscard]] bool has_room(const BudgetAccount& account, const Tally& tally) const noexcept;
  [[nodiscard]] bool share_a_group(const BudgetAccount& one, const BudgetAccount& other,
                                   const Tally& tally) const noexcept;
  [[nodiscard]] BudgetIndex blocking_group(const BudgetAccount& account, const Tally& tally) const noexcept;
  [[nodiscard]] BudgetIndex find_group(std::uint64_t key, BudgetKind kind) const noexcept;
  [[nodiscard]] BudgetIndex make_group(std::uint64_t key, BudgetKind kind, std::string_view name,
                                       BudgetTime now) noexcept;
  [[nodiscard]] BudgetIndex find_address(std::uint64_t key, BudgetTime now) noexcept;
  void settle_at(BudgetIndex server, BudgetAccount& account, BudgetTime now) noexcept;
  void see(BudgetIndex group, std::int32_t limit, std::int32_t seen, BudgetLook::Counts before,
           std::int32_t machines, BudgetTime begun, BudgetTime now) noexcept;
  void something_changed(BudgetTime now) noexcept;
  /// Who waits, the first in line first.
  [[nodiscard]] std::vector<BudgetIndex> in_line() const;
  void take_from(const BudgetAccount& account, Tally& tally) const noexcept;
  void poke(BudgetIndex process) noexcept;
  [[nodiscard]] bool valid_group(BudgetIndex index) const noexcept {
    return index < kMaxBudgetGroups && table_.groups[index].key != 0;
  }

  BudgetTable& table_;
  std::bitset<kMaxBudgetProcesses> pokes_;
};

}  // namespace switchyard::inline v0::fleet
