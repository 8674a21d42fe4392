// The contenders. Each connects, warms up, measures one slice and disconnects. They throw std::exception when
// something goes wrong, and Unavailable where a contender can't be had here.
#pragma once

#include "sample.hpp"
#include "site.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace lane_bench {

class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `pgbench -M prepared -c CALLERS -j 2`, a session a caller. Counted by its log, which holds a fifth of its
/// transactions.
[[nodiscard]] Sample run_pgbench(const Site& site, const Load& load);

/// libpq's pipeline mode: one session, as many statements in flight as there are callers; what is sent at once
/// shares a Sync, an update has one of its own.
[[nodiscard]] Sample run_libpq_pipeline(const Site& site, const Load& load);

/// How the fleet may use sessions: one for each statement that runs, or shared by those that may.
enum class LaneUse { leased, shared };
/// The library: one shard, a coroutine a caller.
[[nodiscard]] Sample run_fleet(const Site& site, const Load& load, LaneUse use);

/// The configuration of such a fleet, whose database is "main".
[[nodiscard]] std::string fleet_text(const Site& site, const Load& load, LaneUse use);

/// What the raw loop does: its messages are encoded before the clock starts, and the answers are only counted.
struct RawShape {
  int sessions = 1;
  std::size_t per_sync = 1;  ///< reads that share a Sync at most
};
[[nodiscard]] Sample run_raw_loop(const Site& site, const Load& load, RawShape shape);
/// Every shape that makes sense for so many callers.
[[nodiscard]] std::vector<RawShape> raw_shapes(int callers);

}  // namespace lane_bench
