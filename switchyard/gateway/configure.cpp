#include <switchyard/gateway/configure.hpp>

#include <switchyard/runtime/listen_address.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kDefaultPort = 6433;
constexpr int kOctal = 8;

std::string path_of(const FleetConfig& fleet, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  std::error_code error;
  const fs::path beside = fs::path(fleet.file).parent_path() / path;
  return fs::exists(beside, error) ? beside.string() : path;
}

Result<std::string> contents_of(const Setting<std::string>& path, const std::string& found, const char* key) {
  std::ifstream file(found, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.is_open() && !file.bad()) return text;
  return Error(ErrorKind::Config,
               path.origin.to_string() + ": " + key + ": can't read '" + found + "': " + std::strerror(errno));
}

Result<AccessRules> rules_of(const FleetConfig& fleet) {
  const GatewayConfig& gateway = fleet.gateway;
  Result<AccessRules> rules = AccessRules::parse(*gateway.hba, "gateway.hba");
  if (!rules.ok() || gateway.hba_file->empty()) return rules;
  const std::string path = path_of(fleet, *gateway.hba_file);
  Result<std::string> text = contents_of(gateway.hba_file, path, "gateway.hba_file");
  if (!text.ok()) return text.error();
  Result<AccessRules> more = AccessRules::parse(*text, path);
  if (!more.ok()) return more;
  rules->append(*more);
  return rules;
}

}  // namespace

Result<GatewaySettings> gateway_settings(const FleetConfig& fleet) {
  const GatewayConfig& gateway = fleet.gateway;
  GatewaySettings settings;
  settings.kept = std::make_shared<KeptPasswords>(secrets_folder(fleet), *fleet.provision.admin_user,
                                                  *fleet.provision.password_grace);
  settings.config = gateway;
  for (const std::string& text : *gateway.listen) {
    auto addresses = runtime::parse_listen_address(text, "127.0.0.1:6433, [::1]:6433, *:6433 or 6433");
    if (!addresses.ok()) return addresses.error().with_context("gateway.listen");
    settings.listen.insert(settings.listen.end(), addresses->begin(), addresses->end());
  }
  if (!gateway.unix_socket->empty()) {
    const std::uint16_t port = settings.listen.empty() || settings.listen.front().port() == 0
                                   ? kDefaultPort
                                   : settings.listen.front().port();
    // A socket itself instead of its folder: where nothing else says the port.
    const bool named = gateway.unix_socket->find("/.s.PGSQL.") != std::string::npos;
    const std::string path =
        named ? *gateway.unix_socket : *gateway.unix_socket + "/.s.PGSQL." + std::to_string(port);
    auto address = runtime::SocketAddress::unix_domain(path);
    if (!address.ok()) return address.error().with_context("gateway.unix_socket");
    settings.listen.push_back(*address);
  }
  settings.unix_mode = static_cast<int>(std::strtol(gateway.unix_socket_mode->c_str(), nullptr, kOctal));
  if (!gateway.tls_certificate->empty()) {
    auto tls = runtime::TlsContext::server({.certificate = path_of(fleet, *gateway.tls_certificate),
                                            .key = path_of(fleet, *gateway.tls_key),
                                            .client_roots = path_of(fleet, *gateway.tls_client_ca),
                                            .certificate_required = false,
                                            .tickets = true});
    if (!tls.ok()) return tls.error();
    settings.tls = *std::move(tls);
  }
  if (!gateway.users_file->empty()) {
    const std::string path = path_of(fleet, *gateway.users_file);
    Result<std::string> text = contents_of(gateway.users_file, path, "gateway.users_file");
    if (!text.ok()) return text.error();
    Result<UserList> users = UserList::parse(*text, path);
    if (!users.ok()) return users.error();
    settings.users = *std::move(users);
  }
  if (gateway.hba.is_set() || gateway.hba_file.is_set()) {
    Result<AccessRules> rules = rules_of(fleet);
    if (!rules.ok()) return rules.error();
    settings.rules = *std::move(rules);
    settings.trust_own_account = false;
  }
  settings.console.admin_users = *gateway.admin_users;
  settings.console.stats_users = *gateway.stats_users;
  settings.login_timeout = *gateway.login_timeout;
  settings.max_clients = *gateway.max_clients;
  settings.max_logins = *gateway.max_logins;
  return settings;
}

}  // namespace switchyard::inline v0::gateway
