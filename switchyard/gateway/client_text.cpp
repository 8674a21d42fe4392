#include <switchyard/gateway/client_text.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/session/built_in_functions.hpp>
#include <switchyard/session/residue.hpp>
#include <switchyard/sql/facts_cache.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using std::string_view;
using Kind = SqlWord::Kind;

/// The first words of a statement say what it is.
constexpr std::size_t kFirstWords = 8;

constexpr bool is_among(string_view word, std::span<const string_view> list) noexcept {
  return std::ranges::find(list, word) != list.end();
}

/// A folded name that stands anywhere in a statement, without quotes or with.
bool means(const SqlWord& word, string_view name) {
  return word.is(name) || (word.kind == Kind::quoted && word.value() == name);
}

/// One statement of a text, up to its semicolon.
struct Statement {
  std::vector<SqlWord> first;
  string_view text{};
  bool complete = true;  ///< every quote in it ends
  bool holds = false;
  bool temporary = false;
  bool sequences = false;
  bool unlocks = false;
  bool settings_view = false;
  bool executes = false;  ///< EXECUTE somewhere behind its first word
  /// Names in set_config('name', ...), and whether there was one that is not written so.
  std::vector<std::string> set_config;
  bool computed_set_config = false;

  [[nodiscard]] bool begins(std::initializer_list<string_view> words) const noexcept {
    if (first.size() < words.size()) return false;
    return std::ranges::equal(words, std::span(first).first(words.size()),
                              [](string_view keyword, const SqlWord& word) { return word.is(keyword); });
  }
  [[nodiscard]] const SqlWord& word(std::size_t i) const noexcept {
    static const SqlWord kNone;
    return i < first.size() ? first[i] : kNone;
  }
};

class Splitter {
 public:
  Splitter(string_view sql, Backslash backslash) noexcept : sql_(sql), words_(sql, backslash) {}

  /// False: there is none left.
  bool next(Statement& statement) {
    while (at_ < sql_.size()) {
      take(statement);
      if (!statement.first.empty() || !statement.complete) return true;
    }
    return false;
  }

 private:
  /// Up to a semicolon.
  void take(Statement& statement) {
    statement = {};
    std::size_t depth = 0;
    bool atomic = false;
    SqlWord before;
    const std::size_t begin = at_;
    for (;;) {
      const SqlWord word = words_.next();
      if (word.kind == Kind::unfinished) statement.complete = false;
      if (word.kind == Kind::end || word.kind == Kind::unfinished) {
        at_ = sql_.size();
        break;
      }
      if (word.is_sign(';') && depth == 0 && !atomic) {
        at_ = word.at + 1;
        break;
      }
      if (word.is_sign('(')) ++depth;
      if (word.is_sign(')') && depth > 0) --depth;
      // The body of a function in standard SQL has semicolons of its own.
      if (word.is("atomic") && before.is("begin")) atomic = true;
      note(statement, word);
      before = word;
    }
    statement.text = sql_.substr(begin, at_ - begin);
  }

  void note(Statement& statement, const SqlWord& word) {
    if (statement.first.size() < kFirstWords) statement.first.push_back(word);
    switch (expected_) {
      case Expected::nothing: break;
      case Expected::parenthesis: expected_ = word.is_sign('(') ? Expected::name : Expected::nothing; return;
      case Expected::name:
        name_ = word.kind == Kind::string && word.text.front() == '\'' ? word.value() : std::string();
        if (name_.empty()) statement.computed_set_config = true;
        expected_ = name_.empty() ? Expected::nothing : Expected::comma;
        return;
      case Expected::comma:
        if (word.is_sign(',')) {
          statement.set_config.push_back(std::move(name_));
        } else {
          statement.computed_set_config = true;
        }
        expected_ = Expected::nothing;
        return;
    }
    if (word.kind != Kind::name && word.kind != Kind::quoted) return;
    if (means(word, "set_config")) expected_ = Expected::parenthesis;
    statement.holds = statement.holds || word.is("hold");
    statement.temporary = statement.temporary || word.is("temp") || word.is("temporary") || means(word, "pg_temp");
    statement.sequences = statement.sequences || means(word, "currval") || means(word, "lastval");
    statement.unlocks = statement.unlocks || word.value().starts_with("pg_advisory_unlock");
    statement.settings_view = statement.settings_view || means(word, "pg_settings");
    statement.executes = statement.executes || (word.is("execute") && statement.first.size() > 1);
  }

  enum class Expected : std::uint8_t { nothing, parenthesis, name, comma };
  string_view sql_;
  SqlWords words_;
  std::size_t at_ = 0;
  Expected expected_ = Expected::nothing;
  std::string name_;
};

constexpr string_view kSettingsView = "pg_settings";

void touch(ClientText& text, std::string name) {
  name = base::lowered(name);
  if (name.find('.') != std::string::npos) text.claims |= Claim::custom;
  // Each reports the other.
  if (name == "session_authorization") text.settings.emplace_back("role");
  if (std::ranges::find(text.settings, name) == text.settings.end()) text.settings.push_back(std::move(name));
}

/// `name`, `name.name`, TIME ZONE, SESSION AUTHORIZATION ...; `i` is moved behind it.
std::string setting_name(const Statement& statement, std::size_t& i) {
  const SqlWord& word = statement.word(i);
  const SqlWord& second = statement.word(i + 1);
  if (word.is("time") && second.is("zone")) return i += 2, "timezone";
  if (word.is("session") && second.is("authorization")) return i += 2, "session_authorization";
  if (word.is("xml") && second.is("option")) return i += 2, "xmloption";
  if (word.is("names")) return ++i, "client_encoding";
  if (word.is("schema")) return ++i, "search_path";
  if (word.kind != Kind::name && word.kind != Kind::quoted) return {};
  std::string name = word.value();
  ++i;
  while (statement.word(i).is_sign('.')) {
    name += '.' + statement.word(i + 1).value();
    i += 2;
  }
  return name;
}

void read_set(ClientText& text, const Statement& statement) {
  std::size_t i = 1;
  // Transaction-scoped, all of them.
  if (statement.word(i).is("constraints") || statement.word(i).is("transaction")) return;
  const bool local = statement.word(i).is("local");
  if (local || (statement.word(i).is("session") && !statement.word(i + 1).is("authorization"))) ++i;
  if (statement.word(i).is("seed")) {
    text.claims |= Claim::lasting;
    return;
  }
  if (statement.word(i).is("transaction")) return;
  if (statement.word(i).is("characteristics")) {
    for (const char* name :
         {"default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable"}) {
      touch(text, name);
    }
    return;
  }
  std::string name = setting_name(statement, i);
  if (name.empty()) {
    text.claims |= Claim::lasting;
    return;
  }
  if (statement.word(i).is("to") || statement.word(i).is_sign('=')) ++i;
  if (statement.word(i).is("default") && !local) text.resets.push_back(base::lowered(name));
  touch(text, std::move(name));
}

void read_reset(ClientText& text, const Statement& statement) {
  std::size_t i = 1;
  if (statement.word(i).is("all")) {
    text.resets_all = true;
    return;
  }
  std::string name = setting_name(statement, i);
  if (name.empty()) {
    text.claims |= Claim::lasting;
    return;
  }
  text.resets.push_back(base::lowered(name));
  touch(text, std::move(name));
}

void read_discard(ClientText& text, const Statement& statement) {
  text.may_end_claims = true;
  if (!statement.word(1).is("all")) return;
  text.verb = TextVerb::discard_all;
  text.forgets_statements = text.resets_all = true;
}

void take_name(ClientText& text, TextVerb verb, const SqlWord& word) {
  if (word.kind != Kind::name && word.kind != Kind::quoted) return;
  text.verb = verb;
  text.name = word.value();
  text.name_at = word.at;
  text.name_size = word.text.size();
}

void read_deallocate(ClientText& text, const Statement& statement) {
  const std::size_t at = statement.word(1).is("prepare") && statement.first.size() > 2 ? 2 : 1;
  text.forgets_statements = text.may_end_claims = true;
  if (statement.word(at).is("all")) {
    text.verb = TextVerb::deallocate_all;
  } else {
    take_name(text, TextVerb::deallocate, statement.word(at));
  }
}

constexpr std::array<string_view, 12> kTransaction{"begin",     "start",   "commit", "end",   "rollback", "abort",
                                                   "savepoint", "release", "notify", "fetch", "move",     "show"};
constexpr std::array<string_view, 4> kLeavesTransaction{"commit", "end", "rollback", "abort"};

/// As the server keeps it: NAMEDATALEN - 1 bytes, no character cut.
std::string channel_name(const SqlWord& word) {
  constexpr std::size_t kLongest = 63;
  std::string name = word.kind == Kind::name || word.kind == Kind::quoted ? word.value() : std::string();
  if (name.size() <= kLongest) return name;
  std::size_t size = kLongest;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
  name.resize(size);
  return name;
}

/// What is said by the first word alone. False: the parse tree is needed.
bool read_plain_words(ClientText& text, const Statement& statement) {
  const SqlWord& word = statement.word(0);
  if (word.kind != Kind::name) return false;
  const std::string verb = word.value();
  if (is_among(verb, kLeavesTransaction)) text.leaves_transaction = true;
  if (is_among(verb, kTransaction)) return true;
  if (verb == "set") return read_set(text, statement), true;
  if (verb == "reset") return read_reset(text, statement), true;
  if (verb == "discard") return read_discard(text, statement), true;
  if (verb == "deallocate") return read_deallocate(text, statement), true;
  if (verb == "execute") {
    text.claims |= Claim::prepares;
    take_name(text, TextVerb::execute, statement.word(1));
    return true;
  }
  if (verb == "listen") {
    text.claims |= Claim::listens;
    if (std::string name = channel_name(statement.word(1)); !name.empty()) text.listens.push_back(std::move(name));
    return true;
  }
  if (verb == "unlisten") {
    text.may_end_claims = true;
    text.unlistens.push_back(statement.word(1).is_sign('*') ? std::string() : channel_name(statement.word(1)));
    return true;
  }
  if (verb == "close") return text.may_end_claims = true, true;
  if (verb == "prepare") {
    if (statement.word(1).is("transaction")) return text.leaves_transaction = true, true;
    text.claims |= Claim::prepares;
    take_name(text, TextVerb::prepare, statement.word(1));
    return false;
  }
  if (verb == "declare") {
    if (statement.holds) text.claims |= Claim::cursors;
    return false;
  }
  if (verb == "drop") text.may_end_claims = true;
  if (verb == "create" || verb == "alter" || verb == "drop" || verb == "truncate") text.changes_catalogue = true;
  return false;
}

bool is_advisory(string_view name) noexcept {
  return name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_");
}

Claim claims_of_call(const sql::Name& function, std::span<const std::string> harmless) noexcept {
  const bool ours = function.schema.empty() || function.schema == "pg_catalog";
  if (ours && (function.name == "set_config" || session::is_harmless_built_in(function.name))) return Claim::none;
  if (ours && is_advisory(function.name)) {
    return function.name.starts_with("pg_advisory_unlock") ? Claim::none : Claim::locks;
  }
  if (session::is_declared(function, harmless)) return Claim::none;
  sql::StatementFacts one;
  one.kind = sql::StatementKind::select;
  one.functions = {function};
  return session::residue_of(one, harmless) == session::Residue::lasting ? Claim::lasting : Claim::functions;
}

Claim claims_of_effect(sql::Effect effect, sql::StatementKind kind) noexcept {
  switch (effect) {
    case sql::Effect::temporary_objects: return Claim::temporary;
    case sql::Effect::runs_code: return kind == sql::StatementKind::maintenance ? Claim::lasting : Claim::functions;
    case sql::Effect::anything: return Claim::lasting;
    // Seen in the text.
    case sql::Effect::changes_settings:
    case sql::Effect::listens:
    case sql::Effect::holds_cursor:
    case sql::Effect::prepares:
    case sql::Effect::discards:
    case sql::Effect::controls_transaction:
    case sql::Effect::notifies:
    case sql::Effect::locks_explicitly:
    case sql::Effect::locks_rows:
    case sql::Effect::changes_catalogue:
    case sql::Effect::copies: return Claim::none;
  }
  return Claim::lasting;
}

/// Adds what the parse tree of a statement says.
void read_facts(ClientText& text, string_view sql, std::span<const std::string> harmless) {
  sql::FactsCache& cache = sql::FactsCache::of_process();
  const auto facts = cache.find(sql);
  if (!facts) {
    cache.want(sql);
    text.judged = false;
    return;
  }
  if (facts->kind == sql::StatementKind::unknown) text.claims |= Claim::lasting;
  for (const sql::Effect effect : facts->effects) text.claims |= claims_of_effect(effect, facts->kind);
  for (const sql::Name& function : facts->functions) text.claims |= claims_of_call(function, harmless);
}

void read_mentions(ClientText& text, string_view sql) noexcept {
  text.may_notify = mentions(sql, "notify");
  if (sql.find("pg_") == string_view::npos && sql.find("PG_") == string_view::npos) return;
  text.asks_statements = mentions(sql, "pg_prepared_statements");
  text.asks_process = mentions(sql, "pg_backend_pid");
}

/// currval or lastval may be in it, or pg_settings, which can be updated.
bool mentions_state(string_view sql) noexcept {
  if (std::search(sql.begin(), sql.end(), kSettingsView.begin(), kSettingsView.end(),
                  [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; }) != sql.end()) {
    return true;
  }
  for (std::size_t i = 4; i + 2 < sql.size(); ++i) {
    if ((sql[i] | 0x20) == 'v' && (sql[i + 1] | 0x20) == 'a' && (sql[i + 2] | 0x20) == 'l') {
      const std::string before = base::lowered(sql.substr(i - 4, 4));
      if (before == "curr" || before == "last") return true;
    }
  }
  return false;
}

}  // namespace

string_view claim_text(Claim claims) noexcept {
  constexpr std::array<std::pair<Claim, string_view>, 9> kTexts{{
      {Claim::lasting, "a statement whose effects end with the session only"},
      {Claim::functions, "code in the database that may keep something in its session"},
      {Claim::custom, "a setting that belongs to no part of the server"},
      {Claim::prepares, "PREPARE"},
      {Claim::temporary, "temporary tables"},
      {Claim::locks, "advisory locks of the session"},
      {Claim::cursors, "cursors WITH HOLD"},
      {Claim::listens, "LISTEN"},
      {Claim::sequences, "currval or lastval"},
  }};
  for (const auto& [claim, text] : kTexts) {
    if (any(claims & claim)) return text;
  }
  return {};
}

ClientText read_client_text(string_view sql, Backslash backslash, std::span<const std::string> harmless) {
  ClientText text;
  read_mentions(text, sql);
  if (session::leaves_nothing(sql) && !mentions_state(sql)) {
    text.plain = true;
    return text;
  }
  Splitter splitter(sql, backslash);
  Statement statement;
  std::size_t count = 0;
  while (splitter.next(statement)) {
    if (++count > 1) {
      text.verb = TextVerb::other;
      text.leaves_transaction = false;
    }
    if (!statement.complete) {
      // An error of syntax, or a text that is lexed otherwise than here.
      text.claims |= Claim::lasting;
      break;
    }
    if (statement.sequences) text.claims |= Claim::sequences;
    if (statement.unlocks) text.may_end_claims = true;
    if (statement.executes) text.claims |= Claim::prepares;
    // An UPDATE of that view is set_config().
    if (statement.settings_view && !statement.word(0).is("select") && !statement.word(0).is("show")) {
      text.claims |= Claim::lasting;
    }
    if (statement.computed_set_config) text.claims |= Claim::custom;
    for (std::string& name : statement.set_config) touch(text, std::move(name));
    const TextVerb before = text.verb;
    const bool known = read_plain_words(text, statement) || session::leaves_nothing(statement.text);
    if (!known) {
      if (statement.temporary) text.claims |= Claim::temporary;
      read_facts(text, statement.text, harmless);
    }
    if (count > 1) text.verb = before;
  }
  if (count > 1) text.verb = TextVerb::other;
  // Names in U&"..." are not read here, nor is what a backslash may hide from the parser.
  if (sql.find("U&\"") != string_view::npos || sql.find("u&\"") != string_view::npos) text.claims |= Claim::lasting;
  if (backslash == Backslash::escapes && sql.find('\\') != string_view::npos) text.claims |= Claim::lasting;
  // It changes them when it is executed.
  if (any(text.claims & Claim::prepares) && !text.settings.empty()) text.claims |= Claim::lasting;
  if (!text.judged) text.sql = sql;
  text.plain = text.judged && !any(text.claims) && text.settings.empty() && !text.resets_all &&
               !text.may_end_claims && !text.forgets_statements && !text.changes_catalogue;
  return text;
}

}  // namespace switchyard::inline v0::gateway
