// switchyard backup: dumps of all databases; which there are; which may go.
#include "backup_setup.hpp"
#include "commands.hpp"
#include "fleet_choice.hpp"
#include "interrupt.hpp"
#include "progress_line.hpp"
#include "status_view.hpp"
#include "text_table.hpp"

#include <switchyard/backup/backup_state.hpp>
#include <switchyard/backup/make_backup.hpp>
#include <switchyard/base/units.hpp>
#include <switchyard/http/json_writer.hpp>

#include <fcntl.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

namespace switchyard::cli {

namespace {

using backup::BackupOrder;
using backup::BackupPart;
using backup::BackupPhase;
using backup::BackupProgress;
using backup::Moment;
using backup::Repository;
using backup::StoredBackup;
using http::JsonWriter;

std::string age_text(Moment moment) {
  const auto age = std::chrono::duration_cast<std::chrono::minutes>(backup::now() - moment);
  return age < std::chrono::minutes(1) ? "now" : format_duration(age);
}

std::string part_name(const BackupPart& part) {
  return part.schema.empty() ? part.database : part.database + "(" + part.schema + ")";
}

void write_json(JsonWriter& json, const StoredBackup& one) {
  json.begin_object()
      .member("id", one.id)
      .member("folder", one.folder.string())
      .member_if("damage", one.damage)
      .member("encrypted", !one.manifest.recipients.empty())
      .member("one_moment", one.manifest.parts.size() == 1)
      .member("bytes", one.manifest.bytes());
  json.key("databases").begin_array();
  for (const BackupPart& part : one.manifest.parts) {
    json.begin_object()
        .member("database", part.database)
        .member_if("schema", part.schema)
        .member("dbname", part.dbname)
        .member("server", part.server)
        .member("role", part.role)
        .member("server_version", part.server_version)
        .member("moment", backup::text_of(part.moment))
        .member("bytes", part.dump.bytes)
        .member("tables", part.tables)
        .member("seconds", part.seconds)
        .member("file", part.dump.name)
        .member("sha256", part.dump.sha256)
        .end_object();
  }
  json.end_array().key("globals").begin_array();
  for (const backup::GlobalsPart& globals : one.manifest.globals) {
    json.begin_object()
        .member("server", globals.server)
        .member("passwords", globals.passwords)
        .member("file", globals.file.name)
        .end_object();
  }
  json.end_array().key("failed").begin_array();
  for (const backup::FailedPart& failed : one.manifest.failed) {
    json.begin_object().member("database", failed.database).member("error", failed.error).end_object();
  }
  json.end_array();
  if (one.proof) {
    json.key("proof")
        .begin_object()
        .member("moment", backup::text_of(one.proof->moment))
        .member("ok", one.proof->ok())
        .end_object();
  }
  json.end_object();
}

// --- making

/// The databases that are asked for, by the folder that their dumps go to.
struct Orders {
  std::map<std::string, std::vector<BackupOrder>> by_folder;
  std::map<std::string, std::string> second;  ///< of a folder
};

Result<Orders> orders_of(const FleetConfig& fleet, const BackupCommand& command, const Console& console) {
  Orders orders;
  std::vector<const DatabaseConfig*> chosen;
  for (const std::string& name : command.on) {
    auto database = backup_database(fleet, name);
    if (!database.ok()) return database.error();
    if (std::ranges::find(chosen, *database) == chosen.end()) chosen.push_back(*database);
  }
  for (const DatabaseConfig& database : fleet.databases) {
    if (!command.on.empty()) break;
    if (database.configured()) {
      chosen.push_back(&database);
    } else {
      console.note(database.name + (database.has_stand_in()
                                        ? "  not configured: what it holds is in " + *database.when_unconfigured
                                        : std::string("  not configured")));
    }
  }
  if (chosen.empty()) {
    return Error(ErrorKind::Config, "no database of this fleet is configured").with_hint("switchyard doctor");
  }
  for (const DatabaseConfig* database : chosen) {
    auto folder = backup_folder(fleet, *database, command.repository);
    if (!folder.ok()) return folder.error();
    std::string schema = command.schema.value_or(command.whole ? std::string() : *database->schema);
    orders.by_folder[*folder].push_back({database->name, std::move(schema)});
    if (command.repository) continue;
    const std::string second = backup::second_repository_of(fleet, *database);
    if (!second.empty()) orders.second[*folder] = second;
  }
  return orders;
}

Result<backup::BackupOptions> options_of(const FleetConfig& fleet, const BackupCommand& command) {
  backup::BackupOptions options;
  options.jobs = command.jobs.value_or(*fleet.backup.jobs);
  const bool sums = *fleet.backup.checksums && !command.no_checksums;
  options.contents = sums ? backup::Contents::summed : backup::Contents::counted;
  if (command.clear) return options;
  for (const std::string& text : command.recipients.empty() ? *fleet.backup.recipients : command.recipients) {
    auto recipient = backup::parse_recipient(text);
    if (!recipient.ok()) return recipient.error();
    options.recipients.push_back(std::move(*recipient));
  }
  return options;
}

/// Whole backups that are not there yet.
ExitCode copy_to(const std::string& second, const Repository& from, const std::stop_token& stop,
                 const Console& console) {
  auto to = Repository::open(second);
  if (!to.ok()) {
    console.complain(to.error().with_context("second repository"));
    return ExitCode::partial;
  }
  static_cast<void>(to->remove_interrupted());
  const auto there = to->list();
  for (const StoredBackup& one : from.list()) {
    if (!one.damage.empty() || std::ranges::find(there, one.id, &StoredBackup::id) != there.end()) continue;
    if (auto copied = to->copy_from(one, stop); !copied.ok()) {
      console.complain(copied.error().with_context("second repository"));
      return copied.error().kind() == ErrorKind::Cancelled ? ExitCode::interrupted : ExitCode::partial;
    }
    console.note(one.id + "  copied to " + second);
  }
  return ExitCode::ok;
}

backup::BackupSink sink_of(ProgressLine& line) {
  return [&line](const BackupProgress& progress) {
    switch (progress.phase) {
      case BackupPhase::dumps:
        line.busy(progress.database,
                  readable_size(progress.written) + " written, database " + readable_size(progress.database_bytes));
        break;
      case BackupPhase::done:
        line.done(progress.database, progress.database + "  " + readable_size(progress.written) +
                                         " of a database of " + readable_size(progress.database_bytes));
        break;
      case BackupPhase::failed: line.done(progress.database, {}); break;
    }
  };
}

/// As a fleet file's paths: what is said once for all databases.
void warn_about(const FleetConfig& fleet, const Orders& orders, const backup::BackupOptions& options,
                const Console& console) {
  std::size_t count = 0;
  for (const auto& [folder, list] : orders.by_folder) {
    count += list.size();
    for (const BackupOrder& order : list) {
      const DatabaseConfig* database = fleet.find(order.database);
      if (options.recipients.empty() && database != nullptr && *database->confidential) {
        console.warn(order.database + " is confidential and its dump is not encrypted: set backup.recipients");
      }
    }
  }
  if (count > 1) {
    console.note("each dump is consistent in itself; the dumps of " + std::to_string(count) +
                 " databases are not one moment");
  }
}

std::vector<StoredBackup> prune(const FleetConfig& fleet, const Repository& repository, bool dry_run,
                                const Console& console) {
  const auto retention = [&](const std::string& name) {
    const DatabaseConfig* database = fleet.find(name);
    // Of a database that this fleet no longer has: nobody said that it may go.
    return database == nullptr ? Duration::zero() : *database->backup.retention;
  };
  if (!dry_run) {
    for (const std::string& name : repository.remove_interrupted())
      console.note(name + "  removed: it was interrupted");
  }
  std::vector<StoredBackup> gone = backup::outdated(repository.list(), backup::now(), retention);
  std::erase_if(gone, [&](const StoredBackup& one) {
    if (dry_run) return false;
    auto removed = repository.remove(one);
    if (!removed.ok()) console.warn(removed.error().what());
    return !removed.ok();
  });
  return gone;
}

ExitCode make(const FleetConfig& fleet, const BackupCommand& command, const GlobalOptions& global,
              const Console& console) {
  auto orders = orders_of(fleet, command, console);
  if (!orders.ok()) return fail(console, orders.error());
  auto options = options_of(fleet, command);
  if (!options.ok()) return fail(console, options.error());
  warn_about(fleet, *orders, *options, console);
  const InterruptWatch interrupts;
  ExitCode code = ExitCode::ok;
  bool any = false;
  JsonWriter json;
  json.begin_object().key("backups").begin_array();
  std::string text;
  for (const auto& [folder, list] : orders->by_folder) {
    auto repository = Repository::open(folder);
    if (!repository.ok()) return fail(console, repository.error());
    for (const std::string& name : repository->remove_interrupted()) {
      console.note(name + "  removed: it was interrupted");
    }
    Result<StoredBackup> made = Error(ErrorKind::Closed, "");
    {
      ProgressLine line(console);
      made = backup::make_backup(fleet, *repository, list, *options, sink_of(line), interrupts.token());
    }
    if (!made.ok()) {
      code = fail(console, made.error());
      if (code == ExitCode::interrupted) return code;
      continue;
    }
    any = true;
    write_json(json, *made);
    text += made->folder.string() + '\n';
    for (const backup::FailedPart& failed : made->manifest.failed) {
      console.complain(Error(ErrorKind::Unavailable, failed.error).with_database(failed.database));
      code = ExitCode::partial;
    }
    const auto second = orders->second.find(folder);
    if (second != orders->second.end()) {
      const ExitCode copied = copy_to(second->second, *repository, interrupts.token(), console);
      if (copied != ExitCode::ok) code = copied;
      if (command.prune && copied == ExitCode::ok) {
        static_cast<void>(prune(fleet, Repository::look(second->second), false, console));
      }
    }
    if (!command.prune) continue;
    for (const StoredBackup& one : prune(fleet, *repository, false, console))
      console.note(one.id + "  removed: outdated");
  }
  console.print(global.json ? json.end_array().end_object().take() : text);
  return code != ExitCode::ok && any && code != ExitCode::interrupted ? ExitCode::partial : code;
}

// --- looking

ExitCode list(const FleetConfig& fleet, const BackupCommand& command, const GlobalOptions& global,
              const Console& console) {
  auto folders = backup_folders(fleet, command.on, command.repository);
  if (!folders.ok()) return fail(console, folders.error());
  JsonWriter json;
  json.begin_object().key("repositories").begin_array();
  std::string text;
  for (const std::string& folder : *folders) {
    const Repository repository = Repository::look(folder);
    TextTable table({{"backup"}, {"age", Align::right}, {"size", Align::right}, {"databases"}, {"state"}});
    json.begin_object().member("repository", folder).key("backups").begin_array();
    for (const StoredBackup& one : repository.list()) {
      write_json(json, one);
      std::string databases;
      for (const BackupPart& part : one.manifest.parts)
        databases += (databases.empty() ? "" : " ") + part_name(part);
      for (const backup::FailedPart& failed : one.manifest.failed) databases += " -" + failed.database;
      Cell state = {one.manifest.recipients.empty() ? "in the clear" : "encrypted", Tone::quiet};
      if (!one.damage.empty()) {
        state = {"damaged: " + one.damage, Tone::bad};
      } else if (one.proof) {
        state = {state.text + (one.proof->ok() ? ", proven " : ", restore test FAILED ") +
                     backup::text_of(one.proof->moment),
                 one.proof->ok() ? Tone::good : Tone::bad};
      } else if (!one.manifest.failed.empty()) {
        state = {state.text + ", partial", Tone::warn};
      }
      table.add({{one.id, Tone::strong},
                 one.damage.empty() ? age_text(one.manifest.finished) : "",
                 readable_size(one.manifest.bytes()),
                 databases,
                 state});
    }
    json.end_array().key("interrupted").begin_array();
    for (const auto& one : repository.interrupted()) {
      json.value(one.filename().string());
      table.add({one.filename().string(), "", "", "", {"interrupted: no backup", Tone::bad}});
    }
    json.end_array().end_object();
    text += folder + (table.empty() ? ": no backups\n" : "\n" + table.text(console.out()));
  }
  console.print(global.json ? json.end_array().end_object().take() : text);
  return ExitCode::ok;
}

ExitCode prune_all(const FleetConfig& fleet, const BackupCommand& command, const GlobalOptions& global,
                   const Console& console) {
  auto folders = backup_folders(fleet, command.on, command.repository);
  if (!folders.ok()) return fail(console, folders.error());
  if (!command.repository) {
    for (const DatabaseConfig& database : fleet.databases) {
      const std::string second = backup::second_repository_of(fleet, database);
      if (!second.empty() && std::ranges::find(*folders, second) == folders->end()) folders->push_back(second);
    }
  }
  JsonWriter json;
  json.begin_object().member("dry_run", command.dry_run).key("removed").begin_array();
  std::string text;
  for (const std::string& folder : *folders) {
    for (const StoredBackup& one : prune(fleet, Repository::look(folder), command.dry_run, console)) {
      json.value(one.folder.string());
      text += one.folder.string() + '\n';
    }
  }
  if (text.empty()) console.note("nothing is outdated");
  console.print(global.json ? json.end_array().end_object().take() : text);
  return ExitCode::ok;
}

ExitCode keygen(const BackupCommand& command, const GlobalOptions& global, const Console& console) {
  auto identity = backup::new_identity();
  if (!identity.ok()) return fail(console, identity.error());
  auto recipient = identity->recipient();
  if (!recipient.ok()) return fail(console, recipient.error());
  const int file = ::open(command.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    console.complain("can't write " + command.file + ": " + std::strerror(errno),
                     errno == EEXIST ? "a key that is there is not replaced: it may open backups" : "");
    return ExitCode::failed;
  }
  const Secret text("# created: " + backup::text_of(backup::now()) + "\n# public key: " + recipient->text() + "\n" +
                    identity->text().reveal() + "\n");
  const bool written =
      ::write(file, text.reveal().data(), text.reveal().size()) == static_cast<ssize_t>(text.reveal().size()) &&
      ::fsync(file) == 0;
  ::close(file);
  if (!written) {
    console.complain("can't write " + command.file);
    return ExitCode::failed;
  }
  console.note("keep " + command.file + " where the backups are not: without it nobody can open them");
  JsonWriter json;
  json.begin_object().member("recipient", recipient->text()).member("file", command.file).end_object();
  console.print(global.json ? json.take() : recipient->text() + "\n");
  return ExitCode::ok;
}

}  // namespace

ExitCode run_backup(const GlobalOptions& global, const BackupCommand& command, const Console& console) {
  if (command.action == BackupAction::keygen) return keygen(command, global, console);
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  switch (command.action) {
    case BackupAction::list: return list(choice->config, command, global, console);
    case BackupAction::prune: return prune_all(choice->config, command, global, console);
    case BackupAction::make: return make(choice->config, command, global, console);
    default: return run_pgbackrest(global, command, console);
  }
}

}  // namespace switchyard::cli
