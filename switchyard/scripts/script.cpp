#include <switchyard/scripts/script.hpp>

#include <algorithm>
#include <array>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::scripts {

namespace {

bool word_start(char c) { return base::is_letter(c) || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0; }
bool word_part(char c) { return word_start(c) || base::is_digit(c) || c == '$'; }

/// Steps over the pieces of SQL text that hide what is in them.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  [[nodiscard]] bool end() const noexcept { return at_ >= text_.size(); }
  [[nodiscard]] char now() const noexcept { return text_[at_]; }
  [[nodiscard]] char next() const noexcept { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  void go(std::size_t place) noexcept { at_ = place; }
  void step() noexcept { ++at_; }

  [[nodiscard]] std::string_view word() noexcept {
    const std::size_t begin = at_;
    while (!end() && word_part(now())) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  void line_comment() noexcept { at_ = std::min(text_.find_first_of("\r\n", at_), text_.size()); }
  /// False when it has no end. They nest (manual chapter 4.1.5).
  [[nodiscard]] bool block_comment() noexcept {
    std::size_t depth = 0;
    while (!end()) {
      if (now() == '/' && next() == '*') {
        ++depth;
        at_ += 2;
      } else if (now() == '*' && next() == '/') {
        at_ += 2;
        if (--depth == 0) return true;
      } else {
        ++at_;
      }
    }
    return false;
  }
  /// From the quote on; false when it has no end. A doubled quote is two quoted pieces, which is the same here.
  [[nodiscard]] bool quoted(char quote, bool escapes) noexcept {
    for (++at_; !end(); ++at_) {
      if (escapes && now() == '\\') {
        if (++at_ >= text_.size()) return false;
      } else if (now() == quote) {
        ++at_;
        if (escapes && !end() && now() == quote) continue;  // '' stays inside E'...'
        return true;
      }
    }
    return false;
  }
  /// The tag of a dollar quote that starts here, with its dollars; empty when none does.
  [[nodiscard]] std::string_view dollar_tag() const noexcept {
    std::size_t end = at_ + 1;
    if (end < text_.size() && word_start(text_[end])) {
      while (end < text_.size() && (word_start(text_[end]) || base::is_digit(text_[end]))) ++end;
    }
    return end < text_.size() && text_[end] == '$' ? text_.substr(at_, end + 1 - at_) : std::string_view{};
  }
  [[nodiscard]] bool dollar_quoted(std::string_view tag) noexcept {
    const std::size_t end = text_.find(tag, at_ + tag.size());
    if (end == std::string_view::npos) return false;
    at_ = end + tag.size();
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// Where a BEGIN ATOMIC body begins and ends: as psql tells it, by the first words of the statement.
class BodyDepth {
 public:
  void word(std::string_view text, bool in_parentheses) noexcept {
    std::array<char, 12> buffer{};
    const std::size_t length = std::min(text.size(), buffer.size());
    std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length), buffer.begin(),
                   base::to_lower);
    const std::string_view low =
        text.size() > buffer.size() ? std::string_view{} : std::string_view(buffer.data(), length);
    if (count_ < first_.size()) first_[count_] = kind(low);
    ++count_;
    if (!makes_routine() || in_parentheses) return;
    if (low == "atomic" && after_begin_) {
      ++depth_;
    } else if (depth_ > 0 && low == "case") {
      ++depth_;
    } else if (depth_ > 0 && low == "end") {
      --depth_;
    }
    after_begin_ = low == "begin";
  }
  [[nodiscard]] bool inside() const noexcept { return depth_ > 0; }

 private:
  static char kind(std::string_view low) noexcept {
    if (low == "create") return 'c';
    if (low == "or") return 'o';
    if (low == "replace") return 'r';
    if (low == "function" || low == "procedure") return 'f';
    return '-';
  }
  [[nodiscard]] bool makes_routine() const noexcept {
    if (first_[0] != 'c') return false;
    return first_[1] == 'f' || (first_[1] == 'o' && first_[2] == 'r' && first_[3] == 'f');
  }
  std::array<char, 4> first_{};
  std::size_t count_ = 0, depth_ = 0;
  bool after_begin_ = false;
};

class Splitter {
 public:
  explicit Splitter(std::string_view text) noexcept : scan_(text) {}

  Result<std::vector<ScriptStatement>> run() {
    const std::string_view text = scan_.text();
    if (text.starts_with("\xEF\xBB\xBF")) scan_.go(3);
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
      return at_line(nul, "a NUL byte");
    }
    while (!scan_.end()) SY_TRY(piece());
    if (begin_) {
      if (parentheses_ > 0) return at_line(opened_, "a parenthesis is not closed");
      if (body_.inside()) return at_line(*begin_, "BEGIN ATOMIC has no END");
      SY_TRY(finish(text.size()));
    }
    return std::move(statements_);
  }

 private:
  Error at_line(std::size_t place, const std::string& what, std::string hint = {}) const {
    const std::string_view before = scan_.text().substr(0, place);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return Error(ErrorKind::Config, "line " + std::to_string(line) + ": " + what).with_hint(std::move(hint));
  }
  /// Lines are counted once, as statements come.
  std::size_t line_of(std::size_t place) noexcept {
    const std::string_view passed = scan_.text().substr(counted_, place - counted_);
    line_ += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
    counted_ = place;
    return line_;
  }
  void touch() noexcept {
    if (!begin_) begin_ = scan_.at();
  }

  Result<void> piece() {
    const char c = scan_.now();
    const std::size_t place = scan_.at();
    if (base::is_space(c)) {
      scan_.step();
    } else if (c == '-' && scan_.next() == '-') {
      scan_.line_comment();
    } else if (c == '/' && scan_.next() == '*') {
      if (!scan_.block_comment()) return at_line(place, "a comment has no end");
    } else if (c == ';') {
      return semicolon();
    } else if (c == '\\' && !begin_) {
      return backslash();
    } else {
      touch();
      return token(c, place);
    }
    return {};
  }

  Result<void> token(char c, std::size_t place) {
    if (c == '\'' || c == '"') {
      if (!scan_.quoted(c, false))
        return at_line(place, c == '"' ? "a quoted name has no end" : "a quote has no end");
    } else if (c == '$') {
      const std::string_view tag = scan_.dollar_tag();
      if (tag.empty()) {
        scan_.step();
      } else if (!scan_.dollar_quoted(tag)) {
        return at_line(place, "the quote " + std::string(tag.substr(0, 40)) + " has no end");
      }
    } else if (word_start(c)) {
      const std::string_view word = scan_.word();
      const bool escapes = word == "e" || word == "E";
      if (escapes && !scan_.end() && scan_.now() == '\'') {
        if (!scan_.quoted('\'', true)) return at_line(place, "a quote has no end");
      } else {
        body_.word(word, parentheses_ > 0);
      }
    } else if (base::is_digit(c)) {
      // 1e5 and 0x1F hold letters that are no words.
      static_cast<void>(scan_.word());
    } else {
      if (c == '(' && parentheses_++ == 0) opened_ = place;
      if (c == ')' && parentheses_ > 0) --parentheses_;
      scan_.step();
    }
    return {};
  }

  Result<void> semicolon() {
    const std::size_t place = scan_.at();
    scan_.step();
    if (parentheses_ > 0 || body_.inside()) return {};
    if (!begin_) return {};
    return finish(place);
  }

  Result<void> finish(std::size_t end) {
    const std::string_view text = scan_.text();
    while (end > *begin_ && base::is_space(text[end - 1])) --end;
    ScriptStatement& statement = statements_.emplace_back();
    statement.sql = text.substr(*begin_, end - *begin_);
    statement.line = line_of(*begin_);
    begin_.reset();
    body_ = {};
    parentheses_ = 0;
    if (reads_copy_data(statement.sql)) return copy_data(statement);
    return {};
  }

  /// COPY ... FROM STDIN outside of quotes.
  static bool reads_copy_data(std::string_view sql) {
    Scanner scan(sql);
    std::string_view before;
    bool first = true;
    const auto is = [](std::string_view a, std::string_view b) {
      return std::ranges::equal(a, b, {}, base::to_lower);
    };
    std::size_t depth = 0;
    while (!scan.end()) {
      const char c = scan.now();
      if (c == '-' && scan.next() == '-') {
        scan.line_comment();
      } else if (c == '/' && scan.next() == '*') {
        if (!scan.block_comment()) return false;
      } else if (c == '\'' || c == '"') {
        if (first || !scan.quoted(c, false)) return false;
        before = {};
      } else if (word_start(c)) {
        const std::string_view word = scan.word();
        if (first && !is(word, "copy")) return false;
        first = false;
        if (depth == 0 && is(word, "stdin") && is(before, "from")) return true;
        before = word;
      } else {
        if (first && !base::is_space(c)) return false;
        if (c == '(') ++depth;
        if (c == ')' && depth > 0) --depth;
        if (!base::is_space(c)) before = {};
        scan.step();
      }
    }
    return false;
  }

  /// From the line after the statement's to a line that is "\.".
  Result<void> copy_data(ScriptStatement& statement) {
    const std::string_view text = scan_.text();
    const std::size_t line_end = text.find('\n', scan_.at());
    const std::size_t begin = line_end == std::string_view::npos ? text.size() : line_end + 1;
    for (std::size_t at = begin; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string_view line = text.substr(at, end - at);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line == "\\.") {
        statement.copy_data = text.substr(begin, at - begin);
        scan_.go(std::min(end + 1, text.size()));
        return {};
      }
      at = end + 1;
    }
    return at_line(scan_.at(), "the data of COPY FROM STDIN has no end", "a line with \\. ends it");
  }

  /// pg_dump frames its output in \restrict and \unrestrict.
  Result<void> backslash() {
    const std::size_t place = scan_.at();
    scan_.step();
    const std::string command(scan_.word());
    if (command != "restrict" && command != "unrestrict") {
      return at_line(place, "\\" + command.substr(0, 40) + " is a command of psql, which does not run this",
                     "leave it out, or write it in SQL");
    }
    scan_.line_comment();
    return {};
  }

  Scanner scan_;
  std::vector<ScriptStatement> statements_;
  std::optional<std::size_t> begin_;
  BodyDepth body_;
  std::size_t parentheses_ = 0, opened_ = 0, counted_ = 0, line_ = 1;
};

}  // namespace

Result<std::vector<ScriptStatement>> split_script(std::string_view text) { return Splitter(text).run(); }

std::string leading_words(std::string_view sql, std::size_t most) {
  Scanner scan(sql);
  std::string words;
  std::size_t count = 0;
  bool joins = false;
  while (!scan.end() && count < most) {
    const char c = scan.now();
    if (base::is_space(c)) {
      scan.step();
    } else if (c == '-' && scan.next() == '-') {
      scan.line_comment();
    } else if (c == '/' && scan.next() == '*') {
      if (!scan.block_comment()) break;
    } else if (c == '.') {
      words += '.';
      joins = true;
      scan.step();
    } else if (word_start(c) || c == '"') {
      const std::size_t begin = scan.at();
      if (c == '"') {
        if (!scan.quoted('"', false)) break;
      } else {
        static_cast<void>(scan.word());
      }
      if (!words.empty() && !joins) words += ' ';
      if (!joins) ++count;
      joins = false;
      for (const char part : sql.substr(begin, scan.at() - begin)) words += c == '"' ? part : base::to_upper(part);
    } else {
      break;
    }
  }
  return words;
}

}  // namespace switchyard::inline v0::scripts
