// What a unit of work carries: a deadline shared by all its operations, and a label for logs and metrics.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

struct RequestOptions {
  /// Limit for the whole request, from now on; stored as an absolute deadline.
  std::optional<Duration> timeout = {};
  /// Shown in logs, metrics and errors.
  std::string_view label = {};
  /// The W3C `traceparent` header of whoever asked for this work: its operations become part of that trace. A
  /// malformed one is ignored.
  std::string_view traceparent = {};
};

struct ReadOptions {
  /// Rows may be at most this old: replicas that lag further, or do not tell, are not read. Without it the
  /// database's `max_lag` counts.
  std::optional<Duration> max_lag = {};
  /// The replica with this name or purpose ("reports") instead of any.
  std::string_view replica = {};
  /// An answer that may miss something is an error: another database's while this one is down, and one of this
  /// database while its spool is not empty. Otherwise such answers are flagged: Request::partial().
  bool strict = false;
};

/// What an operation is about to do, for Fleet::database_for().
enum class OperationKind : unsigned char { read, write };

enum class Isolation : unsigned char { server_default, read_committed, repeatable_read, serializable };
enum class Access : unsigned char { read_write, read_only };

struct TransactionOptions {
  Isolation isolation = Isolation::server_default;
  Access access = Access::read_write;
  bool deferrable = false;
  /// How often the whole function may be run again when the transaction was rolled back by no fault of its own
  /// (40001, 40P01, a lock or the server not to be had, a session lost before COMMIT), after a random pause and
  /// within the deadline and the retry budget; 0 = never. The function must then be callable as const and do
  /// nothing outside the database that may not happen twice.
  unsigned retry = 0;
  std::optional<Duration> timeout = {};
  /// Writes a commit marker (commit_marker.hpp) within the transaction, which costs a round trip: when the answer
  /// to COMMIT is lost, the fleet asks the primary whether it was committed, and what was rolled back may run again
  /// (`retry`). InDoubt remains only when nobody can tell before the deadline.
  bool marker = false;
};

namespace fleet {
/// The earlier of `deadline` and `limit` from now.
[[nodiscard]] SWITCHYARD_API TimePoint earlier_deadline(TimePoint deadline, Duration limit) noexcept;
}  // namespace fleet

}  // namespace switchyard::inline v0
