// Entries of a confidential database are kept sealed: AES-256-GCM (NIST SP 800-38D) with a random nonce of 12 bytes
// for each, bound to the database and the entry, so that no entry can be read, changed or put in another's place
// without the key.
//
//   sealed = nonce (12 bytes) ciphertext tag (16 bytes)
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/values/uuid.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

class SpoolCipher {
 public:
  /// `key` is the setting spool_key: 32 bytes as 64 hexadecimal digits or in base64. Config error for anything
  /// else.
  [[nodiscard]] static Result<SpoolCipher> make(const Secret& key);

  /// Unavailable if the library's random source fails.
  [[nodiscard]] Result<std::string> seal(std::string_view database, const Uuid& entry, ByteView clear) const;
  /// Config error if the key is not the one the entry was sealed with, or the entry was changed.
  [[nodiscard]] Result<std::string> open(std::string_view database, const Uuid& entry, ByteView sealed) const;

 private:
  explicit SpoolCipher(Secret key) noexcept : key_(std::move(key)) {}
  Secret key_;  ///< 32 bytes
};

/// A random (version 4) identifier.
[[nodiscard]] Result<Uuid> random_uuid() noexcept;

}  // namespace switchyard::inline v0::fleet
