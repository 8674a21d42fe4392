// The wire door: any PostgreSQL client connects as if this were the server, with the name of a database of the
// fleet as its dbname, and gets a session of that database.
//
// A client that has logged in has a session of the server while it needs one: for a transaction, as a rule, and
// longer where something of it is on the session that can't go elsewhere. It finds its prepared statements,
// settings and everything else as if it had one for itself. The session is chosen by the fleet (primary or read
// view, breaker, failover, limits). A client logs in under the name of the role that the fleet uses for the
// database: it acts as that role, and as nobody else.
//
// What it does not do yet is in docs/gateway.md.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace switchyard::inline v0::gateway {

struct GatewayStatus {
  std::uint32_t clients = 0;      ///< connected, those that log in included
  std::uint32_t serving = 0;      ///< of them: have logged in
  std::uint32_t holding = 0;      ///< of those: have a session of the server at the moment
  std::uint32_t waiting = 0;      ///< or wait for one
  std::uint32_t roles = 0;        ///< pools of roles other than the fleet's
  std::uint32_t sessions = 0;     ///< of the server that the gateway has at hand
  std::uint32_t logins = 0;       ///< have not logged in yet
  std::uint32_t handed_over = 0;  ///< clients that went to another process
  std::uint32_t taken_over = 0;   ///< clients that came from one
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;          ///< ended before they had logged in, cancel requests not counted
  std::uint64_t cancels = 0;          ///< cancel requests that named a client
  std::uint64_t unknown_cancels = 0;  ///< and those that did not
  std::uint64_t queries = 0;      ///< answered: simple queries, and groups of the extended protocol up to a Sync
  std::uint64_t shared = 0;       ///< of them: in a lane
  std::uint64_t pinned = 0;       ///< of them: on a session that the client has to keep
  std::uint64_t at_replicas = 0;  ///< reads that a replica served: transactions, or statements outside of one
  std::uint64_t reads_at_primary = 0;  ///< reads that no replica could serve

  /// Of another shard.
  SWITCHYARD_API GatewayStatus& operator+=(const GatewayStatus& other) noexcept;
};

class SWITCHYARD_API Gateway {
 public:
  /// Listens on the current shard, which is the fleet's; the fleet outlives the gateway. Errors of Listener::open.
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> open(Fleet& fleet, GatewaySettings settings);
  /// As close().
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// With the ports that were taken, in the order of GatewaySettings::listen.
  [[nodiscard]] const std::vector<runtime::SocketAddress>& addresses() const noexcept;
  [[nodiscard]] GatewayStatus status() const noexcept;
  /// These count from now on, for clients that have not logged in yet and, as far as they are about what clients
  /// get, for all. Where to listen stays.
  void reload(GatewaySettings settings) noexcept;
  /// Stops listening, ends clients as they become idle (57P01), and everybody who is left after `patience`.
  SWITCHYARD_COROUTINE_WRAPPER Task<void> drain(Duration patience);
  /// Stops listening and ends every client at once (57P01). What a client had not committed is rolled back.
  void close() noexcept;

 private:
  class Impl;
  explicit Gateway(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::gateway
