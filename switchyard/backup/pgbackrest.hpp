// Physical backups by pgBackRest: whole servers, hourly and incremental, with the WAL between them, so that any
// moment of the last days can be had. Switchyard writes its configuration from the fleet file, says what the server
// needs, and runs it; it keeps nothing that pgBackRest would not understand without Switchyard.
//
// pgBackRest reads the data folder, so this runs on the server's machine, as the account that owns the folder.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace switchyard::inline v0::backup {

/// pgBackRest's name for one server, and where it is.
struct Stanza {
  std::string name;
  std::string data_folder;
  std::vector<std::string> databases;  ///< of the fleet, that live on it
  std::string socket_folder;           ///< empty: pgBackRest's default
  std::uint16_t port = 5432;
  Duration frequency{}, retention{}, wal_retention{};
};

struct PgBackRest {
  std::string program;            ///< absolute path
  std::string repository;         ///< folder
  std::string second_repository;  ///< folder; empty: none
  Secret passphrase;              ///< empty: in the clear
  std::vector<Stanza> stanzas;

  /// Where its configuration lies: in the repository's folder, readable by the account alone.
  [[nodiscard]] SWITCHYARD_API std::string config_file() const;
  [[nodiscard]] SWITCHYARD_API const Stanza* find(std::string_view database) const noexcept;
};

/// What the fleet file says: backup.pgbackrest and database.NAME.backup.data_folder. Config errors: nothing is
/// configured, pgBackRest is not installed, two data folders of one stanza.
[[nodiscard]] SWITCHYARD_API Result<PgBackRest> find_pgbackrest(const FleetConfig& fleet);

/// The text of its configuration. `masked`: without the passphrase, for people.
enum class Passphrase : std::uint8_t { written, masked };
[[nodiscard]] SWITCHYARD_API std::string pgbackrest_config(const PgBackRest& setup, Passphrase passphrase);

/// What archive_command must be for this stanza.
[[nodiscard]] SWITCHYARD_API std::string archive_command(const PgBackRest& setup, const Stanza& stanza);

/// Makes the repositories' folders and writes the configuration, both for the account that owns the data.
[[nodiscard]] SWITCHYARD_API Result<void> write_pgbackrest_config(const PgBackRest& setup);

/// Runs one of its commands (stanza-create, check, backup, info, restore) for a stanza and gives what it printed.
/// Its words come with the error.
[[nodiscard]] SWITCHYARD_API Result<std::string> run_pgbackrest(const PgBackRest& setup, const Stanza& stanza,
                                                                std::vector<std::string> arguments,
                                                                std::stop_token stop);

struct PhysicalBackup {
  std::string label;  ///< "20261122-013000F"
  std::string type;   ///< full, diff, incr
  std::uint32_t repository = 1;
  std::int64_t started = 0, stopped = 0;  ///< seconds since 1970
  std::uint64_t bytes = 0;                ///< of the database; what was copied for it is less
  std::uint64_t repository_bytes = 0;
};
struct StanzaInfo {
  std::string status;                   ///< "ok", or pgBackRest's words
  std::vector<PhysicalBackup> backups;  ///< oldest first
  std::string first_wal, last_wal;
};
[[nodiscard]] SWITCHYARD_API Result<StanzaInfo> pgbackrest_info(const PgBackRest& setup, const Stanza& stanza);

/// The next backup, in each repository: full when the last full one is a week old or `full` is wanted, else
/// incremental. Gives the labels. What is outdated pgBackRest removes by itself.
enum class PhysicalKind : std::uint8_t { next, full };
[[nodiscard]] SWITCHYARD_API Result<std::vector<std::string>> run_physical_backup(const PgBackRest& setup,
                                                                                  const Stanza& stanza,
                                                                                  PhysicalKind kind,
                                                                                  std::stop_token stop);

/// A server brought to one moment in a folder of its own. What a killed process has left of its own is removed by
/// the next one.
class SWITCHYARD_API PointInTime {
 public:
  /// `moment` as PostgreSQL reads it: "2026-11-22 01:00:00+00". Blocks until recovery has ended there.
  [[nodiscard]] static Result<PointInTime> restore(const PgBackRest& setup, const Stanza& stanza,
                                                   const std::string& moment, std::stop_token stop);
  /// As it was at the end of one backup.
  [[nodiscard]] static Result<PointInTime> restore(const PgBackRest& setup, const Stanza& stanza,
                                                   const PhysicalBackup& backup, std::stop_token stop);
  PointInTime(PointInTime&&) noexcept;
  PointInTime& operator=(PointInTime&&) = delete;
  /// Ends the server and removes its folder.
  ~PointInTime();

  /// Connection string of a database there, as superuser.
  [[nodiscard]] std::string dsn(const std::string& dbname) const;

 private:
  struct State;
  static Result<PointInTime> restore_with(const PgBackRest& setup, const Stanza& stanza,
                                          std::vector<std::string> arguments, const std::string& to,
                                          std::stop_token stop);
  explicit PointInTime(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard::inline v0::backup
