// Texts whose parse tree is far larger than they are.
#pragma once

#include <cstddef>

namespace switchyard::inline v0::sql {

/// Tokens that a tree may be made of, each counted as often as the tree holds it.
inline constexpr std::size_t kMaxTreeTokens = 100'000;

/// `SET (a, b, c) = source` puts its source into the tree once for each column, and such sources nest: 2 kB of text
/// can ask for more memory than there is, and libpg_query ends the process when it has written 1 GB of JSON.
/// This counts, without parsing, and rather too much than too little. `text` ends with NUL.
[[nodiscard]] bool expands_too_much(const char* text);

}  // namespace switchyard::inline v0::sql
