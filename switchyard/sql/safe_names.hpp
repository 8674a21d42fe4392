// What the owner of a database says is harmless, although nobody could know it: lane_safe in the fleet file.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::sql {

struct SafeNames {
  /// "schema.name", folded as in the catalogue. Of a function: all of that name in the schema. Of a relation: also
  /// what it reads. Functions and relations are told apart by what there is.
  std::vector<std::string> objects;
  /// Every function of these extensions.
  std::vector<std::string> extensions;
};

/// Entries are "schema.name" or "extension:name".
[[nodiscard]] SWITCHYARD_API Result<SafeNames> parse_safe_names(std::span<const std::string> entries);

}  // namespace switchyard::inline v0::sql
