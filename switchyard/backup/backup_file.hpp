// The files of a backup: written once, encrypted on the way when there are recipients, with a checksum of what lies
// on the disk. They belong to their maker alone (mode 0600).
#pragma once

#include <switchyard/backup/age_stream.hpp>
#include <switchyard/backup/manifest.hpp>
#include <switchyard/backup/sha256.hpp>
#include <switchyard/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

/// The ending that encrypted files have.
inline constexpr std::string_view kEncryptedEnding = ".age";

class BackupFileWriter {
 public:
  /// Makes `folder/name`, or `folder/name.age` for recipients. It must not exist.
  [[nodiscard]] static Result<BackupFileWriter> create(const std::filesystem::path& folder, const std::string& name,
                                                       const std::vector<AgeRecipient>& recipients);
  BackupFileWriter(BackupFileWriter&& other) noexcept;
  BackupFileWriter& operator=(BackupFileWriter&&) = delete;
  ~BackupFileWriter();

  /// An Unavailable error names the file, for a full disk too.
  [[nodiscard]] Result<void> write(std::string_view bytes);
  /// Everything is on the disk when this returns.
  [[nodiscard]] Result<StoredFile> finish();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  BackupFileWriter(std::string name, std::string path, int descriptor)
      : name_(std::move(name)), path_(std::move(path)), descriptor_(descriptor) {}
  Result<void> put(std::string_view bytes);

  std::string name_, path_;
  int descriptor_;
  std::uint64_t bytes_ = 0;
  Sha256 hash_;
  std::optional<AgeEncryptor> encryptor_;
  std::string sealed_;
};

class BackupFileReader {
 public:
  /// Identities are needed, and used, for a file whose name ends in .age. A Config error without them.
  [[nodiscard]] static Result<BackupFileReader> open(const std::filesystem::path& path,
                                                     const std::vector<AgeIdentity>& identities);
  BackupFileReader(BackupFileReader&& other) noexcept;
  BackupFileReader& operator=(BackupFileReader&&) = delete;
  ~BackupFileReader();

  /// Appends some of the clear content; nothing at the end.
  [[nodiscard]] Result<void> read(std::string& out);

 private:
  BackupFileReader(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  bool ended_ = false;
  std::optional<AgeDecryptor> decryptor_;
  std::string piece_;
};

/// The file is there, as long as it was, and has its checksum. A Protocol error says what is wrong with it.
[[nodiscard]] Result<void> check_file(const std::filesystem::path& folder, const StoredFile& file,
                                      const std::stop_token& stop);

/// All of it, for small files. At most 256 MB.
[[nodiscard]] Result<std::string> read_whole(const std::filesystem::path& path,
                                             const std::vector<AgeIdentity>& identities);

}  // namespace switchyard::inline v0::backup
