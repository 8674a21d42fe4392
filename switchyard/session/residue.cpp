#include <switchyard/base/ascii.hpp>
#include <switchyard/session/built_in_functions.hpp>
#include <switchyard/session/residue.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace switchyard::inline v0::session {
namespace {

using std::string_view;

/// Longer names are cut by the server.
constexpr std::size_t kMaxName = 63;

constexpr bool begins_word(char c) noexcept { return base::is_letter(c) || c == '_'; }
constexpr bool continues_word(char c) noexcept { return begins_word(c) || base::is_digit(c) || c == '$'; }

constexpr std::array<string_view, 7> kPlain{"select", "insert", "update", "delete", "values", "table", "with"};

/// Words that a parenthesis may follow without a call: reserved, or of a syntax of their own, so that no function
/// can have such a name (manual, appendix C).
constexpr std::array<string_view, 56> kBeforeParenthesis{
    "all",      "and",       "any",       "array",    "as",        "between",   "bit",     "case",
    "cast",     "char",      "character", "coalesce", "collate",   "dec",       "decimal", "distinct",
    "else",     "end",       "except",    "exists",   "extract",   "float",     "for",     "from",
    "greatest", "grouping",  "having",    "in",       "intersect", "lateral",   "least",   "limit",
    "not",      "nullif",    "numeric",   "offset",   "on",        "only",      "or",      "overlay",
    "position", "returning", "row",       "select",   "some",      "substring", "table",   "then",
    "time",     "timestamp", "trim",      "union",    "using",     "values",    "varchar", "when"};
static_assert(std::ranges::is_sorted(kBeforeParenthesis));
/// The same behind a closing parenthesis only: count(*) FILTER (...) OVER (...).
constexpr std::array<string_view, 2> kBehindParenthesis{"filter", "over"};

constexpr bool is_among(string_view word, std::span<const string_view> list) noexcept {
  return std::ranges::find(list, word) != list.end();
}

/// Anywhere in the text they say more than it takes to judge here.
constexpr std::array<string_view, 5> kSuspicious{"temp", "temporary", "pg_temp", "unlogged", "pg_settings"};

/// An UPDATE of it sets what it names (manual, 54.24).
constexpr string_view kSettingsView = "pg_settings";

/// One pass over the tokens, which remembers the last three words or signs.
class PlainScan {
 public:
  explicit PlainScan(string_view sql) noexcept : rest_(sql) {}

  bool run() noexcept {
    if (!skip_blank() || !take_word()) return false;
    // (SELECT ...) begins with a parenthesis: rare, and left to the parse.
    if (!is_among(word(), kPlain)) return false;
    for (;;) {
      if (!skip_blank()) return false;
      if (rest_.empty()) return true;
      const char c = rest_.front();
      if (begins_word(c)) {
        if (!take_word() || is_among(word(), kSuspicious)) return false;
        // E'...', B'...', U&"...": lexed by rules of their own.
        if (!rest_.empty() && (rest_.front() == '\'' || rest_.front() == '"' || rest_.front() == '&')) return false;
      } else if (c == '\'') {
        if (!take_quoted('\'')) return false;
        remember(Token::other);
      } else if (c == '"') {
        const string_view before = rest_;
        if (!take_quoted('"')) return false;
        if (before.substr(1, before.size() - rest_.size() - 2) == kSettingsView) return false;
        remember(Token::quoted_name);
      } else if (c == '$') {
        if (!take_parameter()) return false;
        remember(Token::other);
      } else if (base::is_digit(c)) {
        while (!rest_.empty() && (continues_word(rest_.front()) || rest_.front() == '.')) rest_.remove_prefix(1);
        remember(Token::other);
      } else if (c == ';') {
        rest_.remove_prefix(1);
        return skip_blank() && rest_.empty();
      } else if (c == '(') {
        if (may_call()) return false;
        rest_.remove_prefix(1);
        remember(Token::other);
      } else if (static_cast<unsigned char>(c) >= 0x80 || c == '\0') {
        return false;
      } else {
        rest_.remove_prefix(1);
        remember(c == '.' ? Token::dot : c == ')' ? Token::closing : Token::other);
      }
    }
  }

 private:
  enum class Token : std::uint8_t { other, word, quoted_name, dot, closing };
  struct Seen {
    Token token = Token::other;
    std::array<char, kMaxName> text{};
    std::size_t size = 0;
  };

  [[nodiscard]] Seen& back(std::size_t steps) noexcept {
    return seen_[(at_ + seen_.size() - steps) % seen_.size()];
  }
  [[nodiscard]] string_view text(std::size_t steps) noexcept {
    const Seen& seen = back(steps);
    return seen.token == Token::word ? string_view(seen.text.data(), seen.size) : string_view();
  }
  [[nodiscard]] string_view word() noexcept { return text(0); }
  void remember(Token token) noexcept {
    at_ = (at_ + 1) % seen_.size();
    back(0).token = token;
    back(0).size = 0;
  }

  bool take_word() noexcept {
    if (rest_.empty() || !begins_word(rest_.front())) return false;
    remember(Token::word);
    Seen& seen = back(0);
    while (!rest_.empty() && continues_word(rest_.front())) {
      if (seen.size == kMaxName) return false;
      seen.text[seen.size++] = base::to_lower(rest_.front());
      rest_.remove_prefix(1);
    }
    // A letter outside ASCII goes on with the word.
    return rest_.empty() || static_cast<unsigned char>(rest_.front()) < 0x80;
  }

  /// A doubled quote stands for itself: two strings in a row, which comes to the same. A backslash may be an
  /// escape.
  bool take_quoted(char quote) noexcept {
    const std::size_t end = rest_.find(quote, 1);
    if (end == string_view::npos || rest_.substr(0, end).find('\\') != string_view::npos) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  /// $1; anything else is a dollar quote.
  bool take_parameter() noexcept {
    rest_.remove_prefix(1);
    if (rest_.empty() || !base::is_digit(rest_.front())) return false;
    while (!rest_.empty() && base::is_digit(rest_.front())) rest_.remove_prefix(1);
    return rest_.empty() || !continues_word(rest_.front());
  }

  /// White space and comments, which nest.
  bool skip_blank() noexcept {
    for (;;) {
      while (!rest_.empty() && base::is_space(rest_.front())) rest_.remove_prefix(1);
      if (rest_.starts_with("--")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        std::size_t depth = 0;
        do {
          if (rest_.size() < 2) return false;
          const string_view two = rest_.substr(0, 2);
          if (two == "/*") ++depth;
          if (two == "*/") --depth;
          rest_.remove_prefix(two == "/*" || two == "*/" ? 2 : 1);
        } while (depth > 0);
      } else {
        return true;
      }
    }
  }

  /// May the name in front of this parenthesis be that of a function that nobody knows?
  bool may_call() noexcept {
    switch (back(0).token) {
      case Token::other:
      case Token::closing: return false;
      case Token::dot: return true;
      case Token::quoted_name: return !names_inserted_table();
      case Token::word: break;
    }
    const string_view name = word();
    const bool qualified = back(1).token == Token::dot;
    if (names_inserted_table()) return false;
    if (qualified) return text(2) != "pg_catalog" || !is_harmless_built_in(name);
    if (std::ranges::binary_search(kBeforeParenthesis, name) || is_harmless_built_in(name)) return false;
    if (back(1).token == Token::closing && is_among(name, kBehindParenthesis)) return false;
    if (name == "by") return text(1) != "order" && text(1) != "group" && text(1) != "partition";
    if (name == "group") return text(1) != "within";
    return name != "conflict" || text(1) != "on";
  }

  /// INSERT INTO name (, INSERT INTO schema.name (.
  bool names_inserted_table() noexcept {
    return back(1).token == Token::dot ? text(3) == "into" : text(1) == "into";
  }

  string_view rest_;
  std::array<Seen, 4> seen_{};
  std::size_t at_ = 0;
};

/// Built-in functions that a reset undoes.
bool is_undone_by_reset(string_view name) noexcept {
  // Those of transactions end with them, and are among the harmless.
  return name == "set_config" || name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_");
}

/// Built-in functions whose traces end with the session.
bool is_lasting(string_view name) noexcept {
  constexpr std::array<string_view, 6> kNames{"setseed",
                                              "pg_backup_start",
                                              "pg_start_backup",
                                              "pg_create_logical_replication_slot",
                                              "pg_create_physical_replication_slot",
                                              "pg_replication_origin_session_setup"};
  return is_among(name, kNames) || name.starts_with("pg_copy_");
}

Residue residue_of_call(const sql::Name& function, std::span<const std::string> harmless) noexcept {
  if (function.schema.empty() || function.schema == "pg_catalog") {
    if (is_harmless_built_in(function.name)) return Residue::none;
    if (is_undone_by_reset(function.name)) return Residue::undone_by_reset;
  }
  if (is_declared(function, harmless)) return Residue::none;
  const bool ours = function.schema.empty() || function.schema == "pg_catalog";
  return (ours && is_lasting(function.name)) || function.name.starts_with("dblink") ? Residue::lasting
                                                                                    : Residue::unknown_code;
}

Residue residue_of_effect(sql::Effect effect) noexcept {
  switch (effect) {
    case sql::Effect::changes_settings:
    case sql::Effect::temporary_objects:
    case sql::Effect::listens:
    case sql::Effect::holds_cursor:
    case sql::Effect::discards:
    case sql::Effect::controls_transaction: return Residue::undone_by_reset;
    case sql::Effect::notifies:
    case sql::Effect::locks_explicitly:
    case sql::Effect::locks_rows:
    case sql::Effect::changes_catalogue:
    case sql::Effect::copies: return Residue::none;
    case sql::Effect::runs_code: return Residue::unknown_code;
    case sql::Effect::prepares:
    case sql::Effect::anything: return Residue::lasting;
  }
  return Residue::lasting;
}

}  // namespace

// Every name is qualified: the login's search_path may begin with anything. The extensions are those whose
// libraries keep nothing for a session but settings.
string_view clean_proof_sql() noexcept {
  return "SELECT pg_catalog.setseed(pg_catalog.float8(pg_catalog.uuid_hash(pg_catalog.gen_random_uuid())) "
         "OPERATOR(pg_catalog./) 2147483648::pg_catalog.float8); "
         "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) "
         "AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) session_user "
         "AND (rolsuper OR rolreplication)) "
         "AND NOT EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname OPERATOR(pg_catalog.<>) ALL "
         "('{internal,c,sql,plpgsql}'::pg_catalog.name[])) "
         "AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.<>) ALL "
         "('{plpgsql,amcheck,bloom,btree_gin,btree_gist,citext,cube,dict_int,earthdistance,fuzzystrmatch,hstore,"
         "intarray,"
         "ltree,pg_buffercache,pg_stat_statements,pg_trgm,pgcrypto,pgstattuple,postgis,postgis_raster,postgis_"
         "topology,"
         "seg,tsm_system_rows,tsm_system_time,unaccent,uuid-ossp,vector}'::pg_catalog.name[])) "
         "AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid "
         "OPERATOR(pg_catalog.=) p.prolang WHERE l.lanname OPERATOR(pg_catalog.=) 'c'::pg_catalog.name "
         "AND p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend "
         "d "
         "WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid "
         "OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\"))";
}

bool is_declared(const sql::Name& function, std::span<const std::string> harmless) noexcept {
  return std::ranges::any_of(harmless, [&](const std::string& entry) {
    const std::size_t dot = entry.rfind('.');
    if (dot == std::string::npos) return false;
    const string_view known(entry);
    return known.substr(dot + 1) == function.name &&
           (function.schema.empty() || known.substr(0, dot) == function.schema);
  });
}

bool leaves_nothing(string_view sql) noexcept { return PlainScan(sql).run(); }

Residue residue_of(const sql::StatementFacts& facts, std::span<const std::string> harmless) noexcept {
  if (facts.kind == sql::StatementKind::unknown) return Residue::lasting;
  // LOAD is among what runs code, and is no code in the database.
  const bool calls = facts.kind == sql::StatementKind::call;
  Residue worst = Residue::none;
  for (const sql::Effect effect : facts.effects) {
    const Residue one = residue_of_effect(effect);
    worst = std::max(worst, one == Residue::unknown_code && !calls ? Residue::lasting : one);
  }
  for (const sql::Name& function : facts.functions) worst = std::max(worst, residue_of_call(function, harmless));
  const auto is_settings = [](const sql::Name& relation) { return relation.name == kSettingsView; };
  if (facts.writes && std::ranges::any_of(facts.relations, is_settings)) {
    worst = std::max(worst, Residue::undone_by_reset);
  }
  return worst;
}

}  // namespace switchyard::inline v0::session
