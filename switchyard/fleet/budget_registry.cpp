#include <switchyard/base/assert.hpp>
#include <switchyard/fleet/budget_registry.hpp>

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <limits>
#include <system_error>

namespace switchyard::inline v0::fleet {
namespace {

/// Changes with the meaning of BudgetTable, so that programs built apart do not misread each other; its size is in
/// the file's name as well.
constexpr std::uint64_t kFormat = 1;
constexpr std::uint64_t kMagic = 0x7377'6268'6467'7400 + kFormat;

/// While an account of this process waits, it looks by itself this often: at what time changes, and at deaths.
constexpr std::chrono::milliseconds kTick(50);
/// A round over all processes to find dead ones is made no more often.
constexpr Duration kReapInterval = std::chrono::milliseconds(100);

/// Who owes what is not decided again for the passage of time alone before this.
constexpr Duration kRebalanceInterval = std::chrono::milliseconds(25);

/// The bytes of the file whose locks say that a process lives; far behind the contents.
constexpr off_t kFirstLockedByte = off_t{1} << 30;

struct flock byte_of(BudgetIndex process, short type) noexcept {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = kFirstLockedByte + process;
  lock.l_len = 1;
  return lock;
}

Error system_error(const std::string& what, const std::string& path) {
  return Error(ErrorKind::Config, what + " " + path + ": " + std::generic_category().message(errno));
}

}  // namespace

struct BudgetRegistry::Memory {
  std::uint64_t magic;
  pthread_mutex_t mutex;  ///< robust: the death of its holder is noticed
  BudgetTable table;

  void initialise() noexcept {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    magic = kMagic;
  }
};

BudgetTime BudgetRegistry::now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

std::shared_ptr<BudgetRegistry> BudgetRegistry::of_machine() {
  static std::mutex mutex;
  static std::weak_ptr<BudgetRegistry> current;
  static pid_t owner = 0;
  const std::lock_guard lock(mutex);
  // A child after fork is a process of its own.
  if (owner == ::getpid()) {
    if (auto registry = current.lock()) return registry;
  }
  auto opened = open("/dev/shm/switchyard-budget-" + std::to_string(kFormat) + "." +
                     std::to_string(sizeof(Memory)) + "-" + std::to_string(::geteuid()));
  std::shared_ptr<BudgetRegistry> registry = opened.ok() ? *opened : alone();
  current = registry;
  owner = ::getpid();
  return registry;
}

Result<std::shared_ptr<BudgetRegistry>> BudgetRegistry::open(const std::string& path) {
  for (;;) {
    auto opened = open_once(path);
    if (!opened.ok() || *opened) return opened;
  }
}

/// Null if the last of the others took the file away in this moment.
Result<std::shared_ptr<BudgetRegistry>> BudgetRegistry::open_once(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return system_error("can't open", path);
  struct Close {
    int file;
    ~Close() {
      if (file >= 0) ::close(file);
    }
  } closing{file};
  struct stat status{};
  if (::fstat(file, &status) != 0) return system_error("can't look at", path);
  if (status.st_uid != ::geteuid() || !S_ISREG(status.st_mode) || (status.st_mode & 077) != 0) {
    return Error(ErrorKind::Config, path + " is not a private file of this user");
  }
  // Who comes first makes it; the others wait for that.
  if (::flock(file, LOCK_EX) != 0) return system_error("can't lock", path);
  if (::fstat(file, &status) != 0) return system_error("can't look at", path);
  if (status.st_nlink == 0) return std::shared_ptr<BudgetRegistry>();
  const bool fresh = status.st_size == 0;
  if (fresh && ::ftruncate(file, sizeof(Memory)) != 0) return system_error("can't make room in", path);
  if (!fresh && status.st_size != sizeof(Memory)) {
    return Error(ErrorKind::Config, path + " was written by another version");
  }
  void* const at = ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return system_error("can't map", path);
  auto* const memory = static_cast<Memory*>(at);  // zero bytes are an empty table
  if (memory->magic != kMagic) memory->initialise();
  closing.file = -1;
  std::shared_ptr<BudgetRegistry> registry(new BudgetRegistry(file, memory));
  registry->path_ = path;
  const bool entered = registry->enter();
  ::flock(file, LOCK_UN);
  if (!entered) {
    return Error(ErrorKind::Config, path + ": more than " + std::to_string(kMaxBudgetProcesses) + " processes");
  }
  return registry;
}

std::shared_ptr<BudgetRegistry> BudgetRegistry::alone() {
  void* const at = ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  auto* const memory = static_cast<Memory*>(at);
  memory->initialise();
  std::shared_ptr<BudgetRegistry> registry(new BudgetRegistry(-1, memory));
  (void)registry->enter();
  return registry;
}

BudgetRegistry::BudgetRegistry(int file, Memory* memory) noexcept
    : file_(file), memory_(memory), pid_(static_cast<std::int32_t>(::getpid())) {}

BudgetRegistry::~BudgetRegistry() {
  stopping_.store(true);
  if (watcher_.joinable()) {
    wake(table().processes[process_]);
    watcher_.join();
  }
  if (process_ != kNoBudgetIndex) leave();
  remove_if_last();
  ::munmap(memory_, sizeof(Memory));
  if (file_ >= 0) ::close(file_);
}

BudgetTable& BudgetRegistry::table() const noexcept { return memory_->table; }

std::uint32_t BudgetRegistry::changes() const noexcept {
  return memory_->table.changes.load(std::memory_order_relaxed);
}

void BudgetRegistry::lock() noexcept {
  // Every count is derived from the accounts when it is needed, so a holder that died in between leaves nothing
  // half done that matters.
  if (pthread_mutex_lock(&memory_->mutex) == EOWNERDEAD) pthread_mutex_consistent(&memory_->mutex);
}

void BudgetRegistry::unlock(const std::bitset<kMaxBudgetProcesses>& pokes) noexcept {
  pthread_mutex_unlock(&memory_->mutex);
  if (pokes.none()) return;
  for (std::size_t i = 0; i < kMaxBudgetProcesses; ++i) {
    if (pokes.test(i)) wake(table().processes[i]);
  }
}

void BudgetRegistry::wake(BudgetProcess& process) noexcept {
  process.poke.fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, &process.poke, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
}

// ---- life and death ------------------------------------------------------------------------------------------

bool BudgetRegistry::enter() noexcept {
  return with([&](BudgetLedger& ledger, BudgetTime at) {
    for (BudgetIndex i = 0; i < kMaxBudgetProcesses; ++i) {
      BudgetProcess& entry = table().processes[i];
      if (entry.used != 0 && alive(i)) continue;
      if (file_ >= 0) {
        struct flock lock = byte_of(i, F_WRLCK);
        if (::fcntl(file_, F_OFD_SETLK, &lock) != 0) continue;
      }
      ledger.bury(i, at);
      entry.used = 1;
      entry.pid = pid_;
      process_ = i;
      return true;
    }
    return false;
  });
}

void BudgetRegistry::leave() noexcept {
  if (pid_ != ::getpid()) return;  // a child after fork: the entry is its parent's
  with([&](BudgetLedger& ledger, BudgetTime at) {
    ledger.bury(process_, at);
    table().processes[process_].used = 0;
  });
}

void BudgetRegistry::remove_if_last() noexcept {
  // Nobody enters while the file is locked, and who has waited for that finds it unlinked and makes a new one.
  if (file_ < 0 || pid_ != ::getpid() || ::flock(file_, LOCK_EX) != 0) return;
  struct flock others = byte_of(0, F_WRLCK);
  others.l_start = 0;
  others.l_len = 0;
  if (::fcntl(file_, F_OFD_GETLK, &others) == 0 && others.l_type == F_UNLCK) ::unlink(path_.c_str());
}

bool BudgetRegistry::alive(BudgetIndex process) const noexcept {
  if (process == process_ || file_ < 0) return true;
  struct flock lock = byte_of(process, F_WRLCK);
  return ::fcntl(file_, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

void BudgetRegistry::bury_the_dead(BudgetLedger& ledger, BudgetTime at) noexcept {
  if (at - table().reaped_at < kReapInterval.count()) return;
  table().reaped_at = at;
  for (BudgetIndex i = 0; i < kMaxBudgetProcesses; ++i) {
    if (table().processes[i].used == 0 || alive(i)) continue;
    ledger.bury(i, at);
    table().processes[i].used = 0;
  }
}

// ---- news ----------------------------------------------------------------------------------------------------

void BudgetRegistry::attach(Listener& listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(&listener);
  if (watcher_.joinable()) return;
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  watcher_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void BudgetRegistry::detach(Listener& listener) noexcept {
  const std::lock_guard lock(listeners_mutex_);
  std::erase(listeners_, &listener);
}

void BudgetRegistry::watch() noexcept {
  std::atomic<std::uint32_t>& poke = table().processes[process_].poke;
  while (!stopping_.load()) {
    const std::uint32_t seen = poke.load(std::memory_order_acquire);
    const bool waiting = tell_news();
    const timespec tick{0, std::chrono::nanoseconds(kTick).count()};
    if (stopping_.load()) return;
    ::syscall(SYS_futex, &poke, FUTEX_WAIT, seen, waiting ? &tick : nullptr, nullptr, 0);
  }
}

bool BudgetRegistry::tell_news() noexcept {
  struct News {
    Listener* listener;
    std::int32_t owed;
    bool may_claim;
  };
  const std::lock_guard lock(listeners_mutex_);
  std::vector<News> news;
  news.reserve(listeners_.size());
  bool waiting = false;
  with([&](BudgetLedger& ledger, BudgetTime at) {
    for (Listener* listener : listeners_) {
      waiting = waiting || ledger.account(listener->account()).wanting != 0;
    }
    if (waiting) {
      bury_the_dead(ledger, at);
      // One of all who wait does it for all.
      if (at - ledger.rebalanced_at() >= kRebalanceInterval.count()) ledger.rebalance(at);
    }
    for (Listener* listener : listeners_) {
      const BudgetIndex index = listener->account();
      news.push_back({listener, ledger.account(index).owed, ledger.could_claim(index, at)});
    }
  });
  for (const News& one : news) one.listener->on_news(one.owed, one.may_claim);
  return waiting;
}

}  // namespace switchyard::inline v0::fleet
