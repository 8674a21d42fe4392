#include "detach.hpp"

#include <fcntl.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace switchyard::cli {

namespace {

Error system_error(const std::string& what) {
  return Error(ErrorKind::Unavailable, what + ": " + std::strerror(errno));
}

}  // namespace

Result<Detached> detach(const std::string& log_file) {
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log < 0) return system_error("can't write the log " + log_file);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::array<int, 2> ends{};
  if (nothing < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("can't go to the background");
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("can't go to the background");
  if (pid > 0) {
    ::close(ends[1]);
    ::close(log);
    ::close(nothing);
    return Detached{true, pid, ends[0]};
  }
  ::close(ends[0]);
  ::setsid();
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  return Detached{false, 0, ends[1]};
}

std::string program_name() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "switchyard";
  // On PATH it is called by its name alone.
  const char* path = std::getenv("PATH");
  const std::string folders = ":" + std::string(path == nullptr ? "" : path) + ":";
  if (folders.find(":" + self.parent_path().string() + ":") != std::string::npos) return self.filename().string();
  const std::filesystem::path relative = std::filesystem::relative(self, error);
  const bool shorter = !error && !relative.string().starts_with("../..");
  return shorter ? relative.string() : self.string();
}

}  // namespace switchyard::cli
