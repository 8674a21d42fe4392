#include <switchyard/schema/owner_claims.hpp>

#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/schema/targets.hpp>
#include <switchyard/scripts/script.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace switchyard::inline v0::schema {
namespace {

using fleet::OwnerClaim;

/// The words of a statement one by one; a name with its dots and quotes is one word.
class Words {
 public:
  explicit Words(std::string_view sql) : rest_(sql) { skip(); }

  /// Takes these words, whatever their case; all or none.
  bool take(std::initializer_list<std::string_view> words) {
    const std::string_view before = rest_;
    for (const std::string_view word : words) {
      const std::string_view next = peek();
      const bool same = std::ranges::equal(
          next, word, [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; });
      if (!same) {
        rest_ = before;
        return false;
      }
      advance(next.size());
    }
    return true;
  }
  std::string_view name() {
    const std::string_view found = peek();
    advance(found.size());
    return found;
  }
  bool comma() {
    if (!rest_.starts_with(',')) return false;
    advance(1);
    return true;
  }

 private:
  [[nodiscard]] std::string_view peek() const {
    std::size_t end = 0;
    bool quoted = false;
    for (; end < rest_.size(); ++end) {
      const char c = rest_[end];
      if (c == '"') quoted = !quoted;
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                          c == '.' || c == '"' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
      if (!quoted && !letter) break;
    }
    return rest_.substr(0, end);
  }
  void advance(std::size_t count) {
    rest_.remove_prefix(count);
    skip();
  }
  void skip() {
    for (;;) {
      while (!rest_.empty() && (rest_.front() == ' ' || (rest_.front() >= '\t' && rest_.front() <= '\r'))) {
        rest_.remove_prefix(1);
      }
      if (rest_.starts_with("--")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        const std::size_t end = rest_.find("*/", 2);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
      } else {
        return;
      }
    }
  }
  std::string_view rest_;
};

bool usable(std::string_view name) { return !name.empty() && name.find('$') == std::string_view::npos; }

std::vector<OwnerClaim>::iterator find_claim(std::vector<OwnerClaim>& claims, std::string_view database,
                                             const sql::Name& name) {
  return std::ranges::find_if(claims,
                              [&](const OwnerClaim& one) { return one.database == database && one.table == name; });
}

void created(Words& words, std::string_view database, std::string where, std::vector<OwnerClaim>& claims) {
  words.take({"OR", "REPLACE"});
  if (words.take({"TEMP"}) || words.take({"TEMPORARY"}) || words.take({"GLOBAL"}) || words.take({"LOCAL"})) return;
  const bool table = words.take({"TABLE"}) || words.take({"UNLOGGED", "TABLE"}) ||
                     words.take({"FOREIGN", "TABLE"}) || words.take({"MATERIALIZED", "VIEW"}) ||
                     words.take({"RECURSIVE", "VIEW"}) || words.take({"VIEW"});
  if (!table) return;
  words.take({"IF", "NOT", "EXISTS"});
  const std::string_view text = words.name();
  if (!usable(text)) return;
  const sql::Name name = fleet::parse_table_name(text);
  if (find_claim(claims, database, name) != claims.end()) return;
  claims.push_back({name, std::string(database), fleet::OwnerSource::migration, std::move(where)});
}

void dropped(Words& words, std::string_view database, std::vector<OwnerClaim>& claims) {
  if (!words.take({"TABLE"}) && !words.take({"FOREIGN", "TABLE"}) && !words.take({"MATERIALIZED", "VIEW"}) &&
      !words.take({"VIEW"})) {
    return;
  }
  words.take({"IF", "EXISTS"});
  do {
    const auto found = find_claim(claims, database, fleet::parse_table_name(words.name()));
    if (found != claims.end()) claims.erase(found);
  } while (words.comma());
}

void altered(Words& words, std::string_view database, std::vector<OwnerClaim>& claims) {
  if (!words.take({"TABLE"}) && !words.take({"VIEW"}) && !words.take({"MATERIALIZED", "VIEW"})) return;
  words.take({"IF", "EXISTS"});
  words.take({"ONLY"});
  const auto found = find_claim(claims, database, fleet::parse_table_name(words.name()));
  if (found == claims.end()) return;
  if (words.take({"RENAME", "TO"})) {
    if (const std::string_view text = words.name(); usable(text))
      found->table.name = fleet::parse_table_name(text).name;
  } else if (words.take({"SET", "SCHEMA"})) {
    if (const std::string_view text = words.name(); usable(text)) {
      found->table.schema = fleet::parse_table_name(text).name;
    }
  }
}

}  // namespace

void add_owner_claims(std::string_view database, std::string_view path, std::string_view script,
                      std::vector<OwnerClaim>& claims) {
  const auto statements = scripts::split_script(script);
  if (!statements.ok()) return;  // migrate says what is wrong with it
  for (const scripts::ScriptStatement& statement : *statements) {
    Words words(statement.sql);
    if (words.take({"CREATE"})) {
      created(words, database, std::string(path) + ":" + std::to_string(statement.line), claims);
    } else if (words.take({"DROP"})) {
      dropped(words, database, claims);
    } else if (words.take({"ALTER"})) {
      altered(words, database, claims);
    }
  }
}

Result<std::vector<OwnerClaim>> owner_claims(const FleetConfig& config) {
  auto targets = find_targets(config);
  if (!targets.ok()) return targets.error();
  std::vector<OwnerClaim> all;
  for (const MigrationTarget& target : *targets) {
    std::vector<OwnerClaim> claims;
    const auto read = [&](const Migration& file) {
      add_owner_claims(target.database, file.path, file.text, claims);
    };
    if (!target.baseline_file.empty()) {
      std::ifstream file(target.baseline_file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      add_owner_claims(target.database, target.baseline_file, text, claims);
    }
    for (const Migration& file : target.set.baselines) read(file);
    for (const Migration& file : target.set.versioned) read(file);
    for (const Migration& file : target.set.repeatable) read(file);
    std::ranges::move(claims, std::back_inserter(all));
  }
  return all;
}

void use_owner_claims() noexcept { fleet::set_owner_claim_source(&owner_claims); }

namespace {
/// Whoever links this file need not ask for it.
[[maybe_unused]] const bool g_used = (use_owner_claims(), true);
}  // namespace

}  // namespace switchyard::inline v0::schema
