#include <switchyard/backup/x25519.hpp>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::size_t kKeyBytes = 32;

struct Free {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Free>;

const unsigned char* in(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());  // OpenSSL's bytes
}
unsigned char* out(std::string& bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes.data()); }

Key private_of(const Secret& key) {
  if (key.reveal().size() != kKeyBytes) return {};
  return Key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, in(key.reveal()), kKeyBytes));
}

}  // namespace

std::optional<std::string> x25519_public(const Secret& private_key) {
  const Key key = private_of(private_key);
  std::string bytes(kKeyBytes, '\0');
  std::size_t size = bytes.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), out(bytes), &size) != 1 || size != kKeyBytes) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<Secret> x25519_shared(const Secret& private_key, std::string_view public_key) {
  if (public_key.size() != kKeyBytes) return std::nullopt;
  const Key own = private_of(private_key);
  const Key other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, in(public_key), kKeyBytes));
  if (!own || !other) return std::nullopt;
  const Context context(EVP_PKEY_CTX_new(own.get(), nullptr));
  std::string bytes(kKeyBytes, '\0');
  std::size_t size = bytes.size();
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
      EVP_PKEY_derive(context.get(), out(bytes), &size) != 1 || size != kKeyBytes) {
    return std::nullopt;
  }
  if (bytes == std::string(kKeyBytes, '\0')) return std::nullopt;
  return Secret(std::move(bytes));
}

std::optional<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(out(bytes), static_cast<int>(count)) != 1) return std::nullopt;
  return bytes;
}

}  // namespace switchyard::inline v0::backup
