// The questions that a snapshot of the catalogue is made of, as text: this room runs none. All of them are asked in
// one REPEATABLE READ transaction; every name in them is qualified, so that nothing in search_path answers instead.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace switchyard::inline v0::sql {

enum class CataloguePart : std::uint8_t {
  server,
  functions,
  function_bodies,
  operators,
  types,
  ranges,
  domain_checks,
  operator_classes,
  family_members,
  casts,
  relations,
  columns,
  views,
  policies,
  generated_columns,
  inheritance,
  relation_uses,
  text_search,
  conversions,
};

/// Whose objects are asked for. Those of the system are nine tenths of all bytes, and the same until the server
/// gets another version or a superuser replaces one.
enum class CatalogueOwner : std::uint8_t { system, anybody };

struct CatalogueQuery {
  CataloguePart part;
  CatalogueOwner owner;
  std::size_t columns;
  std::string_view sql;  ///< results as text
};

/// All of them; those of the system come first, and CatalogueBuilder::reuse() makes them unnecessary.
[[nodiscard]] SWITCHYARD_API std::span<const CatalogueQuery> catalogue_queries() noexcept;

/// Opens the transaction of the questions above; COMMIT ends it.
inline constexpr std::string_view kCatalogueBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// One row of three texts that say whether anything has changed since: the catalogue, as far as a snapshot holds
/// it, the system's functions and views in it, and the settings of roles, databases and the server. Sums over (oid,
/// xmin): a row that is written in place (the statistics of VACUUM) does not count, one that is made, altered or
/// removed does. Temporary tables of sessions and their types are left out, here and in the snapshot.
[[nodiscard]] SWITCHYARD_API std::string_view catalogue_digest_sql() noexcept;

}  // namespace switchyard::inline v0::sql
