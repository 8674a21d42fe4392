// The two grammars of connection strings, with the place of every value in the text. Internal:
// connection_string.hpp is the door.
#pragma once

#include <switchyard/base/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

/// An option as it stands in the text.
struct ConnectionToken {
  std::string keyword;    ///< libpq's name, or "currentSchema"
  std::string value;      ///< decoded
  std::size_t begin = 0;  ///< of the raw value in the text
  std::size_t end = 0;
};

struct ConnectionGrammar {
  std::vector<ConnectionToken> tokens;  ///< as written, duplicates included
  std::vector<std::string> ignored;     ///< JDBC parameters without a meaning here
};

/// Errors name positions (1-based) and never quote what may be a part of a password.
[[nodiscard]] Result<ConnectionGrammar> parse_connection_grammar(std::string_view text);

}  // namespace switchyard::inline v0::config
