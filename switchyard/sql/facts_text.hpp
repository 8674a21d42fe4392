// The facts in words, for people and tests.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::sql {

[[nodiscard]] SWITCHYARD_API std::string_view to_string(StatementKind kind) noexcept;  ///< "delete", "select" ...
[[nodiscard]] SWITCHYARD_API std::string_view to_string(Effect effect) noexcept;       ///< "locks_rows" ...
/// "schema.name", quoted where SQL would need it (operators never).
[[nodiscard]] SWITCHYARD_API std::string to_string(const Name& name);

/// One fact a line, `relations: public.t, u`; lists that are empty are left out, and the fingerprint.
[[nodiscard]] SWITCHYARD_API std::string text_of(const StatementFacts& facts);

}  // namespace switchyard::inline v0::sql
