// Where a read goes: a pure function of what is known of the places (topology_snapshot.hpp), what the read asks
// for, and how busy everybody is. No clock, no allocation.
//
// Order
// 1. Something of this request is in doubt or its position unknown: the primary.
// 2. The replica that this request has read before, if it still fits (a request never sees time go backwards).
// 3. Of the replicas asked for by name or purpose that fit: those of our region, of these the nearest, of these the
// one
//    with the fewest operations under way.
// 4. One of them will fit within moments (it has not replayed the token yet; nobody has looked at it yet): wait.
// 5. Any other replica that fits: a lost purpose moves to another.
// 6. The primary.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/causal_token.hpp>
#include <switchyard/fleet/topology_snapshot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// Where a request has read last, and when it had the last answer.
struct StickyRead {
  std::size_t place = 0;
  TimePoint used{};
};

/// What a read asks for.
struct ReadWish {
  /// Older rows are refused.
  Duration max_lag{};
  /// The caller said so himself: places whose lag is unknown are refused as well, and a replica's own limit does
  /// not widen it.
  bool strict = false;
  std::uint64_t max_lag_bytes = 0;  ///< 0 = any
  std::string_view replica;         ///< name or purpose; empty = any
  const CausalTokens::Entry* token = nullptr;
  const StickyRead* sticky = nullptr;
  std::string_view region;  ///< ours
  std::uint64_t avoid = 0;  ///< a bit for each place that has just failed this read
  Duration may_wait{};      ///< what is left of the time this read may wait for a replica
  TimePoint now{};
  std::uint32_t turn = 0;  ///< any changing number: whom to take of several equals
};

/// How busy a place is.
struct PlaceLoad {
  std::uint32_t outstanding = 0;
  bool available = true;  ///< its breaker lets us through
};

/// Why a place is taken, or not.
enum class Verdict : std::uint8_t {
  fits,
  not_a_replica,  ///< the primary, or a further host of it
  not_observed,   ///< nobody has looked yet
  unreachable,
  late,         ///< a probe of it is overdue
  unavailable,  ///< its breaker is open
  failed,       ///< this very read has just failed there
  demoted,
  other_cluster,
  diverged,  ///< replays a timeline that was abandoned
  lag,       ///< rows may be older than max_lag
  lag_unknown,
  lag_bytes,
  behind_token,       ///< has not replayed what this request wrote
  token_unreachable,  ///< can never show it: the token is of another cluster, or of a lost part of a timeline
  behind_former,      ///< may show less than the place this request has read before
};
inline constexpr std::size_t kVerdicts = 16;
/// "lags", "has not replayed what this request wrote": completes "replica 'api' ...".
[[nodiscard]] SWITCHYARD_API std::string_view to_string(Verdict verdict) noexcept;

/// May this read go to `place`, apart from its name and purposes?
[[nodiscard]] SWITCHYARD_API Verdict judge(const TopologySnapshot& snapshot, std::size_t place,
                                           const ReadWish& wish, const PlaceLoad& load) noexcept;

struct ReadChoice {
  enum class Kind : std::uint8_t {
    replica,  ///< `place`
    primary,
    wait,  ///< choose again soon; look at `place` at once
  };
  enum class Why : std::uint8_t {
    nearest,        ///< of those that fit
    again,          ///< where this request has read before
    other_purpose,  ///< nobody who was asked for fits: another replica
    token,          ///< of the primary: a position is unknown
    none_fits,      ///< of the primary: see `obstacle`
    no_replica,     ///< of the primary: there are no replicas
    waits,
  };
  Kind kind = Kind::primary;
  Why why = Why::no_replica;
  std::size_t place = 0;
  /// Why the replicas asked for were not taken: what keeps the one that came closest.
  Verdict obstacle = Verdict::fits;
};

/// `loads` has one element for each place.
[[nodiscard]] SWITCHYARD_API ReadChoice choose_read(const TopologySnapshot& snapshot, const ReadWish& wish,
                                                    std::span<const PlaceLoad> loads) noexcept;

}  // namespace switchyard::inline v0::fleet
