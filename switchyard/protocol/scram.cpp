#include <switchyard/protocol/scram.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/saslprep.hpp>
#include <switchyard/protocol/scram_syntax.hpp>

#include <charconv>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

/// Bytes of randomness in a nonce, as PostgreSQL has.
constexpr std::size_t kNonceBytes = 18;

Error refuse(std::string text) { return Error(ErrorKind::Protocol, std::move(text), ErrorStage::connecting); }

std::string gs2_header(ScramClient::Binding binding) {
  switch (binding) {
    case ScramClient::Binding::end_point: return "p=tls-server-end-point,,";
    case ScramClient::Binding::not_offered: return "y,,";
    case ScramClient::Binding::unsupported: break;
  }
  return "n,,";
}

/// A saslname: ',' and '=' have escapes.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ',') {
      text += "=2C";
    } else if (c == '=') {
      text += "=3D";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::optional<std::string> scram::make_nonce(const NonceSource& source) {
  if (source) return source();
  const auto bytes = crypto::random_bytes(kNonceBytes);
  if (!bytes) return std::nullopt;
  return crypto::base64_encode(*bytes);
}

ScramClient::ScramClient(const Secret& password, Options options)
    : password_(prepare_password(password.reveal())), options_(std::move(options)) {}

ScramClient::ScramClient(const ScramKeys& keys, Options options) : keys_(keys), options_(std::move(options)) {}

Result<std::string> ScramClient::start() {
  auto nonce = scram::make_nonce(options_.nonce);
  if (!nonce || !scram::valid_nonce(*nonce)) return refuse("could not generate a nonce for SCRAM");
  nonce_ = std::move(*nonce);
  gs2_header_ = gs2_header(options_.binding);
  client_first_bare_ = "n=" + escaped(options_.user) + ",r=" + nonce_;
  state_ = State::first_sent;
  return gs2_header_ + client_first_bare_;
}

Result<std::string> ScramClient::respond(ByteView server_first) {
  if (state_ != State::first_sent) return refuse("SCRAM message out of order");
  state_ = State::failed;
  std::string_view rest = server_first;
  const auto nonce = scram::take(rest, 'r');
  if (!nonce || !scram::valid_nonce(*nonce)) return refuse("malformed SCRAM message: no nonce");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
    return refuse("invalid SCRAM response: the server's nonce does not extend ours");
  }
  const auto salt_text = scram::take(rest, 's');
  const auto salt = salt_text ? crypto::base64_decode(*salt_text) : std::nullopt;
  if (!salt || salt->empty()) return refuse("malformed SCRAM message: invalid salt");
  const auto iterations_text = scram::take(rest, 'i');
  if (!iterations_text) return refuse("malformed SCRAM message: no iteration count");
  std::uint32_t iterations = 0;
  const char* end = iterations_text->data() + iterations_text->size();
  const auto [stop, failure] = std::from_chars(iterations_text->data(), end, iterations);
  const bool out_of_range = failure == std::errc::result_out_of_range;
  if (!out_of_range && (failure != std::errc() || stop != end || iterations == 0)) {
    return refuse("malformed SCRAM message: invalid iteration count");
  }
  if (out_of_range || iterations > options_.max_iterations) {
    return refuse("the server asks for " + (out_of_range ? "too many" : std::to_string(iterations)) +
                  " SCRAM iterations, scram_max_iterations is " + std::to_string(options_.max_iterations))
        .with_hint("raise scram_max_iterations if the server is to be trusted");
  }
  if (!rest.empty()) return refuse("malformed SCRAM message: unknown attribute behind the iteration count");

  std::string binding = gs2_header_;
  if (options_.binding == Binding::end_point) binding += options_.certificate_hash;
  std::string client_final = "c=" + crypto::base64_encode(binding) + ",r=" + std::string(*nonce);

  if (!keys_) {
    const crypto::Digest salted = crypto::pbkdf2_sha256(password_.reveal(), *salt, iterations);
    keys_ = {.client = crypto::hmac_sha256(crypto::view(salted), "Client Key"),
             .server = crypto::hmac_sha256(crypto::view(salted), "Server Key")};
  }
  const crypto::Digest& client_key = keys_->client;
  const crypto::Digest stored_key = crypto::sha256(crypto::view(client_key));
  std::string auth_message = client_first_bare_ + ",";
  auth_message.append(server_first);
  auth_message += "," + client_final;
  crypto::Digest proof = crypto::hmac_sha256(crypto::view(stored_key), auth_message);
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] ^= client_key[i];
  server_signature_ = crypto::view(crypto::hmac_sha256(crypto::view(keys_->server), auth_message));

  password_ = Secret();
  keys_.reset();
  state_ = State::final_sent;
  return client_final + ",p=" + crypto::base64_encode(crypto::view(proof));
}

Result<void> ScramClient::finish(ByteView server_final) {
  if (state_ != State::final_sent) return refuse("SCRAM message out of order");
  state_ = State::failed;
  std::string_view rest = server_final;
  if (const auto problem = scram::take(rest, 'e')) {
    return refuse("error received from server in SCRAM exchange: " + std::string(*problem));
  }
  const auto text = scram::take(rest, 'v');
  const auto signature = text ? crypto::base64_decode(*text) : std::nullopt;
  if (!signature || !rest.empty()) return refuse("malformed SCRAM message: invalid server signature");
  if (!crypto::equal_in_constant_time(*signature, server_signature_)) {
    return refuse("incorrect server signature: the server does not know the password");
  }
  state_ = State::finished;
  return {};
}

}  // namespace switchyard::inline v0::protocol
