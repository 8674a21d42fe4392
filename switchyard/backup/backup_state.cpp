#include <switchyard/backup/backup_state.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/json_fields.hpp>
#include <switchyard/backup/physical_note.hpp>
#include <switchyard/backup/physical_proof.hpp>
#include <switchyard/backup/repository.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

namespace switchyard::inline v0::backup {

namespace {

namespace fs = std::filesystem;

std::string beside(const FleetConfig& fleet, const std::string& folder) {
  if (folder.empty() || fs::path(folder).is_absolute()) return folder;
  const fs::path base = fs::path(fleet.file).parent_path();
  return fs::absolute(base / folder).lexically_normal().string();
}

const PartProof* proof_of(const StoredBackup& backup, const std::string& database) {
  if (!backup.proof) return nullptr;
  const auto at = std::ranges::find(backup.proof->parts, database, &PartProof::database);
  return at == backup.proof->parts.end() ? nullptr : &*at;
}

BackupStatus status_of(const std::vector<StoredBackup>& newest_first, const std::string& database) {
  BackupStatus status;
  bool tested = false;
  for (const StoredBackup& one : newest_first) {
    const BackupPart* part = one.damage.empty() ? one.manifest.find(database) : nullptr;
    if (part == nullptr) continue;
    if (status.last.empty()) {
      status.last = one.id;
      status.age = now() - part->moment;
      status.bytes = part->dump.bytes;
      status.encrypted = !one.manifest.recipients.empty();
    }
    const PartProof* proof = proof_of(one, database);
    if (proof == nullptr) continue;
    if (!tested && !proof->ok) status.failed_proof = one.id;
    tested = true;
    if (proof->ok) {
      status.proven = one.id;
      status.proven_age = now() - one.proof->moment;
      break;
    }
  }
  return status;
}

/// The newer of two proofs counts; one that failed, only when nothing was proven since.
void add_physical_proof(const std::string& folder, const std::string& stanza, const std::string& database,
                        BackupStatus& status) {
  const auto found = read_physical_proof(folder, stanza);
  if (!found) return;
  const auto part = std::ranges::find(found->proof.parts, database, &PartProof::database);
  if (part == found->proof.parts.end()) return;
  const auto age = now() - found->proof.moment;
  if (status.proven_age && *status.proven_age <= age) return;
  if (!part->ok) {
    status.failed_proof = "pgBackRest " + found->label;
    return;
  }
  status.proven = "pgBackRest " + found->label;
  status.proven_age = age;
  status.failed_proof.clear();
}

/// The newest backup of pgBackRest takes the place of a dump that is older.
void add_physical(const FleetConfig& fleet, const DatabaseConfig& database, BackupStatus& status) {
  const std::string folder = beside(fleet, *fleet.backup.pgbackrest);
  const std::string& own = *database.backup.stanza;
  const std::string& stanza = own.empty() ? *fleet.application : own;
  add_physical_proof(folder, stanza, database.name, status);
  auto text = read_whole(fs::path(folder) / last_name(stanza), {});
  if (status.repository.empty()) status.repository = folder;
  if (!text.ok()) return;
  boost::system::error_code wrong;
  const boost::json::value document = boost::json::parse(*text, wrong);
  const boost::json::object& object = object_of(wrong ? nullptr : &document);
  const auto moment = parse_moment(text_in(object, "moment"));
  if (!moment || (status.age && *status.age <= now() - *moment)) return;
  status.last = "pgBackRest " + text_in(object, "label");
  status.age = now() - *moment;
  status.bytes = number_in(object, "bytes");
  status.encrypted = flag_in(object, "encrypted");
}

}  // namespace

std::string repository_of(const FleetConfig& fleet, const DatabaseConfig& database) {
  const std::string& own = *database.backup.repository;
  return beside(fleet, own.empty() ? *fleet.backup.repository : own);
}

std::string second_repository_of(const FleetConfig& fleet, const DatabaseConfig& database) {
  const std::string& own = *database.backup.second_repository;
  return beside(fleet, own.empty() ? *fleet.backup.second_repository : own);
}

std::map<std::string, BackupStatus> read_backup_status(const FleetConfig& fleet) {
  std::map<std::string, std::vector<StoredBackup>> lists;
  std::map<std::string, BackupStatus> all;
  for (const DatabaseConfig& database : fleet.databases) {
    const std::string folder = repository_of(fleet, database);
    const bool physical = !fleet.backup.pgbackrest->empty() && !database.backup.data_folder->empty();
    if ((folder.empty() && !physical) || !database.configured()) continue;
    BackupStatus status;
    if (!folder.empty()) {
      const auto [at, fresh] = lists.try_emplace(folder);
      if (fresh) at->second = Repository::look(folder).list();
      status = status_of(at->second, database.name);
    }
    status.repository = folder;
    status.frequency = *database.backup.frequency;
    if (physical) add_physical(fleet, database, status);
    all[database.name] = std::move(status);
  }
  return all;
}

}  // namespace switchyard::inline v0::backup
