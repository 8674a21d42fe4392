// A folder with backups, one folder each:
//
//   20261122T013000Z/          moment of its beginning (UTC)
//     main.dump[.age]          pg_dump's custom format: pg_restore reads it
//     main.fingerprint[.age]   catalogue, row counts and checksums as of the same snapshot
//     globals-1.sql[.age]      roles of a server
//     manifest.json            what there is
//     SHA256SUMS               checksums of all of these, for `sha256sum -c`; written last
//     proof.json               what the last restore test found
//   .partial-20261122T023000Z/ one that is being made, or whose maker was killed
//
// A backup is made in a .partial- folder, brought to the disk, and renamed: what has another name is whole. Whoever
// uses a folder holds a lock (flock) on it, so that a killed maker is known as such and nothing is removed that is
// being read.
#pragma once

#include <switchyard/backup/manifest.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

/// What a restore test found out about one database of a backup.
struct PartProof {
  std::string database;
  bool ok = false;
  std::uint64_t tables = 0, rows = 0;
  bool checksums = false;                ///< contents were compared, not only counted
  std::vector<std::string> differences;  ///< or the error, first
};

struct Proof {
  Moment moment{};
  std::string server_version;  ///< that it was restored on
  std::vector<PartProof> parts;
  [[nodiscard]] SWITCHYARD_API bool ok() const noexcept;
};

struct StoredBackup {
  std::filesystem::path folder;
  std::string id;
  Manifest manifest;
  std::optional<Proof> proof;
  std::string damage;  ///< why it can't be used; empty: as far as its manifest tells, it can
};

/// A lock on a folder, for as long as this lives.
class FolderLock {
 public:
  enum class Kind { shared, exclusive };
  /// Nothing if somebody else holds a lock that excludes this one.
  [[nodiscard]] static std::optional<FolderLock> try_take(const std::filesystem::path& folder, Kind kind);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

/// A backup that is being made. Removed with this object unless it was committed.
class SWITCHYARD_API Staging {
 public:
  Staging(Staging&&) noexcept = default;
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  /// Writes the manifest and the checksums, brings everything to the disk and gives the folder its name.
  [[nodiscard]] Result<std::filesystem::path> commit(Manifest manifest);

 private:
  friend class Repository;
  Staging(std::filesystem::path folder, std::string id, FolderLock lock)
      : folder_(std::move(folder)), id_(std::move(id)), lock_(std::move(lock)) {}
  std::filesystem::path folder_;  ///< empty: committed or moved from
  std::string id_;
  std::optional<FolderLock> lock_;
};

class SWITCHYARD_API Repository {
 public:
  /// The folder is made, for its owner alone, if it is missing. Unavailable if it can't be.
  [[nodiscard]] static Result<Repository> open(const std::string& folder);
  /// Of a folder that need not be there: then there are no backups in it.
  [[nodiscard]] static Repository look(const std::string& folder) { return Repository(folder); }

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  /// Newest first, damaged ones too.
  [[nodiscard]] std::vector<StoredBackup> list() const;
  /// By its name, or "latest": the newest that can be used and holds `database` (empty: any). Config errors list
  /// what there is.
  [[nodiscard]] Result<StoredBackup> find(std::string_view id, std::string_view database) const;
  /// Folders of makers that were killed; those that are being made are not among them.
  [[nodiscard]] std::vector<std::filesystem::path> interrupted() const;
  /// Removes these. Gives their names.
  std::vector<std::string> remove_interrupted() const;
  [[nodiscard]] Result<Staging> begin(Moment moment) const;
  [[nodiscard]] Result<void> write_proof(const StoredBackup& backup, const Proof& proof) const;
  /// Unavailable while somebody reads it.
  [[nodiscard]] Result<void> remove(const StoredBackup& backup) const;
  /// Copies a whole backup here, checksums checked on the way; what is here already is left alone.
  [[nodiscard]] Result<void> copy_from(const StoredBackup& backup, const std::stop_token& stop) const;

 private:
  explicit Repository(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

/// Those to be removed at `now`: all their databases' retention has passed, and none of them is the newest usable
/// backup of a database, or the newest proven one. `retention` of a database; zero: for ever.
[[nodiscard]] SWITCHYARD_API std::vector<StoredBackup> outdated(
    const std::vector<StoredBackup>& backups, Moment now,
    const std::function<Duration(const std::string& database)>& retention);

}  // namespace switchyard::inline v0::backup
