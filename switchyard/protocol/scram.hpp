// SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it: the client's side.
//
// The server must prove that it knows the password too: finish() checks its signature.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/protocol/scram_keys.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// Makes nonces: printable ASCII without commas. Empty: 18 bytes of OpenSSL's RAND_bytes in base64.
using NonceSource = std::function<std::string()>;

class SWITCHYARD_API ScramClient {
 public:
  /// GS2 channel binding flag (RFC 5802 section 6).
  enum class Binding : std::uint8_t {
    unsupported,  ///< "n": we can't
    not_offered,  ///< "y": we could, the server did not offer it
    end_point,    ///< "p=tls-server-end-point"
  };
  struct Options {
    Binding binding = Binding::unsupported;
    std::string certificate_hash;  ///< for Binding::end_point
    std::uint32_t max_iterations = kDefaultScramMaxIterations;
    NonceSource nonce;
    /// PostgreSQL has the name from the startup packet and wants none here.
    std::string user;
  };

  /// The password goes through SASLprep.
  ScramClient(const Secret& password, Options options);
  /// Without the password: these come from it by the server's salt and iterations, whatever those are.
  ScramClient(const ScramKeys& keys, Options options);

  /// client-first-message.
  [[nodiscard]] Result<std::string> start();
  /// server-first-message in, client-final-message out.
  [[nodiscard]] Result<std::string> respond(ByteView server_first);
  /// server-final-message: the server's signature or its error.
  [[nodiscard]] Result<void> finish(ByteView server_final);
  /// The server has proved itself.
  [[nodiscard]] bool finished() const noexcept { return state_ == State::finished; }

 private:
  enum class State : std::uint8_t { initial, first_sent, final_sent, finished, failed };

  Secret password_;
  std::optional<ScramKeys> keys_;  ///< instead of the password  ///< after SASLprep
  Options options_;
  State state_ = State::initial;
  std::string nonce_;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_signature_;
};

}  // namespace switchyard::inline v0::protocol
