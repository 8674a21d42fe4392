#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/fleet/spool_schema.hpp>
#include <switchyard/fleet/spool_store.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// One transaction of the drainer takes about this much, however many entries there are.
constexpr std::int64_t kBatchBytes = 4 << 20;

constexpr std::string_view kLockNotAvailable = "55P03";

// What is acknowledged here must survive a crash, whatever the database's own habit is.
#define SY_DURABLE                                                                                         \
  "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE " \
  "current_setting('synchronous_commit') END, true)"
// Writers share it, who closes the gate has it alone. The queue of locks is fair: writers can't starve the closing.
#define SY_GATE_KEY "hashtextextended('switchyard.spool.' || $1, 0)"

constexpr std::string_view kLook =
    "SELECT coalesce((SELECT open FROM switchyard.spool_gate WHERE database = $1), false),"
    " EXISTS (SELECT FROM switchyard.maintenance WHERE database = $1"
    "         AND (until IS NULL OR until > clock_timestamp())),"
    " count(*), coalesce(sum(bytes), 0)::bigint,"
    " coalesce(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000000, 0)::bigint,"
    " (SELECT count(*) FROM switchyard.spool_refused WHERE database = $1)"
    " FROM switchyard.spool WHERE database = $1";

constexpr std::string_view kOpen =
    "INSERT INTO switchyard.spool_gate AS gate (database, open, epoch, reason) VALUES ($1, true, 1, $2)"
    " ON CONFLICT (database) DO UPDATE SET open = true, epoch = gate.epoch + 1, reason = excluded.reason,"
    " changed_at = clock_timestamp() WHERE NOT gate.open";

// FOR SHARE looks at the newest version of the row, whatever the statement's snapshot is.
constexpr std::string_view kKeep =
    "WITH key AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(" SY_GATE_KEY "), " SY_DURABLE
    "), gate AS (SELECT g.changed_at FROM key, switchyard.spool_gate g WHERE g.database = $1 AND g.open"
    " FOR SHARE OF g),"
    " kept AS (INSERT INTO switchyard.spool (database, entry, summary, payload, sealed, bytes, label)"
    "  SELECT $1, $2, $3, $4, $5, length($4), $6 FROM gate RETURNING position)"
    " SELECT position, (extract(epoch FROM clock_timestamp() - changed_at) * 1000000)::bigint FROM kept, gate";

// The clock is in the token so that a spool that was made anew does not start below what its database has seen.
constexpr std::string_view kLease =
    "INSERT INTO switchyard.spool_drainer AS drainer (database, holder, token, lease_until)"
    " VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,"
    "         clock_timestamp() + $3 * interval '1 microsecond')"
    " ON CONFLICT (database) DO UPDATE SET holder = excluded.holder,"
    " token = greatest(drainer.token + 1, excluded.token), lease_until = excluded.lease_until"
    " WHERE drainer.lease_until < clock_timestamp() OR drainer.holder = excluded.holder RETURNING token";

constexpr std::string_view kRead =
    "SELECT position, entry, payload, sealed FROM (SELECT *, sum(bytes) OVER (ORDER BY position) - bytes AS before"
    " FROM (SELECT * FROM switchyard.spool WHERE database = $1 ORDER BY position LIMIT $2) AS first) AS sums"
    " WHERE before < $3 ORDER BY position";

constexpr std::string_view kRenew =
    "UPDATE switchyard.spool_drainer SET lease_until = clock_timestamp() + $3 * interval '1 microsecond'"
    " WHERE database = $1 AND token = $2";

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}
Duration from_microseconds(std::int64_t count) { return std::chrono::microseconds(count); }

using KeptRow = std::tuple<std::int64_t, std::int64_t>;

std::optional<KeptEntry> kept(const std::optional<KeptRow>& row) {
  if (!row) return std::nullopt;
  return KeptEntry{.position = std::get<0>(*row), .open_for = from_microseconds(std::get<1>(*row))};
}

}  // namespace

RouteQuerier SpoolStore::home(TimePoint deadline) const { return RouteQuerier(home_, deadline); }

Task<void> SpoolStore::ensure() {
  if (has_tables_) co_return;
  RouteQuerier querier = home();
  co_await ensure_home_tables(querier, home_->database());
  has_tables_ = true;
}

Task<StoreSight> SpoolStore::look(TimePoint deadline) {
  RouteQuerier querier = home(deadline);
  if (!has_tables_) has_tables_ = co_await has_home_tables(querier);
  StoreSight sight;
  if (!has_tables_) co_return sight;
  using Look = std::tuple<bool, bool, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  const auto row = co_await querier.query_one<Look>(kLook, database_);
  sight.gate.open = std::get<0>(row);
  sight.gate.maintenance = std::get<1>(row);
  sight.gate.usage.entries = static_cast<std::uint64_t>(std::get<2>(row));
  sight.gate.usage.bytes = static_cast<std::uint64_t>(std::get<3>(row));
  sight.gate.usage.age = from_microseconds(std::get<4>(row));
  sight.refused = static_cast<std::uint64_t>(std::get<5>(row));
  co_return sight;
}

Task<void> SpoolStore::open(std::string reason, TimePoint deadline) {
  co_await ensure();
  RouteQuerier querier = home(deadline);
  co_await querier.execute(kOpen, database_, reason);
}

Task<std::optional<KeptEntry>> SpoolStore::keep(const NewEntry& entry, TimePoint deadline) {
  RouteQuerier querier = home(deadline);
  co_return co_await keep_within(querier, entry);
}

Task<std::optional<KeptEntry>> SpoolStore::keep_within(Querier& within, const NewEntry& entry) {
  const auto row = co_await within.query_optional<KeptRow>(kKeep, database_, entry.entry, entry.summary,
                                                           entry.payload, entry.sealed, entry.label);
  co_return kept(row);
}

Task<std::string> SpoolStore::source() {
  if (source_.empty()) {
    RouteQuerier querier = home();
    source_ = co_await querier.query_value<std::string>(
        "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"
        " FROM pg_control_system()");
  }
  co_return source_;
}

Task<std::optional<std::int64_t>> SpoolStore::lease(const Uuid& holder, Duration length) {
  co_await ensure();
  RouteQuerier querier = home();
  co_return co_await querier.query_optional<std::int64_t>(kLease, database_, holder, microseconds(length));
}

Task<std::vector<StoredEntry>> SpoolStore::read(std::size_t limit) {
  RouteQuerier querier = home();
  co_return co_await querier.query<StoredEntry>(kRead, database_, static_cast<std::int64_t>(limit), kBatchBytes);
}

Task<bool> SpoolStore::forget(std::int64_t token, std::vector<Uuid> entries, Duration length) {
  RouteQuerier querier = home();
  co_return co_await querier.transaction([&](Transaction& tx) -> Task<bool> {
    const auto renewed = co_await tx.execute(kRenew, database_, token, microseconds(length));
    if (renewed == 0) co_return false;
    co_await tx.execute("SELECT " SY_DURABLE);
    co_await tx.execute("DELETE FROM switchyard.spool WHERE entry = ANY($1) AND database = $2", entries, database_);
    co_return true;
  });
}

Task<bool> SpoolStore::bury(std::int64_t token, const Uuid& entry, std::string sqlstate, std::string error,
                            Duration length) {
  RouteQuerier querier = home();
  co_return co_await querier.transaction([&](Transaction& tx) -> Task<bool> {
    const auto renewed = co_await tx.execute(kRenew, database_, token, microseconds(length));
    if (renewed == 0) co_return false;
    co_await tx.execute("SELECT " SY_DURABLE);
    co_await tx.execute(
        "WITH gone AS (DELETE FROM switchyard.spool WHERE entry = $1 RETURNING *)"
        " INSERT INTO switchyard.spool_refused (entry, position, database, summary, payload, sealed, bytes, label,"
        " created_at, sqlstate, error) SELECT entry, position, database, summary, payload, sealed, bytes, label,"
        " created_at, $2, $3 FROM gone",
        entry, sqlstate, error);
    co_return true;
  });
}

Task<CloseOutcome> SpoolStore::close(std::int64_t token, Duration patience) {
  RouteQuerier querier = home();
  std::optional<Error> failure;
  try {
    co_return co_await querier.transaction([&](Transaction& tx) -> Task<CloseOutcome> {
      const std::string wait =
          std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
      co_await tx.execute("SELECT set_config('lock_timeout', $1, true), " SY_DURABLE, wait);
      co_await tx.execute("SELECT pg_advisory_xact_lock(" SY_GATE_KEY ")", database_);
      const bool mine = co_await tx.query_value<bool>(
          "SELECT EXISTS (SELECT FROM switchyard.spool_drainer WHERE database = $1 AND token = $2)", database_,
          token);
      if (!mine) co_return CloseOutcome::fenced;
      const auto closed = co_await tx.execute(
          "UPDATE switchyard.spool_gate SET open = false, changed_at = clock_timestamp() WHERE database = $1 AND"
          " NOT EXISTS (SELECT FROM switchyard.spool WHERE database = $1)",
          database_);
      if (closed > 0) co_return CloseOutcome::closed;
      const bool left = co_await tx.query_value<bool>(
          "SELECT EXISTS (SELECT FROM switchyard.spool WHERE database = $1)", database_);
      // Without a row in the gate nothing was ever opened.
      co_return left ? CloseOutcome::entries_left : CloseOutcome::closed;
    });
  } catch (const Error& error) {
    failure = error;
  }
  if (failure->sqlstate() != kLockNotAvailable) throw *failure;
  co_return CloseOutcome::writers_busy;
}

Task<void> SpoolStore::release(std::int64_t token) {
  RouteQuerier querier = home();
  co_await querier.execute(
      "UPDATE switchyard.spool_drainer SET lease_until = '-infinity', holder = NULL WHERE database = $1 AND"
      " token = $2",
      database_, token);
}

}  // namespace switchyard::inline v0::fleet
