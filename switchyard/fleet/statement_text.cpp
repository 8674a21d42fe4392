#include <switchyard/fleet/statement_text.hpp>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::fleet {
namespace {

bool continues_name(char c) noexcept {
  return base::is_digit(c) || c == '_' || c == '$' || base::is_letter(c) ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

/// End of the quoted text that starts at `at` with `quote`; doubled quotes belong to it, and with `escapes`
/// whatever follows a backslash.
std::size_t end_of_quoted(std::string_view sql, std::size_t at, char quote, bool escapes = false) noexcept {
  for (++at; at < sql.size(); ++at) {
    if (escapes && sql[at] == '\\') {
      ++at;
      continue;
    }
    if (sql[at] != quote) continue;
    if (at + 1 < sql.size() && sql[at + 1] == quote) {
      ++at;
    } else {
      return at + 1;
    }
  }
  return sql.size();
}

/// End of a dollar-quoted text at `at`, or `at` if none starts there.
std::size_t end_of_dollar_quoted(std::string_view sql, std::size_t at) noexcept {
  std::size_t tag = at + 1;
  if (tag < sql.size() && base::is_digit(sql[tag])) return at;  // $1
  while (tag < sql.size() && continues_name(sql[tag]) && sql[tag] != '$') ++tag;
  if (tag >= sql.size() || sql[tag] != '$') return at;
  const std::string_view delimiter = sql.substr(at, tag + 1 - at);
  const std::size_t end = sql.find(delimiter, tag + 1);
  return end == std::string_view::npos ? sql.size() : end + delimiter.size();
}

/// End of the comment at `at`, or `at` if none starts there. Comments of the second kind nest.
std::size_t end_of_comment(std::string_view sql, std::size_t at) noexcept {
  if (sql.substr(at, 2) == "--") {
    const std::size_t end = sql.find('\n', at);
    return end == std::string_view::npos ? sql.size() : end;
  }
  if (sql.substr(at, 2) != "/*") return at;
  int depth = 0;
  while (at < sql.size()) {
    const std::string_view two = sql.substr(at, 2);
    if (two == "/*") {
      ++depth;
      at += 2;
    } else if (two == "*/") {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return at;
}

/// End of the number at `at`: 12, 1_000, 1.5e-3, 0xFF.
std::size_t end_of_number(std::string_view sql, std::size_t at) noexcept {
  while (at < sql.size()) {
    const char c = sql[at];
    if (base::is_digit(c) || base::is_letter(c) || c == '_' || c == '.') {
      ++at;
    } else if ((c == '+' || c == '-') && (sql[at - 1] == 'e' || sql[at - 1] == 'E') && at + 1 < sql.size() &&
               base::is_digit(sql[at + 1])) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

class Text {
 public:
  Text(std::string_view sql, std::size_t length) : sql_(sql), length_(length) {}

  std::string take() {
    while (at_ < sql_.size() && out_.size() <= length_) step();
    if (out_.size() <= length_) return std::move(out_);
    std::size_t cut = length_;
    // Not in the middle of a UTF-8 sequence.
    while (cut > 0 && (static_cast<unsigned char>(out_[cut]) & 0xC0) == 0x80) --cut;
    out_.resize(cut);
    return std::move(out_) + "...";
  }

 private:
  void step() {
    const char c = sql_[at_];
    if (const std::size_t end = base::is_space(c) ? at_ + 1 : end_of_comment(sql_, at_); end != at_) {
      at_ = end;
      gap_ = true;
      in_name_ = false;
    } else if (c == '\'') {
      literal(end_of_quoted(sql_, at_, '\''));
    } else if ((c == 'e' || c == 'E') && !in_name_ && at_ + 1 < sql_.size() && sql_[at_ + 1] == '\'') {
      literal(end_of_quoted(sql_, at_ + 1, '\'', true));
    } else if (c == '"') {
      const std::size_t closed = end_of_quoted(sql_, at_, '"');
      put(sql_.substr(at_, closed - at_));
      at_ = closed;
    } else if (c == '$' && !in_name_ && end_of_dollar_quoted(sql_, at_) != at_) {
      literal(end_of_dollar_quoted(sql_, at_));
    } else if (base::is_digit(c) && !in_name_) {
      literal(end_of_number(sql_, at_));
    } else {
      put(sql_.substr(at_, 1));
      in_name_ = continues_name(c);
      ++at_;
    }
  }
  void literal(std::size_t end) {
    put("?");
    at_ = end;
  }
  void put(std::string_view text) {
    if (gap_ && !out_.empty()) out_ += ' ';
    gap_ = false;
    out_ += text;
    in_name_ = false;
  }

  std::string_view sql_;
  std::size_t length_;
  std::size_t at_ = 0;
  std::string out_;
  bool gap_ = false;      // white space or a comment since the last character
  bool in_name_ = false;  // the last character may go on as a name: t1, $1
};

}  // namespace

std::string shortened_statement(std::string_view sql, std::size_t length) { return Text(sql, length).take(); }

std::string statement_verb(std::string_view sql) {
  constexpr std::size_t kLongest = 16;
  std::size_t at = 0;
  while (at < sql.size()) {
    const std::size_t end = base::is_space(sql[at]) || sql[at] == '(' ? at + 1 : end_of_comment(sql, at);
    if (end == at) break;
    at = end;
  }
  std::string out;
  for (; at < sql.size() && base::is_letter(sql[at]) && out.size() < kLongest; ++at) {
    out += static_cast<char>(sql[at] & ~0x20);
  }
  return out;
}

std::string commented_statement(std::string_view sql, std::string_view comment) {
  std::string out(sql);
  // A comment that goes to the end of the line would swallow ours.
  if (out.find("--") != std::string::npos) out += '\n';
  if (!out.empty() && !base::is_space(out.back())) out += ' ';
  return out += comment;
}

std::string comment_of(std::initializer_list<std::pair<std::string_view, std::string_view>> tags) {
  std::string out;
  for (const auto& [name, value] : tags) {
    if (value.empty()) continue;
    out += out.empty() ? "/*" : ",";
    out.append(name).append("='");
    for (const char c : value) {
      if (base::is_digit(c) || base::is_letter(c) || c == '-' || c == '_' || c == '.' || c == '~') {
        out += c;
      } else {
        out += '%';
        out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789ABCDEF"[c & 15];
      }
    }
    out += '\'';
  }
  return out.empty() ? out : out + "*/";
}

}  // namespace switchyard::inline v0::fleet
