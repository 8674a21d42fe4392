#include <switchyard/session/effects.hpp>

#include <algorithm>
#include <array>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::session {
namespace {

using std::string_view;

/// First keywords of statements that leave nothing behind, unless they mention something below.
constexpr std::array<string_view, 25> kClean{
    "select", "insert", "update",  "delete",  "merge",   "values",  "table",     "with", "explain",
    "show",   "copy",   "analyze", "vacuum",  "comment", "grant",   "revoke",    "lock", "truncate",
    "create", "alter",  "drop",    "reindex", "refresh", "cluster", "checkpoint"};

/// Parts of function names that mean a lasting effect wherever they stand.
constexpr std::array<string_view, 8> kLastingFunctions{
    "set_config", "advisory", "setseed", "pg_temp", "dblink", "lastval", "query_to_xml", "pg_export_snapshot"};

/// Words that mean a lasting effect: CREATE TEMP TABLE, SELECT ... INTO TEMPORARY.
constexpr std::array<string_view, 2> kLastingWords{"temp", "temporary"};

/// Skips white space, comments and opening parentheses.
string_view skip_to_keyword(string_view sql) noexcept {
  for (;;) {
    while (!sql.empty() && (base::is_space(sql.front()) || sql.front() == '(')) sql.remove_prefix(1);
    if (sql.starts_with("--")) {
      const std::size_t end = sql.find('\n');
      if (end == string_view::npos) return {};
      sql.remove_prefix(end + 1);
    } else if (sql.starts_with("/*")) {
      // Comments nest in PostgreSQL (manual chapter 4.1.5).
      std::size_t depth = 1;
      std::size_t at = 2;
      while (depth > 0) {
        if (at + 1 >= sql.size()) return {};
        if (sql.substr(at, 2) == "/*") {
          ++depth;
          at += 2;
        } else if (sql.substr(at, 2) == "*/") {
          --depth;
          at += 2;
        } else {
          ++at;
        }
      }
      sql.remove_prefix(at);
    } else {
      return sql;
    }
  }
}

constexpr bool is_identifier(char c) noexcept {
  return base::is_letter(c) || c == '_' || base::is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0;
}

enum class Boundary : bool { anywhere, whole_word };

bool contains_folded(string_view text, string_view lower_case, Boundary boundary) noexcept {
  auto at = text.begin();
  for (;;) {
    at = std::search(at, text.end(), lower_case.begin(), lower_case.end(),
                     [](char a, char b) { return base::to_lower(a) == b; });
    if (at == text.end()) return false;
    const auto end = at + static_cast<std::ptrdiff_t>(lower_case.size());
    const bool starts = at == text.begin() || !is_identifier(*(at - 1));
    const bool ends = end == text.end() || !is_identifier(*end);
    if (boundary == Boundary::anywhere || (starts && ends)) return true;
    ++at;
  }
}

}  // namespace

bool may_affect_session(string_view sql) noexcept {
  const string_view rest = skip_to_keyword(sql);
  std::size_t length = 0;
  while (length < rest.size() && base::is_letter(rest[length])) ++length;
  const string_view keyword = rest.substr(0, length);
  const bool clean =
      std::ranges::any_of(kClean, [&](string_view k) { return base::equal_ignoring_case(keyword, k); });
  if (!clean) return true;
  return std::ranges::any_of(kLastingFunctions,
                             [&](string_view f) { return contains_folded(rest, f, Boundary::anywhere); }) ||
         std::ranges::any_of(kLastingWords,
                             [&](string_view w) { return contains_folded(rest, w, Boundary::whole_word); });
}

bool forgets_prepared_statements(std::string_view sql) noexcept {
  return contains_folded(sql, "discard", Boundary::anywhere) ||
         contains_folded(sql, "deallocate", Boundary::anywhere);
}

bool happens_whole(std::string_view sql) noexcept {
  static constexpr std::array<string_view, 9> kWhole{"select", "insert", "update", "delete", "merge",
                                                     "values", "table",  "with",   "show"};
  sql = skip_to_keyword(sql);
  const auto end = std::ranges::find_if_not(sql, is_identifier);
  const string_view word = sql.substr(0, static_cast<std::size_t>(end - sql.begin()));
  return std::ranges::any_of(kWhole, [&](string_view known) { return base::equal_ignoring_case(word, known); });
}

}  // namespace switchyard::inline v0::session
