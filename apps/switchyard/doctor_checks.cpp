#include "doctor_checks.hpp"
#include "doctor_budget.hpp"

#include <switchyard/embedded/private_server.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace switchyard::cli {

namespace {

using embedded::quote_identifier;

constexpr Duration kCheckTimeout = std::chrono::seconds(5);

bool is_local(const HostSpec& host) {
  return host.is_unix_socket() || host.host == "localhost" || host.host.starts_with("127.") || host.host == "::1" ||
         host.hostaddr.starts_with("127.") || host.hostaddr == "::1";
}

const HostSpec& first_host(const ConnectionOptions& connection) { return connection.hosts.front(); }

/// The variable or key that says where a database is.
std::string setting_of(const DatabaseConfig& database) {
  if (database.primary.dsn.is_set()) return database.primary.dsn.origin.to_string();
  return "database." + database.name + ".dsn";
}

std::string variable_for(const DatabaseConfig& database) {
  const std::string name = variable_part(database.name);
  if (database.profile == Profile::parafort)
    return database.name == "main" ? "DATABASE_URL" : name + "_DATABASE_URL";
  return database.name == "main" ? "POSTGRES_DSN" : "POSTGRES_" + name + "_DSN";
}

void check_variables(const FleetConfig& config, std::vector<Finding>& findings) {
  for (const DatabaseConfig& database : config.databases) {
    if (database.configured()) continue;
    const std::string fix = "export " + variable_for(database) + "=postgresql://USER:PASSWORD@HOST:5432/DBNAME";
    if (database.has_stand_in()) {
      findings.push_back({Severity::notice, database.name,
                          "not configured; " + database.when_unconfigured.value + " stands in for it", fix});
    } else {
      findings.push_back(
          {database.required.value ? Severity::problem : Severity::notice, database.name,
           database.required.value ? database.missing_dsn_message : "not configured; its first use will fail",
           fix});
    }
  }
}

/// The same role at the same server with another password: one of them is wrong, or they change apart from each
/// other.
void check_passwords(const FleetConfig& config, std::vector<Finding>& findings) {
  std::map<std::string, std::pair<std::string, Secret>> seen;
  const auto look = [&](const std::string& subject, const EndpointConfig& endpoint) {
    if (!endpoint.configured()) return;
    for (const HostSpec& host : endpoint.connection.hosts) {
      if (host.password.empty()) continue;
      const std::string key = endpoint.connection.user + " at " + host.display();
      const auto [at, fresh] = seen.try_emplace(key, subject, host.password);
      if (fresh || at->second.second == host.password) continue;
      findings.push_back({Severity::problem, subject,
                          "role " + key + " has another password here than for " + at->second.first,
                          "ALTER ROLE " + quote_identifier(endpoint.connection.user) +
                              " PASSWORD '...';  -- and the same in both connection strings"});
    }
  };
  for (const DatabaseConfig& database : config.databases) {
    look(database.name, database.primary);
    look(database.name + " (write)", database.write);
    for (const ReplicaConfig& replica : database.replicas)
      look(database.name + "/" + replica.name, replica.endpoint);
  }
}

void check_replica_names(const FleetConfig& config, std::vector<Finding>& findings) {
  for (const DatabaseConfig& database : config.databases) {
    if (!database.configured()) continue;
    for (const ReplicaConfig& replica : database.replicas) {
      if (!replica.endpoint.configured() || replica.logical.value) continue;
      const std::string& theirs = replica.endpoint.connection.dbname;
      const std::string& ours = database.primary.connection.dbname;
      if (theirs == ours) continue;
      findings.push_back(
          {Severity::warning, database.name + "/" + replica.name,
           "its database is called " + theirs + ", the primary's " + ours +
               ": a streaming replica has the same name",
           "write /" + ours + " in its connection string, or logical = true if it is a logical replica"});
    }
  }
}

/// The limits there, and who is connected.
struct Limits {
  std::int32_t pid = 0;
  std::string server;
  std::int64_t max_connections = 0;
  std::int64_t superuser_reserved = 0;
  std::int64_t reserved = 0;
  std::int64_t role_limit = -1;
  std::int64_t database_limit = -1;
  std::int64_t others = 0;
  std::int64_t role_others = 0;
  std::int64_t database_others = 0;
  std::int64_t ours = 0;
};

struct Seen {
  Sight sight;
  Limits limits;
  bool pooled = false;
};

constexpr std::string_view kLook =
    "SELECT pg_is_in_recovery() AS in_recovery, "
    "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS uses_tls, "
    "current_schema()::text AS schema, "
    "(SELECT count(*) FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm') "
    "AND c.relnamespace = current_schema()::regnamespace AND NOT has_table_privilege(c.oid, 'SELECT')) AS "
    "tables_hidden, "
    "split_part(current_setting('server_version'), ' ', 1) AS version";

// A running server is known by the moment of its start and its port: a primary and its replicas, or copies of one
// cluster, have the same system identifier.
constexpr std::string_view kLimits =
    "WITH c AS (SELECT usesysid, datid, application_name = ANY ($1) AS ours FROM pg_stat_activity "
    "WHERE usesysid IS NOT NULL AND datid IS NOT NULL "
    "AND coalesce(backend_type, 'client backend') = 'client backend') "
    "SELECT pg_backend_pid() AS pid, "
    "pg_postmaster_start_time()::text || ' ' || current_setting('port') AS server, "
    "current_setting('max_connections')::bigint AS max_connections, "
    "current_setting('superuser_reserved_connections')::bigint AS superuser_reserved, "
    "coalesce(current_setting('reserved_connections', true), '0')::bigint AS reserved, "
    "(CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END)::bigint AS role_limit, "
    "(CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END)::bigint AS database_limit, "
    "count(*) FILTER (WHERE NOT ours) AS others, "
    "count(*) FILTER (WHERE NOT ours AND c.usesysid = r.oid) AS role_others, "
    "count(*) FILTER (WHERE NOT ours AND c.datid = d.oid) AS database_others, "
    "count(*) FILTER (WHERE ours) AS ours "
    "FROM c, pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database() "
    "GROUP BY r.oid, r.rolsuper, r.rolconnlimit, d.oid, d.datconnlimit";

/// By which the fleet's sessions are known.
std::vector<std::string> application_names(const FleetConfig& config) {
  std::vector<std::string> names;
  const auto add = [&](const EndpointConfig& endpoint) {
    if (!endpoint.configured()) return;
    const ConnectionOptions& connection = endpoint.connection;
    const std::string& name =
        connection.application_name.empty() ? connection.fallback_application_name : connection.application_name;
    names.push_back(name);
    names.push_back(name + "-probe");
  };
  for (const DatabaseConfig& database : config.databases) {
    add(database.primary);
    add(database.write);
    for (const ReplicaConfig& replica : database.replicas) add(replica.endpoint);
  }
  return names;
}

struct Place {
  std::string subject;
  std::string name;  ///< as fleet.database() takes it
  const DatabaseConfig* database;
  const ReplicaConfig* replica;
  [[nodiscard]] const ConnectionOptions& connection() const {
    return replica != nullptr ? replica->endpoint.connection : database->primary.connection;
  }
};

Task<Seen> look_at(Fleet& databases, Place place) {
  constexpr auto kAtOnce = fleet::OnConnectFailure::fail;
  DatabaseHandle handle = databases.database(place.name).value_or_throw();
  Lease lease = place.replica != nullptr ? co_await handle.read({.replica = place.replica->name}).lease(kAtOnce)
                                         : co_await handle.lease(kAtOnce);
  Seen seen;
  seen.sight = co_await lease.query_one<Sight>(Statement{.sql = kLook, .timeout = kCheckTimeout});
  seen.limits = co_await lease.query_one<Limits>(Statement{.sql = kLimits, .timeout = kCheckTimeout},
                                                 application_names(databases.config()));
  // A pooler makes up the number under which cancel requests come.
  seen.pooled = lease.server_pid() != seen.limits.pid;
  co_return seen;
}

std::vector<Place> places_of(const FleetConfig& config) {
  std::vector<Place> places;
  for (const DatabaseConfig& database : config.databases) {
    if (database.configured()) places.push_back({database.name, database.name, &database, nullptr});
    for (const ReplicaConfig& replica : database.replicas) {
      if (database.configured() && replica.endpoint.configured()) {
        places.push_back({database.name + "/" + replica.name, database.name, &database, &replica});
      }
    }
  }
  return places;
}

LivePlace live(const Place& place, const Seen& seen) {
  return {.subject = place.subject,
          .database = place.database,
          .replica = place.replica,
          .server = seen.limits.server,
          .max_connections = seen.limits.max_connections,
          .superuser_reserved = seen.limits.superuser_reserved,
          .reserved = seen.limits.reserved,
          .role_limit = seen.limits.role_limit,
          .database_limit = seen.limits.database_limit,
          .others = seen.limits.others,
          .role_others = seen.limits.role_others,
          .database_others = seen.limits.database_others,
          .ours = seen.limits.ours,
          .pooled = seen.pooled};
}

}  // namespace

std::vector<Finding> judge_place(const std::string& subject, const DatabaseConfig& database,
                                 const ReplicaConfig* replica, const Sight& sight) {
  std::vector<Finding> findings;
  const ConnectionOptions& connection =
      replica != nullptr ? replica->endpoint.connection : database.primary.connection;
  const std::string user = quote_identifier(connection.user);
  if (replica == nullptr && sight.in_recovery) {
    findings.push_back({Severity::problem, subject, "this is a standby: writes will fail",
                        "name the primary in " + setting_of(database) +
                            ", or list several hosts with "
                            "target_session_attrs=read-write"});
  }
  if (replica != nullptr && !sight.in_recovery && !*replica->logical) {
    findings.push_back({Severity::warning, subject, "not in recovery: no streaming replica",
                        "logical = true if it is a logical replica, else check its primary_conninfo"});
  }
  if (!sight.uses_tls && !is_local(first_host(connection))) {
    findings.push_back({Severity::warning, subject, "the connection is not encrypted and leaves this machine",
                        "append sslmode=require (better: sslmode=verify-full) to the connection string"});
  }
  if (!sight.schema) {
    const std::string schema = database.schema.value.empty() ? "public" : database.schema.value;
    findings.push_back(
        {Severity::problem, subject,
         "the schema " + schema + " does not exist or role " + connection.user + " may not use it",
         administrator_line(connection,
                            "CREATE SCHEMA IF NOT EXISTS " + quote_identifier(schema) + " AUTHORIZATION " + user,
                            connection.dbname)});
  } else if (sight.tables_hidden > 0) {
    const std::string schema = quote_identifier(*sight.schema);
    findings.push_back(
        {Severity::warning, subject,
         "role " + connection.user + " may not read " + std::to_string(sight.tables_hidden) + " tables of schema " +
             *sight.schema,
         administrator_line(connection, "GRANT SELECT ON ALL TABLES IN SCHEMA " + schema + " TO " + user,
                            connection.dbname)});
  }
  if (findings.empty()) {
    findings.push_back({Severity::good, subject,
                        connection.location() + ", PostgreSQL " + sight.version +
                            (replica != nullptr ? ", streaming replica" : ""),
                        ""});
  }
  return findings;
}

Finding explain_connect_error(const std::string& subject, const ConnectionOptions& connection, const Error& error) {
  const std::string state(error.sqlstate());
  const std::string user = quote_identifier(connection.user);
  Finding finding{Severity::problem, subject, std::string(error.message()), std::string(error.hint())};
  if (state == "3D000") {  // invalid_catalog_name
    finding.fix =
        administrator_line(connection, "CREATE DATABASE " + quote_identifier(connection.dbname) + " OWNER " + user);
  } else if (state == "28P01") {  // invalid_password
    finding.fix = "correct the password, or as administrator: ALTER ROLE " + user + " LOGIN PASSWORD '...';";
  } else if (state == "28000") {  // invalid_authorization_specification: no role, no LOGIN, no pg_hba.conf line
    const bool may_not = finding.text.find("not permitted to log in") != std::string::npos;
    const bool no_entry = finding.text.find("pg_hba.conf") != std::string::npos;
    finding.fix = no_entry ? "add to the server's pg_hba.conf: host " + connection.dbname + " " + connection.user +
                                 " ADDRESS/32 scram-sha-256   and run SELECT pg_reload_conf();"
                  : may_not ? administrator_line(connection, "ALTER ROLE " + user + " LOGIN")
                            : administrator_line(connection, "CREATE ROLE " + user + " LOGIN");
  } else if (state == "42501") {  // insufficient_privilege: CONNECT is missing
    finding.fix = administrator_line(
        connection, "GRANT CONNECT ON DATABASE " + quote_identifier(connection.dbname) + " TO " + user);
  } else if (state == "53300") {  // too_many_connections
    finding.fix = administrator_line(connection, "ALTER SYSTEM SET max_connections = 200") + "   # and restart it";
  } else if (state.empty() && error.kind() != ErrorKind::Config) {
    const HostSpec& host = first_host(connection);
    finding.fix = "pg_isready -h " + (host.host.empty() ? host.hostaddr : host.host) + " -p " +
                  std::to_string(host.port) + "   # is the server running, and listening there?";
  }
  return finding;
}

std::vector<Finding> check_configuration(const FleetConfig& config) {
  std::vector<Finding> findings;
  check_variables(config, findings);
  check_passwords(config, findings);
  check_replica_names(config, findings);
  for (const std::string& warning : config.warnings) findings.push_back({Severity::warning, "fleet", warning, ""});
  for (const std::string& name : config.undeclared_variables) {
    findings.push_back({Severity::notice, "fleet", name + " is set, but no database of that name is declared", ""});
  }
  return findings;
}

Task<Examination> check_servers(Fleet& fleet) {
  const std::vector<Place> places = places_of(fleet.config());
  std::vector<Task<Result<Seen>>> looks;
  for (const Place& place : places) looks.push_back(as_result(with_timeout(look_at(fleet, place), kCheckTimeout)));
  const std::vector<Result<Seen>> all_seen = co_await all(std::move(looks));
  Examination out;
  std::vector<LivePlace> lives;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    if (!all_seen[i].ok()) {
      out.findings.push_back(explain_connect_error(place.subject, place.connection(), all_seen[i].error()));
      continue;
    }
    for (Finding& finding : judge_place(place.subject, *place.database, place.replica, all_seen[i]->sight)) {
      out.findings.push_back(std::move(finding));
    }
    lives.push_back(live(place, *all_seen[i]));
  }
  out.budget = prove_budget(fleet.config(), lives);
  for (Finding& finding : budget_findings(out.budget)) out.findings.push_back(std::move(finding));
  for (Finding& finding : pooler_findings(lives)) out.findings.push_back(std::move(finding));
  co_return out;
}

}  // namespace switchyard::cli
