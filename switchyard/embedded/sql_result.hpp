// What a statement on a private server returned, as text.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::embedded {

struct SqlResult {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< nothing is NULL
  std::string tag;  ///< the last command tag: "CREATE DATABASE", "SELECT 1"
};

}  // namespace switchyard::inline v0::embedded
