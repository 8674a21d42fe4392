#include "gateway_door.hpp"

#include <switchyard/gateway/configure.hpp>
#include <switchyard/http/port_owner.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace switchyard::cli {

namespace {

/// next_free looks at this many ports.
constexpr unsigned kPortsTried = 100;
constexpr std::string_view kSocketName = ".s.PGSQL.";

bool is_taken(const Error& error) { return error.message().ends_with(std::strerror(EADDRINUSE)); }

/// The same addresses with other ports; the file name of a Unix-domain socket holds one.
Result<std::vector<runtime::SocketAddress>> moved(const std::vector<runtime::SocketAddress>& addresses,
                                                  unsigned step) {
  std::vector<runtime::SocketAddress> out;
  for (const runtime::SocketAddress& address : addresses) {
    if (!address.is_unix()) {
      if (address.port() + step > 65535) return Error(ErrorKind::Unavailable, "there is no free port");
      auto next = runtime::SocketAddress::ip(address.host(), static_cast<std::uint16_t>(address.port() + step));
      if (!next.ok()) return next.error();
      out.push_back(*next);
      continue;
    }
    const std::string path = address.host();
    const std::size_t digits = path.rfind(kSocketName) + kSocketName.size();
    const unsigned port = static_cast<unsigned>(std::strtoul(path.c_str() + digits, nullptr, 10)) + step;
    auto next = runtime::SocketAddress::unix_domain(path.substr(0, digits) + std::to_string(port));
    if (!next.ok()) return next.error();
    out.push_back(*next);
  }
  return out;
}

/// Says who has the port, where that is known.
Error explained(const Error& error, const std::vector<runtime::SocketAddress>& addresses) {
  if (!is_taken(error)) return error;
  const auto taken = std::ranges::find_if(addresses, [&](const runtime::SocketAddress& address) {
    return error.message().find(address.text() + ":") != std::string_view::npos;
  });
  std::string message = "the gateway can't listen: " + std::string(error.message());
  if (taken != addresses.end() && !taken->is_unix())
    message = http::taken_message(*taken) + ", where the gateway would listen";
  return Error(ErrorKind::Unavailable, std::move(message))
      .with_hint("stop it, or choose another address: --set gateway.listen=127.0.0.1:7433");
}

/// What holds in front of the configured rules while this process runs the servers.
Result<gateway::GatewaySettings> settings_of(const FleetConfig& config, const DoorOptions& options) {
  auto settings = gateway::gateway_settings(config);
  const bool ruled = config.gateway.hba.is_set() || config.gateway.hba_file.is_set();
  if (!settings.ok() || options.own_databases.empty() || ruled) return settings;
  std::vector<std::string> lines;
  for (const std::string& database : options.own_databases) {
    for (const char* address : {"127.0.0.0/8", "::1/128"}) {
      lines.push_back("host \"" + database + "\" all " + address + " trust");
    }
  }
  if (options.owns_all) {
    // The console, and names that nobody has: who asks for one hears what there is.
    for (const char* address : {"127.0.0.0/8", "::1/128"}) {
      lines.push_back("host all all " + std::string(address) + " trust");
    }
    settings->console.trusts_loopback = true;
  }
  auto rules = gateway::AccessRules::parse(lines, "own servers");
  if (!rules.ok()) return rules.error();
  rules->mean_fleet_names();  // a server elsewhere may have a database of the same name
  rules->append(settings->rules);
  settings->rules = *std::move(rules);
  return settings;
}

}  // namespace

Result<std::unique_ptr<GatewayDoor>> GatewayDoor::open(Fleet& fleet, DoorOptions options) {
  auto settings = settings_of(fleet.config(), options);
  if (!settings.ok()) return settings.error();
  settings->one_role = options.names.one_role;
  settings->aliases = options.names.aliases;
  settings->trust_known_only = options.trust_known_only;
  settings->console.set = options.set;
  settings->console.shutdown = options.shutdown;
  settings->console.reload = options.reload;
  settings->handover_path = options.handover_path;
  settings->take_over = options.take_over;
  settings->keep_doors = options.next_free;
  settings->on_handed_over = options.on_handed_over;
  settings->console.aliases = options.console_aliases;
  if (options.stats_period) settings->console.stats_period = *options.stats_period;
  std::unique_ptr<gateway::GatewayShards> more;
  if (const std::uint32_t shards = *fleet.config().gateway.shards; shards > 1 && !settings->listen.empty()) {
    // The process may end when all have handed over.
    if (options.on_handed_over) {
      settings->on_handed_over = [left = std::make_shared<std::atomic<std::uint32_t>>(shards),
                                  over = options.on_handed_over] {
        if (--*left == 0) over();
      };
    }
    auto opened = gateway::GatewayShards::open(fleet.config(), options.permits, *settings, shards);
    if (!opened.ok()) return opened.error();
    more = *std::move(opened);
    settings->shards = more->directory();
  }
  const std::vector<runtime::SocketAddress> wanted = settings->listen;
  const bool knows_users = settings->users.size() > 0 || !fleet.config().gateway.auth_user->empty() ||
                           fleet.config().gateway.hba.is_set() || fleet.config().gateway.hba_file.is_set() ||
                           !options.own_databases.empty();
  for (unsigned step = 0;; ++step) {
    auto addresses = moved(wanted, step);
    if (!addresses.ok()) return addresses.error();
    settings->listen = *addresses;
    auto opened = gateway::Gateway::open(fleet, *settings);
    if (opened.ok()) {
      std::unique_ptr<GatewayDoor> door(new GatewayDoor(std::move(more), *std::move(opened), std::move(options)));
      door->knows_users_ = knows_users;
      return door;
    }
    const bool again = options.next_free && is_taken(opened.error()) && step + 1 < kPortsTried;
    if (!again) return explained(opened.error(), settings->listen);
  }
}

Result<void> GatewayDoor::reload(const FleetConfig& config, gateway::PgbouncerNames names) {
  auto settings = settings_of(config, options_);
  if (!settings.ok()) return settings.error();
  settings->one_role = std::move(names.one_role);
  settings->aliases = std::move(names.aliases);
  settings->trust_known_only = options_.trust_known_only;
  settings->fleet = std::make_shared<const FleetConfig>(config);
  if (more_) more_->each([&](Fleet&, gateway::Gateway& gateway) { gateway.reload(*settings); });
  gateway_->reload(*std::move(settings));
  return {};
}

Task<void> GatewayDoor::drain(Duration patience) {
  if (more_) {
    co_await all(gateway_->drain(patience), more_->drain(patience));
  } else {
    co_await gateway_->drain(patience);
  }
}

void GatewayDoor::each_other_fleet(const std::function<void(Fleet&)>& what) {
  if (more_) more_->each([&](Fleet& fleet, gateway::Gateway&) { what(fleet); });
}

WireDoorStatus GatewayDoor::status() const {
  gateway::GatewayStatus now = gateway_->status();
  if (more_) more_->each([&](Fleet&, gateway::Gateway& gateway) { now += gateway.status(); });
  WireDoorStatus status;
  status.addresses = addresses();
  status.clients = now.clients;
  status.logins = now.logins;
  status.served = now.holding;
  status.waiting = now.waiting;
  status.sessions = now.sessions;
  status.roles = now.roles;
  status.accepted = now.accepted;
  status.refused = now.refused;
  status.cancels = now.cancels;
  status.stray_cancels = now.unknown_cancels;
  status.at_replicas = now.at_replicas;
  status.reads_at_primary = now.reads_at_primary;
  return status;
}

std::vector<std::string> GatewayDoor::addresses() const {
  std::vector<std::string> out;
  for (const runtime::SocketAddress& address : gateway_->addresses()) out.push_back(address.text());
  return out;
}

std::string psql_line(const std::vector<std::string>& addresses, const std::string& user,
                      const std::string& database) {
  if (addresses.empty()) return {};
  std::string text = addresses.front();
  std::string host, port;
  if (text.starts_with('/')) {
    const std::size_t name = text.rfind('/' + std::string(kSocketName));
    host = text.substr(0, name);
    port = text.substr(name + 1 + kSocketName.size());
  } else {
    const std::size_t colon = text.rfind(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  }
  return "psql -h " + host + " -p " + port + " -U " + user + " -d " + database;
}

}  // namespace switchyard::cli
