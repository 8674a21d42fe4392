// What is known of the places of one database at one moment: which of them is the primary, how far the others have
// replayed, what each was last seen as. An immutable value that is shared by pointer; the tracker (topology.hpp)
// makes a new one after every observation.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/wal_position.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Places that one database may have: a choice keeps a bit for each.
inline constexpr std::size_t kMostPlaces = 64;

/// What the configuration says of a place.
struct PlaceDescription {
  std::string name;  ///< "primary", the replica's name, or a further host of the primary ("primary host db2:5432")
  std::string location;  ///< "db2:5432/wellwon"
  std::string region;
  std::vector<std::string> purposes;
  bool configured = false;  ///< the configuration calls it the primary, or one of its hosts
  bool replica = false;     ///< listed as a replica: reads may go here
  bool logical = false;     ///< declared a logical replica
  bool candidate = true;    ///< may become the primary: the same physical database, not logical
  Duration max_lag{};       ///< of this replica; zero = the database's
  [[nodiscard]] bool serves(std::string_view name_or_purpose) const noexcept;
};

enum class Reach : std::uint8_t {
  unknown,  ///< not observed yet
  reachable,
  unreachable,  ///< the last probe failed
};

enum class PlaceRole : std::uint8_t {
  unknown,
  primary,
  standby,
  logical,  ///< takes writes of its own and is not the primary: a logical replica, or a server nobody should write
            ///< to
  demoted,  ///< was a primary of an earlier timeline and still takes writes: nobody goes there
};
[[nodiscard]] SWITCHYARD_API std::string_view to_string(PlaceRole role) noexcept;

/// One place as it was last seen. What the last answer said stays when a place becomes unreachable.
struct EndpointHealth {
  Reach reach = Reach::unknown;
  PlaceRole role = PlaceRole::unknown;
  bool late = false;  ///< a probe is out for longer than it should be
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  bool timeline_exact = false;      ///< see ProbeAnswer
  WalPosition written;              ///< of a primary: where the next record will begin
  WalPosition flushed;              ///< of a primary: what is on its disk, which replicas can have
  WalPosition received;             ///< of a standby
  WalPosition replayed;             ///< of a standby
  bool streaming = false;           ///< a standby's WAL receiver runs
  bool synchronous_commit = false;  ///< the default of its sessions is not "off"
  std::uint64_t segment_size = 0;   ///< wal_segment_size
  Duration rtt{};
  TimePoint asked{};  ///< when the last answered probe was sent; zero = never
  /// Everything that the primary had written until then is visible here. Unknown: TimePoint::min().
  TimePoint covers = TimePoint::min();
  std::optional<std::uint64_t> lag_bytes;  ///< behind what the primary was last seen to have written
  std::string error;                       ///< of the last failed probe

  [[nodiscard]] bool observed() const noexcept { return asked != TimePoint{}; }
  /// How old the rows of a standby (or a logical replica) may be at `now`; nothing if that is unknown.
  [[nodiscard]] std::optional<Duration> staleness(TimePoint now) const noexcept {
    if (covers == TimePoint::min()) return std::nullopt;
    return covers >= now ? Duration::zero() : now - covers;
  }
  /// The same as measured by the probe.
  [[nodiscard]] std::optional<Duration> lag() const noexcept { return staleness(asked); }
};

/// Where a timeline was left for a later one: what was written behind it is gone.
struct TimelineFork {
  std::uint32_t timeline = 0;  ///< the one that was left
  WalPosition at;
  /// False: the fork lies there or behind, for a server that had replayed this far went on with the later timeline.
  bool exact = false;
};

struct SWITCHYARD_API TopologySnapshot {
  std::uint64_t version = 0;
  std::shared_ptr<const std::vector<PlaceDescription>> places;
  std::vector<EndpointHealth> health;  ///< one for each place
  std::vector<TimelineFork> forks;
  /// The place that writes go to; nothing until one was seen. It may be unreachable while no other has taken over.
  std::optional<std::size_t> primary;
  std::uint64_t system_identifier = 0;  ///< of the database's cluster; 0 = unknown
  std::uint32_t timeline = 0;           ///< of the primary, the highest seen

  /// The primary was seen and answers.
  [[nodiscard]] bool primary_answers() const noexcept {
    return primary && health[*primary].reach == Reach::reachable && health[*primary].role == PlaceRole::primary;
  }
  /// Where the timeline was left, or null.
  [[nodiscard]] const TimelineFork* fork_of(std::uint32_t left) const noexcept;
};

}  // namespace switchyard::inline v0::fleet
