// Statements as logs show them: no values, one line, bounded.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// `sql` with string and number literals replaced by '?', white space folded, and cut to `length` characters with
/// "..." behind it when something was cut.
[[nodiscard]] std::string shortened_statement(std::string_view sql, std::size_t length);

}  // namespace switchyard::inline v0::fleet
