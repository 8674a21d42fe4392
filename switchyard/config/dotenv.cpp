#include <switchyard/config/dotenv.hpp>

#include <switchyard/config/problems.hpp>

#include <algorithm>

namespace switchyard::inline v0::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

class DotenvParser {
 public:
  DotenvParser(std::string_view text, std::string_view path) : text_(text), path_(path) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Result<std::vector<DotenvEntry>> run() {
    while (at_ < text_.size()) {
      entry();
      skip_line();
    }
    if (!problems_.empty()) return problems_.to_error();
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool at_line_end() const { return at_ == text_.size() || text_[at_] == '\n' || is_crlf(); }
  [[nodiscard]] bool is_crlf() const { return text_.substr(at_, 2) == "\r\n" || text_.substr(at_) == "\r"; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  void skip_line() {
    at_ = std::min(text_.find('\n', at_), text_.size());
    if (at_ < text_.size()) ++at_;
    ++line_;
  }
  void problem(int line, std::string_view what, std::string_view hint = {}) {
    problems_.add(std::string(path_) + ":" + std::to_string(line), what, hint);
  }

  void entry() {
    skip_blanks();
    if (at_line_end() || text_[at_] == '#') return;
    DotenvEntry entry;
    entry.line = line_;
    std::string_view name = word();
    if (name == "export" && at_ < text_.size() && is_blank(text_[at_])) {
      skip_blanks();
      name = word();
    }
    skip_blanks();
    if (name.empty() || (name.front() >= '0' && name.front() <= '9') || at_line_end() || text_[at_] != '=') {
      problem(line_, "a line is NAME=value or a comment", "names are letters, digits and '_'");
      return;
    }
    ++at_;
    skip_blanks();
    entry.name = std::string(name);
    if (value(entry.value)) add(std::move(entry));
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  bool value(std::string& out) {
    if (!at_line_end() && (text_[at_] == '"' || text_[at_] == '\'')) return quoted(out);
    const std::size_t begin = at_;
    while (!at_line_end() && !(text_[at_] == '#' && (at_ == begin || is_blank(text_[at_ - 1])))) ++at_;
    std::size_t end = at_;
    while (end > begin && is_blank(text_[end - 1])) --end;
    out = std::string(text_.substr(begin, end - begin));
    return true;
  }

  bool quoted(std::string& out) {
    const char quote = text_[at_++];
    const int first_line = line_;
    for (;;) {
      if (at_ == text_.size()) {
        problem(first_line, "a quoted value has no closing quote");
        return false;
      }
      const char c = text_[at_++];
      if (c == quote) break;
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"' && at_ < text_.size()) {
        out += escaped(text_[at_++]);
      } else {
        out += c;
      }
    }
    skip_blanks();
    if (!at_line_end() && text_[at_] != '#') {
      problem(line_, "there is text behind the closing quote", "quote the whole value");
      return false;
    }
    return true;
  }

  std::string escaped(char c) {
    switch (c) {
      case 'n': return "\n";
      case 'r': return "\r";
      case 't': return "\t";
      case '\n': ++line_; return "";  // a line continued
      case '"':
      case '\'':
      case '\\':
      case '$': return std::string(1, c);
      default: return std::string("\\") + c;
    }
  }

  void add(DotenvEntry entry) {
    const auto same =
        std::find_if(out_.begin(), out_.end(), [&](const DotenvEntry& e) { return e.name == entry.name; });
    if (same == out_.end()) {
      out_.push_back(std::move(entry));
    } else if (same->value != entry.value) {
      problem(entry.line, entry.name + " was already given another value on line " + std::to_string(same->line),
              "keep one of the two lines");
    }
  }

  std::string_view text_;
  std::string_view path_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<DotenvEntry> out_;
  Problems problems_;
};

}  // namespace

Result<std::vector<DotenvEntry>> parse_dotenv(std::string_view text, std::string_view path) {
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
    return Error(ErrorKind::Config, std::string(path) + ":" + std::to_string(line) + ": a zero byte is forbidden");
  }
  return DotenvParser(text, path).run();
}

}  // namespace switchyard::inline v0::config
