#include <switchyard/backup/client_programs.hpp>

#include <switchyard/embedded/launcher.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace switchyard::inline v0::backup {

namespace {

namespace fs = std::filesystem;
constexpr auto kAskTimeout = std::chrono::seconds(30);

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody here calls setenv
  return value == nullptr ? std::string() : std::string(value);
}

/// "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"
std::optional<ClientPrograms> inspect(const fs::path& folder) {
  for (const char* needed : {"pg_dump", "pg_dumpall", "pg_restore", "psql"}) {
    if (access((folder / needed).c_str(), X_OK) != 0) return std::nullopt;
  }
  auto answer = embedded::run_program({.program = (folder / "pg_dump").string(),
                                       .arguments = {"--version"},
                                       .environment = embedded::clean_environment("/")},
                                      Clock::now() + kAskTimeout);
  constexpr std::string_view kPrefix = "pg_dump (PostgreSQL) ";
  if (!answer.ok() || !answer->starts_with(kPrefix)) return std::nullopt;
  ClientPrograms found{.folder = folder.string()};
  found.version = answer->substr(kPrefix.size(), answer->find_first_of(" \n", kPrefix.size()) - kPrefix.size());
  std::from_chars(found.version.data(), found.version.data() + found.version.size(), found.major);
  if (found.major == 0) return std::nullopt;
  return found;
}

std::vector<fs::path> usual_folders() {
  std::vector<fs::path> folders = embedded::packaged_folders();
  for (const embedded::PostgresBinaries& server : embedded::list_postgres()) folders.emplace_back(server.folder);
  return folders;
}

void add(const fs::path& folder, std::vector<ClientPrograms>& out) {
  std::error_code failed;
  const fs::path real = fs::canonical(folder, failed);
  if (failed || std::ranges::find(out, real.string(), &ClientPrograms::folder) != out.end()) return;
  if (auto found = inspect(real)) out.push_back(std::move(*found));
}

}  // namespace

std::vector<ClientPrograms> list_client_programs() {
  std::vector<ClientPrograms> found;
  if (const std::string named = variable("SWITCHYARD_PG_BIN"); !named.empty()) {
    add(named, found);
    return found;
  }
  for (const fs::path& folder : usual_folders()) add(folder, found);
  // A wrapper on PATH (Debian's) is of whatever version it likes: only where there is nothing else.
  if (found.empty()) {
    for (const fs::path& folder : embedded::folders_on_path()) add(folder, found);
  }
  std::ranges::sort(found, std::ranges::greater{}, &ClientPrograms::major);
  return found;
}

Result<ClientPrograms> choose_client_programs(const std::vector<ClientPrograms>& installed, int server_major) {
  const ClientPrograms* best = nullptr;
  for (const ClientPrograms& one : installed) {
    if (one.major >= server_major && (best == nullptr || one.major < best->major)) best = &one;
  }
  if (best != nullptr) return *best;
  const std::string wanted = std::to_string(server_major);
  std::string message = "the server is PostgreSQL " + wanted + ", and ";
  if (installed.empty()) {
    message += "no pg_dump is installed here";
  } else {
    const auto newest = std::ranges::max_element(installed, {}, &ClientPrograms::major);
    message += "the newest pg_dump here is " + newest->version + " (" + newest->folder +
               "), which can't dump a newer server";
  }
  const std::string named = variable("SWITCHYARD_PG_BIN");
  return Error(ErrorKind::Config, std::move(message))
      .with_hint("apt-get install postgresql-client-" + wanted +
                 ", or set SWITCHYARD_PG_BIN to the bin folder of " + "PostgreSQL " + wanted +
                 (named.empty() ? "" : " (now " + named + ")"));
}

}  // namespace switchyard::inline v0::backup
