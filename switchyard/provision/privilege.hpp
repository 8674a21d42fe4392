// One privilege that somebody has on something, as aclexplode() tells it.
#pragma once

#include <switchyard/base/export.hpp>

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::provision {

struct SWITCHYARD_API Privilege {
  std::string grantee;  ///< role; empty: PUBLIC
  std::string name;     ///< SELECT, USAGE, CONNECT ...
  bool grantable = false;

  /// "SELECT bob", "SELECT* bob" (may grant it on), "CONNECT " (PUBLIC): what the catalogue queries answer.
  [[nodiscard]] static Privilege parse(std::string_view text);
  friend auto operator<=>(const Privilege&, const Privilege&) = default;
};

using Privileges = std::vector<Privilege>;

/// Does the role itself (not through another) have it?
[[nodiscard]] SWITCHYARD_API bool has(const Privileges& all, std::string_view grantee, std::string_view name);

}  // namespace switchyard::inline v0::provision
