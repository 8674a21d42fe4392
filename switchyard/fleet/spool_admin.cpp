#include <switchyard/fleet/spool_admin.hpp>
#include <switchyard/fleet/spool_schema.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0 {
namespace {

constexpr std::string_view kMain = "main";
constexpr Duration kLimit = std::chrono::seconds(15);

/// A row as the server gives it: ages in microseconds.
struct ItemRow {
  std::string entry;
  std::int64_t position = 0;
  std::string summary;
  std::string label;
  std::int64_t bytes = 0;
  std::int64_t age = 0;
  bool refused = false;
  std::string sqlstate;
  std::string error;
};

DatabaseHandle home_of(Fleet& fleet, std::string_view database) {
  const std::string name = spool_home(fleet.config(), database).value_or_throw();
  return fleet.database(name).value_or_throw().with_context(
      {.deadline = deadline_after(runtime::now(), kLimit), .label = "spool"});
}

Task<bool> has_tables(DatabaseHandle& home) {
  co_return co_await home.query_value<bool>("SELECT to_regclass('switchyard.maintenance') IS NOT NULL");
}

Error unknown_entry(const std::string& database, const std::string& entry) {
  return Error(ErrorKind::Usage, "there is no refused entry '" + entry + "' of '" + database + "'")
      .with_hint("switchyard spool list --on " + database);
}

}  // namespace

Result<std::string> spool_home(const FleetConfig& fleet, std::string_view database) {
  auto resolved = fleet.resolve(database);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  const DatabaseConfig& config = *resolved->database;
  if (!config.fallback->empty()) return *config.fallback;
  return fleet.find(kMain) != nullptr ? std::string(kMain) : config.name;
}

Task<SpoolSummary> summarise_spool(Fleet& fleet, std::string database) {
  SpoolSummary out;
  out.database = database;
  out.fallback = spool_home(fleet.config(), database).value_or_throw();
  DatabaseHandle home = home_of(fleet, database);
  if (!co_await has_tables(home)) co_return out;
  using SummaryRow = std::tuple<bool, std::string, bool, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  const auto row = co_await home.query_one<SummaryRow>(
      "SELECT coalesce(gate.open, false), coalesce(gate.reason, ''),"
      " EXISTS (SELECT FROM switchyard.maintenance m WHERE m.database = $1 AND"
      "         (until IS NULL OR until > clock_timestamp())),"
      " (SELECT count(*) FROM switchyard.spool s WHERE s.database = $1),"
      " (SELECT coalesce(sum(bytes), 0)::bigint FROM switchyard.spool s WHERE s.database = $1),"
      " (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000000, 0)::bigint"
      "  FROM switchyard.spool s WHERE s.database = $1),"
      " (SELECT count(*) FROM switchyard.spool_refused r WHERE r.database = $1)"
      " FROM (SELECT 1) one LEFT JOIN switchyard.spool_gate gate ON gate.database = $1",
      database);
  std::int64_t age = 0;
  std::tie(out.open, out.reason, out.maintenance, out.entries, out.bytes, age, out.refused) = row;
  out.age = std::chrono::microseconds(age);
  co_return out;
}

Task<std::vector<SpoolItem>> list_spool(Fleet& fleet, std::string database, std::int64_t limit) {
  std::vector<SpoolItem> out;
  DatabaseHandle home = home_of(fleet, database);
  if (!co_await has_tables(home)) co_return out;
  const auto rows = co_await home.query<ItemRow>(
      "(SELECT entry::text, position, summary, label, bytes,"
      "  (extract(epoch FROM clock_timestamp() - created_at) * 1000000)::bigint AS age, true AS refused, sqlstate,"
      "  error FROM switchyard.spool_refused WHERE database = $1 ORDER BY position LIMIT $2)"
      " UNION ALL (SELECT entry::text, position, summary, label, bytes,"
      "  (extract(epoch FROM clock_timestamp() - created_at) * 1000000)::bigint, false, '', ''"
      "  FROM switchyard.spool WHERE database = $1 ORDER BY position LIMIT $2)",
      database, limit);
  for (const ItemRow& row : rows) {
    out.push_back({.entry = row.entry,
                   .position = row.position,
                   .summary = row.summary,
                   .label = row.label,
                   .bytes = row.bytes,
                   .age = std::chrono::microseconds(row.age),
                   .refused = row.refused,
                   .sqlstate = row.sqlstate,
                   .error = row.error});
  }
  co_return out;
}

Task<std::uint64_t> retry_refused(Fleet& fleet, std::string database, std::optional<std::string> entry) {
  DatabaseHandle home = home_of(fleet, database);
  const bool there = co_await has_tables(home);
  std::uint64_t moved = 0;
  if (there) {
    moved = co_await home.transaction([&](Transaction& tx) -> Task<std::uint64_t> {
      // The lock of the gate: it can't be closed between its opening here and the entries' arrival.
      co_await tx.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('switchyard.spool.' || $1, 0))",
                          database);
      const auto count = co_await tx.execute(
          "WITH again AS (DELETE FROM switchyard.spool_refused WHERE database = $1 AND"
          "  ($2::text IS NULL OR entry::text = $2::text) RETURNING *)"
          " INSERT INTO switchyard.spool (database, entry, summary, payload, sealed, bytes, label)"
          " SELECT database, entry, summary, payload, sealed, bytes, label FROM again ORDER BY position",
          database, entry);
      if (count == 0) co_return 0;
      co_await tx.execute(
          "INSERT INTO switchyard.spool_gate AS gate (database, open, epoch, reason) VALUES ($1, true, 1, 'retry')"
          " ON CONFLICT (database) DO UPDATE SET open = true, epoch = gate.epoch + 1, reason = excluded.reason,"
          " changed_at = clock_timestamp() WHERE NOT gate.open",
          database);
      co_return count;
    });
  }
  if (moved == 0 && entry) throw unknown_entry(database, *entry);
  co_return moved;
}

Task<std::uint64_t> drop_refused(Fleet& fleet, std::string database, std::string entry) {
  DatabaseHandle home = home_of(fleet, database);
  std::uint64_t dropped = 0;
  if (co_await has_tables(home)) {
    dropped = co_await home.execute("DELETE FROM switchyard.spool_refused WHERE database = $1 AND entry::text = $2",
                                    database, entry);
  }
  if (dropped == 0) throw unknown_entry(database, entry);
  co_return dropped;
}

Task<void> begin_maintenance(Fleet& fleet, std::string database, std::optional<Duration> length) {
  DatabaseHandle home = home_of(fleet, database);
  const bool there = co_await has_tables(home);
  if (!there) {
    const auto made = co_await as_result(home.transaction(
        [](Transaction& tx) -> Task<void> { co_await fleet::make_tables(tx, fleet::home_ddl()); }));
    if (!made.ok()) throw fleet::explain_missing(made.error(), fleet::home_ddl(), home.name());
  }
  std::optional<std::int64_t> microseconds;
  if (length) microseconds = std::chrono::duration_cast<std::chrono::microseconds>(*length).count();
  co_await home.execute(
      "INSERT INTO switchyard.maintenance (database, until) VALUES ($1, clock_timestamp() + $2 * interval '1 "
      "microsecond') ON CONFLICT (database) DO UPDATE SET begun_at = clock_timestamp(), until = excluded.until,"
      " begun_by = current_user",
      database, microseconds);
}

Task<bool> end_maintenance(Fleet& fleet, std::string database) {
  DatabaseHandle home = home_of(fleet, database);
  if (!co_await has_tables(home)) co_return false;
  const auto ended = co_await home.query_optional<bool>(
      "DELETE FROM switchyard.maintenance WHERE database = $1 RETURNING until IS NULL OR until > clock_timestamp()",
      database);
  co_return ended.value_or(false);
}

std::string spool_ddl() {
  return "-- in the database that keeps the spool (fallback)\n" + std::string(fleet::home_ddl()) +
         "\n-- in the database that spools\n" + std::string(fleet::progress_ddl());
}

}  // namespace switchyard::inline v0
