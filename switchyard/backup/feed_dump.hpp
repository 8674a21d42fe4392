// A dump on its way from a backup into pg_restore or psql. Internal.
#pragma once

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/client_programs.hpp>
#include <switchyard/backup/manifest.hpp>
#include <switchyard/backup/restore.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/connection_options.hpp>

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace switchyard::inline v0::backup {

/// What both need to know.
struct Feed {
  const std::filesystem::path& folder;
  const std::vector<AgeIdentity>& identities;
  const ConnectionOptions& connection;  ///< of the database that is filled
  const std::vector<ClientPrograms>& programs;
  int server_major = 0;  ///< of the server that is filled
};

/// pg_restore with these options besides the connection. Gives what it said.
[[nodiscard]] Result<std::string> feed_dump(const Feed& feed, const BackupPart& part,
                                            std::vector<std::string> arguments, const RestoreSink& sink,
                                            const std::stop_token& stop);

/// psql, going on after errors: roles that exist already are one each. Gives the others.
[[nodiscard]] Result<std::vector<std::string>> feed_globals(const Feed& feed, const GlobalsPart& globals,
                                                            const std::stop_token& stop);

}  // namespace switchyard::inline v0::backup
