#include <switchyard/embedded/account.hpp>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace switchyard::inline v0::embedded {

namespace {

constexpr int kMostGroups = 1024;  // more than any sane account has; NGROUPS_MAX is 65536

std::optional<Account> look_up(const std::string& name) {
  std::vector<char> memory(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) != 0 || found == nullptr) return {};
  Account account{.name = name, .uid = found->pw_uid, .gid = found->pw_gid, .groups = {}};
  account.groups.resize(kMostGroups);
  int count = kMostGroups;
  if (getgrouplist(name.c_str(), account.gid, account.groups.data(), &count) < 0) count = 0;
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

}  // namespace

Result<std::optional<Account>> server_account(std::string_view wanted) {
  if (geteuid() != 0) return std::optional<Account>{};
  if (!wanted.empty()) {
    auto account = look_up(std::string(wanted));
    if (!account)
      return Error(ErrorKind::Config, "there is no account '" + std::string(wanted) + "' to run PostgreSQL");
    if (account->uid == 0) {
      return Error(ErrorKind::Config, "PostgreSQL refuses to run as '" + account->name + "' (uid 0)")
          .with_hint("choose another account, for example postgres");
    }
    return account;
  }
  for (const char* name : {"postgres", "nobody"}) {
    if (auto account = look_up(name); account && account->uid != 0) return account;
  }
  return Error(ErrorKind::Config,
               "PostgreSQL refuses to run as root and there is no account 'postgres' or 'nobody'")
      .with_hint("run this as another user, or: adduser --system --group postgres");
}

}  // namespace switchyard::inline v0::embedded
