// What a connection asks for before it is ready, as values. Spellings and meaning are libpq's.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/protocol/scram_keys.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::protocol {

enum class SslMode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };
enum class SslNegotiation : std::uint8_t { postgres, direct };
/// `require` is refused: GSSAPI encryption is not built in. `prefer` is `disable`.
enum class GssEncMode : std::uint8_t { disable, prefer, require };
enum class ChannelBinding : std::uint8_t { disable, prefer, require };

/// major << 16 | minor.
using ProtocolVersion = std::uint32_t;
inline constexpr ProtocolVersion kProtocol30 = 3U << 16;
inline constexpr ProtocolVersion kProtocol32 = 3U << 16 | 2U;

// Parsers of option values. The error names the option and lists what is allowed.
[[nodiscard]] SWITCHYARD_API Result<SslMode> parse_ssl_mode(std::string_view text);
[[nodiscard]] SWITCHYARD_API Result<SslNegotiation> parse_ssl_negotiation(std::string_view text);
[[nodiscard]] SWITCHYARD_API Result<GssEncMode> parse_gss_enc_mode(std::string_view text);
[[nodiscard]] SWITCHYARD_API Result<ChannelBinding> parse_channel_binding(std::string_view text);
/// "3.0", "3.2" or "latest" (3.2).
[[nodiscard]] SWITCHYARD_API Result<ProtocolVersion> parse_protocol_version(std::string_view option,
                                                                            std::string_view text);
[[nodiscard]] SWITCHYARD_API std::string_view to_string(SslMode mode) noexcept;
/// "3.0".
[[nodiscard]] SWITCHYARD_API std::string to_string_version(ProtocolVersion version);

/// libpq's require_auth: the ways in which the server may authenticate us.
class SWITCHYARD_API RequiredAuth {
 public:
  enum Method : std::uint16_t {
    none = 1 << 0,  ///< the server asks for nothing (trust, peer, certificate)
    password = 1 << 1,
    md5 = 1 << 2,
    gss = 1 << 3,
    sspi = 1 << 4,
    scram_sha_256 = 1 << 5,
    oauth = 1 << 6,
  };
  /// Everything is allowed.
  RequiredAuth() noexcept = default;
  /// A comma-separated list such as "scram-sha-256,md5", or only negations such as "!password,!none".
  [[nodiscard]] static Result<RequiredAuth> parse(std::string_view text);
  [[nodiscard]] bool allows(Method method) const noexcept { return (allowed_ & method) != 0; }
  [[nodiscard]] bool restricted() const noexcept { return allowed_ != kAll; }
  /// The option as it was written, for errors.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  static constexpr std::uint16_t kAll = 0x7f;
  std::uint16_t allowed_ = kAll;
  std::string text_;
};

struct StartupOptions {
  std::string user;
  std::string database;  ///< empty: the server takes the user's name
  /// Used if the server asks. Without it the machine answers need_password.
  std::optional<Secret> password;
  /// For SCRAM instead of the password.
  std::optional<ScramKeys> scram_keys;
  /// Further startup parameters (application_name, client_encoding, options, replication ...).
  std::vector<std::pair<std::string, std::string>> parameters;

  SslMode ssl_mode = SslMode::prefer;
  SslNegotiation ssl_negotiation = SslNegotiation::postgres;
  GssEncMode gss_enc_mode = GssEncMode::disable;
  /// Over a Unix socket there is no TLS, whatever ssl_mode says.
  bool unix_socket = false;
  ChannelBinding channel_binding = ChannelBinding::prefer;
  RequiredAuth require_auth;
  ProtocolVersion min_protocol_version = kProtocol30;
  ProtocolVersion max_protocol_version = kProtocol30;
  std::uint32_t scram_max_iterations = kDefaultScramMaxIterations;
};

/// What the TLS layer knows once its handshake is done.
struct TlsEndpoint {
  /// Hash of the server's certificate for SCRAM's channel binding tls-server-end-point (RFC 5929): by the
  /// certificate's signature hash, SHA-256 instead of MD5 and SHA-1. Empty if the certificate has none.
  std::string certificate_hash;
  /// The protocol agreed on by ALPN, or empty.
  std::string alpn;
};

/// What a CancelRequest needs.
struct BackendKey {
  std::int32_t process_id = 0;
  std::string secret;  ///< 4 bytes in protocol 3.0, up to 256 in 3.2
};

}  // namespace switchyard::inline v0::protocol
