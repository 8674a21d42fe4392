#include <switchyard/protocol/scram_verifier.hpp>

#include <switchyard/protocol/saslprep.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";

std::optional<crypto::Digest> decode_key(std::string_view text) {
  const auto bytes = crypto::base64_decode(text);
  crypto::Digest key{};
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::ranges::transform(*bytes, key.begin(), [](char c) { return static_cast<unsigned char>(c); });
  return key;
}

}  // namespace

ScramVerifier ScramVerifier::make(const Secret& password, std::string salt, std::uint32_t iterations) {
  const Secret prepared(prepare_password(password.reveal()));
  const crypto::Digest salted = crypto::pbkdf2_sha256(prepared.reveal(), salt, iterations);
  ScramVerifier verifier;
  verifier.iterations = iterations;
  verifier.salt = std::move(salt);
  verifier.stored_key = crypto::sha256(crypto::view(crypto::hmac_sha256(crypto::view(salted), "Client Key")));
  verifier.server_key = crypto::hmac_sha256(crypto::view(salted), "Server Key");
  return verifier;
}

Result<ScramVerifier> ScramVerifier::parse(std::string_view text) {
  const Error invalid(ErrorKind::Config,
                      "not a SCRAM-SHA-256 verifier: expected SCRAM-SHA-256$iterations:salt$keys");
  if (!text.starts_with(kPrefix)) return invalid;
  text.remove_prefix(kPrefix.size());
  ScramVerifier verifier;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), verifier.iterations);
  constexpr auto kMaxIterations = static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max());
  if (failure != std::errc() || verifier.iterations == 0 || verifier.iterations > kMaxIterations) return invalid;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  const std::size_t dollar = text.find('$');
  if (!text.starts_with(':') || dollar == std::string_view::npos) return invalid;
  auto salt = crypto::base64_decode(text.substr(1, dollar - 1));
  text.remove_prefix(dollar + 1);
  const std::size_t colon = text.find(':');
  if (!salt || salt->empty() || colon == std::string_view::npos) return invalid;
  const auto stored = decode_key(text.substr(0, colon));
  const auto server = decode_key(text.substr(colon + 1));
  if (!stored || !server) return invalid;
  verifier.salt = std::move(*salt);
  verifier.stored_key = *stored;
  verifier.server_key = *server;
  return verifier;
}

std::string ScramVerifier::text() const {
  std::string text(kPrefix);
  text += std::to_string(iterations) + ":" + crypto::base64_encode(salt);
  text += "$" + crypto::base64_encode(crypto::view(stored_key));
  text += ":" + crypto::base64_encode(crypto::view(server_key));
  return text;
}

}  // namespace switchyard::inline v0::protocol
