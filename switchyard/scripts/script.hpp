// A script as the statements it is made of, cut as psql and Flyway cut it: at semicolons outside of quotes,
// comments, parentheses and bodies of SQL functions (BEGIN ATOMIC ... END). The lines that follow COPY ... FROM
// STDIN are its data.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::scripts {

struct ScriptStatement {
  std::string_view sql;  ///< without its semicolon and the comments before it; points into the text
  std::size_t line = 1;  ///< where it begins
  std::optional<std::string_view> copy_data;  ///< of COPY ... FROM STDIN: the lines up to "\."
};

/// Quotes follow standard_conforming_strings. Config error with the line for what has no end (a quote, a comment, a
/// parenthesis, COPY data), for NUL bytes, and for a command of psql (\connect) other than \restrict and
/// \unrestrict.
[[nodiscard]] SWITCHYARD_API Result<std::vector<ScriptStatement>> split_script(std::string_view text);

/// The words that a statement begins with, upper case, without comments, one space between them, at most `most` of
/// them; ends before what is neither a word nor a dot. Quoted names stand as they are written.
[[nodiscard]] SWITCHYARD_API std::string leading_words(std::string_view sql, std::size_t most = 12);

}  // namespace switchyard::inline v0::scripts
