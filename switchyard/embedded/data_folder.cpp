#include <switchyard/embedded/data_folder.hpp>

#include <switchyard/embedded/launcher.hpp>
#include <switchyard/embedded/server_folder.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace switchyard::inline v0::embedded {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kLockPoll = 10ms;

/// Empty if there is no place for it.
fs::path cache_folder() {
  if (geteuid() == 0) return "/var/cache/switchyard/clusters";
  if (const char* named = std::getenv("XDG_CACHE_HOME"); named != nullptr && *named == '/') {  // NOLINT
    return fs::path(named) / "switchyard/clusters";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {  // NOLINT
    return fs::path(home) / ".cache/switchyard/clusters";
  }
  return {};
}

/// One folder name for everything that changes the result.
std::string key_of(const PostgresBinaries& binaries, const std::optional<Account>& account,
                   const InitdbOptions& options) {
  std::string key = binaries.version + "-" + (account ? account->name : "self") + "-" + options.locale + "-" +
                    options.superuser + (options.data_checksums ? "-checksums" : "");
  for (char& c : key) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                       c == '-' || c == '_' || c == '@';
    if (!plain) c = '_';
  }
  return key;
}

class FolderLock {
 public:
  explicit FolderLock(const fs::path& file)
      : file_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (file_ >= 0) close(file_);
  }
  bool take(int how, TimePoint deadline) const {
    if (file_ < 0) return false;
    while (flock(file_, how | LOCK_NB) != 0) {
      if (Clock::now() >= deadline) return false;
      std::this_thread::sleep_for(kLockPoll);
    }
    return true;
  }

 private:
  int file_;
};

Result<void> initdb(const fs::path& folder, const PostgresBinaries& binaries, const std::optional<Account>& account,
                    const InitdbOptions& options, Origin origin, TimePoint deadline) {
  SY_TRY(make_folder(folder, 0700, account));
  LaunchSpec spec{.program = binaries.program("initdb"),
                  .arguments = {"-D", folder.string(), "-U", options.superuser, "-E", "UTF8",
                                "--locale=" + options.locale, "-A", "trust", "--no-instructions"},
                  .environment = clean_environment(folder.string()),
                  .account = account};
  if (options.data_checksums) spec.arguments.emplace_back("--data-checksums");
  if (origin == Origin::copy) spec.arguments.emplace_back("--no-sync");
  auto ran = run_program(std::move(spec), deadline);
  if (!ran.ok()) return ran.error();
  return {};
}

/// The kept result, made if need be. An error only says that there is no cache to be had.
Result<fs::path> kept_result(const fs::path& cache, const std::string& key, const FolderLock& lock,
                             const PostgresBinaries& binaries, const std::optional<Account>& account,
                             const InitdbOptions& options, TimePoint deadline) {
  fs::path kept = cache / key;
  if (!lock.take(LOCK_SH, deadline)) return Error(ErrorKind::Unavailable, "cannot lock " + cache.string());
  std::error_code error;
  if (fs::exists(kept, error)) return kept;

  if (!lock.take(LOCK_EX, deadline)) return Error(ErrorKind::Unavailable, "cannot lock " + cache.string());
  if (!fs::exists(kept, error)) {
    const fs::path making = cache / (key + ".new");
    fs::remove_all(making, error);
    if (auto made = initdb(making, binaries, account, options, Origin::copy, deadline); !made.ok()) {
      fs::remove_all(making, error);
      return made.error();
    }
    fs::rename(making, kept, error);
    if (error) return Error(ErrorKind::Unavailable, "cannot rename " + making.string());
  }
  (void)lock.take(LOCK_SH, deadline);
  return kept;
}

}  // namespace

Result<void> make_data_folder(const fs::path& folder, const PostgresBinaries& binaries,
                              const std::optional<Account>& account, const InitdbOptions& options, Origin origin,
                              TimePoint deadline) {
  const fs::path cache = cache_folder();
  if (origin == Origin::copy && !cache.empty()) {
    std::error_code error;
    if (fs::create_directories(cache, error); !error && geteuid() == 0) {
      fs::permissions(cache, fs::perms(0711), error);
      fs::permissions(cache.parent_path(), fs::perms(0755), error);
    }
    const FolderLock lock(cache / "lock");
    auto kept = kept_result(cache, key_of(binaries, account, options), lock, binaries, account, options, deadline);
    if (kept.ok()) {
      SY_TRY(make_folder(folder, 0700, account));
      // As the account: root must not follow what the account may have put there.
      auto copied = run_program({.program = "/bin/cp",
                                 .arguments = {"-a", "--reflink=auto", kept->string() + "/.", folder.string()},
                                 .environment = clean_environment("/"),
                                 .account = account},
                                deadline);
      if (copied.ok()) return {};
      fs::remove_all(folder, error);
    }
  }
  return initdb(folder, binaries, account, options, origin, deadline);
}

}  // namespace switchyard::inline v0::embedded
