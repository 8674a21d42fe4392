#include <switchyard/gateway/credential.hpp>

#include <switchyard/protocol/crypto.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

constexpr std::size_t kSaltSize = 16;
/// PostgreSQL's default (scram_iterations).
constexpr std::uint32_t kIterations = 4096;
constexpr std::size_t kMd5Size = 35;
constexpr std::string_view kMd5 = "md5";
constexpr std::string_view kScram = "SCRAM-SHA-256$";

bool is_md5(std::string_view secret) {
  return secret.size() == kMd5Size && secret.starts_with(kMd5) &&
         secret.find_first_not_of("0123456789abcdef", kMd5.size()) == std::string_view::npos;
}

}  // namespace

bool Credential::is_password() const noexcept {
  return !stored.empty() && !is_md5(stored.reveal()) && !stored.reveal().starts_with(kScram);
}

Result<Credential> make_credential(Secret stored) {
  if (is_md5(stored.reveal())) return Credential{stored, protocol::Md5Login{stored}};
  if (stored.reveal().starts_with(kScram)) {
    Result<protocol::ScramVerifier> verifier = protocol::ScramVerifier::parse(stored.reveal());
    if (!verifier.ok()) return verifier.error();
    return Credential{std::move(stored), protocol::ScramLogin{*std::move(verifier)}};
  }
  auto salt = protocol::crypto::random_bytes(kSaltSize);
  if (!salt) return Error(ErrorKind::Unavailable, "OpenSSL has no random bytes");
  protocol::ScramLogin login{protocol::ScramVerifier::make(stored, *std::move(salt), kIterations)};
  return Credential{std::move(stored), std::move(login)};
}

}  // namespace switchyard::inline v0::gateway
