#include <switchyard/move/room.hpp>

#include <switchyard/move/refusal.hpp>

#include <sys/statvfs.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <tuple>

namespace switchyard::inline v0::move {
namespace {

/// Nothing: it can't be looked at from here.
std::optional<std::uint64_t> free_at(const std::string& folder) {
  struct statvfs answer{};
  if (::statvfs(folder.c_str(), &answer) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(answer.f_bavail) * answer.f_frsize;
}

/// An address of this machine may lead elsewhere, through a tunnel or into a container: the process that serves the
/// session tells.
bool serves_here(const Run& run, std::int32_t process) {
  const ConnectionOptions& at = run.fleet.config().find(run.to)->primary.connection;
  if (at.hosts.size() != 1) return false;
  const std::string& host = at.hosts.front().host;
  const bool local =
      host.empty() || host.starts_with('/') || host.starts_with("127.") || host == "localhost" || host == "::1";
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(process) + "/comm"), name);
  return local && name == "postgres";
}

std::string megabytes(std::uint64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MB"; }

std::uint64_t bytes_to_copy(const Run& run) {
  std::uint64_t bytes = 0;
  for (const TablePlan& table : run.plan().tables) {
    if (!run.copy->copied.contains(table.number)) bytes += static_cast<std::uint64_t>(table.bytes);
  }
  return bytes;
}

}  // namespace

Task<void> require_room(Run& run) {
  const std::uint64_t rows = bytes_to_copy(run);
  if (rows == 0) co_return;
  const auto [folder, process, wal_limit] =
      co_await run.target().query_one<std::tuple<std::string, std::int32_t, std::int64_t>>(
          "SELECT coalesce(nullif(pg_tablespace_location(dattablespace), ''),"
          " (SELECT setting FROM pg_settings WHERE name = 'data_directory'), ''), pg_backend_pid(),"
          " pg_size_bytes(current_setting('max_wal_size')) FROM pg_database WHERE datname = current_database()");
  const std::uint64_t needed = rows + std::min(rows, static_cast<std::uint64_t>(wal_limit));
  std::optional<std::uint64_t> free;
  if (!folder.empty() && serves_here(run, process)) {
    free = run.options.free_space ? run.options.free_space(folder) : free_at(folder);
  }
  if (!free) {
    run.report.notes.push_back("whether " + megabytes(needed) + " are free at " + run.plan().to_place +
                               " can't be seen from here" +
                               (folder.empty() ? " (a member of pg_read_all_settings may see its folder)" : ""));
    co_return;
  }
  if (*free >= needed) co_return;
  throw cant("'" + run.to + "' has " + megabytes(*free) + " free in " + folder + ", and the copy needs about " +
                 megabytes(needed) + " (" + megabytes(rows) + " of tables and indexes, the rest WAL)",
             "make room there, and switchyard move goes on; switchyard move abort " + run.ends() +
                 " leaves nothing of it");
}

}  // namespace switchyard::inline v0::move
