// switchyard restore and verify-backup.
#include "backup_setup.hpp"
#include "commands.hpp"
#include "fleet_choice.hpp"
#include "interrupt.hpp"
#include "progress_line.hpp"
#include "status_view.hpp"

#include <switchyard/backup/backup_state.hpp>
#include <switchyard/backup/make_backup.hpp>
#include <switchyard/backup/pgbackrest.hpp>
#include <switchyard/backup/physical_proof.hpp>
#include <switchyard/backup/restore.hpp>
#include <switchyard/backup/verify.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <utility>

namespace switchyard::cli {

namespace {

using backup::Repository;
using backup::RestoreProgress;
using backup::StoredBackup;
using http::JsonWriter;

std::string how_far(const RestoreProgress& progress) {
  // What was read is the clear content: about as much as lies on the disk.
  return readable_size(progress.read) + " of " + readable_size(progress.of);
}

ExitCode extract(const StoredBackup& found, const std::string& database,
                 const std::vector<backup::AgeIdentity>& identities, const RestoreCommand& command,
                 std::stop_token stop, const Console& console) {
  auto done = backup::extract_dump(found, database, identities, *command.extract, std::move(stop));
  if (!done.ok()) return fail(console, done.error());
  console.note("not encrypted any more: pg_restore --dbname=... " + *command.extract);
  console.print(*command.extract + "\n");
  return ExitCode::ok;
}

Result<StoredBackup> stored(const FleetConfig& fleet, const DatabaseConfig& database,
                            const RestoreCommand& command) {
  auto folder = backup_folder(fleet, database, command.repository);
  if (!folder.ok()) return folder.error();
  return Repository::look(*folder).find(command.from, database.name);
}

/// A backup of one database as of a moment, in a folder that goes with this.
struct Moments {
  explicit Moments(std::filesystem::path f) : folder(std::move(f)) {}
  Moments(Moments&& other) noexcept : folder(std::move(other.folder)), backup(std::move(other.backup)) {
    other.folder.clear();
  }
  Moments& operator=(Moments&&) = delete;
  ~Moments() {
    std::error_code ignored;
    if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
  }
  std::filesystem::path folder;
  StoredBackup backup;
};

/// pgBackRest brings a private server to that moment; what is wanted of it is dumped there.
Result<Moments> backup_of_moment(const FleetConfig& fleet, const DatabaseConfig& database, const std::string& at,
                                 const std::stop_token& stop, const Console& console) {
  auto setup = backup::find_pgbackrest(fleet);
  if (!setup.ok()) {
    return setup.error().with_hint(
        "dumps show the moments they were made at: switchyard backup list, then restore "
        "--from; any moment needs pgBackRest: docs/backup.md");
  }
  const backup::Stanza* stanza = setup->find(database.name);
  if (stanza == nullptr) {
    return Error(ErrorKind::Config, "pgBackRest does not keep the server of " + database.name)
        .with_hint("set database." + database.name + ".backup.data_folder");
  }
  console.note(database.name + "  a private server is brought to " + at);
  auto server = backup::PointInTime::restore(*setup, *stanza, at, stop);
  if (!server.ok()) return server.error();
  FleetConfig there = fleet;
  DatabaseConfig* own = there.find(database.name);
  const std::string schema = *own->schema;
  auto dsn = server->dsn(own->primary.connection.dbname);
  own->role = std::string();
  own->primary.user = std::string();
  SY_TRY(relocate(there, *own, dsn, "private server"));
  std::string folder = (std::filesystem::temp_directory_path() / "switchyard-moment-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return Error(ErrorKind::Unavailable, "can't make " + folder);
  Moments made{folder};
  auto repository = Repository::open(folder);
  if (!repository.ok()) return repository.error();
  auto backup = backup::make_backup(there, *repository, {{database.name, schema}}, {}, {}, stop);
  if (!backup.ok()) return backup.error();
  made.backup = std::move(*backup);
  return made;
}

}  // namespace

ExitCode run_restore(const GlobalOptions& global, const RestoreCommand& command, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const FleetConfig& fleet = choice->config;
  auto database = backup_database(fleet, *command.on);
  if (!database.ok()) return fail(console, database.error());
  const std::string& name = (*database)->name;
  auto identities = backup_identities(fleet, command.identity_file);
  if (!identities.ok()) return fail(console, identities.error());
  const InterruptWatch interrupts;
  std::optional<Moments> moments;  // lives as long as what was found there is used
  if (command.at) {
    auto made = backup_of_moment(fleet, **database, *command.at, interrupts.token(), console);
    if (!made.ok()) return fail(console, made.error());
    moments.emplace(std::move(*made));
  }
  auto found = moments ? Result<StoredBackup>(moments->backup) : stored(fleet, **database, command);
  if (!found.ok()) return fail(console, found.error());
  if (!command.confirm.empty() && command.confirm != name) {
    console.complain("--confirm=" + command.confirm + " is not the database that would be replaced",
                     "--confirm=" + name);
    return ExitCode::usage;
  }
  if (command.extract) return extract(*found, name, *identities, command, interrupts.token(), console);

  backup::RestoreOptions options;
  options.identities = std::move(*identities);
  options.into = command.into.value_or("");
  options.overwrite = command.confirm == name;
  options.owners = !command.no_owner;
  options.globals = command.globals;
  Result<backup::RestoreReport> done = Error(ErrorKind::Closed, "");
  {
    ProgressLine line(console);
    done = backup::restore_database(
        fleet, *found, name, options, [&](const RestoreProgress& progress) { line.busy(name, how_far(progress)); },
        interrupts.token());
  }
  if (!done.ok()) return fail(console, done.error().with_database(name));
  for (const std::string& note : done->notes) console.warn(note);
  for (const std::string& difference : done->differences) console.warn("not as in the backup: " + difference);
  JsonWriter json;
  json.begin_object()
      .member("backup", found->id)
      .member("database", name)
      .member_if("schema", done->schema)
      .member("place", done->place)
      .member("created", done->created)
      .member("tables", done->tables)
      .member("rows", done->rows)
      .key("differences")
      .begin_array();
  for (const std::string& one : done->differences) json.value(one);
  json.end_array().end_object();
  const std::string what = done->schema.empty() ? name : name + " (schema " + done->schema + ")";
  console.print(global.json ? json.take()
                            : what + " is back at " + done->place + " as of " +
                                  backup::text_of(found->manifest.find(name)->moment) + ": " +
                                  std::to_string(done->tables) + " tables, " + std::to_string(done->rows) +
                                  " rows" + (done->differences.empty() ? ", as in the backup\n" : "\n"));
  return ExitCode::ok;
}

namespace {

/// What restore tests found, for people and as JSON.
class ShownProofs {
 public:
  explicit ShownProofs(const Console& console) : console_(console) {
    json_.begin_object().key("backups").begin_array();
  }

  void add(const std::string& id, const backup::Proof& proof) {
    json_.begin_object()
        .member("backup", id)
        .member("ok", proof.ok())
        .member("server_version", proof.server_version)
        .key("databases")
        .begin_array();
    for (const backup::PartProof& part : proof.parts) {
      ++(part.ok ? good_ : bad_);
      json_.begin_object()
          .member("database", part.database)
          .member("ok", part.ok)
          .member("tables", part.tables)
          .member("rows", part.rows)
          .member("checksums", part.checksums)
          .key("differences")
          .begin_array();
      for (const std::string& one : part.differences) json_.value(one);
      json_.end_array().end_object();
      text_ += id + "  " + part.database + "  " +
               (part.ok ? console_.out()(Tone::good, "proven") + "  " + std::to_string(part.tables) + " tables, " +
                              std::to_string(part.rows) + " rows" +
                              (part.checksums ? ", contents compared" : ", counted")
                        : console_.out()(Tone::bad, "NOT proven")) +
               '\n';
      for (const std::string& one : part.differences) text_ += "    " + one + '\n';
    }
    json_.end_array().end_object();
  }

  ExitCode print(const GlobalOptions& global, const Console& console) {
    console.print(global.json ? json_.end_array().end_object().take() : text_);
    if (bad_ == 0) return good_ > 0 ? ExitCode::ok : ExitCode::failed;
    return good_ > 0 ? ExitCode::partial : ExitCode::failed;
  }

 private:
  const Console& console_;
  JsonWriter json_;
  std::string text_;
  std::size_t good_ = 0, bad_ = 0;
};

ExitCode verify_physical(const FleetConfig& fleet, const GlobalOptions& global, const Console& console) {
  auto setup = backup::find_pgbackrest(fleet);
  if (!setup.ok()) return fail(console, setup.error());
  const InterruptWatch interrupts;
  ShownProofs shown(console);
  for (const backup::Stanza& stanza : setup->stanzas) {
    Result<backup::PhysicalProof> proof = Error(ErrorKind::Closed, "");
    {
      ProgressLine line(console);
      proof = backup::prove_physical(
          fleet, *setup, stanza, [&](const std::string& what) { line.busy(stanza.name, what); },
          interrupts.token());
    }
    if (!proof.ok()) return fail(console, proof.error());
    if (auto written = backup::write_physical_proof(*setup, stanza, *proof); !written.ok()) {
      console.warn(written.error().what());
    }
    shown.add("pgBackRest " + proof->label, proof->proof);
  }
  return shown.print(global, console);
}

}  // namespace

ExitCode run_verify_backup(const GlobalOptions& global, const VerifyCommand& command, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const FleetConfig& fleet = choice->config;
  const bool physical_only = fleet.backup.repository->empty() && !fleet.backup.pgbackrest->empty() &&
                             !command.repository && command.backup == "latest";
  if (command.backup == "pgbackrest" || physical_only) return verify_physical(fleet, global, console);
  backup::VerifyOptions options;
  for (const std::string& name : command.on) {
    auto resolved = fleet.resolve(name);
    if (!resolved.ok()) return fail(console, resolved.error());
    options.databases.push_back(resolved->database->name);
  }
  auto folders = backup_folders(fleet, options.databases, command.repository);
  if (!folders.ok()) return fail(console, folders.error());
  auto identities = backup_identities(fleet, command.identity_file);
  if (!identities.ok()) return fail(console, identities.error());
  options.identities = std::move(*identities);
  const InterruptWatch interrupts;
  ShownProofs shown(console);
  for (const std::string& folder : *folders) {
    const Repository repository = Repository::look(folder);
    auto found = repository.find(command.backup, options.databases.empty() ? "" : options.databases.front());
    if (!found.ok()) {
      // Named, it is in one of them.
      if (folders->size() > 1 && command.backup != "latest") continue;
      return fail(console, found.error());
    }
    Result<backup::Proof> proof = Error(ErrorKind::Closed, "");
    {
      ProgressLine line(console);
      proof = backup::verify_backup(
          *found, options,
          [&](const std::string& database, const RestoreProgress& progress) {
            line.busy(database, how_far(progress));
          },
          interrupts.token());
    }
    if (!proof.ok()) return fail(console, proof.error());
    // A test of some of them says nothing of the others: what is known of these stays.
    if (found->proof) {
      for (const backup::PartProof& before : found->proof->parts) {
        if (std::ranges::find(proof->parts, before.database, &backup::PartProof::database) == proof->parts.end()) {
          proof->parts.push_back(before);
        }
      }
    }
    if (auto written = repository.write_proof(*found, *proof); !written.ok()) console.warn(written.error().what());
    shown.add(found->id, *proof);
  }
  return shown.print(global, console);
}

}  // namespace switchyard::cli
