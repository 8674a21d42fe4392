#include <switchyard/backup/age_keys.hpp>

#include <switchyard/backup/bech32.hpp>
#include <switchyard/backup/x25519.hpp>

#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "age-secret-key-";
constexpr std::string_view kHint = "make a pair with: switchyard backup keygen FILE (or age-keygen)";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

std::string AgeRecipient::text() const { return bech32_encode(kRecipientPrefix, key); }

Result<AgeRecipient> AgeIdentity::recipient() const {
  auto bytes = x25519_public(key);
  if (!bytes) return Error(ErrorKind::Config, "an age identity is no X25519 key").with_hint(std::string(kHint));
  return AgeRecipient{std::move(*bytes)};
}

Secret AgeIdentity::text() const {
  std::string text = bech32_encode(kIdentityPrefix, key.reveal());
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return Secret(std::move(text));
}

Result<AgeRecipient> parse_recipient(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with("AGE-SECRET-KEY-")) {
    return Error(ErrorKind::Config, "a recipient of backups is public, and this is a secret key")
        .with_hint("give the age1... that belongs to it; the secret key is backup.identity");
  }
  auto bytes = bech32_decode(kRecipientPrefix, text);
  if (!bytes || bytes->size() != kKeyBytes) {
    return Error(ErrorKind::Config, "'" + std::string(text) + "' is no age recipient (age1...)")
        .with_hint(std::string(kHint));
  }
  return AgeRecipient{std::move(*bytes)};
}

Result<std::vector<AgeIdentity>> parse_identities(const Secret& text) {
  std::vector<AgeIdentity> identities;
  std::string_view rest = text.reveal();
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = rest.find('\n');
    const std::string_view one = trimmed(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (one.empty() || one.starts_with('#')) continue;
    auto bytes = bech32_decode(kIdentityPrefix, one);
    if (!bytes || bytes->size() != kKeyBytes) {
      return Error(ErrorKind::Config,
                   "line " + std::to_string(line) + " of the backup identity is no AGE-SECRET-KEY-1...")
          .with_hint(std::string(kHint));
    }
    identities.push_back({Secret(std::move(*bytes))});
  }
  if (identities.empty()) {
    return Error(ErrorKind::Config, "the backup identity holds no AGE-SECRET-KEY-1...")
        .with_hint(std::string(kHint));
  }
  return identities;
}

Result<AgeIdentity> new_identity() {
  auto bytes = random_bytes(kKeyBytes);
  if (!bytes) return Error(ErrorKind::Unavailable, "the random source of OpenSSL failed");
  return AgeIdentity{Secret(std::move(*bytes))};
}

}  // namespace switchyard::inline v0::backup
