#include <switchyard/gateway/pgbouncer_ini.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/config/name_rule.hpp>
#include <switchyard/gateway/console_command.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// A file of this kind is far smaller.
constexpr std::streamsize kLargestFile = 4 << 20;

// ---- keys without a meaning ----

struct Unused {
  std::string_view key;
  std::string_view why;
};

constexpr std::string_view kService = "the service manager of the system does that";
constexpr std::string_view kLog = "messages go to standard error";
constexpr std::string_view kDns = "names are looked up for each new connection";
constexpr std::string_view kSocket = "the system's values are used";

constexpr Unused kUnused[] = {
    {"application_name_add_host", "SHOW CLIENTS has the addresses; application_name stays as the client sets it"},
    {"autodb_idle_timeout", "databases are named one by one"},
    {"cancel_wait_timeout", "a cancel request is passed on at once"},
    {"client_tls13_ciphers", "OpenSSL's defaults are used"},
    {"client_tls_ciphers", "OpenSSL's defaults are used"},
    {"client_tls_dheparams", "OpenSSL's defaults are used"},
    {"client_tls_ecdhcurve", "OpenSSL's defaults are used"},
    {"client_tls_protocols", "TLS 1.2 and newer are spoken"},
    {"disable_pqexec", "a simple query may hold several statements"},
    {"dns_max_ttl", kDns},
    {"dns_nxdomain_ttl", kDns},
    {"dns_zone_check_period", kDns},
    {"ignore_startup_parameters", "settings of the startup packet are made, as by a server"},
    {"job_name", kService},
    {"listen_backlog", kSocket},
    {"log_connections", kLog},
    {"log_disconnections", kLog},
    {"log_pooler_errors", kLog},
    {"log_stats", "SHOW STATS and /metrics have them"},
    {"login_notify_message", "clients are told nothing but what a server tells them"},
    {"max_prepared_statements", "prepared statements of clients are kept in any number and work everywhere"},
    {"pidfile", kService},
    {"pkt_buf", "buffers grow as they are needed"},
    {"pool_idle_timeout", "pools of the fleet stay, with min_pool_size sessions"},
    {"query_wait_notify", "clients are told nothing but what a server tells them"},
    {"reserve_pool_timeout", "reserve_pool_size is part of the pool from the start"},
    {"resolv_conf", kDns},
    {"sbuf_loopcnt", "each connection gets its turn"},
    {"scram_iterations", "verifiers of the users' file count as they are"},
    {"server_check_delay", "sessions that were idle for long are tried before they are used"},
    {"server_check_query", "sessions that were idle for long are tried with an empty query"},
    {"server_fast_close", "sessions are closed as they come back"},
    {"server_login_retry", "attempts are spaced out by themselves"},
    {"server_reset_query", "what a client left on a session is undone before the next one gets it"},
    {"server_reset_query_always", "what a client left on a session is undone before the next one gets it"},
    {"server_round_robin", "the session that was used last is used first"},
    {"server_tls13_ciphers", "OpenSSL's defaults are used"},
    {"server_tls_ciphers", "OpenSSL's defaults are used"},
    {"service_name", kService},
    {"so_reuseport", kSocket},
    {"suspend_timeout", "SUSPEND lasts until RESUME"},
    {"syslog", kLog},
    {"syslog_facility", kLog},
    {"syslog_ident", kLog},
    {"tcp_defer_accept", kSocket},
    {"tcp_keepalive", kSocket},
    {"tcp_keepcnt", kSocket},
    {"tcp_keepidle", kSocket},
    {"tcp_keepintvl", kSocket},
    {"tcp_socket_buffer", kSocket},
    {"tcp_user_timeout", kSocket},
    {"track_extra_parameters", "all settings of clients are kept"},
    {"unix_socket_group", "unix_socket_mode decides who may connect"},
    {"user", kService},
    {"verbose", kLog},
};

/// Those of the next list that no running gateway looks at again.
constexpr std::string_view kAtStart[] = {"listen_addr", "listen_port",     "logfile",
                                         "peer_id",     "unix_socket_dir", "unix_socket_mode"};

/// Those that are used; the rest of what PgBouncer knows.
constexpr std::string_view kUsed[] = {
    "admin_users",
    "auth_dbname",
    "auth_file",
    "auth_hba_file",
    "auth_ident_file",
    "auth_ldap_options",
    "auth_query",
    "auth_type",
    "auth_user",
    "client_idle_timeout",
    "client_login_timeout",
    "client_tls_ca_file",
    "client_tls_cert_file",
    "client_tls_key_file",
    "client_tls_sslmode",
    "default_pool_size",
    "idle_transaction_timeout",
    "listen_addr",
    "listen_port",
    "logfile",
    "max_client_conn",
    "max_db_client_connections",
    "max_db_connections",
    "max_packet_size",
    "max_user_client_connections",
    "max_user_connections",
    "min_pool_size",
    "peer_id",
    "pool_mode",
    "query_timeout",
    "query_wait_timeout",
    "reserve_pool_size",
    "server_connect_timeout",
    "server_idle_timeout",
    "server_lifetime",
    "server_tls_ca_file",
    "server_tls_cert_file",
    "server_tls_key_file",
    "server_tls_protocols",
    "server_tls_sslmode",
    "stats_period",
    "stats_users",
    "transaction_timeout",
    "unix_socket_dir",
    "unix_socket_mode",
};

// ---- text ----

/// A string of TOML, in which ${ stands for itself.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') out += '\\';
    if (c == '$' && i + 1 < text.size() && text[i + 1] == '{') out += '$';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
      continue;
    }
    out += c;
  }
  return out + "\"";
}

std::string quoted_list(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) out += (out.size() == 1 ? "" : ", ") + quoted(value);
  return out + "]";
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

/// A name for the fleet: lower case, digits, underscores; empty if there is none.
std::string fleet_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    out += base::is_letter(c) || base::is_digit(c) ? base::to_lower(c) : '_';
  }
  return is_declarable_name(out) ? out : std::string();
}

/// Passwords in the clear of an auth_file. Its mistakes are found where it is used.
std::map<std::string, std::string> clear_passwords(std::string_view text) {
  std::map<std::string, std::string> out;
  const auto take = [](std::string_view& line) -> std::optional<std::string> {
    const std::size_t begin = line.find('"');
    if (begin == std::string_view::npos) return std::nullopt;
    std::string word;
    for (std::size_t i = begin + 1; i < line.size(); ++i) {
      if (line[i] == '"') {
        if (i + 1 == line.size() || line[i + 1] != '"') {
          line.remove_prefix(i + 1);
          return word;
        }
        ++i;
      }
      word += line[i];
    }
    return std::nullopt;
  };
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || line.starts_with(';') ||
        line.starts_with('#')) {
      continue;
    }
    auto user = take(line);
    auto secret = take(line);
    if (!user || !secret || secret->starts_with("SCRAM-SHA-256$") || secret->empty()) continue;
    if (secret->starts_with("md5") && secret->size() == 35) continue;
    out.emplace(*std::move(user), *std::move(secret));
  }
  return out;
}

// ---- the reader ----

class Reader {
 public:
  Reader(const ReadTextFile& read, const ConnectionEnvironment& environment)
      : read_(read), environment_(environment) {}

  Result<PgbouncerSetup> read(std::string_view text, std::string_view name,
                              const PgbouncerOverrides& overrides = {}) {
    auto lines = parse_ini(text, name, read_);
    if (!lines.ok()) return lines.error();
    for (const IniLine& line : *lines) sort(line);
    for (const auto& [key, value] : overrides) override_setting(key, value);
    if (databases_.empty()) error(std::string(name), "no database is named in [databases]");
    read_users_file();
    out_ << "[fleet]\napplication = \"pgbouncer\"\n";
    write_gateway();
    for (const IniLine& line : databases_) write_database(line);
    for (const IniLine& line : users_) write_user(line);
    if (!userless_.empty()) {
      const std::string others =
          userless_.size() == 1 ? "" : " and " + std::to_string(userless_.size() - 1) + " other databases";
      warn(userless_.front(), "without user= (here" + others +
                                  ") each client's role has sessions of its own; what " +
                                  "the gateway asks itself it asks as \"" + own_user() + "\"");
    }
    if (!errors_.empty()) return failure();
    Sources sources;
    sources.file = std::string(name);
    sources.file_text = out_.str();
    sources.environment.home_directory = environment_.home_directory;
    sources.environment.os_user = environment_.os_user;
    sources.environment.socket_directory = environment_.socket_directory;
    auto config = load_config(sources);
    if (!config.ok()) {
      return Error(ErrorKind::Config,
                   std::string(name) + " as a fleet file: " + std::string(config.error().message()));
    }
    setup_.config = *std::move(config);
    setup_.config.file.clear();  // it is no fleet file: nobody else can read it as one
    return std::move(setup_);
  }

 private:
  // ---- what is said ----

  void error(const std::string& place, const std::string& what) { errors_.push_back(place + ": " + what); }
  void warn(const std::string& place, const std::string& what) { setup_.warnings.push_back(place + ": " + what); }
  [[nodiscard]] Error failure() const {
    std::string text;
    for (const std::string& line : errors_) text += (text.empty() ? "" : "\n") + line;
    return Error(ErrorKind::Config, std::move(text));
  }

  void sort(const IniLine& line) {
    if (line.section == "databases") {
      databases_.push_back(line);
    } else if (line.section == "users") {
      users_.push_back(line);
    } else if (line.section == "peers") {
      error(line.place,
            "[peers] has no meaning here: one process uses all cores, and its keys for cancel requests "
            "name the shard");
    } else if (line.section == "pgbouncer") {
      note_setting(line);
    } else {
      error(line.place, "there is no section [" + line.section + "]; there are [databases], [users], [pgbouncer]");
    }
  }

  void note_setting(const IniLine& line) {
    if (std::ranges::find(kUsed, std::string_view(line.key)) != std::end(kUsed)) {
      settings_.insert_or_assign(line.key, line);  // the last one counts
      return;
    }
    for (const Unused& unused : kUnused) {
      if (unused.key != line.key) continue;
      warn(line.place, line.key + " has no meaning here: " + std::string(unused.why));
      return;
    }
    std::vector<std::string_view> known(std::begin(kUsed), std::end(kUsed));
    for (const Unused& unused : kUnused) known.push_back(unused.key);
    const std::string meant = did_you_mean(line.key, known);
    error(line.place, "unknown key '" + line.key + "'" + (meant.empty() ? "" : ": " + meant));
  }

  void override_setting(const std::string& key, const std::string& value) {
    const IniLine line{.section = "pgbouncer", .key = key, .value = value, .place = "SET " + key};
    const auto unused = std::ranges::find(kUnused, std::string_view(key), &Unused::key);
    if (unused != std::end(kUnused)) {
      return error(line.place, key + " has no meaning here: " + std::string(unused->why));
    }
    if (std::ranges::find(kAtStart, std::string_view(key)) != std::end(kAtStart)) {
      return error(line.place, key + " is read at the start only");
    }
    note_setting(line);
  }

  // ---- values ----

  [[nodiscard]] std::optional<std::string> given(const std::string& key) const {
    const auto found = settings_.find(key);
    if (found == settings_.end() || found->second.value.empty()) return std::nullopt;
    return found->second.value;
  }
  [[nodiscard]] const std::string& place_of(const std::string& key) const { return settings_.at(key).place; }

  std::uint32_t number(const std::string& place, std::string_view key, std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) {
      error(place, std::string(key) + " = '" + std::string(text) + "' is not a number");
    }
    return value;
  }
  std::uint32_t number(const std::string& key, std::uint32_t otherwise) {
    const auto text = given(key);
    return text ? number(place_of(key), key, *text) : otherwise;
  }
  /// Seconds in PgBouncer's files, as a duration of ours.
  std::string seconds(const std::string& place, std::string_view key, std::string_view text) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 1e9) {
      error(place, std::string(key) + " = '" + std::string(text) + "' is not a number of seconds");
      return "0s";
    }
    return std::to_string(std::llround(value * 1000)) + "ms";
  }
  std::string seconds(const std::string& key, std::string_view otherwise) {
    const auto text = given(key);
    return text ? seconds(place_of(key), key, *text) : std::string(otherwise);
  }

  /// PgBouncer's word as ours.
  std::string pool_mode(const std::string& place, const std::string& word) {
    if (word == "statement") {
      warn(place, "pool_mode = statement is taken for transaction: transactions are not refused");
      return "transaction";
    }
    if (word != "session" && word != "transaction") {
      error(place, "pool_mode = '" + word + "' is not one of session, transaction, statement");
    }
    return word;
  }

  void put(std::string_view key, const std::string& value) { out_ << key << " = " << value << '\n'; }
  void put_text(std::string_view key, const std::string& setting) {
    if (const auto value = given(setting)) put(key, quoted(*value));
  }
  void put_list(std::string_view key, const std::string& setting) {
    if (const auto value = given(setting)) put(key, quoted_list(split_list(*value)));
  }

  // ---- [pgbouncer] ----

  void read_users_file() {
    const auto path = given("auth_file");
    if (!path) return;
    const Result<std::string> text = read_(*path);
    if (text.ok()) {
      passwords_ = clear_passwords(*text);
    } else {
      error(place_of("auth_file"), std::string(text.error().message()));
    }
  }

  void write_gateway() {
    if (const auto peer = given("peer_id"); peer && *peer != "0") {
      error(place_of("peer_id"), "peer_id has no meaning here: one process uses all cores");
    }
    out_ << "[gateway]\n";
    const std::string port = given("listen_port").value_or("6432");
    if (given("listen_port") && (number("listen_port", 0) == 0 || number("listen_port", 0) > 65535)) {
      error(place_of("listen_port"), "listen_port = '" + port + "' is not a port");
    }
    std::vector<std::string> listen;
    for (const std::string& host : split_list(given("listen_addr").value_or(""))) {
      const bool v6 = host.find(':') != std::string::npos;
      listen.push_back((v6 ? "[" + host + "]" : host == "localhost" ? "127.0.0.1" : host) + ":" + port);
    }
    put("listen", quoted_list(listen));
    // An empty value turns it off.
    const auto folder = settings_.find("unix_socket_dir");
    socket_folder_ = folder == settings_.end() ? "/tmp" : folder->second.value;
    if (listen.empty() && socket_folder_.empty()) {
      error(folder->second.place, "neither listen_addr nor unix_socket_dir says where to listen");
    } else if (!socket_folder_.empty()) {
      put("unix_socket", quoted(socket_folder_ + (listen.empty() ? "/.s.PGSQL." + port : std::string())));
    }
    put("unix_socket_mode", quoted(given("unix_socket_mode").value_or("0777")));
    write_access();
    put("max_clients", std::to_string(number("max_client_conn", 100)));
    put("database_max_clients", std::to_string(number("max_db_client_connections", 0)));
    put("user_max_clients", std::to_string(number("max_user_client_connections", 0)));
    put("user_max_sessions", std::to_string(number("max_user_connections", 0)));
    put("role_pool_max", std::to_string(std::max(1U, number("default_pool_size", 20))));
    put("login_timeout", quoted(seconds("client_login_timeout", "60s")));
    put("query_wait_timeout", quoted(seconds("query_wait_timeout", "120s")));
    put("client_idle_timeout", quoted(seconds("client_idle_timeout", "0s")));
    put("idle_transaction_timeout", quoted(seconds("idle_transaction_timeout", "0s")));
    put("pool_mode",
        quoted(given("pool_mode") ? pool_mode(place_of("pool_mode"), *given("pool_mode")) : "session"));
    put_list("admin_users", "admin_users");
    put_list("stats_users", "stats_users");
    if (given("transaction_timeout") && seconds("transaction_timeout", "0s") != "0ms") {
      error(place_of("transaction_timeout"),
            "transactions are not ended after a time; set the server's transaction_timeout for the role");
    }
    if (given("stats_period")) {
      setup_.stats_period = std::chrono::seconds(std::max(1U, number("stats_period", 60)));
    }
    if (given("max_packet_size")) {
      warn(place_of("max_packet_size"),
           "max_packet_size has no meaning here: messages may be as large as the server's");
    }
  }

  void write_access() {
    put_text("users_file", "auth_file");
    put_text("auth_user", "auth_user");
    if (given("auth_user")) {
      put_text("auth_query", "auth_query");
    } else if (given("auth_query")) {
      warn(place_of("auth_query"), "auth_query is not asked without auth_user");
    }
    if (const auto database = given("auth_dbname")) {
      const std::string name = declared_name(*database);
      if (name.empty()) error(place_of("auth_dbname"), "auth_dbname = '" + *database + "' is not in [databases]");
      put("auth_database", quoted(name));
    }
    const std::string tls = given("client_tls_sslmode").value_or("disable");
    const bool on = tls != "disable";
    const bool required = tls == "require" || tls == "verify-ca" || tls == "verify-full";
    if (!required && tls != "disable" && tls != "allow" && tls != "prefer") {
      error(place_of("client_tls_sslmode"), "client_tls_sslmode = '" + tls +
                                                "' is not one of disable, allow, prefer, require, verify-ca, "
                                                "verify-full");
    }
    if (on) {
      if (!given("client_tls_cert_file") || !given("client_tls_key_file")) {
        error(place_of("client_tls_sslmode"),
              "client_tls_sslmode needs client_tls_cert_file and client_tls_key_file");
      }
      put_text("tls_certificate", "client_tls_cert_file");
      put_text("tls_key", "client_tls_key_file");
      put_text("tls_client_ca", "client_tls_ca_file");
    }
    const std::string certificate = tls.starts_with("verify-") ? " clientcert=" + tls : "";
    setup_.log_file = given("logfile").value_or("");
    write_rules(required, certificate);
  }

  void write_rules(bool tls_required, const std::string& certificate) {
    const std::string type = given("auth_type").value_or("md5");
    const std::string host = tls_required ? "hostssl" : "host";
    std::vector<std::string> rules;
    if (type == "md5" || type == "scram-sha-256" || type == "trust") {
      rules = {"local all all " + type, host + " all all all " + type + certificate};
    } else if (type == "cert") {
      rules = {"hostssl all all all cert"};
    } else if (type == "hba") {
      if (!given("auth_hba_file")) error(place_of("auth_type"), "auth_type = hba needs auth_hba_file");
      if (tls_required) rules = {"hostnossl all all all reject"};
      put_text("hba_file", "auth_hba_file");
      if (given("auth_ident_file")) {
        error(place_of("auth_ident_file"), "auth_ident_file has no meaning here: name the users in the rules");
      }
    } else if (type == "plain") {
      rules = {"local all all password", host + " all all all password" + certificate};
    } else if (type == "any" || type == "pam" || type == "ldap") {
      error(place_of("auth_type"),
            "auth_type = " + type + " is not to be had: use scram-sha-256, md5, plain, cert, hba or trust");
    } else {
      error(place_of("auth_type"),
            "auth_type = '" + type + "' is not one of md5, scram-sha-256, plain, cert, hba, trust");
    }
    if (given("auth_ldap_options")) error(place_of("auth_ldap_options"), "users are not looked up by LDAP here");
    if (type != "hba" && given("auth_hba_file")) {
      warn(place_of("auth_hba_file"), "auth_hba_file is not used without auth_type = hba");
    }
    if (!rules.empty()) put("hba", quoted_list(rules));
  }

  // ---- [databases] ----

  /// The fleet's name of an entry of [databases]; empty if there is none.
  [[nodiscard]] std::string declared_name(std::string_view name) const {
    for (const IniLine& line : databases_) {
      if (line.key == name) return fleet_name(name);
    }
    return {};
  }

  struct Database {
    std::string dbname, host, port, user, password, application_name, pool_mode, load_balance;
    std::uint32_t pool_size = 0, min_pool_size = 0, reserve = 0, max_connections = 0, max_clients = 0;
    std::string lifetime, wait;
    std::vector<std::pair<std::string, std::string>> settings;
  };

  void write_database(const IniLine& line) {
    if (line.key == "*") {
      return warn(line.place,
                  "'*' has no meaning here: databases are named one by one, and clients of other names are "
                  "refused");
    }
    if (line.key == "pgbouncer") return error(line.place, "pgbouncer is the name of the console");
    auto parameters = parse_ini_parameters(line);
    if (!parameters.ok()) return error_text(std::string(parameters.error().message()));
    Database database;
    database.dbname = line.key;
    database.pool_size = number("default_pool_size", 20);
    database.min_pool_size = number("min_pool_size", 0);
    database.reserve = number("reserve_pool_size", 0);
    database.max_connections = number("max_db_connections", 0);
    database.lifetime = seconds("server_lifetime", "3600s");
    database.wait = seconds("query_wait_timeout", "120s");
    for (const auto& [key, value] : *parameters) read_parameter(line, key, value, database);
    const std::string name = fleet_name(line.key);
    if (name.empty()) {
      return error(line.place, "'" + line.key +
                                   "' can't be a name here, not even in lower case with underscores for other "
                                   "signs: that is empty, or one of a read view (x_replica)");
    }
    if (name != line.key) setup_.names.aliases.emplace(line.key, name);
    if (!names_.insert(name).second) return error(line.place, "'" + line.key + "' is named twice, as " + name);
    put_database(line, name, database);
  }

  void error_text(std::string text) { errors_.push_back(std::move(text)); }

  void read_parameter(const IniLine& line, const std::string& key, const std::string& value, Database& database) {
    if (key == "dbname") {
      database.dbname = value;
    } else if (key == "host") {
      database.host = value;
    } else if (key == "port") {
      (void)number(line.place, key, value);
      database.port = value;
    } else if (key == "user") {
      database.user = value;
    } else if (key == "password") {
      database.password = value;
    } else if (key == "application_name") {
      database.application_name = value;
    } else if (key == "pool_size") {
      database.pool_size = number(line.place, key, value);
    } else if (key == "min_pool_size") {
      database.min_pool_size = number(line.place, key, value);
    } else if (key == "reserve_pool" || key == "reserve_pool_size") {
      database.reserve = number(line.place, key, value);
    } else if (key == "max_db_connections") {
      database.max_connections = number(line.place, key, value);
    } else if (key == "max_db_client_connections") {
      database.max_clients = number(line.place, key, value);
    } else if (key == "pool_mode") {
      database.pool_mode = pool_mode(line.place, value);
    } else if (key == "server_lifetime") {
      database.lifetime = seconds(line.place, key, value);
    } else if (key == "query_wait_timeout") {
      if (value != "-1") database.wait = seconds(line.place, key, value);
    } else if (key == "client_encoding" || key == "datestyle" || key == "timezone") {
      database.settings.emplace_back(key, value);
    } else if (key == "load_balance_hosts") {
      database.load_balance = value;
    } else if (key == "connect_query") {
      if (!read_connect_query(value, database)) {
        error(line.place,
              "connect_query may only SET here: sessions are reset between clients, and nothing else would last");
      }
    } else if (key == "auth_user" || key == "auth_query" || key == "auth_dbname") {
      const auto global = given(key);
      if (!global || *global != value) {
        warn(line.place, key + " of one database has no meaning here: set it in [pgbouncer] for all");
      }
    } else {
      constexpr std::string_view kKnown[] = {"dbname",
                                             "host",
                                             "port",
                                             "user",
                                             "password",
                                             "application_name",
                                             "pool_size",
                                             "min_pool_size",
                                             "reserve_pool_size",
                                             "max_db_connections",
                                             "max_db_client_connections",
                                             "pool_mode",
                                             "server_lifetime",
                                             "query_wait_timeout",
                                             "client_encoding",
                                             "datestyle",
                                             "timezone",
                                             "load_balance_hosts"};
      const std::string meant = did_you_mean(key, kKnown);
      error(line.place, "unknown parameter '" + key + "'" + (meant.empty() ? "" : ": " + meant));
    }
  }

  /// `SET a = b; SET c TO 'd'` as settings that the session starts with. False: it does something else.
  static bool read_connect_query(std::string_view text, Database& database) {
    while (!text.empty()) {
      const std::string_view statement = text.substr(0, text.find(';'));
      text.remove_prefix(std::min(text.size(), statement.size() + 1));
      if (statement.find_first_not_of(" \t") == std::string_view::npos) continue;
      const Result<ConsoleCommand> command = parse_console_command(statement);
      if (!command.ok() || command->verb != ConsoleVerb::set) return false;
      database.settings.emplace_back(command->argument, command->value);
    }
    return true;
  }

  [[nodiscard]] std::string own_user() const { return given("auth_user").value_or(environment_.os_user); }

  void put_database(const IniLine& line, const std::string& name, const Database& database) {
    out_ << "[database." << name << "]\n";
    put("host", quoted(database.host.empty() ? socket_folder_ : database.host));
    put("port", database.port.empty() ? "5432" : database.port);
    put("dbname", quoted(database.dbname));
    std::string user = database.user;
    if (user.empty()) {
      user = own_user();
      userless_.push_back(line.place);
    } else {
      setup_.names.one_role.insert(name);  // whoever logs in there
    }
    put("user", quoted(user));
    const auto known = passwords_.find(user);
    if (!database.password.empty()) {
      put("password", quoted(database.password));
    } else if (known != passwords_.end()) {
      put("password", quoted(known->second));
    }
    if (!database.application_name.empty()) put("application_name", quoted(database.application_name));
    // Nothing but query_timeout ends a statement there.
    put("command_timeout", quoted(seconds("query_timeout", "0s")));
    std::uint32_t most = std::max(1U, database.pool_size + database.reserve);
    if (database.max_connections != 0) most = std::min(most, database.max_connections);
    out_ << "pool = { max = " << most << ", min = " << std::min(database.min_pool_size, most)
         << ", acquire_timeout = " << quoted(database.wait == "0ms" ? "365d" : database.wait)
         << ", idle_timeout = " << quoted(seconds("server_idle_timeout", "600s"))
         << ", max_lifetime = " << quoted(database.lifetime) << " }\n";
    put_options(line, database);
    if (database.pool_mode.empty() && database.max_clients == 0 && database.max_connections == 0) return;
    out_ << "[gateway.database." << name << "]\n";
    if (!database.pool_mode.empty()) put("pool_mode", quoted(database.pool_mode));
    if (database.max_clients != 0) put("max_clients", std::to_string(database.max_clients));
    if (database.max_connections != 0) put("max_sessions", std::to_string(database.max_connections));
  }

  void put_options(const IniLine& line, const Database& database) {
    std::string options;
    for (const auto& [key, value] : database.settings) {
      std::string escaped;
      for (const char c : value) {
        if (c == ' ' || c == '\\') escaped += '\\';
        escaped += c;
      }
      if (key == "client_encoding") {
        put("options.client_encoding", quoted(value));
      } else {
        options += (options.empty() ? "-c " : " -c ") + key + "=" + escaped;
      }
    }
    if (!options.empty()) put("options.options", quoted(options));
    const std::string mode = given("server_tls_sslmode").value_or("prefer");
    put("options.sslmode", quoted(mode));
    put_text("options.sslrootcert", "server_tls_ca_file");
    put_text("options.sslcert", "server_tls_cert_file");
    put_text("options.sslkey", "server_tls_key_file");
    if (const auto protocols = given("server_tls_protocols")) put_protocols(*protocols);
    if (const auto text = given("server_connect_timeout")) {
      put("options.connect_timeout", quoted(std::to_string(static_cast<int>(std::ceil(std::atof(text->c_str()))))));
      (void)seconds("server_connect_timeout", "");
    }
    if (database.host.find(',') == std::string::npos) return;
    if (database.load_balance.empty() || database.load_balance == "round-robin") {
      put("options.load_balance_hosts", quoted("random"));
      warn(line.place, "several hosts are taken in random order, and those that are not reachable are left out");
    } else if (database.load_balance != "disable") {
      error(line.place, "load_balance_hosts = '" + database.load_balance + "' is not one of round-robin, disable");
    }
  }

  void put_protocols(const std::string& protocols) {
    if (protocols == "tlsv1.3") {
      put("options.ssl_min_protocol_version", quoted("TLSv1.3"));
    } else if (protocols != "secure" && protocols != "tlsv1.2,tlsv1.3" && protocols != "all" &&
               protocols != "tlsv1.2") {
      error(place_of("server_tls_protocols"), "server_tls_protocols = '" + protocols +
                                                  "' is not to be had: TLS 1.2 "
                                                  "and newer are spoken");
    }
  }

  // ---- [users] ----

  void write_user(const IniLine& line) {
    const auto parameters = parse_ini_parameters(line);
    if (!parameters.ok()) return error_text(std::string(parameters.error().message()));
    out_ << "[gateway.user." << quoted(line.key) << "]\n";
    for (const auto& [key, value] : *parameters) {
      if (key == "pool_mode") {
        put("pool_mode", quoted(pool_mode(line.place, value)));
      } else if (key == "max_user_connections") {
        put("max_sessions", std::to_string(number(line.place, key, value)));
      } else if (key == "max_user_client_connections") {
        put("max_clients", std::to_string(number(line.place, key, value)));
      } else if (key == "pool_size" || key == "reserve_pool_size" || key == "query_timeout" ||
                 key == "query_wait_timeout" || key == "idle_transaction_timeout" || key == "transaction_timeout" ||
                 key == "client_idle_timeout") {
        warn(line.place,
             key + " of one user has no meaning here: set it in [pgbouncer] or with ALTER ROLE ... SET");
      } else {
        constexpr std::string_view kKnown[] = {"pool_mode", "max_user_connections", "max_user_client_connections"};
        const std::string meant = did_you_mean(key, kKnown);
        error(line.place, "unknown parameter '" + key + "'" + (meant.empty() ? "" : ": " + meant));
      }
    }
  }

  const ReadTextFile& read_;
  const ConnectionEnvironment& environment_;
  std::vector<IniLine> databases_;
  std::vector<IniLine> users_;
  std::map<std::string, IniLine> settings_;
  std::map<std::string, std::string> passwords_;
  std::set<std::string> names_;
  std::vector<std::string> userless_;
  std::string socket_folder_;
  std::ostringstream out_;
  std::vector<std::string> errors_;
  PgbouncerSetup setup_;
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorKind::Config, "can't read '" + path + "'");
  std::string text;
  std::array<char, 4096> piece{};
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    if (static_cast<std::streamsize>(text.size()) > kLargestFile) {
      return Error(ErrorKind::Config, "'" + path + "' is larger than 4 MB");
    }
  }
  return text;
}

}  // namespace

Result<PgbouncerSetup> read_pgbouncer_ini(std::string_view text, std::string_view name, const ReadTextFile& read,
                                          const ConnectionEnvironment& environment) {
  return Reader(read, environment).read(text, name);
}

Result<PgbouncerSetup> load_pgbouncer_ini(const std::string& path, const PgbouncerOverrides& overrides) {
  const Result<std::string> text = read_file(path);
  if (!text.ok()) return text.error();
  const ConnectionEnvironment environment = process_connection_environment();
  const ReadTextFile read = &read_file;
  return Reader(read, environment).read(*text, path, overrides);
}

}  // namespace switchyard::inline v0::gateway
