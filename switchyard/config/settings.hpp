// One walk over every setting of a FleetConfig, by path. The loader fills and `config explain` prints through the
// same walk, so a setting can't be loaded and not shown. Internal.
#pragma once

#include <switchyard/config/fleet_config.hpp>

#include <string>

namespace switchyard::inline v0::config {

// Config and so on are FleetConfig or const FleetConfig; Visitor is called with (path, Setting<T>&).

template <class Endpoint, class Visitor>
void visit_endpoint(const std::string& prefix, Endpoint& endpoint, Visitor& visit) {
  visit(prefix + "dsn", endpoint.dsn);
  visit(prefix + "user", endpoint.user);
  visit(prefix + "password", endpoint.password);
  visit(prefix + "host", endpoint.host);
  visit(prefix + "port", endpoint.port);
  visit(prefix + "dbname", endpoint.dbname);
  for (auto& [name, setting] : endpoint.options) visit(prefix + "options." + name, setting);
  visit(prefix + "region", endpoint.region);
}

/// Of primaries and servers, not of replicas.
template <class Endpoint, class Visitor>
void visit_admin(const std::string& prefix, Endpoint& endpoint, Visitor& visit) {
  visit(prefix + "admin_dsn", endpoint.admin_dsn);
}

template <class Pool, class Visitor>
void visit_pool(const std::string& prefix, Pool& pool, Visitor& visit) {
  visit(prefix + "min", pool.min);
  visit(prefix + "max", pool.max);
  visit(prefix + "acquire_timeout", pool.acquire_timeout);
  visit(prefix + "idle_timeout", pool.idle_timeout);
  visit(prefix + "max_lifetime", pool.max_lifetime);
}

template <class Replica, class Visitor>
void visit_replica(const std::string& prefix, Replica& replica, Visitor& visit) {
  visit_endpoint(prefix, replica.endpoint, visit);
  visit(prefix + "purpose", replica.purposes);
  visit(prefix + "max_lag", replica.max_lag);
  visit(prefix + "command_timeout", replica.command_timeout);
  visit(prefix + "logical", replica.logical);
  visit_pool(prefix + "pool.", replica.pool, visit);
}

/// Everything of one database except its replicas.
template <class Database, class Visitor>
void visit_database(const std::string& prefix, Database& database, Visitor& visit) {
  visit_endpoint(prefix, database.primary, visit);
  visit_admin(prefix, database.primary, visit);
  visit(prefix + "server", database.server);
  visit(prefix + "schema", database.schema);
  visit(prefix + "role", database.role);
  visit(prefix + "application_name", database.application_name);
  visit(prefix + "write_dsn", database.write.dsn);
  visit(prefix + "write_user", database.write.user);
  visit(prefix + "write_password", database.write.password);
  visit(prefix + "read_only", database.read_only);
  visit(prefix + "command_timeout", database.command_timeout);
  visit(prefix + "query_timeout", database.query_timeout);
  visit_pool(prefix + "pool.", database.pool, visit);
  visit(prefix + "retry.max_attempts", database.retry.max_attempts);
  visit(prefix + "retry.initial_delay", database.retry.initial_delay);
  visit(prefix + "retry.max_delay", database.retry.max_delay);
  visit(prefix + "retry.exponential_base", database.retry.exponential_base);
  visit(prefix + "breaker.enabled", database.breaker.enabled);
  visit(prefix + "breaker.window", database.breaker.window);
  visit(prefix + "breaker.minimum_calls", database.breaker.minimum_calls);
  visit(prefix + "breaker.failure_rate", database.breaker.failure_rate);
  visit(prefix + "breaker.slow_rate", database.breaker.slow_rate);
  visit(prefix + "breaker.slow_call", database.breaker.slow_call);
  visit(prefix + "breaker.open_for", database.breaker.open_for);
  visit(prefix + "breaker.open_max", database.breaker.open_max);
  visit(prefix + "breaker.half_open_permits", database.breaker.half_open_permits);
  visit(prefix + "breaker.half_open_wait", database.breaker.half_open_wait);
  visit(prefix + "limiter.enabled", database.limiter.enabled);
  visit(prefix + "limiter.initial", database.limiter.initial);
  visit(prefix + "limiter.min", database.limiter.min);
  visit(prefix + "limiter.max", database.limiter.max);
  visit(prefix + "prepared_statements", database.prepared_statements);
  visit(prefix + "statement_cache", database.statement_cache);
  visit(prefix + "lane", database.lane);
  visit(prefix + "lane_safe", database.lane_safe);
  visit(prefix + "single_flight", database.single_flight);
  visit(prefix + "max_result", database.max_result_bytes);
  visit(prefix + "max_lag", database.max_lag);
  visit(prefix + "max_lag_bytes", database.max_lag_bytes);
  visit(prefix + "replica_wait", database.replica_wait);
  visit(prefix + "primary_read_share", database.primary_read_share);
  visit(prefix + "failover_wait", database.failover_wait);
  visit(prefix + "probe_interval", database.probe_interval);
  visit(prefix + "patroni", database.patroni);
  visit(prefix + "required", database.required);
  visit(prefix + "when_unconfigured", database.when_unconfigured);
  visit(prefix + "when_down", database.when_down);
  visit(prefix + "fallback", database.fallback);
  visit(prefix + "confidential", database.confidential);
  visit(prefix + "spool_key", database.spool_key);
  visit(prefix + "spool_max_bytes", database.spool_max_bytes);
  visit(prefix + "spool_max_entries", database.spool_max_entries);
  visit(prefix + "spool_max_age", database.spool_max_age);
  visit(prefix + "move_on_configure", database.move_on_configure);
  visit(prefix + "tables", database.tables);
  visit(prefix + "slow_query", database.observability.slow_query);
  visit(prefix + "slow_acquire", database.observability.slow_acquire);
  visit(prefix + "pool_exhaustion", database.observability.pool_exhaustion);
  visit(prefix + "statement_length", database.observability.statement_length);
  visit(prefix + "latency_target", database.observability.latency_target);
  visit(prefix + "statement_names", database.observability.statement_names);
  visit(prefix + "sqlcommenter", database.observability.sqlcommenter);
  visit(prefix + "migrations.locations", database.migrations.locations);
  visit(prefix + "migrations.migrate_at_start", database.migrations.migrate_at_start);
  visit(prefix + "migrations.baseline", database.migrations.baseline);
  visit(prefix + "migrations.history_schema", database.migrations.history_schema);
  visit(prefix + "migrations.after", database.migrations.after);
  for (auto& [name, setting] : database.migrations.placeholders) {
    visit(prefix + "migrations.placeholders." + name, setting);
  }
  visit(prefix + "migrations.encoding", database.migrations.encoding);
  visit(prefix + "migrations.placeholder_prefix", database.migrations.placeholder_prefix);
  visit(prefix + "migrations.placeholder_suffix", database.migrations.placeholder_suffix);
  visit(prefix + "backup.frequency", database.backup.frequency);
  visit(prefix + "backup.retention", database.backup.retention);
  visit(prefix + "backup.wal_retention", database.backup.wal_retention);
  visit(prefix + "backup.repository", database.backup.repository);
  visit(prefix + "backup.second_repository", database.backup.second_repository);
  visit(prefix + "backup.data_folder", database.backup.data_folder);
  visit(prefix + "backup.stanza", database.backup.stanza);
  visit(prefix + "provision.owner", database.provision.owner);
  visit(prefix + "provision.readonly", database.provision.readonly);
  visit(prefix + "provision.connection_limit", database.provision.connection_limit);
  visit(prefix + "provision.statement_timeout", database.provision.statement_timeout);
  visit(prefix + "provision.temporary", database.provision.temporary);
  visit(prefix + "provision.large_objects", database.provision.large_objects);
  visit(prefix + "provision.tls_only", database.provision.tls_only);
  visit(prefix + "provision.audit_log", database.provision.audit_log);
}

template <class Gateway, class Visitor>
void visit_gateway(Gateway& gateway, Visitor& visit) {
  visit("gateway.listen", gateway.listen);
  visit("gateway.unix_socket", gateway.unix_socket);
  visit("gateway.unix_socket_mode", gateway.unix_socket_mode);
  visit("gateway.tls_certificate", gateway.tls_certificate);
  visit("gateway.tls_key", gateway.tls_key);
  visit("gateway.tls_client_ca", gateway.tls_client_ca);
  visit("gateway.users_file", gateway.users_file);
  visit("gateway.hba", gateway.hba);
  visit("gateway.hba_file", gateway.hba_file);
  visit("gateway.auth_user", gateway.auth_user);
  visit("gateway.auth_password", gateway.auth_password);
  visit("gateway.auth_query", gateway.auth_query);
  visit("gateway.auth_database", gateway.auth_database);
  visit("gateway.auth_cache", gateway.auth_cache);
  visit("gateway.admin_users", gateway.admin_users);
  visit("gateway.stats_users", gateway.stats_users);
  visit("gateway.max_clients", gateway.max_clients);
  visit("gateway.max_logins", gateway.max_logins);
  visit("gateway.database_max_clients", gateway.database_max_clients);
  visit("gateway.user_max_clients", gateway.user_max_clients);
  visit("gateway.max_sessions", gateway.max_sessions);
  visit("gateway.user_max_sessions", gateway.user_max_sessions);
  visit("gateway.user_min_sessions", gateway.user_min_sessions);
  visit("gateway.shards", gateway.shards);
  visit("gateway.role_pools", gateway.role_pools);
  visit("gateway.role_pool_max", gateway.role_pool_max);
  visit("gateway.role_pool_idle", gateway.role_pool_idle);
  visit("gateway.cancel_rate", gateway.cancel_rate);
  visit("gateway.login_timeout", gateway.login_timeout);
  visit("gateway.query_wait_timeout", gateway.query_wait_timeout);
  visit("gateway.client_idle_timeout", gateway.client_idle_timeout);
  visit("gateway.idle_transaction_timeout", gateway.idle_transaction_timeout);
  visit("gateway.handover_limit", gateway.handover_limit);
  visit("gateway.handover_tls_limit", gateway.handover_tls_limit);
  visit("gateway.pool_mode", gateway.pool_mode);
  visit("gateway.auto_read", gateway.auto_read);
  visit("gateway.consistency", gateway.consistency);
  visit("gateway.sequences", gateway.sequences);
  for (auto& [name, database] : gateway.databases) {
    const std::string prefix = "gateway.database." + name + ".";
    visit(prefix + "pool_mode", database.pool_mode);
    visit(prefix + "max_clients", database.max_clients);
    visit(prefix + "max_sessions", database.max_sessions);
    visit(prefix + "min_sessions", database.min_sessions);
    visit(prefix + "auto_read", database.auto_read);
    visit(prefix + "consistency", database.consistency);
    visit(prefix + "sequences", database.sequences);
  }
  for (auto& [name, user] : gateway.users) {
    const std::string prefix = "gateway.user." + name + ".";
    visit(prefix + "pool_mode", user.pool_mode);
    visit(prefix + "max_clients", user.max_clients);
    visit(prefix + "max_sessions", user.max_sessions);
    visit(prefix + "min_sessions", user.min_sessions);
  }
}

/// The settings of the fleet itself.
template <class Fleet, class Visitor>
void visit_fleet(Fleet& fleet, Visitor& visit) {
  visit("fleet.application", fleet.application);
  visit("fleet.region", fleet.region);
  visit("fleet.server_type", fleet.server_type);
  visit("fleet.owner_check", fleet.owner_check);
  visit("fleet.workers", fleet.workers);
  visit("fleet.connection_budget", fleet.connection_budget);
  visit("fleet.share_budget", fleet.share_budget);
  visit("fleet.shards", fleet.shards);
  visit("fleet.shutdown_timeout", fleet.shutdown_timeout);
  visit("fleet.roles", fleet.roles);
  visit("fleet.migrations", fleet.migrations);
  visit("http.address", fleet.http_address);
  visit_gateway(fleet.gateway, visit);
  visit("provision.secrets", fleet.provision.secrets);
  visit("provision.admin_user", fleet.provision.admin_user);
  visit("provision.admin_password", fleet.provision.admin_password);
  visit("provision.monitor", fleet.provision.monitor);
  visit("provision.password_grace", fleet.provision.password_grace);
  visit("telemetry.otlp_endpoint", fleet.telemetry.otlp_endpoint);
  visit("telemetry.otlp_headers", fleet.telemetry.otlp_headers);
  visit("telemetry.sample", fleet.telemetry.sample);
  visit("telemetry.span_queue", fleet.telemetry.span_queue);
  visit("telemetry.export_interval", fleet.telemetry.export_interval);
  visit("telemetry.events_kept", fleet.telemetry.events_kept);
  visit("telemetry.event_burst", fleet.telemetry.event_burst);
  visit("telemetry.event_interval", fleet.telemetry.event_interval);
  visit("backup.repository", fleet.backup.repository);
  visit("backup.second_repository", fleet.backup.second_repository);
  visit("backup.recipients", fleet.backup.recipients);
  visit("backup.identity", fleet.backup.identity);
  visit("backup.jobs", fleet.backup.jobs);
  visit("backup.checksums", fleet.backup.checksums);
  visit("backup.pgbackrest", fleet.backup.pgbackrest);
  visit("backup.pgbackrest_second", fleet.backup.pgbackrest_second);
  visit("backup.pgbackrest_passphrase", fleet.backup.pgbackrest_passphrase);
  visit("vault.address", fleet.vault_address);
  visit("vault.token", fleet.vault_token);
  for (auto& [alias, topic] : fleet.channels) visit("channels." + alias, topic);
}

template <class Fleet, class Visitor>
void visit_everything(Fleet& fleet, Visitor& visit) {
  visit_fleet(fleet, visit);
  for (auto& server : fleet.servers) {
    visit_endpoint("server." + server.name + ".", server.endpoint, visit);
    visit_admin("server." + server.name + ".", server.endpoint, visit);
  }
  for (auto& database : fleet.databases) {
    const std::string prefix = "database." + database.name + ".";
    visit_database(prefix, database, visit);
    for (auto& replica : database.replicas) visit_replica(prefix + "replica." + replica.name + ".", replica, visit);
  }
}

}  // namespace switchyard::inline v0::config
