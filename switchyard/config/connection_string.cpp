#include <switchyard/config/connection_string.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/config/connection_grammar.hpp>
#include <switchyard/config/connection_keywords.hpp>
#include <switchyard/config/password_file.hpp>
#include <switchyard/config/service_file.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace switchyard::inline v0 {
namespace {

using config::ConnectionKeyword;

constexpr std::string_view kDefaultSocketFolder = "/var/run/postgresql";
constexpr std::string_view kFallbackSocketFolder = "/tmp";
constexpr std::uint16_t kDefaultPort = 5432;
/// More hosts than this in one string is a mistake (or an attack on the resolver).
constexpr std::size_t kMostHosts = 64;

Error option_error(std::string message) { return Error(ErrorKind::Config, "connection string: " + message); }

/// For options whose values are public.
Error bad_value(std::string_view keyword, std::string_view value, std::string_view expected) {
  return option_error("'" + std::string(value) + "' is not a value of " + std::string(keyword))
      .with_hint("expected " + std::string(expected));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::vector<std::string> split_commas(std::string_view list) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t comma = list.find(',');
    out.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

/// Decimal with optional sign and surrounding spaces, as strtol takes it.
bool parse_int(std::string_view text, std::int32_t& out) {
  text = trimmed(text);
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// Standard base64 of exactly 32 bytes.
bool is_scram_key(std::string_view text) {
  if (text.size() != 44 || text.back() != '=' || text[42] == '=') return false;
  return std::all_of(text.begin(), text.end() - 1, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

/// The options of one connection while they are completed and checked.
class Completion {
 public:
  Completion(std::vector<ConnectionKeyword> keywords, const ConnectionEnvironment& environment)
      : environment_(environment) {
    for (ConnectionKeyword& k : keywords) set(std::move(k.keyword), std::move(k.value));
  }

  Result<ConnectionOptions> run() {
    SY_TRY(add_service());
    add_variables();
    SY_TRY(read_schema());
    read_texts();
    SY_TRY(read_hosts());
    SY_TRY(read_numbers());
    SY_TRY(read_authentication());
    SY_TRY(read_tls());
    SY_TRY(read_choices());
    find_passwords();
    for (auto& [keyword, value] : values_) out_.given.push_back(keyword);
    return std::move(out_);
  }

 private:
  void set(std::string keyword, std::string value) { values_[std::move(keyword)] = std::move(value); }

  [[nodiscard]] const std::string* find(std::string_view keyword) const {
    const auto at = values_.find(keyword);
    return at == values_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] std::string text(std::string_view keyword) const {
    const std::string* value = find(keyword);
    return value == nullptr ? std::string() : *value;
  }
  [[nodiscard]] const std::string* variable(std::string_view name) const {
    const auto at = environment_.variables.find(name);
    return at == environment_.variables.end() ? nullptr : &at->second;
  }

  Result<void> add_service() {
    const std::string* service = find("service");
    if (service == nullptr) service = variable("PGSERVICE");
    if (service == nullptr || service->empty()) return {};
    std::string file = text("servicefile");
    if (const std::string* named = variable("PGSERVICEFILE"); file.empty() && named != nullptr) file = *named;
    auto options = config::load_service(*service, file, environment_);
    if (!options.ok()) return options.error();
    out_.service = *service;
    for (ConnectionKeyword& option : *options)
      values_.try_emplace(std::move(option.keyword), std::move(option.value));
    return {};
  }

  void add_variables() {
    for (const config::ConnectionKeywordSpec& spec : config::connection_keyword_specs()) {
      if (spec.variable.empty()) continue;
      if (const std::string* value = variable(spec.variable))
        values_.try_emplace(std::string(spec.keyword), *value);
    }
    if (const std::string* old = variable("PGREQUIRESSL"); old != nullptr && old->starts_with('1')) {
      values_.try_emplace("sslmode", "require");
    }
  }

  Result<void> read_schema() {
    const std::string* schema = find("currentSchema");
    if (schema == nullptr || schema->empty()) return {};
    out_.settings.emplace_back("search_path", *schema);
    return {};
  }

  void read_texts() {
    out_.user = text("user");
    if (out_.user.empty()) out_.user = environment_.os_user;
    out_.dbname = text("dbname");
    if (out_.dbname.empty()) out_.dbname = out_.user;
    out_.password = Secret(text("password"));
    out_.application_name = text("application_name");
    out_.fallback_application_name = text("fallback_application_name");
    out_.client_encoding = text("client_encoding");
    out_.options = text("options");
    out_.replication = text("replication");
    out_.requirepeer = text("requirepeer");
    out_.krbsrvname = text("krbsrvname");
    out_.gsslib = text("gsslib");
    out_.gssdelegation = text("gssdelegation");
    out_.oauth_issuer = text("oauth_issuer");
    out_.oauth_client_id = text("oauth_client_id");
    out_.oauth_client_secret = Secret(text("oauth_client_secret"));
    out_.oauth_scope = text("oauth_scope");
  }

  Result<void> read_hosts() {
    const std::string host_list = text("host"), address_list = text("hostaddr"), port_list = text("port");
    const std::vector<std::string> hosts = host_list.empty() ? std::vector<std::string>() : split_commas(host_list);
    const std::vector<std::string> addresses =
        address_list.empty() ? std::vector<std::string>() : split_commas(address_list);
    const std::size_t count = !addresses.empty() ? addresses.size() : !hosts.empty() ? hosts.size() : 1;
    if (count > kMostHosts) {
      return option_error("it names " + std::to_string(count) + " hosts; the limit is " +
                          std::to_string(kMostHosts));
    }
    if (!addresses.empty() && !hosts.empty() && hosts.size() != addresses.size()) {
      return option_error("it gives " + std::to_string(hosts.size()) + " hosts and " +
                          std::to_string(addresses.size()) + " addresses (hostaddr)")
          .with_hint("give one hostaddr for each host, or leave hostaddr out");
    }
    const std::vector<std::string> ports = port_list.empty() ? std::vector<std::string>() : split_commas(port_list);
    if (ports.size() > 1 && ports.size() != count) {
      return option_error("it gives " + std::to_string(ports.size()) + " ports and " + std::to_string(count) +
                          " hosts")
          .with_hint("give one port for all hosts, or one for each");
    }
    for (std::size_t i = 0; i < count; ++i) {
      HostSpec host;
      if (!hosts.empty()) host.host = hosts[i];
      if (!addresses.empty()) host.hostaddr = addresses[i];
      const bool is_folder = host.host.starts_with('/');
      if (!is_folder && host.host.find('@', 1) != std::string::npos) {
        // Not quoted: in a URI this is the rest of a password.
        return option_error("host number " + std::to_string(i + 1) + " contains '@'")
            .with_hint("write '@' in a user name or password as %40");
      }
      if (host.host.empty() && host.hostaddr.empty()) host.host = socket_folder();
      if (!ports.empty()) {
        const std::string& port = ports[ports.size() == 1 ? 0 : i];
        std::int32_t number = kDefaultPort;
        if (!port.empty() && (!parse_int(port, number) || number < 1 || number > 65535)) {
          // Not quoted: "user:pass/word@host" without encoding makes the password a port.
          return option_error("port number " + std::to_string(i + 1) + " is not a number from 1 to 65535")
              .with_hint("a '/', '?' or ':' in a password is written %2F, %3F, %3A");
        }
        host.port = static_cast<std::uint16_t>(number);
      }
      out_.hosts.push_back(std::move(host));
    }
    return {};
  }

  [[nodiscard]] std::string socket_folder() const {
    return environment_.socket_directory.empty() ? std::string(kDefaultSocketFolder)
                                                 : environment_.socket_directory;
  }

  Result<void> number(std::string_view keyword, std::optional<std::int32_t>& out) {
    const std::string* value = find(keyword);
    if (value == nullptr) return {};
    std::int32_t parsed = 0;
    if (!parse_int(*value, parsed)) return bad_value(keyword, *value, "a whole number");
    out = parsed;
    return {};
  }

  Result<void> read_numbers() {
    std::optional<std::int32_t> keepalives, timeout, user_timeout;
    SY_TRY(number("connect_timeout", timeout));
    SY_TRY(number("keepalives", keepalives));
    SY_TRY(number("keepalives_idle", out_.keepalives_idle));
    SY_TRY(number("keepalives_interval", out_.keepalives_interval));
    SY_TRY(number("keepalives_count", out_.keepalives_count));
    SY_TRY(number("tcp_user_timeout", user_timeout));
    if (timeout && *timeout > 0) out_.connect_timeout = std::chrono::seconds(*timeout);
    out_.keepalives = keepalives.value_or(1) != 0;
    if (user_timeout && *user_timeout > 0) out_.tcp_user_timeout = std::chrono::milliseconds(*user_timeout);
    return {};
  }

  template <class E>
  struct Named {
    std::string_view name;
    E value;
  };

  enum class Case { exact, folded };

  static bool same(std::string_view a, std::string_view b, Case how) {
    return how == Case::exact ? a == b : base::equal_ignoring_case(a, b);
  }

  template <class E, std::size_t N>
  Result<void> choice(std::string_view keyword, const std::array<Named<E>, N>& names, E& out,
                      Case how = Case::exact) {
    const std::string* value = find(keyword);
    if (value == nullptr) return {};
    std::vector<std::string_view> spellings;
    std::string list;
    for (const Named<E>& named : names) {
      if (same(named.name, *value, how)) {
        out = named.value;
        return {};
      }
      spellings.push_back(named.name);
      list += (list.empty() ? "" : ", ") + std::string(named.name);
    }
    const std::string suggestion = did_you_mean(*value, spellings);
    return bad_value(keyword, *value, "one of " + list + (suggestion.empty() ? "" : "; " + suggestion));
  }

  Result<void> read_authentication() {
    SY_TRY(choice("channel_binding",
                  std::array{Named<ChannelBinding>{"disable", ChannelBinding::disable},
                             Named<ChannelBinding>{"prefer", ChannelBinding::prefer},
                             Named<ChannelBinding>{"require", ChannelBinding::require}},
                  out_.channel_binding));
    SY_TRY(read_require_auth());
    for (std::string_view keyword : {"scram_client_key", "scram_server_key"}) {
      const std::string key = text(keyword);
      if (!key.empty() && !is_scram_key(key)) {
        return option_error(std::string(keyword) + " is not the base64 form of 32 bytes");
      }
      (keyword == "scram_client_key" ? out_.scram_client_key : out_.scram_server_key) = Secret(key);
    }
    GssEncMode gss = GssEncMode::disable;
    SY_TRY(choice("gssencmode",
                  std::array{Named<GssEncMode>{"disable", GssEncMode::disable},
                             Named<GssEncMode>{"prefer", GssEncMode::prefer},
                             Named<GssEncMode>{"require", GssEncMode::require}},
                  gss));
    if (gss == GssEncMode::require) {
      return option_error("gssencmode=require can't be met: GSSAPI encryption is not supported")
          .with_hint("use TLS: sslmode=verify-full");
    }
    out_.gssencmode = gss;
    return {};
  }

  Result<void> read_require_auth() {
    const std::string list = text("require_auth");
    if (list.empty()) return {};
    static constexpr std::array<Named<RequireAuth::Method>, 7> kMethods{
        {{"none", RequireAuth::none},
         {"password", RequireAuth::password},
         {"md5", RequireAuth::md5},
         {"gss", RequireAuth::gss},
         {"sspi", RequireAuth::sspi},
         {"scram-sha-256", RequireAuth::scram_sha_256},
         {"oauth", RequireAuth::oauth}}};
    std::uint16_t named = 0;
    std::optional<bool> negated;
    for (const std::string& item : split_commas(list)) {
      std::string_view method = trimmed(item);
      const bool minus = method.starts_with('!');
      if (minus) method.remove_prefix(1);
      if (negated && *negated != minus) {
        return option_error("require_auth mixes methods with and without '!'")
            .with_hint("list what is allowed, or what is forbidden, not both");
      }
      negated = minus;
      const auto* known =
          std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& m) { return m.name == method; });
      if (known == kMethods.end()) {
        return bad_value("require_auth", method,
                         "none, password, md5, gss, sspi, scram-sha-256, oauth, each with or "
                         "without '!'");
      }
      if ((named & known->value) != 0) {
        return option_error("require_auth names '" + std::string(method) + "' twice");
      }
      named |= known->value;
    }
    out_.require_auth.text = list;
    out_.require_auth.allowed = negated.value_or(false) ? RequireAuth::kAll & ~named : named;
    return {};
  }

  Result<void> read_tls() {
    SY_TRY(choice("sslmode",
                  std::array{Named<SslMode>{"disable", SslMode::disable}, Named<SslMode>{"allow", SslMode::allow},
                             Named<SslMode>{"prefer", SslMode::prefer}, Named<SslMode>{"require", SslMode::require},
                             Named<SslMode>{"verify-ca", SslMode::verify_ca},
                             Named<SslMode>{"verify-full", SslMode::verify_full}},
                  out_.sslmode));
    SY_TRY(choice("sslnegotiation",
                  std::array{Named<SslNegotiation>{"postgres", SslNegotiation::postgres},
                             Named<SslNegotiation>{"direct", SslNegotiation::direct}},
                  out_.sslnegotiation));
    SY_TRY(choice("sslcertmode",
                  std::array{Named<SslCertMode>{"disable", SslCertMode::disable},
                             Named<SslCertMode>{"allow", SslCertMode::allow},
                             Named<SslCertMode>{"require", SslCertMode::require}},
                  out_.sslcertmode));
    constexpr std::array kVersions{
        Named<TlsVersion>{"TLSv1", TlsVersion::tls1_0}, Named<TlsVersion>{"TLSv1.1", TlsVersion::tls1_1},
        Named<TlsVersion>{"TLSv1.2", TlsVersion::tls1_2}, Named<TlsVersion>{"TLSv1.3", TlsVersion::tls1_3},
        Named<TlsVersion>{"", TlsVersion::unset}};
    SY_TRY(choice("ssl_min_protocol_version", kVersions, out_.ssl_min_protocol_version, Case::folded));
    SY_TRY(choice("ssl_max_protocol_version", kVersions, out_.ssl_max_protocol_version, Case::folded));
    if (out_.ssl_min_protocol_version != TlsVersion::unset && out_.ssl_max_protocol_version != TlsVersion::unset &&
        out_.ssl_min_protocol_version > out_.ssl_max_protocol_version) {
      return option_error("ssl_min_protocol_version " + std::string(to_string(out_.ssl_min_protocol_version)) +
                          " is above ssl_max_protocol_version " +
                          std::string(to_string(out_.ssl_max_protocol_version)));
    }
    out_.sslpassword = Secret(text("sslpassword"));
    out_.sslkeylogfile = text("sslkeylogfile");
    out_.sslcrldir = text("sslcrldir");
    if (const std::string* sni = find("sslsni")) out_.sslsni = !sni->starts_with('0');
    const std::string folder =
        environment_.home_directory.empty() ? std::string() : environment_.home_directory + "/.postgresql/";
    const auto path = [&](std::string_view keyword, std::string_view usual) {
      std::string given = text(keyword);
      if (!given.empty() || folder.empty()) return given;
      const std::string file = folder + std::string(usual);
      return exists(file) ? file : std::string();
    };
    out_.sslrootcert = path("sslrootcert", "root.crt");
    out_.sslcert = path("sslcert", "postgresql.crt");
    out_.sslkey = path("sslkey", "postgresql.key");
    out_.sslcrl = path("sslcrl", "root.crl");
    if (out_.sslrootcert == "system") {
      if (find("sslmode") == nullptr) out_.sslmode = SslMode::verify_full;
      if (out_.sslmode != SslMode::verify_full) {
        return option_error("sslmode=" + std::string(to_string(out_.sslmode)) +
                            " is too weak for sslrootcert=system")
            .with_hint("use sslmode=verify-full");
      }
    }
    if (out_.sslnegotiation == SslNegotiation::direct && out_.sslmode < SslMode::require) {
      return option_error("sslmode=" + std::string(to_string(out_.sslmode)) +
                          " is too weak for sslnegotiation=direct")
          .with_hint("use sslmode=require, verify-ca or verify-full");
    }
    return {};
  }

  Result<void> read_choices() {
    SY_TRY(choice("target_session_attrs",
                  std::array{Named<TargetSessionAttrs>{"any", TargetSessionAttrs::any},
                             Named<TargetSessionAttrs>{"read-write", TargetSessionAttrs::read_write},
                             Named<TargetSessionAttrs>{"read-only", TargetSessionAttrs::read_only},
                             Named<TargetSessionAttrs>{"primary", TargetSessionAttrs::primary},
                             Named<TargetSessionAttrs>{"standby", TargetSessionAttrs::standby},
                             Named<TargetSessionAttrs>{"prefer-standby", TargetSessionAttrs::prefer_standby}},
                  out_.target_session_attrs));
    SY_TRY(choice("load_balance_hosts",
                  std::array{Named<LoadBalanceHosts>{"disable", LoadBalanceHosts::disable},
                             Named<LoadBalanceHosts>{"random", LoadBalanceHosts::random}},
                  out_.load_balance_hosts));
    constexpr std::array kProtocols{Named<ProtocolVersion>{"3.0", ProtocolVersion::v3_0},
                                    Named<ProtocolVersion>{"3.2", ProtocolVersion::v3_2},
                                    Named<ProtocolVersion>{"latest", ProtocolVersion::v3_2}};
    SY_TRY(choice("min_protocol_version", kProtocols, out_.min_protocol_version));
    out_.max_protocol_version = out_.min_protocol_version;
    SY_TRY(choice("max_protocol_version", kProtocols, out_.max_protocol_version));
    if (out_.min_protocol_version > out_.max_protocol_version) {
      return option_error("min_protocol_version " + std::string(to_string(out_.min_protocol_version)) +
                          " is above max_protocol_version " + std::string(to_string(out_.max_protocol_version)));
    }
    return {};
  }

  void find_passwords() {
    if (!out_.password.empty()) {
      for (HostSpec& host : out_.hosts) host.password = out_.password;
      return;
    }
    out_.passfile = text("passfile");
    if (out_.passfile.empty() && !environment_.home_directory.empty()) {
      out_.passfile = environment_.home_directory + "/.pgpass";
    }
    config::PasswordFile file = config::read_password_file(out_.passfile);
    if (!file.warning.empty()) out_.warnings.push_back(std::move(file.warning));
    if (!file.contents) return;
    for (HostSpec& host : out_.hosts) {
      std::string_view name = !host.host.empty() ? host.host : host.hostaddr;
      if (name == socket_folder()) name = "localhost";
      const std::string port = std::to_string(host.port);
      if (auto password = config::find_password(file.contents->reveal(), {name, port, out_.dbname, out_.user})) {
        host.password = *std::move(password);
      }
    }
  }

  const ConnectionEnvironment& environment_;
  std::map<std::string, std::string, std::less<>> values_;
  ConnectionOptions out_;
};

}  // namespace

namespace config {

Result<std::vector<ConnectionKeyword>> parse_connection_keywords(std::string_view text) {
  auto grammar = parse_connection_grammar(text);
  if (!grammar.ok()) return grammar.error();
  std::vector<ConnectionKeyword> out;
  for (ConnectionToken& token : grammar->tokens) {
    ConnectionKeyword keyword{std::move(token.keyword), std::move(token.value), token.begin + 1};
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const ConnectionKeyword& k) { return k.keyword == keyword.keyword; });
    if (same != out.end()) {
      *same = std::move(keyword);
    } else {
      out.push_back(std::move(keyword));
    }
  }
  return out;
}

Result<ConnectionOptions> complete_connection_options(std::vector<ConnectionKeyword> keywords,
                                                      const ConnectionEnvironment& environment) {
  return Completion(std::move(keywords), environment).run();
}

}  // namespace config

Result<ConnectionOptions> parse_connection_string(std::string_view text, const ConnectionEnvironment& environment) {
  auto grammar = config::parse_connection_grammar(text);
  if (!grammar.ok()) return grammar.error();
  std::vector<ConnectionKeyword> keywords;
  for (config::ConnectionToken& token : grammar->tokens) {
    keywords.push_back({std::move(token.keyword), std::move(token.value), token.begin + 1});
  }
  auto options = config::complete_connection_options(std::move(keywords), environment);
  if (options.ok()) options->ignored = std::move(grammar->ignored);
  return options;
}

namespace {

constexpr std::string_view kMask = "********";

/// For text that can't be parsed: everything that may be a secret goes, and a little more.
std::string redact_bluntly(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t start = scheme + 3;
    const std::size_t colon = text.find(':', start);
    const std::size_t at = text.rfind('@');
    std::string out(text.substr(0, start));
    std::string_view rest = text.substr(start);
    if (at != std::string_view::npos && at >= start) {
      if (colon != std::string_view::npos && colon < at)
        out += std::string(text.substr(start, colon - start)) + ":";
      out += std::string(kMask) + "@";
      rest = text.substr(at + 1);
    }
    const std::size_t query = rest.find('?');  // its values may be secrets
    out += rest.substr(0, query);
    if (query != std::string_view::npos) out += "?" + std::string(kMask);
    return out;
  }
  // keyword=value: the first words up to a secret keyword are public.
  std::size_t cut = std::min(text.find("pass"), text.find("secret"));
  cut = std::min({cut, text.find("key"), text.find('\''), text.find('@')});
  if (text.find('=') == std::string_view::npos) cut = 0;
  return cut == std::string_view::npos ? std::string(text) : std::string(text.substr(0, cut)) + std::string(kMask);
}

}  // namespace

std::string redact_connection_string(std::string_view text) {
  const auto grammar = config::parse_connection_grammar(text);
  if (!grammar.ok()) return redact_bluntly(text);
  // More '@' than credentials need: the password was not encoded and its rest looks like a host.
  const bool uri = text.find("://") != std::string_view::npos && text.find('=') > text.find("://");
  if (uri) {
    std::size_t last = 0;
    for (const config::ConnectionToken& token : grammar->tokens) {
      if (token.keyword == "user" || token.keyword == "password") last = std::max(last, token.end);
    }
    const std::size_t stray = text.find('@', last == 0 ? text.find("://") : last + 1);
    const std::size_t query = text.find('?');
    if (stray != std::string_view::npos && !(last == 0 && stray == text.find("://") + 3) && stray < query) {
      return redact_bluntly(text);
    }
  }
  std::vector<const config::ConnectionToken*> secrets;
  for (const config::ConnectionToken& token : grammar->tokens) {
    if (config::is_secret_keyword(token.keyword)) secrets.push_back(&token);
  }
  std::sort(secrets.begin(), secrets.end(), [](const auto* a, const auto* b) { return a->begin < b->begin; });
  std::string out;
  std::size_t copied = 0;
  for (const config::ConnectionToken* secret : secrets) {
    out += text.substr(copied, secret->begin - copied);
    out += kMask;
    copied = secret->end;
  }
  return out + std::string(text.substr(copied));
}

ConnectionEnvironment process_connection_environment() {
  ConnectionEnvironment out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    out.variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::array<char, 16 * 1024> memory;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, memory.data(), memory.size(), &found) == 0 && found != nullptr) {
    out.os_user = found->pw_name;
    out.home_directory = found->pw_dir;
  }
  if (const auto home = out.variables.find("HOME"); home != out.variables.end() && !home->second.empty()) {
    out.home_directory = home->second;  // as libpq does
  }
  out.socket_directory =
      std::string(exists(std::string(kDefaultSocketFolder)) ? kDefaultSocketFolder : kFallbackSocketFolder);
  return out;
}

}  // namespace switchyard::inline v0
