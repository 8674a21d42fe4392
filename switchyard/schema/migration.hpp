// One file of a folder of migrations, read.
#pragma once

#include <switchyard/scripts/file_name.hpp>
#include <switchyard/scripts/script_config.hpp>
#include <switchyard/scripts/script_header.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

struct Migration {
  scripts::FileName name;
  std::string script;  ///< as the history calls it: relative to its location, "sub/V1__a.sql"
  std::string path;
  std::string text;  ///< UTF-8, placeholders as they were written
  std::int32_t checksum =
      0;  ///< of the text; of a repeatable one with its placeholders replaced, once they are known
  scripts::ScriptHeader header;
  scripts::ScriptConfig config;

  /// "2.1 add status", "views".
  [[nodiscard]] std::string title() const {
    if (!name.version) return name.description;
    return name.description.empty() ? name.version->text() : name.version->text() + " " + name.description;
  }
};

/// What the files of one target are, in the order in which they run.
struct MigrationSet {
  std::vector<Migration> versioned;   ///< by version; numbered ones among them
  std::vector<Migration> repeatable;  ///< by description
  std::vector<Migration> baselines;   ///< by version
  std::vector<Migration> undo;
  std::map<std::string, std::vector<Migration>, std::less<>> callbacks;  ///< by event, then by description
  std::vector<std::string> ignored;  ///< one sentence for each file that is no migration by its name

  [[nodiscard]] bool empty() const noexcept {
    return versioned.empty() && repeatable.empty() && baselines.empty() && callbacks.empty();
  }
};

}  // namespace switchyard::inline v0::schema
