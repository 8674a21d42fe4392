#include <switchyard/base/ascii.hpp>
#include <switchyard/fleet/owner_map.hpp>
#include <switchyard/sql/facts_text.hpp>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::string_view kPublic = "public";

/// Where a name without a schema is looked for first: the head of a search_path.
std::string first_schema(std::string_view search_path) {
  std::string_view head = search_path.substr(0, search_path.find(','));
  while (head.starts_with(' ')) head.remove_prefix(1);
  while (head.ends_with(' ')) head.remove_suffix(1);
  const bool quoted = head.size() > 1 && head.starts_with('"') && head.ends_with('"');
  return std::string(quoted ? head.substr(1, head.size() - 2) : head);
}

std::string plain_schema(std::string schema) { return schema == kPublic ? std::string() : schema; }

bool is_servers(const sql::Name& name) {
  const std::string& schema = name.schema;
  if (schema == "switchyard" || schema == "information_schema" || schema.starts_with("pg_")) return true;
  return schema.empty() && (name.name.starts_with("pg_") || name.name.starts_with("flyway_schema_history"));
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    out += (i == 0 ? "'" : i + 1 == names.size() ? " and '" : ", '") + names[i] + "'";
  }
  return out;
}

void add_owner(std::vector<std::string>& owners, const std::string& database) {
  if (std::ranges::find(owners, database) == owners.end()) owners.push_back(database);
}

/// Who of those that claim it has it, and what does not fit.
void settle(OwnerMap::Entry& entry) {
  std::ranges::sort(entry.claims, {},
                    [](const OwnerClaim& claim) { return std::tie(claim.source, claim.database); });
  const bool in_file = entry.claims.front().source == OwnerSource::fleet_file;
  for (const OwnerClaim& claim : entry.claims) {
    const bool counts = !in_file || claim.source == OwnerSource::fleet_file;
    if (counts) add_owner(entry.owners, claim.database);
  }
  if (!in_file) return;
  if (entry.owners.size() > 1) {
    entry.contradiction = "the fleet file gives it to " + listed(entry.owners) + ": leave it with one of them";
    return;
  }
  for (const OwnerClaim& claim : entry.claims) {
    if (claim.database != entry.owners.front()) {
      entry.contradiction = claim.where + " makes it for '" + claim.database + "', the fleet file gives it to '" +
                            entry.owners.front() + "': make it in migrations/" + entry.owners.front();
      return;
    }
  }
}

}  // namespace

std::string_view to_string(OwnerSource source) noexcept {
  switch (source) {
    case OwnerSource::fleet_file: return "fleet file";
    case OwnerSource::migration: return "migration";
    case OwnerSource::schema: return "schema";
  }
  return "";
}

sql::Name parse_table_name(std::string_view text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const bool doubled = quoted && i + 1 < text.size() && text[i + 1] == '"';
      if (doubled) {
        parts.back() += c;
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (!quoted && c == '.') {
      parts.emplace_back();
    } else if (quoted) {
      parts.back() += c;
    } else if (c != ' ' && c != '\t') {
      parts.back() += base::lowered(std::string_view(&c, 1));
    }
  }
  sql::Name name;
  name.name = parts.back();
  if (parts.size() > 1) name.schema = parts[parts.size() - 2];
  return name;
}

OwnerMap::OwnerMap(const FleetConfig& config, std::vector<OwnerClaim> claims) {
  for (const DatabaseConfig& database : config.databases) {
    const std::string schema = plain_schema(first_schema(*database.schema));
    schema_of_[database.name] = schema;
    if (!schema.empty()) {
      Entry& entry = schemas_[schema];
      entry.table.schema = schema;
      entry.claims.push_back(
          {{schema, ""}, database.name, OwnerSource::schema, database.schema.origin.to_string()});
      add_owner(entry.owners, database.name);
    }
    for (const std::string& table : *database.tables) {
      claims.push_back(
          {parse_table_name(table), database.name, OwnerSource::fleet_file, database.tables.origin.to_string()});
    }
  }
  std::map<sql::Name, Entry> entries;
  for (OwnerClaim& claim : claims) {
    sql::Name name = claim.table;
    name.schema = name.schema.empty() ? own_schema(claim.database) : plain_schema(name.schema);
    if (is_servers(name) || name.name.empty()) continue;
    Entry& entry = entries[name];
    entry.table = name;
    entry.claims.push_back(std::move(claim));
  }
  for (auto& [name, entry] : entries) {
    settle(entry);
    by_name_[name.name].push_back(entries_.size());
    known_schemas_.insert(name.schema);
    entries_.push_back(std::move(entry));
  }
}

std::string OwnerMap::own_schema(std::string_view database) const {
  const auto found = schema_of_.find(database);
  return found == schema_of_.end() ? std::string() : found->second;
}

const OwnerMap::Entry* OwnerMap::find(std::string_view database, const sql::Name& name) const {
  if (is_servers(name)) return nullptr;
  const auto candidates = by_name_.find(name.name);
  const auto in_schema = [&](const std::string& schema) -> const Entry* {
    if (candidates == by_name_.end()) return nullptr;
    for (const std::size_t index : candidates->second) {
      if (entries_[index].table.schema == schema) return &entries_[index];
    }
    return nullptr;
  };
  if (!name.schema.empty()) {
    const std::string schema = plain_schema(name.schema);
    if (const Entry* entry = in_schema(schema)) return entry;
    const auto owned = schemas_.find(schema);
    return owned == schemas_.end() ? nullptr : &owned->second;
  }
  // As search_path finds it; then what another database calls so.
  const std::string own = own_schema(database);
  if (const Entry* entry = in_schema(own)) return entry;
  // Nothing is known of what is in its schema: the name may well be there.
  if (!own.empty() && !known_schemas_.contains(own)) return nullptr;
  if (const Entry* entry = in_schema({})) return entry;
  if (candidates == by_name_.end()) return nullptr;
  return candidates->second.size() == 1 ? &entries_[candidates->second.front()] : nullptr;
}

OwnerMap::Verdict OwnerMap::judge(std::string_view database, const sql::StatementFacts& facts) const {
  Verdict verdict;
  std::set<std::string> right;
  std::string where;
  for (const sql::Name& name : facts.relations) {
    const Entry* entry = find(database, name);
    if (entry == nullptr) continue;
    const bool own = std::ranges::find(entry->owners, database) != entry->owners.end();
    if (own) {
      verdict.note +=
          (verdict.note.empty() ? "" : ", ") + sql::to_string(name) + " belongs to " + std::string(database);
      continue;
    }
    verdict.problem += (verdict.problem.empty() ? "" : ", ") + ("'" + sql::to_string(name)) + "' belongs to " +
                       listed(entry->owners);
    right.insert(entry->owners.front());
    if (where.empty()) where = entry->claims.front().where;
  }
  if (verdict.ok()) return verdict;
  const bool mixed = !verdict.note.empty() || right.size() > 1;
  verdict.problem += ", not to '" + std::string(database) + "'";
  verdict.hint = mixed ? "ask each database for its own tables, and join in the application; "
                       : "send the statement to '" + *right.begin() + "'; ";
  verdict.hint += "says " + where + " (switchyard owners; fleet.owner_check decides what happens)";
  verdict.note.clear();
  return verdict;
}

bool writes_data(const sql::StatementFacts& facts) noexcept {
  if (!facts.writes) return false;
  using enum sql::StatementKind;
  switch (facts.inner_kind) {
    case insert:
    case update:
    case delete_from:
    case merge:
    case copy:
    case ddl:
    case several: break;
    case select:
      // FOR UPDATE locks, and changes nothing that would have to be undone elsewhere.
      if (std::ranges::find(facts.effects, sql::Effect::locks_rows) != facts.effects.end()) return false;
      break;
    case explain:
    case show:
    case set:
    case transaction:
    case cursor:
    case prepared:
    case notification:
    case discard:
    case lock:
    case call:
    case maintenance:
    case empty:
    case unknown: return false;
  }
  if (facts.relations.empty()) return false;
  return !std::ranges::all_of(facts.relations, [](const sql::Name& name) { return name.schema == "switchyard"; });
}

}  // namespace switchyard::inline v0::fleet
