#include <switchyard/scripts/statement_kind.hpp>

#include <switchyard/scripts/script.hpp>

#include <algorithm>
#include <vector>

namespace switchyard::inline v0::scripts {

namespace {

constexpr int kAddValueInTransaction = 120000;

/// Words as leading_words() gives them, case kept where they are names.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '"') quoted = !quoted;
    if (i == text.size() || (text[i] == ' ' && !quoted)) {
      if (i > at) words.push_back(text.substr(at, i - at));
      at = i + 1;
    }
  }
  return words;
}

class Words {
 public:
  explicit Words(std::string_view sql) : text_(leading_words(sql, 12)), words_(words_of(text_)) {}
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    return i < words_.size() ? words_[i] : std::string_view{};
  }
  [[nodiscard]] bool has(std::string_view word) const noexcept {
    return std::ranges::find(words_, word) != words_.end();
  }
  [[nodiscard]] std::size_t size() const noexcept { return words_.size(); }

 private:
  std::string text_;
  std::vector<std::string_view> words_;
};

/// REINDEX (VERBOSE, CONCURRENTLY) INDEX a: the options stand in parentheses, which end the leading words.
std::string_view behind_options(std::string_view sql, std::string& options) {
  const std::size_t open = sql.find('(');
  const std::string head = leading_words(sql, 2);
  if (open == std::string_view::npos || (head != "REINDEX" && head != "VACUUM")) return sql;
  const std::size_t close = sql.find(')', open);
  if (close == std::string_view::npos) return sql;
  options = leading_words({}, 0);
  for (const char c : sql.substr(open + 1, close - open - 1)) {
    options += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return sql.substr(close + 1);
}

StatementKind reindex_kind(std::string_view sql) {
  std::string options;
  const std::string_view rest = behind_options(sql, options);
  const Words words(rest);
  const std::size_t first = options.empty() ? 1 : 0;
  const bool concurrently = words[first + 1] == "CONCURRENTLY" || options.find("CONCURRENTLY") != std::string::npos;
  const std::string_view what = words[first];
  if (concurrently || what == "DATABASE" || what == "SYSTEM" || what == "SCHEMA") return StatementKind::reindex;
  return StatementKind::ordinary;
}

bool starts(const Words& words, std::initializer_list<std::string_view> with) {
  std::size_t i = 0;
  return std::ranges::all_of(with, [&](std::string_view word) { return words[i++] == word; });
}

}  // namespace

StatementKind kind_of(std::string_view sql, int server_version) {
  const Words words(sql);
  const std::string_view first = words[0], second = words[1];
  if (first == "CREATE" || first == "DROP") {
    const std::size_t index = second == "UNIQUE" ? 2 : 1;
    if (words[index] == "INDEX" && words[index + 1] == "CONCURRENTLY") {
      return first == "CREATE" ? StatementKind::create_index : StatementKind::drop_index;
    }
    if (second == "DATABASE" || second == "TABLESPACE" || second == "SUBSCRIPTION") return StatementKind::alone;
    return StatementKind::ordinary;
  }
  if (first == "ALTER") {
    if (second == "SYSTEM") return StatementKind::alone;
    if (second == "DATABASE" && words.has("TABLESPACE")) return StatementKind::alone;
    if (second == "TYPE" && words[3] == "ADD" && words[4] == "VALUE" && server_version < kAddValueInTransaction) {
      return StatementKind::alone;
    }
    if (second == "TABLE" && words.has("DETACH") && words.has("CONCURRENTLY")) return StatementKind::detach;
    if (second == "SUBSCRIPTION" && words.has("REFRESH")) return StatementKind::alone;
    return StatementKind::ordinary;
  }
  if (first == "VACUUM") return StatementKind::alone;
  if (first == "REINDEX") return reindex_kind(sql);
  if (first == "CLUSTER" && words.size() <= (second == "VERBOSE" ? 2U : 1U)) return StatementKind::alone;
  if (starts(words, {"DISCARD", "ALL"})) return StatementKind::alone;
  if (second == "PREPARED" && (first == "COMMIT" || first == "ROLLBACK")) return StatementKind::alone;
  if (first == "BEGIN" || starts(words, {"START", "TRANSACTION"})) return StatementKind::begin;
  if (first == "COMMIT" || first == "END") return StatementKind::commit;
  if (first == "ABORT" || (first == "ROLLBACK" && !words.has("TO"))) return StatementKind::rollback;
  return StatementKind::ordinary;
}

std::string index_of(std::string_view sql) {
  std::string options;
  const std::string_view rest = behind_options(sql, options);
  const Words words(rest);
  std::size_t at = 0;
  while (at < words.size() && words[at] != "INDEX") ++at;
  if (at == words.size()) return {};
  ++at;
  if (words[at] == "CONCURRENTLY") ++at;
  if (words[at] == "IF") at += words[at + 1] == "NOT" ? 3 : 2;
  if (at >= words.size() || words[at] == "ON") return {};
  // Upper case is the words' own; an unquoted name is folded to lower case by the server anyway.
  return std::string(words[at]);
}

std::string detached_partition(std::string_view sql) {
  const Words words(sql);
  for (std::size_t at = 0; at + 2 < words.size(); ++at) {
    if (words[at] == "DETACH" && words[at + 1] == "PARTITION") return std::string(words[at + 2]);
  }
  return {};
}

std::string altered_table(std::string_view sql) {
  const Words words(sql);
  if (!starts(words, {"ALTER", "TABLE"})) return {};
  std::size_t at = 2;
  if (words[at] == "IF" && words[at + 1] == "EXISTS") at += 2;
  if (words[at] == "ONLY") ++at;
  return std::string(words[at]);
}

std::string indexed_table(std::string_view sql) {
  const Words words(sql);
  for (std::size_t at = 0; at + 1 < words.size(); ++at) {
    if (words[at] == "ON") return std::string(words[at + 1] == "ONLY" ? words[at + 2] : words[at + 1]);
  }
  return {};
}

}  // namespace switchyard::inline v0::scripts
