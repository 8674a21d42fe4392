// Commit markers in their database: makes their table, writes them, asks for them. The judgement is
// commit_marker.hpp's.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/commit_marker.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <memory>
#include <string_view>

namespace switchyard::inline v0::fleet {

class Route;

/// The table, for provisioning by a login that may make it.
[[nodiscard]] std::string_view marker_ddl() noexcept;

/// Before a transaction with a marker: the table is there (made at first use if the login may; else a Config error
/// with the statements), and now and then old rows are removed.
Task<void> prepare_markers(std::shared_ptr<Route> route, TimePoint deadline);

/// The first statement of such a transaction.
Task<CommitMarker> write_marker(Querier& transaction, std::string_view database);

/// Asks the primary, whichever it is by now, until it knows. A transaction that the server still has under way (its
/// COMMIT never arrived, or waits for a standby) gets a moment and is then ended there. Throws a Deadline error
/// when nobody could tell in time, Closed when the fleet goes.
Task<CommitOutcome> resolve_marker(std::shared_ptr<Route> route, CommitMarker marker, TimePoint deadline);

}  // namespace switchyard::inline v0::fleet
