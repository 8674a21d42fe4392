#include <switchyard/config/load.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/config/assemble.hpp>
#include <switchyard/config/dotenv.hpp>
#include <switchyard/config/interpolate.hpp>
#include <switchyard/config/messages.hpp>
#include <switchyard/config/problems.hpp>
#include <switchyard/config/profile.hpp>
#include <switchyard/config/raw_value.hpp>
#include <switchyard/config/settings.hpp>
#include <switchyard/config/text_file.hpp>
#include <switchyard/config/toml_source.hpp>
#include <switchyard/config/typed_value.hpp>
#include <switchyard/config/validate.hpp>
#include <switchyard/config/variables.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

namespace switchyard::inline v0 {
namespace config {
namespace {

constexpr std::array<std::string_view, 3> kPurposes{"api", "jobs", "reports"};
constexpr std::string_view kGatewayDatabase = "gateway.database.";
constexpr std::string_view kGatewayUser = "gateway.user.";

/// NAME of "gateway.user.NAME.pool_mode".
std::string name_in(const std::string& path, std::string_view prefix) {
  return path.substr(prefix.size(), path.find('.', prefix.size()) - prefix.size());
}

/// A variable of ours, with its value.
struct FoundVariable {
  std::string name;
  std::string value;
  Layer layer = Layer::environment;
  std::string place;
  Variable meaning;
};

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// May the value of this key be missing because its variable is not set? Then the endpoint is not configured, or
/// the mistake is reported once it is.
bool may_be_absent(const KeySpec& spec) {
  return spec.kind == ValueKind::dsn || spec.kind == ValueKind::secret || spec.kind == ValueKind::option ||
         spec.path.ends_with(".user") || spec.path.ends_with(".host") || spec.path.ends_with(".dbname") ||
         spec.path.ends_with(".write_user") || spec.path.ends_with(".role");
}

/// Fills the settings of one part of the configuration from the layers.
class Filler {
 public:
  Filler(const Layers& layers, Problems& problems) : layers_(layers), problems_(problems) {}

  template <class T>
  void operator()(const std::string& path, Setting<T>& setting) {
    const KeySpec* spec = find_key(path);
    const RawValue* strongest = layers_.effective(path);
    if (spec == nullptr || strongest == nullptr) return;
    T value{};
    if (const auto converted = convert(*strongest, *spec, value); !converted.ok()) {
      problems_.add(label(*strongest) + ": " + path, converted.error());
      return;
    }
    Origin origin{strongest->layer, Profile::generic, strongest->place, {}};
    for (const RawValue& weaker : layers_.at(path)) {
      const bool same_variable = weaker.references.size() == 1 && weaker.references[0] == strongest->variable;
      if (&weaker == strongest || weaker.absent() || same_variable) continue;
      origin.shadowed.push_back({label(weaker), weaker.display(spec->kind, path)});
    }
    const bool differs = show(setting.value, *spec, path) != show(value, *spec, path);
    if (setting.origin.layer == Layer::profile && !is_empty(setting.value) && differs) {
      origin.shadowed.push_back({setting.origin.to_string(), show(setting.value, *spec, path)});
    }
    setting = Setting<T>(std::move(value), std::move(origin));
  }

 private:
  static std::string label(const RawValue& raw) { return Origin{raw.layer, {}, raw.place, {}}.to_string(); }
  template <class T>
  static bool is_empty(const T& value) {
    if constexpr (requires { value.empty(); }) return value.empty();
    return false;
  }
  const Layers& layers_;
  Problems& problems_;
};

class Loader {
 public:
  explicit Loader(const Sources& sources) : sources_(sources), connection_environment_(sources.environment) {}

  Result<FleetConfig> run() {
    read_dotenv();
    collect_variables();
    read_file();
    add_overrides(sources_.command_line, Layer::command_line);
    add_overrides(sources_.code, Layer::code);
    // With databases missing, everything below would complain about that.
    if (unreadable_ || !toml_.complete) return problems_.to_error();
    find_databases();
    add_variables();
    build();
    check_names_in_code();
    warn();
    validate(fleet_, problems_);
    if (!problems_.empty()) return problems_.to_error();
    return std::move(fleet_);
  }

 private:
  // ---- sources ------------------------------------------------------------------------------------------------

  void read_dotenv() {
    if (!sources_.dotenv_path) return;
    auto text = read_text_file(*sources_.dotenv_path);
    if (!text.ok()) {
      problems_.add("", text.error());
      unreadable_ = true;
      return;
    }
    auto entries = parse_dotenv(*text, *sources_.dotenv_path);
    if (!entries.ok()) {
      problems_.add("", entries.error());
      unreadable_ = true;
      return;
    }
    dotenv_ = *std::move(entries);
    for (const DotenvEntry& entry : dotenv_) {
      // libpq's own variables (PGHOST, PGPASSWORD ...) work from .env as well.
      if (entry.name.starts_with("PG") && entry.name.find('_') != 2) {
        connection_environment_.variables.try_emplace(entry.name, entry.value);
      }
    }
  }

  /// A variable that is set and empty counts as not set.
  [[nodiscard]] std::optional<std::string> variable(std::string_view name) const {
    const auto found = sources_.environment.variables.find(name);
    if (found != sources_.environment.variables.end() && !found->second.empty()) return found->second;
    for (const DotenvEntry& entry : dotenv_) {
      if (entry.name == name && !entry.value.empty()) return entry.value;
    }
    return std::nullopt;
  }

  void collect_variables() {
    for (const auto& [name, value] : sources_.environment.variables) {
      collect(name, value, Layer::environment, name);
    }
    for (const DotenvEntry& entry : dotenv_) {
      collect(entry.name, entry.value, Layer::dotenv,
              *sources_.dotenv_path + ":" + std::to_string(entry.line) + " " + entry.name);
    }
  }

  void collect(const std::string& name, const std::string& value, Layer layer, const std::string& place) {
    if (value.empty()) return;
    if (const auto meant = swapped_variable(name)) {
      problems_.add(Origin{layer, {}, place, {}}.to_string(), "no such variable", "did you mean " + *meant + "?");
      return;
    }
    const auto meaning = classify_variable(name);
    if (!meaning) {
      if (resembles_variable(name)) strange_.push_back(name);
      if (name.ends_with("_DATABASE_URL")) fleet_.undeclared_variables.push_back(name);
      return;
    }
    FoundVariable found{name, value, layer, place, *meaning};
    if (meaning->from_file) {
      auto contents = read_text_file(value);
      if (!contents.ok()) {
        problems_.add(Origin{layer, {}, place, {}}.to_string(), contents.error());
        return;
      }
      while (contents->ends_with('\n') || contents->ends_with('\r')) contents->pop_back();
      found.value = *std::move(contents);
    }
    variables_.push_back(std::move(found));
  }

  [[nodiscard]] InterpolationSources interpolation() const {
    InterpolationSources out;
    out.variable = [this](std::string_view name) { return variable(name); };
    out.vault = sources_.vault;
    if (sources_.file) {
      const std::size_t slash = sources_.file->rfind('/');
      if (slash != std::string::npos) out.folder = sources_.file->substr(0, slash);
    }
    return out;
  }

  void read_file() {
    if (!sources_.file && !sources_.file_text) return;
    const std::string name = sources_.file.value_or("fleet.toml");
    std::string text = sources_.file_text.value_or("");
    if (!sources_.file_text) {
      auto contents = read_text_file(name);
      if (!contents.ok()) {
        problems_.add("", contents.error());
        unreadable_ = true;
        return;
      }
      text = *std::move(contents);
    }
    fleet_.file = name;
    toml_ = read_toml(text, name, problems_);
    for (TomlSource::Entry& entry : toml_.entries) add_value(entry.path, std::move(entry.value));
  }

  /// Interpolates and stores a value of the file or an option.
  void add_value(const std::string& path, RawValue value) {
    const KeySpec& spec = *find_key(path);
    const std::string place = Origin{value.layer, {}, value.place, {}}.to_string() + ": " + path;
    const auto expand = [&](std::string& text) {
      auto result = interpolate(text, interpolation());
      if (!result.ok()) {
        problems_.add(place, result.error());
        return;
      }
      text = std::move(result->text);
      value.file = std::move(result->only_file);
      value.interpolated |= result->interpolated;
      value.references.insert(value.references.end(), result->references.begin(), result->references.end());
      value.unset.insert(value.unset.end(), result->unset.begin(), result->unset.end());
    };
    if (value.form == RawValue::Form::text) expand(value.text);
    for (std::string& item : value.list) expand(item);
    if (value.absent() && !may_be_absent(spec)) {
      problems_.add(place, "the variable " + value.unset[0] + " is not set", "set it, or write the value here");
    }
    if (!value.references.empty()) {
      value.place += std::string(value.place.empty() ? "" : " ") + "${" + value.references[0] + "}";
    }
    for (const std::string& name : value.references) referenced_[name].insert(path);
    layers_.add(path, std::move(value));
  }

  void add_overrides(const std::vector<Override>& overrides, Layer layer) {
    for (const Override& given : overrides) {
      const std::string place = std::string(to_string(layer));
      const KeySpec* spec = find_key(given.key);
      const bool option = spec != nullptr && spec->kind == ValueKind::option;
      const std::string last = given.key.substr(given.key.rfind('.') + 1);
      if (spec == nullptr || (option && !contains_word(connection_keywords(), last))) {
        problems_.add(place, "unknown key '" + given.key + "'", suggest_key(given.key));
        continue;
      }
      if (!names_are_valid(given.key, place)) continue;
      RawValue value;
      value.layer = layer;
      value.text = given.value;
      add_value(given.key, std::move(value));
    }
  }

  static bool contains_word(const std::vector<std::string_view>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  }

  static std::string suggest_key(const std::string& key) {
    // Compare with every key under the same names.
    std::vector<std::string> concrete;
    std::vector<std::string_view> parts;
    for (std::string_view rest = key;;) {
      const std::size_t dot = rest.find('.');
      parts.push_back(rest.substr(0, dot));
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    for (const KeySpec& spec : key_specs()) {
      std::string path(spec.path);
      std::size_t at = 0;
      for (std::size_t i = 0; i < parts.size() && at != std::string::npos; ++i) {
        if (path.compare(at, 1, "*") == 0) path.replace(at, 1, parts[i]);
        at = path.find('.', at);
        if (at != std::string::npos) ++at;
      }
      concrete.push_back(std::move(path));
    }
    const std::vector<std::string_view> candidates(concrete.begin(), concrete.end());
    return did_you_mean(key, candidates);
  }

  /// database.NAME and replica.NAME of an option.
  bool names_are_valid(const std::string& key, const std::string& place) {
    const auto part = [&](std::size_t index) {
      std::string_view rest = key;
      for (; index > 0; --index) rest.remove_prefix(rest.find('.') + 1);
      return std::string(rest.substr(0, rest.find('.')));
    };
    const std::string generic = generic_path(key);
    if (generic.starts_with("server.*.") && !contains(toml_.servers, part(1))) {
      const std::vector<std::string_view> known(toml_.servers.begin(), toml_.servers.end());
      problems_.add(place, "unknown server '" + part(1) + "' in '" + key + "'", did_you_mean(part(1), known));
      return false;
    }
    if (!generic.starts_with("database.*.")) return true;
    const std::string database = part(1);
    if (!is_declarable_name(database)) {
      problems_.add(place, "'" + database + "' in '" + key + "' can't be the name of a database");
      return false;
    }
    const std::string rest = generic.substr(std::string_view("database.*.").size());
    if (rest == "dsn" || rest == "host" || rest == "server") named_by_options_.push_back(database);
    option_databases_.emplace_back(database, key, place);
    if (generic.starts_with("database.*.replica.*.")) {
      const std::string replica = part(3);
      if (!is_plain_name(replica) && replica != "readReplica") {
        problems_.add(place, "'" + replica + "' in '" + key + "' can't be the name of a replica");
        return false;
      }
      auto& replicas = toml_.replicas[database];
      if (!contains(replicas, replica)) replicas.push_back(replica);
    }
    return true;
  }

  // ---- which databases there are --------------------------------------------------------------------------------

  [[nodiscard]] bool has_variable(std::string_view database, Variable::Kind kind, Profile profile) const {
    return std::any_of(variables_.begin(), variables_.end(), [&](const FoundVariable& v) {
      return v.meaning.database == database && v.meaning.kind == kind && v.meaning.profile == profile;
    });
  }
  [[nodiscard]] bool has_dsn_variable(std::string_view database) const {
    return has_variable(database, Variable::Kind::dsn, Profile::wellwon) ||
           has_variable(database, Variable::Kind::dsn, Profile::parafort);
  }

  void declare(std::string_view name) {
    if (!contains(names_, name)) names_.emplace_back(name);
  }

  void find_databases() {
    const bool by_file = !toml_.databases.empty();
    for (const std::string& name : toml_.databases) declare(name);
    if (!by_file) declare_from_environment();
    for (const std::string& name : named_by_options_) declare(name);
    // A name that code uses is declared by the program: a variable is enough to configure it.
    for (const std::string& name : sources_.names_in_code) {
      const NameParts parts = parse_database_name(name);
      if (is_declarable_name(parts.database) && has_dsn_variable(parts.database)) declare(parts.database);
    }
    for (const auto& [database, key, place] : option_databases_) {
      if (contains(names_, database)) continue;
      const std::vector<std::string_view> known(names_.begin(), names_.end());
      problems_.add(place, "unknown database '" + database + "' in '" + key + "'", did_you_mean(database, known));
    }
  }

  /// No file declares a database: the environment alone is enough.
  void declare_from_environment() {
    declare("main");
    const auto url = [&](std::string_view name) {
      return has_variable(name, Variable::Kind::dsn, Profile::parafort);
    };
    const bool main_is_wellwon = has_variable("main", Variable::Kind::dsn, Profile::wellwon);
    bool any_url = has_variable("main", Variable::Kind::replica_dsn, Profile::parafort);
    for (std::string_view name : {"main", "analytics", "documents", "compliance"}) any_url = any_url || url(name);
    environment_is_parafort_ = !main_is_wellwon && any_url;
    if (environment_is_parafort_) {
      for (std::string_view name : {"analytics", "documents", "compliance"}) declare(name);
    } else {
      declare("reference");  // optional until used
    }
    for (const FoundVariable& v : variables_) {
      if (v.meaning.kind == Variable::Kind::dsn && v.meaning.profile == Profile::wellwon)
        declare(v.meaning.database);
    }
  }

  // ---- variables ------------------------------------------------------------------------------------------------

  void add_variables() {
    for (Layer layer : {Layer::environment, Layer::dotenv}) {
      for (const std::string& database : names_) {
        for (Variable::Kind kind : {Variable::Kind::dsn, Variable::Kind::pool_min, Variable::Kind::pool_max,
                                    Variable::Kind::acquire_timeout, Variable::Kind::command_timeout}) {
          add_plain_variable(layer, database, kind);
        }
        add_replica_variables(layer, database);
      }
    }
    list_undeclared();
  }

  static std::string path_of(Variable::Kind kind, const std::string& database) {
    const std::string prefix = "database." + database + ".";
    switch (kind) {
      case Variable::Kind::dsn: return prefix + "dsn";
      case Variable::Kind::replica_dsn: break;
      case Variable::Kind::pool_min: return prefix + "pool.min";
      case Variable::Kind::pool_max: return prefix + "pool.max";
      case Variable::Kind::acquire_timeout: return prefix + "pool.acquire_timeout";
      case Variable::Kind::command_timeout: return prefix + "command_timeout";
    }
    return {};
  }

  /// The file gives this variable to something else than `path`.
  [[nodiscard]] bool taken_elsewhere(const std::string& variable, const std::string& path) const {
    const auto found = referenced_.find(variable);
    return found != referenced_.end() && !found->second.contains(path);
  }

  /// The values of one layer for one thing, in order of preference; two different ones are a mistake.
  const FoundVariable* only_value(std::vector<const FoundVariable*> found, const std::string& what) {
    if (found.empty()) return nullptr;
    for (const FoundVariable* other : found) {
      if (other->value == found[0]->value) continue;
      problems_.add(Origin{found[0]->layer, {}, {}, {}}.to_string(),
                    found[0]->place + " and " + other->place + " both set " + what + ", to different values",
                    "keep one of them");
    }
    return found[0];
  }

  void add_plain_variable(Layer layer, const std::string& database, Variable::Kind kind) {
    const std::string path = path_of(kind, database);
    std::vector<const FoundVariable*> found;
    for (const std::string& spelling : spellings(kind, database)) {
      for (const FoundVariable& v : variables_) {
        const bool this_one = v.name == spelling || (v.meaning.from_file && v.name == spelling + "_FILE");
        if (v.layer == layer && this_one && !taken_elsewhere(v.name, path)) found.push_back(&v);
      }
    }
    if (const FoundVariable* v = only_value(std::move(found), path)) layers_.add(path, raw(*v));
  }

  static RawValue raw(const FoundVariable& v) {
    RawValue out;
    const bool seconds =
        v.meaning.kind == Variable::Kind::acquire_timeout || v.meaning.kind == Variable::Kind::command_timeout;
    out.form = seconds ? RawValue::Form::seconds : RawValue::Form::text;
    out.text = v.value;
    out.layer = v.layer;
    out.place = v.place;
    out.variable = v.name;
    return out;
  }

  void add_replica_variables(Layer layer, const std::string& database) {
    std::map<std::string, std::vector<const FoundVariable*>> by_purpose;
    for (const FoundVariable& v : variables_) {
      const bool mine =
          v.layer == layer && v.meaning.kind == Variable::Kind::replica_dsn && v.meaning.database == database;
      if (mine && !referenced_.contains(v.name)) by_purpose[v.meaning.purpose].push_back(&v);
    }
    for (const auto& [purpose, found] : by_purpose) {
      const std::string what =
          "database." + database + ".replica" + (purpose.empty() ? "" : "." + purpose) + ".dsn";
      const FoundVariable* v = only_value(found, what);
      const std::string name = replica_of(database, *v);
      if (name.empty()) continue;
      layers_.add("database." + database + ".replica." + name + ".dsn", raw(*v));
    }
  }

  /// The replica that a variable means: a declared one, or a new one. Empty (and a warning) if none fits.
  std::string replica_of(const std::string& database, const FoundVariable& v) {
    auto& replicas = toml_.replicas[database];
    const std::string& purpose = v.meaning.purpose;
    if (!purpose.empty()) {
      if (contains(replicas, purpose)) return purpose;
      bool known = std::find(kPurposes.begin(), kPurposes.end(), purpose) != kPurposes.end();
      for (const std::string& name : replicas) {
        const std::vector<std::string> purposes = purposes_of(database, name);
        if (purposes == std::vector{purpose}) return name;
        known = known || contains(purposes, purpose);
      }
      if (!known) {
        fleet_.warnings.push_back(v.place + " is ignored: database '" + database + "' has no replica for '" +
                                  purpose + "'; declare one as [[database." + database +
                                  ".replica]], or use API, JOBS or REPORTS");
        return {};
      }
      replicas.push_back(purpose);  // a replica of its own is preferred to one that serves several purposes
      return purpose;
    }
    for (std::string_view name : {"replica", "readReplica"}) {
      if (contains(replicas, name)) return std::string(name);
    }
    if (replicas.size() == 1 && contains(declared_replicas(database), replicas[0])) return replicas[0];
    if (replicas.size() > 1 && declared_replicas(database).size() > 1) {
      fleet_.warnings.push_back(v.place + " is ignored: database '" + database +
                                "' has several replicas; name one by its purpose: POSTGRES_" +
                                variable_part(database) + "_REPLICA_<PURPOSE>_DSN");
      return {};
    }
    const std::string name = v.meaning.profile == Profile::parafort ? "readReplica" : "replica";
    replicas.push_back(name);
    return name;
  }

  /// Replicas of the file (as opposed to those that variables add).
  [[nodiscard]] std::vector<std::string> declared_replicas(const std::string& database) const {
    std::vector<std::string> out;
    const auto found = toml_.replicas.find(database);
    if (found == toml_.replicas.end()) return out;
    for (const std::string& name : found->second) {
      if (toml_.places.contains("database." + database + ".replica." + name)) out.push_back(name);
    }
    return out;
  }

  [[nodiscard]] std::vector<std::string> purposes_of(const std::string& database,
                                                     const std::string& replica) const {
    std::vector<std::string> out;
    const std::string path = "database." + database + ".replica." + replica + ".purpose";
    if (const RawValue* value = layers_.effective(path)) (void)convert(*value, *find_key(path), out);
    return out;
  }

  void list_undeclared() {
    for (const FoundVariable& v : variables_) {
      if (contains(names_, v.meaning.database) || referenced_.contains(v.name)) continue;
      const bool is_place = v.meaning.kind == Variable::Kind::dsn || v.meaning.kind == Variable::Kind::replica_dsn;
      if (is_place) {
        fleet_.undeclared_variables.push_back(v.name);
      } else {
        const std::vector<std::string_view> known(names_.begin(), names_.end());
        const std::string hint = did_you_mean(v.meaning.database, known);
        fleet_.warnings.push_back(v.place + " has no effect: there is no database '" + v.meaning.database + "'" +
                                  (hint.empty() ? "" : "; " + hint));
      }
    }
    auto& list = fleet_.undeclared_variables;
    std::erase_if(list, [&](const std::string& name) { return referenced_.contains(name); });
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }

  // ---- building -------------------------------------------------------------------------------------------------

  void build() {
    Filler fill(layers_, problems_);
    for (const auto& [path, values] : layers_.all()) {
      if (path.starts_with("channels.")) fleet_.channels[path.substr(std::string_view("channels.").size())];
      if (path.starts_with(kGatewayDatabase)) fleet_.gateway.databases[name_in(path, kGatewayDatabase)];
      if (path.starts_with(kGatewayUser)) fleet_.gateway.users[name_in(path, kGatewayUser)];
    }
    if (sources_.detected_workers) {
      fleet_.workers = Setting<std::uint32_t>(std::max(1u, *sources_.detected_workers),
                                              {Layer::profile, Profile::generic, "detected", {}});
    }
    fleet_.cores = sources_.cores.value_or(0);
    visit_fleet(fleet_, fill);
    for (const std::string& name : toml_.servers) {
      ServerConfig server;
      server.name = name;
      add_options("server." + name + ".", server.endpoint);
      visit_endpoint("server." + name + ".", server.endpoint, fill);
      visit_admin("server." + name + ".", server.endpoint, fill);
      server.endpoint.password_file = password_file("server." + name + ".password");
      require_variables("server." + name + ".", server.endpoint);
      fleet_.servers.push_back(std::move(server));
    }
    for (const std::string& name : names_) build_database(name, fill);
    const DatabaseConfig* main = fleet_.find("main");
    if (main != nullptr) fleet_.profile = main->profile;
    for (DatabaseConfig& database : fleet_.databases) {
      assemble_database(fleet_, database, connection_environment_, problems_);
      for (ReplicaConfig& replica : database.replicas) {
        assemble_replica(fleet_, database, replica, connection_environment_, problems_);
      }
    }
  }

  void build_database(const std::string& name, Filler& fill) {
    const std::string prefix = "database." + name + ".";
    DatabaseConfig database;
    database.name = name;
    database.profile = profile_of(name);
    apply_profile(database, fleet_);
    add_options(prefix, database.primary);
    const std::string placeholders = prefix + "migrations.placeholders.";
    for (const auto& [path, values] : layers_.all()) {
      if (path.starts_with(placeholders)) database.migrations.placeholders[path.substr(placeholders.size())];
    }
    visit_database(prefix, database, fill);
    require_variables(prefix, database.primary);
    database.primary.password_file = password_file(prefix + "password");
    database.write.password_file = password_file(prefix + "write_password");
    if (!database.when_down.is_set() && database.confidential.value && database.when_down == WhenDown::spool) {
      database.when_down.value = WhenDown::fail;
    }
    if (database.when_down != WhenDown::fail && !database.fallback.is_set()) {
      database.fallback = Setting<std::string>("main", {Layer::profile, database.profile, {}, {}});
    }
    fit_pool_default(database.pool);
    for (const std::string& replica : toml_.replicas[name]) build_replica(database, replica, fill);
    const bool parafort_main = name == "main" && database.profile == Profile::parafort && environment_is_parafort_;
    if (parafort_main && database.replicas.empty()) build_replica(database, "readReplica", fill);
    name_settings(database.pool, name, "", database.profile);
    database.missing_dsn_message = missing_dsn_message(name, variable_to_set(database));
    fleet_.databases.push_back(std::move(database));
  }

  void build_replica(DatabaseConfig& database, const std::string& name, Filler& fill) {
    const std::string prefix = "database." + database.name + ".replica." + name + ".";
    ReplicaConfig replica;
    replica.name = name;
    apply_profile(replica, database);
    if (std::find(kPurposes.begin(), kPurposes.end(), name) != kPurposes.end()) {
      replica.purposes = Setting<std::vector<std::string>>(std::vector{name},
                                                           {Layer::profile, database.profile, "as its name", {}});
    }
    add_options(prefix, replica.endpoint);
    visit_replica(prefix, replica, fill);
    require_variables(prefix, replica.endpoint);
    replica.endpoint.password_file = password_file(prefix + "password");
    fit_pool_default(replica.pool);
    name_settings(replica.pool, database.name, name, database.profile);
    database.replicas.push_back(std::move(replica));
  }

  /// The file that alone makes the value of this key: "${file:/run/secrets/x}".
  [[nodiscard]] std::string password_file(const std::string& path) const {
    const RawValue* raw = layers_.effective(path);
    return raw == nullptr ? std::string() : raw->file;
  }

  /// A default minimum gives way to a maximum that somebody set.
  static void fit_pool_default(PoolConfig& pool) {
    if (pool.min.is_set() || !pool.max.is_set() || pool.min <= pool.max) return;
    pool.min.value = pool.max.value;
    pool.min.origin.place = "not above pool.max";
  }

  void name_settings(PoolConfig& pool, const std::string& database, const std::string& replica, Profile profile) {
    const std::string key = "database." + database + (replica.empty() ? "" : ".replica." + replica) + ".pool.";
    const auto name = [&](const Origin& origin, std::string_view last, Variable::Kind kind) {
      const RawValue* raw = layers_.effective(key + std::string(last));
      if (raw != nullptr && !raw->variable.empty()) return raw->variable;
      if (origin.layer == Layer::profile && profile == Profile::wellwon && replica.empty()) {
        return spellings(kind, database)[0];
      }
      return key + std::string(last);
    };
    pool.max_setting = name(pool.max.origin, "max", Variable::Kind::pool_max);
    pool.acquire_timeout_setting =
        name(pool.acquire_timeout.origin, "acquire_timeout", Variable::Kind::acquire_timeout);
  }

  void add_options(const std::string& prefix, EndpointConfig& endpoint) {
    const std::string options = prefix + "options.";
    for (const auto& [path, values] : layers_.all()) {
      if (path.starts_with(options)) endpoint.options[path.substr(options.size())];
    }
    std::erase_if(endpoint.options,
                  [&](const auto& option) { return layers_.effective(options + option.first) == nullptr; });
  }

  /// An endpoint that is configured must not miss a user or password because its variable is not set.
  void require_variables(const std::string& prefix, const EndpointConfig& endpoint) {
    if (endpoint.dsn->empty() && endpoint.host->empty()) return;
    for (const auto& [path, values] : layers_.all()) {
      if (!path.starts_with(prefix) || path == prefix + "dsn" || path == prefix + "write_dsn") continue;
      const bool own = path.find('.', prefix.size()) == std::string::npos || path.starts_with(prefix + "options.");
      if (!own || layers_.effective(path) != nullptr) continue;
      const RawValue& value = values.front();
      problems_.add(Origin{value.layer, {}, value.place, {}}.to_string() + ": " + path,
                    "the variable " + value.unset[0] + " is not set", "set it, or remove the key");
    }
  }

  /// The family of defaults follows the spelling by which the database is configured.
  [[nodiscard]] Profile profile_of(const std::string& name) const {
    const auto& values = layers_.at("database." + name + ".dsn");
    const auto* chosen = layers_.effective("database." + name + ".dsn");
    if (chosen == nullptr && !values.empty()) chosen = &values.front();
    if (chosen != nullptr) {
      std::vector<std::string> names = chosen->references;
      if (!chosen->variable.empty()) names.insert(names.begin(), chosen->variable);
      for (const std::string& variable : names) {
        const auto meaning = classify_variable(variable);
        if (meaning && meaning->kind == Variable::Kind::dsn) return meaning->profile;
      }
    }
    const bool pool_variables = std::any_of(variables_.begin(), variables_.end(), [&](const FoundVariable& v) {
      return v.meaning.database == name && v.meaning.kind != Variable::Kind::dsn &&
             v.meaning.kind != Variable::Kind::replica_dsn;
    });
    if (pool_variables && (chosen == nullptr || chosen->variable.empty())) return Profile::wellwon;
    if (chosen != nullptr || !toml_.databases.empty()) return Profile::generic;
    if (environment_is_parafort_ && is_parafort_name(name)) return Profile::parafort;
    return Profile::wellwon;
  }

  /// What a reader must set to configure this database.
  [[nodiscard]] std::string variable_to_set(const DatabaseConfig& database) const {
    for (const std::string& path :
         {"database." + database.name + ".dsn", "server." + database.server.value + ".dsn"}) {
      for (const RawValue& value : layers_.at(path)) {
        if (value.absent()) return value.unset[0];
      }
    }
    const auto all = spellings(Variable::Kind::dsn, database.name);
    for (const std::string& name : all) {
      if (classify_variable(name)->profile == database.profile) return name;
    }
    return all[0];
  }

  // ---- afterwards -----------------------------------------------------------------------------------------------

  void check_names_in_code() {
    for (const std::string& name : sources_.names_in_code) {
      if (const auto resolved = fleet_.resolve(name); !resolved.ok()) {
        const NameParts parts = parse_database_name(name);
        std::string hint(resolved.error().hint());
        if (parts.ok()) {
          const auto variables = spellings(Variable::Kind::dsn, parts.database);
          hint += std::string(hint.empty() ? "" : "; ") + "or declare it: [database." +
                  std::string(parts.database) + "] in the fleet file, or " + variables[0] + " in the environment";
        }
        problems_.add("used in code", resolved.error().message(), hint);
      }
    }
  }

  void warn() {
    std::vector<std::string> known;
    for (const std::string& database : names_) {
      for (Variable::Kind kind :
           {Variable::Kind::dsn, Variable::Kind::replica_dsn, Variable::Kind::pool_min, Variable::Kind::pool_max,
            Variable::Kind::acquire_timeout, Variable::Kind::command_timeout}) {
        for (std::string& name : spellings(kind, database)) known.push_back(std::move(name));
      }
    }
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    for (const std::string& name : strange_) {
      if (referenced_.contains(name)) continue;
      const std::string hint = did_you_mean(name, candidates);
      fleet_.warnings.push_back(name + " is not a variable of Switchyard and has no effect" +
                                (hint.empty() ? "" : "; " + hint));
    }
    for (const auto& [path, values] : layers_.all()) {
      const KeySpec* spec = find_key(path);
      if (spec != nullptr && spec->effect == Effect::stored && layers_.effective(path) != nullptr) {
        fleet_.unused_keys.push_back(path);
      }
    }
  }

  const Sources& sources_;
  Problems problems_;
  Layers layers_;
  FleetConfig fleet_;
  TomlSource toml_;
  std::vector<DotenvEntry> dotenv_;
  std::vector<FoundVariable> variables_;
  std::vector<std::string> strange_;                         // look like ours and are not
  std::map<std::string, std::set<std::string>> referenced_;  // variable -> paths whose value mentions it
  std::vector<std::string> names_;
  std::vector<std::string> named_by_options_;
  std::vector<std::tuple<std::string, std::string, std::string>> option_databases_;
  bool environment_is_parafort_ = false;
  bool unreadable_ = false;
  ConnectionEnvironment connection_environment_;
};

}  // namespace
}  // namespace config

Result<FleetConfig> load_config(const Sources& sources) { return config::Loader(sources).run(); }

Sources process_sources() {
  Sources out;
  out.environment = process_connection_environment();
  out.cores = std::thread::hardware_concurrency();
  if (::access(".env", F_OK) == 0) out.dotenv_path = ".env";
  if (::access("switchyard.toml", F_OK) == 0) out.file = "switchyard.toml";
  return out;
}

}  // namespace switchyard::inline v0
