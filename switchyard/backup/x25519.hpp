// X25519 (RFC 7748) by OpenSSL, on keys of 32 bytes.
#pragma once

#include <switchyard/base/secret.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

/// The public key that belongs to a private one.
[[nodiscard]] std::optional<std::string> x25519_public(const Secret& private_key);
/// The shared secret. Nothing for a public key of low order, whose secret would be zero.
[[nodiscard]] std::optional<Secret> x25519_shared(const Secret& private_key, std::string_view public_key);
/// `count` bytes of OpenSSL's random source.
[[nodiscard]] std::optional<std::string> random_bytes(std::size_t count);

}  // namespace switchyard::inline v0::backup
