#include <switchyard/sql/facts_text.hpp>

#include <algorithm>
#include <vector>

namespace switchyard::inline v0::sql {

namespace {

bool is_plain_identifier(std::string_view name) noexcept {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  });
}

bool is_operator(std::string_view name) noexcept {
  return !name.empty() && name.find_first_not_of("+-*/<>=~!@#%^&|`?") == std::string_view::npos;
}

std::string quoted(std::string_view name) {
  if (is_plain_identifier(name) || is_operator(name)) return std::string(name);
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string in_words(const Name& name) { return to_string(name); }
std::string in_words(const std::string& name) { return quoted(name); }
std::string in_words(Effect effect) { return std::string(to_string(effect)); }

template <class T>
void add_list(std::string& out, std::string_view title, const std::vector<T>& list) {
  if (list.empty()) return;
  out += title;
  const char* separator = ": ";
  for (const T& element : list) {
    out += separator + in_words(element);
    separator = ", ";
  }
  out += '\n';
}

}  // namespace

std::string_view to_string(StatementKind kind) noexcept {
  switch (kind) {
    using enum StatementKind;
    case select: return "select";
    case insert: return "insert";
    case update: return "update";
    case delete_from: return "delete";
    case merge: return "merge";
    case copy: return "copy";
    case explain: return "explain";
    case show: return "show";
    case set: return "set";
    case transaction: return "transaction";
    case cursor: return "cursor";
    case prepared: return "prepared";
    case notification: return "notification";
    case discard: return "discard";
    case lock: return "lock";
    case call: return "call";
    case ddl: return "ddl";
    case maintenance: return "maintenance";
    case empty: return "empty";
    case several: return "several";
    case unknown: break;
  }
  return "unknown";
}

std::string_view to_string(Effect effect) noexcept {
  switch (effect) {
    using enum Effect;
    case changes_settings: return "changes_settings";
    case temporary_objects: return "temporary_objects";
    case listens: return "listens";
    case notifies: return "notifies";
    case holds_cursor: return "holds_cursor";
    case prepares: return "prepares";
    case discards: return "discards";
    case controls_transaction: return "controls_transaction";
    case locks_explicitly: return "locks_explicitly";
    case locks_rows: return "locks_rows";
    case runs_code: return "runs_code";
    case changes_catalogue: return "changes_catalogue";
    case copies: return "copies";
    case anything: break;
  }
  return "anything";
}

std::string to_string(const Name& name) {
  return name.schema.empty() ? quoted(name.name) : quoted(name.schema) + "." + quoted(name.name);
}

std::string text_of(const StatementFacts& facts) {
  std::string out = std::string(to_string(facts.kind)) + (facts.writes ? ", writes\n" : ", reads\n");
  if (facts.inner_kind != facts.kind) out += "inside: " + std::string(to_string(facts.inner_kind)) + "\n";
  if (!facts.why_unknown.empty()) out += "because: " + facts.why_unknown + "\n";
  add_list(out, "relations", facts.relations);
  add_list(out, "functions", facts.functions);
  add_list(out, "operators", facts.operators);
  add_list(out, "types", facts.types);
  add_list(out, "fields", facts.fields);
  add_list(out, "value functions", facts.value_functions);
  add_list(out, "effects", facts.effects);
  add_list(out, "constructs", facts.constructs);
  if (facts.has_clock_constant) out += "clock constant\n";
  if (!facts.only_ascii) out += "beyond ASCII\n";
  return out;
}

}  // namespace switchyard::inline v0::sql
