// What is in a database, as one text for each object, so that two databases can be compared.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

/// "column public.orders.status" -> "text NOT NULL DEFAULT 'open'::text".
using CatalogueImage = std::map<std::string, std::string>;

/// Tables, columns, constraints, indexes, views, sequences, functions, triggers, rules, types, policies and
/// extensions of a schema, or, when it is empty, of all but PostgreSQL's and Switchyard's own. Left out: what
/// belongs to an extension, and tables whose name begins with `history_table`.
///
/// With Rights::compared also who owns and may use schemas, tables, columns, sequences, functions and types: "owner
/// of table public.orders" -> "commerce_owner", "grants on table public.orders" -> "SELECT to commerce_ro".
enum class Rights : std::uint8_t { left_out, compared };
[[nodiscard]] SWITCHYARD_API Task<CatalogueImage> read_catalogue(Querier& querier, std::string schema,
                                                                 std::string history_table,
                                                                 Rights rights = Rights::left_out);

enum class DriftKind : std::uint8_t { missing, unexpected, different };

struct Drift {
  DriftKind kind = DriftKind::different;
  std::string object;
  std::string expected, found;  ///< empty where there is none
};

/// By object.
[[nodiscard]] SWITCHYARD_API std::vector<Drift> compare(const CatalogueImage& expected,
                                                        const CatalogueImage& found);

}  // namespace switchyard::inline v0::schema
