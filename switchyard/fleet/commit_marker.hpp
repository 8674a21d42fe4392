// What settles a lost COMMIT. A transaction with a marker writes a row of its own into switchyard.commit_marker;
// when the answer to its COMMIT is lost, the row tells on the primary of the day whether it was committed: it is
// there, or it is not and the transaction can't commit any more.
//
// Why a row, and not pg_xact_status() alone: after a crash or a promotion the number of a lost transaction may be
// given to another one. The number is used for what it can tell: whether the old transaction is still under way.
//
// A marker can be kept as text (next to a message, in a log) and asked about later with Fleet::resolve(), for
// kept_for.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

struct SWITCHYARD_API CommitMarker {
  /// Rows are removed after this time; whether an older one was committed can't be said any more.
  static constexpr Duration kept_for = std::chrono::hours(24);

  std::string database;  ///< logical name
  std::string id;        ///< of the row: a uuid
  std::string xid;       ///< of the transaction: pg_current_xact_id()
  std::string system;    ///< identifier of the cluster
  std::uint32_t timeline = 0;
  std::int32_t process = 0;     ///< of the server, which ran it
  std::int64_t written_at = 0;  ///< seconds since 1970 by the server's clock

  /// "main:7ce2...:742:7391234567890:1:31337:1700000000"
  [[nodiscard]] std::string to_string() const;
  /// Config error for anything else.
  [[nodiscard]] static Result<CommitMarker> parse(std::string_view text);
  friend bool operator==(const CommitMarker&, const CommitMarker&) = default;
};

enum class CommitOutcome : std::uint8_t {
  committed,
  rolled_back,  ///< for good: it may be done again
  unknown,      ///< the primary of the day can't tell: it is another cluster, or the marker is too old
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(CommitOutcome outcome) noexcept;

namespace fleet {

/// What the server that now is asked knows.
struct MarkerAnswer {
  bool in_recovery = false;
  std::string system;
  std::uint32_t timeline = 0;
  bool under_way = false;  ///< a transaction with the marker's number has not ended
  bool row = false;
  std::int64_t now = 0;  ///< seconds since 1970
};

enum class MarkerFinding : std::uint8_t {
  committed,
  rolled_back,
  under_way,    ///< ask again: the server is still at it
  not_primary,  ///< ask again: this is a standby, or a primary that has been replaced
  unknown,
};

[[nodiscard]] MarkerFinding judge_marker(const CommitMarker& marker, const MarkerAnswer& answer) noexcept;

}  // namespace fleet

}  // namespace switchyard::inline v0
