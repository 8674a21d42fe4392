#include <switchyard/fleet/spool_cipher.hpp>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <memory>
#include <optional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::string_view kContext = "switchyard spool 1";

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* in(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());  // OpenSSL's bytes
}
unsigned char* out(std::string& bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes.data()); }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() != 2 * kKeyBytes) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::optional<std::string> from_base64(std::string_view text) {
  // 32 bytes are 43 digits and one '='.
  if (text.size() != 44 || text.back() != '=' || text[42] == '=') return std::nullopt;
  std::string bytes(33, '\0');
  if (EVP_DecodeBlock(out(bytes), in(text), static_cast<int>(text.size())) != 33) return std::nullopt;
  bytes.resize(kKeyBytes);
  return bytes;
}

/// What an entry is bound to.
std::string associated_data(std::string_view database, const Uuid& entry) {
  std::string data(kContext);
  data += '\0';
  data += database;
  data += '\0';
  data.append(entry.bytes.begin(), entry.bytes.end());
  return data;
}

}  // namespace

Result<SpoolCipher> SpoolCipher::make(const Secret& key) {
  auto bytes = from_hex(key.reveal());
  if (!bytes) bytes = from_base64(key.reveal());
  if (!bytes) {
    return Error(ErrorKind::Config, "spool_key must be 32 bytes, as 64 hexadecimal digits or in base64")
        .with_hint("make one with: openssl rand -base64 32");
  }
  return SpoolCipher(Secret(std::move(*bytes)));
}

Result<std::string> SpoolCipher::seal(std::string_view database, const Uuid& entry, ByteView clear) const {
  const Error failed(ErrorKind::Unavailable, "a spool entry could not be encrypted");
  std::string sealed(kNonceBytes + clear.size() + kTagBytes, '\0');
  if (RAND_bytes(out(sealed), kNonceBytes) != 1) return failed;
  const std::string bound_to = associated_data(database, entry);
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!context ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(key_.reveal()), in(sealed)) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, in(bound_to), static_cast<int>(bound_to.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), out(sealed) + kNonceBytes, &size, in(clear),
                        static_cast<int>(clear.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), out(sealed) + kNonceBytes + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                          out(sealed) + kNonceBytes + clear.size()) != 1) {
    return failed;
  }
  return sealed;
}

Result<std::string> SpoolCipher::open(std::string_view database, const Uuid& entry, ByteView sealed) const {
  const Error refused =
      Error(ErrorKind::Config, "a spool entry of '" + std::string(database) + "' can't be decrypted")
          .with_hint("spool_key must be the key it was kept with");
  if (sealed.size() < kNonceBytes + kTagBytes) return refused;
  const std::size_t size = sealed.size() - kNonceBytes - kTagBytes;
  std::string clear(size, '\0');
  std::string tag(sealed.substr(kNonceBytes + size));
  const std::string bound_to = associated_data(database, entry);
  const Context context(EVP_CIPHER_CTX_new());
  int done = 0;
  if (!context ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(key_.reveal()), in(sealed)) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &done, in(bound_to), static_cast<int>(bound_to.size())) != 1 ||
      EVP_DecryptUpdate(context.get(), out(clear), &done, in(sealed.substr(kNonceBytes)), static_cast<int>(size)) !=
          1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(context.get(), out(clear) + done, &done) != 1) {
    return refused;
  }
  return clear;
}

Result<Uuid> random_uuid() noexcept {
  Uuid id;
  if (RAND_bytes(id.bytes.data(), static_cast<int>(id.bytes.size())) != 1) {
    return Error(ErrorKind::Unavailable, "the random source of OpenSSL failed");
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x40);  // version 4 (RFC 9562)
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

}  // namespace switchyard::inline v0::fleet
