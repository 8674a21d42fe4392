// How the gateway listens, who may log in there, and what each client gets. Part of FleetConfig.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/origin.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

/// For how long a client keeps a session of the server.
enum class PoolMode : std::uint8_t {
  automatic,    ///< as short as the statement allows, pinned only for what needs it; "auto"
  session,      ///< from login to goodbye
  transaction,  ///< for a transaction, whatever the statement is
};
/// Which writes a read on a replica has seen.
enum class ReadConsistency : std::uint8_t {
  session,  ///< the client's own
  strict,   ///< every write that the gateway has acknowledged
};
/// What currval() and lastval() of a client speak of.
enum class SequenceMode : std::uint8_t {
  follow,  ///< the session of the client's last write, if nobody has used it since; else 55000
  pin,     ///< a client that uses them keeps its session
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(PoolMode value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ReadConsistency value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(SequenceMode value) noexcept;

/// What differs for the clients of one database: [gateway.database.NAME]. Unset = as for the gateway.
struct GatewayDatabaseConfig {
  Setting<PoolMode> pool_mode = PoolMode::automatic;
  Setting<std::uint32_t> max_clients = 0u;   ///< 0 = the gateway's database_max_clients
  Setting<std::uint32_t> max_sessions = 0u;  ///< 0 = any
  Setting<std::uint32_t> min_sessions = 0u;  ///< kept for its clients while there are any
  Setting<bool> auto_read = false;
  Setting<ReadConsistency> consistency = ReadConsistency::session;
  Setting<SequenceMode> sequences = SequenceMode::follow;
};

/// What differs for the clients of one user: [gateway.user.NAME]. Unset = as for the gateway.
struct GatewayUserConfig {
  Setting<PoolMode> pool_mode = PoolMode::automatic;
  Setting<std::uint32_t> max_clients = 0u;   ///< 0 = the gateway's user_max_clients
  Setting<std::uint32_t> max_sessions = 0u;  ///< 0 = the gateway's user_max_sessions
  Setting<std::uint32_t> min_sessions = 0u;  ///< 0 = the gateway's user_min_sessions
};

struct GatewayConfig {
  // Where.
  Setting<std::vector<std::string>> listen = std::vector<std::string>{"127.0.0.1:6433"};
  Setting<std::string> unix_socket;  ///< folder of .s.PGSQL.PORT; empty = none
  Setting<std::string> unix_socket_mode = std::string("0600");
  Setting<std::string> tls_certificate;  ///< PEM files
  Setting<std::string> tls_key;
  Setting<std::string> tls_client_ca;

  // Who.
  Setting<std::string> users_file;        ///< PgBouncer's userlist.txt
  Setting<std::vector<std::string>> hba;  ///< lines as in pg_hba.conf; first match decides
  Setting<std::string> hba_file;          ///< the same as a file, behind the lines of `hba`
  Setting<std::string> auth_user;         ///< looks up users that the file does not have; empty = nobody does
  Setting<Secret> auth_password;          ///< of auth_user; empty = as the users file says
  Setting<std::string> auth_query;        ///< empty = the one on pg_shadow
  Setting<std::string> auth_database;     ///< where it is asked; empty = the database that the client wants
  Setting<Duration> auth_cache = Duration(std::chrono::seconds(10));
  Setting<std::vector<std::string>> admin_users;  ///< may do everything on the console
  Setting<std::vector<std::string>> stats_users;  ///< may look

  Setting<std::uint32_t> shards = 1u;  ///< threads

  // How many.
  Setting<std::uint32_t> max_clients = 10'000u;
  Setting<std::uint32_t> max_logins = 1'000u;        ///< that have not logged in yet
  Setting<std::uint32_t> database_max_clients = 0u;  ///< of one database; 0 = any, here and below
  Setting<std::uint32_t> user_max_clients = 0u;
  Setting<std::uint32_t> max_sessions = 0u;  ///< that clients use at a time
  Setting<std::uint32_t> user_max_sessions = 0u;
  Setting<std::uint32_t> user_min_sessions = 0u;  ///< of those, kept for a user while it has clients
  Setting<std::uint32_t> role_pools = 100u;       ///< of roles other than the fleet's
  Setting<std::uint32_t> role_pool_max = 10u;     ///< sessions of each
  Setting<std::uint32_t> cancel_rate = 100u;      ///< cancel requests a second from one address
  Setting<Duration> role_pool_idle = Duration(std::chrono::minutes(5));
  Setting<Duration> login_timeout = Duration(std::chrono::seconds(60));
  Setting<Duration> query_wait_timeout = Duration(std::chrono::seconds(120));  ///< for a session; zero = any time
  Setting<Duration> client_idle_timeout = Duration::zero();                    ///< zero = never, here and below
  Setting<Duration> idle_transaction_timeout = Duration::zero();
  Setting<Duration> handover_limit = Duration(std::chrono::hours(1));       ///< of who holds a session
  Setting<Duration> handover_tls_limit = Duration(std::chrono::hours(24));  ///< of clients over TLS

  // What they get.
  Setting<PoolMode> pool_mode = PoolMode::automatic;
  Setting<bool> auto_read = false;  ///< reads outside transactions may go to replicas
  Setting<ReadConsistency> consistency = ReadConsistency::session;
  Setting<SequenceMode> sequences = SequenceMode::follow;
  std::map<std::string, GatewayDatabaseConfig, std::less<>> databases;
  std::map<std::string, GatewayUserConfig, std::less<>> users;
};

}  // namespace switchyard::inline v0
