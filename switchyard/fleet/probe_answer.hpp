// What a probe asks a server, and what it answers.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/wal_position.hpp>
#include <switchyard/protocol/row.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

struct TimelineFork;

/// The row of probe_sql(), decoded.
struct ProbeAnswer {
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  /// The timeline is the very one that is written or received. False on a standby that hides its WAL receiver from
  /// this role (pg_read_all_stats): the control file's may be an earlier one.
  bool timeline_exact = false;
  WalPosition written;   ///< not in recovery: pg_current_wal_insert_lsn()
  WalPosition flushed;   ///< not in recovery: pg_current_wal_flush_lsn()
  WalPosition received;  ///< in recovery: pg_last_wal_receive_lsn()
  WalPosition replayed;  ///< in recovery: pg_last_wal_replay_lsn()
  /// now() - pg_last_xact_replay_timestamp(): since when nothing was replayed that had a commit time.
  std::optional<Duration> replay_age;
  bool receiver = false;    ///< a WAL receiver runs
  bool subscribes = false;  ///< has subscriptions: a logical replica
  /// How long ago the position was reported to the publisher, the longest of all subscriptions; nothing if one of
  /// them does not run.
  std::optional<Duration> subscription_age;
  bool synchronous_commit = false;
  std::uint64_t segment_size = 0;
};

/// One simple query, for PostgreSQL 13 and later, as any role. The timeline of a primary is that of the next
/// record: the control file's lags until the checkpoint after a promotion.
[[nodiscard]] SWITCHYARD_API std::string_view probe_sql() noexcept;

/// Nothing if the row is not an answer to probe_sql().
[[nodiscard]] SWITCHYARD_API std::optional<ProbeAnswer> decode_probe_answer(protocol::RowView row) noexcept;

/// Asks a primary for the history file of its timeline; one row, NULL where the role may not read it.
[[nodiscard]] SWITCHYARD_API std::string history_sql(std::uint32_t timeline);
/// The forks that a history file lists ("1\t0/402A018\tno recovery target specified"). Lines that don't fit are
/// left out.
[[nodiscard]] SWITCHYARD_API std::vector<TimelineFork> parse_history(std::string_view file);

}  // namespace switchyard::inline v0::fleet
