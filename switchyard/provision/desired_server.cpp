#include <switchyard/provision/desired_server.hpp>

#include <switchyard/config/connection_string.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace switchyard::inline v0::provision {

namespace {

/// As a value of a connection string.
std::string quoted(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

/// Beside the pools: psql, migrations, a backup.
constexpr std::uint32_t kSpareSessions = 10;
constexpr std::int32_t kReaderSessions = 20;
constexpr std::int32_t kMigratorSessions = 10;
constexpr std::int32_t kMonitorSessions = 5;
/// A gateway in front opens as many as the programs behind it would.
constexpr std::uint32_t kProcessesBeside = 2;

constexpr std::string_view kPublicSchema = "public";
constexpr std::string_view kMonitoring = "pg_monitor";
constexpr std::string_view kMigratorLockTimeout = "1s";

constexpr std::array<std::string_view, 7> kManagedSettings{"search_path",
                                                           "statement_timeout",
                                                           "role",
                                                           "lock_timeout",
                                                           "log_statement",
                                                           "log_duration",
                                                           "default_transaction_read_only"};

std::string place_of(const ConnectionOptions& connection) {
  std::string place;
  for (const HostSpec& host : connection.hosts) place += (place.empty() ? "" : ",") + host.display();
  return place;
}

std::string milliseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + "ms";
}

template <class T>
void add_once(std::vector<T>& list, const T& item) {
  if (std::ranges::find(list, item) == list.end()) list.push_back(item);
}

/// The roles of one logical database.
struct Roles {
  std::string owner;     ///< of the schema
  std::string app;       ///< who the database logs in as
  std::string write;     ///< who writes, if that is another
  std::string migrator;  ///< family
  std::string readonly;
};

Roles roles_of(const FleetConfig& fleet, const DatabaseConfig& database) {
  Roles roles;
  roles.app = database.primary.connection.user;
  if (database.write.is_configured && database.write.connection.user != roles.app &&
      place_of(database.write.connection) == place_of(database.primary.connection)) {
    roles.write = database.write.connection.user;
  }
  roles.readonly = *database.provision.readonly;
  const bool family = *fleet.roles == RoleFamily::family;
  if (family) {
    roles.owner = database.name + "_owner";
    roles.migrator = database.name + "_migrator";
    if (roles.readonly.empty()) roles.readonly = database.name + "_ro";
  } else {
    roles.owner = roles.write.empty() ? roles.app : roles.write;
  }
  if (!database.provision.owner->empty()) roles.owner = *database.provision.owner;
  return roles;
}

class Builder {
 public:
  explicit Builder(const FleetConfig& fleet) : fleet_(fleet) {}

  Result<std::vector<DesiredServer>> build() {
    for (const DatabaseConfig& database : fleet_.databases) {
      if (!database.configured()) continue;
      SY_TRY(add(database));
    }
    for (DesiredServer& server : servers_) finish(server);
    return std::move(servers_);
  }

 private:
  Result<void> add(const DatabaseConfig& database) {
    const ConnectionOptions& connection = database.primary.connection;
    auto found = server_of(database);
    if (!found.ok()) return found.error();
    DesiredServer& server = **found;
    const Roles roles = roles_of(fleet_, database);
    if (roles.app.empty()) {
      server.problems.push_back("database " + database.name + " names no role: set database." + database.name +
                                ".role");
      return {};
    }
    for (const std::string& role : {roles.app, roles.write}) {
      if (!role.empty() && role == server.admin.user) {
        server.problems.push_back("database " + database.name + " logs in as " + role +
                                  ", who provisions: give it a role of its own, database." + database.name +
                                  ".role");
        return {};
      }
    }
    DesiredDatabase& physical = database_of(server, connection.dbname);
    const bool own = database.schema->empty();
    physical.shared = physical.shared || !own;
    DesiredSchema& schema = schema_of(physical, database, own ? std::string(kPublicSchema) : *database.schema);
    if (schema.owner.empty()) schema.owner = roles.owner;
    add_roles(server, database, roles, schema.name, physical.name);
    add_access(physical, schema, roles);
    add_settings(physical, database, roles, own ? std::string() : schema.name);
    const auto allowed = [&](const Setting<bool>& setting) { return setting.is_set() ? *setting : own; };
    if (allowed(database.provision.large_objects)) physical.large_objects = true;
    if (allowed(database.provision.temporary)) {
      for (const std::string& role : {roles.app, roles.write, roles.owner, roles.migrator}) {
        if (!role.empty()) add_once(physical.temporary, role);
      }
    }
    // What the documents mean by GRANT ALL PRIVILEGES ON DATABASE: where the database is nobody else's.
    if (own) add_once(physical.create, schema.owner);
    return {};
  }

  Result<DesiredServer*> server_of(const DatabaseConfig& database) {
    const std::string place = place_of(database.primary.connection);
    const auto at = std::ranges::find(servers_, place, &DesiredServer::place);
    if (at != servers_.end()) return &*at;
    DesiredServer server;
    server.application = *fleet_.application;
    server.place = place;
    auto admin = administrator_of(fleet_, database);
    if (!admin.ok()) return admin.error();
    server.admin = *std::move(admin);
    servers_.push_back(std::move(server));
    return &servers_.back();
  }

  static DesiredDatabase& database_of(DesiredServer& server, const std::string& name) {
    const auto at = std::ranges::find(server.databases, name, &DesiredDatabase::name);
    if (at != server.databases.end()) return *at;
    DesiredDatabase& fresh = server.databases.emplace_back();
    fresh.name = name;
    return fresh;
  }

  static DesiredSchema& schema_of(DesiredDatabase& physical, const DatabaseConfig& database,
                                  const std::string& name) {
    const auto at = std::ranges::find(physical.schemas, name, &DesiredSchema::name);
    if (at != physical.schemas.end()) return *at;
    DesiredSchema& fresh = physical.schemas.emplace_back();
    fresh.name = name;
    fresh.database = database.name;
    return fresh;
  }

  DesiredRole& role_of(DesiredServer& server, const std::string& name, const std::string& purpose) {
    const auto at = std::ranges::find(server.roles, name, &DesiredRole::name);
    if (at != server.roles.end()) return *at;
    DesiredRole& fresh = server.roles.emplace_back();
    fresh.name = name;
    fresh.purpose = purpose;
    fresh.password_file = secret_file(fleet_, name);
    return fresh;
  }

  static void take_password(DesiredRole& role, const EndpointConfig& endpoint, const Setting<Secret>& setting) {
    const ConnectionOptions& connection = endpoint.connection;
    if (!role.password.empty()) return;
    role.password = connection.hosts.empty() || connection.hosts.front().password.empty()
                        ? connection.password
                        : connection.hosts.front().password;
    if (!connection.password_file.empty()) {
      role.password_file = connection.password_file;
    } else if (!role.password.empty()) {
      role.password_file.clear();
      role.password_place =
          setting.is_set() ? setting.origin.to_string() : "the connection string, or the password file of libpq";
    }
  }

  void add_roles(DesiredServer& server, const DatabaseConfig& database, const Roles& roles,
                 const std::string& schema, const std::string& dbname) {
    const std::string where = schema + " of " + dbname;
    const auto sessions = static_cast<std::int32_t>(kProcessesBeside * *fleet_.workers * *database.pool.max);
    const std::uint32_t explicit_limit = *database.provision.connection_limit;
    const bool tls = database.provision.tls_only.is_set() ? *database.provision.tls_only
                                                          : database.primary.connection.sslmode >= SslMode::require;
    const auto works = [&](DesiredRole& role, std::int32_t wanted) {
      role.login = true;
      role.tls_only = role.tls_only || tls;
      add_once(role.databases, database.name);
      if (role.connection_limit < 0) role.connection_limit = explicit_limit == 0 ? kSpareSessions : 0;
      role.connection_limit += explicit_limit == 0 ? wanted : static_cast<std::int32_t>(explicit_limit);
    };
    const bool app_owns = roles.owner == roles.app;
    DesiredRole& app = role_of(server, roles.app, std::string(app_owns ? "owns " : "works in ") + where);
    works(app, sessions * (*database.read_only && roles.write.empty() ? 2 : 1));
    take_password(app, database.primary, database.primary.password);
    if (!roles.write.empty()) {
      DesiredRole& write =
          role_of(server, roles.write, std::string(roles.owner == roles.write ? "owns " : "writes in ") + where);
      works(write, sessions);
      take_password(write, database.write, database.write.password);
    }
    if (roles.owner != roles.app && roles.owner != roles.write) {
      DesiredRole& owner = role_of(server, roles.owner, "owns " + where);
      if (owner.databases.empty()) owner.login = false;
      add_once(owner.databases, database.name);
    }
    if (!roles.migrator.empty()) {
      DesiredRole& migrator = role_of(server, roles.migrator, "migrates " + where);
      migrator.connection_limit = kMigratorSessions;
      migrator.tls_only = tls;
      add_once(migrator.member_of, roles.owner);
      add_once(migrator.databases, database.name);
    }
    if (!roles.readonly.empty() && roles.readonly != roles.app) {
      DesiredRole& reader = role_of(server, roles.readonly, "reads " + where);
      reader.connection_limit = std::max(reader.connection_limit, kReaderSessions);
      reader.tls_only = reader.tls_only || tls;
      add_once(reader.databases, database.name);
    }
  }

  static void add_access(DesiredDatabase& physical, DesiredSchema& schema, const Roles& roles) {
    for (const std::string& role : {roles.app, roles.write, roles.migrator, roles.readonly}) {
      if (!role.empty()) add_once(physical.connect, role);
    }
    if (!roles.readonly.empty() && roles.readonly != schema.owner) add_once(schema.readers, roles.readonly);
    if (!roles.write.empty() && roles.write != schema.owner) add_once(schema.writers, roles.write);
    if (roles.app == schema.owner) return;
    // Somebody else writes: who the database logs in as reads.
    add_once(roles.write.empty() ? schema.writers : schema.readers, roles.app);
  }

  void add_settings(DesiredDatabase& physical, const DatabaseConfig& database, const Roles& roles,
                    const std::string& schema) const {
    const Duration limit = database.provision.statement_timeout.is_set() ? *database.provision.statement_timeout
                                                                         : *database.command_timeout;
    const AuditLog log = database.provision.audit_log.is_set() ? *database.provision.audit_log
                         : *database.confidential              ? AuditLog::all
                                                               : AuditLog::off;
    const auto set = [&](const std::string& role, const std::string& name, std::string value) {
      physical.settings[{role, name}] = std::move(value);
    };
    for (const std::string& role : {roles.app, roles.write, roles.readonly, roles.migrator}) {
      if (role.empty()) continue;
      if (!schema.empty()) set(role, "search_path", schema);
      if (limit > Duration::zero() && role != roles.migrator) set(role, "statement_timeout", milliseconds(limit));
      if (log != AuditLog::off) set(role, "log_statement", std::string(to_string(log)));
    }
    if (!roles.migrator.empty()) {
      set(roles.migrator, "role", roles.owner);
      set(roles.migrator, "lock_timeout", std::string(kMigratorLockTimeout));
    }
    if (!roles.readonly.empty()) set(roles.readonly, "default_transaction_read_only", "on");
  }

  void finish(DesiredServer& server) {
    std::string monitor = *fleet_.provision.monitor;
    if (monitor.empty() && *fleet_.roles == RoleFamily::family) monitor = *fleet_.application + "_monitor";
    if (!monitor.empty() && !server.databases.empty()) {
      DesiredRole& role = role_of(server, monitor, "looks at statistics");
      role.connection_limit = kMonitorSessions;
      add_once(role.member_of, std::string(kMonitoring));
      for (DesiredDatabase& database : server.databases) add_once(database.connect, monitor);
    }
    // Who looks users up for the gateway has to reach the databases, and is nobody of the plan beside that.
    if (!fleet_.gateway.auth_user->empty() && server.role(*fleet_.gateway.auth_user) == nullptr &&
        *fleet_.gateway.auth_user != server.admin.user) {
      for (DesiredDatabase& database : server.databases) add_once(database.connect, *fleet_.gateway.auth_user);
    }
    for (const DesiredDatabase& database : server.databases) {
      for (const DesiredSchema& schema : database.schemas) {
        if (schema.name == kPublicSchema && database.shared && database.schemas.size() > 1) {
          server.problems.push_back("database " + schema.database + " lies in schema public of " + database.name +
                                    ", beside databases with schemas of their own: give it one, database." +
                                    schema.database + ".schema");
        }
      }
    }
  }

  const FleetConfig& fleet_;
  std::vector<DesiredServer> servers_;
};

}  // namespace

Result<ConnectionOptions> administrator_of(const FleetConfig& fleet, const DatabaseConfig& database) {
  const auto server = std::ranges::find(fleet.servers, *database.server, &ServerConfig::name);
  Secret dsn = *database.primary.admin_dsn;
  if (dsn.empty() && server != fleet.servers.end()) dsn = *server->endpoint.admin_dsn;
  if (!dsn.empty()) {
    auto parsed = parse_connection_string(dsn.reveal(), process_connection_environment());
    if (!parsed.ok()) return parsed.error().with_context("admin_dsn");
    return *std::move(parsed);
  }
  ConnectionOptions admin = database.primary.connection;
  admin.user = *fleet.provision.admin_user;
  admin.dbname = "postgres";
  admin.settings.clear();
  admin.options.clear();
  admin.application_name = *fleet.application + "-provision";
  admin.scram_client_key = admin.scram_server_key = Secret();
  // As any connection string would be completed: the password file and PGPASSWORD count.
  std::string text = "user=" + quoted(admin.user) + " dbname=postgres";
  std::string host, port;
  for (const HostSpec& one : admin.hosts) {
    host += (host.empty() ? "" : ",") + (one.host.empty() ? one.hostaddr : one.host);
    port += (port.empty() ? "" : ",") + std::to_string(one.port);
  }
  text += " host=" + quoted(host) + " port=" + port;
  if (!admin.passfile.empty() && admin.was_given("passfile")) text += " passfile=" + quoted(admin.passfile);
  auto completed = parse_connection_string(text, process_connection_environment());
  if (!completed.ok()) return completed.error().with_context("provision.admin_user");
  const Secret given = *fleet.provision.admin_password;
  admin.password = given.empty() ? completed->password : given;
  admin.password_file = secret_file(fleet, admin.user);
  for (std::size_t i = 0; i < admin.hosts.size(); ++i) {
    admin.hosts[i].password = !given.empty() || i >= completed->hosts.size() ? given : completed->hosts[i].password;
  }
  return admin;
}

const DesiredRole* DesiredServer::role(std::string_view name) const noexcept {
  const auto at = std::ranges::find(roles, name, &DesiredRole::name);
  return at == roles.end() ? nullptr : &*at;
}

const DesiredDatabase* DesiredServer::database(std::string_view name) const noexcept {
  const auto at = std::ranges::find(databases, name, &DesiredDatabase::name);
  return at == databases.end() ? nullptr : &*at;
}

std::vector<std::string> DesiredServer::logical() const {
  std::vector<std::string> names;
  for (const DesiredDatabase& one : databases) {
    for (const DesiredSchema& schema : one.schemas) names.push_back(schema.database);
  }
  return names;
}

bool is_managed_setting(std::string_view name) noexcept {
  return std::ranges::find(kManagedSettings, name) != kManagedSettings.end();
}

Result<std::vector<DesiredServer>> desired_servers(const FleetConfig& fleet) { return Builder(fleet).build(); }

}  // namespace switchyard::inline v0::provision
