#include <switchyard/move/split.hpp>

#include <switchyard/config/connection_string.hpp>
#include <switchyard/move/record.hpp>
#include <switchyard/move/refusal.hpp>
#include <switchyard/move/schema_rest.hpp>
#include <switchyard/move/structure.hpp>
#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace switchyard::inline v0::move {
namespace {

std::string server_names(const FleetConfig& fleet) {
  std::string out;
  for (const ServerConfig& server : fleet.servers) out += (out.empty() ? "" : ", ") + server.name;
  return out;
}

/// A database on a [server.NAME], for whoever logs in at the old place unless the server says who does.
Result<ConnectionOptions> place_on(const EndpointConfig& server, const std::string& dbname,
                                   const ConnectionOptions& old) {
  std::vector<config::ConnectionKeyword> keywords;
  if (!server.dsn->empty()) {
    auto written = config::parse_connection_keywords(server.dsn->reveal());
    if (!written.ok()) return written.error();
    keywords = *std::move(written);
  }
  const auto set = [&](const std::string& keyword, const std::string& value) {
    std::erase_if(keywords, [&](const config::ConnectionKeyword& one) { return one.keyword == keyword; });
    keywords.push_back({keyword, value, 0});
  };
  for (const auto& [name, value] : server.options) set(name, value->reveal());
  if (server.host.is_set()) set("host", *server.host);
  if (server.port.is_set()) set("port", std::to_string(*server.port));
  if (server.user.is_set()) set("user", *server.user);
  if (server.password.is_set()) set("password", server.password->reveal());
  set("dbname", dbname);
  const auto says = [&](std::string_view keyword) {
    return std::ranges::find(keywords, keyword, &config::ConnectionKeyword::keyword) != keywords.end();
  };
  if (!says("user")) set("user", old.user);
  const bool old_password = !says("password") && !old.hosts.empty();
  auto there = config::complete_connection_options(std::move(keywords), process_connection_environment());
  if (!there.ok()) return there.error().with_context("server");
  there->settings = old.settings;
  there->application_name = old.application_name;
  if (old_password && there->user == old.user) {
    there->password = old.hosts.front().password;
    there->password_file = old.password_file;
    for (HostSpec& host : there->hosts) host.password = old.hosts.front().password;
  }
  return there;
}

}  // namespace

Result<SplitEnds> split_ends(FleetConfig& fleet, const std::string& schema, const std::string& from,
                             const std::string& to) {
  SplitEnds ends;
  ends.from = from;
  if (to.empty()) {
    return cant("where does the schema '" + schema + "' go?",
                "switchyard split " + schema + " --to DATABASE, or --to SERVER/DBNAME with a [server.SERVER]");
  }
  if (ends.from.empty()) {
    for (const DatabaseConfig& database : fleet.databases) {
      if (*database.schema != schema || database.name == to || !database.configured()) continue;
      if (!ends.from.empty()) {
        return cant("'" + ends.from + "' and '" + database.name + "' both have the schema '" + schema + "'",
                    "say which one: --from " + ends.from);
      }
      ends.from = database.name;
    }
  }
  const DatabaseConfig* source = ends.from.empty() ? nullptr : fleet.find(ends.from);
  if (source == nullptr) {
    return cant("no database of the fleet has the schema '" + schema + "'",
                "[database.NAME] schema = \"" + schema + "\" says whose it is, or give --from DATABASE");
  }
  const std::size_t slash = to.find('/');
  if (slash == std::string::npos) {
    auto resolved = fleet.resolve(to);
    if (!resolved.ok()) return resolved.error();
    ends.to = resolved->database->name;
    return ends;
  }
  const std::string server_name = to.substr(0, slash);
  const std::string dbname = to.substr(slash + 1);
  const ServerConfig* server = nullptr;
  for (const ServerConfig& one : fleet.servers) {
    if (one.name == server_name) server = &one;
  }
  if (server == nullptr || dbname.empty()) {
    return cant("there is no server '" + server_name + "' in the fleet file",
                "[server." + server_name + "] host = ..., port = ...; there are: " + server_names(fleet));
  }
  DatabaseConfig copy = *source;
  ends.to = copy.name = source->name + "_split";
  copy.server = server_name;
  copy.primary.admin_dsn = {};
  auto place = place_on(server->endpoint, dbname, source->primary.connection);
  if (!place.ok()) return place.error();
  copy.primary.connection = *std::move(place);
  copy.write = {};
  copy.replicas.clear();
  copy.when_unconfigured = std::string();
  fleet.databases.push_back(std::move(copy));
  ends.advice = "the tables are at " + to + " now. In the fleet file:\n  [database." + ends.from +
                "]\n  server = \"" + server_name + "\"\n  dbname = \"" + dbname +
                "\"\nand restart or reload what uses it; until then its "
                "statements fail with the new place named";
  return ends;
}

Task<void> prepare_split(Fleet& fleet, const std::string& from, const std::string& to, const std::string& schema) {
  DatabaseHandle source = fleet.database(from).value_or_throw();
  DatabaseHandle target = fleet.database(to).value_or_throw();
  co_await source.transaction([&](Transaction& tx) -> Task<void> {
    const auto begun = co_await read_source(tx, from + "-" + to);
    if (begun) co_return;
    co_await require_closed(tx, schema);
    const auto tables = co_await tables_of_schema(tx, schema);
    (void)co_await read_tables(tx, tables, quote_name(schema));
  });
  using Owner = std::tuple<std::string, bool, std::int32_t>;
  const auto owner = co_await source.query_optional<Owner>(
      "SELECT r.rolname::text, r.rolcanlogin, r.rolconnlimit FROM pg_namespace n JOIN pg_roles r ON r.oid = "
      "n.nspowner"
      " WHERE n.nspname = $1",
      schema);
  if (!owner) throw cant("there is no schema '" + schema + "' in '" + from + "'", "switchyard shell: \\dn");
  const auto& [role, login, limit] = *owner;
  const bool there =
      co_await target.query_value<bool>("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role);
  if (!there) {
    std::string text = "CREATE ROLE " + quote_name(role) + (login ? " LOGIN" : " NOLOGIN") + " CONNECTION LIMIT " +
                       std::to_string(limit);
    // The verifier, not the password: only a superuser sees it.
    const auto verifier = co_await source
                              .query_optional<std::optional<std::string>>(
                                  "SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
                              .result();
    if (verifier.ok() && *verifier && **verifier) text += " PASSWORD " + literal(***verifier);
    const auto made = co_await target.execute(text).result();
    if (!made.ok()) {
      throw made.error().with_hint("make the role '" + role + "' at '" + to +
                                   "' first: switchyard provision apply");
    }
    const auto settings = co_await source.query<std::string>(
        "SELECT format('ALTER ROLE %I SET %s TO %L', r.rolname, split_part(c, '=', 1), substr(c, strpos(c, '=') + "
        "1))"
        " FROM pg_roles r JOIN pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0, "
        "unnest(s.setconfig) c"
        " WHERE r.rolname = $1",
        role);
    for (const std::string& setting : settings) co_await target.execute(setting);
  }
  co_await target.execute("CREATE SCHEMA IF NOT EXISTS " + quote_name(schema) + " AUTHORIZATION " +
                          quote_name(role));
}

Task<bool> has_moves(Fleet& fleet, const std::string& database) {
  DatabaseHandle handle = fleet.database(database).value_or_throw();
  co_return co_await handle.query_value<bool>("SELECT to_regclass('switchyard.moves') IS NOT NULL");
}

}  // namespace switchyard::inline v0::move
