// The operating system account that private servers run under.
#pragma once

#include <switchyard/base/result.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::embedded {

/// An account with all its groups, looked up before the fork: nothing that reads /etc/group may run after it.
struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

/// Which account the servers must run under. PostgreSQL refuses to run as root, so for root this is `wanted`, or
/// "postgres", or "nobody" where that does not exist; for everybody else it is nothing: servers run as the caller.
/// An unknown `wanted` is a Config error.
[[nodiscard]] Result<std::optional<Account>> server_account(std::string_view wanted);

}  // namespace switchyard::inline v0::embedded
