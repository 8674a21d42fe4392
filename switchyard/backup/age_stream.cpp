#include <switchyard/backup/age_stream.hpp>

#include <switchyard/backup/x25519.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <memory>
#include <optional>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::string_view kVersionLine = "age-encryption.org/v1";
constexpr std::string_view kWrapInfo = "age-encryption.org/v1/X25519";
constexpr std::size_t kFileKeyBytes = 16;
constexpr std::size_t kNonceBytes = 16;  // of the payload
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kShareBytes = 32;
constexpr std::size_t kChunkBytes = 64 << 10;
constexpr std::size_t kSealedChunkBytes = kChunkBytes + kTagBytes;
constexpr std::size_t kLongestHeader = 1 << 20;
constexpr std::array<unsigned char, 12> kZeroNonce{};

const unsigned char* in(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());  // OpenSSL's bytes
}
unsigned char* out_of(std::string& bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes.data()); }

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;
using ChunkNonce = std::array<unsigned char, 12>;

std::string hmac(std::string_view key, std::string_view message) {
  std::string mac(32, '\0');
  unsigned int size = 0;
  // An empty key must still be a pointer.
  const std::string_view some = key.empty() ? std::string_view("") : key;
  HMAC(EVP_sha256(), some.data(), static_cast<int>(key.size()), in(message), message.size(), out_of(mac), &size);
  return mac;
}

/// HKDF-SHA-256 (RFC 5869), one block.
Secret hkdf(std::string_view secret, std::string_view salt, std::string_view info) {
  const Secret extracted(hmac(salt.empty() ? std::string(32, '\0') : std::string(salt), secret));
  return Secret(hmac(extracted.reveal(), std::string(info) + '\x01'));
}

bool seal_into(const Secret& key, const unsigned char* nonce, std::string_view clear, std::string& out) {
  const Context context(EVP_CIPHER_CTX_new());
  const std::size_t start = out.size();
  out.resize(start + clear.size() + kTagBytes);
  int size = 0, rest = 0;
  return context &&
         EVP_EncryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, in(key.reveal()), nonce) == 1 &&
         EVP_EncryptUpdate(context.get(), out_of(out) + start, &size, in(clear), static_cast<int>(clear.size())) ==
             1 &&
         EVP_EncryptFinal_ex(context.get(), out_of(out) + start + size, &rest) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, out_of(out) + start + clear.size()) ==
             1;
}

/// False, with `out` as it was, if it is not authentic.
bool open_into(const Secret& key, const unsigned char* nonce, std::string_view sealed, std::string& out) {
  if (sealed.size() < kTagBytes) return false;
  const std::string_view body = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(body.size()));
  const Context context(EVP_CIPHER_CTX_new());
  const std::size_t start = out.size();
  out.resize(start + body.size());
  int size = 0, rest = 0;
  const bool authentic =
      context &&
      EVP_DecryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, in(key.reveal()), nonce) == 1 &&
      EVP_DecryptUpdate(context.get(), out_of(out) + start, &size, in(body), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), out_of(out) + start + size, &rest) == 1;
  if (!authentic) out.resize(start);
  return authentic;
}

ChunkNonce chunk_nonce(std::uint64_t counter, bool last) noexcept {
  ChunkNonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<unsigned char>(counter >> 8 * i);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(out_of(text), in(bytes), static_cast<int>(bytes.size()))));
  while (text.ends_with('=')) text.pop_back();
  return text;
}

/// Canonical base64 without padding, of this many bytes.
std::optional<std::string> from_base64(std::string_view text, std::size_t size) {
  if (text.size() != (size * 8 + 5) / 6) return std::nullopt;
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  std::string bytes(padded.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(out_of(bytes), in(padded), static_cast<int>(padded.size())) < 0) return std::nullopt;
  bytes.resize(size);
  if (base64(bytes) != text) return std::nullopt;
  return bytes;
}

Error crypto_failed() { return {ErrorKind::Unavailable, "OpenSSL could not encrypt a backup"}; }
Error not_age() {
  return Error(ErrorKind::Config, "this is no file of age (age-encryption.org/v1)")
      .with_hint("it was changed, or is not encrypted");
}
Error changed(std::uint64_t chunk) {
  return {ErrorKind::Protocol, "damaged: what was encrypted was changed at byte " +
                                   std::to_string(chunk * kChunkBytes) + " or was cut short there"};
}

Secret wrap_key(const Secret& shared, std::string_view share, std::string_view recipient) {
  return hkdf(shared.reveal(), std::string(share) + std::string(recipient), kWrapInfo);
}

struct Stanza {
  std::string share, body;
};

/// The stanzas of the header that are for X25519; nothing if it is malformed. `header` ends before "---".
std::optional<std::vector<Stanza>> stanzas_of(std::string_view header) {
  std::vector<std::string_view> lines;
  while (!header.empty()) {
    const std::size_t end = header.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    lines.push_back(header.substr(0, end));
    header.remove_prefix(end + 1);
  }
  if (lines.empty() || lines.front() != kVersionLine) return std::nullopt;
  std::vector<Stanza> found;
  constexpr std::string_view kX25519 = "-> X25519 ";
  constexpr std::size_t kLineLength = 64;
  for (std::size_t i = 1; i < lines.size();) {
    const std::string_view first = lines[i++];
    if (!first.starts_with("-> ")) return std::nullopt;
    std::string body;
    bool whole = false;
    while (!whole && i < lines.size()) {
      body += lines[i];
      whole = lines[i++].size() < kLineLength;
    }
    if (!whole) return std::nullopt;
    if (!first.starts_with(kX25519)) continue;
    auto share = from_base64(first.substr(kX25519.size()), kShareBytes);
    auto wrapped = from_base64(body, kFileKeyBytes + kTagBytes);
    if (!share || !wrapped) return std::nullopt;
    found.push_back({std::move(*share), std::move(*wrapped)});
  }
  return found;
}

}  // namespace

// --- writing

Result<AgeEncryptor> AgeEncryptor::begin(const std::vector<AgeRecipient>& recipients, std::string& out) {
  auto file_key_bytes = random_bytes(kFileKeyBytes);
  auto nonce = random_bytes(kNonceBytes);
  if (!file_key_bytes || !nonce || recipients.empty()) return crypto_failed();
  const Secret file_key(std::move(*file_key_bytes));
  std::string header = std::string(kVersionLine) + '\n';
  for (const AgeRecipient& recipient : recipients) {
    auto ephemeral = new_identity();
    if (!ephemeral.ok()) return ephemeral.error();
    const auto share = x25519_public(ephemeral->key);
    const auto shared = x25519_shared(ephemeral->key, recipient.key);
    if (!share || !shared) {
      return Error(ErrorKind::Config, "nothing can be encrypted for the recipient " + recipient.text());
    }
    std::string body;
    if (!seal_into(wrap_key(*shared, *share, recipient.key), kZeroNonce.data(), file_key.reveal(), body)) {
      return crypto_failed();
    }
    header += "-> X25519 " + base64(*share) + '\n' + base64(body) + '\n';
  }
  header += "---";
  const Secret mac_key = hkdf(file_key.reveal(), "", "header");
  out += header + ' ' + base64(hmac(mac_key.reveal(), header)) + '\n' + *nonce;
  return AgeEncryptor(hkdf(file_key.reveal(), *nonce, "payload"));
}

Result<void> AgeEncryptor::seal(std::string_view chunk, bool last, std::string& out) {
  const ChunkNonce nonce = chunk_nonce(counter_++, last);
  if (!seal_into(key_, nonce.data(), chunk, out)) return crypto_failed();
  return {};
}

Result<void> AgeEncryptor::write(std::string_view clear, std::string& out) {
  // A full chunk waits until it is known not to be the last one.
  while (pending_.size() + clear.size() > kChunkBytes) {
    const std::size_t missing = kChunkBytes - pending_.size();
    pending_ += clear.substr(0, missing);
    clear.remove_prefix(missing);
    SY_TRY(seal(pending_, false, out));
    pending_.clear();
  }
  pending_ += clear;
  return {};
}

Result<void> AgeEncryptor::finish(std::string& out) { return seal(pending_, true, out); }

// --- reading

Result<void> AgeDecryptor::read_header(std::size_t end) {
  // `end` is behind the line of the MAC.
  const std::string_view header = std::string_view(pending_).substr(0, end);
  const std::size_t dashes = header.rfind("\n--- ");
  if (dashes == std::string_view::npos) return not_age();
  const std::string_view signed_part = header.substr(0, dashes + 4);
  const std::string_view mac_text = header.substr(dashes + 5, header.size() - dashes - 6);
  const auto mac = from_base64(mac_text, 32);
  const auto stanzas = stanzas_of(header.substr(0, dashes + 1));
  if (!mac || !stanzas) return not_age();
  for (const AgeIdentity& identity : identities_) {
    const auto own = x25519_public(identity.key);
    if (!own) continue;
    for (const Stanza& stanza : *stanzas) {
      const auto shared = x25519_shared(identity.key, stanza.share);
      if (!shared) continue;
      std::string file_key;
      if (!open_into(wrap_key(*shared, stanza.share, *own), kZeroNonce.data(), stanza.body, file_key)) continue;
      file_key_ = Secret(std::move(file_key));
      const Secret mac_key = hkdf(file_key_.reveal(), "", "header");
      const std::string expected = hmac(mac_key.reveal(), signed_part);
      if (CRYPTO_memcmp(expected.data(), mac->data(), expected.size()) != 0) {
        return Error(ErrorKind::Protocol, "damaged: the header was changed");
      }
      return {};
    }
  }
  return Error(ErrorKind::Config, "wrong key: no backup identity given here opens it")
      .with_hint("backup.identity (or --identity-file) must be the secret key of one of its recipients");
}

Result<void> AgeDecryptor::open(std::string_view chunk, bool last, std::string& out) {
  const ChunkNonce nonce = chunk_nonce(counter_, last);
  const bool empty = chunk.size() == kTagBytes && counter_ > 0;
  if (empty || !open_into(key_, nonce.data(), chunk, out)) return changed(counter_);
  ++counter_;
  return {};
}

Result<void> AgeDecryptor::write(std::string_view sealed, std::string& out) {
  pending_ += sealed;
  if (!header_read_) {
    const std::string_view expected = std::string_view(kVersionLine).substr(0, pending_.size());
    if (!pending_.starts_with(expected)) return not_age();
    const std::size_t dashes = pending_.find("\n--- ");
    const std::size_t end = dashes == std::string::npos ? dashes : pending_.find('\n', dashes + 1);
    if (end == std::string::npos) {
      if (pending_.size() > kLongestHeader) return not_age();
      return {};
    }
    if (pending_.size() < end + 1 + kNonceBytes) return {};
    SY_TRY(read_header(end + 1));
    key_ = hkdf(file_key_.reveal(), std::string_view(pending_).substr(end + 1, kNonceBytes), "payload");
    pending_.erase(0, end + 1 + kNonceBytes);
    header_read_ = true;
  }
  std::size_t done = 0;
  while (pending_.size() - done > kSealedChunkBytes) {
    SY_TRY(open(std::string_view(pending_).substr(done, kSealedChunkBytes), false, out));
    done += kSealedChunkBytes;
  }
  pending_.erase(0, done);
  return {};
}

Result<void> AgeDecryptor::finish(std::string& out) {
  if (!header_read_) return Error(ErrorKind::Protocol, "damaged: it ends within its header");
  return open(pending_, true, out);
}

}  // namespace switchyard::inline v0::backup
