// What a pool may do: sizes, time limits and the names under which the user knows them.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::pool {

/// How the settings are spelled where they were set ("PG_REFERENCE_POOL_MAX_SIZE", "database.reference.pool.max"),
/// so that an error can say what to change. Configuration fills them.
struct SettingNames {
  std::string min = "pool.min";
  std::string max = "pool.max";
  std::string acquire_timeout = "pool.acquire_timeout";
  std::string max_waiters = "pool.max_waiters";
};

/// The settings of one pool. Sizes count the process: every shard of it draws on the same numbers.
struct PoolSettings {
  /// Logical name of the database, for messages.
  std::string database;
  /// Sessions kept open without demand.
  std::uint32_t min = 0;
  /// Sessions that may exist at any moment, those being opened or closed included. 0: none, every acquire fails.
  std::uint32_t max = 20;
  /// Longest wait for a session; the caller's own deadline may end it sooner. 0: do not wait.
  Duration acquire_timeout = std::chrono::seconds(30);
  /// A session above `min` that nobody used for so long is closed. 0: never.
  Duration idle_timeout = std::chrono::minutes(5);
  /// Age at which a session is not lent any more. Each session starts to look for its replacement up to 10 %
  /// earlier, drawn once, so that sessions opened together do not end together. 0: unlimited.
  Duration max_lifetime = std::chrono::hours(1);
  /// A session that idled longer is asked whether it lives before it is lent. 0: whenever it
  /// idled at all; Duration::max(): never.
  Duration ping_after_idle = std::chrono::seconds(1);
  /// Limit of one ping; unanswered means dead.
  Duration ping_timeout = std::chrono::seconds(1);
  /// Limit of one connection attempt, whoever waits for it.
  Duration connect_timeout = std::chrono::seconds(10);
  /// Limit of one reset of a returned session; unanswered means closed.
  Duration reset_timeout = std::chrono::seconds(5);
  /// Connection attempts under way at one time in one shard.
  std::uint32_t max_concurrent_connects = 10;
  /// Callers that may wait at one time in one shard; the next one fails at once.
  std::uint32_t max_waiters = 10'000;
  /// A lease held longer is reported once, with the place that took it. 0: no watch.
  Duration leak_threshold = Duration::zero();
  /// Share of the process's sessions in use above which "[POOL EXHAUSTION]" is reported.
  double exhaustion_share = 0.9;
  /// "[POOL EXHAUSTION]" is reported at most once in this time.
  Duration exhaustion_report_interval = std::chrono::seconds(60);
  SettingNames setting_names;
};

}  // namespace switchyard::inline v0::pool
