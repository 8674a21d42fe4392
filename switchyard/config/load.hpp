// Reads a FleetConfig. Precedence, strongest first:
//   options in code > command line > environment > .env > fleet file > defaults of the profile.
// Nothing here looks at the process by itself: environment, files and options are passed in, process_sources()
// collects what a program usually wants.
//
// All mistakes of one load are reported together, in one Config error: each with place (file:line:column, variable
// or option), value and what to do.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/config/connection_string.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// One key given in code or on the command line: {"database.main.pool.max", "50"}. The value is written as in the
/// fleet file, without quotes.
struct Override {
  std::string key;
  std::string value;
};

/// ${vault:secret/commerce/db-password}, ${vault:secret/commerce#db-password}.
struct VaultReference {
  std::string path;   ///< "secret/commerce"
  std::string field;  ///< "db-password"
  /// Written without '#': if `path` has no such field, the only field of this path is meant.
  std::string whole_path;
};
[[nodiscard]] SWITCHYARD_API Result<VaultReference> parse_vault_reference(std::string_view text);

struct Sources {
  std::vector<Override> code;
  std::vector<Override> command_line;
  ConnectionEnvironment environment;       ///< variables of every kind, and the user
  std::optional<std::string> dotenv_path;  ///< a file that does not exist is an error
  std::optional<std::string> file;         ///< path of the fleet file
  std::optional<std::string> file_text;    ///< instead of reading `file`; `file` is then only its name
  std::vector<std::string> names_in_code;  ///< databases that sy::Database<"..."> mentions: unknown ones are errors
  std::optional<std::uint32_t> detected_workers;
  std::optional<std::uint32_t> cores;
  /// Resolves ${vault:...}; without it such a value is an error.
  std::function<Result<Secret>(const VaultReference&)> vault;
};

/// The environment of this process, ./.env and ./switchyard.toml if they exist, and the number of cores.
[[nodiscard]] SWITCHYARD_API Sources process_sources();

[[nodiscard]] SWITCHYARD_API Result<FleetConfig> load_config(const Sources& sources);

}  // namespace switchyard::inline v0
