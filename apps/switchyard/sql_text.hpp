// SQL text as people type it: several statements, and where in them an error is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::cli {

/// The statements of a text, without their semicolons. Knows quotes, E'' and dollar quotes, comments, and
/// BEGIN ATOMIC ... END of SQL-standard function bodies.
[[nodiscard]] std::vector<std::string> split_statements(std::string_view text);

/// "LINE 2: SELECT nothing FROM x\n                ^" for a position as servers give it (characters, from 1); empty
/// when it lies outside the text.
[[nodiscard]] std::string point_at(std::string_view statement, std::size_t position);

}  // namespace switchyard::cli
