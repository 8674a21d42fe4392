// What a backup says of itself. It is written last: a folder without it is no backup.
#pragma once

#include <switchyard/backup/moment.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

struct StoredFile {
  std::string name;  ///< within the backup's folder
  std::uint64_t bytes = 0;
  std::string sha256;  ///< of what lies on the disk
};

/// One database, or one schema of it, as of one moment.
struct BackupPart {
  std::string database;  ///< logical name
  std::string schema;    ///< empty: the whole database
  std::string dbname;
  std::string server;          ///< "localhost:5432"
  std::string role;            ///< that made the dump
  std::string server_version;  ///< "18.6"
  std::string dump_version;    ///< of pg_dump
  std::string encoding, collate, ctype;
  Moment moment{};            ///< of the snapshot that the whole part shows
  std::uint64_t seconds = 0;  ///< that it took
  std::uint64_t database_bytes = 0;
  std::uint64_t tables = 0;
  StoredFile dump;         ///< of pg_dump, in its custom format
  StoredFile fingerprint;  ///< what a restored copy must look like
};

/// Roles, memberships and tablespaces of a server.
struct GlobalsPart {
  std::string server;
  bool passwords = false;  ///< the roles' SCRAM verifiers are in it
  std::string server_version;
  StoredFile file;  ///< of pg_dumpall: a script for psql
};

struct FailedPart {
  std::string database, error;
};

struct Manifest {
  std::string id;  ///< the folder's name
  std::string application;
  std::string version;  ///< of Switchyard
  Moment started{}, finished{};
  std::vector<std::string> recipients;  ///< age1...; empty: in the clear
  std::vector<BackupPart> parts;
  std::vector<GlobalsPart> globals;
  std::vector<FailedPart> failed;  ///< databases that are not in it

  [[nodiscard]] SWITCHYARD_API const BackupPart* find(std::string_view database) const noexcept;
  [[nodiscard]] SWITCHYARD_API std::uint64_t bytes() const noexcept;
  /// Every file but the manifest itself.
  [[nodiscard]] std::vector<StoredFile> files() const;
};

[[nodiscard]] std::string to_json(const Manifest& manifest);
/// A Protocol error if it is none, or of a later format.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view json);

}  // namespace switchyard::inline v0::backup
