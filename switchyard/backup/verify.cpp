#include <switchyard/backup/verify.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/client_programs.hpp>
#include <switchyard/backup/feed_dump.hpp>
#include <switchyard/backup/fingerprint.hpp>
#include <switchyard/backup/one_session.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

using embedded::PrivateCluster;
using embedded::PrivateServer;
using embedded::quote_identifier;
using embedded::quote_literal;

/// A role of ours, so that none of the backup's is changed by being the superuser.
constexpr const char* kSuperuser = "switchyard_verify";
constexpr Duration kRoleTimeout = std::chrono::minutes(2);

int major_of(const std::string& version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

/// Private servers by major version, started when first needed.
class Servers {
 public:
  Result<PrivateServer*> get(int major) {
    auto& cluster = clusters_[major];
    if (cluster) return &cluster->primary();
    embedded::ClusterOptions options;
    options.name = "verify";
    options.superuser = kSuperuser;
    // The same version; else the oldest later one.
    const auto installed = embedded::list_postgres();
    for (const embedded::PostgresBinaries& one : installed) {
      if (one.major >= major && (options.binaries.major == 0 || one.major < options.binaries.major)) {
        options.binaries.major = one.major;
      }
    }
    if (options.binaries.major == 0) {
      return Error(ErrorKind::Config, "no PostgreSQL server of version " + std::to_string(major) +
                                          " or later is installed here to restore on")
          .with_hint("apt-get install postgresql-" + std::to_string(major) +
                     ", or set SWITCHYARD_PG_BIN to the bin folder of an installation");
    }
    auto started = PrivateCluster::start(std::move(options));
    if (!started.ok()) return started.error();
    cluster = std::move(*started);
    return &cluster->primary();
  }

 private:
  std::map<int, std::unique_ptr<PrivateCluster>> clusters_;
};

FleetConfig fleet_at(const PrivateServer& server, const std::string& dbname) {
  Sources sources;
  sources.file = "verify.toml";
  sources.file_text =
      "[fleet]\napplication = \"verify\"\n[database.main]\ndsn = \"" + server.endpoint(dbname).uri() + "\"\n";
  return load_config(sources).value_or_throw();
}

/// One database of the backup on a server of ours.
class Trial {
 public:
  Trial(const StoredBackup& backup, const BackupPart& part, const VerifyOptions& options, PrivateServer& server,
        std::string dbname)
      : backup_(backup), part_(part), options_(options), server_(server), dbname_(std::move(dbname)) {}

  Result<PartProof> run(const std::vector<ClientPrograms>& programs, const RestoreSink& sink,
                        const std::stop_token& stop) {
    auto expected_text = read_whole(backup_.folder / part_.fingerprint.name, options_.identities);
    if (!expected_text.ok()) return expected_text.error();
    auto expected = parse_fingerprint(*expected_text);
    if (!expected.ok()) return expected.error();
    SY_TRY(make_roles(*expected));
    SY_TRY(make_database());
    const FleetConfig fleet = fleet_at(server_, dbname_);
    const Feed feed{backup_.folder, options_.identities, fleet.find("main")->primary.connection, programs,
                    server_.major_version()};
    auto restored = feed_dump(feed, part_, {"--no-tablespaces"}, sink, stop);
    if (!restored.ok()) return restored.error();
    auto found = read(fleet, *expected);
    if (!found.ok()) return found.error();
    PartProof proof{.database = part_.database};
    proof.tables = found->tables.size();
    proof.rows = found->rows();
    proof.checksums = summed(*expected);
    proof.differences = differences(*expected, *found);
    proof.ok = proof.differences.empty();
    return proof;
  }

 private:
  static bool summed(const Fingerprint& expected) {
    return std::ranges::any_of(expected.tables, [](const auto& one) { return !one.second.checksum.empty(); });
  }

  /// Owners and grantees that the globals did not bring.
  Result<void> make_roles(const Fingerprint& expected) {
    // One statement each: a role that is there already ends nothing.
    for (const std::string& role : expected.roles) {
      static_cast<void>(server_.execute("CREATE ROLE " + quote_identifier(role), "postgres", kRoleTimeout));
    }
    return {};
  }

  Result<void> make_database() {
    const std::string plain = "CREATE DATABASE " + quote_identifier(dbname_) + " TEMPLATE template0 ENCODING " +
                              quote_literal(part_.encoding);
    auto made = server_.execute(plain + " LC_COLLATE " + quote_literal(part_.collate) + " LC_CTYPE " +
                                quote_literal(part_.ctype));
    // A locale that this machine does not have: contents are compared byte by byte, so the plain one serves.
    if (!made.ok()) made = server_.execute(plain + " LC_COLLATE 'C' LC_CTYPE 'C'");
    if (!made.ok()) return made.error();
    return {};
  }

  Result<Fingerprint> read(const FleetConfig& fleet, const Fingerprint& expected) {
    const Contents contents = summed(expected) ? Contents::summed : Contents::counted;
    return on_one_session<Fingerprint>(fleet, "main", [&](Lease& lease) -> Task<Fingerprint> {
      co_return co_await read_in_snapshot(lease, part_.schema, contents);
    });
  }

  const StoredBackup& backup_;
  const BackupPart& part_;
  const VerifyOptions& options_;
  PrivateServer& server_;
  std::string dbname_;
};

}  // namespace

Result<Proof> verify_backup(const StoredBackup& backup, const VerifyOptions& options, const VerifySink& sink,
                            std::stop_token stop) {
  const auto reading = FolderLock::try_take(backup.folder, FolderLock::Kind::shared);
  if (!reading) return Error(ErrorKind::Unavailable, "the backup " + backup.id + " is being removed");
  const std::vector<ClientPrograms> programs = list_client_programs();
  Servers servers;
  Proof proof;
  std::map<PrivateServer*, bool> with_globals;
  for (const BackupPart& part : backup.manifest.parts) {
    const bool wanted =
        options.databases.empty() || std::ranges::find(options.databases, part.database) != options.databases.end();
    if (!wanted) continue;
    if (sink) sink(part.database, {0, part.dump.bytes});
    const auto attempt = [&]() -> Result<PartProof> {
      SY_TRY(check_file(backup.folder, part.dump, stop));
      SY_TRY(check_file(backup.folder, part.fingerprint, stop));
      // The key first: a server for nothing would hide what is wrong.
      auto key = read_whole(backup.folder / part.fingerprint.name, options.identities);
      if (!key.ok()) return key.error();
      auto server = servers.get(major_of(part.server_version));
      if (!server.ok()) return server.error();
      proof.server_version = std::to_string((*server)->major_version());
      if (!std::exchange(with_globals[*server], true)) {
        const FleetConfig at = fleet_at(**server, "postgres");
        const Feed feed{backup.folder, options.identities, at.find("main")->primary.connection, programs,
                        (*server)->major_version()};
        for (const GlobalsPart& globals : backup.manifest.globals) {
          SY_TRY(check_file(backup.folder, globals.file, stop));
          auto fed = feed_globals(feed, globals, stop);
          if (!fed.ok()) return fed.error();
        }
      }
      const std::string dbname = "verify_" + std::to_string(proof.parts.size() + 1);
      Trial trial(backup, part, options, **server, dbname);
      auto result = trial.run(
          programs,
          [&](const RestoreProgress& progress) {
            if (sink) sink(part.database, progress);
          },
          stop);
      static_cast<void>((*server)->drop_database(dbname));
      return result;
    };
    auto result = attempt();
    if (result.ok()) {
      proof.parts.push_back(std::move(*result));
      continue;
    }
    const Error& error = result.error();
    if (error.kind() == ErrorKind::Cancelled || error.kind() == ErrorKind::Config) return error;
    proof.parts.push_back({.database = part.database, .ok = false, .differences = {std::string(error.message())}});
  }
  proof.moment = now();
  return proof;
}

}  // namespace switchyard::inline v0::backup
