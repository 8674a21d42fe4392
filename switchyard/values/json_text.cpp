// Writing JSON strings and checking JSON documents.
#include <switchyard/values/hex.hpp>
#include <switchyard/values/render.hpp>
#include <switchyard/values/text_scan.hpp>

#include <algorithm>

namespace switchyard::inline v0 {
namespace {

/// Length of the UTF-8 character at the front, 0 if there is none.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return length <= text.size() && is_valid_utf8(text.substr(0, length)) ? length : 0;
}

/// A checker without recursion: the open brackets are a string, so depth costs memory that the text has paid for.
class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : rest_(text) {}

  bool check() {
    if (!value()) return false;
    while (!open_.empty()) {
      spaces();
      if (rest_.empty()) return false;
      const char close = open_.back() == '{' ? '}' : ']';
      if (rest_.front() == close) {
        rest_.remove_prefix(1);
        open_.pop_back();
        continue;
      }
      if (rest_.front() != ',') return false;
      rest_.remove_prefix(1);
      if (open_.back() == '{' && !key()) return false;
      if (!value()) return false;
    }
    spaces();
    return rest_.empty();
  }

 private:
  void spaces() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\n' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }

  /// A scalar or an empty container; or opens containers until the first of those is read.
  bool value() {
    for (;;) {
      spaces();
      if (rest_.empty()) return false;
      switch (rest_.front()) {
        case '"': return string();
        case 't': return word("true");
        case 'f': return word("false");
        case 'n': return word("null");
        case '{':
        case '[': {
          const char open = rest_.front();
          rest_.remove_prefix(1);
          spaces();
          if (!rest_.empty() && rest_.front() == (open == '{' ? '}' : ']')) {
            rest_.remove_prefix(1);
            return true;
          }
          open_ += open;
          if (open == '{' && !key()) return false;
          break;
        }
        default: return number();
      }
    }
  }

  bool key() {
    spaces();
    if (rest_.empty() || !string()) return false;
    spaces();
    if (rest_.empty() || rest_.front() != ':') return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool word(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  bool string() {
    if (rest_.front() != '"') return false;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (static_cast<std::uint8_t>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (++i == rest_.size()) return false;
      if (rest_[i] == 'u') {
        const std::string_view digits = rest_.substr(i + 1, 4);
        if (digits.size() != 4 || !std::ranges::all_of(digits, [](char d) { return values::hex_value(d) >= 0; })) {
          return false;
        }
        i += 4;
      } else if (std::string_view("\"\\/bfnrt").find(rest_[i]) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  bool digits() {
    std::size_t n = 0;
    while (n < rest_.size() && values::Scanner::is_digit(rest_[n])) ++n;
    rest_.remove_prefix(n);
    return n > 0;
  }

  bool number() {
    if (rest_.starts_with('-')) rest_.remove_prefix(1);
    if (rest_.starts_with('0')) {
      rest_.remove_prefix(1);
    } else if (!digits()) {
      return false;
    }
    if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      if (!digits()) return false;
    }
    if (rest_.starts_with('e') || rest_.starts_with('E')) {
      rest_.remove_prefix(1);
      if (rest_.starts_with('+') || rest_.starts_with('-')) rest_.remove_prefix(1);
      if (!digits()) return false;
    }
    return true;
  }

  std::string_view rest_;
  std::string open_;
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  const bool clean = is_valid_utf8(text);
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<std::uint8_t>(c);
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      switch (c) {
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        default: out += "\\u00"; values::append_hex_byte(out, byte);
      }
    } else if (byte < 0x80 || clean) {
      out += c;
    } else if (length = character_length(text); length != 0) {
      out += text.substr(0, length);
    } else {
      out += "\xEF\xBF\xBD";  // U+FFFD
      length = 1;
    }
    text.remove_prefix(length);
  }
  out += '"';
}

bool is_valid_json(std::string_view text) { return JsonChecker(text).check() && is_valid_utf8(text); }

}  // namespace switchyard::inline v0
