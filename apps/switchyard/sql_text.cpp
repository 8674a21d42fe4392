#include "sql_text.hpp"

#include "text_table.hpp"

#include <algorithm>

#include <switchyard/base/ascii.hpp>

namespace switchyard::cli {

namespace {

bool is_word(char c) {
  return base::is_letter(c) || base::is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<std::string> run() {
    while (at_ < text_.size()) step();
    finish(text_.size());
    return std::move(statements_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void step() {
    const char c = peek();
    if (c == '\'') return quoted('\'', escapes());
    if (c == '"') return quoted('"', false);
    if (c == '-' && peek(1) == '-') return skip_to("\n", 0);
    if (c == '/' && peek(1) == '*') return comment();
    if (c == '$' && !(at_ > start_ && is_word(text_[at_ - 1]))) return dollar();
    if (is_word(c)) return word();
    if (c == '(') ++parentheses_;
    if (c == ')') --parentheses_;
    if (c == ';' && atomic_ == 0 && parentheses_ <= 0) {
      finish(at_);
      start_ = ++at_;
      return;
    }
    note(at_++);
  }

  /// Something that is neither space nor comment: there is a statement.
  void note(std::size_t at) {
    if (!base::is_space(text_[at])) empty_ = false;
  }

  /// Backslashes escape in E'...'.
  [[nodiscard]] bool escapes() const {
    return at_ > start_ && (text_[at_ - 1] == 'E' || text_[at_ - 1] == 'e') &&
           (at_ - 1 == start_ || !is_word(text_[at_ - 2]));
  }

  void quoted(char quote, bool backslashes) {
    empty_ = false;
    for (++at_; at_ < text_.size(); ++at_) {
      if (backslashes && text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == quote) {
        ++at_;
        return;  // a doubled quote begins the next string, which is the same to us
      }
    }
  }

  void skip_to(std::string_view end, std::size_t from) {
    const std::size_t found = text_.find(end, at_ + from);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size();
  }

  void comment() {
    int depth = 0;
    do {
      if (peek() == '/' && peek(1) == '*') {
        ++depth;
        at_ += 2;
      } else if (peek() == '*' && peek(1) == '/') {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    } while (depth > 0 && at_ < text_.size());
  }

  void dollar() {
    empty_ = false;
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const bool tag = end < text_.size() && text_[end] == '$' && (end == at_ + 1 || !base::is_digit(text_[at_ + 1]));
    if (!tag) {
      ++at_;
      return;
    }
    const std::string_view delimiter = text_.substr(at_, end + 1 - at_);
    skip_to(delimiter, delimiter.size());
  }

  void word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    empty_ = false;
    std::string upper(text_.substr(begin, at_ - begin));
    std::ranges::transform(upper, upper.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (upper == "ATOMIC" && previous_ == "BEGIN") ++atomic_;
    if (atomic_ > 0 && upper == "CASE") ++atomic_;
    if (atomic_ > 0 && upper == "END") --atomic_;
    previous_ = std::move(upper);
  }

  void finish(std::size_t end) {
    if (!empty_) {
      std::string_view statement = text_.substr(start_, end - start_);
      while (!statement.empty() && base::is_space(statement.front())) statement.remove_prefix(1);
      while (!statement.empty() && base::is_space(statement.back())) statement.remove_suffix(1);
      statements_.emplace_back(statement);
    }
    empty_ = true;
    previous_.clear();
    atomic_ = parentheses_ = 0;
  }

  std::string_view text_;
  std::vector<std::string> statements_;
  std::string previous_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  int atomic_ = 0;
  int parentheses_ = 0;
  bool empty_ = true;
};

}  // namespace

std::vector<std::string> split_statements(std::string_view text) { return Splitter(text).run(); }

std::string point_at(std::string_view statement, std::size_t position) {
  if (position == 0) return {};
  // From characters to bytes.
  std::size_t byte = 0;
  for (std::size_t left = position - 1; left > 0 && byte < statement.size(); --left) {
    ++byte;
    while (byte < statement.size() && (static_cast<unsigned char>(statement[byte]) & 0xC0) == 0x80) ++byte;
  }
  if (byte > statement.size()) return {};
  const std::size_t newline = statement.rfind('\n', byte == 0 ? 0 : byte - 1);
  const std::size_t begin = byte == 0 || newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t end = std::min(statement.find('\n', byte), statement.size());
  const auto number =
      std::count(statement.begin(), statement.begin() + static_cast<std::ptrdiff_t>(begin), '\n') + 1;
  std::string line(statement.substr(begin, end - begin));
  std::ranges::replace(line, '\t', ' ');
  const std::string label = "LINE " + std::to_string(number) + ": ";
  const std::size_t column = display_width(std::string_view(line).substr(0, byte - begin));
  return label + line + '\n' + std::string(label.size() + column, ' ') + '^';
}

}  // namespace switchyard::cli
