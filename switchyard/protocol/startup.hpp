// From a fresh connection to ReadyForQuery: encryption, startup packet, authentication.
//
// The machine is fed events and answers each with one action; what is to be sent is in the WriteBuffer. Order of a
// connection attempt: start(), then on_bytes() / on_tls_started() / on_tls_failed() / on_password() as the actions
// ask. Passwords never appear in errors.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/response.hpp>
#include <switchyard/protocol/scram.hpp>
#include <switchyard/protocol/startup_options.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

enum class [[nodiscard]] StartupAction : std::uint8_t {
  wait,           ///< send what is in the buffer, then wait for bytes
  start_tls,      ///< do the TLS handshake, then on_tls_started() or on_tls_failed(). No byte is buffered
  need_password,  ///< the server wants a password and none was given: on_password()
  reconnect,      ///< close the connection, open another one to the same address, then start() again
  ready,          ///< ReadyForQuery came; the rest of the read buffer is the Pipeline's
  fail,           ///< see error(); close the connection
};

class SWITCHYARD_API StartupMachine {
 public:
  /// `out` belongs to the owner and outlives the machine. The random source of SCRAM's nonce can be replaced in
  /// tests.
  StartupMachine(StartupOptions options, base::WriteBuffer& out, NonceSource nonce = {});
  ~StartupMachine();
  StartupMachine(const StartupMachine&) = delete;
  StartupMachine& operator=(const StartupMachine&) = delete;

  /// The connection is open. Also after the action reconnect.
  StartupAction start() noexcept;
  StartupAction on_bytes(base::ReadBuffer& in, SessionEvents& events) noexcept;
  StartupAction on_tls_started(const TlsEndpoint& endpoint) noexcept;
  /// The handshake failed; with sslmode prefer the next attempt is in the clear.
  StartupAction on_tls_failed(const Error& error) noexcept;
  /// The answer to need_password; empty if there is none, which is an error.
  StartupAction on_password(const Secret& password) noexcept;
  /// The peer closed, or the deadline passed: makes the error say what was being waited for.
  StartupAction on_closed(const Error& error) noexcept;

  [[nodiscard]] const Error* error() const noexcept { return error_ ? &*error_ : nullptr; }

  // Valid after `ready`.
  [[nodiscard]] const BackendKey& backend_key() const noexcept { return key_; }
  [[nodiscard]] ProtocolVersion protocol_version() const noexcept { return version_; }
  [[nodiscard]] char transaction_status() const noexcept { return status_; }
  [[nodiscard]] bool used_tls() const noexcept { return tls_; }
  /// "trust" (nothing was asked), "password", "md5", "scram-sha-256", "scram-sha-256-plus".
  [[nodiscard]] std::string_view authentication_method() const noexcept { return method_; }
  /// The server asked for a password (libpq's PQconnectionUsedPassword).
  [[nodiscard]] bool used_password() const noexcept { return used_password_; }

 private:
  enum class State : std::uint8_t {
    closed,          ///< before start(), or after a result
    ssl_answer,      ///< SSLRequest sent
    tls_handshake,   ///< the owner does the handshake
    authentication,  ///< StartupMessage sent; the server says how we have to prove ourselves
    password,        ///< the owner looks for a password
    answered,        ///< a password was sent: AuthenticationOk or an error must follow
    sasl_first,      ///< SCRAM: client-first-message sent
    sasl_final,      ///< SCRAM: client-final-message sent
    sasl_done,       ///< SCRAM: the server has proved itself; AuthenticationOk must follow
    settings,        ///< AuthenticationOk came: settings and key until ReadyForQuery
    ready,
  };

  template <class F>
  StartupAction guarded(F&& f) noexcept;
  StartupAction attempt();
  StartupAction send_startup_message();
  StartupAction on_ssl_answer(base::ReadBuffer& in);
  StartupAction on_message(char type, ByteView body, SessionEvents& events);
  StartupAction on_setting(char type, ByteView body, SessionEvents& events);
  StartupAction on_authentication(ByteView body);
  StartupAction on_authentication_ok();
  StartupAction on_error_response(ByteView body);
  StartupAction on_negotiate(ByteView body);
  StartupAction authenticate();
  StartupAction send_cleartext();
  StartupAction send_md5();
  StartupAction send_sasl_first();
  StartupAction on_sasl_continue(ByteView data);
  StartupAction on_sasl_final(ByteView data);
  StartupAction reconnect(Error error);
  StartupAction fail(Error error);
  StartupAction refuse(std::string text);
  StartupAction violated(std::string text);
  [[nodiscard]] std::optional<Error> check_options() const;
  [[nodiscard]] std::string check_method(std::int32_t code) const;
  [[nodiscard]] bool tls_possible() const noexcept;
  [[nodiscard]] bool try_tls() const noexcept;
  [[nodiscard]] std::string_view waiting_for() const noexcept;

  StartupOptions options_;
  base::WriteBuffer& out_;
  NonceSource nonce_;
  State state_ = State::closed;
  bool tls_ = false;         ///< the connection is encrypted
  bool second_ = false;      ///< this is the second attempt of sslmode allow or prefer
  bool negotiated_ = false;  ///< NegotiateProtocolVersion came
  bool used_password_ = false;
  bool bound_ = false;  ///< SCRAM with channel binding
  bool has_key_ = false;
  char status_ = 'I';
  ProtocolVersion version_ = kProtocol30;
  std::size_t parameters_ = 0;
  std::string_view method_ = "trust";
  std::int32_t request_ = 0;  ///< the authentication request to be answered, and its data
  std::string request_data_;
  TlsEndpoint endpoint_;
  BackendKey key_;
  std::optional<ScramClient> scram_;
  std::optional<Error> first_error_;
  std::optional<Error> error_;
};

}  // namespace switchyard::inline v0::protocol
