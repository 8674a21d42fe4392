// What a statement leaves on the session it ran on, for whoever gets that session next.
//
// Two ways to know: a look at the text that is sure of the plain statements (most of them, and it costs next to
// nothing), and the facts of its parse tree for the rest. What a function of the user does can't be seen from
// outside, so a session that called one is given up, unless the function is declared harmless. Not seen: functions
// that hide in triggers, views, defaults, operators and casts.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::session {

/// In the order of what it takes to get rid of it.
enum class Residue : std::uint8_t {
  none,
  undone_by_reset,  ///< settings, roles, temporary tables, LISTEN, cursors, session locks, an open transaction
  unknown_code,     ///< DO, CALL, functions that nobody knows: whatever code in the database can do
  lasting,          ///< ends with the session only: PREPARE, LOAD, setseed, dblink, a text that is not understood
};

/// True: `sql` is one plain SELECT, INSERT, UPDATE, DELETE, VALUES, TABLE or WITH that calls nothing but built-in
/// functions which leave nothing. False says nothing. Linear in the text, no memory.
[[nodiscard]] SWITCHYARD_API bool leaves_nothing(std::string_view sql) noexcept;

/// `harmless`: functions of the user that leave nothing, as "schema.name"; a call without a schema may mean any
/// schema.
[[nodiscard]] SWITCHYARD_API Residue residue_of(const sql::StatementFacts& facts,
                                                std::span<const std::string> harmless = {}) noexcept;

/// Does the list name the function? A call without a schema may mean any.
[[nodiscard]] SWITCHYARD_API bool is_declared(const sql::Name& function,
                                              std::span<const std::string> harmless) noexcept;

/// Asked on a session after its reset: one row that is true when code in the database can have left nothing more.
/// That is so where nothing is PREPAREd, the login is no superuser and may not replicate, and no language or
/// library is there that keeps something for itself. It also makes random() unforeseeable again.
[[nodiscard]] SWITCHYARD_API std::string_view clean_proof_sql() noexcept;

}  // namespace switchyard::inline v0::session
