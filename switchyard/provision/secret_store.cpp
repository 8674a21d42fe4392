#include <switchyard/provision/secret_store.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/session/password_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace switchyard::inline v0::provision {

namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kPasswordLength = 32;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;

Error failed(const std::string& what, const std::string& path) {
  return Error(ErrorKind::Config, what + " " + path + ": " + std::strerror(errno))
      .with_hint("provision.secrets says where passwords are kept");
}

std::string folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<void> make_folder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), error);
  if (::mkdir(folder.c_str(), kPrivateFolder) != 0 && errno != EEXIST) return failed("can't make", folder);
  return {};
}

/// The names in a folder are on disk.
void settle(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return failed("can't rename to", to);
  settle(folder_of(to));
  return {};
}

}  // namespace

Result<Secret> make_password() {
  std::string password;
  while (password.size() < kPasswordLength) {
    const auto bytes = protocol::crypto::random_bytes(kPasswordLength);
    if (!bytes) return Error(ErrorKind::Unavailable, "OpenSSL has no random bytes");
    for (const char byte : *bytes) {
      // Values above the last whole multiple would make some letters likelier than others.
      const auto value = static_cast<unsigned char>(byte);
      if (value < 256 / kLetters.size() * kLetters.size() && password.size() < kPasswordLength) {
        password += kLetters[value % kLetters.size()];
      }
    }
  }
  return Secret(std::move(password));
}

std::optional<Secret> kept_password(const std::string& file) {
  Secret password = session::read_password(file);
  if (password.empty()) return std::nullopt;
  return password;
}

Result<void> keep_password(const std::string& file, const Secret& password) {
  SY_TRY(make_folder(folder_of(file)));
  const std::string fresh = file + ".tmp" + std::to_string(::getpid());
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kPrivateFile);
  if (descriptor < 0) return failed("can't write", fresh);
  const std::string text = password.reveal() + "\n";
  const bool written = ::fchmod(descriptor, kPrivateFile) == 0 &&
                       ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!written) {
    const Error error = failed("can't write", fresh);
    ::unlink(fresh.c_str());
    return error;
  }
  return rename_file(fresh, file);
}

bool is_proposed(const std::string& file) { return kept_password(file + session::kNextPassword).has_value(); }

Result<Secret> propose_password(const std::string& file) {
  const std::string next = file + session::kNextPassword;
  if (auto left = kept_password(next)) return *std::move(left);
  auto password = make_password();
  if (!password.ok()) return password.error();
  SY_TRY(keep_password(next, *password));
  return password;
}

Result<void> adopt_password(const std::string& file) {
  // A copy, not a rename: FILE is there at every moment.
  if (const auto old = kept_password(file)) SY_TRY(keep_password(file + session::kPreviousPassword, *old));
  return rename_file(file + session::kNextPassword, file);
}

}  // namespace switchyard::inline v0::provision
