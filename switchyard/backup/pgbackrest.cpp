#include <switchyard/backup/pgbackrest.hpp>

#include <switchyard/backup/client_run.hpp>
#include <switchyard/backup/json_fields.hpp>
#include <switchyard/backup/moment.hpp>
#include <switchyard/backup/physical_note.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/embedded/account.hpp>
#include <switchyard/embedded/launcher.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/server_folder.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <pwd.h>
#include <sys/stat.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr Duration kFullEvery = std::chrono::hours(24 * 7);
constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kRecoveryTimeout = std::chrono::hours(24);
constexpr const char* kConfigName = "switchyard-pgbackrest.conf";

std::string find_program() {
  for (const char* folder : {"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"}) {
    const std::string path = std::string(folder) + "/pgbackrest";
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string beside(const FleetConfig& fleet, const std::string& folder) {
  if (folder.empty() || fs::path(folder).is_absolute()) return folder;
  return fs::absolute(fs::path(fleet.file).parent_path() / folder).string();
}

/// For root: who owns the data folder. Else nothing: pgBackRest runs as the caller.
Result<std::optional<embedded::Account>> owner_of(const Stanza& stanza) {
  if (::geteuid() != 0) return std::optional<embedded::Account>{};
  struct stat seen{};
  if (::stat(stanza.data_folder.c_str(), &seen) != 0) {
    return Error(ErrorKind::Config, "there is no data folder " + stanza.data_folder)
        .with_hint("database." + stanza.databases.front() +
                   ".backup.data_folder is what SHOW data_directory says, on this machine");
  }
  const passwd* who = ::getpwuid(seen.st_uid);  // NOLINT(concurrency-mt-unsafe): before any thread
  return embedded::server_account(who == nullptr ? "postgres" : who->pw_name);
}

std::uint64_t days(Duration length) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, (length + kDay - Duration(1)) / kDay));
}

void add_repository(std::string& text, int number, const std::string& folder, const PgBackRest& setup,
                    Passphrase passphrase) {
  const std::string repo = "repo" + std::to_string(number) + "-";
  Duration retention{}, wal{}, frequency = kDay;
  for (const Stanza& one : setup.stanzas) {
    retention = std::max(retention, one.retention);
    wal = std::max(wal, one.wal_retention);
    frequency = std::min(frequency, one.frequency);
  }
  text += repo + "path=" + folder + '\n';
  if (retention > Duration::zero()) {
    text += repo + "retention-full-type=time\n" + repo + "retention-full=" + std::to_string(days(retention)) + '\n';
  }
  if (wal > Duration::zero() && frequency > Duration::zero()) {
    // Counted in backups: with one an hour, a week of WAL is that between the last 168.
    text += repo + "retention-archive-type=incr\n" + repo +
            "retention-archive=" + std::to_string(std::clamp<std::int64_t>(wal / frequency, 1, 9'999'999)) + '\n';
  }
  if (!setup.passphrase.empty()) {
    text +=
        repo + "cipher-type=aes-256-cbc\n" + repo + "cipher-pass=" +
        (passphrase == Passphrase::masked ? std::string(setup.passphrase.masked()) : setup.passphrase.reveal()) +
        '\n';
  }
}

/// For `status`, which starts no program: what the newest backup is.
void note_last(const PgBackRest& setup, const Stanza& stanza, const PhysicalBackup& newest) {
  const json::object document{{"label", newest.label},
                              {"moment", text_of(Moment(std::chrono::seconds(newest.stopped)))},
                              {"bytes", newest.repository_bytes},
                              {"encrypted", !setup.passphrase.empty()}};
  // Of the account that runs this; a running fleet may read it.
  const fs::path path = fs::path(setup.repository) / last_name(stanza.name);
  const fs::path making = path.string() + ".new";
  std::ofstream(making) << json::serialize(document) << '\n';
  std::error_code ignored;
  fs::permissions(making, fs::perms(0644), ignored);
  fs::rename(making, path, ignored);
}

Error words_of(const Error& error) {
  // "P00  ERROR: [055]: ..." says enough; the lines before are about its version.
  const std::string text(error.message());
  const std::size_t at = text.find("ERROR:");
  if (at == std::string::npos) return error;
  const Error said(error.kind(), "pgBackRest: " + text.substr(at + 7));
  if (text.find("[056]") == std::string::npos) return said;
  return said.with_hint(
      "does the server run, may the data folder's owner log in over its socket, and does this pgBackRest "
      "know the server's version? (2.45 knows PostgreSQL up to 15)");
}

}  // namespace

std::string PgBackRest::config_file() const { return repository + "/" + kConfigName; }

const Stanza* PgBackRest::find(std::string_view database) const noexcept {
  for (const Stanza& one : stanzas) {
    if (std::ranges::find(one.databases, database) != one.databases.end()) return &one;
  }
  return nullptr;
}

Result<PgBackRest> find_pgbackrest(const FleetConfig& fleet) {
  PgBackRest setup;
  setup.repository = beside(fleet, *fleet.backup.pgbackrest);
  setup.second_repository = beside(fleet, *fleet.backup.pgbackrest_second);
  setup.passphrase = *fleet.backup.pgbackrest_passphrase;
  for (const DatabaseConfig& database : fleet.databases) {
    if (database.backup.data_folder->empty() || !database.configured()) continue;
    const std::string name = database.backup.stanza->empty() ? *fleet.application : *database.backup.stanza;
    auto at = std::ranges::find(setup.stanzas, name, &Stanza::name);
    if (at == setup.stanzas.end()) {
      Stanza& made = setup.stanzas.emplace_back();
      made.name = name;
      made.data_folder = *database.backup.data_folder;
      made.frequency = *database.backup.frequency;
      const ConnectionOptions& connection = database.primary.connection;
      if (!connection.hosts.empty()) {
        made.port = connection.hosts.front().port;
        if (connection.hosts.front().is_unix_socket()) made.socket_folder = connection.hosts.front().host;
      }
      at = std::prev(setup.stanzas.end());
    } else if (at->data_folder != *database.backup.data_folder) {
      return Error(ErrorKind::Config, "stanza '" + name + "' has two data folders: " + at->data_folder + " and " +
                                          *database.backup.data_folder)
          .with_hint("set database." + database.name + ".backup.stanza to another name");
    }
    at->databases.push_back(database.name);
    at->frequency = std::min(at->frequency, *database.backup.frequency);
    at->retention = std::max(at->retention, *database.backup.retention);
    at->wal_retention = std::max(at->wal_retention, *database.backup.wal_retention);
  }
  if (setup.repository.empty() || setup.stanzas.empty()) {
    return Error(ErrorKind::Config, "pgBackRest is not configured")
        .with_hint(
            "set backup.pgbackrest = \"/var/lib/pgbackrest\" and database.NAME.backup.data_folder to what SHOW "
            "data_directory says");
  }
  setup.program = find_program();
  if (setup.program.empty()) {
    return Error(ErrorKind::Config, "pgBackRest is not installed").with_hint("apt-get install pgbackrest");
  }
  return setup;
}

std::string pgbackrest_config(const PgBackRest& setup, Passphrase passphrase) {
  std::string text = "[global]\n";
  add_repository(text, 1, setup.repository, setup, passphrase);
  if (!setup.second_repository.empty()) add_repository(text, 2, setup.second_repository, setup, passphrase);
  text +=
      "lock-path=" + setup.repository + "/lock\nspool-path=" + setup.repository +
      "/spool\nlog-level-file=off\nlog-level-console=warn\nlog-level-stderr=off\nstart-fast=y\ncompress-type=zst\n";
  for (const Stanza& one : setup.stanzas) {
    text += "\n[" + one.name + "]\npg1-path=" + one.data_folder + "\npg1-port=" + std::to_string(one.port) + '\n';
    if (!one.socket_folder.empty()) text += "pg1-socket-path=" + one.socket_folder + '\n';
  }
  return text;
}

std::string archive_command(const PgBackRest& setup, const Stanza& stanza) {
  return setup.program + " --config=" + setup.config_file() + " --stanza=" + stanza.name + " archive-push %p";
}

Result<void> write_pgbackrest_config(const PgBackRest& setup) {
  auto account = owner_of(setup.stanzas.front());
  if (!account.ok()) return account.error();
  std::error_code error;
  for (const std::string& folder : {setup.repository, setup.second_repository}) {
    if (folder.empty() || fs::is_directory(folder, error)) continue;
    fs::create_directories(fs::path(folder).parent_path(), error);
    SY_TRY(embedded::make_folder(folder, 0750, *account));
  }
  return embedded::write_file(setup.repository, kConfigName, pgbackrest_config(setup, Passphrase::written),
                              *account);
}

Result<std::string> run_pgbackrest(const PgBackRest& setup, const Stanza& stanza,
                                   std::vector<std::string> arguments, std::stop_token stop) {
  auto account = owner_of(stanza);
  if (!account.ok()) return account.error();
  if (std::error_code error; !fs::exists(setup.config_file(), error)) {
    return Error(ErrorKind::Config, "pgBackRest has no configuration in " + setup.repository)
        .with_hint("switchyard backup pgbackrest setup");
  }
  arguments.insert(arguments.begin(), {"--config=" + setup.config_file(), "--stanza=" + stanza.name});
  embedded::LaunchSpec spec{.program = setup.program,
                            .arguments = std::move(arguments),
                            .environment = embedded::clean_environment(setup.repository),
                            .working_folder = setup.repository,
                            .account = *account};
  // It complains on its standard output.
  spec.arguments.emplace_back("--log-level-stderr=error");
  std::string output;
  auto ran = run_and_consume(
      std::move(spec),
      [&](std::string_view piece) -> Result<void> {
        output += piece;
        return {};
      },
      stop);
  if (!ran.ok()) return words_of(ran.error());
  return output;
}

Result<StanzaInfo> pgbackrest_info(const PgBackRest& setup, const Stanza& stanza) {
  auto text = run_pgbackrest(setup, stanza, {"--output=json", "info"}, {});
  if (!text.ok()) return text.error();
  boost::system::error_code wrong;
  const json::value document = json::parse(*text, wrong);
  const json::array* stanzas = wrong ? nullptr : document.if_array();
  if (stanzas == nullptr) return Error(ErrorKind::Protocol, "what pgBackRest says of itself is no JSON document");
  StanzaInfo info;
  for (const json::value& one : *stanzas) {
    const json::object& object = object_of(&one);
    if (text_in(object, "name") != stanza.name) continue;
    info.status = text_in(object_in(object, "status"), "message");
    for (const json::value& archive : array_in(object, "archive")) {
      info.first_wal = text_in(object_of(&archive), "min");
      info.last_wal = text_in(object_of(&archive), "max");
    }
    for (const json::value& backup : array_in(object, "backup")) {
      const json::object& from = object_of(&backup);
      PhysicalBackup& made = info.backups.emplace_back();
      made.label = text_in(from, "label");
      made.type = text_in(from, "type");
      made.started = static_cast<std::int64_t>(number_in(object_in(from, "timestamp"), "start"));
      made.stopped = static_cast<std::int64_t>(number_in(object_in(from, "timestamp"), "stop"));
      made.bytes = number_in(object_in(from, "info"), "size");
      made.repository_bytes = number_in(object_in(object_in(from, "info"), "repository"), "delta");
      made.repository = static_cast<std::uint32_t>(number_in(object_in(from, "database"), "repo-key"));
    }
  }
  if (info.status.empty()) info.status = "no stanza";
  return info;
}

Result<std::vector<std::string>> run_physical_backup(const PgBackRest& setup, const Stanza& stanza,
                                                     PhysicalKind kind, std::stop_token stop) {
  std::vector<std::string> labels;
  const std::uint32_t repositories = setup.second_repository.empty() ? 1 : 2;
  for (std::uint32_t repository = 1; repository <= repositories; ++repository) {
    auto before = pgbackrest_info(setup, stanza);
    if (!before.ok()) return before.error();
    std::int64_t last_full = 0;
    for (const PhysicalBackup& one : before->backups) {
      if (one.repository == repository && one.type == "full") last_full = std::max(last_full, one.stopped);
    }
    const auto age = std::chrono::system_clock::now() - std::chrono::sys_seconds(std::chrono::seconds(last_full));
    const bool full = kind == PhysicalKind::full || age >= kFullEvery;
    auto ran = run_pgbackrest(
        setup, stanza,
        {"--repo=" + std::to_string(repository), std::string("--type=") + (full ? "full" : "incr"), "backup"},
        stop);
    if (!ran.ok()) return ran.error();
    auto after = pgbackrest_info(setup, stanza);
    if (!after.ok()) return after.error();
    PhysicalBackup newest;
    for (const PhysicalBackup& one : after->backups) {
      if (one.repository == repository && one.stopped >= newest.stopped) newest = one;
    }
    labels.push_back(newest.label);
    if (repository == 1) note_last(setup, stanza, newest);
  }
  return labels;
}

// --- one moment

namespace {

constexpr std::string_view kPointPrefix = "switchyard-pit-";

/// Folders whose maker holds no lock on them any more: it was killed.
void remove_abandoned_points() {
  std::error_code error;
  for (fs::directory_iterator at(fs::temp_directory_path(error), error), end; !error && at != end;
       at.increment(error)) {
    const fs::path folder = at->path();
    struct stat seen{};
    if (!folder.filename().string().starts_with(kPointPrefix) || ::lstat(folder.c_str(), &seen) != 0 ||
        !S_ISDIR(seen.st_mode) || seen.st_uid != ::geteuid()) {
      continue;
    }
    const auto lock = FolderLock::try_take(folder, FolderLock::Kind::exclusive);
    if (!lock) continue;
    embedded::end_servers_in(folder / "primary");
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
}

}  // namespace

struct PointInTime::State {
  fs::path folder;
  std::optional<FolderLock> lock;
  std::unique_ptr<embedded::PrivateCluster> cluster;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    cluster.reset();
    std::error_code ignored;
    if (!folder.empty()) fs::remove_all(folder, ignored);
  }

  Result<void> make_folder() {
    // Between making and locking it somebody may take it for abandoned.
    while (!lock) {
      std::string name = (fs::temp_directory_path() / (std::string(kPointPrefix) + "XXXXXX")).string();
      if (::mkdtemp(name.data()) == nullptr) return Error(ErrorKind::Unavailable, "can't make a folder in " + name);
      std::optional<FolderLock> taken = FolderLock::try_take(name, FolderLock::Kind::exclusive);
      if (!taken || !fs::exists(name)) continue;
      lock.emplace(std::move(*taken));
      folder = name;
    }
    return {};
  }
};

PointInTime::PointInTime(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
PointInTime::PointInTime(PointInTime&&) noexcept = default;
PointInTime::~PointInTime() = default;

std::string PointInTime::dsn(const std::string& dbname) const {
  return state_->cluster->primary().endpoint(dbname).uri();
}

Result<PointInTime> PointInTime::restore(const PgBackRest& setup, const Stanza& stanza, const std::string& moment,
                                         std::stop_token stop) {
  return restore_with(setup, stanza, {"--type=time", "--target=" + moment}, moment, stop);
}

Result<PointInTime> PointInTime::restore(const PgBackRest& setup, const Stanza& stanza,
                                         const PhysicalBackup& backup, std::stop_token stop) {
  return restore_with(setup, stanza,
                      {"--repo=" + std::to_string(backup.repository), "--set=" + backup.label, "--type=immediate"},
                      "the end of " + backup.label, stop);
}

Result<PointInTime> PointInTime::restore_with(const PgBackRest& setup, const Stanza& stanza,
                                              std::vector<std::string> arguments, const std::string& to,
                                              std::stop_token stop) {
  remove_abandoned_points();
  auto account = owner_of(stanza);
  if (!account.ok()) return account.error();
  auto state = std::make_unique<State>();
  SY_TRY(state->make_folder());
  const std::string name = state->folder.string();
  std::error_code ignored;
  fs::permissions(name, fs::perms(0711), ignored);
  const std::string data = name + "/primary";
  // A private cluster's folder: the mark, and its primary's data.
  SY_TRY(embedded::write_file(name, "switchyard.lock", "", {}));
  SY_TRY(embedded::make_folder(data, 0700, *account));
  for (const char* last : {"--target-action=promote", "--archive-mode=off", "restore"})
    arguments.emplace_back(last);
  arguments.insert(arguments.begin(), "--pg1-path=" + data);
  auto restored = run_pgbackrest(setup, stanza, std::move(arguments), stop);
  if (!restored.ok()) {
    return restored.error().with_hint(
        "switchyard backup pgbackrest info shows from when to when there is something");
  }
  embedded::ClusterOptions options;
  options.name = "point_in_time";
  options.folder = name;
  if (*account) {
    options.superuser = (*account)->name;
    options.run_as = (*account)->name;
  } else if (const passwd* self = ::getpwuid(::geteuid())) {  // NOLINT(concurrency-mt-unsafe): before any thread
    options.superuser = self->pw_name;
  }
  // Nobody may look before the moment is reached; nor does it need the original's limits then.
  options.settings = {{"hot_standby", "off"}, {"archive_mode", "off"}};
  options.start_timeout = kRecoveryTimeout;
  auto started = embedded::PrivateCluster::start(std::move(options));
  if (!started.ok()) {
    return started.error()
        .with_context("recovery to " + to)
        .with_hint(
            "the WAL up to then may not be archived yet; switchyard backup pgbackrest info shows how far it is");
  }
  state->cluster = std::move(*started);
  return PointInTime(std::move(state));
}

}  // namespace switchyard::inline v0::backup
