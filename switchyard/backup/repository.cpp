#include <switchyard/backup/repository.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/json_fields.hpp>
#include <switchyard/base/suggest.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <system_error>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kPartial = ".partial-";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kSums = "SHA256SUMS";
constexpr const char* kProof = "proof.json";
constexpr int kMostInOneSecond = 100;

Error system_error(const std::string& what, int number) {
  return {ErrorKind::Unavailable, what + ": " + std::generic_category().message(number)};
}

Result<void> sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_error("can't open " + folder.string(), errno);
  const int outcome = ::fsync(descriptor);
  const int number = errno;
  ::close(descriptor);
  if (outcome != 0) return system_error("can't bring " + folder.string() + " to the disk", number);
  return {};
}

Result<StoredFile> write_file(const fs::path& folder, const std::string& name, std::string_view text) {
  auto file = BackupFileWriter::create(folder, name, {});
  if (!file.ok()) return file.error();
  SY_TRY(file->write(text));
  return file->finish();
}

/// As `sha256sum` writes them.
std::string sums_of(const std::vector<StoredFile>& files) {
  std::string text;
  for (const StoredFile& file : files) text += file.sha256 + "  " + file.name + '\n';
  return text;
}

std::optional<Proof> read_proof(const fs::path& folder) {
  auto text = read_whole(folder / kProof, {});
  if (!text.ok()) return std::nullopt;
  boost::system::error_code wrong;
  const json::value document = json::parse(*text, wrong);
  if (wrong) return std::nullopt;
  const json::object& object = object_of(&document);
  const auto moment = parse_moment(text_in(object, "moment"));
  if (!moment) return std::nullopt;
  Proof proof{*moment, text_in(object, "server_version"), {}};
  for (const json::value& one : array_in(object, "parts")) {
    const json::object& part = object_of(&one);
    PartProof& into = proof.parts.emplace_back();
    into.database = text_in(part, "database");
    into.ok = flag_in(part, "ok");
    into.tables = number_in(part, "tables");
    into.rows = number_in(part, "rows");
    into.checksums = flag_in(part, "checksums");
    for (const json::value& difference : array_in(part, "differences")) {
      if (const auto* line = difference.if_string()) into.differences.emplace_back(line->data(), line->size());
    }
  }
  return proof;
}

StoredBackup read_backup(const fs::path& folder) {
  StoredBackup backup{
      .folder = folder, .id = folder.filename().string(), .manifest = {}, .proof = {}, .damage = {}};
  auto text = read_whole(folder / kManifest, {});
  auto sums = read_whole(folder / kSums, {});
  if (!text.ok() || !sums.ok()) {
    backup.damage = std::string(text.ok() ? kSums : kManifest) + " can't be read";
    return backup;
  }
  if (sums->find(sha256_of(*text) + "  " + kManifest + "\n") == std::string::npos) {
    backup.damage = "its manifest was changed: it has not the checksum in " + std::string(kSums);
    return backup;
  }
  auto manifest = parse_manifest(*text);
  if (!manifest.ok()) {
    backup.damage = manifest.error().message();
    return backup;
  }
  backup.manifest = std::move(*manifest);
  backup.proof = read_proof(folder);
  for (const StoredFile& file : backup.manifest.files()) {
    std::error_code error;
    const auto size = fs::file_size(folder / file.name, error);
    if (!error && size == file.bytes) continue;
    backup.damage =
        file.name + (error ? " is missing"
                           : " has " + std::to_string(size) + " bytes instead of " + std::to_string(file.bytes));
    break;
  }
  return backup;
}

/// "20261122T013000Z", "20261122T013000Z-2"
bool is_id(std::string_view name) {
  constexpr std::string_view kShape = "00000000T000000Z";
  if (name.size() < kShape.size()) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = name[i] >= '0' && name[i] <= '9';
    if (kShape[i] == '0' ? !digit : name[i] != kShape[i]) return false;
  }
  return name.size() == kShape.size() || name[kShape.size()] == '-';
}

}  // namespace

bool Proof::ok() const noexcept { return !parts.empty() && std::ranges::all_of(parts, &PartProof::ok); }

// --- locks

std::optional<FolderLock> FolderLock::try_take(const fs::path& folder, Kind kind) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  if (::flock(descriptor, (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    ::close(descriptor);
    return std::nullopt;
  }
  return FolderLock(descriptor);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// --- making

Staging::~Staging() {
  if (folder_.empty()) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<fs::path> Staging::commit(Manifest manifest) {
  manifest.id = id_;
  auto written = write_file(folder_, kManifest, to_json(manifest));
  if (!written.ok()) return written.error();
  std::vector<StoredFile> all = manifest.files();
  all.push_back(*written);
  auto sums = write_file(folder_, kSums, sums_of(all));
  if (!sums.ok()) return sums.error();
  SY_TRY(sync_folder(folder_));
  const fs::path final_name = folder_.parent_path() / id_;
  if (::rename(folder_.c_str(), final_name.c_str()) != 0) {
    return system_error("can't name the backup " + final_name.string(), errno);
  }
  folder_.clear();
  SY_TRY(sync_folder(final_name.parent_path()));
  return final_name;
}

// --- the repository

Result<Repository> Repository::open(const std::string& folder) {
  if (folder.find("://") != std::string::npos) {
    return Error(ErrorKind::Config, "a repository of dumps is a folder, not " + folder)
        .with_hint("mount it, or let pgBackRest store elsewhere: docs/backup.md");
  }
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    fs::create_directories(folder, error);
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  }
  if (error || ::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Error(ErrorKind::Unavailable, "can't write to the backup repository " + folder + ": " +
                                             (error ? error.message() : std::generic_category().message(errno)))
        .with_hint("give a folder that this account may write to: backup.repository, or --repository");
  }
  return Repository(fs::absolute(folder));
}

std::vector<StoredBackup> Repository::list() const {
  std::vector<StoredBackup> all;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (is_id(at->path().filename().string())) all.push_back(read_backup(at->path()));
  }
  std::ranges::sort(all, std::ranges::greater{}, &StoredBackup::id);
  return all;
}

Result<StoredBackup> Repository::find(std::string_view id, std::string_view database) const {
  const std::vector<StoredBackup> all = list();
  std::vector<std::string_view> names;
  for (const StoredBackup& one : all) {
    names.push_back(one.id);
    const bool wanted = id.empty() || id == "latest"
                            ? one.damage.empty() && (database.empty() || one.manifest.find(database) != nullptr)
                            : one.id == id;
    if (!wanted) continue;
    if (!one.damage.empty()) {
      return Error(ErrorKind::Protocol, "the backup " + one.id + " is damaged: " + one.damage)
          .with_hint("switchyard backup list shows the others");
    }
    if (!database.empty() && one.manifest.find(database) == nullptr) {
      return Error(ErrorKind::Config, "the backup " + one.id + " does not hold " + std::string(database))
          .with_hint("switchyard backup list shows what each one holds");
    }
    return one;
  }
  const std::string where = " in " + folder_.string();
  if (id.empty() || id == "latest") {
    return Error(ErrorKind::Config, database.empty() ? "there is no backup" + where
                                                     : "there is no backup of " + std::string(database) + where)
        .with_hint("switchyard backup makes one");
  }
  const std::string close = did_you_mean(id, names);
  return Error(ErrorKind::Config, "there is no backup '" + std::string(id) + "'" + where)
      .with_hint(close.empty() ? "switchyard backup list shows them; latest is the newest one" : close);
}

std::vector<fs::path> Repository::interrupted() const {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (!at->path().filename().string().starts_with(kPartial)) continue;
    if (FolderLock::try_take(at->path(), FolderLock::Kind::exclusive)) found.push_back(at->path());
  }
  return found;
}

std::vector<std::string> Repository::remove_interrupted() const {
  std::vector<std::string> names;
  for (const fs::path& folder : interrupted()) {
    const auto lock = FolderLock::try_take(folder, FolderLock::Kind::exclusive);
    if (!lock) continue;
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    names.push_back(folder.filename().string());
  }
  return names;
}

Result<Staging> Repository::begin(Moment moment) const {
  for (int attempt = 1; attempt <= kMostInOneSecond; ++attempt) {
    const std::string id = name_of(moment) + (attempt == 1 ? "" : "-" + std::to_string(attempt));
    std::error_code error;
    if (fs::exists(folder_ / id, error)) continue;
    const fs::path folder = folder_ / (std::string(kPartial) + id);
    if (::mkdir(folder.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return system_error("can't make " + folder.string(), errno);
    }
    auto lock = FolderLock::try_take(folder, FolderLock::Kind::exclusive);
    if (!lock) continue;  // somebody cleans up
    return Staging(folder, id, std::move(*lock));
  }
  return Error(ErrorKind::Unavailable,
               std::to_string(kMostInOneSecond) + " backups began in one second in " + folder_.string());
}

Result<void> Repository::write_proof(const StoredBackup& backup, const Proof& proof) const {
  json::array parts;
  for (const PartProof& one : proof.parts) {
    json::array differences;
    for (const std::string& line : one.differences) differences.push_back(json::value(line));
    parts.push_back(json::object{{"database", one.database},
                                 {"ok", one.ok},
                                 {"tables", one.tables},
                                 {"rows", one.rows},
                                 {"checksums", one.checksums},
                                 {"differences", std::move(differences)}});
  }
  const json::object document{{"moment", text_of(proof.moment)},
                              {"ok", proof.ok()},
                              {"server_version", proof.server_version},
                              {"parts", std::move(parts)}};
  const fs::path folder = folder_ / backup.id;
  const std::string name = std::string(kProof) + ".new";
  std::error_code error;
  fs::remove(folder / name, error);
  auto written = write_file(folder, name, json::serialize(document) + '\n');
  if (!written.ok()) return written.error();
  fs::rename(folder / name, folder / kProof, error);
  if (error)
    return Error(ErrorKind::Unavailable, "can't write " + (folder / kProof).string() + ": " + error.message());
  return sync_folder(folder);
}

Result<void> Repository::remove(const StoredBackup& backup) const {
  const fs::path folder = folder_ / backup.id;
  const auto lock = FolderLock::try_take(folder, FolderLock::Kind::exclusive);
  if (!lock) return Error(ErrorKind::Unavailable, "the backup " + backup.id + " is being read");
  // Under its other name it is no backup any more, however far the removal comes.
  const fs::path going = folder_ / (std::string(kPartial) + backup.id);
  std::error_code error;
  fs::rename(folder, going, error);
  if (!error) fs::remove_all(going, error);
  if (error) return Error(ErrorKind::Unavailable, "can't remove " + folder.string() + ": " + error.message());
  return {};
}

Result<void> Repository::copy_from(const StoredBackup& backup, const std::stop_token& stop) const {
  std::error_code error;
  if (fs::exists(folder_ / backup.id, error)) return {};
  const fs::path making = folder_ / (std::string(kPartial) + backup.id);
  fs::remove_all(making, error);
  if (::mkdir(making.c_str(), 0700) != 0) return system_error("can't make " + making.string(), errno);
  std::optional<FolderLock> lock = FolderLock::try_take(making, FolderLock::Kind::exclusive);
  const auto copy = [&]() -> Result<void> {
    std::vector<std::string> names{kManifest, kSums};
    for (const StoredFile& file : backup.manifest.files()) names.push_back(file.name);
    for (const std::string& name : names) {
      // As they lie there: encrypted ones stay so.
      const int from = ::open((backup.folder / name).c_str(), O_RDONLY | O_CLOEXEC);
      if (from < 0) return system_error("can't read " + (backup.folder / name).string(), errno);
      auto to = BackupFileWriter::create(making, name, {});
      Result<void> outcome;
      if (!to.ok()) outcome = to.error();
      std::string piece(256 << 10, '\0');
      while (outcome.ok()) {
        if (stop.stop_requested()) outcome = Error(ErrorKind::Cancelled, "interrupted");
        const ssize_t got = ::read(from, piece.data(), piece.size());
        if (got < 0) outcome = system_error("can't read " + (backup.folder / name).string(), errno);
        if (got <= 0 || !outcome.ok()) break;
        outcome = to->write(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
      }
      ::close(from);
      if (!outcome.ok()) return outcome;
      auto written = to->finish();
      if (!written.ok()) return written.error();
      const auto files = backup.manifest.files();
      const auto at = std::ranges::find(files, name, &StoredFile::name);
      if (at != files.end() && at->sha256 != written->sha256) {
        return Error(ErrorKind::Protocol,
                     "the backup " + backup.id + " is damaged: " + name + " has not the checksum in its manifest");
      }
    }
    SY_TRY(sync_folder(making));
    if (::rename(making.c_str(), (folder_ / backup.id).c_str()) != 0) {
      return system_error("can't name the copy " + (folder_ / backup.id).string(), errno);
    }
    return sync_folder(folder_);
  };
  auto outcome = copy();
  if (!outcome.ok()) fs::remove_all(making, error);
  return outcome;
}

std::vector<StoredBackup> outdated(const std::vector<StoredBackup>& backups, Moment now,
                                   const std::function<Duration(const std::string& database)>& retention) {
  std::vector<const StoredBackup*> newest_first;
  for (const StoredBackup& one : backups) {
    if (one.damage.empty()) newest_first.push_back(&one);
  }
  std::ranges::sort(newest_first, std::ranges::greater{}, &StoredBackup::id);
  std::set<std::string, std::less<>> kept;
  std::map<std::string, bool, std::less<>> have_one, have_proven;
  for (const StoredBackup* one : newest_first) {
    for (const BackupPart& part : one->manifest.parts) {
      const bool proven = one->proof && std::ranges::any_of(one->proof->parts, [&](const PartProof& proof) {
                            return proof.ok && proof.database == part.database;
                          });
      const Duration keep = retention(part.database);
      const bool young = keep == Duration::zero() || now - part.moment < keep;
      if (young || !have_one[part.database] || (proven && !have_proven[part.database])) kept.insert(one->id);
      have_one[part.database] = true;
      have_proven[part.database] = have_proven[part.database] || proven;
    }
  }
  std::vector<StoredBackup> gone;
  for (const StoredBackup* one : newest_first) {
    if (!kept.contains(one->id)) gone.push_back(*one);
  }
  return gone;
}

}  // namespace switchyard::inline v0::backup
