// How a gateway listens and what it bounds.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/gateway/access_rules.hpp>
#include <switchyard/gateway/console_settings.hpp>
#include <switchyard/gateway/kept_passwords.hpp>
#include <switchyard/gateway/user_list.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

class ShardDirectory;

struct GatewaySettings {
  std::vector<runtime::SocketAddress> listen;  ///< TCP, port 0 takes a free one; Unix-domain paths
  int unix_mode = 0600;                        ///< permissions of the paths
  /// Null: TLS is not offered. Never offered on Unix-domain paths.
  std::shared_ptr<const runtime::TlsContext> tls;
  UserList users;
  /// Passwords that provisioning keeps, before those of the list; null: none are looked for.
  std::shared_ptr<KeptPasswords> kept;
  ConsoleSettings console;
  /// The account that runs the gateway may log in without proof on Unix-domain paths, whatever the rules say.
  bool trust_own_account = true;
  AccessRules rules = default_access_rules();
  /// As configured: what clients get (policy_of()), and further limits.
  GatewayConfig config;
  /// Databases whose clients all act as the fleet's role, whoever they have proved to be. Others act as themselves.
  std::set<std::string, std::less<>> one_role;
  /// Method `trust` is for users that the list or auth_query knows.
  bool trust_known_only = false;
  /// Names that clients use, beside the fleet's and the servers', and the fleet's databases that they mean.
  std::map<std::string, std::string, std::less<>> aliases;
  [[nodiscard]] std::string_view meant_by(std::string_view dbname) const noexcept {
    const auto found = aliases.find(dbname);
    return found == aliases.end() ? dbname : std::string_view(found->second);
  }
  /// As read last: pools of roles that are opened from now on are as it says. Null: as the fleet was opened.
  std::shared_ptr<const FleetConfig> fleet;
  /// Statements that are kept prepared on a session of the server.
  std::uint32_t max_prepared_statements = 500;
  /// From the connection to the end of authentication (PostgreSQL's authentication_timeout). A session is waited
  /// for as long as the database's acquire_timeout says.
  Duration login_timeout = std::chrono::seconds(60);
  /// Clients past their startup packet; one more is told 53300.
  std::uint32_t max_clients = 10'000;
  /// Connections that have not logged in yet. With one more the oldest of them is ended.
  std::uint32_t max_logins = 1'000;
  /// A message of a client that is larger ends it.
  std::uint32_t max_message_size = protocol::kMaxMessageSize;
  /// Bytes that may wait for one side to take them before the other is not read any more.
  std::size_t max_unsent = std::size_t{256} << 10;
  /// Where a process that takes over asks for sockets and clients (handover.hpp): a Unix-domain path for the own
  /// account. Empty: none can.
  std::string handover_path;
  /// Take over from the process that waits at handover_path, if there is one.
  bool take_over = false;
  /// Where that one listens is good enough: `listen` was only where to begin to look for free ports.
  bool keep_doors = false;
  /// Everything has been handed over: the program may end.
  std::function<void()> on_handed_over;
  /// The other shards of this gateway; null: there are none.
  std::shared_ptr<ShardDirectory> shards;
};

}  // namespace switchyard::inline v0::gateway
