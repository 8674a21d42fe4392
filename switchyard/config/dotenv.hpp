// .env files: NAME=value lines.
//
//   # a comment                        NAME=value            export NAME=value
//   NAME="quoted, \n \t \" \\ \$"      NAME='taken literally'
//   NAME=value # comment after a space; a '#' without a space before it belongs to the value
//
// Quoted values may span lines. Nothing is interpolated: ${X} stays as it is. A name given twice with different
// values is an error.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

struct DotenvEntry {
  std::string name;
  std::string value;
  int line = 0;  ///< 1-based
};

/// `path` is for messages; they name lines and never quote values. All mistakes are reported in one error.
[[nodiscard]] SWITCHYARD_API Result<std::vector<DotenvEntry>> parse_dotenv(std::string_view text,
                                                                           std::string_view path);

}  // namespace switchyard::inline v0::config
