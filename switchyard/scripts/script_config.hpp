// The file beside a script that says how it is run: V1__a.sql.conf, in the form of Java properties.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

struct ScriptConfig {
  std::optional<bool> execute_in_transaction;  ///< nothing: as its statements need it
  std::optional<bool> placeholder_replacement;
  std::string encoding;  ///< empty: as the others of its folder
  bool should_execute = true;
};

/// Keys executeInTransaction, placeholderReplacement, encoding and shouldExecute (with or without "flyway." before
/// them). Config error, with the line, for other keys and values.
[[nodiscard]] SWITCHYARD_API Result<ScriptConfig> parse_script_config(std::string_view text);

}  // namespace switchyard::inline v0::scripts
