// How a private cluster is made.
#pragma once

#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::embedded {

/// Certificates of a server with TLS, as PEM files. They are copied into the data folder with the owner and mode
/// that PostgreSQL insists on.
struct ServerTls {
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;   ///< empty: client certificates are not looked at
  std::string crl_file;  ///< empty: no revocation list
};

/// Who may connect over the Unix socket, where nobody is asked for a password.
enum class SocketAccess {
  owner,     ///< the account that runs the servers, and root
  everyone,  ///< every account of this machine, as superuser if it likes
};

/// Where a temporary folder lies.
enum class Storage {
  disk,    ///< under TMPDIR, else /tmp
  memory,  ///< under /dev/shm if 1 GB is free there, else as `disk`: many short-lived clusters start ten times
           ///< faster
};

struct ClusterOptions {
  /// PostgreSQL's `cluster_name`: what `ps` and the log show.
  std::string name = "private";
  /// Where the data lies. Empty: a temporary folder that goes with the cluster. Otherwise the folder is kept, and a
  /// start in a folder that holds a cluster continues it, replicas included.
  std::string folder;
  Storage storage = Storage::disk;
  /// True: commits survive a crash of the machine, and the system identifier is unique; for `--persist`. False:
  /// fsync and full page writes are off and the data folder may be a copy of a kept one, with the same system
  /// identifier as other copies; for tests and demonstrations.
  bool durable = false;
  /// Settings of postgresql.conf, over this room's own.
  std::map<std::string, std::string> settings;
  std::string locale = "C.UTF-8";
  std::string superuser = "postgres";
  /// Also listen on 127.0.0.1, on this port (0: any free one). TCP asks for a password (SCRAM) unless `hba`
  /// differs.
  std::optional<std::uint16_t> tcp_port;
  /// The superuser's password for TCP; empty: a random one, see PrivateServer::tcp_endpoint.
  Secret superuser_password;
  /// Lines for pg_hba.conf, before "everybody is trusted on the socket, TCP asks for SCRAM" and after the one that
  /// lets the superuser in over the socket.
  std::vector<std::string> hba;
  std::optional<ServerTls> tls;
  /// Data checksums also where initdb does not switch them on by itself (before PostgreSQL 18).
  bool data_checksums = false;
  /// Which server programs; of a folder that holds a cluster the matching version is taken by itself.
  PostgresSearch binaries;
  /// The account that runs the servers when the caller is root; empty: postgres, else nobody.
  std::string run_as;
  SocketAccess socket_access = SocketAccess::owner;
  /// Preload pg_stat_statements where it is installed.
  bool stat_statements = true;
  Duration start_timeout = std::chrono::seconds(60);
  /// How long a fast shutdown may take before the server is told to stop at once.
  Duration stop_timeout = std::chrono::seconds(30);
};

}  // namespace switchyard::inline v0::embedded
