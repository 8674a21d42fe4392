#define TOML_HEADER_ONLY 0
#define TOML_SHARED_LIB 1
#include <switchyard/config/toml_source.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/config/connection_string.hpp>
#include <switchyard/config/name_rule.hpp>

#include <toml++/toml.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace switchyard::inline v0::config {
namespace {

std::string_view name_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return "a date or time";
    case toml::node_type::none: break;
  }
  return "nothing";
}

std::string_view wanted(ValueKind kind) {
  switch (kind) {
    case ValueKind::text:
    case ValueKind::secret:
    case ValueKind::dsn:
    case ValueKind::choice: return "a text in quotes";
    case ValueKind::flag: return "true or false";
    case ValueKind::count: return "a whole number";
    case ValueKind::real: return "a number";
    case ValueKind::duration: return "a duration in quotes with a unit, such as \"30s\"";
    case ValueKind::size: return "a size in quotes, such as \"256MB\"";
    case ValueKind::list: return "a list of texts";
    case ValueKind::option: return "a text, a whole number, or true or false";
  }
  return "";
}

class Reader {
 public:
  Reader(std::string_view name, Problems& problems) : name_(name), problems_(problems) {}

  TomlSource run(std::string_view text) {
    try {
      const toml::table root = toml::parse(text, name_);
      table(root, "");
    } catch (const toml::parse_error& e) {
      problems_.add(place(e.source()), "not TOML: " + public_part(e.description()), "texts stand in quotes");
      out_.complete = false;
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string place(const toml::source_region& region) const {
    return std::string(name_) + ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column);
  }

  /// The parser quotes what it could not read, which may be a part of a secret; the position is enough.
  static std::string public_part(std::string_view description) {
    std::string out;
    bool inside = false;
    for (char c : description) {
      if (c == '\'') {
        if (!inside) out += "'...'";
        inside = !inside;
      } else if (!inside) {
        out += c;
      }
    }
    return out;
  }

  static std::string joined(std::string_view prefix, std::string_view key) {
    return prefix.empty() ? std::string(key) : std::string(prefix) + "." + std::string(key);
  }

  void table(const toml::table& node, const std::string& prefix) {
    // toml++ keeps tables sorted by name; declaration order is what people expect to see.
    std::vector<std::pair<const toml::key*, const toml::node*>> items;
    for (const auto& [key, value] : node) items.emplace_back(&key, &value);
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
      const auto& x = a.first->source().begin;
      const auto& y = b.first->source().begin;
      return x.line != y.line ? x.line < y.line : x.column < y.column;
    });
    for (const auto& [key, value] : items) item(*key, *value, prefix);
  }

  void item(const toml::key& key, const toml::node& node, const std::string& prefix) {
    const std::string path = joined(prefix, key.str());
    const std::string at = place(key.source());
    if (prefix == "database" || prefix == "server") {
      named_table(key.str(), node, prefix, at);
      return;
    }
    if (prefix.starts_with("database.") && key.str() == "replica" &&
        std::count(prefix.begin(), prefix.end(), '.') == 1) {
      replicas(node, prefix, at);
      return;
    }
    if (prefix == "channels") {
      leaf(*find_key(path), path, node, at);
      return;
    }
    if (prefix.ends_with(".options") && !is_option(key.str())) {
      problems_.add(at, "unknown connection option '" + std::string(key.str()) + "' in " + prefix,
                    did_you_mean(key.str(), connection_keywords()));
      return;
    }
    if (const KeySpec* spec = key.str().find('.') == std::string_view::npos ? find_key(path) : nullptr) {
      leaf(*spec, path, node, at);
    } else if (is_key_prefix(path) && key.str().find('.') == std::string_view::npos) {
      if (const toml::table* inner = node.as_table()) {
        table(*inner, path);
      } else {
        problems_.add(at, path + " is a table, not " + std::string(name_of(node.type())),
                      "write [" + path + "] or " + std::string(key.str()) + " = { ... }");
      }
    } else {
      unknown(key.str(), prefix, at);
    }
  }

  static bool is_option(std::string_view name) {
    const auto& known = connection_keywords();
    return std::find(known.begin(), known.end(), name) != known.end();
  }

  void named_table(std::string_view name, const toml::node& node, const std::string& kind, const std::string& at) {
    if (!is_declarable_name(name)) {
      std::string lower = base::lowered(name);
      for (char& c : lower) {
        if (c == '-' || c == ' ' || c == '.') c = '_';
      }
      std::string hint =
          "a name is a lower-case letter, then lower-case letters, digits and '_', at most 63 in all";
      if (is_declarable_name(lower)) hint += "; did you mean '" + lower + "'?";
      if (parse_database_name(name).read_view || name == "read" || name == "replica") {
        hint = "this is the name of a read view; declare replicas as [[database.NAME.replica]]";
      }
      problems_.add(at, "'" + std::string(name) + "' can't be the name of a " + kind, hint);
      out_.complete = false;
      return;
    }
    const std::string path = kind + "." + std::string(name);
    const toml::table* inner = node.as_table();
    if (inner == nullptr) {
      problems_.add(at, path + " is a table, not " + std::string(name_of(node.type())), "write [" + path + "]");
      return;
    }
    (kind == "database" ? out_.databases : out_.servers).emplace_back(name);
    out_.places[path] = at;
    table(*inner, path);
  }

  void replicas(const toml::node& node, const std::string& prefix, const std::string& at) {
    const std::string usage = "write [[" + prefix + ".replica]]";
    std::vector<const toml::table*> tables;
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& element : *list) {
        if (const toml::table* inner = element.as_table()) {
          tables.push_back(inner);
        } else {
          problems_.add(place(element.source()), prefix + ".replica is a list of tables", usage);
        }
      }
    } else if (const toml::table* one = node.as_table()) {
      tables.push_back(one);
    } else {
      problems_.add(at, prefix + ".replica is a list of tables, not " + std::string(name_of(node.type())), usage);
    }
    const std::string database = prefix.substr(prefix.find('.') + 1);
    for (const toml::table* inner : tables) {
      const std::string where = place(inner->source());
      const std::string name = replica_name(*inner, where);
      auto& names = out_.replicas[database];
      if (name.empty()) continue;
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        problems_.add(where, prefix + " has two replicas named '" + name + "'", "give each its own name");
        continue;
      }
      names.push_back(name);
      const std::string path = prefix + ".replica." + name;
      out_.places[path] = where;
      table(*inner, path);
    }
  }

  std::string replica_name(const toml::table& replica, const std::string& where) {
    std::string name = "replica";
    if (const auto given = replica["name"].value<std::string>()) {
      name = *given;
    } else if (const auto purpose = replica["purpose"].value<std::string>()) {
      name = *purpose;
    }
    if (is_plain_name(name) || name == "readReplica") return name;
    problems_.add(where, "'" + name + "' can't be the name of a replica",
                  "a name is a lower-case letter, then lower-case letters, digits and '_', at most 63 in all");
    return {};
  }

  void leaf(const KeySpec& spec, const std::string& path, const toml::node& node, const std::string& key_at) {
    RawValue value;
    value.layer = Layer::file;
    value.place = node.source().begin.line > 0 ? place(node.source()) : key_at;
    if (convert(spec.kind, node, value)) {
      out_.entries.push_back({path, std::move(value)});
    } else {
      const bool secret =
          spec.kind == ValueKind::secret || spec.kind == ValueKind::dsn || spec.kind == ValueKind::option;
      problems_.add(value.place, path + " must be " + std::string(wanted(spec.kind)) + ", not " +
                                     std::string(name_of(node.type())) +
                                     (secret || value.text.empty() ? "" : " '" + value.text + "'"));
    }
  }

  static bool convert(ValueKind kind, const toml::node& node, RawValue& out) {
    if (const auto* text = node.as_string()) {
      out.text = **text;
      // Also for numbers and flags: "${WORKERS}".
      return kind != ValueKind::flag && kind != ValueKind::count && kind != ValueKind::real
                 ? true
                 : out.text.find("${") != std::string::npos;
    }
    if (const auto* integer = node.as_integer()) {
      out.form = RawValue::Form::integer;
      out.integer = **integer;
      out.text = std::to_string(out.integer);
      out.real = static_cast<double>(out.integer);
      if (kind == ValueKind::duration) return out.integer == 0;
      return kind == ValueKind::count || kind == ValueKind::size || kind == ValueKind::real ||
             kind == ValueKind::option;
    }
    if (const auto* real = node.as_floating_point()) {
      out.form = RawValue::Form::real;
      out.real = **real;
      std::ostringstream text;
      text << **real;
      out.text = text.str();
      return kind == ValueKind::real;
    }
    if (const auto* flag = node.as_boolean()) {
      out.form = RawValue::Form::flag;
      out.flag = **flag;
      out.text = kind == ValueKind::option ? (out.flag ? "1" : "0") : (out.flag ? "true" : "false");
      return kind == ValueKind::flag || kind == ValueKind::option;
    }
    if (const auto* list = node.as_array(); list != nullptr && kind == ValueKind::list) {
      out.form = RawValue::Form::list;
      for (const toml::node& element : *list) {
        const auto* text = element.as_string();
        if (text == nullptr) return false;
        out.list.push_back(**text);
      }
      return true;
    }
    return false;
  }

  void unknown(std::string_view key, const std::string& prefix, const std::string& at) {
    // Siblings first; then keys of the same name elsewhere.
    const std::string generic = prefix.empty() ? "" : generic_path(prefix) + ".";
    std::set<std::string_view> siblings;
    std::set<std::string> elsewhere;
    for (const KeySpec& spec : key_specs()) {
      if (spec.path.starts_with(generic)) {
        siblings.insert(spec.path.substr(generic.size(), spec.path.find('.', generic.size()) - generic.size()));
      }
      if (spec.path.substr(spec.path.rfind('.') + 1) == key) elsewhere.insert(std::string(spec.path));
    }
    siblings.erase("*");
    const std::vector<std::string_view> candidates(siblings.begin(), siblings.end());
    std::string hint = did_you_mean(key, candidates);
    if (is_option(key) && siblings.contains("options")) hint = "did you mean options." + std::string(key) + "?";
    if (hint.empty() && !elsewhere.empty()) {
      std::string shortest = *std::min_element(elsewhere.begin(), elsewhere.end(),
                                               [](const auto& a, const auto& b) { return a.size() < b.size(); });
      for (std::size_t star; (star = shortest.find('*')) != std::string::npos;) shortest.replace(star, 1, "NAME");
      hint = "did you mean " + shortest + "?";
    }
    if (hint.empty()) {
      hint = "known here:";
      for (std::string_view candidate : candidates) hint += " " + std::string(candidate);
    }
    const std::string where = prefix.empty() ? "at the top of the file" : "in [" + prefix + "]";
    problems_.add(at, "unknown key '" + std::string(key) + "' " + where, hint);
  }

  std::string_view name_;
  Problems& problems_;
  TomlSource out_;
};

}  // namespace

TomlSource read_toml(std::string_view text, std::string_view name, Problems& problems) {
  return Reader(name, problems).run(text);
}

}  // namespace switchyard::inline v0::config
