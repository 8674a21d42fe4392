// The words of a text in SQL, as the server's lexer would cut it (manual chapter 4.1). For a look at what a client
// sends; nothing is understood here. Internal to the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

/// What a backslash in '...' is (standard_conforming_strings off makes it an escape).
enum class Backslash : bool { plain, escapes };

struct SqlWord {
  enum class Kind : std::uint8_t {
    end,     ///< of the text
    name,    ///< a keyword or a name without quotes
    quoted,  ///< "..."
    string,  ///< '...', E'...', $$...$$
    number,
    sign,        ///< one character of anything else
    unfinished,  ///< a quote or a comment that does not end
  };
  Kind kind = Kind::end;
  std::string_view text{};  ///< as written
  std::size_t at = 0;       ///< where it begins

  [[nodiscard]] bool is_sign(char c) const noexcept { return kind == Kind::sign && text.front() == c; }
  /// A keyword, in lower case.
  [[nodiscard]] bool is(std::string_view keyword) const noexcept;
  /// What the server takes it for: names folded, quotes and escapes taken away (strings with escapes of E'' aside).
  [[nodiscard]] std::string value() const;
};

class SqlWords {
 public:
  explicit SqlWords(std::string_view text, Backslash backslash = Backslash::plain) noexcept
      : text_(text), backslash_(backslash) {}
  [[nodiscard]] SqlWord next() noexcept;

 private:
  [[nodiscard]] bool skip_blank() noexcept;
  [[nodiscard]] SqlWord take(SqlWord::Kind kind, std::size_t size) noexcept;
  [[nodiscard]] SqlWord take_quoted(char quote, bool escapes, SqlWord::Kind kind, std::size_t prefix) noexcept;
  [[nodiscard]] SqlWord take_dollar() noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  Backslash backslash_;
};

/// The word is somewhere in the text, in whatever case and place; it is given in lower case.
[[nodiscard]] bool mentions(std::string_view sql, std::string_view word) noexcept;
/// "name", for a text to the server.
void append_identifier(std::string& out, std::string_view name);
/// A literal that means the same whatever standard_conforming_strings says.
void append_literal(std::string& out, std::string_view text);

}  // namespace switchyard::inline v0::gateway
