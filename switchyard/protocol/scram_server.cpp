#include <switchyard/protocol/scram_server.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/scram_syntax.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

Error refuse(std::string text) { return Error(ErrorKind::Protocol, std::move(text), ErrorStage::connecting); }

constexpr std::string_view kEndPoint = "p=tls-server-end-point";

}  // namespace

ScramServer::ScramServer(ScramVerifier verifier, Options options)
    : verifier_(std::move(verifier)), options_(std::move(options)) {}

Result<std::string> ScramServer::start(ByteView client_first) {
  if (state_ != State::initial) return refuse("SCRAM message out of order");
  state_ = State::failed;
  // gs2-header = flag "," [authzid] ","; an authorization identity is not supported, as in PostgreSQL.
  const std::size_t comma = client_first.find(',');
  if (comma == ByteView::npos || client_first.substr(comma, 2) != ",,") {
    return refuse("malformed SCRAM message: invalid GS2 header");
  }
  const std::string_view flag = client_first.substr(0, comma);
  if (options_.plus ? flag != kEndPoint : flag != "n" && flag != "y") {
    return refuse("malformed SCRAM message: channel binding does not fit the mechanism");
  }
  if (flag == "y" && options_.plus_offered) {
    return refuse(
        "SCRAM channel binding negotiation error: the client supports channel binding but thinks that the "
        "server does not");
  }
  gs2_header_ = client_first.substr(0, comma + 2);
  client_first_bare_ = client_first.substr(comma + 2);
  std::string_view rest = client_first_bare_;
  // The user name is that of the startup packet: PostgreSQL ignores this one too.
  const auto name = scram::take(rest, 'n');
  const auto nonce = scram::take(rest, 'r');
  if (!name || !nonce || !scram::valid_nonce(*nonce) || !rest.empty()) {
    return refuse("malformed SCRAM message: user name and nonce expected");
  }
  const auto own = scram::make_nonce(options_.nonce);
  if (!own || !scram::valid_nonce(*own)) return refuse("could not generate a nonce for SCRAM");
  nonce_ = std::string(*nonce) + *own;
  server_first_ =
      "r=" + nonce_ + ",s=" + crypto::base64_encode(verifier_.salt) + ",i=" + std::to_string(verifier_.iterations);
  state_ = State::challenged;
  return server_first_;
}

Result<std::string> ScramServer::finish(ByteView client_final) {
  if (state_ != State::challenged) return refuse("SCRAM message out of order");
  state_ = State::failed;
  std::string_view rest = client_final;
  const auto binding = scram::take(rest, 'c');
  const auto nonce = scram::take(rest, 'r');
  const auto proof_text = scram::take(rest, 'p');
  const auto proof = proof_text ? crypto::base64_decode(*proof_text) : std::nullopt;
  if (!binding || !nonce || !proof || proof->size() != crypto::Digest().size() || !rest.empty()) {
    return refuse("malformed SCRAM message: channel binding, nonce and proof expected");
  }
  std::string expected = gs2_header_;
  if (options_.plus) expected += options_.certificate_hash;
  if (*binding != crypto::base64_encode(expected)) return refuse("SCRAM channel binding check failed");
  if (*nonce != nonce_) return refuse("invalid SCRAM response: nonce does not match");

  const std::size_t without_proof = client_final.size() - proof_text->size() - std::string_view(",p=").size();
  std::string auth_message = client_first_bare_ + "," + server_first_ + ",";
  auth_message.append(client_final.substr(0, without_proof));
  const auto proven = [&](const ScramVerifier& verifier) -> bool {
    crypto::Digest client_key = crypto::hmac_sha256(crypto::view(verifier.stored_key), auth_message);
    for (std::size_t i = 0; i < client_key.size(); ++i) client_key[i] ^= static_cast<unsigned char>((*proof)[i]);
    const crypto::Digest stored_key = crypto::sha256(crypto::view(client_key));
    if (!crypto::equal_in_constant_time(crypto::view(stored_key), crypto::view(verifier.stored_key))) return false;
    keys_ = {.client = client_key, .server = verifier.server_key};
    return true;
  };
  if (!proven(verifier_) && !std::ranges::any_of(options_.others, proven)) {
    return refuse("password authentication failed");
  }
  state_ = State::finished;
  return "v=" + crypto::base64_encode(crypto::view(crypto::hmac_sha256(crypto::view(keys_.server), auth_message)));
}

}  // namespace switchyard::inline v0::protocol
