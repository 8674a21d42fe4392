// What a server stores of a password for SCRAM-SHA-256, in PostgreSQL's spelling (pg_authid.rolpassword).
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/protocol/crypto.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

struct SWITCHYARD_API ScramVerifier {
  std::uint32_t iterations = 4096;
  std::string salt;
  crypto::Digest stored_key{};
  crypto::Digest server_key{};

  /// Computes it from a password, which goes through SASLprep.
  [[nodiscard]] static ScramVerifier make(const Secret& password, std::string salt, std::uint32_t iterations);
  /// Reads "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey". The error does not repeat the text.
  [[nodiscard]] static Result<ScramVerifier> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

}  // namespace switchyard::inline v0::protocol
