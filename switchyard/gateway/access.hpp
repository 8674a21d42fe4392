// How a client has to prove who it is, and whether there is room for it: the first rule that fits its connection,
// what is known of its user, and the limits per user and database.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/gateway/access_rules.hpp>
#include <switchyard/gateway/auth_query.hpp>
#include <switchyard/gateway/client_counts.hpp>
#include <switchyard/gateway/client_policy.hpp>
#include <switchyard/gateway/role_fleets.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/timer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::gateway {

/// Who is at the other end of the connection, as far as the connection itself proves it.
struct PeerProof {
  std::string os_user;           ///< the account at the other end of a Unix-domain socket; empty elsewhere
  bool certificate = false;      ///< TLS, with a certificate of a trusted authority
  std::string certificate_name;  ///< its common name
};

struct LoginDecision {
  AccessMethod method = AccessMethod::reject;
  /// Empty: the user has to be looked up on the server, then login_method() tells.
  std::optional<protocol::LoginMethod> login;
};

/// `database` is the name that the client wrote. An error has the fields that the client is told.
[[nodiscard]] SWITCHYARD_API Result<LoginDecision> decide_login(const GatewaySettings& settings,
                                                                const AccessQuestion& question,
                                                                std::string_view database, const PeerProof& peer);

/// How a user proves a password by this method. Null: there is no such user, who is asked like any other and never
/// right.
[[nodiscard]] protocol::LoginMethod login_method(AccessMethod method, const Credential* credential,
                                                 const UserList& users, std::string_view user);

/// What the gateway knows of those who have logged in.
class Access {
 public:
  /// Ends a client with this message.
  using EndClient = std::function<void(std::uint32_t client, std::string message)>;

  /// All outlive it. Clients are counted in `settings.shards` where there are any.
  Access(Fleet& fleet, const GatewaySettings& settings, EndClient end_client);
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  [[nodiscard]] RoleFleets& roles() noexcept { return roles_; }
  [[nodiscard]] const RoleFleets& roles() const noexcept { return roles_; }
  /// As AuthQuery::find(). What goes wrong is in the log: whoever has not logged in learns nothing of the servers.
  [[nodiscard]] Task<Result<AuthQuery::Answer>> look_up(const DatabaseConfig& database, std::string user);

  /// Somebody has logged in. Errors (53300): limits of his user or database, in PgBouncer's words. `looked_up`: on
  /// the server, which is asked again from time to time.
  [[nodiscard]] Result<void> enter(std::uint32_t client, const DatabaseConfig& database, const std::string& user,
                                   bool looked_up);
  /// The same for the console, as `database`.
  [[nodiscard]] Result<void> enter_console(std::uint32_t client, const std::string& database,
                                           const std::string& user);
  void leave(std::uint32_t client) noexcept;

  /// One of the cancel requests that an address may send each second.
  [[nodiscard]] bool may_cancel(const std::string& address);

  /// Sessions of roles end; what is known of users is forgotten.
  void close() noexcept;
  /// Users are asked for again.
  void reload(std::shared_ptr<const FleetConfig> fleet) noexcept {
    query_.forget();
    roles_.renew(std::move(fleet));
  }

 private:
  [[nodiscard]] Result<void> count(const std::string& database, const std::string& user);
  struct Client {
    const DatabaseConfig* database;  ///< null: the console
    std::string counted_as;          ///< name of the database
    std::string user;
    bool looked_up;
  };
  struct Bucket {
    double tokens = 0;
    TimePoint at{};
  };
  static void on_probe(void* self) noexcept;
  [[nodiscard]] Task<void> probe();

  const GatewaySettings& settings_;
  EndClient end_client_;
  RoleFleets roles_;
  AuthQuery query_;
  std::map<std::uint32_t, Client> clients_;
  std::shared_ptr<ClientCounts> counts_;
  std::map<std::string, Bucket, std::less<>> cancels_;
  TimePoint told_{};  ///< in the log that users can't be looked up
  runtime::OwnedTask probing_;
  runtime::Timer probe_{&Access::on_probe, this};
};

}  // namespace switchyard::inline v0::gateway
