#include <switchyard/embedded/server_folder.hpp>

#include <switchyard/embedded/launcher.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

namespace switchyard::inline v0::embedded {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::string_view kPrefix = "sy-";
constexpr const char* kLockName = "switchyard.lock";
constexpr std::string_view kMark = "switchyard private cluster\n";
constexpr int kAttempts = 16;
constexpr const char* kMemory = "/dev/shm";
constexpr std::uint64_t kRoomInMemory = 1024UL * 1024 * 1024;
/// A temporary folder without a mark is one being made just now, or the leftover of a crash in that instant.
constexpr auto kUnmarkedLeftover = 10min;
constexpr auto kFastEnd = 5s;
constexpr auto kImmediateEnd = 5s;
constexpr auto kKillEnd = 5s;
constexpr auto kPoll = 5ms;

Error failed(const std::string& what, const fs::path& path, int error) {
  return Error(ErrorKind::Config, what + " " + path.string() + ": " + std::generic_category().message(error));
}

/// True if the account may enter `folder`, asked by trying.
bool account_can_enter(const fs::path& folder, const std::optional<Account>& account) {
  if (!account) return access(folder.c_str(), X_OK) == 0;
  return run_program({.program = "/bin/true",
                      .arguments = {},
                      .environment = {},
                      .working_folder = folder.string(),
                      .account = account},
                     Clock::now() + 10s)
      .ok();
}

bool fits(const fs::path& socket_folder) {
  return socket_folder.string().size() + kSocketNameLength <= kLongestSocketPath;
}

bool memory_has_room() {
  struct statvfs room{};
  return statvfs(kMemory, &room) == 0 && std::uint64_t{room.f_bavail} * room.f_frsize >= kRoomInMemory;
}

/// The best first. The reaper looks in all of them.
std::vector<fs::path> temporary_parents(Storage storage) {
  std::vector<fs::path> parents;
  if (storage == Storage::memory) parents.emplace_back(kMemory);
  const char* named = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  if (named != nullptr && *named == '/') parents.emplace_back(named);
  parents.emplace_back("/tmp");
  return parents;
}

/// Locks `folder`'s mark, making it if there is none. -1: somebody else holds it (errno EWOULDBLOCK) or an error.
int lock_mark(const fs::path& folder, int flags) {
  const fs::path file = folder / kLockName;
  const int lock = open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
  if (lock < 0) return -1;
  int error = flock(lock, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  // A reaper may have removed the folder between open and flock.
  struct stat locked{};
  struct stat named{};
  if (error == 0 &&
      (fstat(lock, &locked) != 0 || stat(file.c_str(), &named) != 0 || locked.st_ino != named.st_ino)) {
    error = ESTALE;
  }
  if (error == 0) return lock;
  close(lock);
  errno = error;
  return -1;
}

/// The mark tells a person who uses the folder; the lock decides.
void write_mark(int lock) {
  const std::string text = std::string(kMark) + "pid " + std::to_string(getpid()) + "\n";
  [[maybe_unused]] int cut = ftruncate(lock, 0);
  [[maybe_unused]] auto written = pwrite(lock, text.data(), text.size(), 0);
}

std::string read_mark(const fs::path& folder) {
  std::ifstream in(folder / kLockName);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Removes a folder of ours, its mark last: what a crash leaves in between can still be recognised.
void remove_marked(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename() == kLockName) continue;
    fs::remove_all(at->path(), error);
    if (error) return;
  }
  fs::remove_all(folder, error);
}

Result<std::pair<fs::path, int>> make_marked_folder(const std::optional<Account>& account, Storage storage) {
  for (const fs::path& parent : temporary_parents(storage)) {
    if (parent == kMemory && !memory_has_room()) continue;
    if (!fits(parent / "sy-XXXXXX" / "run")) continue;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      std::string name = (parent / "sy-XXXXXX").string();
      if (mkdtemp(name.data()) == nullptr) break;
      const int lock = lock_mark(name, O_CREAT);
      if (lock < 0) continue;  // a reaper was quicker; it removes the folder
      write_mark(lock);
      chmod(name.c_str(), 0711);  // NOLINT: others may pass through to the sockets, which have modes of their own
      if (account_can_enter(name, account)) return std::pair<fs::path, int>(name, lock);
      remove_marked(name);
      close(lock);
      break;
    }
  }
  return Error(ErrorKind::Config,
               "no temporary folder can be made under TMPDIR or /tmp that the servers' account may enter")
      .with_hint("set TMPDIR to a short path of a writable folder, or give a data folder");
}

struct PostmasterFile {
  pid_t pid = 0;
  int shared_memory = -1;
};

/// postmaster.pid: pid, data folder, start time, port, socket folder, listen address, "key id" of shared memory.
PostmasterFile read_postmaster_file(const fs::path& data_folder) {
  std::ifstream in(data_folder / "postmaster.pid");
  PostmasterFile file;
  std::string line;
  for (int number = 1; number <= 7 && std::getline(in, line); ++number) {
    std::istringstream words(line);
    long key = 0;
    if (number == 1) words >> file.pid;
    if (number == 7 && !(words >> key >> file.shared_memory)) file.shared_memory = -1;
  }
  return file;
}

bool zombie(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const auto at = text.rfind(')');
  return at == std::string::npos || at + 2 >= text.size() || text[at + 2] == 'Z' || text[at + 2] == 'X';
}

bool runs_postgres(const char* pid) {
  std::array<char, 4096> target{};
  const std::string link = "/proc/" + std::string(pid) + "/exe";
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  if (size <= 0) return false;
  std::string_view program(target.data(), static_cast<std::size_t>(size));
  program.remove_prefix(program.rfind('/') + 1);
  return program == "postgres" || program == "postgres (deleted)";
}

bool none_left_by(const fs::path& data_folder, TimePoint deadline) {
  while (!processes_in(data_folder).empty()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

/// The data folders inside a cluster's folder.
std::vector<fs::path> data_folders(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  if (fs::exists(folder / "primary", ignored)) found.push_back(folder / "primary");
  for (fs::directory_iterator at(folder / "replicas", ignored), end; !ignored && at != end; at.increment(ignored)) {
    if (at->is_directory(ignored)) found.push_back(at->path());
  }
  return found;
}

}  // namespace

Result<void> make_folder(const fs::path& folder, mode_t mode, const std::optional<Account>& account) {
  if (mkdir(folder.c_str(), mode) != 0) return failed("cannot make folder", folder, errno);
  // mkdir obeys the umask.
  if (chmod(folder.c_str(), mode) != 0) return failed("cannot set the mode of", folder, errno);
  if (account && lchown(folder.c_str(), account->uid, account->gid) != 0) {
    return failed("cannot give the account '" + account->name + "' folder", folder, errno);
  }
  return {};
}

Result<void> write_file(const fs::path& folder, const std::string& file, std::string_view text,
                        const std::optional<Account>& account) {
  // A new file under another name, then renamed: whatever the account has put there (a link, say) is not followed.
  const fs::path target = folder / file;
  const std::string fresh = target.string() + ".new";
  unlink(fresh.c_str());
  const int out = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int error = out < 0 ? errno : 0;
  while (error == 0 && !text.empty()) {
    const ssize_t written = write(out, text.data(), text.size());
    if (written < 0)
      error = errno;
    else
      text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (error == 0 && account && fchown(out, account->uid, account->gid) != 0) error = errno;
  if (out >= 0) close(out);
  if (error == 0 && rename(fresh.c_str(), target.c_str()) != 0) error = errno;
  if (error == 0) return {};
  unlink(fresh.c_str());
  return failed("cannot write", target, error);
}

std::vector<pid_t> processes_in(const fs::path& data_folder) {
  std::vector<pid_t> found;
  const std::string wanted = data_folder.string();
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return found;
  while (const dirent* entry = readdir(processes)) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name, &end, 10);
    if (pid <= 0 || *end != '\0') continue;
    std::array<char, 4096> target{};
    const std::string link = "/proc/" + std::string(entry->d_name) + "/cwd";
    const ssize_t size = readlink(link.c_str(), target.data(), target.size());
    if (size <= 0) continue;  // gone, a zombie, or somebody else's
    std::string_view folder(target.data(), static_cast<std::size_t>(size));
    if (constexpr std::string_view kGone = " (deleted)"; folder.ends_with(kGone))
      folder.remove_suffix(kGone.size());
    // A person's shell may stand in the folder too.
    if (folder == wanted && runs_postgres(entry->d_name) && !zombie(static_cast<pid_t>(pid)))
      found.push_back(static_cast<pid_t>(pid));
  }
  closedir(processes);
  return found;
}

void end_servers_in(const fs::path& data_folder) {
  std::error_code ignored;
  const PostmasterFile file = read_postmaster_file(data_folder);
  // The working folder proves that a process is a server of this folder, whatever the pid file says.
  for (auto [number, patience] : {std::pair<int, std::chrono::milliseconds>{SIGINT, kFastEnd},
                                  {SIGQUIT, kImmediateEnd},
                                  {SIGKILL, kKillEnd}}) {
    const auto processes = processes_in(data_folder);
    if (processes.empty()) break;
    const bool postmaster_lives = std::ranges::find(processes, file.pid) != processes.end();
    // Its children end with it; children of a dead postmaster end by themselves unless they are stuck.
    for (pid_t pid : processes) {
      if (number == SIGKILL || (postmaster_lives && pid == file.pid)) kill(pid, number);
    }
    if (none_left_by(data_folder, Clock::now() + patience)) break;
  }
  if (!processes_in(data_folder).empty()) return;
  fs::remove(data_folder / "postmaster.pid", ignored);
  // A postmaster that ended by itself has removed its segment; the number may be somebody else's now, so only a
  // segment that nobody is attached to and that belongs to the folder's owner goes.
  if (file.shared_memory >= 0) {
    shmid_ds segment{};
    struct stat owner{};
    // A process that is just ending has left its folder before its memory.
    const auto patience = Clock::now() + kKillEnd;
    while (shmctl(file.shared_memory, IPC_STAT, &segment) == 0 && segment.shm_nattch != 0 &&
           Clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (shmctl(file.shared_memory, IPC_STAT, &segment) == 0 && segment.shm_nattch == 0 &&
        stat(data_folder.c_str(), &owner) == 0 && segment.shm_perm.uid == owner.st_uid) {
      shmctl(file.shared_memory, IPC_RMID, nullptr);
    }
  }
}

std::size_t reap_abandoned_folders() {
  std::size_t reaped = 0;
  for (const fs::path& parent : temporary_parents(Storage::memory)) {
    std::error_code error;
    for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
      const fs::path folder = at->path();
      if (!folder.filename().string().starts_with(kPrefix)) continue;
      struct stat status{};
      if (lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) continue;
      const int lock = lock_mark(folder, 0);
      if (lock < 0) {
        const auto age = std::chrono::system_clock::now() - std::chrono::system_clock::from_time_t(status.st_mtime);
        if (errno == ENOENT && age > kUnmarkedLeftover) rmdir(folder.c_str());  // only if it is empty
        continue;
      }
      if (read_mark(folder).starts_with(kMark)) {
        for (const fs::path& data : data_folders(folder)) end_servers_in(data);
        remove_marked(folder);
        ++reaped;
      }
      close(lock);
    }
  }
  return reaped;
}

Result<ServerFolder> ServerFolder::make_temporary(const std::optional<Account>& account, Storage storage) {
  auto made = make_marked_folder(account, storage);
  if (!made.ok()) return made.error();
  ServerFolder folder(made->first, Keep::temporary, made->second);
  SY_TRY(folder.make_sockets(account));
  return folder;
}

Result<ServerFolder> ServerFolder::open(const fs::path& wanted, const std::optional<Account>& account) {
  std::error_code error;
  fs::create_directories(wanted, error);
  if (error) return failed("cannot make folder", wanted, error.value());
  const fs::path path = fs::canonical(wanted, error);
  if (error) return failed("cannot find folder", wanted, error.value());
  if (!fs::exists(path / kLockName, error) && !fs::is_empty(path, error)) {
    return Error(ErrorKind::Config, "folder " + path.string() + " is not empty and holds no private cluster")
        .with_hint("choose an empty folder, or one that an earlier start has made");
  }
  const int lock = lock_mark(path, O_CREAT);
  if (lock < 0 && errno == EWOULDBLOCK) {
    std::string user = read_mark(path);
    user = user.starts_with(kMark) ? user.substr(kMark.size()) : "";
    while (!user.empty() && user.back() == '\n') user.pop_back();
    return Error(ErrorKind::Config, "the private cluster in " + path.string() + " is in use by another process" +
                                        (user.empty() ? "" : " (" + user + ")"))
        .with_hint("switchyard down, or choose another folder");
  }
  if (lock < 0) return failed("cannot write to folder", path, errno);
  ServerFolder folder(path, Keep::forever, lock);
  write_mark(lock);
  if (!account_can_enter(path, account)) {
    const std::string who = account ? "account '" + account->name + "'" : "this account";
    return Error(ErrorKind::Config, "the servers run under " + who + ", which cannot enter folder " + path.string())
        .with_hint("chmod a+x the folder and its parents, or choose another, for example under /var/lib");
  }
  for (const fs::path& data : data_folders(path)) end_servers_in(data);
  SY_TRY(folder.make_sockets(account));
  return folder;
}

Result<void> ServerFolder::make_sockets(const std::optional<Account>& account) {
  std::error_code ignored;
  sockets_ = path_ / "run";
  if (!fits(sockets_)) {
    // The data may lie deep, the sockets may not: they get a marked folder of their own under /tmp.
    auto made = make_marked_folder(account, Storage::disk);
    if (!made.ok()) return made.error();
    sockets_ = made->first / "run";
    socket_lock_ = made->second;
  }
  fs::remove_all(sockets_, ignored);
  return make_folder(sockets_, 0711, account);
}

ServerFolder::ServerFolder(ServerFolder&& other) noexcept
    : path_(std::move(other.path_)),
      sockets_(std::move(other.sockets_)),
      keep_(other.keep_),
      lock_(std::exchange(other.lock_, -1)),
      socket_lock_(std::exchange(other.socket_lock_, -1)) {}

ServerFolder::~ServerFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  if (keep_ == Keep::temporary)
    remove_marked(path_);
  else if (socket_lock_ >= 0)
    remove_marked(sockets_.parent_path());
  else if (!sockets_.empty())
    fs::remove_all(sockets_, ignored);
  // Unlocked last: nobody may take a folder that is half removed.
  if (socket_lock_ >= 0) close(socket_lock_);
  close(lock_);
}

}  // namespace switchyard::inline v0::embedded
