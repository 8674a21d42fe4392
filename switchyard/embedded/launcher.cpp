#include <switchyard/embedded/launcher.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace switchyard::inline v0::embedded {

namespace {

constexpr std::size_t kKeptOutput = 256 * 1024;
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{20};

/// Where a child failed before exec.
enum class Step : int { account, parent_gone, folder, exec };

struct Failure {
  Step step;
  int error;
};

/// Everything a child needs, laid out before the fork.
struct Prepared {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;
  const Account* account;
  int output;  ///< >= 10, or -1, and so the next two
  int errors;
  int input;
  int report;  ///< >= 10
  pid_t parent;
};

constexpr int kReport = 3;  // where the child keeps the report pipe

[[noreturn]] void give_up(Step step) noexcept {
  const Failure failure{step, errno};
  [[maybe_unused]] auto written = write(kReport, &failure, sizeof failure);
  _exit(127);
}

/// Runs in the child, between fork and exec: async-signal-safe calls only. Identity changes are raw system calls,
/// since glibc's wrappers talk to threads that do not exist here.
[[noreturn]] void become(const Prepared& spec) noexcept {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &standard, nullptr);

  // A session of its own: Ctrl-C on the terminal reaches us, not the servers, so that we stop them in order.
  setsid();
  dup3(spec.report, kReport, O_CLOEXEC);
  const int null = open("/dev/null", O_RDWR);
  dup2(spec.input >= 0 ? spec.input : null, STDIN_FILENO);
  dup2(spec.output >= 0 ? spec.output : null, STDOUT_FILENO);
  dup2(spec.errors >= 0 ? spec.errors : STDOUT_FILENO, STDERR_FILENO);
  if (syscall(SYS_close_range, kReport + 1, ~0U, 0) != 0) {
    for (int descriptor = kReport + 1; descriptor < 65536; ++descriptor) close(descriptor);
  }
  umask(S_IRWXG | S_IRWXO);

  if (spec.account != nullptr) {
    const Account& account = *spec.account;
    if (syscall(SYS_setgroups, account.groups.size(), account.groups.data()) != 0 ||
        syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
        syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0) {
      give_up(Step::account);
    }
  }
  // After the change of identity, which clears it. The parent may have died before: look again.
  prctl(PR_SET_PDEATHSIG, SIGINT);
  if (getppid() != spec.parent) give_up(Step::parent_gone);
  if (chdir(spec.folder) != 0) give_up(Step::folder);

  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(spec.program, spec.arguments, spec.environment);
  give_up(Step::exec);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::string text_of(int error) { return std::generic_category().message(error); }

Error describe(const LaunchSpec& spec, Failure failure) {
  const std::string who = spec.account ? "account '" + spec.account->name + "'" : "this account";
  switch (failure.step) {
    case Step::account: return Error(ErrorKind::Config, "cannot become " + who + ": " + text_of(failure.error));
    case Step::folder:
      return Error(ErrorKind::Config,
                   who + " cannot enter folder " + spec.working_folder + ": " + text_of(failure.error))
          .with_hint("choose a folder whose parents the account may enter, for example under /var/lib or /tmp");
    case Step::exec:
      return Error(ErrorKind::Config, who + " cannot execute " + spec.program + ": " + text_of(failure.error));
    case Step::parent_gone: break;
  }
  return Error(ErrorKind::Unavailable, "the process ended while it started " + spec.program);
}

/// A duplicate above the numbers that the child arranges by hand.
int duplicate_high(int descriptor) noexcept { return fcntl(descriptor, F_DUPFD_CLOEXEC, 10); }

Result<Process> fork_and_exec(const LaunchSpec& spec) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    return Error(ErrorKind::Unavailable, "cannot start " + spec.program + ": pipe: " + text_of(errno));
  }
  const int report = duplicate_high(pipe_ends[1]);
  const int output = spec.output >= 0 ? duplicate_high(spec.output) : -1;
  const int errors = spec.errors >= 0 ? duplicate_high(spec.errors) : -1;
  const int input = spec.input >= 0 ? duplicate_high(spec.input) : -1;
  close(pipe_ends[1]);

  std::vector<std::string> arguments{spec.program};
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<std::string> environment = spec.environment;
  auto argv = pointers(arguments);
  auto envp = pointers(environment);
  const Prepared prepared{.program = spec.program.c_str(),
                          .arguments = argv.data(),
                          .environment = envp.data(),
                          .folder = spec.working_folder.c_str(),
                          .account = spec.account ? &*spec.account : nullptr,
                          .output = output,
                          .errors = errors,
                          .input = input,
                          .report = report,
                          .parent = getpid()};

  const pid_t child = fork();
  if (child == 0) become(prepared);
  const int fork_error = errno;
  close(report);
  for (const int descriptor : {output, errors, input}) {
    if (descriptor >= 0) close(descriptor);
  }
  if (child < 0) {
    close(pipe_ends[0]);
    return Error(ErrorKind::Unavailable, "cannot start " + spec.program + ": fork: " + text_of(fork_error));
  }
  // The pipe closes on exec; before that, a failure comes through it.
  Failure failure{};
  ssize_t got = 0;
  do got = read(pipe_ends[0], &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  close(pipe_ends[0]);
  if (got == static_cast<ssize_t>(sizeof failure)) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    return describe(spec, failure);
  }
  return Process(child);
}

/// The thread that forks. Never ends and is never destroyed: that is its purpose.
class Launcher {
 public:
  static Launcher& instance() {
    static std::mutex guard;
    static Launcher* launcher = nullptr;
    std::lock_guard lock(guard);
    // A process that forked (a daemon) has the memory of its parent but not its launcher thread.
    if (launcher == nullptr || launcher->process_ != getpid()) launcher = new Launcher;
    return *launcher;
  }

  Result<Process> launch(const LaunchSpec& spec) {
    std::packaged_task<Result<Process>()> job([&spec] { return fork_and_exec(spec); });
    auto answer = job.get_future();
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
    return answer.get();
  }

 private:
  Launcher() : process_(getpid()) {
    // The new thread inherits this mask: signals of the process are for its other threads, and none may be
    // handled in a child before exec.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([this] { run(); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  [[noreturn]] void run() {
    prctl(PR_SET_NAME, "sy-launcher");
    for (;;) {
      std::packaged_task<Result<Process>()> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !jobs_.empty(); });
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job();
    }
  }

  pid_t process_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<Result<Process>()>> jobs_;
};

}  // namespace

std::vector<std::string> clean_environment(const std::string& home) {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "LC_ALL=C.UTF-8", "TZ=UTC"};
}

bool Process::running() noexcept {
  if (pid_ < 0 || ended_) return false;
  int status = 0;
  pid_t result = 0;
  do result = waitpid(pid_, &status, WNOHANG);
  while (result < 0 && errno == EINTR);
  if (result == 0) return true;
  ended_ = true;
  // ECHILD: the application ignores SIGCHLD or waits for every child; then the status is unknown.
  if (result < 0)
    exit_code_ = 0;
  else
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return false;
}

bool Process::wait_until(TimePoint deadline) noexcept {
  auto pause = kFirstPause;
  while (running()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return true;
}

void Process::signal(int number) noexcept {
  // Not reaped yet, so the number can't belong to another process.
  if (running()) kill(pid_, number);
}

Result<Process> launch(const LaunchSpec& spec) { return Launcher::instance().launch(spec); }

Result<std::string> run_program(LaunchSpec spec, TimePoint deadline) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    return Error(ErrorKind::Unavailable, "cannot start " + spec.program + ": pipe: " + text_of(errno));
  }
  spec.output = pipe_ends[1];
  auto started = launch(spec);
  close(pipe_ends[1]);
  if (!started.ok()) {
    close(pipe_ends[0]);
    return started.error();
  }
  Process process = *started;
  std::string output;
  bool late = false;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{.fd = pipe_ends[0], .events = POLLIN, .revents = 0};
    const int polled = left <= 0 ? 0 : poll(&ready, 1, static_cast<int>(std::min<long>(left, 1'000'000)));
    if (polled < 0 && errno == EINTR) continue;
    if (polled == 0) {
      late = true;
      break;
    }
    std::array<char, 16 * 1024> chunk;
    const ssize_t got = read(pipe_ends[0], chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    output.append(chunk.data(), static_cast<std::size_t>(got));
    if (output.size() > 2 * kKeptOutput) output.erase(0, output.size() - kKeptOutput);
  }
  close(pipe_ends[0]);
  if (late || !process.wait_until(deadline)) {
    process.signal(SIGKILL);
    (void)process.wait_until(kNever);
    return Error(ErrorKind::Deadline, spec.program + " did not finish in time; it printed:\n" + output);
  }
  if (process.exit_code() != 0) {
    return Error(ErrorKind::Unavailable,
                 spec.program + " failed with exit code " + std::to_string(process.exit_code()) + ":\n" + output);
  }
  return output;
}

}  // namespace switchyard::inline v0::embedded
