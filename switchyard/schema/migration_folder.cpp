#include <switchyard/schema/migration_folder.hpp>

#include <switchyard/scripts/checksum.hpp>
#include <switchyard/scripts/text_encoding.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (!error && size > kMaxScriptBytes) {
    return Error(ErrorKind::Config, path.string() + " is longer than " + std::to_string(kMaxScriptBytes >> 20) +
                                        " MB, the limit for a script");
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Error(ErrorKind::Config, "can't read " + path.string());
  return text;
}

Result<Migration> read_migration(const fs::path& path, scripts::FileName name, std::string script,
                                 std::string_view encoding) {
  Migration migration;
  migration.name = std::move(name);
  migration.script = std::move(script);
  migration.path = path.string();
  std::error_code error;
  const fs::path beside = path.string() + ".conf";
  if (fs::exists(beside, error)) {
    auto text = read_file(beside);
    if (!text.ok()) return text.error();
    auto config = scripts::parse_script_config(*text);
    if (!config.ok()) return config.error().with_context(beside.string());
    migration.config = std::move(*config);
  }
  auto bytes = read_file(path);
  if (!bytes.ok()) return bytes.error();
  const std::string& own = migration.config.encoding;
  auto text = scripts::decode(*bytes, own.empty() ? encoding : own);
  if (!text.ok()) return text.error().with_context(migration.path);
  migration.text = std::move(*text);
  migration.checksum = scripts::flyway_checksum(migration.text);
  migration.header = scripts::read_header(migration.text);
  return migration;
}

Error twice(const Migration& a, const Migration& b, const std::string& what) {
  return Error(ErrorKind::Config, what + ": " + a.path + " and " + b.path)
      .with_hint("give one of them another version; what has been applied somewhere must keep its own");
}

Result<void> sort_by_version(std::vector<Migration>& files) {
  std::ranges::sort(files,
                    [](const Migration& a, const Migration& b) { return *a.name.version < *b.name.version; });
  const auto same = std::ranges::adjacent_find(
      files, [](const Migration& a, const Migration& b) { return *a.name.version == *b.name.version; });
  if (same != files.end()) {
    return twice(*same, *std::next(same), "two migrations have the version " + same->name.version->text());
  }
  return {};
}

void sort_by_description(std::vector<Migration>& files) {
  std::ranges::sort(files, {}, [](const Migration& one) { return one.name.description; });
}

}  // namespace

Result<std::vector<Migration>> read_folder(const std::string& folder, std::vector<std::string>& ignored,
                                           std::string_view encoding) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::follow_directory_symlink, error), end;
       !error && at != end; at.increment(error)) {
    if (at->is_regular_file(error)) paths.push_back(at->path());
    if (paths.size() > kMaxMigrations) {
      return Error(ErrorKind::Config, folder + " holds more than " + std::to_string(kMaxMigrations) +
                                          " files, the limit of a folder of migrations");
    }
  }
  if (error) return Error(ErrorKind::Config, "can't read the folder " + folder + ": " + error.message());
  std::ranges::sort(paths);
  std::vector<Migration> found;
  for (const fs::path& path : paths) {
    auto name = scripts::parse_file_name(path.filename().string());
    if (!name.ok()) {
      ignored.push_back(std::string(name.error().message()) + " (" + std::string(name.error().hint()) + ")");
      continue;
    }
    if (!*name) continue;
    auto migration =
        read_migration(path, std::move(**name), path.lexically_relative(folder).generic_string(), encoding);
    if (!migration.ok()) return migration.error();
    found.push_back(std::move(*migration));
  }
  return found;
}

Result<MigrationSet> arrange(std::vector<Migration> files, std::vector<std::string> ignored) {
  MigrationSet set;
  set.ignored = std::move(ignored);
  for (Migration& one : files) {
    using enum scripts::FileKind;
    switch (one.name.kind) {
      case versioned:
      case numbered: set.versioned.push_back(std::move(one)); break;
      case repeatable: set.repeatable.push_back(std::move(one)); break;
      case baseline: set.baselines.push_back(std::move(one)); break;
      case undo: set.undo.push_back(std::move(one)); break;
      case callback: set.callbacks[one.name.prefix].push_back(std::move(one)); break;
    }
  }
  SY_TRY(sort_by_version(set.versioned));
  SY_TRY(sort_by_version(set.baselines));
  sort_by_description(set.repeatable);
  for (auto& [event, callbacks] : set.callbacks) sort_by_description(callbacks);
  const auto same = std::ranges::adjacent_find(set.repeatable, [](const Migration& a, const Migration& b) {
    return a.name.description == b.name.description;
  });
  if (same != set.repeatable.end()) {
    return twice(*same, *std::next(same), "two repeatable migrations are called '" + same->name.description + "'");
  }
  return set;
}

}  // namespace switchyard::inline v0::schema
