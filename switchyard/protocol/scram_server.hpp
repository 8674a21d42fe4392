// SCRAM-SHA-256 (RFC 5802, RFC 7677): the server's side, from a stored verifier.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/protocol/scram.hpp>
#include <switchyard/protocol/scram_verifier.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::protocol {

class SWITCHYARD_API ScramServer {
 public:
  struct Options {
    bool plus = false;             ///< the client chose SCRAM-SHA-256-PLUS
    bool plus_offered = false;     ///< it was offered: then a client that says "y" has been lied to
    std::string certificate_hash;  ///< for plus
    NonceSource nonce;
    /// Of other passwords that are right as well, with salt and iterations of the first.
    std::vector<ScramVerifier> others;
  };
  ScramServer(ScramVerifier verifier, Options options);

  /// client-first-message in, server-first-message out.
  [[nodiscard]] Result<std::string> start(ByteView client_first);
  /// client-final-message in, server-final-message out. An error means: refuse the client.
  [[nodiscard]] Result<std::string> finish(ByteView client_final);
  /// After a success: what the client has shown to have, for a login elsewhere with the same verifier.
  [[nodiscard]] const ScramKeys& keys() const noexcept { return keys_; }

 private:
  enum class State : std::uint8_t { initial, challenged, finished, failed };
  ScramVerifier verifier_;
  Options options_;
  State state_ = State::initial;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string nonce_;
  ScramKeys keys_;
};

}  // namespace switchyard::inline v0::protocol
