#include <switchyard/schema/targets.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/schema/migration_folder.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilesystem = "filesystem:";
constexpr std::string_view kClasspath = "classpath:";
constexpr std::string_view kDefaultShared = "database/pg/migrations";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

fs::path root_of(const FleetConfig& fleet, const std::string& given) {
  if (!given.empty()) return given;
  const fs::path beside = fs::path(fleet.file).parent_path();
  return beside.empty() ? fs::path(".") : beside;
}

/// The folder beside the fleet file that has its name: examples/wellwon for examples/wellwon.toml.
std::optional<fs::path> named_folder(const FleetConfig& fleet) {
  if (fleet.file.empty()) return std::nullopt;
  fs::path folder(fleet.file);
  folder.replace_extension();
  return folder;
}

std::vector<fs::path> roots(const FleetConfig& fleet, const std::string& given) {
  std::vector<fs::path> all{root_of(fleet, given)};
  if (auto named = named_folder(fleet)) all.push_back(*named);
  return all;
}

/// Where a service keeps what is on its class path.
std::vector<fs::path> candidates(const FleetConfig& fleet, const DatabaseConfig& database,
                                 std::string_view location, const std::string& given) {
  std::vector<fs::path> found;
  const bool classpath = location.starts_with(kClasspath);
  if (location.starts_with(kFilesystem)) location.remove_prefix(kFilesystem.size());
  if (classpath) location.remove_prefix(kClasspath.size());
  while (classpath && location.starts_with('/')) location.remove_prefix(1);
  for (const fs::path& root : roots(fleet, given)) {
    if (!classpath) {
      found.push_back(root / location);
      continue;
    }
    const fs::path resources = fs::path("src/main/resources") / location;
    found.push_back(root / "services" / database.name / resources);
    found.push_back(root / database.name / resources);
    found.push_back(root / resources);
    found.push_back(root / location);
  }
  return found;
}

Error missing_folder(const DatabaseConfig& database, const std::string& location,
                     const std::vector<fs::path>& looked) {
  std::string places;
  for (const fs::path& path : looked) places += (places.empty() ? "" : ", ") + path.lexically_normal().string();
  return Error(ErrorKind::Config, "the folder of migrations '" + location + "' is not there")
      .with_hint("looked for " + places)
      .with_database(database.name);
}

/// A file of a shared folder belongs to the database that its head names.
Result<const DatabaseConfig*> target_of(const FleetConfig& fleet, const Migration& file) {
  const std::string& target = file.header.target;
  if (target.empty()) {
    return Error(ErrorKind::Config, file.path + " does not say which database it is for")
        .with_hint("begin it with a line: -- Target: " +
                   (fleet.databases.empty() ? std::string("main") : fleet.databases.front().name));
  }
  if (const DatabaseConfig* database = fleet.find(target)) return database;
  const DatabaseConfig* found = nullptr;
  std::vector<std::string_view> names;
  for (const DatabaseConfig& database : fleet.databases) {
    names.emplace_back(database.name);
    if (!database.configured()) continue;
    const std::string& dbname = database.primary.connection.dbname;
    names.emplace_back(dbname);
    if (dbname != target) continue;
    if (found != nullptr) {
      return Error(ErrorKind::Config, file.path + ": '" + target + "' is the physical name of " + found->name +
                                          " and of " + database.name)
          .with_hint("name one of them: -- Target: " + found->name);
    }
    found = &database;
  }
  if (found != nullptr) return found;
  // "wellwon_reference" for a database that is not configured yet.
  for (const DatabaseConfig& database : fleet.databases) {
    if (target == fleet.application.value + "_" + database.name) return &database;
  }
  return Error(ErrorKind::Config, file.path + ": there is no database '" + target + "'")
      .with_hint(did_you_mean(target, names));
}

Result<std::map<std::string, std::vector<Migration>>> read_shared(const FleetConfig& fleet,
                                                                  const std::string& given,
                                                                  std::vector<std::string>& ignored,
                                                                  std::map<std::string, std::string>& folders) {
  std::vector<fs::path> places;
  for (const std::string& location : *fleet.migrations) {
    std::optional<fs::path> there;
    for (const fs::path& root : roots(fleet, given)) {
      if (!there && is_folder(root / location)) there = root / location;
    }
    if (!there) {
      return Error(ErrorKind::Config, "the folder of migrations '" + location + "' is not there")
          .with_hint("fleet.migrations is relative to the fleet file");
    }
    places.push_back(*there);
  }
  if (fleet.migrations->empty()) {
    for (const fs::path& root : roots(fleet, given)) {
      if (is_folder(root / kDefaultShared)) places.push_back(root / kDefaultShared);
    }
  }
  std::map<std::string, std::vector<Migration>> by_database;
  for (const fs::path& place : places) {
    auto files = read_folder(place.string(), ignored);
    if (!files.ok()) return files.error();
    for (Migration& file : *files) {
      auto database = target_of(fleet, file);
      if (!database.ok()) return database.error();
      folders[(*database)->name] = place.string();
      by_database[(*database)->name].push_back(std::move(file));
    }
  }
  return by_database;
}

/// The table's name tells databases apart that share one place.
std::string table_of(const DatabaseConfig& database, const std::string& runs_on) {
  return runs_on == database.name ? "flyway_schema_history" : "flyway_schema_history_" + database.name;
}

/// Whom `after` names is there, and nobody waits for himself.
Result<void> check_order(const FleetConfig& fleet, const std::vector<MigrationTarget>& targets) {
  const auto find = [&](const std::string& name) {
    return std::ranges::find(targets, name, &MigrationTarget::database);
  };
  for (const MigrationTarget& target : targets) {
    std::vector<std::string> waiting{target.database};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      const auto at = find(waiting[i]);
      if (at == targets.end()) continue;
      for (const std::string& before : at->after) {
        if (auto known = fleet.resolve(before); !known.ok()) {
          return known.error().with_context("database." + at->database + ".migrations.after");
        }
        if (before == target.database) {
          return Error(ErrorKind::Config, "the migrations of " + target.database +
                                              " would wait for themselves, by way of " + at->database)
              .with_hint("take one name out of migrations.after");
        }
        if (std::ranges::find(waiting, before) == waiting.end()) waiting.push_back(before);
      }
    }
  }
  return {};
}

}  // namespace

std::string folder_for_new(const FleetConfig& fleet, const DatabaseConfig& database) {
  if (!database.migrations.locations->empty()) {
    const auto looked = candidates(fleet, database, database.migrations.locations->front(), {});
    for (const fs::path& path : looked) {
      if (is_folder(path)) return path.lexically_normal().string();
    }
    return looked.front().lexically_normal().string();
  }
  for (const fs::path& root : roots(fleet, {})) {
    if (is_folder(root / "migrations" / database.name)) {
      return (root / "migrations" / database.name).lexically_normal().string();
    }
  }
  return (root_of(fleet, {}) / "migrations" / database.name).lexically_normal().string();
}

Result<std::vector<MigrationTarget>> find_targets(const FleetConfig& fleet, std::string root) {
  std::vector<std::string> ignored_shared;
  std::map<std::string, std::string> shared_folders;
  auto shared = read_shared(fleet, root, ignored_shared, shared_folders);
  if (!shared.ok()) return shared.error();
  std::vector<MigrationTarget> targets;
  for (const DatabaseConfig& database : fleet.databases) {
    MigrationTarget target;
    target.database = database.name;
    target.runs_on =
        database.configured() || !database.has_stand_in() ? database.name : *database.when_unconfigured;
    target.schema =
        database.migrations.history_schema->empty() ? *database.schema : *database.migrations.history_schema;
    target.table = table_of(database, target.runs_on);
    for (const auto& [name, value] : database.migrations.placeholders) target.placeholders[name] = *value;
    target.marks = {*database.migrations.placeholder_prefix, *database.migrations.placeholder_suffix};
    if (target.marks.prefix.empty() || target.marks.suffix.empty()) {
      return Error(ErrorKind::Config, "migrations.placeholder_prefix and placeholder_suffix can't be empty")
          .with_hint("leave them out for ${ and }")
          .with_database(database.name);
    }
    target.after = *database.migrations.after;
    if (*fleet.roles == RoleFamily::family) target.owner = database.name + "_owner";
    std::vector<Migration> files;
    std::vector<std::string> ignored;
    for (const std::string& location : *database.migrations.locations) {
      const auto looked = candidates(fleet, database, location, root);
      const auto there = std::ranges::find_if(looked, is_folder);
      if (there == looked.end()) return missing_folder(database, location, looked);
      target.folders.push_back(there->lexically_normal().string());
    }
    if (database.migrations.locations->empty()) {
      for (const fs::path& one : roots(fleet, root)) {
        const fs::path folder = one / "migrations" / database.name;
        if (is_folder(folder)) target.folders.push_back(folder.lexically_normal().string());
      }
    }
    for (const std::string& folder : target.folders) {
      auto found = read_folder(folder, ignored, *database.migrations.encoding);
      if (!found.ok()) return found.error().with_database(database.name);
      std::ranges::move(*found, std::back_inserter(files));
    }
    if (auto at = shared->find(database.name); at != shared->end()) {
      std::ranges::move(at->second, std::back_inserter(files));
      target.folders.push_back(shared_folders[database.name]);
    }
    const std::string& baseline = *database.migrations.baseline;
    if (!baseline.empty()) {
      for (const fs::path& one : roots(fleet, root)) {
        std::error_code error;
        if (target.baseline_file.empty() && fs::is_regular_file(one / baseline, error)) {
          target.baseline_file = (one / baseline).lexically_normal().string();
        }
      }
      if (target.baseline_file.empty()) {
        return Error(ErrorKind::Config, "migrations.baseline: there is no file " + baseline)
            .with_database(database.name);
      }
    }
    if (files.empty() && target.folders.empty() && target.baseline_file.empty()) continue;
    auto set = arrange(std::move(files), std::move(ignored));
    if (!set.ok()) return set.error().with_database(database.name);
    target.set = std::move(*set);
    targets.push_back(std::move(target));
  }
  SY_TRY(check_order(fleet, targets));
  if (!targets.empty()) {
    auto& first = targets.front().set.ignored;
    first.insert(first.end(), ignored_shared.begin(), ignored_shared.end());
  }
  return targets;
}

}  // namespace switchyard::inline v0::schema
