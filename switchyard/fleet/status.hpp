// What a fleet knows of itself at one moment, as plain values: the source of `switchyard status`, /health,
// /api/fleet and /metrics.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0 {

/// Sessions of one pool. Counts are of this process.
struct PoolStatus {
  std::uint32_t total = 0;  ///< open sessions
  std::uint32_t active = 0;
  std::uint32_t idle = 0;
  std::uint32_t connecting = 0;
  std::uint32_t tested = 0;    ///< of the active ones: being reset or pinged
  std::uint32_t outdated = 0;  ///< of the active ones: closed when they come back (Fleet::reconnect)
  std::uint32_t waiting = 0;   ///< callers without a session
  Duration longest_wait{};     ///< of those
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  std::uint64_t created = 0;  ///< sessions opened since the start
  std::uint64_t closed = 0;
  std::uint64_t timeouts = 0;   ///< callers that waited in vain
  std::uint64_t exhausted = 0;  ///< times every session was in use
};

/// Operations of one endpoint since the start. Times of execution and of waiting for a session are kept apart.
struct OperationStatus {
  std::uint64_t count = 0;
  std::uint64_t errors = 0;
  std::uint64_t slow = 0;
  std::uint64_t slow_acquires = 0;
  std::uint64_t retries = 0;
  Duration p50{};
  Duration p95{};
  Duration p99{};
  Duration acquire_p50{};
  Duration acquire_p95{};
  Duration acquire_p99{};
};

/// Executions of one named statement at one endpoint.
struct StatementStatus {
  std::string name;
  std::string access;  ///< "read" or "write"
  std::uint64_t count = 0;
  std::uint64_t errors = 0;
  Duration p50{};
  Duration p95{};
  Duration p99{};
};

/// `write` and `read` are sessions of their own at the primary: for writes beside read-only ones, and for reads
/// that no replica serves.
enum class EndpointRole : std::uint8_t { primary, replica, write, read };

/// A place as it was last seen by a probe.
struct ReplicationStatus {
  bool observed = false;  ///< at least once; the rest is from then
  bool reachable = false;
  bool late = false;  ///< a probe is overdue
  std::string role;   ///< "primary", "standby", "logical", "demoted", "unknown"
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  std::string lsn;              ///< replayed by a standby, on disk of a primary; empty = unknown
  std::optional<Duration> lag;  ///< of a replica; nothing = unknown
  std::optional<std::uint64_t> lag_bytes;
  Duration rtt{};
  std::string error;  ///< of the last probe, if it failed
};

/// The circuit breaker in front of an endpoint, for one access. Its state is that of all shards of the process.
struct BreakerReport {
  std::string endpoint;            ///< "primary", "write", or the replica's name
  std::string access;              ///< "read" or "write"
  std::string state = "CLOSED";    ///< "CLOSED", "OPEN", "HALF_OPEN"
  std::string mode = "automatic";  ///< "forced open" and "forced closed": by an operator
  std::uint64_t calls = 0;         ///< within its window
  std::uint64_t failed = 0;        ///< of these
  std::uint64_t slow = 0;          ///< of these
  std::uint64_t refused = 0;       ///< calls it turned away since the start
  std::uint64_t opened = 0;        ///< times since the start
  std::optional<Duration>
      trial_in;              ///< until a trial call may go, when it is not CLOSED; none = an operator decides
  std::string why;           ///< of the last change; empty before the first
  std::string last_failure;  ///< empty if there was none
};

/// The adaptive limiter in front of an endpoint, of this shard.
struct LimiterReport {
  std::uint32_t limit = 0;
  std::uint32_t in_flight = 0;
  std::uint32_t waiting = 0;
};

/// The shared lane of an endpoint, of this shard.
struct LaneStatus {
  struct Reason {
    std::string why;  ///< "leased: more rows than the lane's row cap"
    std::uint64_t count = 0;
  };
  std::uint32_t sessions = 0;     ///< now
  std::uint32_t outstanding = 0;  ///< statements on their wires now
  std::uint32_t queued = 0;
  std::uint64_t statements = 0;  ///< taken in since the start
  std::uint64_t syncs = 0;       ///< groups they were sent in
  std::uint64_t reissued = 0;    ///< moved away from a slow statement
  std::uint64_t cancels = 0;
  std::uint64_t alarms = 0;      ///< sessions closed because something did not fit
  std::vector<Reason> exits;     ///< statements that went on, on a lease
  std::vector<Reason> refusals;  ///< reads that were leased from the start
};

struct EndpointStatus {
  EndpointRole role = EndpointRole::primary;
  std::string name;      ///< of a replica; "primary" or "write" otherwise
  std::string location;  ///< "localhost:5432/wellwon"; no credentials
  bool configured = false;
  bool opened = false;  ///< its pool has been used
  std::optional<PoolStatus> pool;
  OperationStatus operations;  ///< all; `reads` and `writes` are its parts
  OperationStatus reads;
  OperationStatus writes;
  std::vector<StatementStatus> statements;
  std::string last_error;          ///< of the last failed connect; empty after a success
  std::string breaker = "CLOSED";  ///< the worst of `breakers`
  std::vector<BreakerReport> breakers;
  std::optional<LimiterReport> limiter;          ///< none when it is not enabled
  std::optional<LaneStatus> lane;                ///< none while nothing was shared
  std::optional<ReplicationStatus> replication;  ///< where there is more than one place
};

/// Writes of a database that are kept in another one until it is back. Figures are those of the last look, counters
/// of this process.
struct SpoolStatus {
  std::string fallback;          ///< the database that keeps them
  std::string state = "direct";  ///< "direct", "opening", "spooling"
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  Duration age{};                 ///< of the oldest entry
  std::uint64_t refused = 0;      ///< entries that the database did not take: `switchyard spool list`
  std::uint64_t max_entries = 0;  ///< zero = no limit, here and below
  std::uint64_t max_bytes = 0;
  Duration max_age{};
  std::uint64_t kept_total = 0;
  std::uint64_t drained_total = 0;
  std::string last_error;  ///< of opening or draining; empty after a success
};

/// What is in the backup repository of a database.
struct BackupStatus {
  std::string repository;
  std::string last;             ///< name of the newest usable backup; empty: there is none
  std::optional<Duration> age;  ///< of the moment it shows
  std::uint64_t bytes = 0;      ///< of its dump
  bool encrypted = false;
  std::string proven;                  ///< name of the newest one that a restore test has proven; empty: none
  std::optional<Duration> proven_age;  ///< since that test
  std::string failed_proof;            ///< name of the newest one that did not stand the test, if no later one did
  Duration frequency{};                ///< how often one is wanted
};

struct DatabaseStatus {
  std::string name;
  bool configured = false;
  bool required = false;
  bool read_only = false;
  std::string stand_in;  ///< the database that takes over while this one is unconfigured; empty = none
  std::string profile;
  std::string note;  ///< what a person should know: where its tables are; empty = nothing
  std::string hint;  ///< what to do about it
  bool maintenance = false;
  bool paused = false;                    ///< Fleet::pause
  std::optional<SpoolStatus> spool;       ///< of a database with when_down = "spool"
  std::optional<BackupStatus> backup;     ///< of a database with a backup repository, where somebody looks at it
  std::vector<EndpointStatus> endpoints;  ///< primary first
  std::uint64_t retries = 0;              ///< operations and transactions that were run again
  std::uint64_t retries_refused = 0;      ///< that were not, because the retry budget was used up
};

/// One open session of a pool, of this shard.
struct SessionStatus {
  std::string database;
  std::string endpoint;  ///< "primary", "write", or the replica's name
  std::string user;
  std::string state;              ///< "idle", "active", "tested"
  bool outdated = false;          ///< closed when it comes back
  const void* session = nullptr;  ///< to tell one from the other
  std::int32_t server_pid = 0;
  std::string host;  ///< an address, or the path of a Unix-domain socket
  std::uint16_t port = 0;
  int socket = -1;
  bool tls = false;
  Duration age{};
  std::size_t prepared_statements = 0;
};

/// Of the wire door, when this process has one open.
struct WireDoorStatus {
  std::vector<std::string> addresses;
  std::uint32_t clients = 0;           ///< connected, those that log in included
  std::uint32_t logins = 0;            ///< of them: have not logged in yet
  std::uint32_t served = 0;            ///< of them: have a session of a server
  std::uint32_t waiting = 0;           ///< of them: wait for one
  std::uint32_t sessions = 0;          ///< of servers, that clients have or have just had
  std::uint32_t roles = 0;             ///< pools of roles other than the fleet's
  std::uint64_t accepted = 0;          ///< connections
  std::uint64_t refused = 0;           ///< ended before they could send a statement, cancel requests not counted
  std::uint64_t cancels = 0;           ///< cancel requests that named a client
  std::uint64_t stray_cancels = 0;     ///< and those that did not, or were too many
  std::uint64_t at_replicas = 0;       ///< reads that a replica served
  std::uint64_t reads_at_primary = 0;  ///< reads that none could serve
};

struct FleetStatus {
  std::string application;
  std::string version;
  Duration uptime{};
  std::vector<DatabaseStatus> databases;
  std::optional<WireDoorStatus> door;
};

/// The answer of one check with SELECT 1.
struct HealthReport {
  std::string database;
  bool healthy = false;
  bool required = false;
  std::uint32_t pool_size = 0;  ///< open sessions, when healthy
  std::uint32_t pool_max = 0;
  std::string error;  ///< when not healthy
  std::string breaker = "CLOSED";
  Duration took{};
  /// One for each replica of the database.
  std::vector<HealthReport> replicas;
};

}  // namespace switchyard::inline v0
