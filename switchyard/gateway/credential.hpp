// What is known of a user's password. Internal to the room.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/protocol/server_startup.hpp>

#include <string_view>

namespace switchyard::inline v0::gateway {

struct Credential {
  /// As pg_authid.rolpassword, or in the clear. Empty: no password is right.
  Secret stored;
  /// How the user proves it: MD5 for an MD5 hash, else SCRAM.
  protocol::LoginMethod method;

  /// A password that can be sent to a server, not a hash of one.
  [[nodiscard]] bool is_password() const noexcept;
};

/// A password in the clear becomes a SCRAM verifier, which takes 2 ms. The error does not repeat the secret.
[[nodiscard]] Result<Credential> make_credential(Secret stored);

}  // namespace switchyard::inline v0::gateway
