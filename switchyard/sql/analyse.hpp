// What a text asks for, from its parse tree (libpg_query: the grammar of PostgreSQL 15).
//
// Nothing is skipped: the whole tree is walked, and a kind of node that is not known here is named among the facts'
// constructs. A text that the grammar can't parse, or that is too long or too deeply nested, has every effect.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstddef>
#include <string_view>

namespace switchyard::inline v0::sql {

/// Longer texts are not parsed.
inline constexpr std::size_t kMaxAnalysedText = 64 << 10;
/// Ten times what the parser's recursion needs for the worst text of that length known, `1+1+...`: 6 MB.
inline constexpr std::size_t kAnalysisStack = 64 << 20;
/// Levels of the parse tree (an operand of an operator is two to three of them).
inline constexpr std::size_t kMaxParseTreeDepth = 4000;

/// Call it only on a thread with a stack of kAnalysisStack: libpg_query recurses without a limit of its own. Parser
/// (parser.hpp) has such a thread. Takes 5 to 25 us for a common statement, 30 ms for the worst known of the
/// longest.
[[nodiscard]] SWITCHYARD_API StatementFacts analyse(std::string_view text);

}  // namespace switchyard::inline v0::sql
