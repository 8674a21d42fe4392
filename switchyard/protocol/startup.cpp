#include <switchyard/protocol/startup.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/authentication.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

constexpr std::string_view kScram = "SCRAM-SHA-256";
constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";
constexpr std::string_view kAlpn = "postgresql";

/// Nobody is authenticated yet, so everything is short.
constexpr FrameLimits make_limits() {
  FrameLimits limits{};
  limits['R'] = limits['v'] = kMaxAuthenticationSize;
  limits['E'] = limits['N'] = limits['S'] = kMaxShortMessageSize;
  limits['K'] = 4 + 4 + kMaxCancelKeySize;
  limits['Z'] = 4 + 1;
  return limits;
}
constinit const FrameLimits kLimits = make_limits();

bool has_nul(std::string_view text) noexcept { return text.find('\0') != std::string_view::npos; }

Error config_error(std::string text) { return Error(ErrorKind::Config, std::move(text), ErrorStage::connecting); }

const Error& out_of_memory() {
  static const Error error(ErrorKind::Unavailable, "out of memory while connecting", ErrorStage::connecting);
  return error;
}

/// Errors that another encryption may cure: pg_hba.conf said no (class 28), or a pooler that reports everything as
/// a protocol violation (class 08).
bool may_depend_on_encryption(const ServerFields& fields) noexcept {
  return fields.sqlstate.starts_with("28") || fields.sqlstate.starts_with("08");
}

std::string_view request_name(std::int32_t code) noexcept {
  switch (code) {
    case Authentication::KerberosV5: return "Kerberos 5";
    case Authentication::SCMCredential: return "SCM credential";
    case Authentication::GSS:
    case Authentication::GSSContinue: return "GSSAPI";
    case Authentication::SSPI: return "SSPI";
    default: return {};
  }
}

}  // namespace

StartupMachine::StartupMachine(StartupOptions options, base::WriteBuffer& out, NonceSource nonce)
    : options_(std::move(options)), out_(out), nonce_(std::move(nonce)) {
  (void)out_of_memory();
}
StartupMachine::~StartupMachine() = default;

template <class F>
StartupAction StartupMachine::guarded(F&& f) noexcept {
  try {
    const StartupAction action = f();
    if (out_.failed()) return fail(out_of_memory());
    return action;
  } catch (const std::bad_alloc&) {
    return fail(out_of_memory());
  }
}

// ---- Encryption -----------------------------------------------------------------------------------------------
//
//   start ──(sslmode)──┬─ SSLRequest → ssl_answer ─'S'→ tls_handshake ─┬→ StartupMessage → authentication
//                      ├─ direct ────────────────────→ tls_handshake ─┘          ↑
//                      └─ in the clear ──────────────────────────────────────────┘   'N' leads there with prefer
//
// sslmode allow begins in the clear and tries TLS second, prefer the other way round; a second attempt is a new
// connection.

bool StartupMachine::tls_possible() const noexcept {
  return !options_.unix_socket && options_.ssl_mode != SslMode::disable;
}

bool StartupMachine::try_tls() const noexcept {
  if (!tls_possible()) return false;
  if (options_.ssl_mode == SslMode::allow) return second_;
  if (options_.ssl_mode == SslMode::prefer) return !second_;
  return true;
}

std::optional<Error> StartupMachine::check_options() const {
  if (options_.user.empty()) return config_error("no PostgreSQL user name specified");
  if (options_.gss_enc_mode == GssEncMode::require) {
    return config_error("gssencmode=require is not supported: there is no GSSAPI encryption in this build");
  }
  if (options_.ssl_negotiation == SslNegotiation::direct && !options_.unix_socket &&
      options_.ssl_mode < SslMode::require) {
    return config_error("weak sslmode \"" + std::string(to_string(options_.ssl_mode)) +
                        "\" may not be used with sslnegotiation=direct (use \"require\", \"verify-ca\", or "
                        "\"verify-full\")");
  }
  if (options_.min_protocol_version > options_.max_protocol_version) {
    return config_error("min_protocol_version is greater than max_protocol_version");
  }
  if (has_nul(options_.user)) return config_error("the user name holds a zero byte");
  if (has_nul(options_.database)) return config_error("the database name holds a zero byte");
  for (const auto& [name, value] : options_.parameters) {
    if (name.empty()) return config_error("a startup parameter has no name");
    if (has_nul(name) || has_nul(value)) return config_error("a startup parameter holds a zero byte");
  }
  return std::nullopt;
}

StartupAction StartupMachine::start() noexcept {
  return guarded([this] {
    if (auto problem = check_options()) return fail(std::move(*problem));
    return attempt();
  });
}

StartupAction StartupMachine::attempt() {
  out_.clear();
  tls_ = negotiated_ = used_password_ = bound_ = has_key_ = false;
  parameters_ = 0;
  method_ = "trust";
  endpoint_ = {};
  key_ = {};
  scram_.reset();
  version_ = options_.max_protocol_version;
  if (!try_tls()) return send_startup_message();
  if (options_.ssl_negotiation == SslNegotiation::direct) {
    state_ = State::tls_handshake;
    return StartupAction::start_tls;
  }
  (void)encode(out_, SslRequest());
  state_ = State::ssl_answer;
  return StartupAction::wait;
}

StartupAction StartupMachine::on_ssl_answer(base::ReadBuffer& in) {
  const char answer = in.readable().front();
  switch (answer) {
    case 'S':
      // Whatever follows was sent by somebody who did not wait for the handshake: never to be taken for TLS data.
      if (in.size() > 1) return violated("received unencrypted data after SSL response");
      in.consume(1);
      state_ = State::tls_handshake;
      return StartupAction::start_tls;
    case 'N':
      in.consume(1);
      if (in.size() > 0) return violated("received unexpected data after SSL response");
      if (options_.ssl_mode == SslMode::prefer) return send_startup_message();
      if (options_.ssl_mode == SslMode::allow && first_error_) return fail(*first_error_);
      return refuse("server does not support SSL, but SSL was required (sslmode=" +
                    std::string(to_string(options_.ssl_mode)) + ")");
    case 'E':
      // The text comes from somebody unauthenticated and is never shown (CVE-2024-10977).
      return violated("server sent an error response during SSL exchange");
    default: return violated("received invalid response to SSL negotiation: " + show_type(answer));
  }
}

StartupAction StartupMachine::on_tls_started(const TlsEndpoint& endpoint) noexcept {
  return guarded([&] {
    if (state_ != State::tls_handshake) return violated("TLS was not asked for");
    if (options_.ssl_negotiation == SslNegotiation::direct && endpoint.alpn != kAlpn) {
      return violated("direct SSL connection was established without ALPN protocol negotiation extension");
    }
    if (!endpoint.alpn.empty() && endpoint.alpn != kAlpn) {
      return violated("SSL connection was established with unexpected ALPN protocol");
    }
    tls_ = true;
    endpoint_ = endpoint;
    return send_startup_message();
  });
}

StartupAction StartupMachine::on_tls_failed(const Error& error) noexcept {
  return guarded([&] {
    if (options_.ssl_mode == SslMode::prefer && !second_) return reconnect(error);
    return fail(error);
  });
}

StartupAction StartupMachine::send_startup_message() {
  StartupMessage message;
  message.version = version_;
  message.parameters.emplace_back("user", options_.user);
  if (!options_.database.empty()) message.parameters.emplace_back("database", options_.database);
  for (const auto& [name, value] : options_.parameters) message.parameters.emplace_back(name, value);
  if (!encode(out_, message)) {
    return fail(config_error("the startup parameters take more than the " + std::to_string(kMaxStartupPacketSize) +
                             " bytes that PostgreSQL accepts"));
  }
  state_ = State::authentication;
  return StartupAction::wait;
}

// ---- Messages -------------------------------------------------------------------------------------------------

StartupAction StartupMachine::on_bytes(base::ReadBuffer& in, SessionEvents& events) noexcept {
  return guarded([&] {
    for (;;) {
      switch (state_) {
        case State::closed:
        case State::ready: return violated("bytes came after the end of the startup");
        case State::tls_handshake: return violated("received unencrypted data before the TLS handshake");
        case State::password: return StartupAction::need_password;
        case State::ssl_answer: return in.size() == 0 ? StartupAction::wait : on_ssl_answer(in);
        default: break;
      }
      const Frame frame = next_frame(in.readable(), kLimits);
      if (frame.status == FrameStatus::incomplete) return StartupAction::wait;
      if (frame.status != FrameStatus::complete) {
        if (state_ == State::authentication && frame.status == FrameStatus::unknown_type) {
          return violated("expected authentication request from server, but received " + show_type(frame.type));
        }
        return fail(frame_error(frame, kLimits, kMaxMessageSize).with_stage(ErrorStage::connecting));
      }
      const StartupAction action = on_message(frame.type, frame.body, events);
      in.consume(frame.total);
      if (action != StartupAction::wait) return action;
    }
  });
}

StartupAction StartupMachine::on_message(char type, ByteView body, SessionEvents& events) {
  if (type == 'E') return on_error_response(body);
  if (state_ == State::settings) return on_setting(type, body, events);
  if (type == 'R') return on_authentication(body);
  if (type == 'v' && state_ == State::authentication) return on_negotiate(body);
  return violated("unexpected message " + show_type(type) + " while waiting for " + std::string(waiting_for()));
}

StartupAction StartupMachine::on_error_response(ByteView body) {
  auto fields = decode_error_fields(body);
  if (!fields.ok()) return fail(fields.error().with_stage(ErrorStage::connecting));
  const bool other_encryption =
      state_ != State::settings && tls_possible() && !second_ && may_depend_on_encryption(*fields) &&
      ((options_.ssl_mode == SslMode::allow && !tls_) || (options_.ssl_mode == SslMode::prefer && tls_));
  Error error = Error(std::move(*fields), ErrorStage::connecting).with_session_lost();
  return other_encryption ? reconnect(std::move(error)) : fail(std::move(error));
}

StartupAction StartupMachine::on_negotiate(ByteView body) {
  if (negotiated_) return violated("received duplicate protocol negotiation message");
  negotiated_ = true;
  const auto message = NegotiateProtocolVersion::decode(body);
  if (!message.ok()) return fail(message.error().with_stage(ErrorStage::connecting));
  constexpr std::string_view kInvalid = "received invalid protocol negotiation message: ";
  const ProtocolVersion theirs = message->version;
  if (theirs > version_) {
    return violated(std::string(kInvalid) + "server requested downgrade to a higher-numbered version");
  }
  if (theirs < kProtocol30)
    return violated(std::string(kInvalid) + "server requested downgrade to pre-3.0 version");
  if (theirs == kProtocol30 + 1) {
    return violated(std::string(kInvalid) + "server requested downgrade to non-existent version 3.1");
  }
  if (theirs == version_ && message->unsupported.empty()) {
    return violated(std::string(kInvalid) + "server negotiated but asks for no changes");
  }
  if (!message->unsupported.empty()) {
    // We never ask for _pq_. options unless a startup parameter names them.
    for (const std::string_view name : message->unsupported) {
      const bool asked =
          std::ranges::any_of(options_.parameters, [&](const auto& entry) { return entry.first == name; });
      if (!name.starts_with("_pq_.") || !asked) {
        return violated(std::string(kInvalid) + "server reported an unsupported parameter that was not requested");
      }
    }
  }
  if (theirs < options_.min_protocol_version) {
    return refuse("server only supports protocol version " + to_string_version(theirs) +
                  ", but min_protocol_version was set to " + to_string_version(options_.min_protocol_version));
  }
  version_ = theirs;
  return StartupAction::wait;
}

StartupAction StartupMachine::on_setting(char type, ByteView body, SessionEvents& events) {
  switch (type) {
    case 'S': {
      const auto message = ParameterStatus::decode(body);
      if (!message.ok()) return fail(message.error().with_stage(ErrorStage::connecting));
      if (++parameters_ > kMaxStartupParameters) {
        return violated("more than " + std::to_string(kMaxStartupParameters) +
                        " ParameterStatus messages during startup");
      }
      events.on_parameter_status(message->name, message->value);
      return StartupAction::wait;
    }
    case 'N': {
      const auto fields = decode_error_fields(body);
      if (!fields.ok()) return fail(fields.error().with_stage(ErrorStage::connecting));
      events.on_notice(*fields);
      return StartupAction::wait;
    }
    case 'K': {
      const auto message = BackendKeyData::decode(body);
      if (!message.ok()) return fail(message.error().with_stage(ErrorStage::connecting));
      if (has_key_) return violated("received a second BackendKeyData message");
      if (version_ == kProtocol30 && message->secret.size() != kMinCancelKeySize) {
        return violated("received a cancel key of " + std::to_string(message->secret.size()) +
                        " bytes, protocol 3.0 has 4");
      }
      has_key_ = true;
      key_ = BackendKey{message->process_id, std::string(message->secret)};
      return StartupAction::wait;
    }
    case 'Z': {
      const auto message = ReadyForQuery::decode(body);
      if (!message.ok()) return fail(message.error().with_stage(ErrorStage::connecting));
      status_ = message->status;
      state_ = State::ready;
      return StartupAction::ready;
    }
    default:
      return violated("unexpected message " + show_type(type) + " while waiting for " + std::string(waiting_for()));
  }
}

// ---- Authentication -------------------------------------------------------------------------------------------
//
//   authentication ─Ok→ settings                                        (trust, peer, certificate)
//   authentication ─CleartextPassword|MD5Password→ [password] → answered ─Ok→ settings
//   authentication ─SASL→ [password] → sasl_first ─Continue→ sasl_final ─Final→ sasl_done ─Ok→ settings
//   anything else is refused, above all an Ok before the server has proved itself.

StartupAction StartupMachine::on_authentication(ByteView body) {
  const auto message = Authentication::decode(body);
  if (!message.ok()) return fail(message.error().with_stage(ErrorStage::connecting));
  if (std::string problem = check_method(message->code); !problem.empty()) return refuse(std::move(problem));
  switch (message->code) {
    case Authentication::Ok: return on_authentication_ok();
    case Authentication::SASLContinue:
      if (state_ == State::sasl_first) return on_sasl_continue(message->data);
      break;
    case Authentication::SASLFinal:
      if (state_ == State::sasl_final) return on_sasl_final(message->data);
      break;
    case Authentication::CleartextPassword:
    case Authentication::MD5Password:
    case Authentication::SASL:
      if (state_ != State::authentication) break;
      request_ = message->code;
      request_data_ = message->data;
      return authenticate();
    default:
      if (const std::string_view name = request_name(message->code); !name.empty()) {
        return refuse(std::string(name) + " authentication is not supported");
      }
      return refuse("authentication method " + std::to_string(message->code) + " is not supported");
  }
  return violated("authentication request " + std::to_string(message->code) + " while waiting for " +
                  std::string(waiting_for()));
}

/// What require_auth and channel_binding have against a request, or empty.
std::string StartupMachine::check_method(std::int32_t code) const {
  std::string_view reason;
  const RequiredAuth& required = options_.require_auth;
  switch (code) {
    case Authentication::Ok:
      if (state_ == State::authentication && !required.allows(RequiredAuth::none)) {
        reason = "server did not complete authentication";
      }
      break;
    case Authentication::CleartextPassword:
      if (!required.allows(RequiredAuth::password)) reason = "server requested a cleartext password";
      break;
    case Authentication::MD5Password:
      if (!required.allows(RequiredAuth::md5)) reason = "server requested a hashed password";
      break;
    case Authentication::GSS:
    case Authentication::GSSContinue:
      if (!required.allows(RequiredAuth::gss)) reason = "server requested GSSAPI authentication";
      break;
    case Authentication::SSPI:
      if (!required.allows(RequiredAuth::sspi)) reason = "server requested SSPI authentication";
      break;
    case Authentication::SASL:
    case Authentication::SASLContinue:
    case Authentication::SASLFinal:
      if (!required.allows(RequiredAuth::scram_sha_256)) reason = "server requested SASL authentication";
      break;
    default:
      if (required.restricted()) reason = "server requested an unknown authentication type";
      break;
  }
  if (!reason.empty()) {
    return "authentication method requirement \"" + required.text() + "\" failed: " + std::string(reason);
  }
  if (options_.channel_binding != ChannelBinding::require) return {};
  switch (code) {
    case Authentication::SASL:
    case Authentication::SASLContinue:
    case Authentication::SASLFinal: return {};
    case Authentication::Ok:
      if (bound_) return {};
      return "channel binding required, but server authenticated client without channel binding";
    default: return "channel binding required but not supported by server's authentication request";
  }
}

StartupAction StartupMachine::on_authentication_ok() {
  if (state_ == State::sasl_first || state_ == State::sasl_final) {
    return violated("server sent AuthenticationOk before it had proved that it knows the password");
  }
  if (state_ != State::authentication && state_ != State::answered && state_ != State::sasl_done) {
    return violated("AuthenticationOk while waiting for " + std::string(waiting_for()));
  }
  state_ = State::settings;
  return StartupAction::wait;
}

/// Answers request_, once there is a password.
StartupAction StartupMachine::authenticate() {
  used_password_ = true;
  if (!options_.password) {
    state_ = State::password;
    return StartupAction::need_password;
  }
  if (options_.password->empty()) {
    return fail(config_error("no password supplied: the server asks for one")
                    .with_hint("set password or PGPASSWORD, or use a password file"));
  }
  if (has_nul(options_.password->reveal())) return fail(config_error("the password holds a zero byte"));
  if (request_ == Authentication::CleartextPassword) return send_cleartext();
  if (request_ == Authentication::MD5Password) return send_md5();
  return send_sasl_first();
}

StartupAction StartupMachine::on_password(const Secret& password) noexcept {
  return guarded([&] {
    if (state_ != State::password) return violated("no password was asked for");
    options_.password = password;
    return authenticate();
  });
}

StartupAction StartupMachine::send_cleartext() {
  method_ = "password";
  if (!encode(out_, PasswordMessage{options_.password->reveal()})) return fail(out_of_memory());
  state_ = State::answered;
  return StartupAction::wait;
}

StartupAction StartupMachine::send_md5() {
  method_ = "md5";
  const auto inner = crypto::md5_hex(Secret(options_.password->reveal() + options_.user).reveal());
  const auto outer = inner ? crypto::md5_hex(*inner + request_data_) : std::nullopt;
  if (!outer) return refuse("could not compute the MD5 hash of the password: OpenSSL has MD5 disabled");
  if (!encode(out_, PasswordMessage{"md5" + *outer})) return fail(out_of_memory());
  state_ = State::answered;
  return StartupAction::wait;
}

StartupAction StartupMachine::send_sasl_first() {
  const auto mechanisms = Authentication{Authentication::SASL, request_data_}.mechanisms();
  if (!mechanisms.ok()) return fail(mechanisms.error().with_stage(ErrorStage::connecting));
  const auto offers = [&](std::string_view name) {
    return std::ranges::find(*mechanisms, name) != mechanisms->end();
  };
  const bool required = options_.channel_binding == ChannelBinding::require;
  if (offers(kScramPlus) && !tls_) {
    return violated("server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection");
  }
  if (required && !tls_) return refuse("channel binding required, but SSL not in use");
  if (required && !offers(kScramPlus)) {
    return refuse(
        "channel binding is required, but server did not offer an authentication method that supports channel "
        "binding");
  }
  const bool can_bind =
      tls_ && !endpoint_.certificate_hash.empty() && options_.channel_binding != ChannelBinding::disable;
  if (required && !can_bind) {
    return refuse("channel binding is required, but the server's certificate has no hash to bind to");
  }
  bound_ = can_bind && offers(kScramPlus);
  if (!bound_ && !offers(kScram)) {
    return refuse("none of the server's SASL authentication mechanisms are supported");
  }
  method_ = bound_ ? "scram-sha-256-plus" : "scram-sha-256";

  ScramClient::Options scram;
  scram.binding = bound_     ? ScramClient::Binding::end_point
                  : can_bind ? ScramClient::Binding::not_offered
                             : ScramClient::Binding::unsupported;
  scram.certificate_hash = endpoint_.certificate_hash;
  scram.max_iterations = options_.scram_max_iterations;
  scram.nonce = nonce_;
  if (options_.scram_keys) {
    scram_.emplace(*options_.scram_keys, std::move(scram));
  } else {
    scram_.emplace(*options_.password, std::move(scram));
  }
  const auto first = scram_->start();
  if (!first.ok()) return fail(first.error());
  if (!encode(out_, SASLInitialResponse{bound_ ? kScramPlus : kScram, ByteView(*first)}))
    return fail(out_of_memory());
  state_ = State::sasl_first;
  return StartupAction::wait;
}

StartupAction StartupMachine::on_sasl_continue(ByteView data) {
  const auto answer = scram_->respond(data);
  if (!answer.ok()) return fail(answer.error());
  if (!encode(out_, SASLResponse{*answer})) return fail(out_of_memory());
  state_ = State::sasl_final;
  return StartupAction::wait;
}

StartupAction StartupMachine::on_sasl_final(ByteView data) {
  if (const auto proof = scram_->finish(data); !proof.ok()) return fail(proof.error());
  scram_.reset();
  state_ = State::sasl_done;
  return StartupAction::wait;
}

// ---- Ends -----------------------------------------------------------------------------------------------------

StartupAction StartupMachine::on_closed(const Error& error) noexcept {
  return guarded([&] {
    if (state_ == State::closed || state_ == State::ready) return fail(error);
    return fail(
        error.with_context("while waiting for " + std::string(waiting_for())).with_stage(ErrorStage::connecting));
  });
}

/// The other encryption comes next, on a new connection.
StartupAction StartupMachine::reconnect(Error error) {
  first_error_ = std::move(error);
  second_ = true;
  state_ = State::closed;
  out_.clear();
  return StartupAction::reconnect;
}

StartupAction StartupMachine::fail(Error error) {
  if (first_error_ && second_ && error.hint().empty() && error.message() != first_error_->message()) {
    error = error.with_hint(std::string(tls_ ? "the attempt without TLS" : "the attempt with TLS") +
                            " failed before: " + std::string(first_error_->message()));
  }
  error_ = std::move(error);
  state_ = State::closed;
  return StartupAction::fail;
}

/// Our options forbid what the server wants.
StartupAction StartupMachine::refuse(std::string text) { return fail(config_error(std::move(text))); }

/// The peer does not keep to the protocol.
StartupAction StartupMachine::violated(std::string text) {
  return fail(Error(ErrorKind::Protocol, std::move(text), ErrorStage::connecting).with_session_lost());
}

std::string_view StartupMachine::waiting_for() const noexcept {
  switch (state_) {
    case State::closed: return "start()";
    case State::ssl_answer: return "the answer to SSLRequest";
    case State::tls_handshake: return "the TLS handshake";
    case State::authentication: return "an authentication request";
    case State::password: return "a password";
    case State::answered: return "the answer to the password";
    case State::sasl_first: return "AuthenticationSASLContinue";
    case State::sasl_final: return "AuthenticationSASLFinal";
    case State::sasl_done: return "AuthenticationOk";
    case State::settings: return "ReadyForQuery";
    case State::ready: return "the first statement";
  }
  return "nothing";
}

}  // namespace switchyard::inline v0::protocol
