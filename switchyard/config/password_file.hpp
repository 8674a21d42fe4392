// ~/.pgpass: passwords by host, port, database and user (manual chapter 32.16). Internal.
#pragma once

#include <switchyard/base/secret.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::config {

struct PasswordQuery {
  std::string_view host;  ///< "localhost" for the default socket folder
  std::string_view port;
  std::string_view dbname;
  std::string_view user;
};

/// The first line of `contents` that matches, as libpq does it: '*' matches anything, '\' escapes ':' and '\'.
[[nodiscard]] std::optional<Secret> find_password(std::string_view contents, const PasswordQuery& query);

struct PasswordFile {
  std::optional<Secret> contents;
  std::string warning;  ///< why an existing file is not used
};

/// Reads a password file. A missing one is no warning; one that others may read is not used.
[[nodiscard]] PasswordFile read_password_file(const std::string& path);

}  // namespace switchyard::inline v0::config
