#include <switchyard/protocol/server_startup.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/authentication.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <type_traits>

namespace switchyard::inline v0::protocol {
namespace {

constexpr std::string_view kScram = "SCRAM-SHA-256";
constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";
constexpr std::string_view kAlpn = "postgresql";
/// The first byte of every TLS connection: a handshake record. No startup packet of an allowed length begins so.
constexpr char kTlsHandshake = 0x16;
constexpr std::size_t kMd5SaltSize = 4;
constexpr std::size_t kMd5Size = 35;
constexpr std::size_t kLongCancelKey = 32;
constexpr std::size_t kNonceSize = 18;
/// Options of the protocol itself begin so; we know none.
constexpr std::string_view kProtocolOption = "_pq_.";

constexpr std::string_view kProtocolViolation = "08P01";
constexpr std::string_view kFeatureNotSupported = "0A000";
constexpr std::string_view kInvalidAuthorization = "28000";
constexpr std::string_view kInvalidPassword = "28P01";
constexpr std::string_view kQueryCanceled = "57014";
constexpr std::string_view kOutOfMemory = "53200";

bool is_off(std::string_view value) {
  static constexpr std::array<std::string_view, 4> kOff{"false", "off", "no", "0"};
  return std::ranges::find(kOff, value) != kOff.end();
}

/// Is this the password of which `stored` is what a server keeps?
bool is_password(const Secret& given, const std::string& user, const std::string& stored) {
  if (stored.empty()) return false;
  if (stored.starts_with("SCRAM-SHA-256$")) {
    const Result<ScramVerifier> verifier = ScramVerifier::parse(stored);
    if (!verifier.ok()) return false;
    const ScramVerifier own = ScramVerifier::make(given, verifier->salt, verifier->iterations);
    return crypto::equal_in_constant_time(crypto::view(own.stored_key), crypto::view(verifier->stored_key));
  }
  if (stored.starts_with("md5") && stored.size() == kMd5Size) {
    const auto hash = crypto::md5_hex(given.reveal() + user);
    return hash && crypto::equal_in_constant_time("md5" + *hash, stored);
  }
  return crypto::equal_in_constant_time(given.reveal(), stored);
}

std::string version_text(std::uint32_t version) {
  return std::to_string(version >> 16) + "." + std::to_string(version & 0xffff);
}

}  // namespace

ServerStartupMachine::ServerStartupMachine(Options options, base::WriteBuffer& out)
    : options_(std::move(options)), out_(out) {}

std::optional<std::string> ServerStartupMachine::random(std::size_t size) const {
  return options_.random ? options_.random(size) : crypto::random_bytes(size);
}

/// Out of memory is the only exception there is.
template <class F>
ServerStartupAction ServerStartupMachine::guarded(F body) noexcept {
  try {
    const ServerStartupAction action = body();
    if (!out_.get().failed()) return action;
  } catch (const std::exception&) {  // told below
  }
  state_ = State::failed;
  ServerFields fields;
  fields.severity = "FATAL";
  fields.sqlstate = kOutOfMemory;
  fields.message = "out of memory";  // short enough to need none
  error_.reset(new (std::nothrow) ServerFields(std::move(fields)));
  return ServerStartupAction::fail;
}

std::size_t ServerStartupMachine::cancel_key_size() const noexcept {
  return login_.version < kProtocol32 ? kMinCancelKeySize : kLongCancelKey;
}

ServerStartupAction ServerStartupMachine::on_bytes(base::ReadBuffer& in) noexcept {
  return guarded([&] {
    switch (state_) {
      case State::packet: return on_packet(in);
      case State::challenged:
      case State::proving: {
        const Frame frame = next_frame(in.readable(), frontend_limits());
        if (frame.status == FrameStatus::incomplete) {
          if (in.size() != 0 && frame.type != PasswordMessage::kType) break;
          return ServerStartupAction::wait;
        }
        if (frame.type != PasswordMessage::kType) break;
        if (frame.status != FrameStatus::complete) {
          return reject(kProtocolViolation,
                        std::string(frame_error(frame, frontend_limits(), kMaxMessageSize).message()));
        }
        const std::string body(frame.body);  // what is appended below may not refer to what is consumed
        in.consume(frame.total);
        return on_proof(body);
      }
      case State::encrypting:
      case State::deciding:
      case State::admitting:
      case State::done: return ServerStartupAction::wait;
      case State::failed: return ServerStartupAction::fail;
    }
    return reject(kProtocolViolation, "expected password response, got message type " +
                                          std::to_string(static_cast<unsigned char>(in.readable().front())));
  });
}

ServerStartupAction ServerStartupMachine::on_packet(base::ReadBuffer& in) {
  while (state_ == State::packet) {
    if (in.size() == 0) return ServerStartupAction::wait;
    if (in.readable().front() == kTlsHandshake) {
      if (!options_.tls || tls_ || ssl_asked_ || gss_asked_)
        return hang_up("TLS where a startup packet is expected");
      direct_tls_ = ssl_asked_ = true;
      state_ = State::encrypting;
      return ServerStartupAction::start_tls;
    }
    const Result<std::size_t> size = startup_packet_size(in.readable());
    // Who speaks something else understands no answer of ours.
    if (!size.ok()) return hang_up(std::string(size.error().message()));
    if (*size == 0 || in.size() < *size) return ServerStartupAction::wait;
    const std::string body(in.readable().substr(4, *size - 4));
    in.consume(*size);

    const auto code = base::load_be<std::uint32_t>(body.data());
    const bool known = code == kSslRequestCode || code == kGssEncRequestCode || code == kCancelRequestCode;
    const bool asked_twice =
        (code == kSslRequestCode && (ssl_asked_ || tls_)) || (code == kGssEncRequestCode && (gss_asked_ || tls_));
    if ((!known && code >> 16 != 3) || asked_twice) {
      return reject(kFeatureNotSupported, "unsupported frontend protocol " + version_text(code) +
                                              ": server supports 3.0 to " + version_text(kProtocol32));
    }
    const Result<StartupPacket> packet = decode_startup_packet(body);
    if (!packet.ok()) {
      return reject(kProtocolViolation, "invalid startup packet", std::string(packet.error().message()));
    }
    if (const auto* message = std::get_if<StartupMessage>(&*packet)) return on_startup_message(*message);
    if (const auto* cancel = std::get_if<CancelRequest>(&*packet)) {
      cancel_key_ = {cancel->process_id, std::string(cancel->secret)};
      state_ = State::done;
      return ServerStartupAction::cancel;
    }
    const ServerStartupAction action = on_encryption_request(in, std::holds_alternative<SslRequest>(*packet));
    if (action != ServerStartupAction::wait) return action;
  }
  return ServerStartupAction::wait;
}

ServerStartupAction ServerStartupMachine::on_encryption_request(base::ReadBuffer& in, bool ssl) {
  (ssl ? ssl_asked_ : gss_asked_) = true;
  // What came behind the request was sent before the answer, in the clear: somebody may have put it there.
  if (in.size() != 0) {
    return reject(
        kProtocolViolation,
        std::string("received unencrypted data after ") + (ssl ? "SSL" : "GSSAPI encryption") + " request",
        "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.");
  }
  const bool agreed = ssl && options_.tls;
  out_.get().put_u8(agreed ? 'S' : 'N');
  if (!agreed) return ServerStartupAction::wait;
  state_ = State::encrypting;
  return ServerStartupAction::start_tls;
}

ServerStartupAction ServerStartupMachine::on_tls_started(TlsEndpoint endpoint) noexcept {
  return guarded([&] {
    if (state_ != State::encrypting) return reject(kProtocolViolation, "TLS was not asked for");
    state_ = State::packet;
    tls_ = std::move(endpoint);
    // Else a web page could make a browser speak to us (the ALPACA attack).
    if (direct_tls_ && tls_->alpn != kAlpn) {
      return reject(kProtocolViolation,
                    "received direct SSL connection request without ALPN protocol negotiation "
                    "extension");
    }
    return ServerStartupAction::wait;
  });
}

ServerStartupAction ServerStartupMachine::on_startup_message(const StartupMessage& message) {
  NegotiateProtocolVersion negotiation;
  for (const auto& [name, value] : message.parameters) {
    if (name == "user") {
      login_.user = value;
    } else if (name == "database") {
      login_.database = value;
    } else if (name == "replication") {
      if (!is_off(value)) {
        return reject(kFeatureNotSupported, "replication connections are not served here",
                      "Connect to the server itself.");
      }
    } else if (name.starts_with(kProtocolOption)) {
      negotiation.unsupported.push_back(name);
    } else {
      login_.settings.emplace_back(name, value);
    }
  }
  login_.version = std::min(message.version, kProtocol32);
  if (message.version > kProtocol32 || !negotiation.unsupported.empty()) {
    negotiation.version = login_.version;
    (void)encode(out_, negotiation);
  }
  if (login_.user.empty()) {
    return reject(kInvalidAuthorization, "no PostgreSQL user name specified in startup packet");
  }
  if (login_.database.empty()) login_.database = login_.user;
  state_ = State::deciding;
  return ServerStartupAction::decide;
}

ServerStartupAction ServerStartupMachine::decide(LoginMethod method) noexcept {
  return guarded([&] {
    if (state_ != State::deciding) return reject(kProtocolViolation, "nobody asked to log in");
    method_ = std::move(method);
    if (std::holds_alternative<TrustLogin>(method_)) return authenticated();
    state_ = State::challenged;
    if (std::holds_alternative<PasswordLogin>(method_)) {
      (void)encode(out_, Authentication{Authentication::CleartextPassword, {}});
      return ServerStartupAction::wait;
    }
    if (std::holds_alternative<Md5Login>(method_)) {
      auto salt = random(kMd5SaltSize);
      if (!salt) return reject("XX000", "could not generate random MD5 salt");
      salt_ = *std::move(salt);
      (void)encode(out_, Authentication{Authentication::MD5Password, salt_});
      return ServerStartupAction::wait;
    }
    std::vector<std::string_view> mechanisms;
    if (tls_ && !tls_->certificate_hash.empty()) mechanisms.push_back(kScramPlus);
    mechanisms.push_back(kScram);
    (void)encode_sasl_mechanisms(out_, mechanisms);
    return ServerStartupAction::wait;
  });
}

ServerStartupAction ServerStartupMachine::on_proof(ByteView body) {
  if (std::holds_alternative<Md5Login>(method_)) return on_md5(body);
  if (std::holds_alternative<PasswordLogin>(method_)) return on_password(body);
  return state_ == State::challenged ? on_sasl_initial(body) : on_sasl_response(body);
}

ServerStartupAction ServerStartupMachine::on_md5(ByteView body) {
  const Result<PasswordMessage> message = PasswordMessage::decode(body);
  if (!message.ok()) return reject(kProtocolViolation, "invalid password packet size");
  const std::string& stored = std::get<Md5Login>(method_).stored.reveal();
  // "md5" stands in front of both.
  const auto expected = stored.size() == kMd5Size ? crypto::md5_hex(stored.substr(3) + salt_) : std::nullopt;
  const bool equal = expected && crypto::equal_in_constant_time("md5" + *expected, message->password);
  return equal ? authenticated() : wrong_password();
}

ServerStartupAction ServerStartupMachine::on_password(ByteView body) {
  const Result<PasswordMessage> message = PasswordMessage::decode(body);
  if (!message.ok()) return reject(kProtocolViolation, "invalid password packet size");
  if (message->password.empty()) return reject(kInvalidPassword, "empty password returned by client");
  Secret given{std::string(message->password)};
  const auto& right = std::get<PasswordLogin>(method_);
  const auto fits = [&](const Secret& stored) { return is_password(given, login_.user, stored.reveal()); };
  if (!fits(right.stored) && !std::ranges::any_of(right.others, fits)) return wrong_password();
  proof_.password = std::move(given);
  return authenticated();
}

ServerStartupAction ServerStartupMachine::on_sasl_initial(ByteView body) {
  const Result<SASLInitialResponse> message = SASLInitialResponse::decode(body);
  if (!message.ok()) return reject(kProtocolViolation, std::string(message.error().message()));
  const bool plus_offered = tls_ && !tls_->certificate_hash.empty();
  const bool plus = plus_offered && message->mechanism == kScramPlus;
  if (!plus && message->mechanism != kScram) {
    return reject(kProtocolViolation, "client selected an invalid SASL authentication mechanism");
  }
  ScramServer::Options options;
  options.plus = plus;
  options.plus_offered = plus_offered;
  if (plus_offered) options.certificate_hash = tls_->certificate_hash;
  options.nonce = [this]() -> std::string {
    const auto bytes = random(kNonceSize);
    return bytes ? crypto::base64_encode(*bytes) : std::string();
  };
  options.others = std::get<ScramLogin>(method_).others;
  scram_.emplace(std::get<ScramLogin>(method_).verifier, std::move(options));
  state_ = State::proving;
  if (!message->data) {  // an empty challenge asks for it
    (void)encode(out_, Authentication{Authentication::SASLContinue, {}});
    return ServerStartupAction::wait;
  }
  const Result<std::string> challenge = scram_->start(*message->data);
  if (!challenge.ok()) return scram_failed(challenge.error());
  scram_begun_ = true;
  (void)encode(out_, Authentication{Authentication::SASLContinue, *challenge});
  return ServerStartupAction::wait;
}

ServerStartupAction ServerStartupMachine::on_sasl_response(ByteView body) {
  const bool first = !scram_begun_;
  const Result<std::string> answer = first ? scram_->start(body) : scram_->finish(body);
  if (!answer.ok()) return scram_failed(answer.error());
  if (first) {
    scram_begun_ = true;
    (void)encode(out_, Authentication{Authentication::SASLContinue, *answer});
    return ServerStartupAction::wait;
  }
  (void)encode(out_, Authentication{Authentication::SASLFinal, *answer});
  proof_.keys = scram_->keys();
  return authenticated();
}

ServerStartupAction ServerStartupMachine::scram_failed(const Error& error) {
  if (error.message() == "password authentication failed") return wrong_password();
  return reject(kProtocolViolation, std::string(error.message()));
}

ServerStartupAction ServerStartupMachine::wrong_password() {
  return reject(kInvalidPassword, "password authentication failed for user \"" + login_.user + "\"");
}

ServerStartupAction ServerStartupMachine::authenticated() {
  (void)encode(out_, Authentication{});
  state_ = State::admitting;
  return ServerStartupAction::admit;
}

void ServerStartupMachine::admit(std::span<const std::pair<std::string, std::string>> parameters,
                                 const BackendKey& key) noexcept {
  if (state_ != State::admitting) return;
  for (const auto& [name, value] : parameters) (void)encode(out_, ParameterStatus{name, value});
  (void)encode(out_, BackendKeyData{key.process_id, key.secret});
  (void)encode(out_, ReadyForQuery{});
  state_ = State::done;
}

ServerStartupAction ServerStartupMachine::refuse(ServerFields fields) noexcept {
  return guarded([&] {
    if (state_ == State::failed) return ServerStartupAction::fail;
    fields.severity = fields.severity_localized = "FATAL";
    encode_error_response(out_, fields);
    error_ = std::make_unique<ServerFields>(std::move(fields));
    state_ = State::failed;
    return ServerStartupAction::fail;
  });
}

ServerStartupAction ServerStartupMachine::on_timeout() noexcept {
  return guarded([&] {
    if (state_ == State::failed) return ServerStartupAction::fail;
    // In the middle of a handshake nothing can be said.
    constexpr const char* kText = "canceling authentication due to timeout";
    return state_ == State::encrypting ? hang_up(kText) : reject(kQueryCanceled, kText);
  });
}

ServerStartupAction ServerStartupMachine::reject(std::string_view sqlstate, std::string message,
                                                 std::string detail) {
  ServerFields fields;
  fields.sqlstate = sqlstate;
  fields.message = std::move(message);
  fields.detail = std::move(detail);
  return refuse(std::move(fields));
}

ServerStartupAction ServerStartupMachine::hang_up(std::string message) {
  error_ = std::make_unique<ServerFields>(make_fields("FATAL", kProtocolViolation, std::move(message)));
  state_ = State::failed;
  return ServerStartupAction::fail;
}

}  // namespace switchyard::inline v0::protocol
