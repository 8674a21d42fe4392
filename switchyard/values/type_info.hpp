// What is known about PostgreSQL's own types without asking a server: names, elements, and whether this library can
// write their binary form as text.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

enum class TypeKind : std::uint8_t { base, array, range, multirange, composite };

struct TypeInfo {
  Oid oid;
  Oid element;  ///< of an array its element type, of a range its subtype, of a multirange its range; else 0
  Oid array;    ///< the array type over this type, 0 if there is none
  TypeKind kind;
  bool binary_as_text;    ///< append_text() knows the binary form
  std::string_view name;  ///< as in pg_type, arrays as "int4[]"
};

/// Null for types that a user or an extension made: their identifiers differ from database to database.
[[nodiscard]] SWITCHYARD_API const TypeInfo* find_type(Oid type) noexcept;

/// "int4", "timestamptz[]"; "user type 16399" for types this library can't know.
[[nodiscard]] SWITCHYARD_API std::string type_name(Oid type);

/// True if the type may be an enum, a composite, an array or a text-like extension type made by a user.
/// Domains never show: the server reports their base type.
[[nodiscard]] constexpr bool is_user_type(Oid type) noexcept { return type >= 16384; }

/// The wire formats of a value (manual chapter 55.2.1).
enum class Format : std::int16_t { text = 0, binary = 1 };

/// Which format to ask for when the receiver is an untyped Row (or anything that wants text or JSON): binary where
/// append_text() can write it as the server would, text for everything else (user types, regclass, money, ...).
/// Typed results (structs, tuples, scalars) are asked for in binary always.
[[nodiscard]] SWITCHYARD_API Format result_format_for(Oid type) noexcept;

}  // namespace switchyard::inline v0
