// The built-in functions that may run on a session which other callers use at the same time: they leave nothing
// behind on it and give the same answer whoever's session it is. The list is shipped; tools/make_allow_list.py
// makes it from PostgreSQL 15 and 18 and has the reason of each kind. What is not on it is not known to be
// harmless.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace switchyard::inline v0::sql {

struct AllowedFunction {
  enum Flag : std::uint8_t {
    clock = 1,        ///< another answer in another transaction, or at each call: no Sync is shared
    text_search = 2,  ///< runs the parser and dictionaries of a text search configuration
    type_io = 4,      ///< clear as input or output function of a type, not where a statement calls it
  };
  std::uint32_t oid;
  /// Of name, arguments, language and source: a superuser may have replaced the function in place.
  std::uint32_t fingerprint;
  std::uint8_t flags;
};

/// By OID; an OID stands twice when versions differ in its fingerprint.
[[nodiscard]] std::span<const AllowedFunction> allowed_functions() noexcept;

/// `argument_types` is pg_proc.proargtypes as text, `source` is prosrc.
[[nodiscard]] std::uint32_t function_fingerprint(std::string_view name, std::string_view argument_types,
                                                 std::string_view language, std::string_view source) noexcept;

/// Null: not on the list, or no longer the function that was listed.
[[nodiscard]] const AllowedFunction* find_allowed(std::uint32_t oid, std::uint32_t fingerprint) noexcept;

}  // namespace switchyard::inline v0::sql
