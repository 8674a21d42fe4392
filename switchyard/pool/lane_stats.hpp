// What a shared lane has done.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::pool {

/// Why a statement that was in a lane went on, on a lease.
enum class LaneExit : std::uint8_t {
  row_cap,       ///< more rows than LaneSettings::row_cap
  lock_wait,     ///< 55P03: it waited for a lock
  read_only,     ///< 25006: it writes
  lane_error,    ///< another error that a session of its own might not have given
  name_error,    ///< class 42: names may have changed since it was parsed
  columns,       ///< its columns have changed since they were described
  head_of_line,  ///< it stood behind a slow statement, twice
  session_lost,  ///< the session ended before its turn came
  closing,       ///< the lane gave its sessions back
};
inline constexpr std::size_t kLaneExits = 9;
[[nodiscard]] constexpr std::string_view lane_exit_text(LaneExit exit) noexcept {
  constexpr std::array<std::string_view, kLaneExits> kTexts{
      "leased: more rows than the lane's row cap",
      "leased: it waited for a lock in the lane",
      "leased: it writes",
      "leased: the lane gave an error of its own",
      "leased: names may have changed",
      "leased: its columns have changed",
      "leased: it stood behind a slow statement",
      "leased: the lane's session was lost",
      "leased: the lane gave its sessions back",
  };
  return kTexts[static_cast<std::size_t>(exit)];
}

struct LaneStats {
  std::uint32_t sessions = 0;     ///< now
  std::uint32_t outstanding = 0;  ///< statements on their wires now
  std::uint32_t queued = 0;       ///< statements that wait for one
  std::uint64_t statements = 0;   ///< taken in
  std::uint64_t syncs = 0;        ///< groups sent
  std::uint64_t twins = 0;        ///< answered by another's execution: single_flight
  std::uint64_t reissued = 0;     ///< moved away from a slow statement
  std::uint64_t cancels = 0;      ///< asked of the server
  std::uint64_t canaries = 0;     ///< tripwires that held
  std::uint64_t alarms = 0;       ///< tripwires that did not: sessions closed because of it
  std::array<std::uint64_t, kLaneExits> exits{};
  /// Reads that were not taken in, by reason.
  struct Refusal {
    std::string_view why;
    std::uint64_t count = 0;
  };
  std::vector<Refusal> refusals;
};

}  // namespace switchyard::inline v0::pool
