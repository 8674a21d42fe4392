// PostgreSQL's client programs of the right version: pg_dump refuses a server that is newer than itself.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

/// A folder with pg_dump, pg_dumpall, pg_restore and psql of one version.
struct ClientPrograms {
  std::string folder;
  int major = 0;
  std::string version;  ///< "15.20"

  [[nodiscard]] std::string program(std::string_view name) const { return folder + "/" + std::string(name); }
};

/// All that are installed, newest first: in the folder that SWITCHYARD_PG_BIN names and nowhere else, or in the
/// usual places and on PATH.
[[nodiscard]] SWITCHYARD_API std::vector<ClientPrograms> list_client_programs();

/// The best of them for a server of this version: the same one, else the oldest that is newer. A Config error names
/// what there is and what to install.
[[nodiscard]] SWITCHYARD_API Result<ClientPrograms> choose_client_programs(
    const std::vector<ClientPrograms>& installed, int server_major);

}  // namespace switchyard::inline v0::backup
