// What migrations say about who owns which table: a database owns what its scripts make. Linked into a program,
// this room tells the fleet's owner's map (fleet/owner_map.hpp).
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/fleet/owner_map.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::schema {

/// CREATE TABLE, VIEW and MATERIALIZED VIEW of the scripts, less what later ones drop, under the names that they
/// have at the end. Names that hold placeholders are left out. Errors as find_targets().
[[nodiscard]] SWITCHYARD_API Result<std::vector<fleet::OwnerClaim>> owner_claims(const FleetConfig& config);

/// The same of one script, added to those of the scripts before it.
SWITCHYARD_API void add_owner_claims(std::string_view database, std::string_view path, std::string_view script,
                                     std::vector<fleet::OwnerClaim>& claims);

/// From now on fleets that are opened know what migrations say. Once is enough.
SWITCHYARD_API void use_owner_claims() noexcept;

}  // namespace switchyard::inline v0::schema
