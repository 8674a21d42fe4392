#include <switchyard/config/explain.hpp>

#include <switchyard/config/key_table.hpp>
#include <switchyard/config/settings.hpp>
#include <switchyard/config/typed_value.hpp>

#include <algorithm>

namespace switchyard::inline v0 {
namespace {

class Rows {
 public:
  explicit Rows(std::vector<ExplainRow>& rows) : rows_(rows) {}

  template <class T>
  void operator()(const std::string& path, const Setting<T>& setting) {
    const config::KeySpec* spec = config::find_key(path);
    if (spec == nullptr) return;
    // What is empty and was never said says nothing.
    if (!setting.is_set() && is_empty(setting.value, *spec)) return;
    ExplainRow row;
    row.key = path;
    row.value = config::show(setting.value, *spec, path);
    row.origin = setting.origin.to_string();
    row.is_default = !setting.is_set();
    row.shadowed = setting.origin.shadowed;
    if (spec->effect == config::Effect::stored && setting.is_set()) row.note = "has no effect in this version";
    rows_.push_back(std::move(row));
  }

 private:
  template <class T>
  static bool is_empty(const T& value, const config::KeySpec& spec) {
    if constexpr (requires { value.empty(); }) return value.empty();
    // A port that nobody gave is the connection string's business.
    if constexpr (std::is_integral_v<T>) return spec.path.ends_with(".port");
    return false;
  }
  std::vector<ExplainRow>& rows_;
};

ExplainRow place_row(const std::string& key, const EndpointConfig& endpoint, std::string note) {
  ExplainRow row;
  row.key = key;
  row.value = endpoint.display();
  row.origin = "result";
  row.is_default = false;
  row.note = std::move(note);
  return row;
}

std::string note_of(const DatabaseConfig& database) {
  if (database.configured()) return {};
  if (database.has_stand_in()) return "not configured: " + *database.when_unconfigured + " takes over";
  return database.missing_dsn_message;
}

}  // namespace

Explanation explain(const FleetConfig& fleet) {
  Explanation out;
  Rows rows(out.rows);
  config::visit_fleet(fleet, rows);
  for (const ServerConfig& server : fleet.servers) {
    config::visit_endpoint("server." + server.name + ".", server.endpoint, rows);
    config::visit_admin("server." + server.name + ".", server.endpoint, rows);
  }
  for (const DatabaseConfig& database : fleet.databases) {
    const std::string prefix = "database." + database.name;
    ExplainRow summary = place_row(prefix, database.primary, note_of(database));
    summary.origin = "profile " + std::string(to_string(database.profile));
    out.rows.push_back(std::move(summary));
    if (database.write.is_configured) {
      out.rows.push_back(place_row(prefix + " (writes)", database.write, "transactions and execute()"));
    }
    config::visit_database(prefix + ".", database, rows);
    for (const ReplicaConfig& replica : database.replicas) {
      const std::string name = prefix + ".replica." + replica.name;
      out.rows.push_back(place_row(name, replica.endpoint, ""));
      config::visit_replica(name + ".", replica, rows);
    }
  }
  out.sizing = sizing(fleet);
  out.undeclared_variables = fleet.undeclared_variables;
  out.warnings = fleet.warnings;
  out.unused_keys = fleet.unused_keys;
  return out;
}

std::string to_text(const Explanation& explanation, bool all) {
  std::size_t key_width = 0, value_width = 0;
  constexpr std::size_t kWidestValue = 60;
  std::vector<const ExplainRow*> rows;
  for (const ExplainRow& row : explanation.rows) {
    if (!all && row.is_default) continue;
    rows.push_back(&row);
    key_width = std::max(key_width, row.key.size());
    if (row.value.size() <= kWidestValue) value_width = std::max(value_width, row.value.size());
  }
  std::string out;
  const auto padded = [&](const std::string& text, std::size_t width) {
    out += text;
    out.append(width > text.size() ? width - text.size() : 0, ' ');
    out += "  ";
  };
  for (const ExplainRow* row : rows) {
    padded(row->key, key_width);
    padded(row->value, value_width);
    out += row->origin;
    if (!row->note.empty()) out += "  # " + row->note;
    out += '\n';
    for (const Shadowed& shadow : row->shadowed) {
      out.append(key_width + 2, ' ');
      out += "hides " + shadow.value + "  " + shadow.place + '\n';
    }
  }
  out += "\nConnections: " + explanation.sizing.formula + '\n';
  for (const ServerSizing& server : explanation.sizing.servers) {
    out += "  " + server.location + (server.replica ? " (replicas): " : ": ");
    for (std::size_t i = 0; i < server.databases.size(); ++i) out += (i > 0 ? " + " : "") + server.databases[i];
    out += " = " + std::to_string(server.per_worker) + " a worker, " + std::to_string(server.total) +
           " in all; max_connections >= " + std::to_string(server.recommended_max_connections) + '\n';
  }
  const auto section = [&](std::string_view title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    out += '\n' + std::string(title) + '\n';
    for (const std::string& line : lines) out += "  " + line + '\n';
  };
  section("Variables of databases that nobody declared (never opened):", explanation.undeclared_variables);
  section("Warnings:", explanation.warnings);
  section("Keys without effect in this version:", explanation.unused_keys);
  return out;
}

namespace {

std::string quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4];
          out += kHex[static_cast<unsigned char>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

template <class Range, class Write>
std::string list(const Range& range, Write write) {
  std::string out = "[";
  for (const auto& item : range) out += (out.size() > 1 ? "," : "") + write(item);
  return out + "]";
}

std::string texts(const std::vector<std::string>& range) {
  return list(range, [](const std::string& text) { return quoted(text); });
}

}  // namespace

std::string to_json(const Explanation& explanation) {
  const auto row = [](const ExplainRow& r) {
    return "{\"key\":" + quoted(r.key) + ",\"value\":" + quoted(r.value) + ",\"origin\":" + quoted(r.origin) +
           ",\"default\":" + (r.is_default ? "true" : "false") + ",\"shadowed\":" +
           list(r.shadowed,
                [](const Shadowed& s) {
                  return "{\"value\":" + quoted(s.value) + ",\"origin\":" + quoted(s.place) + "}";
                }) +
           ",\"note\":" + quoted(r.note) + "}";
  };
  const auto server = [](const ServerSizing& s) {
    return "{\"location\":" + quoted(s.location) + ",\"replica\":" + (s.replica ? "true" : "false") +
           ",\"databases\":" + texts(s.databases) + ",\"perWorker\":" + std::to_string(s.per_worker) +
           ",\"total\":" + std::to_string(s.total) +
           ",\"recommendedMaxConnections\":" + std::to_string(s.recommended_max_connections) + "}";
  };
  const Sizing& sizes = explanation.sizing;
  return "{\"settings\":" + list(explanation.rows, row) + ",\"sizing\":{\"formula\":" + quoted(sizes.formula) +
         ",\"connections\":" + std::to_string(sizes.primaries) +
         ",\"recommendedMaxConnections\":" + std::to_string(sizes.recommended_max_connections) +
         ",\"servers\":" + list(sizes.servers, server) +
         "},\"undeclaredVariables\":" + texts(explanation.undeclared_variables) +
         ",\"warnings\":" + texts(explanation.warnings) + ",\"unusedKeys\":" + texts(explanation.unused_keys) + "}";
}

}  // namespace switchyard::inline v0
