#include <switchyard/config/key_table.hpp>

#include <array>
#include <vector>

namespace switchyard::inline v0::config {
namespace {

using enum ValueKind;
using enum Effect;

constexpr double kMostSessions = 100'000;  // of one pool: PostgreSQL itself allows 262 143
constexpr double kMostWorkers = 10'000;
constexpr double kMostClients = 1'000'000;  // 24 bits of a client's process id number it
constexpr double kMostShards = 64;          // the id of a client names its shard
constexpr std::string_view kPoolModes = "auto|session|transaction";

// clang-format off: one key a line reads better
constexpr std::array kKeys{
    KeySpec{"fleet.application", text, "switchyard", "name of the application; sessions are called <application>-<database>"},
    KeySpec{"fleet.region", text, "", "where the application runs; replicas of the same region are preferred"},
    KeySpec{"fleet.server_type", choice, "production", "development, test: pools start empty and default to at most 5 sessions; owner_check fails", 0, 0, "production|development|test"},
    KeySpec{"fleet.owner_check", choice, "fail in development and test, off in production", "statements sent to a database that does not own their tables, transactions that write to two databases", 0, 0, "auto|off|warn|fail"},
    KeySpec{"fleet.workers", count, "1", "processes of the application that share the servers' connections", 1, kMostWorkers},
    KeySpec{"fleet.connection_budget", count, "0", "connections to primaries over all workers and databases; 0: learnt from the servers"},
    KeySpec{"fleet.share_budget", flag, "true", "processes on one machine share what the servers allow; false: pool.max is the only limit"},
    KeySpec{"fleet.shards", count, "1", "threads of one process", 1, 1024},
    KeySpec{"fleet.shutdown_timeout", duration, "10s", "how long a shutdown waits for running work"},
    KeySpec{"fleet.roles", choice, "documents", "names of provisioned roles: commerce_user, or X_owner, X_migrator, X_app, X_ro; with family migrations are run as X_owner", 0, 0, "documents|family"},
    KeySpec{"fleet.migrations", list, "", "folders of migrations that name their database themselves (-- Target: reference)", 0, 0, "", active},
    KeySpec{"http.address", text, "127.0.0.1:8420", "address of the HTTP door"},
    KeySpec{"gateway.listen", list, "127.0.0.1:6433", "where PostgreSQL clients connect: HOST:PORT, PORT on 127.0.0.1, *:PORT for every address; [] for none"},
    KeySpec{"gateway.shards", count, "1", "threads that serve clients; those of one database and user share one as long as that has time", 1, kMostShards},
    KeySpec{"gateway.unix_socket", text, "", "folder for a Unix-domain socket .s.PGSQL.PORT (psql -h FOLDER); empty: none, but for `switchyard up`"},
    KeySpec{"gateway.unix_socket_mode", text, "0600", "who may connect to it, as chmod has it"},
    KeySpec{"gateway.tls_certificate", text, "", "PEM file with the certificate chain shown to clients; empty: no TLS"},
    KeySpec{"gateway.tls_key", text, "", "PEM file with its key"},
    KeySpec{"gateway.tls_client_ca", text, "", "PEM file with the authorities whose client certificates are accepted"},
    KeySpec{"gateway.users_file", text, "", "who may log in: PgBouncer's userlist.txt, a user and a SCRAM verifier, MD5 hash or password in quotes a line"},
    KeySpec{"gateway.hba", list, "own account by Unix socket, everybody else scram-sha-256", "who may log in from where and how: lines as in pg_hba.conf, the first that fits decides"},
    KeySpec{"gateway.hba_file", text, "", "file with such lines, behind those of hba"},
    KeySpec{"gateway.auth_user", text, "", "role that looks up, on the server, users who are not in users_file; empty: nobody does"},
    KeySpec{"gateway.auth_password", secret, "", "password of auth_user; empty: as users_file says"},
    KeySpec{"gateway.auth_query", text, "name and password from pg_shadow", "what auth_user asks, with the user as $1; two columns: name and secret"},
    KeySpec{"gateway.auth_database", text, "the one the client wants", "database of the fleet where it asks"},
    KeySpec{"gateway.auth_cache", duration, "10s", "how long its answer is believed, and how soon a role that lost its login loses its clients"},
    KeySpec{"gateway.admin_users", list, "", "may do everything on the console (database switchyard)"},
    KeySpec{"gateway.stats_users", list, "", "may look at the console's tables"},
    KeySpec{"gateway.max_clients", count, "10000", "clients that have logged in", 1, kMostClients},
    KeySpec{"gateway.max_logins", count, "1000", "connections that have not logged in yet; with one more the oldest of them is ended", 1, kMostClients},
    KeySpec{"gateway.database_max_clients", count, "0", "clients of one database; 0: any", 0, kMostClients},
    KeySpec{"gateway.user_max_clients", count, "0", "clients of one user; 0: any", 0, kMostClients},
    KeySpec{"gateway.max_sessions", count, "0", "sessions that clients use at a time, lanes not counted; 0: any number", 0, kMostSessions},
    KeySpec{"gateway.user_max_sessions", count, "0", "the same of one user's clients", 0, kMostSessions},
    KeySpec{"gateway.user_min_sessions", count, "0", "of max_sessions kept free for each user while it has clients", 0, kMostSessions},
    KeySpec{"gateway.role_pools", count, "100", "pools of roles other than the fleet's, for clients that log in as these", 0, 10'000},
    KeySpec{"gateway.role_pool_max", count, "10", "sessions of each such pool", 1, kMostSessions},
    KeySpec{"gateway.role_pool_idle", duration, "5m", "such a pool is closed when nobody has used it for so long"},
    KeySpec{"gateway.cancel_rate", count, "100", "cancel requests a second that one address may send", 1, 1'000'000},
    KeySpec{"gateway.login_timeout", duration, "60s", "from the connection to the end of authentication"},
    KeySpec{"gateway.query_wait_timeout", duration, "2m", "longest wait of a client for a session; 0: any time"},
    KeySpec{"gateway.client_idle_timeout", duration, "0s", "clients that send nothing for so long are ended; 0: never"},
    KeySpec{"gateway.idle_transaction_timeout", duration, "0s", "the same within a transaction; 0: never"},
    KeySpec{"gateway.handover_limit", duration, "1h", "at a restart, clients that hold a session are waited for so long, then ended"},
    KeySpec{"gateway.handover_tls_limit", duration, "24h", "at a restart, clients over TLS stay with the old process so long at most"},
    KeySpec{"gateway.pool_mode", choice, "auto", "auto: a session for as long as a client needs one; session: from login to goodbye; transaction: for a transaction", 0, 0, kPoolModes},
    KeySpec{"gateway.auto_read", flag, "false", "reads outside transactions go to replicas where that is safe; else only :read and BEGIN READ ONLY"},
    KeySpec{"gateway.consistency", choice, "session", "session: a read on a replica has seen its client's writes; strict: everybody's", 0, 0, "session|strict"},
    KeySpec{"gateway.sequences", choice, "follow", "follow: currval() and lastval() go to the session of the client's last write; pin: who uses them keeps a session", 0, 0, "follow|pin"},
    KeySpec{"gateway.database.*.pool_mode", choice, "the gateway's", "for clients of this database", 0, 0, kPoolModes},
    KeySpec{"gateway.database.*.max_clients", count, "the gateway's", "clients of this database; 0: as database_max_clients says", 0, kMostClients},
    KeySpec{"gateway.database.*.max_sessions", count, "0", "sessions that its clients use at a time; 0: any number", 0, kMostSessions},
    KeySpec{"gateway.database.*.min_sessions", count, "0", "of gateway.max_sessions kept free for its clients while there are any", 0, kMostSessions},
    KeySpec{"gateway.database.*.auto_read", flag, "the gateway's", "for clients of this database"},
    KeySpec{"gateway.database.*.consistency", choice, "the gateway's", "for clients of this database", 0, 0, "session|strict"},
    KeySpec{"gateway.database.*.sequences", choice, "the gateway's", "for clients of this database", 0, 0, "follow|pin"},
    KeySpec{"gateway.user.*.pool_mode", choice, "the gateway's", "for clients of this user", 0, 0, kPoolModes},
    KeySpec{"gateway.user.*.max_clients", count, "the gateway's", "clients of this user; 0: as user_max_clients says", 0, kMostClients},
    KeySpec{"gateway.user.*.max_sessions", count, "the gateway's", "sessions of this user's clients; 0: as user_max_sessions says", 0, kMostSessions},
    KeySpec{"gateway.user.*.min_sessions", count, "the gateway's", "kept free for this user's clients; 0: as user_min_sessions says", 0, kMostSessions},
    KeySpec{"provision.secrets", text, "secrets", "folder beside the fleet file with a file for each role that holds its password; what a role without another password logs in with"},
    KeySpec{"provision.admin_user", text, "postgres", "who provisions the servers, at the databases' places"},
    KeySpec{"provision.admin_password", secret, "", "password of admin_user; empty: from the password file, or PGPASSWORD"},
    KeySpec{"provision.monitor", text, "none; with roles = family <application>_monitor", "role that may look at statistics (pg_monitor) and at nothing else"},
    KeySpec{"provision.password_grace", duration, "5m", "how long the gateway takes a password that provision rotate has replaced"},
    KeySpec{"telemetry.otlp_endpoint", text, "", "collector of traces (OTLP/HTTP), such as http://localhost:4318; empty: no traces"},
    KeySpec{"telemetry.otlp_headers", secret, "", "headers for the collector: Authorization=Bearer x,Other=y"},
    KeySpec{"telemetry.sample", real, "0.01", "share of the traces begun here that is recorded; for a trace begun elsewhere its sampled flag decides", 0, 1},
    KeySpec{"telemetry.span_queue", count, "4096", "spans that may wait for the collector; further ones are dropped and counted", 1, 1'000'000},
    KeySpec{"telemetry.export_interval", duration, "1s", "how often spans are sent"},
    KeySpec{"telemetry.events_kept", count, "1000", "events that /api/events remembers", 1, 100'000},
    KeySpec{"telemetry.event_burst", count, "10", "log lines of one kind and database that may follow each other at once", 1, 10'000},
    KeySpec{"telemetry.event_interval", duration, "1s", "and then one line in this time; the next one says how many were left out"},
    KeySpec{"backup.repository", text, "", "folder where `switchyard backup` keeps the dumps of all databases"},
    KeySpec{"backup.second_repository", text, "", "folder elsewhere that gets a copy of each"},
    KeySpec{"backup.recipients", list, "", "public keys of age (age1...) that dumps are encrypted for; empty: in the clear"},
    KeySpec{"backup.identity", secret, "", "secret keys (AGE-SECRET-KEY-1...) that open them: ${file:/etc/switchyard/backup.key}; only restores need it"},
    KeySpec{"backup.jobs", count, "2", "databases that are dumped at a time", 1, 64},
    KeySpec{"backup.checksums", flag, "true", "a checksum of each table's contents is kept, for the restore test; false: rows are only counted"},
    KeySpec{"backup.pgbackrest", text, "", "folder of pgBackRest's repository; empty: it is not used"},
    KeySpec{"backup.pgbackrest_second", text, "", "folder of its second repository, elsewhere"},
    KeySpec{"backup.pgbackrest_passphrase", secret, "", "pgBackRest encrypts both repositories with it"},
    KeySpec{"vault.address", text, "", "URL of the Vault server for ${vault:...}", 0, 0, "", stored},
    KeySpec{"vault.token", secret, "", "token for the Vault server", 0, 0, "", stored},
    KeySpec{"channels.*", text, "", "alias of a topic: order-events = \"commerce.orders\"", 0, 0, "", stored},

    KeySpec{"server.*.dsn", dsn, "", "connection string of a server that several databases share"},
    KeySpec{"server.*.user", text, "", "user, stronger than the dsn's"},
    KeySpec{"server.*.password", secret, "", "password, stronger than the dsn's"},
    KeySpec{"server.*.host", text, "", "host, instead of or stronger than the dsn's"},
    KeySpec{"server.*.port", count, "5432", "port", 1, 65535},
    KeySpec{"server.*.dbname", text, "", "physical database"},
    KeySpec{"server.*.options.*", option, "", "any connection option of libpq: options.sslmode = \"verify-full\""},
    KeySpec{"server.*.region", text, "", "where the server is"},
    KeySpec{"server.*.admin_dsn", dsn, "", "connection string of who provisions it, instead of provision.admin_user"},

    KeySpec{"database.*.dsn", dsn, "", "connection string of the primary"},
    KeySpec{"database.*.user", text, "", "user, stronger than the dsn's"},
    KeySpec{"database.*.password", secret, "", "password, stronger than the dsn's"},
    KeySpec{"database.*.host", text, "", "host, instead of or stronger than the dsn's"},
    KeySpec{"database.*.port", count, "5432", "port", 1, 65535},
    KeySpec{"database.*.dbname", text, "", "physical database; private clusters create it under this name"},
    KeySpec{"database.*.options.*", option, "", "any connection option of libpq"},
    KeySpec{"database.*.region", text, "", "where the primary is"},
    KeySpec{"database.*.admin_dsn", dsn, "the server's", "connection string of who provisions it, instead of provision.admin_user"},
    KeySpec{"database.*.server", text, "", "name of a [server.NAME] that says where the database is"},
    KeySpec{"database.*.schema", text, "", "search_path of every session"},
    KeySpec{"database.*.role", text, "", "role to log in as; the same as user"},
    KeySpec{"database.*.application_name", text, "<application>-<database>", "application_name of sessions, unless the dsn sets one"},
    KeySpec{"database.*.write_dsn", dsn, "", "where transactions and execute() go, if not to dsn"},
    KeySpec{"database.*.write_user", text, "", "user of the sessions for transactions and execute()"},
    KeySpec{"database.*.write_password", secret, "", "password of write_user"},
    KeySpec{"database.*.read_only", flag, "false", "sessions for reads are read-only; transactions and execute() use sessions of their own"},
    KeySpec{"database.*.command_timeout", duration, "profile", "longest time of one command; 0: no limit"},
    KeySpec{"database.*.query_timeout", duration, "0s", "longest time of one statement outside a transaction; 0: command_timeout alone"},
    KeySpec{"database.*.pool.min", count, "profile", "sessions kept open, in each worker", 0, kMostSessions},
    KeySpec{"database.*.pool.max", count, "profile", "most sessions, in each worker", 1, kMostSessions},
    KeySpec{"database.*.pool.acquire_timeout", duration, "profile", "longest wait for a free session; 0: do not wait"},
    KeySpec{"database.*.pool.idle_timeout", duration, "5m", "sessions above min are closed after idling this long; 0: never"},
    KeySpec{"database.*.pool.max_lifetime", duration, "1h", "age at which a session is replaced; 0: never"},
    KeySpec{"database.*.retry.max_attempts", count, "3", "attempts of work that may be retried; 1: no retry", 1, 100},
    KeySpec{"database.*.retry.initial_delay", duration, "100ms", "upper bound of the first random delay"},
    KeySpec{"database.*.retry.max_delay", duration, "2s", "upper bound of every delay"},
    KeySpec{"database.*.retry.exponential_base", real, "2", "growth of the bound from attempt to attempt", 1, 100},
    KeySpec{"database.*.breaker.enabled", flag, "true", "stop sending to an endpoint that fails"},
    KeySpec{"database.*.breaker.window", duration, "10s", "time over which calls are counted"},
    KeySpec{"database.*.breaker.minimum_calls", count, "20", "fewer calls in the window never open it", 1},
    KeySpec{"database.*.breaker.failure_rate", real, "0.5", "share of failures that opens it", 0, 1},
    KeySpec{"database.*.breaker.slow_rate", real, "0.8", "share of slow calls that opens it", 0, 1},
    KeySpec{"database.*.breaker.slow_call", duration, "0s", "calls longer than this are slow; 0: slowness does not count"},
    KeySpec{"database.*.breaker.open_for", duration, "5s", "how long it stays open the first time"},
    KeySpec{"database.*.breaker.open_max", duration, "60s", "open_for doubles up to this"},
    KeySpec{"database.*.breaker.half_open_permits", count, "3", "trial calls when it is half open", 1, 1000},
    KeySpec{"database.*.breaker.half_open_wait", duration, "10s", "trial calls that have not answered by then are given up"},
    KeySpec{"database.*.limiter.enabled", flag, "false", "limit the operations at one endpoint at a time by how long they take"},
    KeySpec{"database.*.limiter.initial", count, "20", "the limit at first, in each shard", 1, kMostSessions},
    KeySpec{"database.*.limiter.min", count, "4", "the least limit", 1, kMostSessions},
    KeySpec{"database.*.limiter.max", count, "200", "the greatest limit", 1, kMostSessions},
    KeySpec{"database.*.prepared_statements", flag, "true", "false for poolers in front that can't keep prepared statements"},
    KeySpec{"database.*.statement_cache", count, "256", "prepared statements kept in a session", 0, 100'000},
    KeySpec{"database.*.lane", choice, "auto", "auto: reads of many callers share sessions where that is safe; leased: none does", 0, 0, "auto|leased"},
    KeySpec{"database.*.lane_safe", list, "", "your functions, foreign tables and the like that leave nothing behind: schema.name, or extension:name for all of an extension"},
    KeySpec{"database.*.single_flight", flag, "false", "identical reads that wait at one time share one execution"},
    KeySpec{"database.*.max_result", size, "256MB", "largest result that query() collects"},
    KeySpec{"database.*.max_lag", duration, "60s", "replicas further behind are not read"},
    KeySpec{"database.*.max_lag_bytes", size, "8MB", "replicas further behind, in bytes of WAL, are not read; 0: any"},
    KeySpec{"database.*.replica_wait", duration, "50ms", "how long a read waits for a replica to replay what its request wrote, before it goes to the primary"},
    KeySpec{"database.*.primary_read_share", real, "0.5", "share of pool.max that reads may take at the primary while no replica serves them", 0.01, 1},
    KeySpec{"database.*.failover_wait", duration, "30s", "how long work waits for another primary after the last sign of life of the old one, while a standby could be promoted"},
    KeySpec{"database.*.probe_interval", duration, "1s", "time between two looks at a place; more often while there is no primary"},
    KeySpec{"database.*.patroni", text, "", "URL of a Patroni REST API that names the primary: http://db1:8008"},
    KeySpec{"database.*.required", flag, "true for main, else false", "the service is not ready without it"},
    KeySpec{"database.*.when_unconfigured", text, "profile", "\"fail\", or the database that takes over"},
    KeySpec{"database.*.when_down", choice, "profile", "fail; answer reads elsewhere; or keep writes for later as well", 0, 0, "fail|read-fallback|spool"},
    KeySpec{"database.*.fallback", text, "main, if when_down is not fail", "who answers reads, and keeps writes, while this database is down"},
    KeySpec{"database.*.confidential", flag, "true for compliance, else false", "never spooled or read elsewhere in the clear"},
    KeySpec{"database.*.spool_key", secret, "", "encrypts what is spooled: 32 bytes as 64 hexadecimal digits or in base64; a confidential database needs it"},
    KeySpec{"database.*.spool_max_bytes", size, "256MB", "a spool that holds more refuses writes; 0: any"},
    KeySpec{"database.*.spool_max_entries", count, "100000", "a spool that holds more refuses writes; 0: any"},
    KeySpec{"database.*.spool_max_age", duration, "7d", "a spool whose oldest write is older refuses writes; 0: any"},
    KeySpec{"database.*.move_on_configure", flag, "false", "switchyard up and gateway move `tables` here from the database that stood in, as soon as this one is configured", 0, 0, "", active},
    KeySpec{"database.*.tables", list, "", "tables that belong here, wherever they live now; stronger than what migrations say", 0, 0, "", active},
    KeySpec{"database.*.slow_query", duration, "1s", "statements longer than this are logged as [SLOW QUERY]"},
    KeySpec{"database.*.slow_acquire", duration, "500ms", "waits longer than this are logged as [SLOW POOL]"},
    KeySpec{"database.*.pool_exhaustion", real, "0.9", "share of pool.max above which [POOL EXHAUSTION] is logged", 0, 1},
    KeySpec{"database.*.statement_length", count, "80", "statements are cut after this many characters in log lines", 1, 100'000},
    KeySpec{"database.*.latency_target", duration, "0s", "target of statement time; the share within it is a metric; 0: none"},
    KeySpec{"database.*.statement_names", count, "200", "named statements with numbers of their own, for each endpoint and access; further ones count as other", 0, 10'000},
    KeySpec{"database.*.sqlcommenter", flag, "false", "statements end in a comment that names application and statement"},
    KeySpec{"database.*.migrations.locations", list, "", "folders of migrations; classpath:db/migration is understood", 0, 0, "", active},
    KeySpec{"database.*.migrations.migrate_at_start", flag, "false", "apply migrations before the application starts", 0, 0, "", active},
    KeySpec{"database.*.migrations.baseline", text, "", "file that describes the state before the first migration", 0, 0, "", active},
    KeySpec{"database.*.migrations.history_schema", text, "schema", "schema of the history table", 0, 0, "", active},
    KeySpec{"database.*.migrations.after", list, "", "databases whose migrations are applied first"},
    KeySpec{"database.*.migrations.placeholders.*", text, "", "value of a placeholder of the scripts: ${NAME}"},
    KeySpec{"database.*.migrations.encoding", text, "UTF-8",
            "what scripts are written in, where their own .conf does not say otherwise: ISO-8859-1, UTF-16 ..."},
    KeySpec{"database.*.migrations.placeholder_prefix", text, "${", "what a placeholder begins with"},
    KeySpec{"database.*.migrations.placeholder_suffix", text, "}", "what it ends with"},
    KeySpec{"database.*.backup.frequency", duration, "1h", "time between backups; status and alerts tell when one is overdue"},
    KeySpec{"database.*.backup.retention", duration, "30d", "age at which backups are removed; 0: never"},
    KeySpec{"database.*.backup.wal_retention", duration, "7d", "how far back point-in-time recovery reaches (pgBackRest)"},
    KeySpec{"database.*.backup.repository", text, "the fleet's", "folder of its dumps"},
    KeySpec{"database.*.backup.second_repository", text, "the fleet's", "folder elsewhere that gets a copy"},
    KeySpec{"database.*.backup.data_folder", text, "", "data folder of its server on this machine, for pgBackRest; empty: not used"},
    KeySpec{"database.*.backup.stanza", text, "the application", "pgBackRest's name of that server"},
    KeySpec{"database.*.provision.owner", text, "the database's role; with roles = family X_owner", "role that owns the schema"},
    KeySpec{"database.*.provision.readonly", text, "none; with roles = family X_ro", "one more role that logs in and reads everything there"},
    KeySpec{"database.*.provision.connection_limit", count, "0", "CONNECTION LIMIT of the database's role; 0: what its pools may open over all workers, and 10", 0, kMostSessions},
    KeySpec{"database.*.provision.statement_timeout", duration, "command_timeout", "statement_timeout of the database's roles; 0: none"},
    KeySpec{"database.*.provision.temporary", flag, "false where databases share one", "the database's roles may make temporary tables"},
    KeySpec{"database.*.provision.large_objects", flag, "false", "roles in this physical database may make large objects"},
    KeySpec{"database.*.provision.tls_only", flag, "true if options.sslmode asks for TLS", "the server must refuse its roles without TLS: audit and plan look at pg_hba.conf"},
    KeySpec{"database.*.provision.audit_log", choice, "all if confidential, else off", "statements of the database's roles that the server logs", 0, 0, "off|ddl|mod|all"},

    KeySpec{"database.*.replica.*.name", text, "purpose, or replica", "name of the replica, unique in its database"},
    KeySpec{"database.*.replica.*.dsn", dsn, "", "connection string of the replica"},
    KeySpec{"database.*.replica.*.user", text, "the database's", "user"},
    KeySpec{"database.*.replica.*.password", secret, "the database's", "password"},
    KeySpec{"database.*.replica.*.host", text, "", "host"},
    KeySpec{"database.*.replica.*.port", count, "5432", "port", 1, 65535},
    KeySpec{"database.*.replica.*.dbname", text, "the database's", "physical database"},
    KeySpec{"database.*.replica.*.options.*", option, "", "any connection option of libpq"},
    KeySpec{"database.*.replica.*.region", text, "", "where the replica is"},
    KeySpec{"database.*.replica.*.purpose", list, "", "what it is for: api, jobs, reports, ..."},
    KeySpec{"database.*.replica.*.max_lag", duration, "the database's", "not read when further behind"},
    KeySpec{"database.*.replica.*.command_timeout", duration, "the database's", "longest time of one command"},
    KeySpec{"database.*.replica.*.logical", flag, "false", "a logical replica: not in recovery"},
    KeySpec{"database.*.replica.*.pool.min", count, "the database's", "sessions kept open, in each worker", 0, kMostSessions},
    KeySpec{"database.*.replica.*.pool.max", count, "the database's", "most sessions, in each worker", 1, kMostSessions},
    KeySpec{"database.*.replica.*.pool.acquire_timeout", duration, "the database's", "longest wait for a free session; 0: do not wait"},
    KeySpec{"database.*.replica.*.pool.idle_timeout", duration, "the database's", "sessions above min are closed after idling this long"},
    KeySpec{"database.*.replica.*.pool.max_lifetime", duration, "the database's", "age at which a session is replaced"},
};

constexpr std::array kVariables{
    VariableSpec{"POSTGRES_DSN", "database.main.dsn", "connection string of main (WellWon's spelling)"},
    VariableSpec{"POSTGRES_MAIN_DSN", "database.main.dsn", "the same"},
    VariableSpec{"DATABASE_URL", "database.main.dsn", "connection string of main (ParaFort's spelling)"},
    VariableSpec{"MAIN_DATABASE_URL", "database.main.dsn", "the same"},
    VariableSpec{"POSTGRES_<NAME>_DSN", "database.*.dsn", "connection string of the database (WellWon's spelling)"},
    VariableSpec{"<NAME>_DATABASE_URL", "database.*.dsn", "connection string of the database (ParaFort's spelling)"},
    VariableSpec{"POSTGRES_<NAME>_REPLICA_DSN", "database.*.replica.*.dsn", "connection string of its replica"},
    VariableSpec{"POSTGRES_<NAME>_REPLICA_<PURPOSE>_DSN", "database.*.replica.*.dsn", "connection string of its replica for API, JOBS or REPORTS"},
    VariableSpec{"READ_REPLICA_DATABASE_URL", "database.main.replica.readReplica.dsn", "connection string of main's replica"},
    VariableSpec{"PG_POOL_MIN_SIZE", "database.main.pool.min", "main"},
    VariableSpec{"PG_POOL_MAX_SIZE", "database.main.pool.max", "main"},
    VariableSpec{"PG_POOL_TIMEOUT_SEC", "database.main.pool.acquire_timeout", "main, in seconds"},
    VariableSpec{"PG_COMMAND_TIMEOUT_SEC", "database.main.command_timeout", "main, in seconds"},
    VariableSpec{"PG_POOL_COMMAND_TIMEOUT_SEC", "database.main.command_timeout", "the same"},
    VariableSpec{"PG_<NAME>_POOL_MIN_SIZE", "database.*.pool.min", "the database"},
    VariableSpec{"PG_<NAME>_POOL_MAX_SIZE", "database.*.pool.max", "the database"},
    VariableSpec{"PG_<NAME>_POOL_TIMEOUT_SEC", "database.*.pool.acquire_timeout", "the database, in seconds"},
    VariableSpec{"PG_<NAME>_COMMAND_TIMEOUT_SEC", "database.*.command_timeout", "the database, in seconds"},
    VariableSpec{"PG_<NAME>_POOL_COMMAND_TIMEOUT_SEC", "database.*.command_timeout", "the same"},
};
// clang-format on

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t dot = path.find('.');
    out.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    path.remove_prefix(dot + 1);
  }
}

/// Is the part at `index` a name given by the user?
bool is_name(const std::vector<std::string_view>& parts, std::size_t index) {
  const std::string_view root = parts[0];
  if (index == 1) return root == "database" || root == "server";
  if (root == "gateway") return index == 2 && (parts[1] == "database" || parts[1] == "user");
  if (parts[index - 1] == "options") return index == 3 || index == 5;
  if (index == 4) return root == "database" && parts[2] == "migrations" && parts[3] == "placeholders";
  return index == 3 && root == "database" && parts[2] == "replica";
}

}  // namespace

std::span<const KeySpec> key_specs() noexcept { return kKeys; }
std::span<const VariableSpec> variable_specs() noexcept { return kVariables; }

std::string generic_path(std::string_view path) {
  if (path.starts_with("channels.")) return "channels.*";  // an alias may hold dots
  const auto parts = split(path);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += '.';
    out += i > 0 && is_name(parts, i) ? "*" : parts[i];
  }
  return out;
}

const KeySpec* find_key(std::string_view path) {
  const std::string wanted = generic_path(path);
  for (const KeySpec& key : kKeys) {
    if (key.path == wanted) return &key;
  }
  return nullptr;
}

bool is_key_prefix(std::string_view path) {
  const std::string wanted = generic_path(path) + ".";
  for (const KeySpec& key : kKeys) {
    if (key.path.starts_with(wanted)) return true;
  }
  return false;
}

}  // namespace switchyard::inline v0::config
