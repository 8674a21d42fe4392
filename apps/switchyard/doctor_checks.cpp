#include "doctor_checks.hpp"

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

/// "psql -h db1 -p 5432 -U postgres -c '...'": a line that an administrator of the server runs.
std::string administrator_line(const ConnectionOptions& connection, const std::string& sql,
                               const std::string& database = {}) {
  const HostSpec& host = first_host(connection);
  std::string quoted;
  for (const char c : sql) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "psql -h " + (host.host.empty() ? host.hostaddr : host.host) + " -p " + std::to_string(host.port) +
         " -U postgres" + (database.empty() ? "" : " -d " + database) + " -c '" + quoted + "'";
}

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

/// What a session of the application sees.
struct Sight {
  bool in_recovery = false;
  bool uses_tls = false;
  std::int64_t sessions_allowed = 0;
  std::int64_t role_limit = -1;
  std::optional<std::string> schema;
  std::int64_t tables_hidden = 0;
  std::string version;
};

constexpr std::string_view kLook =
    "SELECT pg_is_in_recovery() AS in_recovery, "
    "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS uses_tls, "
    "current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint "
    "AS sessions_allowed, "
    "(SELECT rolconnlimit::bigint FROM pg_roles WHERE rolname = current_user) AS role_limit, "
    "current_schema()::text AS schema, "
    "(SELECT count(*) FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm') "
    "AND c.relnamespace = current_schema()::regnamespace AND NOT has_table_privilege(c.oid, 'SELECT')) AS "
    "tables_hidden, "
    "split_part(current_setting('server_version'), ' ', 1) AS version";

void judge_endpoint(const std::string& subject, const DatabaseConfig& database, const ConnectionOptions& connection,
                    const Sight& sight, bool replica, bool logical, std::vector<Finding>& findings) {
  const std::size_t before = findings.size();
  const std::string user = quote_identifier(connection.user);
  if (!replica && sight.in_recovery) {
    findings.push_back({Severity::problem, subject, "this is a standby: writes will fail",
                        "name the primary in " + setting_of(database) +
                            ", or list several hosts with "
                            "target_session_attrs=read-write"});
  }
  if (replica && !sight.in_recovery && !logical) {
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
  const std::uint32_t pool_max = database.pool.max.value;
  if (sight.role_limit >= 0 && sight.role_limit < static_cast<std::int64_t>(pool_max)) {
    findings.push_back(
        {Severity::problem, subject,
         "role " + connection.user + " may have " + std::to_string(sight.role_limit) +
             " connections, the pool opens up to " + std::to_string(pool_max),
         administrator_line(connection, "ALTER ROLE " + user + " CONNECTION LIMIT " + std::to_string(pool_max))});
  }
  if (findings.size() == before) {
    findings.push_back(
        {Severity::good, subject,
         connection.location() + ", PostgreSQL " + sight.version + (replica ? ", streaming replica" : ""), ""});
  }
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

Task<Sight> look_at(Fleet& databases, Place place) {
  constexpr auto kAtOnce = fleet::OnConnectFailure::fail;
  DatabaseHandle handle = databases.database(place.name).value_or_throw();
  Lease lease = place.replica != nullptr ? co_await handle.read({.replica = place.replica->name}).lease(kAtOnce)
                                         : co_await handle.lease(kAtOnce);
  co_return co_await lease.query_one<Sight>(Statement{.sql = kLook, .timeout = kCheckTimeout});
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

/// All workers of all databases of one server together.
void check_sizes(const FleetConfig& config,
                 const std::map<std::string, std::pair<std::int64_t, const Place*>>& allowed,
                 std::vector<Finding>& findings) {
  const Sizing sizes = sizing(config);
  for (const ServerSizing& server : sizes.servers) {
    const auto at = allowed.find(server.location);
    if (at == allowed.end()) continue;
    const auto [sessions, place] = at->second;
    if (static_cast<std::int64_t>(server.total) <= sessions) {
      findings.push_back({Severity::good, "fleet",
                          server.location + ": the pools open at most " + std::to_string(server.total) + " of " +
                              std::to_string(sessions) + " connections",
                          ""});
      continue;
    }
    findings.push_back(
        {Severity::problem, "fleet",
         server.location + ": the pools may open " + std::to_string(server.total) +
             " connections, the server allows " + std::to_string(sessions),
         administrator_line(place->connection(), "ALTER SYSTEM SET max_connections = " +
                                                     std::to_string(server.recommended_max_connections)) +
             "   # and restart it; or make the pools smaller: --set database." + place->database->name +
             ".pool.max=..."});
  }
}

}  // namespace

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

Task<std::vector<Finding>> check_servers(Fleet& fleet) {
  const std::vector<Place> places = places_of(fleet.config());
  std::vector<Task<Result<Sight>>> looks;
  for (const Place& place : places) looks.push_back(as_result(with_timeout(look_at(fleet, place), kCheckTimeout)));
  const std::vector<Result<Sight>> sights = co_await all(std::move(looks));
  std::vector<Finding> findings;
  std::map<std::string, std::pair<std::int64_t, const Place*>> allowed;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    if (!sights[i].ok()) {
      findings.push_back(explain_connect_error(place.subject, place.connection(), sights[i].error()));
      continue;
    }
    judge_endpoint(place.subject, *place.database, place.connection(), *sights[i], place.replica != nullptr,
                   place.replica != nullptr && place.replica->logical.value, findings);
    allowed.try_emplace(first_host(place.connection()).display(), sights[i]->sessions_allowed, &place);
  }
  check_sizes(fleet.config(), allowed, findings);
  co_return findings;
}

}  // namespace switchyard::cli
