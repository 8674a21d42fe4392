// Where the PostgreSQL server programs are.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::embedded {

/// One installation of the server programs: `initdb`, `postgres`, `pg_basebackup`.
struct PostgresBinaries {
  std::string folder;    ///< the bin folder, absolute
  int major = 0;         ///< 15, 18
  std::string version;   ///< as `postgres --version` says after "postgres (PostgreSQL) ": "15.20 (Debian ...)"
  bool has_tls = false;  ///< built with OpenSSL: `ssl = on` and SCRAM channel binding work
  bool has_stat_statements = false;  ///< pg_stat_statements can be preloaded

  [[nodiscard]] std::string program(std::string_view name) const { return folder + "/" + std::string(name); }
};

/// Where to look. Everything empty: the usual places.
struct PostgresSearch {
  std::string folder;  ///< look in this bin folder only
  int major = 0;       ///< take this major version only
};

/// Every usable installation, best first:
///  1. the bin folder that the environment variable SWITCHYARD_PG_BIN names (then nothing else),
///  2. the system's packages: /usr/lib/postgresql/N/bin (Debian), /usr/pgsql-N/bin (Red Hat), /usr/local/pgsql/bin,
///     or if there are none, `postgres` and `pg_config` on PATH; newest first,
///  3. the one that tools/install-postgresql-18 made: /var/cache/switchyard/postgresql-18 for root,
///     ~/.cache/switchyard/postgresql-18 for others. It has no TLS, hence it comes last.
/// Asks each program for its version once a process.
[[nodiscard]] SWITCHYARD_API std::vector<PostgresBinaries> list_postgres(const PostgresSearch& search = {});

/// Bin folders that packages of PostgreSQL have, whether there are any or not.
[[nodiscard]] SWITCHYARD_API std::vector<std::filesystem::path> packaged_folders();
/// The absolute folders of PATH, in its order.
[[nodiscard]] SWITCHYARD_API std::vector<std::filesystem::path> folders_on_path();

/// The best of them. The error says where was searched and how to install one.
[[nodiscard]] SWITCHYARD_API Result<PostgresBinaries> find_postgres(const PostgresSearch& search = {});

}  // namespace switchyard::inline v0::embedded
