// The times that the spool's rules are made of.
#pragma once

#include <switchyard/base/time.hpp>

namespace switchyard::inline v0::fleet {

struct SpoolTimes {
  /// Who writes to the database itself knows of an open spool no later than this: a write that starts with older
  /// knowledge looks first. One look at the fallback a second and writing process.
  Duration freshness = std::chrono::milliseconds(1000);
  /// The first write kept by a spool that has just opened is acknowledged this late, so that every process has seen
  /// it open before anybody can act on that write: `freshness` and a tenth for clocks that run differently.
  Duration grace = std::chrono::milliseconds(1100);
  /// A look that takes longer counts as failed: the writes do not wait for a fallback that is away itself.
  Duration look_limit = std::chrono::milliseconds(1000);
  /// Between two attempts to drain, doubling up to the second after failures.
  Duration drain_pause = std::chrono::milliseconds(500);
  Duration drain_pause_most = std::chrono::seconds(2);
  /// Who drains is alone for this long after each step. A drainer that died is replaced then.
  Duration lease = std::chrono::seconds(10);
  /// New writes wait at most this long while the spool is being closed behind them.
  Duration close_patience = std::chrono::milliseconds(200);
};

}  // namespace switchyard::inline v0::fleet
