#include <switchyard/fleet/statement_text.hpp>

namespace switchyard::inline v0::fleet {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool continues_name(char c) noexcept {
  return is_digit(c) || c == '_' || c == '$' || c == '"' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

/// End of the quoted text that starts at `at` with `quote`; doubled quotes belong to it.
std::size_t end_of_quoted(std::string_view sql, std::size_t at, char quote) noexcept {
  for (++at; at < sql.size(); ++at) {
    if (sql[at] != quote) continue;
    if (at + 1 < sql.size() && sql[at + 1] == quote) {
      ++at;
    } else {
      return at + 1;
    }
  }
  return at;
}

/// End of a dollar-quoted text at `at`, or `at` if none starts there.
std::size_t end_of_dollar_quoted(std::string_view sql, std::size_t at) noexcept {
  std::size_t tag = at + 1;
  if (tag < sql.size() && is_digit(sql[tag])) return at;  // $1
  while (tag < sql.size() && continues_name(sql[tag]) && sql[tag] != '$') ++tag;
  if (tag >= sql.size() || sql[tag] != '$') return at;
  const std::string_view delimiter = sql.substr(at, tag + 1 - at);
  const std::size_t end = sql.find(delimiter, tag + 1);
  return end == std::string_view::npos ? sql.size() : end + delimiter.size();
}

}  // namespace

std::string shortened_statement(std::string_view sql, std::size_t length) {
  std::string out;
  std::size_t at = 0;
  bool after_name = false;
  while (at < sql.size() && out.size() <= length) {
    const char c = sql[at];
    if (is_space(c)) {
      while (at < sql.size() && is_space(sql[at])) ++at;
      if (!out.empty() && at < sql.size()) out += ' ';
      after_name = false;
      continue;
    }
    if (c == '\'') {
      at = end_of_quoted(sql, at, '\'');
      out += '?';
      after_name = false;
      continue;
    }
    if (c == '$') {
      const std::size_t end = end_of_dollar_quoted(sql, at);
      if (end != at) {
        at = end;
        out += '?';
        continue;
      }
    }
    if (c == '"') {
      const std::size_t end = end_of_quoted(sql, at, '"');
      out += sql.substr(at, end - at);
      at = end;
      after_name = true;
      continue;
    }
    if (is_digit(c) && !after_name) {
      while (at < sql.size() && (is_digit(sql[at]) || sql[at] == '.')) ++at;
      out += '?';
      continue;
    }
    after_name = continues_name(c);
    out += c;
    ++at;
  }
  if (out.size() <= length) return out;
  std::size_t cut = length;
  // Not in the middle of a UTF-8 sequence.
  while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0) == 0x80) --cut;
  out.resize(cut);
  return out + "...";
}

}  // namespace switchyard::inline v0::fleet
