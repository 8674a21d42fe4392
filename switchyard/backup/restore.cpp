#include <switchyard/backup/restore.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/client_programs.hpp>
#include <switchyard/backup/feed_dump.hpp>
#include <switchyard/backup/fingerprint.hpp>
#include <switchyard/backup/one_session.hpp>
#include <switchyard/embedded/private_server.hpp>

#include <fcntl.h>

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::string_view kNoSuchDatabase = "3D000";
constexpr std::string_view kMaintenance = "postgres";

using embedded::quote_identifier;
using embedded::quote_literal;

/// The same database of the fleet at another dbname of its server.
FleetConfig at_dbname(FleetConfig config, const std::string& database, const std::string& dbname) {
  DatabaseConfig* own = config.find(database);
  own->primary.connection.dbname = dbname;
  // Its schema may not be there yet, and pg_restore sets what it needs.
  std::erase_if(own->primary.connection.settings, [](const auto& one) { return one.first == "search_path"; });
  return config;
}

struct Look {
  std::int32_t major = 0;
  bool schema_exists = false;
  std::int64_t objects = 0;
};

/// $1: the schema, or ''. Objects of extensions do not count, nor does an empty schema.
constexpr std::string_view kLook =
    "WITH n AS (SELECT oid, nspname FROM pg_namespace WHERE CASE WHEN $1 <> '' THEN nspname = $1 ELSE nspname !~ "
    "'^pg_' "
    "AND nspname <> 'information_schema' END), "
    "e AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e') "
    "SELECT current_setting('server_version_num')::int4 / 10000 AS major, "
    "$1 <> '' AND EXISTS (SELECT FROM n) AS schema_exists, "
    "(SELECT count(*) FROM pg_class c JOIN n ON n.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'I', 't') AND "
    "(SELECT count(*) FROM e WHERE classid = 'pg_class'::regclass AND objid = c.oid) = 0) + "
    "(SELECT count(*) FROM pg_proc p JOIN n ON n.oid = p.pronamespace WHERE "
    "(SELECT count(*) FROM e WHERE classid = 'pg_proc'::regclass AND objid = p.oid) = 0) + "
    "(SELECT count(*) FROM pg_type t JOIN n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd') AND "
    "(SELECT count(*) FROM e WHERE classid = 'pg_type'::regclass AND objid = t.oid) = 0) AS objects";

Result<Look> look(const FleetConfig& config, const std::string& database, const std::string& schema) {
  return on_one_session<Look>(config, database, [&](Lease& lease) -> Task<Look> {
    co_return co_await lease.query_one<Look>(kLook, schema);
  });
}

Result<void> create_database(const FleetConfig& config, const std::string& database, const std::string& dbname,
                             const BackupPart& part) {
  const std::string plain = "CREATE DATABASE " + quote_identifier(dbname) + " TEMPLATE template0 ENCODING " +
                            quote_literal(part.encoding);
  const std::string with_locale =
      plain + " LC_COLLATE " + quote_literal(part.collate) + " LC_CTYPE " + quote_literal(part.ctype);
  auto made = on_one_session<bool>(config, database, [&](Lease& lease) -> Task<bool> {
    co_await lease.script(with_locale);
    co_return true;
  });
  if (made.ok()) return {};
  return made.error()
      .with_context("can't make the database " + dbname)
      .with_hint("make it as a superuser: psql -c '" + plain + "'");
}

Error not_empty(const std::string& place, const std::string& schema, const std::string& database,
                std::int64_t objects) {
  const std::string what = schema.empty() ? "database " + place : "schema " + schema + " of " + place;
  return Error(ErrorKind::Config,
               "the " + what + " holds " + std::to_string(objects) + " objects, which a restore would replace")
      .with_hint("restore beside it with --into NEW_DATABASE, or replace what is there with --confirm=" + database);
}

/// What a failed pg_restore asks for, as far as its words say so.
std::string hint_for(std::string_view said) {
  if (said.find("role \"") != std::string_view::npos && said.find("does not exist") != std::string_view::npos) {
    return "bring the roles back with --globals, or restore without owners with --no-owner";
  }
  if (said.find("must be owner") != std::string_view::npos ||
      said.find("must be member") != std::string_view::npos ||
      said.find("must be able to SET ROLE") != std::string_view::npos ||
      said.find("permission denied") != std::string_view::npos) {
    return "restore as the role that owns it, as a superuser, or with --no-owner; nothing was changed";
  }
  if (said.find("depend on it") != std::string_view::npos) {
    return "objects that are not in the backup depend on what it would replace; restore with --into NEW_DATABASE; "
           "nothing was changed";
  }
  return "nothing was changed: it runs in one transaction";
}

}  // namespace

Result<RestoreReport> restore_database(const FleetConfig& fleet, const StoredBackup& backup,
                                       const std::string& database, const RestoreOptions& options,
                                       const RestoreSink& sink, std::stop_token stop) {
  const BackupPart* part = backup.manifest.find(database);
  if (part == nullptr) return Error(ErrorKind::Config, "the backup " + backup.id + " does not hold " + database);
  const DatabaseConfig* configured = fleet.find(database);
  if (configured == nullptr || !configured->configured()) {
    return Error(ErrorKind::Config, configured == nullptr ? "this fleet has no database '" + database + "'"
                                                          : configured->missing_dsn_message);
  }
  const auto reading = FolderLock::try_take(backup.folder, FolderLock::Kind::shared);
  if (!reading) return Error(ErrorKind::Unavailable, "the backup " + backup.id + " is being removed");
  SY_TRY(check_file(backup.folder, part->dump, stop));
  SY_TRY(check_file(backup.folder, part->fingerprint, stop));
  auto expected_text = read_whole(backup.folder / part->fingerprint.name, options.identities);
  if (!expected_text.ok()) return expected_text.error();
  auto expected = parse_fingerprint(*expected_text);
  if (!expected.ok()) return expected.error();

  const FleetConfig own = config_of(fleet, database);
  const std::string dbname = options.into.empty() ? own.find(database)->primary.connection.dbname : options.into;
  const FleetConfig target = at_dbname(own, database, dbname);
  const ConnectionOptions& connection = target.find(database)->primary.connection;
  RestoreReport report{.database = database, .schema = part->schema, .place = connection.location()};

  auto found = look(target, database, part->schema);
  if (!found.ok() && found.error().sqlstate() == kNoSuchDatabase) {
    SY_TRY(create_database(at_dbname(own, database, std::string(kMaintenance)), database, dbname, *part));
    report.created = true;
    found = look(target, database, part->schema);
  }
  if (!found.ok()) return found.error();
  if (found->objects > 0 && !options.overwrite) {
    return not_empty(report.place, part->schema, database, found->objects);
  }

  const std::vector<ClientPrograms> programs = list_client_programs();
  const Feed feed{backup.folder, options.identities, connection, programs, found->major};
  if (options.globals) {
    for (const GlobalsPart& globals : backup.manifest.globals) {
      if (globals.server != part->server) continue;
      SY_TRY(check_file(backup.folder, globals.file, stop));
      auto others = feed_globals(feed, globals, stop);
      if (!others.ok()) return others.error();
      report.notes.insert(report.notes.end(), others->begin(), others->end());
    }
  }
  std::vector<std::string> arguments{"--single-transaction"};
  if (found->objects > 0) arguments.insert(arguments.end(), {"--clean", "--if-exists"});
  if (!options.owners) arguments.insert(arguments.end(), {"--no-owner", "--no-acl"});
  // Whoever owns a schema may fill it, and need not be allowed to make one.
  if (found->schema_exists) arguments.push_back("--schema=" + part->schema);
  auto restored = feed_dump(feed, *part, std::move(arguments), sink, stop);
  if (!restored.ok()) {
    const bool theirs = restored.error().kind() == ErrorKind::Unavailable;
    return theirs ? restored.error().with_hint(hint_for(restored.error().message())) : restored.error();
  }

  const bool summed =
      std::ranges::any_of(expected->tables, [](const auto& one) { return !one.second.checksum.empty(); });
  const Contents contents = summed ? Contents::summed : Contents::counted;
  auto got = on_one_session<Fingerprint>(target, database, [&](Lease& lease) -> Task<Fingerprint> {
    co_return co_await read_in_snapshot(lease, part->schema, contents);
  });
  if (!got.ok()) return got.error().with_context("restored, but not compared with the backup");
  report.tables = got->tables.size();
  report.rows = got->rows();
  report.differences = differences(*expected, *got);
  return report;
}

Result<void> extract_dump(const StoredBackup& backup, const std::string& database,
                          const std::vector<AgeIdentity>& identities, const std::string& path,
                          std::stop_token stop) {
  const BackupPart* part = backup.manifest.find(database);
  if (part == nullptr) return Error(ErrorKind::Config, "the backup " + backup.id + " does not hold " + database);
  SY_TRY(check_file(backup.folder, part->dump, stop));
  auto reader = BackupFileReader::open(backup.folder / part->dump.name, identities);
  if (!reader.ok()) return reader.error();
  const std::filesystem::path to(path);
  const std::filesystem::path folder = to.has_parent_path() ? to.parent_path() : std::filesystem::path(".");
  auto writer = BackupFileWriter::create(folder, to.filename().string(), {});
  if (!writer.ok()) return writer.error();
  const auto copy = [&]() -> Result<void> {
    std::string piece;
    for (;;) {
      if (stop.stop_requested()) return Error(ErrorKind::Cancelled, "interrupted");
      piece.clear();
      SY_TRY(reader->read(piece));
      if (piece.empty()) break;
      SY_TRY(writer->write(piece));
    }
    auto finished = writer->finish();
    if (!finished.ok()) return finished.error();
    return {};
  };
  auto outcome = copy();
  if (!outcome.ok()) ::unlink(path.c_str());
  return outcome;
}

}  // namespace switchyard::inline v0::backup
