#include <switchyard/config/assemble.hpp>

#include <switchyard/config/connection_grammar.hpp>
#include <switchyard/config/text_file.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

namespace switchyard::inline v0::config {
namespace {

/// Connection options with the layer that each came from.
class Keywords {
 public:
  /// Options of a connection string; false (and a problem) if it is malformed.
  bool add_dsn(const Setting<Secret>& dsn, const std::string& key, Problems& problems) {
    if (dsn->empty()) return true;
    auto grammar = parse_connection_grammar(dsn->reveal());
    if (!grammar.ok()) {
      problems.add(dsn.origin.to_string() + ": " + key, grammar.error());
      return false;
    }
    for (ConnectionToken& token : grammar->tokens)
      values_[token.keyword] = {std::move(token.value), dsn.origin.layer};
    const bool with_password = std::any_of(grammar->tokens.begin(), grammar->tokens.end(),
                                           [](const ConnectionToken& t) { return t.keyword == "password"; });
    if (with_password) {
      password_owner_ = text("user");
      password_file_.clear();
    }
    ignored_.insert(ignored_.end(), grammar->ignored.begin(), grammar->ignored.end());
    return true;
  }

  /// A key beside the dsn.
  template <class T>
  void add(const std::string& keyword, const Setting<T>& setting, const std::string& text) {
    if (!setting.is_set() || text.empty()) return;
    const auto found = values_.find(keyword);
    if (found != values_.end() && found->second.layer < setting.origin.layer) return;
    values_[keyword] = {text, setting.origin.layer};
  }
  void set(const std::string& keyword, std::string text, Layer layer) {
    values_[keyword] = {std::move(text), layer};
  }
  /// A password that belongs to `user` and to nobody else; an empty user: to whoever logs in.
  void set_password(std::string password, std::string user, std::string file) {
    set("password", std::move(password), Layer::profile);
    password_owner_ = std::move(user);
    password_file_ = std::move(file);
  }
  /// From here on everything known is weaker than whatever is added.
  void weaken() {
    for (auto& [keyword, value] : values_) value.layer = Layer::profile;
  }
  void drop(const std::string& keyword) {
    values_.erase(keyword);
    if (keyword == "password") password_file_.clear();
  }
  /// Where the password is from, if a file holds it.
  [[nodiscard]] const std::string& password_file() const noexcept { return password_file_; }
  [[nodiscard]] bool has(const std::string& keyword) const { return values_.contains(keyword); }
  [[nodiscard]] std::string text(const std::string& keyword) const {
    const auto found = values_.find(keyword);
    return found == values_.end() ? std::string() : found->second.text;
  }

  void add_endpoint(const EndpointConfig& endpoint) {
    add("user", endpoint.user, endpoint.user.value);
    if (endpoint.password.is_set()) {
      add("password", endpoint.password, endpoint.password->reveal());
      if (text("password") == endpoint.password->reveal()) {
        password_owner_.clear();
        password_file_ = endpoint.password_file;
      }
    }
    if (endpoint.host.is_set()) {
      add("host", endpoint.host, endpoint.host.value);
      if (text("host") == endpoint.host.value) drop("hostaddr");  // of a weaker dsn
    }
    add("port", endpoint.port, std::to_string(endpoint.port.value));
    add("dbname", endpoint.dbname, endpoint.dbname.value);
    for (const auto& [name, setting] : endpoint.options) add(name, setting, setting->reveal());
  }

  [[nodiscard]] Result<ConnectionOptions> complete(const ConnectionEnvironment& environment) const {
    std::vector<ConnectionKeyword> list;
    // A dsn's password is not sent for another user than the dsn's.
    const bool foreign_password = !password_owner_.empty() && password_owner_ != text("user");
    for (const auto& [keyword, value] : values_) {
      if (keyword == "password" && foreign_password) continue;
      list.push_back({keyword, value.text, 0});
    }
    auto out = complete_connection_options(std::move(list), environment);
    if (out.ok()) out->ignored = ignored_;
    return out;
  }

 private:
  struct Value {
    std::string text;
    Layer layer = Layer::profile;
  };
  std::map<std::string, Value> values_;
  std::vector<std::string> ignored_;
  std::string password_file_;   // that holds it
  std::string password_owner_;  // the user whose password it is; empty: whoever logs in
};

/// Does anybody say where this endpoint is?
bool has_place(const EndpointConfig& endpoint) {
  return !endpoint.dsn->empty() || !endpoint.host->empty() || endpoint.options.contains("hostaddr") ||
         endpoint.options.contains("service");
}

const ServerConfig* find_server(const FleetConfig& fleet, std::string_view name) {
  const auto found = std::find_if(fleet.servers.begin(), fleet.servers.end(),
                                  [&](const ServerConfig& s) { return s.name == name; });
  return found == fleet.servers.end() ? nullptr : &*found;
}

/// As an element of search_path.
std::string quoted_identifier(const std::string& name) {
  if (is_plain_name(name)) return name;
  std::string out = "\"";
  for (char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

constexpr std::array<const char*, 7> kPlaceAndCredentials{"host", "hostaddr", "port",   "dbname",
                                                          "user", "password", "service"};

/// What every session of the database shares, wherever it goes.
void add_session_settings(const DatabaseConfig& database, Keywords& keywords) {
  keywords.add("currentSchema", database.schema, quoted_identifier(database.schema.value));
  keywords.add("user", database.role, database.role.value);
  if (database.application_name.is_set()) {
    keywords.add("application_name", database.application_name, database.application_name.value);
  } else if (!keywords.has("application_name")) {
    keywords.set("application_name", database.application_name.value, Layer::profile);
  }
}

/// A password kept by provisioning, for a role that has none from elsewhere.
void use_kept_password(const FleetConfig& fleet, ConnectionOptions& connection) {
  if (connection.user.empty() || !connection.scram_client_key.empty()) return;
  for (const HostSpec& host : connection.hosts) {
    if (!host.password.empty()) return;
  }
  connection.password_file = secret_file(fleet, connection.user);
  struct stat status{};
  if (connection.password_file.empty() || ::stat(connection.password_file.c_str(), &status) != 0) return;
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    connection.warnings.push_back("password file \"" + connection.password_file +
                                  "\" has group or world access; permissions should be u=rw (0600) or less");
    connection.password_file.clear();
    return;
  }
  auto contents = read_text_file(connection.password_file);
  if (!contents.ok()) return;
  while (contents->ends_with('\n') || contents->ends_with('\r')) contents->pop_back();
  connection.password = Secret(*std::move(contents));
  for (HostSpec& host : connection.hosts) host.password = connection.password;
}

void finish(const FleetConfig& fleet, EndpointConfig& endpoint, const Keywords& keywords,
            const ConnectionEnvironment& environment, const std::string& what, Problems& problems) {
  auto options = keywords.complete(environment);
  if (!options.ok()) {
    const std::string place = endpoint.dsn.is_set() ? endpoint.dsn.origin.to_string() + ": " : std::string();
    problems.add(place + what, options.error());
    return;
  }
  endpoint.connection = *std::move(options);
  if (const std::string& file = keywords.password_file(); !file.empty()) {
    endpoint.connection.password_file = file;
  } else {
    use_kept_password(fleet, endpoint.connection);
  }
  endpoint.is_configured = true;
}

void assemble_write(const FleetConfig& fleet, DatabaseConfig& database, const Keywords& primary,
                    const ConnectionEnvironment& environment, Problems& problems) {
  const std::string key = "database." + database.name + ".write_dsn";
  const bool other_place = !database.write.dsn->empty();
  if (!other_place && !database.write.user.is_set() && !database.read_only.value) return;
  Keywords keywords;
  if (other_place) {
    if (!keywords.add_dsn(database.write.dsn, key, problems)) return;
    add_session_settings(database, keywords);
  } else {
    keywords = primary;
  }
  if (database.write.user.is_set()) {
    if (!other_place && keywords.text("user") != database.write.user.value) keywords.drop("password");
    keywords.set("user", database.write.user.value, database.write.user.origin.layer);
  }
  if (database.write.password.is_set()) {
    keywords.set_password(database.write.password->reveal(), {}, database.write.password_file);
  }
  finish(fleet, database.write, keywords, environment, key, problems);
}

}  // namespace

void assemble_database(const FleetConfig& fleet, DatabaseConfig& database, const ConnectionEnvironment& environment,
                       Problems& problems) {
  database.primary.is_configured = database.write.is_configured = false;
  const std::string key = "database." + database.name + ".dsn";
  const bool own_place = has_place(database.primary);
  Keywords keywords;
  bool configured = own_place;
  if (const ServerConfig* server = find_server(fleet, database.server.value)) {
    if (!keywords.add_dsn(server->endpoint.dsn, "server." + server->name + ".dsn", problems)) return;
    keywords.add_endpoint(server->endpoint);
    if (!database.primary.dsn->empty()) {
      for (const char* keyword : kPlaceAndCredentials) keywords.drop(keyword);
    }
    keywords.weaken();
    configured = configured || has_place(server->endpoint);
  }
  if (!configured) return;
  if (!keywords.add_dsn(database.primary.dsn, key, problems)) return;
  keywords.add_endpoint(database.primary);
  // The application's own role of a family, unless somebody says another.
  if (fleet.roles.value == RoleFamily::family && !database.role.is_set() && !database.primary.user.is_set() &&
      database.primary.dsn->empty()) {
    keywords.set("user", database.name + "_app", Layer::profile);
  }
  add_session_settings(database, keywords);
  finish(fleet, database.primary, keywords, environment, key, problems);
  if (!database.primary.is_configured) return;
  if (const std::string name = keywords.text("application_name"); name != database.application_name.value) {
    database.application_name = Setting<std::string>(name, database.primary.dsn.origin);
    database.application_name.origin.shadowed.clear();
  }
  assemble_write(fleet, database, keywords, environment, problems);
  if (database.read_only.value) {
    database.primary.connection.settings.emplace_back("default_transaction_read_only", "on");
  }
}

void assemble_replica(const FleetConfig& fleet, const DatabaseConfig& database, ReplicaConfig& replica,
                      const ConnectionEnvironment& environment, Problems& problems) {
  (void)fleet;
  replica.endpoint.is_configured = false;
  if (!has_place(replica.endpoint)) return;
  const std::string key = "database." + database.name + ".replica." + replica.name + ".dsn";
  Keywords keywords;
  // Credentials and dbname of the database serve a replica that does not say its own.
  const ConnectionOptions& primary = database.primary.connection;
  if (database.primary.is_configured) {
    keywords.set("dbname", primary.dbname, Layer::profile);
    if (!primary.user.empty()) keywords.set("user", primary.user, Layer::profile);
    if (!primary.password.empty())
      keywords.set_password(primary.password.reveal(), primary.user, primary.password_file);
  } else {
    keywords.add("dbname", database.primary.dbname, database.primary.dbname.value);
  }
  if (!keywords.add_dsn(replica.endpoint.dsn, key, problems)) return;
  keywords.add_endpoint(replica.endpoint);
  add_session_settings(database, keywords);
  finish(fleet, replica.endpoint, keywords, environment, key, problems);
}

}  // namespace switchyard::inline v0::config

namespace switchyard::inline v0 {

namespace {

Result<void> moved(config::Problems& problems) {
  if (problems.empty()) return {};
  return problems.to_error();
}

}  // namespace

Result<void> relocate(FleetConfig& fleet, DatabaseConfig& database, std::string_view dsn, std::string place) {
  database.primary.dsn = Setting<Secret>(Secret(std::string(dsn)), Origin{Layer::code, {}, std::move(place), {}});
  database.write.dsn = {};
  if (database.role.is_set()) database.role.origin.layer = Layer::code;  // the role is kept, whoever the dsn names
  config::Problems problems;
  config::assemble_database(fleet, database, {}, problems);
  return moved(problems);
}

Result<void> relocate(FleetConfig& fleet, DatabaseConfig& database, ReplicaConfig& replica, std::string_view dsn,
                      std::string place) {
  replica.endpoint.dsn = Setting<Secret>(Secret(std::string(dsn)), Origin{Layer::code, {}, std::move(place), {}});
  config::Problems problems;
  config::assemble_replica(fleet, database, replica, {}, problems);
  return moved(problems);
}

}  // namespace switchyard::inline v0
