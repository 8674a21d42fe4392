// Where a private server listens.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::embedded {

/// One database of one server, and the user to connect as. On the Unix socket nobody is asked for a password; over
/// TCP the superuser has one.
struct ServerEndpoint {
  std::string host;  ///< the socket folder (it begins with '/'), or 127.0.0.1
  std::uint16_t port = 0;
  std::string database;
  std::string user;
  Secret password;  ///< empty on the socket

  /// "host=/tmp/sy-Ab12cd/run port=5432 dbname=main user=postgres", with the password if there is one.
  [[nodiscard]] SWITCHYARD_API std::string keywords() const;
  /// "postgresql://postgres@/main?host=/tmp/sy-Ab12cd/run&port=5432", with the password if there is one.
  [[nodiscard]] SWITCHYARD_API std::string uri() const;
};

}  // namespace switchyard::inline v0::embedded
