#include <switchyard/gateway/kept_passwords.hpp>

#include <switchyard/protocol/scram_verifier.hpp>
#include <switchyard/session/password_file.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// Only its owner reads it: as a password file has to be.
bool is_private(const std::string& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

bool is_younger(const std::string& file, Duration age) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return false;
  return std::chrono::seconds(std::time(nullptr) - status.st_mtime) <= age;
}

}  // namespace

std::string KeptPasswords::file_of(std::string_view user) const {
  const bool plain =
      !user.empty() && user.front() != '.' && user.find('/') == std::string_view::npos && user != stranger_;
  return folder_.empty() || !plain ? std::string() : folder_ + "/" + std::string(user);
}

std::vector<Secret> KeptPasswords::passwords_of(const std::string& file) const {
  std::vector<Secret> all;
  const auto add = [&](const std::string& path) {
    if (!is_private(path)) return;
    Secret password = session::read_password(path);
    if (!password.empty() && std::ranges::find(all, password) == all.end()) all.push_back(std::move(password));
  };
  add(file);
  add(file + session::kNextPassword);
  if (is_younger(file + session::kPreviousPassword, grace_)) add(file + session::kPreviousPassword);
  return all;
}

std::shared_ptr<const Credential> KeptPasswords::find(std::string_view user) {
  const std::string file = file_of(user);
  // A neighbour of a file is nobody's name.
  if (file.empty() || user.ends_with(session::kNextPassword) || user.ends_with(session::kPreviousPassword))
    return nullptr;
  std::vector<Secret> passwords = passwords_of(file);
  const std::scoped_lock lock(mutex_);
  const auto known = entries_.find(user);
  if (passwords.empty()) {
    if (known != entries_.end()) entries_.erase(known);
    return nullptr;
  }
  if (known != entries_.end() && known->second.passwords == passwords) return known->second.credential;
  Result<Credential> made = make_credential(passwords.front());
  if (!made.ok()) return nullptr;
  if (auto* scram = std::get_if<protocol::ScramLogin>(&made->method)) {
    for (std::size_t i = 1; i < passwords.size(); ++i) {
      scram->others.push_back(
          protocol::ScramVerifier::make(passwords[i], scram->verifier.salt, scram->verifier.iterations));
    }
  }
  auto credential = std::make_shared<const Credential>(*std::move(made));
  entries_.insert_or_assign(std::string(user), Entry{std::move(passwords), credential});
  return credential;
}

}  // namespace switchyard::inline v0::gateway
