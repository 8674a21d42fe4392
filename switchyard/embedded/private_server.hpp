// One PostgreSQL server (postmaster) of a private cluster.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/server_endpoint.hpp>
#include <switchyard/embedded/sql_result.hpp>

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::embedded {

/// PostgreSQL's shutdown modes (manual chapter 19.5).
enum class StopMode {
  fast,       ///< sessions are ended, transactions rolled back, a checkpoint is written
  immediate,  ///< at once; the next start recovers
};

/// CREATE DATABASE.
struct DatabaseOptions {
  std::string owner;              ///< empty: the superuser
  std::string template_database;  ///< empty: template1. A template must have no sessions.
};

/// CREATE ROLE.
struct RoleOptions {
  Secret password;                   ///< empty: none
  std::string attributes = "LOGIN";  ///< "LOGIN CREATEDB CONNECTION LIMIT 10"
  std::vector<std::string> member_of;
};

/// Belongs to its PrivateCluster. All calls block; they may come from any thread.
class SWITCHYARD_API PrivateServer {
 public:
  struct Impl;  // defined in private_server_impl.hpp
  explicit PrivateServer(std::unique_ptr<Impl> impl) noexcept;
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  /// Stops the server at once if it runs.
  ~PrivateServer();

  /// "primary", or the name the replica was added under.
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] int major_version() const noexcept;
  [[nodiscard]] const std::string& bin_folder() const noexcept;
  /// Over the Unix socket, as superuser.
  [[nodiscard]] ServerEndpoint endpoint(std::string_view database = "postgres") const;
  /// Over TCP on 127.0.0.1, as superuser with its password. Usage error unless ClusterOptions::tcp_port was given.
  [[nodiscard]] Result<ServerEndpoint> tcp_endpoint(std::string_view database = "postgres") const;
  /// The postmaster's process id; -1 when it is not running.
  [[nodiscard]] pid_t pid() const;
  [[nodiscard]] bool running() const;
  [[nodiscard]] const std::string& data_folder() const noexcept;
  [[nodiscard]] const std::string& log_file() const noexcept;
  /// The last lines of the log, at most 16 kB.
  [[nodiscard]] std::string log_tail(std::size_t lines = 20) const;

  /// Starts the postmaster and waits until it accepts sessions. An error carries the end of the log. Starting a
  /// running server does nothing.
  [[nodiscard]] Result<void> start();
  /// Stops it and waits for its end; a server that does not end within ClusterOptions::stop_timeout is stopped at
  /// once, and after that killed. Stopping a stopped server does nothing.
  [[nodiscard]] Result<void> stop(StopMode mode = StopMode::fast);
  [[nodiscard]] Result<void> restart(StopMode mode = StopMode::fast);
  /// Kills postmaster and backends with SIGKILL, as a loss of power would; start() recovers.
  void kill9();
  /// Freezes the postmaster and every backend (SIGSTOP): sockets stay open, nothing answers. thaw() continues.
  void freeze();
  void thaw();

  /// Changes a setting for good (as ClusterOptions::settings does) and reloads. A setting that needs a restart gets
  /// it with the next restart().
  [[nodiscard]] Result<void> set(std::string_view setting, std::string_view value);

  /// Runs statements on a session of their own. Rows come as text; server errors keep their SQLSTATE.
  [[nodiscard]] Result<SqlResult> execute(std::string_view sql, std::string_view database = "postgres",
                                          Duration timeout = std::chrono::seconds(30));
  /// The only column of the only row; "" if it is NULL. Mapping error if there is not exactly one value.
  [[nodiscard]] Result<std::string> query_value(std::string_view sql, std::string_view database = "postgres",
                                                Duration timeout = std::chrono::seconds(30));

  [[nodiscard]] Result<void> create_database(std::string_view database, const DatabaseOptions& options = {});
  /// Ends the sessions on it first. Dropping a database that does not exist is not an error.
  [[nodiscard]] Result<void> drop_database(std::string_view database);
  [[nodiscard]] Result<void> create_role(std::string_view role, const RoleOptions& options = {});

  /// Makes a standby a primary (pg_promote) and waits until it accepts writes.
  [[nodiscard]] Result<void> promote(Duration timeout = std::chrono::seconds(60));
  /// True if it is in recovery, as a standby is until promoted.
  [[nodiscard]] Result<bool> in_recovery();
  /// Lets a standby stream from another server, with a replication slot of its own there.
  [[nodiscard]] Result<void> follow(PrivateServer& upstream);
  /// Waits until this standby has replayed everything that `upstream` has written so far.
  [[nodiscard]] Result<void> catch_up(PrivateServer& upstream, Duration timeout = std::chrono::seconds(30));
  /// Makes a standby lag: it receives but does not replay until resume_replay().
  [[nodiscard]] Result<void> pause_replay();
  [[nodiscard]] Result<void> resume_replay();

 private:
  std::unique_ptr<Impl> impl_;
};

/// An SQL identifier or literal, quoted.
[[nodiscard]] SWITCHYARD_API std::string quote_identifier(std::string_view name);
[[nodiscard]] SWITCHYARD_API std::string quote_literal(std::string_view value);

}  // namespace switchyard::inline v0::embedded
