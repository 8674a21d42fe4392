// Statements as logs and traces show them (no values, one line, bounded), and the comment that statements may
// carry.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::fleet {

/// `sql` with string and number literals replaced by '?', comments left out, white space folded, and cut to
/// `length` bytes with "..." behind it when something was cut.
[[nodiscard]] std::string shortened_statement(std::string_view sql, std::size_t length);

/// Its first word in capitals: "SELECT"; empty if it begins with none.
[[nodiscard]] std::string statement_verb(std::string_view sql);

/// sqlcommenter's form: `/*application='wellwon',db_driver='switchyard'*/`, values percent-encoded, tags as given
/// (in alphabetical order, please) and without the empty ones. Empty without any.
[[nodiscard]] std::string comment_of(std::initializer_list<std::pair<std::string_view, std::string_view>> tags);

/// The statement with the comment at its end.
[[nodiscard]] std::string commented_statement(std::string_view sql, std::string_view comment);

}  // namespace switchyard::inline v0::fleet
