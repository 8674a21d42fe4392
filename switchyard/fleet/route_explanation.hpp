// Where an operation would go, and why not elsewhere: the answer of Fleet::explain_route() and of `switchyard route
// explain`.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/status.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0 {

struct RouteQuestion {
  bool read = false;                ///< by a read view; else a statement that may write
  std::string replica;              ///< name or purpose; empty = any
  std::optional<Duration> max_lag;  ///< nothing = the database's
  std::string sql;                  ///< would it share a session? empty = not asked
  std::string min_lsn;              ///< "0/402A018", or a token's position with system identifier and timeline
};

struct RouteCandidate {
  std::string name;      ///< "primary", the replica's name, or a host of the primary
  std::string location;  ///< "db2:5432/wellwon"
  bool chosen = false;
  std::string verdict;                    ///< "fits", "lags by more than max_lag", "is the primary"
  std::optional<ReplicationStatus> seen;  ///< nothing where there is only one place, which nobody looks at
};

struct RouteExplanation {
  std::string database;
  std::string location;  ///< of the choice
  std::string reason;
  std::string lane;   ///< whether the statement would share a session there, and why; empty = not asked
  std::string owner;  ///< whose tables the statement uses; empty = not asked, or nobody claims them
  std::vector<RouteCandidate> candidates;
};

}  // namespace switchyard::inline v0
