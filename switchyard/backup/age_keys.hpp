// Keys of age (age-encryption.org/v1): a recipient encrypts and may be known to everybody, an identity decrypts.
// So the machine that makes backups need not be able to read them.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

/// "age1...": an X25519 public key.
struct AgeRecipient {
  std::string key;  ///< 32 bytes
  [[nodiscard]] SWITCHYARD_API std::string text() const;
};

/// "AGE-SECRET-KEY-1...": an X25519 private key.
struct AgeIdentity {
  Secret key;  ///< 32 bytes
  [[nodiscard]] SWITCHYARD_API Result<AgeRecipient> recipient() const;
  [[nodiscard]] SWITCHYARD_API Secret text() const;
};

/// A Config error names what is wrong with it and shows the text, which is public.
[[nodiscard]] SWITCHYARD_API Result<AgeRecipient> parse_recipient(std::string_view text);

/// One identity a line, as `age-keygen` writes them: empty lines and those that begin with '#' are skipped. A
/// Config error if there is none or a line is none; it never shows the text.
[[nodiscard]] SWITCHYARD_API Result<std::vector<AgeIdentity>> parse_identities(const Secret& text);

/// A new identity from the system's random source.
[[nodiscard]] SWITCHYARD_API Result<AgeIdentity> new_identity();

}  // namespace switchyard::inline v0::backup
