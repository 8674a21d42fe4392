// The server's side of a connection's beginning, without sockets and clock: what a client sends before its first
// query (manual chapters 55.2.1 and 55.2.11), encryption, log-in, and the first answers. The counterpart of
// startup.hpp.
//
// The owner sends what is in the outgoing buffer after every call, and does what the action says. Who may log in
// and how is the owner's decision, and so is what a session is.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/protocol/scram_server.hpp>
#include <switchyard/protocol/scram_verifier.hpp>
#include <switchyard/protocol/startup_options.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0::protocol {

struct StartupMessage;

/// What the owner does next.
enum class ServerStartupAction : std::uint8_t {
  wait,       ///< for more bytes
  start_tls,  ///< as the server; then on_tls_started(), or the connection is closed
  cancel,     ///< cancel_key() asks to cancel; nothing is answered, the connection is closed
  decide,     ///< login() is known: decide() or refuse(); nothing is read meanwhile
  admit,      ///< the client is who it says: admit() or refuse(); nothing is read meanwhile
  fail,       ///< error() says why; what is to be sent has been appended, then the connection is closed
};

/// What the client asked for.
struct LoginRequest {
  std::uint32_t version = 0;  ///< major << 16 | minor, as negotiated
  std::string user;
  std::string database;  ///< the user's name unless given
  /// Everything else in its order: application_name, options, settings.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// How a client proves who it is.
struct TrustLogin {};
struct Md5Login {
  Secret stored;  ///< "md5" and the hash of password and user name, as pg_authid.rolpassword
};
struct ScramLogin {
  ScramVerifier verifier;  ///< of nobody, for users that don't exist: they must look like the others
  /// Of other passwords that are right as well, with salt and iterations of the first.
  std::vector<ScramVerifier> others = {};
};
/// The password itself, in the clear on the wire.
struct PasswordLogin {
  Secret stored;                    ///< as pg_authid.rolpassword, or in the clear; empty: no password is right
  std::vector<Secret> others = {};  ///< that are right as well
};
using LoginMethod = std::variant<TrustLogin, Md5Login, ScramLogin, PasswordLogin>;

/// What a client has shown while it logged in, with which one can log in elsewhere in its name.
struct LoginProof {
  std::optional<ScramKeys> keys;
  Secret password;
};

//  packet ─SSLRequest─► encrypting ─on_tls_started─► packet            (each request once, nothing behind it)
//    │  └─CancelRequest─► done (action cancel)
//    └─StartupMessage─► deciding ─decide─► challenged (─► proving for SCRAM) ─► admitting ─admit─► done
//  refuse(), on_timeout(), anything malformed: failed (from anywhere but done)
class SWITCHYARD_API ServerStartupMachine {
 public:
  struct Options {
    bool tls = false;  ///< TLS is offered, also without an SSLRequest in front
    /// Empty: OpenSSL's generator.
    std::function<std::optional<std::string>(std::size_t size)> random;
  };

  /// `out` belongs to the owner and outlives the machine.
  ServerStartupMachine(Options options, base::WriteBuffer& out);
  /// For a connection that moves: send_to() says where it is now.
  ServerStartupMachine(ServerStartupMachine&&) noexcept = default;
  ServerStartupMachine(const ServerStartupMachine&) = delete;
  ServerStartupMachine& operator=(const ServerStartupMachine&) = delete;
  void send_to(base::WriteBuffer& out) noexcept { out_ = out; }

  /// Consumes what it understands; the rest stays.
  [[nodiscard]] ServerStartupAction on_bytes(base::ReadBuffer& in) noexcept;
  /// `endpoint.certificate_hash` is that of the own certificate, for SCRAM-SHA-256-PLUS; empty: not offered.
  [[nodiscard]] ServerStartupAction on_tls_started(TlsEndpoint endpoint) noexcept;
  [[nodiscard]] ServerStartupAction decide(LoginMethod method) noexcept;
  /// The first answers of a session: settings, the key for cancel requests (4 bytes below protocol 3.2), ready.
  void admit(std::span<const std::pair<std::string, std::string>> parameters, const BackendKey& key) noexcept;
  /// Says why not, as FATAL.
  [[nodiscard]] ServerStartupAction refuse(ServerFields fields) noexcept;
  /// The client took too long.
  [[nodiscard]] ServerStartupAction on_timeout() noexcept;

  /// The handshake begins with what has been received: there was no SSLRequest.
  [[nodiscard]] bool direct_tls() const noexcept { return direct_tls_; }
  [[nodiscard]] bool encrypted() const noexcept { return tls_.has_value(); }
  [[nodiscard]] const LoginRequest& login() const noexcept { return login_; }
  [[nodiscard]] const BackendKey& cancel_key() const noexcept { return cancel_key_; }
  /// Once the client is who it says; may be taken once.
  [[nodiscard]] LoginProof take_proof() noexcept { return std::exchange(proof_, {}); }
  /// Bytes of the key for cancel requests that the client expects.
  [[nodiscard]] std::size_t cancel_key_size() const noexcept;
  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
  /// Set once the machine has failed: what the client was told, or would have been told. Null as well when not even
  /// that found memory.
  [[nodiscard]] const ServerFields* error() const noexcept { return error_.get(); }

 private:
  enum class State : std::uint8_t { packet, encrypting, deciding, challenged, proving, admitting, done, failed };

  [[nodiscard]] ServerStartupAction on_packet(base::ReadBuffer& in);
  [[nodiscard]] ServerStartupAction on_encryption_request(base::ReadBuffer& in, bool ssl);
  [[nodiscard]] ServerStartupAction on_startup_message(const StartupMessage& message);
  [[nodiscard]] ServerStartupAction on_proof(ByteView body);
  [[nodiscard]] ServerStartupAction on_md5(ByteView body);
  [[nodiscard]] ServerStartupAction on_password(ByteView body);
  [[nodiscard]] ServerStartupAction on_sasl_initial(ByteView body);
  [[nodiscard]] ServerStartupAction on_sasl_response(ByteView body);
  [[nodiscard]] ServerStartupAction scram_failed(const Error& error);
  [[nodiscard]] ServerStartupAction authenticated();
  [[nodiscard]] ServerStartupAction wrong_password();
  [[nodiscard]] ServerStartupAction reject(std::string_view sqlstate, std::string message, std::string detail = {});
  /// The same, and the client is not told: it speaks something else.
  [[nodiscard]] ServerStartupAction hang_up(std::string message);
  [[nodiscard]] std::optional<std::string> random(std::size_t size) const;
  template <class F>
  [[nodiscard]] ServerStartupAction guarded(F body) noexcept;

  Options options_;
  std::reference_wrapper<base::WriteBuffer> out_;
  State state_ = State::packet;
  bool ssl_asked_ = false;
  bool gss_asked_ = false;
  bool direct_tls_ = false;
  std::optional<TlsEndpoint> tls_;
  LoginRequest login_;
  BackendKey cancel_key_;
  LoginMethod method_;
  LoginProof proof_;
  std::string salt_;  ///< of md5
  std::optional<ScramServer> scram_;
  bool scram_begun_ = false;             ///< the client's first message has been answered
  std::unique_ptr<ServerFields> error_;  ///< large and rare
};

}  // namespace switchyard::inline v0::protocol
