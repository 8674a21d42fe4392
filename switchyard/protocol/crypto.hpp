// The few primitives authentication needs, on OpenSSL. They throw std::bad_alloc if OpenSSL has no memory.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol::crypto {

/// A SHA-256 digest, SCRAM's key size.
using Digest = std::array<unsigned char, 32>;

[[nodiscard]] inline ByteView view(const Digest& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

[[nodiscard]] SWITCHYARD_API Digest sha256(ByteView data);
[[nodiscard]] SWITCHYARD_API Digest hmac_sha256(ByteView key, ByteView data);
/// PBKDF2 with HMAC-SHA-256 (SCRAM's Hi()).
[[nodiscard]] SWITCHYARD_API Digest pbkdf2_sha256(ByteView password, ByteView salt, std::uint32_t iterations);
/// MD5 in lowercase hexadecimal; nothing if the OpenSSL configuration forbids MD5.
[[nodiscard]] SWITCHYARD_API std::optional<std::string> md5_hex(ByteView data);
/// Cryptographically random; nothing if OpenSSL's generator fails.
[[nodiscard]] SWITCHYARD_API std::optional<std::string> random_bytes(std::size_t size);
[[nodiscard]] SWITCHYARD_API bool equal_in_constant_time(ByteView a, ByteView b) noexcept;
/// RFC 4648 section 4, with padding.
[[nodiscard]] SWITCHYARD_API std::string base64_encode(ByteView data);
/// Strict: complete groups, padding, no other characters.
[[nodiscard]] SWITCHYARD_API std::optional<std::string> base64_decode(std::string_view text);

}  // namespace switchyard::inline v0::protocol::crypto
