// PgBouncer's configuration, as one of ours: its ini file with [databases], [users] and [pgbouncer], and the files
// it names. Meant for those who come from there; nothing is guessed:
//   - a key that means the same here is taken over, with PgBouncer's default where it is not set;
//   - a key that has no meaning here, and whose absence changes no answer, is a warning that says why;
//   - a key whose absence would change what clients get, or who gets in, is an error, and so is an unknown one.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/gateway/ini_file.hpp>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

/// What the names in [databases] mean, for GatewaySettings.
struct PgbouncerNames {
  std::set<std::string, std::less<>> one_role;              ///< those with user=
  std::map<std::string, std::string, std::less<>> aliases;  ///< those that the fleet spells otherwise
};

struct PgbouncerSetup {
  FleetConfig config;  ///< with its `gateway` part
  /// For GatewaySettings::console.
  std::vector<std::string> console_aliases{"pgbouncer"};
  PgbouncerNames names;
  std::string log_file;  ///< empty: none
  Duration stats_period = std::chrono::seconds(60);
  /// "pgbouncer.ini:12: logfile has no meaning here: messages go to standard error", each one line.
  std::vector<std::string> warnings;
};

/// Errors are of kind Config and name all mistakes, each with file and line. `read` gives the text of %include and
/// auth_file; `environment` is what libpq would look at for a database without host or user.
[[nodiscard]] SWITCHYARD_API Result<PgbouncerSetup> read_pgbouncer_ini(std::string_view text, std::string_view name,
                                                                       const ReadTextFile& read,
                                                                       const ConnectionEnvironment& environment);

/// Values of [pgbouncer] that count instead of the file's.
using PgbouncerOverrides = std::map<std::string, std::string, std::less<>>;

/// The same from files, with the environment of this process. An override that has no meaning here, or acts at the
/// start only, is an error.
[[nodiscard]] SWITCHYARD_API Result<PgbouncerSetup> load_pgbouncer_ini(const std::string& path,
                                                                       const PgbouncerOverrides& overrides = {});

}  // namespace switchyard::inline v0::gateway
