// Who may log in at the gateway, and what their passwords are checked against. The file is PgBouncer's
// userlist.txt: one user a line, `"name" "secret"`, where the secret is a SCRAM verifier or an MD5 hash as in
// pg_authid.rolpassword, or a password in the clear; `;` and `#` begin comments, a quote within quotes is written
// twice. A user whose secret is empty can't log in by one.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/gateway/credential.hpp>
#include <switchyard/protocol/server_startup.hpp>

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

class SWITCHYARD_API UserList {
 public:
  /// Nobody.
  UserList();
  /// `name` is the file's, for errors: Config, with name and line, never with a secret. Passwords in the clear
  /// become SCRAM verifiers, about 2 ms each.
  [[nodiscard]] static Result<UserList> parse(std::string_view text, std::string_view name);

  /// How the user proves to be it. Who is not known is asked as well, and is never right: names can't be found out.
  [[nodiscard]] protocol::LoginMethod login_of(std::string_view user) const;
  /// It is in the list, be it without a secret.
  [[nodiscard]] bool names(std::string_view user) const { return named_.contains(user) || users_.contains(user); }
  /// Null: not in the list, or without a secret.
  [[nodiscard]] const Credential* find(std::string_view user) const;
  /// For somebody who does not exist.
  [[nodiscard]] protocol::LoginMethod disguise(std::string_view user) const;
  [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }

 private:
  std::map<std::string, Credential, std::less<>> users_;
  std::set<std::string, std::less<>> named_;  ///< those without a secret
  std::string disguise_;                      ///< makes the verifiers of those who don't exist
};

}  // namespace switchyard::inline v0::gateway
