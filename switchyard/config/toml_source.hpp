// The fleet file as raw values: syntax, known keys, names and the types that TOML itself has. Internal; the .cpp is
// the only place that knows the TOML parser.
#pragma once

#include <switchyard/config/problems.hpp>
#include <switchyard/config/raw_value.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

struct TomlSource {
  struct Entry {
    std::string path;  ///< "database.main.pool.max"; replicas by name: "database.main.replica.api.dsn"
    RawValue value;    ///< not interpolated yet
  };
  std::vector<Entry> entries;          ///< in the order of the file
  std::vector<std::string> databases;  ///< declared, in the order of the file
  std::vector<std::string> servers;
  std::map<std::string, std::vector<std::string>> replicas;  ///< of each database, in the order of the file
  std::map<std::string, std::string> places;                 ///< "database.main" -> "fleet.toml:5:1"
  bool complete = true;  ///< false: the syntax or a name is wrong, so that databases are missing here
};

/// `name` is shown in messages. Mistakes go to `problems`; what is well formed is returned.
[[nodiscard]] TomlSource read_toml(std::string_view text, std::string_view name, Problems& problems);

}  // namespace switchyard::inline v0::config
