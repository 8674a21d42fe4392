#include <switchyard/fleet/marker_keeper.hpp>

#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::string_view kInsufficientPrivilege = "42501";
constexpr std::string_view kInvalidParameterValue = "22023";
/// Of the lock under which the table is made, so that processes that start together do not trip over each other.
constexpr std::int64_t kDdlLock = 0x7379'6d61'726b'6572;

constexpr std::string_view kDdl = R"(CREATE SCHEMA IF NOT EXISTS switchyard;
CREATE TABLE IF NOT EXISTS switchyard.commit_marker (
  id pg_catalog.uuid PRIMARY KEY,
  written_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now());
CREATE INDEX IF NOT EXISTS commit_marker_written_at ON switchyard.commit_marker (written_at);
)";

/// An hour longer than a marker may be asked for, so that its absence means something for all that time.
constexpr std::string_view kRemoveOld =
    "DELETE FROM switchyard.commit_marker WHERE id OPERATOR(pg_catalog.=) ANY (SELECT id FROM "
    "switchyard.commit_marker WHERE written_at OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) "
    "interval '25 hours') LIMIT 10000 FOR UPDATE SKIP LOCKED)";
static_assert(CommitMarker::kept_for == std::chrono::hours(24));
constexpr std::uint32_t kRemoveEvery = 1000;  // transactions with a marker

// Within transactions of the caller's: nothing here is looked up along his search_path.
constexpr std::string_view kTimeline =
    "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8)";
constexpr std::string_view kSystem =
    "(SELECT pg_catalog.concat(system_identifier) FROM pg_catalog.pg_control_system())";

constexpr Duration kFirstPause = std::chrono::milliseconds(10);
constexpr Duration kLongestPause = std::chrono::milliseconds(500);
/// How long a transaction that should have ended may go on before it is ended.
constexpr Duration kGrace = std::chrono::seconds(1);

std::uint32_t read_timeline(std::string_view hexadecimal) {
  std::uint32_t timeline = 0;
  std::from_chars(hexadecimal.data(), hexadecimal.data() + hexadecimal.size(), timeline, 16);
  return timeline;
}

Statement repeatable(std::string_view sql) { return {.sql = sql, .idempotent = true}; }

/// One look at the primary. Errors of the connection are thrown.
Task<MarkerAnswer> ask(RouteQuerier& primary, const CommitMarker& marker) {
  using Place = std::tuple<bool, std::string, std::optional<std::string>, std::int64_t>;
  static const std::string place_sql = "SELECT pg_catalog.pg_is_in_recovery(), " + std::string(kSystem) +
                                       ", CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN " +
                                       std::string(kTimeline) +
                                       " END, extract(epoch FROM pg_catalog.now())::bigint";
  MarkerAnswer answer;
  const auto place = co_await primary.query_one<Place>(repeatable(place_sql));
  answer.in_recovery = std::get<0>(place);
  answer.system = std::get<1>(place);
  answer.timeline = std::get<2>(place) ? read_timeline(*std::get<2>(place)) : 0;
  answer.now = std::get<3>(place);
  if (answer.in_recovery || answer.system != marker.system) co_return answer;
  // In this order: a transaction that has ended before the first question shows its row to the second.
  const auto status =
      co_await primary
          .query_value<std::optional<std::string>>(
              repeatable("SELECT pg_catalog.pg_xact_status($1::pg_catalog.text::pg_catalog.xid8)"), marker.xid)
          .result();
  // A number that the server has not given out yet: what it knew of the transaction was lost in a crash.
  if (!status.ok() && status.error().sqlstate() != kInvalidParameterValue) throw status.error();
  answer.under_way = status.ok() && *status == "in progress";
  answer.row = co_await primary.query_value<bool>(
      repeatable("SELECT EXISTS (SELECT FROM switchyard.commit_marker WHERE id OPERATOR(pg_catalog.=) "
                 "$1::pg_catalog.text::pg_catalog.uuid)"),
      marker.id);
  co_return answer;
}

Task<void> end_transaction(RouteQuerier& primary, const CommitMarker& marker) {
  co_await primary.query(
      repeatable("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid "
                 "OPERATOR(pg_catalog.=) $1 AND backend_xid OPERATOR(pg_catalog.=) "
                 "$2::pg_catalog.text::pg_catalog.xid8::pg_catalog.xid"),
      marker.process, marker.xid);
}

}  // namespace

std::string_view marker_ddl() noexcept { return kDdl; }

Task<void> prepare_markers(std::shared_ptr<Route> route, TimePoint deadline) {
  RouteQuerier querier(route, deadline);
  if (route->markers_written == 0) {
    const bool there = co_await querier.query_value<bool>(
        repeatable("SELECT pg_catalog.to_regclass('switchyard.commit_marker') IS NOT NULL"));
    std::optional<Error> refused;
    if (!there) {
      try {
        co_await querier.transaction([](Transaction& tx) -> Task<void> {
          co_await tx.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", kDdlLock);
          co_await tx.script(kDdl);
        });
      } catch (const Error& error) {
        refused = error;
      }
    }
    if (refused && refused->sqlstate() == kInsufficientPrivilege) {
      throw Error(ErrorKind::Config, "the table of commit markers is missing, and the login may not make it: " +
                                         std::string(refused->message()))
          .with_hint("as the owner of the database run: " + std::string(kDdl) +
                     "GRANT USAGE ON SCHEMA switchyard TO <login>; GRANT SELECT, INSERT, DELETE, UPDATE ON "
                     "switchyard.commit_marker TO <login>;")
          .with_database(std::string(route->database()));
    }
    if (refused) throw *refused;
  }
  if (route->markers_written++ % kRemoveEvery == 0) co_await querier.execute(repeatable(kRemoveOld));
}

Task<CommitMarker> write_marker(Querier& transaction, std::string_view database) {
  using Written = std::tuple<std::string, std::string, std::string, std::string, std::int32_t, std::int64_t>;
  static const std::string sql =
      "INSERT INTO switchyard.commit_marker (id) VALUES (pg_catalog.gen_random_uuid()) RETURNING "
      "pg_catalog.concat(id), pg_catalog.concat(pg_catalog.pg_current_xact_id()), " +
      std::string(kSystem) + ", " + std::string(kTimeline) +
      ", pg_catalog.pg_backend_pid(), extract(epoch FROM pg_catalog.now())::bigint";
  CommitMarker marker;
  marker.database = database;
  std::string timeline;
  std::tie(marker.id, marker.xid, marker.system, timeline, marker.process, marker.written_at) =
      co_await transaction.query_one<Written>(sql);
  marker.timeline = read_timeline(timeline);
  co_return marker;
}

Task<CommitOutcome> resolve_marker(std::shared_ptr<Route> route, CommitMarker marker, TimePoint deadline) {
  RouteQuerier primary(route, deadline);
  const TimePoint begun = runtime::now();
  std::string last = "it was not asked";
  for (Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    try {
      switch (judge_marker(marker, co_await ask(primary, marker))) {
        case MarkerFinding::committed: co_return CommitOutcome::committed;
        case MarkerFinding::rolled_back: co_return CommitOutcome::rolled_back;
        case MarkerFinding::unknown: co_return CommitOutcome::unknown;
        case MarkerFinding::under_way:
          last = "the server still has the transaction under way";
          if (runtime::now() - begun >= kGrace) co_await end_transaction(primary, marker);
          break;
        case MarkerFinding::not_primary: last = "no primary was found"; break;
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Closed || error.kind() == ErrorKind::Usage ||
          error.kind() == ErrorKind::Config) {
        throw;
      }
      last = error.what();
    }
    if (deadline_after(runtime::now(), pause) >= deadline) {
      throw Error(ErrorKind::Deadline,
                  "whether the transaction was committed could not be found out in time: " + last)
          .with_database(std::string(route->database()));
    }
    co_await sleep(pause);
  }
}

}  // namespace switchyard::inline v0::fleet
