// Files of age (age-encryption.org/v1) as streams of bytes, without I/O: what the programs `age` and `rage` write
// and read, so that a backup can be opened where there is no Switchyard.
//
//   age-encryption.org/v1            the file key, encrypted for each recipient, under a MAC
//   -> X25519 SHARE
//   BODY
//   --- MAC
//   nonce (16 bytes) chunk chunk ... chunk     64 kB each, ChaCha20-Poly1305; the last one is marked as such,
//                                              so a file that was cut short is known
#pragma once

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

class SWITCHYARD_API AgeEncryptor {
 public:
  /// At least one recipient; any of them will be able to read. Appends the header to `out`.
  [[nodiscard]] static Result<AgeEncryptor> begin(const std::vector<AgeRecipient>& recipients, std::string& out);
  /// Appends whole chunks as they fill up.
  [[nodiscard]] Result<void> write(std::string_view clear, std::string& out);
  /// Appends the last chunk. Nothing may be written afterwards.
  [[nodiscard]] Result<void> finish(std::string& out);

 private:
  explicit AgeEncryptor(Secret key) : key_(std::move(key)) {}
  Result<void> seal(std::string_view chunk, bool last, std::string& out);

  Secret key_;
  std::string pending_;  ///< at most one chunk
  std::uint64_t counter_ = 0;
};

class SWITCHYARD_API AgeDecryptor {
 public:
  explicit AgeDecryptor(std::vector<AgeIdentity> identities) : identities_(std::move(identities)) {}
  /// Appends what is authentic so far. Errors: Config for "none of these keys opens it" and for no file of age,
  /// Protocol for one that was changed.
  [[nodiscard]] Result<void> write(std::string_view sealed, std::string& out);
  /// The file is at its end. A Protocol error if it was cut short.
  [[nodiscard]] Result<void> finish(std::string& out);

 private:
  [[nodiscard]] Result<void> read_header(std::size_t end);
  [[nodiscard]] Result<void> open(std::string_view chunk, bool last, std::string& out);

  std::vector<AgeIdentity> identities_;
  Secret file_key_, key_;
  std::string pending_;
  std::uint64_t counter_ = 0;
  bool header_read_ = false;
};

}  // namespace switchyard::inline v0::backup
