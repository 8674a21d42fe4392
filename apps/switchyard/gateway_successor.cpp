#include "gateway_successor.hpp"

#include "running_fleet.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::cli {

namespace {

constexpr std::string_view kTakeover = "--takeover";

std::vector<std::string> own_command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

Result<std::string> handover_path(const std::string& application) {
  auto folder = state_folder();
  if (!folder.ok()) return folder;
  return *folder + "/" + file_stem(application) + ".handover";
}

Result<pid_t> start_successor() {
  std::vector<std::string> words = own_command_line();
  if (words.empty()) return Error(ErrorKind::Unavailable, "/proc/self/cmdline does not say how this was started");
  if (std::ranges::find(words, kTakeover) == words.end()) words.emplace_back(kTakeover);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = ::posix_spawnp(&pid, words[0].c_str(), nullptr, nullptr, arguments.data(), environ)) {
    return Error(ErrorKind::Unavailable, "can't start " + words[0] + ": " + std::strerror(error));
  }
  return pid;
}

bool successor_has_ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; }

}  // namespace switchyard::cli
