#include "running_fleet.hpp"

#include "json_reader.hpp"

#include <switchyard/http/json_writer.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard::cli {

namespace {

namespace fs = std::filesystem;

Error system_error(const std::string& what) { return Error(ErrorKind::Config, what + ": " + std::strerror(errno)); }

std::string wanted_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return std::string(runtime) + "/switchyard";
  return "/tmp/switchyard-" + std::to_string(::geteuid());
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// True if another process holds the lock of this file.
bool is_locked(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

std::string to_json(const RunningFleet& fleet) {
  http::JsonWriter json;
  json.begin_object()
      .member("application", fleet.application)
      .member("pid", fleet.pid)
      .member("http", fleet.http)
      .member("config_file", fleet.config_file)
      .member("env_file", fleet.env_file)
      .member("folder", fleet.folder)
      .member("demonstration", fleet.demonstration)
      .member("log_file", fleet.log_file);
  json.key("gateway").begin_array();
  for (const std::string& address : fleet.gateway) json.value(address);
  json.end_array();
  json.key("settings").begin_array();
  for (const auto& [key, value] : fleet.settings) {
    json.begin_object().member("key", key).member("value", value).end_object();
  }
  json.end_array().key("relocations").begin_array();
  for (const Relocation& at : fleet.relocations) {
    json.begin_object()
        .member("database", at.database)
        .member("replica", at.replica)
        .member("dsn", at.dsn)
        .member("place", at.place)
        .end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace

/// Applications may be called anything; files may not.
std::string file_stem(const std::string& application) {
  std::string name;
  for (const char c : application) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return name;
}

Result<std::string> state_folder() {
  const std::string folder = wanted_folder();
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_error("can't make " + folder);
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0) return system_error("can't look at " + folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
    return Error(ErrorKind::Config, folder + " is not a folder of this user alone")
        .with_hint("remove it, or set XDG_RUNTIME_DIR to a folder of yours");
  }
  return folder;
}

Result<void> apply(const std::vector<Relocation>& relocations, FleetConfig& fleet) {
  for (const Relocation& at : relocations) {
    DatabaseConfig* database = fleet.find(at.database);
    if (database == nullptr) continue;
    if (at.replica.empty()) {
      SY_TRY(relocate(fleet, *database, at.dsn, at.place));
      continue;
    }
    const auto replica = std::ranges::find(database->replicas, at.replica, &ReplicaConfig::name);
    if (replica != database->replicas.end()) SY_TRY(relocate(fleet, *database, *replica, at.dsn, at.place));
  }
  return {};
}

Result<FleetClaim> FleetClaim::take(const std::string& application) {
  auto folder = state_folder();
  if (!folder.ok()) return folder.error();
  std::string path = *folder + "/" + file_stem(application) + ".json";
  for (;;) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return system_error("can't open " + path);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      std::string message = "the fleet '" + application + "' runs already";
      if (auto other = read_running_fleet(read_file(path)); other.ok()) {
        message += " (pid " + std::to_string(other->pid) + ", http://" + other->http + ")";
      }
      return Error(ErrorKind::Unavailable, std::move(message))
          .with_hint("switchyard status shows it, switchyard down stops it");
    }
    // Somebody may have removed the file between open and lock: then this lock is on a file that is no more.
    struct stat locked{}, present{};
    if (::fstat(fd, &locked) == 0 && ::stat(path.c_str(), &present) == 0 && locked.st_ino == present.st_ino) {
      if (::ftruncate(fd, 0) != 0) return system_error("can't write " + path);
      return FleetClaim(std::move(path), fd);
    }
    ::close(fd);
  }
}

FleetClaim::FleetClaim(FleetClaim&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

FleetClaim::~FleetClaim() {
  if (lock_ < 0) return;
  ::unlink(path_.c_str());
  ::close(lock_);
}

Result<void> FleetClaim::publish(const RunningFleet& fleet) {
  const std::string text = to_json(fleet);
  if (::ftruncate(lock_, 0) != 0 ||
      ::pwrite(lock_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return system_error("can't write " + path_);
  }
  return {};
}

std::vector<RunningFleet> running_fleets() {
  std::vector<RunningFleet> fleets;
  std::error_code error;
  for (fs::directory_iterator file(wanted_folder(), error), end; !error && file != end; file.increment(error)) {
    const std::string path = file->path().string();
    if (!path.ends_with(".json") || !is_locked(path)) continue;
    if (auto fleet = read_running_fleet(read_file(path)); fleet.ok()) fleets.push_back(std::move(*fleet));
  }
  std::ranges::sort(fleets, {}, &RunningFleet::application);
  return fleets;
}

bool is_claimed(const std::string& application) {
  return is_locked(wanted_folder() + "/" + file_stem(application) + ".json");
}

}  // namespace switchyard::cli
