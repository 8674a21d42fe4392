// The inside of PrivateServer, shared with PrivateCluster.
#pragma once

#include <switchyard/embedded/account.hpp>
#include <switchyard/embedded/cluster_options.hpp>
#include <switchyard/embedded/launcher.hpp>
#include <switchyard/embedded/private_server.hpp>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

namespace switchyard::inline v0::embedded {

struct PrivateServer::Impl {
  std::string name;
  ClusterOptions options;
  PostgresBinaries binaries;
  std::optional<Account> account;
  std::string sockets;
  std::string data;
  std::string log;
  std::uint16_t port = 0;
  /// Where a standby streams from; empty host: nowhere.
  std::string upstream_host;
  std::uint16_t upstream_port = 0;
  std::string slot;

  mutable std::recursive_mutex mutex;  ///< guards what follows, and start against stop
  mutable Process process;
  bool frozen = false;

  [[nodiscard]] std::string socket_file() const { return sockets + "/.s.PGSQL." + std::to_string(port); }
  [[nodiscard]] std::string configuration() const;
  [[nodiscard]] std::string host_based_authentication() const;
  Result<void> write_files();
  Result<void> wait_until_ready(std::size_t log_start, TimePoint deadline);
  Result<void> end(StopMode mode);
};

}  // namespace switchyard::inline v0::embedded
