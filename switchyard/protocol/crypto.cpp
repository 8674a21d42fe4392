#include <switchyard/protocol/crypto.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <limits>
#include <memory>
#include <new>

namespace switchyard::inline v0::protocol::crypto {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const unsigned char* bytes(ByteView data) noexcept { return reinterpret_cast<const unsigned char*>(data.data()); }

int base64_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

Digest sha256(ByteView data) {
  Digest digest{};
  if (EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
  return digest;
}

Digest hmac_sha256(ByteView key, ByteView data) {
  Digest digest{};
  unsigned size = 0;
  if (key.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(data), data.size(), digest.data(),
           &size) == nullptr) {
    throw std::bad_alloc();
  }
  return digest;
}

Digest pbkdf2_sha256(ByteView password, ByteView salt, std::uint32_t iterations) {
  Digest digest{};
  constexpr std::size_t kMax = std::numeric_limits<int>::max();
  if (password.size() > kMax || salt.size() > kMax || iterations > kMax ||
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                        static_cast<int>(digest.size()), digest.data()) != 1) {
    throw std::bad_alloc();
  }
  return digest;
}

std::optional<std::string> md5_hex(ByteView data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), digest, &size, EVP_md5(), nullptr) != 1) return std::nullopt;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text.push_back(kDigits[digest[i] >> 4]);
    text.push_back(kDigits[digest[i] & 15]);
  }
  return text;
}

std::optional<std::string> random_bytes(std::size_t size) {
  std::string data(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(data.data()), static_cast<int>(size)) != 1) return std::nullopt;
  return data;
}

bool equal_in_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64_encode(ByteView data) {
  std::string text;
  text.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const std::size_t left = data.size() - i;
    std::uint32_t group = std::uint32_t{bytes(data)[i]} << 16;
    if (left > 1) group |= std::uint32_t{bytes(data)[i + 1]} << 8;
    if (left > 2) group |= bytes(data)[i + 2];
    text.push_back(kAlphabet[group >> 18]);
    text.push_back(kAlphabet[group >> 12 & 63]);
    text.push_back(left > 1 ? kAlphabet[group >> 6 & 63] : '=');
    text.push_back(left > 2 ? kAlphabet[group & 63] : '=');
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string data;
  data.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int value = k >= 4 - padding ? 0 : base64_value(text[i + k]);
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    // Bits behind the data must be zero: one text for one value.
    if ((padding == 1 && (group & 0xFF) != 0) || (padding == 2 && (group & 0xFFFF) != 0)) return std::nullopt;
    data.push_back(static_cast<char>(group >> 16));
    if (padding < 2) data.push_back(static_cast<char>(group >> 8 & 0xFF));
    if (padding < 1) data.push_back(static_cast<char>(group & 0xFF));
  }
  return data;
}

}  // namespace switchyard::inline v0::protocol::crypto
