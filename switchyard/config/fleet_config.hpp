// The configuration of a fleet: plain data that Fleet::open() takes. It reads nothing by itself: load_config()
// (load.hpp) fills it from file, environment, .env and options, or a program writes it by hand.
//
// Each database owns all of its settings. There is no "default pool" or "default DSN" that another database could
// fall back to: what belongs to `reference` can be reached through find("reference") only, and the loader hands a
// database nothing but the variables that carry its own name.
//
// Durations of zero mean "no limit" where the comment says so. Pool sizes count sessions of this process, over all
// its shards.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/connection_options.hpp>
#include <switchyard/config/gateway_config.hpp>
#include <switchyard/config/name_rule.hpp>
#include <switchyard/config/origin.hpp>
#include <switchyard/config/provision_config.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

/// Whether reads of several callers may share a session.
enum class LaneMode : std::uint8_t {
  automatic,  ///< where it is known to be safe; "auto"
  leased,     ///< never
};
/// What happens to a database's work while its endpoint is down.
enum class WhenDown : std::uint8_t {
  fail,           ///< operations fail at once with a clear error
  read_fallback,  ///< reads are answered by `fallback` and flagged as partial; writes fail
  spool,          ///< as read_fallback, and writes are kept durably and applied later
};
enum class ServerType : std::uint8_t {
  production,
  development,  ///< pools start empty and stay small unless sizes are given
  test,         ///< as development
};
/// What happens to a statement that was sent to a database which does not own its tables, and to a transaction that
/// writes to two databases (docs/owners.md).
enum class OwnerCheck : std::uint8_t {
  automatic,  ///< fail in development and test, else off; "auto"
  off,
  warn,  ///< a log line for each text
  fail,  ///< an error instead of the statement
};
enum class RoleFamily : std::uint8_t {
  documents,  ///< the roles of the requirement documents: commerce_user owns commerce_schema
  family,     ///< X_owner, X_migrator, X_app, X_ro
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(WhenDown value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(LaneMode value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ServerType value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(RoleFamily value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(OwnerCheck value) noexcept;

/// One physical place and how to log in there.
struct SWITCHYARD_API EndpointConfig {
  Setting<Secret> dsn;        ///< as written; empty when the place was given otherwise, or not at all
  Setting<std::string> user;  ///< beside the dsn; stronger than the dsn's user
  Setting<Secret> password;
  Setting<std::string> host;  ///< instead of a dsn, or stronger than its host
  Setting<std::uint32_t> port;
  Setting<std::string> dbname;
  /// Any further option of libpq by its name: sslmode, connect_timeout, ...
  std::map<std::string, Setting<Secret>> options;
  Setting<std::string> region;
  std::string password_file;  ///< whose contents `password` is; read again for each session
  Setting<Secret> admin_dsn;  ///< of who provisions this place, instead of provision.admin_user

  /// The result of all of these, ready for a session: user, schema, application_name included. Meaningful only if
  /// configured().
  ConnectionOptions connection;
  /// False: nobody said where this endpoint is.
  bool is_configured = false;
  [[nodiscard]] bool configured() const noexcept { return is_configured; }
  /// "postgresql://wellwon:********@localhost:5432/wellwon", or "not configured".
  [[nodiscard]] std::string display() const;
};

/// Sessions of one endpoint, counted in this process. The sum over `workers` and databases is the budget.
struct PoolConfig {
  Setting<std::uint32_t> min = 5u;
  Setting<std::uint32_t> max = 20u;
  Setting<Duration> acquire_timeout = Duration(std::chrono::seconds(30));
  Setting<Duration> idle_timeout = Duration(std::chrono::seconds(300));  ///< above min; zero = kept for ever
  Setting<Duration> max_lifetime = Duration(std::chrono::hours(1));      ///< zero = no limit
  /// How to change `max` and `acquire_timeout` in the spelling in use, for errors: "PG_REFERENCE_POOL_MAX_SIZE" or
  /// "database.analytics.pool.max".
  std::string max_setting, acquire_timeout_setting;
};

struct RetryConfig {
  Setting<std::uint32_t> max_attempts = 3u;  ///< 1 = no retry
  Setting<Duration> initial_delay = Duration(std::chrono::milliseconds(100));
  Setting<Duration> max_delay = Duration(std::chrono::seconds(2));
  Setting<double> exponential_base = 2.0;
};

struct BreakerConfig {
  Setting<bool> enabled = true;
  Setting<Duration> window = Duration(std::chrono::seconds(10));
  Setting<std::uint32_t> minimum_calls = 20u;      ///< fewer calls in the window never open it
  Setting<double> failure_rate = 0.5;              ///< share of the calls, 0 to 1
  Setting<double> slow_rate = 0.8;                 ///< share slower than slow_call
  Setting<Duration> slow_call = Duration::zero();  ///< zero = slowness does not count
  Setting<Duration> open_for = Duration(std::chrono::seconds(5));
  Setting<Duration> open_max = Duration(std::chrono::seconds(60));  ///< open_for doubles up to this
  Setting<std::uint32_t> half_open_permits = 3u;
  Setting<Duration> half_open_wait = Duration(std::chrono::seconds(10));  ///< for the answer of a trial call
};

/// An adaptive limit on the operations that are with one endpoint at a time, in each shard.
struct LimiterConfig {
  Setting<bool> enabled = false;
  Setting<std::uint32_t> initial = 20u;
  Setting<std::uint32_t> min = 4u;
  Setting<std::uint32_t> max = 200u;
};

/// What is logged, measured and alerted on.
struct ObservabilityConfig {
  Setting<Duration> slow_query = Duration(std::chrono::milliseconds(1000));
  Setting<Duration> slow_acquire = Duration(std::chrono::milliseconds(500));
  Setting<double> pool_exhaustion = 0.9;                ///< share of max above which [POOL EXHAUSTION] is said
  Setting<std::uint32_t> statement_length = 80u;        ///< statements are cut here in log lines, with "..."
  Setting<Duration> latency_target = Duration::zero();  ///< zero = none; the share within it is a metric
  Setting<std::uint32_t> statement_names =
      200u;                            ///< names with numbers of their own; further ones count as "other"
  Setting<bool> sqlcommenter = false;  ///< statements end in a comment that says who sent them
};

/// Where traces go, and how much is remembered of what happened. Of the process.
struct TelemetryConfig {
  Setting<std::string> otlp_endpoint;         ///< "http://localhost:4318"; empty = no traces
  Setting<Secret> otlp_headers;               ///< "Authorization=Bearer x,Other=y"
  Setting<double> sample = 0.01;              ///< share of traces begun here; a caller's decision is followed
  Setting<std::uint32_t> span_queue = 4096u;  ///< spans that wait for the collector; more are dropped
  Setting<Duration> export_interval = Duration(std::chrono::seconds(1));
  Setting<std::uint32_t> events_kept = 1000u;  ///< of /api/events
  Setting<std::uint32_t> event_burst = 10u;    ///< log lines of one kind and database that may follow at once
  Setting<Duration> event_interval = Duration(std::chrono::seconds(1));  ///< and then one in this time
};

struct MigrationsConfig {
  Setting<std::vector<std::string>> locations;  ///< folders; "classpath:db/migration" is understood
  Setting<bool> migrate_at_start = false;
  Setting<std::string> baseline;            ///< the file that describes the state before the first migration
  Setting<std::string> history_schema;      ///< empty = the database's schema
  Setting<std::vector<std::string>> after;  ///< databases whose migrations go first
  std::map<std::string, Setting<std::string>> placeholders;  ///< ${schema} -> "commerce"
  Setting<std::string> encoding = std::string("UTF-8");
  Setting<std::string> placeholder_prefix = std::string("${");
  Setting<std::string> placeholder_suffix = std::string("}");
};

/// Of one database. An empty repository: that of the fleet.
struct BackupConfig {
  Setting<Duration> frequency = Duration(std::chrono::hours(1));
  Setting<Duration> retention = Duration(std::chrono::hours(24 * 30));
  Setting<Duration> wal_retention = Duration(std::chrono::hours(24 * 7));
  Setting<std::string> repository;         ///< folder of dumps
  Setting<std::string> second_repository;  ///< elsewhere
  Setting<std::string> data_folder;        ///< of its server, on this machine, for pgBackRest; empty = not used
  Setting<std::string> stanza;             ///< of pgBackRest; empty = the application's name
};

/// Of all databases.
struct FleetBackupConfig {
  Setting<std::string> repository;               ///< folder of dumps; empty = none are made
  Setting<std::string> second_repository;        ///< elsewhere
  Setting<std::vector<std::string>> recipients;  ///< age1...: public keys that dumps are encrypted for; empty = in
                                                 ///< the clear
  Setting<Secret> identity;                ///< AGE-SECRET-KEY-1...: opens them; a restore needs it, a backup not
  Setting<std::uint32_t> jobs = 2u;        ///< databases at a time
  Setting<bool> checksums = true;          ///< of every table's contents, for a restore test to compare
  Setting<std::string> pgbackrest;         ///< pgBackRest's repository; empty = it is not used
  Setting<std::string> pgbackrest_second;  ///< elsewhere
  Setting<Secret> pgbackrest_passphrase;   ///< encrypts both; empty = in the clear
};

struct ReplicaConfig {
  std::string name;         ///< unique within the database
  EndpointConfig endpoint;  ///< may be unconfigured: then it is listed in health and never routed to
  Setting<std::vector<std::string>>
      purposes;  ///< what `.read({.replica = "reports"})` asks for; the name always counts
  Setting<Duration> max_lag = Duration::zero();          ///< zero = the database's
  Setting<Duration> command_timeout = Duration::zero();  ///< zero = the database's
  Setting<bool> logical = false;  ///< a logical replica: not in recovery, causal reads compare the publisher
  PoolConfig pool;
};

struct SWITCHYARD_API DatabaseConfig {
  std::string name;
  Profile profile = Profile::generic;

  // Where.
  Setting<std::string> server;  ///< name of a [server.NAME] that supplies what the endpoint does not say
  EndpointConfig primary;       ///< unconfigured: see when_unconfigured and missing_dsn_message
  /// For transaction() and execute() when sessions for reads differ from those for writes: with read_only,
  /// write_dsn or write_user. Unconfigured = the primary's.
  EndpointConfig write;
  std::vector<ReplicaConfig> replicas;
  Setting<std::string> schema;            ///< search_path of every session
  Setting<std::string> role;              ///< login role; the same as the endpoint's user
  Setting<std::string> application_name;  ///< unless the DSN sets one: "<application>-<database>"

  // What is allowed, and how long.
  Setting<bool> read_only = false;  ///< sessions for reads and autocommit reads; write sessions stay writable
  Setting<Duration> command_timeout = Duration(std::chrono::seconds(60));  ///< zero = no limit
  Setting<Duration> query_timeout = Duration::zero();  ///< of single statements; zero = command_timeout alone
  PoolConfig pool;
  RetryConfig retry;
  BreakerConfig breaker;
  LimiterConfig limiter;
  Setting<bool> prepared_statements = true;       ///< false for poolers that can't keep them
  Setting<std::uint32_t> statement_cache = 256u;  ///< per session
  Setting<LaneMode> lane = LaneMode::automatic;
  Setting<std::vector<std::string>> lane_safe;  ///< "schema.name" of what leaves nothing behind, says its owner
  Setting<bool> single_flight = false;          ///< identical reads that wait share one execution
  Setting<std::uint64_t> max_result_bytes = 256ull << 20;  ///< of query<T>()
  // Replicas, and who the primary is.
  Setting<Duration> max_lag = Duration(std::chrono::seconds(60));            ///< of replicas, for .read()
  Setting<std::uint64_t> max_lag_bytes = 8ull << 20;                         ///< the same in bytes of WAL; 0 = any
  Setting<Duration> replica_wait = Duration(std::chrono::milliseconds(50));  ///< for a replica to replay a token
  Setting<double> primary_read_share = 0.5;  ///< of pool.max, for reads that no replica serves
  /// For another primary, since the last sign of life of the old one, while a standby could be promoted.
  Setting<Duration> failover_wait = Duration(std::chrono::seconds(30));
  Setting<Duration> probe_interval = Duration(std::chrono::seconds(1));
  Setting<std::string> patroni;  ///< URL of a Patroni REST API; empty = none

  // When something is missing.
  Setting<bool> required = false;          ///< the service is not ready without it
  Setting<std::string> when_unconfigured;  ///< "fail", or the database that takes over ("main")
  Setting<WhenDown> when_down = WhenDown::fail;
  Setting<std::string> fallback;       ///< who answers for read_fallback and spool; empty with fail
  Setting<bool> confidential = false;  ///< never spooled or read elsewhere in the clear
  Setting<Secret> spool_key;           ///< encrypts the spool of a confidential database
  Setting<std::uint64_t> spool_max_bytes = 256ull << 20;  ///< zero = no limit, here and below
  Setting<std::uint32_t> spool_max_entries = 100'000u;
  Setting<Duration> spool_max_age = Duration(std::chrono::hours(24 * 7));  ///< of the oldest entry
  Setting<bool> move_on_configure = false;
  Setting<std::vector<std::string>> tables;  ///< tables this database owns while they may still live elsewhere

  ObservabilityConfig observability;
  MigrationsConfig migrations;
  BackupConfig backup;
  DatabaseProvision provision;

  /// "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment."
  std::string missing_dsn_message;

  [[nodiscard]] bool configured() const noexcept { return primary.is_configured; }
  /// True if work for this unconfigured database goes to another one.
  [[nodiscard]] bool has_stand_in() const noexcept;
  [[nodiscard]] const ReplicaConfig* find_replica(std::string_view replica) const noexcept;
  /// The replica whose purposes (or name) include this; null if none.
  [[nodiscard]] const ReplicaConfig* replica_for(std::string_view purpose) const noexcept;
};

/// A place shared by several databases: [server.erp].
struct ServerConfig {
  std::string name;
  EndpointConfig endpoint;
};

/// Which database a name in code stands for.
struct ResolvedName {
  const DatabaseConfig* database = nullptr;
  bool read_view = false;    ///< main_replica, readReplica
  std::string_view purpose;  ///< reference_replica_api -> "api"
};

struct SWITCHYARD_API FleetConfig {
  Setting<std::string> application = std::string("switchyard");
  Setting<std::string> region;
  Setting<ServerType> server_type = ServerType::production;
  Setting<OwnerCheck> owner_check = OwnerCheck::automatic;
  Setting<std::uint32_t> workers = 1u;            ///< processes that share the budget
  std::uint32_t cores = 0;                        ///< of this machine, for the sizing formula; 0 = unknown
  Setting<std::uint32_t> connection_budget = 0u;  ///< over all workers and primaries; 0 = learnt from the servers
  Setting<bool> share_budget = true;              ///< processes of one user and machine share their servers' limits
  Setting<std::uint32_t> shards = 1u;             ///< threads of this process
  Setting<Duration> shutdown_timeout = Duration(std::chrono::seconds(10));
  Setting<RoleFamily> roles = RoleFamily::documents;
  Setting<std::vector<std::string>> migrations;  ///< folders whose files name their target: "-- Target: reference"
  Setting<std::string> http_address = std::string("127.0.0.1:8420");
  GatewayConfig gateway;
  ProvisionConfig provision;
  TelemetryConfig telemetry;
  FleetBackupConfig backup;
  Setting<std::string> vault_address;
  Setting<Secret> vault_token;
  std::map<std::string, Setting<std::string>> channels;  ///< alias -> topic: order-events -> commerce.orders

  std::vector<DatabaseConfig> databases;  ///< declaration order; main first if the environment declared them
  std::vector<ServerConfig> servers;
  Profile profile = Profile::generic;  ///< of main: who answers for what is not configured

  /// Names of *_DATABASE_URL and POSTGRES_*_DSN variables whose database nobody declared: listed, never opened.
  std::vector<std::string> undeclared_variables;
  /// Things that are probably not meant: one sentence each, with the place and what to do.
  std::vector<std::string> warnings;
  /// Keys that were set and have no effect (yet, or with the other settings): "database.main.backup.retention".
  std::vector<std::string> unused_keys;
  std::string file;  ///< path of the fleet file, empty if none

  [[nodiscard]] const DatabaseConfig* find(std::string_view name) const noexcept;
  [[nodiscard]] DatabaseConfig* find(std::string_view name) noexcept;
  /// owner_check with "auto" decided.
  [[nodiscard]] OwnerCheck effective_owner_check() const noexcept;
  /// Accepts read views as well; an unknown or malformed name is a Config error with "did you mean".
  [[nodiscard]] Result<ResolvedName> resolve(std::string_view name) const;
};

/// Where provision.secrets is: an absolute path, or one beside the fleet file.
[[nodiscard]] SWITCHYARD_API std::string secrets_folder(const FleetConfig& fleet);
/// The file there with the password of `role`; empty for a role whose name can't be a file's.
[[nodiscard]] SWITCHYARD_API std::string secret_file(const FleetConfig& fleet, std::string_view role);

/// Puts a database's primary (or a replica) at another place, as if its dsn had been `dsn`, keeping role, schema,
/// application_name and settings: how private clusters and tests take the place of real servers. `place` is shown
/// as the origin.
[[nodiscard]] SWITCHYARD_API Result<void> relocate(FleetConfig& fleet, DatabaseConfig& database,
                                                   std::string_view dsn, std::string place);
[[nodiscard]] SWITCHYARD_API Result<void> relocate(FleetConfig& fleet, DatabaseConfig& database,
                                                   ReplicaConfig& replica, std::string_view dsn, std::string place);

/// How many connections this configuration may open, per server and in all.
struct ServerSizing {
  std::string location;                ///< "localhost:5432", or "(not configured)"
  bool replica = false;                ///< holds replicas only
  std::vector<std::string> databases;  ///< with their maximum: "main 100"
  std::uint32_t per_worker = 0;
  std::uint64_t total = 0;  ///< workers x per_worker
  std::uint64_t recommended_max_connections = 0;
};
struct Sizing {
  std::vector<ServerSizing> servers;
  std::uint64_t primaries = 0;                    ///< what connection_budget bounds
  std::uint64_t recommended_max_connections = 0;  ///< if all primaries are on one server
  std::string formula;  ///< "4 workers x (main 100 + reference 50) = 600 connections; max_connections >= 650"
};
[[nodiscard]] SWITCHYARD_API Sizing sizing(const FleetConfig& fleet);

}  // namespace switchyard::inline v0
