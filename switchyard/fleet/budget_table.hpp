// What the processes of one machine write down about the connections they hold: the plain memory behind
// BudgetLedger, shared between processes. It holds no pointer and no secret, and every index read from it is
// checked before it is used.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::fleet {

using BudgetIndex = std::uint16_t;
inline constexpr BudgetIndex kNoBudgetIndex = 0xFFFF;

inline constexpr std::size_t kMaxBudgetProcesses = 1024;
inline constexpr std::size_t kMaxBudgetAccounts = 4096;
inline constexpr std::size_t kMaxBudgetGroups = 512;
inline constexpr std::size_t kMaxBudgetAddresses = 512;
inline constexpr std::size_t kBudgetNameSize = 96;

/// What a limit counts.
enum class BudgetKind : std::uint8_t {
  server,    ///< all connections of one running server: max_connections without the reserved ones
  role,      ///< those of a role there: ALTER ROLE ... CONNECTION LIMIT
  database,  ///< those to a database there: ALTER DATABASE ... CONNECTION LIMIT
  fleet,     ///< those of one fleet to its primaries, on all servers: fleet.connection_budget
  presence,  ///< those of one fleet on one server: no limit of its own, but seen there from other machines
};
inline constexpr std::size_t kBudgetKinds = 5;

/// Times are nanoseconds of the monotonic clock, which is one for the machine.
using BudgetTime = std::int64_t;

/// One limit. A connection counts in up to one group of each kind.
struct BudgetGroup {
  std::uint64_t key = 0;  ///< 0: not in use
  BudgetKind kind = BudgetKind::server;
  BudgetIndex parent = kNoBudgetIndex;  ///< of a presence: the fleet that it counts for
  std::int32_t limit = -1;              ///< -1: none
  std::int32_t outside = 0;             ///< connections that exist and are held by nobody in this table
  std::int32_t ghosts = 0;              ///< held by processes that died; the server may not know yet
  std::int32_t machines = 1;            ///< seen to use it, this one included
  std::int32_t max_connections = 0;     ///< as the server says
  std::int32_t reserved = 0;
  std::uint32_t refusals = 0;    ///< of the server in a row, although we thought there was room
  BudgetTime refused_until = 0;  ///< nobody tries before
  BudgetTime observed_at = 0;
  BudgetTime looking_since = 0;  ///< somebody asks the server; 0: nobody
  BudgetTime ghosts_until = 0;
  BudgetTime touched = 0;
  std::array<char, kBudgetNameSize> name{};
};

/// An address of a server as it is written, and which server was found there.
struct BudgetAddress {
  std::uint64_t key = 0;
  BudgetIndex server = kNoBudgetIndex;
  BudgetTime contact_since = 0;  ///< somebody makes the first contact; 0: nobody
  BudgetTime failed_until = 0;   ///< nobody could be reached there: do not wait for each other
  BudgetTime touched = 0;
};

/// The connections of one pool (over the shards of a process).
struct BudgetAccount {
  std::uint32_t used = 0;
  BudgetIndex process = kNoBudgetIndex;
  BudgetIndex address = kNoBudgetIndex;
  std::array<BudgetIndex, kBudgetKinds> groups{kNoBudgetIndex, kNoBudgetIndex, kNoBudgetIndex, kNoBudgetIndex,
                                               kNoBudgetIndex};
  std::uint64_t role = 0;      ///< key of the role's name
  std::uint64_t database = 0;  ///< key of the database's name
  std::int32_t claimed = 0;
  std::int32_t connecting = 0;  ///< of them, not yet open
  std::int32_t owed = 0;        ///< to be closed, because others need them more
  std::int32_t paying = 0;      ///< being closed for that reason
  std::uint32_t wanting = 0;    ///< callers wait and there was no room
  BudgetTime wanting_since = 0;
  BudgetTime held_since = 0;  ///< of the last claim
};

struct BudgetProcess {
  std::uint32_t used = 0;
  std::int32_t pid = 0;
  /// Changes when the process should look at its accounts.
  std::atomic<std::uint32_t> poke{0};
};

struct BudgetTable {
  /// Changes whenever a claim that was refused might succeed.
  std::atomic<std::uint32_t> changes{0};
  std::uint32_t accounts_used = 0;  ///< none in use from here on
  BudgetTime reaped_at = 0;
  BudgetTime rebalanced_at = 0;
  std::array<BudgetProcess, kMaxBudgetProcesses> processes;
  std::array<BudgetAccount, kMaxBudgetAccounts> accounts;
  std::array<BudgetGroup, kMaxBudgetGroups> groups;
  std::array<BudgetAddress, kMaxBudgetAddresses> addresses;
};

}  // namespace switchyard::inline v0::fleet
