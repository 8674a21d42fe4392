#include <switchyard/http/port_owner.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

namespace switchyard::inline v0::http {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCommandLength = 80;

/// Inodes of the sockets that listen on the port: lines of /proc/net/tcp (proc(5)) with state 0A.
void collect_inodes(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    const std::size_t colon = local.rfind(':');
    if (state != "0A" || colon == std::string::npos) continue;
    unsigned found = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), found, 16);
    if (found == port) inodes.insert("socket:[" + inode + "]");
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    std::error_code unreadable;
    if (inodes.contains(fs::read_symlink(fd->path(), unreadable).string())) return true;
  }
  return false;
}

std::string command_of(const fs::path& process) {
  std::ifstream file(process / "cmdline", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\0') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (text.size() > kCommandLength) text = text.substr(0, kCommandLength - 3) + "...";
  return text;
}

}  // namespace

std::optional<PortOwner> find_port_owner(std::uint16_t port) {
  std::set<std::string> inodes;
  collect_inodes("/proc/net/tcp", port, inodes);
  collect_inodes("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    const std::string name = process->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!holds_one_of(process->path(), inodes)) continue;
    PortOwner owner;
    std::from_chars(name.data(), name.data() + name.size(), owner.pid);
    owner.command = command_of(process->path());
    return owner;
  }
  return PortOwner{};
}

std::string taken_message(const runtime::SocketAddress& address) {
  std::string message = "the port " + address.text() + " is taken";
  if (const auto owner = find_port_owner(address.port())) {
    message += owner->pid == 0 ? " by a process of another user"
                               : " by pid " + std::to_string(owner->pid) + " (" + owner->command + ")";
  }
  return message;
}

}  // namespace switchyard::inline v0::http
