#include <switchyard/gateway/sql_words.hpp>

#include <algorithm>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::gateway {
namespace {

using Kind = SqlWord::Kind;

constexpr bool begins_name(char c) noexcept {
  return base::is_letter(c) || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}
constexpr bool continues_name(char c) noexcept { return begins_name(c) || base::is_digit(c) || c == '$'; }

}  // namespace

bool SqlWord::is(std::string_view keyword) const noexcept {
  return kind == Kind::name && base::equal_ignoring_case(text, keyword);
}

std::string SqlWord::value() const {
  std::string out;
  if (kind == Kind::quoted || (kind == Kind::string && text.front() == '\'')) {
    const char quote = text.front();
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
      out += text[i];
      if (text[i] == quote) ++i;
    }
  } else if (kind == Kind::string && text.front() == '$') {
    const std::size_t tag = text.find('$', 1) + 1;
    out = text.substr(tag, text.size() - 2 * tag);
  } else if (kind == Kind::name) {
    std::ranges::transform(text, std::back_inserter(out), base::to_lower);
  } else {
    out = text;
  }
  return out;
}

/// White space and comments, which nest. False: one does not end.
bool SqlWords::skip_blank() noexcept {
  for (;;) {
    while (at_ < text_.size() && base::is_space(text_[at_])) ++at_;
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("--")) {
      at_ += std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      std::size_t depth = 0;
      do {
        const std::string_view two = text_.substr(at_, 2);
        if (two.size() < 2) return false;
        if (two == "/*") ++depth;
        if (two == "*/") --depth;
        at_ += two == "/*" || two == "*/" ? 2 : 1;
      } while (depth > 0);
    } else {
      return true;
    }
  }
}

SqlWord SqlWords::take(Kind kind, std::size_t size) noexcept {
  SqlWord word{kind, text_.substr(at_, size), at_};
  at_ += size;
  return word;
}

SqlWord SqlWords::take_quoted(char quote, bool escapes, Kind kind, std::size_t prefix) noexcept {
  std::size_t end = at_ + prefix + 1;
  for (; end < text_.size(); ++end) {
    if (escapes && text_[end] == '\\') {
      ++end;
    } else if (text_[end] == quote) {
      if (end + 1 == text_.size() || text_[end + 1] != quote) return take(kind, end + 1 - at_);
      ++end;
    }
  }
  return take(Kind::unfinished, text_.size() - at_);
}

/// $tag$...$tag$, or a parameter.
SqlWord SqlWords::take_dollar() noexcept {
  std::size_t end = at_ + 1;
  if (end < text_.size() && base::is_digit(text_[end])) {
    while (end < text_.size() && base::is_digit(text_[end])) ++end;
    return take(Kind::number, end - at_);
  }
  while (end < text_.size() && continues_name(text_[end]) && text_[end] != '$') ++end;
  if (end == text_.size() || text_[end] != '$') return take(Kind::sign, 1);
  const std::string_view tag = text_.substr(at_, end + 1 - at_);
  const std::size_t close = text_.find(tag, end + 1);
  if (close == std::string_view::npos) return take(Kind::unfinished, text_.size() - at_);
  return take(Kind::string, close + tag.size() - at_);
}

SqlWord SqlWords::next() noexcept {
  if (!skip_blank()) return take(Kind::unfinished, text_.size() - at_);
  if (at_ == text_.size()) return take(Kind::end, 0);
  const char c = text_[at_];
  if (begins_name(c)) {
    if (base::to_lower(c) == 'e' && at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
      return take_quoted('\'', true, Kind::string, 1);
    }
    std::size_t size = 1;
    while (at_ + size < text_.size() && continues_name(text_[at_ + size])) ++size;
    return take(Kind::name, size);
  }
  if (c == '\'') return take_quoted('\'', backslash_ == Backslash::escapes, Kind::string, 0);
  if (c == '"') return take_quoted('"', false, Kind::quoted, 0);
  if (c == '$') return take_dollar();
  if (base::is_digit(c)) {
    std::size_t size = 1;
    while (at_ + size < text_.size() && (continues_name(text_[at_ + size]) || text_[at_ + size] == '.')) ++size;
    return take(Kind::number, size);
  }
  return take(Kind::sign, 1);
}

bool mentions(std::string_view sql, std::string_view word) noexcept {
  return std::search(sql.begin(), sql.end(), word.begin(), word.end(),
                     [](char a, char b) { return base::to_lower(a) == b; }) != sql.end();
}

void append_identifier(std::string& out, std::string_view name) {
  out += '"';
  for (const char c : name) {
    if (c == '"') out += c;
    out += c;
  }
  out += '"';
}

void append_literal(std::string& out, std::string_view text) {
  out += text.find('\\') == std::string_view::npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  out += '\'';
}

}  // namespace switchyard::inline v0::gateway
