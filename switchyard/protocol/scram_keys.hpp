// What SCRAM makes of a password, its salt and its iterations (RFC 5802 section 3). Whoever has these can log in
// wherever the same verifier is stored, without the password.
#pragma once

#include <switchyard/protocol/crypto.hpp>

namespace switchyard::inline v0::protocol {

struct ScramKeys {
  crypto::Digest client{};
  crypto::Digest server{};
  friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

}  // namespace switchyard::inline v0::protocol
