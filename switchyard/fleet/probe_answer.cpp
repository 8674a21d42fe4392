#include <switchyard/fleet/probe_answer.hpp>
#include <switchyard/fleet/topology_snapshot.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace switchyard::inline v0::fleet {
namespace {

/// Columns of probe_sql(), in order.
enum Column : int {
  kInRecovery,
  kSystemIdentifier,
  kTimeline,
  kTimelineExact,
  kWritten,
  kFlushed,
  kReceived,
  kReplayed,
  kReplayAge,
  kReceiver,
  kSubscribes,
  kSubscriptionAge,
  kSynchronousCommit,
  kSegmentSize,
  kColumns,
};

// The role is asked once, before anything that one of both kinds of servers refuses. pg_stat_get_wal_receiver shows
// roles without pg_read_all_stats the process id only.
constexpr std::string_view kProbe = R"(
WITH here AS MATERIALIZED (SELECT pg_catalog.pg_is_in_recovery() AS recovers)
SELECT here.recovers,
  s.system_identifier,
  CASE WHEN NOT here.recovers
    THEN ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint
    ELSE greatest(c.timeline_id, r.min_recovery_end_timeline, w.received_tli) END,
  NOT here.recovers OR w.received_tli IS NOT NULL,
  CASE WHEN NOT here.recovers THEN pg_catalog.pg_current_wal_insert_lsn() END,
  CASE WHEN NOT here.recovers THEN pg_catalog.pg_current_wal_flush_lsn() END,
  CASE WHEN here.recovers THEN pg_catalog.pg_last_wal_receive_lsn() END,
  CASE WHEN here.recovers THEN pg_catalog.pg_last_wal_replay_lsn() END,
  CASE WHEN here.recovers
    THEN extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8 END,
  w.pid IS NOT NULL,
  CASE WHEN NOT here.recovers
    THEN EXISTS (SELECT FROM pg_catalog.pg_stat_subscription) END,
  CASE WHEN NOT here.recovers
    THEN (SELECT extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(u.latest_end_time))::float8
          FROM pg_catalog.pg_stat_subscription u WHERE u.relid IS NULL
          HAVING pg_catalog.bool_and(u.pid IS NOT NULL AND u.latest_end_time IS NOT NULL)) END,
  pg_catalog.current_setting('synchronous_commit') <> 'off',
  pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))
FROM here, pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c,
  pg_catalog.pg_control_recovery() r, pg_catalog.pg_stat_get_wal_receiver() w)";

template <class Number>
std::optional<Number> number(protocol::FieldView field) noexcept {
  if (field.is_null()) return std::nullopt;
  Number value{};
  const char* const end = field.data + field.size;
  const auto [stopped, problem] = std::from_chars(field.data, end, value);
  if (problem != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::string_view text(protocol::FieldView field) noexcept {
  return field.is_null() ? std::string_view() : std::string_view(field.data, static_cast<std::size_t>(field.size));
}

bool flag(protocol::FieldView field) noexcept { return text(field) == "t"; }

WalPosition position(protocol::FieldView field) noexcept {
  return WalPosition::parse(text(field)).value_or(WalPosition());
}

std::optional<Duration> seconds(protocol::FieldView field) noexcept {
  const auto value = number<double>(field);
  constexpr double kLongest = 100.0 * 365 * 86400;
  if (!value || !std::isfinite(*value) || *value > kLongest) return std::nullopt;
  // Clocks that differ can make it negative.
  return *value <= 0 ? Duration::zero() : Duration(static_cast<std::int64_t>(*value * 1e9));
}

}  // namespace

std::string_view probe_sql() noexcept { return kProbe; }

std::optional<ProbeAnswer> decode_probe_answer(protocol::RowView row) noexcept {
  if (row.count() != kColumns || !row.well_formed()) return std::nullopt;
  const auto system = number<std::uint64_t>(row[kSystemIdentifier]);
  const auto timeline = number<std::uint32_t>(row[kTimeline]);
  if (!system || !timeline || row[kInRecovery].is_null()) return std::nullopt;
  ProbeAnswer out;
  out.in_recovery = flag(row[kInRecovery]);
  out.system_identifier = *system;
  out.timeline = *timeline;
  out.timeline_exact = flag(row[kTimelineExact]);
  out.written = position(row[kWritten]);
  out.flushed = position(row[kFlushed]);
  out.received = position(row[kReceived]);
  out.replayed = position(row[kReplayed]);
  out.replay_age = seconds(row[kReplayAge]);
  out.receiver = flag(row[kReceiver]);
  out.subscribes = flag(row[kSubscribes]);
  out.subscription_age = seconds(row[kSubscriptionAge]);
  out.synchronous_commit = flag(row[kSynchronousCommit]);
  out.segment_size = number<std::uint64_t>(row[kSegmentSize]).value_or(0);
  return out;
}

std::string history_sql(std::uint32_t timeline) {
  char name[16];
  std::snprintf(name, sizeof name, "%08X", timeline);
  const std::string function = "pg_catalog.pg_read_file(text,bigint,bigint,boolean)";
  return "SELECT CASE WHEN pg_catalog.has_function_privilege('" + function +
         "', 'execute') THEN pg_catalog.pg_read_file('pg_wal/" + name + ".history', 0, 65536, true) END";
}

std::vector<TimelineFork> parse_history(std::string_view file) {
  std::vector<TimelineFork> out;
  while (!file.empty()) {
    const std::size_t end = file.find('\n');
    const std::string_view line = file.substr(0, end);
    file = end == std::string_view::npos ? std::string_view() : file.substr(end + 1);
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    const std::string_view rest = line.substr(tab + 1);
    const auto at = WalPosition::parse(rest.substr(0, rest.find('\t')));
    std::uint32_t timeline = 0;
    const auto [stopped, problem] = std::from_chars(line.data(), line.data() + tab, timeline);
    if (!at || problem != std::errc() || stopped != line.data() + tab) continue;
    out.push_back({.timeline = timeline, .at = *at, .exact = true});
  }
  return out;
}

}  // namespace switchyard::inline v0::fleet
