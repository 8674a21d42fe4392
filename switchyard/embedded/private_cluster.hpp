// Private PostgreSQL clusters: real servers for development and tests, without Docker, configuration or root.
//
// A PrivateCluster is one primary and its streaming replicas, each a real `postgres` with a data folder of its own,
// reachable over Unix sockets in one short folder. It is started from the server programs that are installed
// (postgres_binaries.hpp), as root too (then under the account `postgres`).
//
// Promised: when the process that made it ends, in whatever way, its servers end (the kernel sends them SIGINT);
// a temporary folder goes with it, or, after SIGKILL, with the next start of any cluster. A folder given by the
// user is never removed.
//
// Not done here: a server never outlives its starting process. A program that wants that (`switchyard up --detach`)
// forks first, before it starts a cluster, and keeps the cluster in the process that stays.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/embedded/cluster_options.hpp>
#include <switchyard/embedded/private_server.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::embedded {

/// All calls block; they may come from any thread. Needs no event loop.
class SWITCHYARD_API PrivateCluster {
 public:
  /// Makes the data folder if there is none, starts the primary and the replicas that the folder holds, and waits
  /// until they accept sessions. First removes the temporary folders of killed processes.
  [[nodiscard]] static Result<std::unique_ptr<PrivateCluster>> start(ClusterOptions options = {});

  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;
  /// Stops all servers: a temporary cluster at once, any other in order (stop()).
  ~PrivateCluster();

  [[nodiscard]] PrivateServer& primary() noexcept;
  [[nodiscard]] std::vector<PrivateServer*> replicas();
  /// Null if there is none of this name.
  [[nodiscard]] PrivateServer* replica(std::string_view name);

  /// Adds a streaming replica (pg_basebackup, a replication slot of the same name) and starts it. A replica that
  /// the folder already holds is returned as it is. Names: a letter, then letters, digits and '_', lower case, at
  /// most 40.
  [[nodiscard]] Result<PrivateServer*> add_replica(std::string_view name);
  /// Stops a replica, removes its data and drops its slot on the primary.
  [[nodiscard]] Result<void> drop_replica(std::string_view name);

  /// Stops the primary, then the replicas, so that these have received everything.
  [[nodiscard]] Result<void> stop(StopMode mode = StopMode::fast);

  /// Where everything lies.
  [[nodiscard]] const std::string& folder() const noexcept;
  [[nodiscard]] const std::string& socket_folder() const noexcept;

 private:
  struct Impl;
  explicit PrivateCluster(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::embedded
