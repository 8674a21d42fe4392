#include <switchyard/session/password_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::session {
namespace {

constexpr std::size_t kLongestPassword = 1024;

}  // namespace

Secret read_password(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {};
  std::array<char, kLongestPassword + 2> bytes{};
  const ssize_t size = ::read(descriptor, bytes.data(), bytes.size());
  ::close(descriptor);
  if (size <= 0) return {};
  std::string text(bytes.data(), static_cast<std::size_t>(size));
  bytes.fill('\0');
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.size() > kLongestPassword) text.clear();
  return Secret(std::move(text));
}

std::vector<Secret> password_candidates(const std::string& file) {
  std::vector<Secret> all;
  for (const char* suffix : {"", kNextPassword, kPreviousPassword}) {
    Secret password = read_password(file + suffix);
    if (password.empty() || std::ranges::find(all, password) != all.end()) continue;
    all.push_back(std::move(password));
  }
  return all;
}

}  // namespace switchyard::inline v0::session
