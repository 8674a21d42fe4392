// What callers of point reads notice of somebody who misbehaves beside them: calm and disturbed halves in random
// order, medians over the rounds.
#pragma once

#include "sample.hpp"
#include "site.hpp"

#include <string>
#include <vector>

namespace lane_bench {

/// slow, huge, lock, ddl, cancel
[[nodiscard]] const std::vector<std::string>& disturbances();

/// Prints p50 and p99 of both halves with a session for each statement and with shared ones; gives whether p99 in
/// shared sessions stays within 1.5 times its calm value.
[[nodiscard]] bool disturb(const Site& site, const Load& load, const std::string& kind, int rounds);

}  // namespace lane_bench
